-- Six processes ask a PostgreSQL ledger at once: an answer whose wake-up was lost
-- would be seen only when the patience of its caller is at an end.

local files = require "spec.fixtures.files"
local json = require "starvideos.json"
local stages = require "spec.fleet.stage"

local _M = {}

local PROCESSES = 6

local LONGEST = 1800

-- A machine may leave a process alone for seconds; a lost wake-up took ten.
local GOAL = "<= 5"

local function ask(report, stage, count)
  local settings = stage:write_settings {
    client = stage:client_options {}, count = math.ceil(count / PROCESSES) }
  local children = {}
  for index = 1, PROCESSES do
    children[index] = stage:start(
      "@lua@ spec/fleet/caller.lua @settings@ @name@",
      { settings = settings, name = "caller-" .. index })
  end
  report:print("calls_failed", stage:join(children, LONGEST), "processes",
    "<= 0")
  local answered, late, slowest = 0, 0, 0
  for _, child in ipairs(children) do
    local told = json.decode(assert(files.read(("%s/%s.figures"):format(
      stage.folder, child.name))))
    answered, late = answered + told.answered, late + told.late
    slowest = math.max(slowest, told.slowest)
  end
  report:print("calls", answered, "calls", ">= " .. count)
  report:print("calls_over_a_second", late, "calls")
  report:print("calls_slowest", slowest, "s", GOAL)
end

--- Run it.
-- @tparam table report
-- @tparam table sizes `calls`
function _M.run(report, sizes)
  local stage = stages.new { postgres = {}, sandbox = {} }
  stages.use(stage, function()
    ask(report, stage, sizes.calls)
  end)
end

return _M
