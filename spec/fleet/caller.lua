-- A program that asks the ledger, one question after another, by the runtime
-- `block`, which waits for each answer on a descriptor.
--
--   lua5.4 spec/fleet/caller.lua SETTINGS NAME
--
-- SETTINGS is a file of JSON: `client` (options of `starvideos.new`), `count`
-- (questions) and `folder`, where NAME.figures gets how many were asked, how many
-- of them took more than a second or got no answer, and the seconds of the slowest.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local path, name = ...

local file = assert(io.open(path, "rb"))
local settings = json.decode(file:read "*a")
file:close()

local client = assert(starvideos.new(settings.client))
local asked, late, unanswered, slowest = 0, 0, 0, 0
for _ = 1, settings.count do
  local begun = core.now()
  local ok, err = client:pending()
  local seconds = core.now() - begun
  if err and err.kind ~= "ledger" then
    error("unexpected: " .. tostring(err), 0)
  end
  asked, unanswered = asked + 1, unanswered + (ok and 0 or 1)
  late = late + (seconds > 1 and 1 or 0)
  slowest = math.max(slowest, seconds)
end
client:close()
file = assert(io.open(("%s/%s.figures"):format(settings.folder, name), "wb"))
file:write((json.encode { asked = asked, late = late,
  unanswered = unanswered, slowest = slowest }))
file:close()
os.exit(0, true)
