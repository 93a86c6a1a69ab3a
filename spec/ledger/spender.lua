-- A process that orders as much as the limits of its ledger allow, as
-- spec/integration/limits_spec.lua starts it:
--
--   lua5.4 spec/ledger/spender.lua LEDGER FOLDER NAME COUNT
--
-- It leaves a line in FOLDER/ready, waits until somebody opens the pipe FOLDER/go,
-- and orders COUNT videos for 1.00 each, without waiting for a limit. What was
-- bought leaves a line in FOLDER/bought, what became of each order one in
-- FOLDER/outcomes.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local ledger, folder, name, count = ...

local function note(file, text)
  local handle = assert(io.open(folder .. "/" .. file, "ab"))
  handle:write(text, "\n")
  handle:close()
end

local sent = 0

-- Every fifth order does not reach the provider.
local function transport()
  sent = sent + 1
  if sent % 5 == 0 then
    return nil, { reason = "connect", sent = false, message = "refused" }
  end
  note("bought", name)
  return { status = 200, headers = {}, body = json.encode {
    id = name .. " " .. sent, status = "queued" } }
end

local client = assert(starvideos.new {
  api_key = "key",
  ledger = ledger,
  prices = { currency = "USD", models = { videos = { per_video = 1 } } },
  transport = transport,
  sleep = function()
    core.sleep(0.01)
    return true
  end,
})

note("ready", name)
assert(io.open(folder .. "/go", "rb")):close()
for index = 1, tonumber(count) do
  local task, err = client:create({ model = "videos", prompt = "a kite",
    duration = 5 }, { key = name .. " " .. index, limit_timeout = 0 })
  note("outcomes", task and "bought" or err.kind)
end
client:close()
