-- The program that is killed at each of its system calls: one order under a
-- key. Prints the id of its task, or the kind of the error.
--
--   lua5.4 spec/torture/buyer.lua SETTINGS LEDGER KEY [watched]
--
-- SETTINGS is a file of JSON with `base_url`, `api_key`, `ca_file` and `broken`
-- (see `faults`). Where it is `watched` it signals to its parent when the order
-- begins and ends. Exits with 0, unless something happened that must not.

local faults = require "spec.torture.faults"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local path, ledger, key, watched = ...

-- The errors that an order may end in whose first process was killed.
local EXPECTED = { outcome_unknown = true }

local file = assert(io.open(path, "rb"))
local settings = json.decode(file:read "*a")
file:close()

local function signal(name)
  if watched then
    os.execute("kill -" .. name .. " $PPID")
  end
end

faults.bring(settings.broken)
local client = assert(starvideos.new {
  api_key = settings.api_key,
  base_url = settings.base_url,
  ca_file = settings.ca_file,
  ledger = ledger,
  timeout = 10,
})
signal "USR1"
local task, err = client:create({ model = "videos", duration = 4,
  prompt = key }, { key = key })
signal "USR2"
print(task and task.id or err.kind)
client:close()
os.exit((task or EXPECTED[err.kind]) and 0 or 1)
