-- One run of a scenario in a state of the driver's, whose functions come first;
-- then the scenario's name, whose memory runs out, and a file to write.

-- Where memory runs out within a trace, LuaJIT itself jumps astray.
local jit = rawget(_G, "jit")
if jit then
  jit.off()
end

local driver, name, source, path = ...
local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local scenario = assert(dofile(here .. "/scenarios.lua")[name], name)

local t = { engine = false, transfer = false, response = false,
  failure = false, catalog = false, value = false, other = false,
  again = false, ok = false, client = false, driver = false, tickets = false,
  source = source, arrived = driver.arrived, pause = driver.pause,
  path = path }

driver.answer(scenario.answer or "")
if scenario.begin then
  scenario.begin(t)
end
driver.arm()
local ok, why = pcall(scenario.run, t)
local failed = driver.disarm()

local checked, wrong = pcall(scenario.check, t, ok, driver.arrived())
for _, ending in ipairs { "", ".json", ".db", ".db-wal", ".db-shm" } do
  os.remove(path .. ending)
end

local expected = ok or failed > 0 and tostring(why):find "out of memory$"
  or failed > 0 and tostring(why):find "Cannot allocate memory$"
  or failed > 0 and tostring(why):find "not enough memory$"
assert(expected, "raised " .. tostring(why))
assert(checked, wrong)
return failed
