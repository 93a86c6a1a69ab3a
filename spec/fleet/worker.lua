-- A worker as a process of its own.
--
--   lua5.4 spec/fleet/worker.lua SETTINGS NAME
--
-- SETTINGS is a file of JSON: `client` (options of `starvideos.new`), `work`
-- (options of `client:work`), `policies` (by the name of a module what is changed
-- in its policy) and `folder`, where what happens is written to NAME.events.
-- PostgreSQL knows its connection by NAME. Exits with 0 where nothing is left.

local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local path, name = ...

local function read(file_name)
  local file = assert(io.open(file_name, "rb"))
  local text = file:read "*a"
  file:close()
  return json.decode(text)
end

local settings = read(path)
for module, changes in pairs(settings.policies or {}) do
  for field, value in pairs(changes) do
    require(module).policy[field] = value
  end
end

local events = assert(io.open(settings.folder .. "/" .. name .. ".events", "ab"))
events:setvbuf "line"

local options = settings.client
if options.ledger:find "^postgres" then
  options.ledger = options.ledger .. "&application_name=" .. name
end
options.interrupts = "return"
options.on_event = function(event)
  if event.name ~= "exchange" then
    events:write(json.encode(event), "\n")
  end
end

local client = assert(starvideos.new(options))
local result, err = client:work(settings.work)
client:close()
if err then
  io.stderr:write(name, ": ", tostring(err), "\n")
end
os.exit(result and 0 or 1, true)
