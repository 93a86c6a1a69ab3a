-- A figure is one line of JSON: what was measured, its goal, whether it is
-- met.

local c_locale = require "starvideos.base.c_locale"

local _M = {}

local met = {
  ["<"] = function(value, goal) return value < goal end,
  ["<="] = function(value, goal) return value <= goal end,
  [">="] = function(value, goal) return value >= goal end,
}

--- The middle one, which one slow round cannot move.
function _M.median(values)
  local sorted = {}
  for i, value in ipairs(values) do
    sorted[i] = value
  end
  table.sort(sorted)
  return sorted[math.ceil(#sorted / 2)]
end

--- Write a figure.
-- @tparam string name
-- @tparam number value
-- @tparam string unit
-- @tparam[opt] string goal such as "< 3"; without one the figure is only
--   there to compare with
-- @treturn string its line
-- @treturn boolean whether the goal is met
function _M.line(name, value, unit, goal)
  local ok = true
  if goal then
    local relation, limit = goal:match("^(%S+) (%S+)$")
    ok = met[relation](value, c_locale.tonumber(limit))
  end
  return ('{"name":"%s","value":%s,"unit":"%s","goal":%s,"ok":%s}'):format(
    name, c_locale.number("%.4g", value), unit, goal and ('"%s"'):format(goal) or "null",
    tostring(ok)), ok
end

--- Print a figure: takes what `line` takes.
-- @treturn boolean whether the goal is met
function _M.print(...)
  local line, ok = _M.line(...)
  print(line)
  return ok
end

--- Measure something at a server, stop it and end the process: with 0 where
-- every goal is met.
-- @tparam table server
-- @tparam function measure `(server) -> boolean` whether every goal is met
function _M.exit(server, measure)
  local done, fine = xpcall(function()
    return measure(server)
  end, debug.traceback)
  server:stop()
  if not done then
    error(fine, 0)
  end
  os.exit(fine, true)
end

return _M
