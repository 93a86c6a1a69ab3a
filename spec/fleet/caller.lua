-- A program that asks the ledger, one question after another, by the runtime
-- `block`, which waits for each answer on a descriptor.
--
--   lua5.4 spec/fleet/caller.lua SETTINGS NAME
--
-- SETTINGS is a file of JSON: `client` (options of `starvideos.new`), `count`
-- (questions) and `folder`, where NAME.figures gets how many were answered, how
-- many of them after more than a second, and the seconds of the slowest.

local core = require "starvideos.core"
local json = require "starvideos.json"
local starvideos = require "starvideos"

local path, name = ...

local file = assert(io.open(path, "rb"))
local settings = json.decode(file:read "*a")
file:close()

local client = assert(starvideos.new(settings.client))
local answered, late, slowest = 0, 0, 0
for _ = 1, settings.count do
  local begun = core.now()
  local ok, err = client:pending()
  local seconds = core.now() - begun
  if not ok then
    error("unexpected: " .. tostring(err), 0)
  end
  answered = answered + 1
  late = late + (seconds > 1 and 1 or 0)
  slowest = math.max(slowest, seconds)
end
client:close()
file = assert(io.open(("%s/%s.figures"):format(settings.folder, name), "wb"))
file:write((json.encode { answered = answered, late = late, slowest = slowest }))
file:close()
os.exit(0, true)
