-- Figures, and how many of them have met their goals.

local figure = require "spec.bench.figure"

local Report = {}
Report.__index = Report

function Report.new(prefix)
  return setmetatable({ prefix = prefix, passed = 0, failed = 0 }, Report)
end

-- Print a figure; whether its goal (see `spec.bench.figure`) is met.
function Report:print(name, value, unit, goal)
  local ok = figure.print(self.prefix .. name, value, unit, goal)
  if goal then
    local count = ok and "passed" or "failed"
    self[count] = self[count] + 1
  end
  io.stdout:flush()
  return ok
end

-- Print figures by their names that must be 0.
function Report:print_none(prefix, found, names, unit)
  for _, name in ipairs(names) do
    self:print(prefix .. name, found[name], unit, "<= 0")
  end
end

-- Something did not come to its end.
function Report:fail(what, why)
  self.failed = self.failed + 1
  io.stderr:write("!! ", what, ": ", why, "\n")
end

return Report
