-- What `make lint` asks of the structure, of all files in lua/ and csrc/: no
-- arrow climbs a floor, none leads in a circle, a local is named like the module
-- it requires, no C but the seam's asks for a system, nothing is written or
-- compared as the locale of the host wants it, and no file is over 600 lines. Prints
-- what is wrong and then the totals; ends with 0 where nothing is.

local circles = require "spec.lint.circles"
local floors = require "spec.lint.floors"
local locales = require "spec.lint.locales"
local names = require "spec.lint.names"
local seam = require "spec.lint.seam"
local weight = require "spec.lint.weight"

local count = 0

local function report(faults)
  for _, fault in ipairs(faults) do
    print(fault)
  end
  count = count + #faults
end

-- A header and its source are one.
local function unit_of(path)
  return (path:gsub("%.[ch]$", ""))
end

local function add(graph, path, text)
  local unit = unit_of(path)
  local list = graph[unit] or {}
  graph[unit] = list
  for _, used in ipairs(floors.uses(path, text)) do
    if unit_of(used) ~= unit then
      list[#list + 1] = unit_of(used)
    end
  end
end

local graph, texts = {}, {}
local files = assert(io.popen(
  "find lua csrc -name '*.lua' -o -name '*.[ch]' | LC_ALL=C sort"))
for path in files:lines() do
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  report(floors.faults(path, text))
  report(seam.faults(path, text))
  report(locales.faults(path, text))
  report(path:find "%.lua$" and names.faults(path, text) or {})
  report(weight.faults(path, text))
  add(graph, path, text)
  texts[path] = text
end
files:close()
report(circles.faults(graph))
print(table.concat(weight.totals(texts, graph), "\n"))
os.exit(count == 0, true)
