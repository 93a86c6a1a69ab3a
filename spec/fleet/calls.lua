-- Six processes ask a PostgreSQL ledger at once: an answer whose wake-up was lost
-- is seen late, a second or more. The figures of these have no goals, for where
-- more runs than there are processors the kernel leaves a process of PostgreSQL
-- alone for seconds, too; spec/unit/host/block_spec.lua tries each moment.

local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local stages = require "spec.fleet.stage"

local _M = {}

local PROCESSES = 6

local LONGEST = 1800

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
  local sum = { asked = 0, late = 0, unanswered = 0, slowest = 0 }
  for _, child in ipairs(children) do
    local told = json.decode(assert(files.read(("%s/%s.figures"):format(
      stage.folder, child.name))))
    for name, value in pairs(told) do
      sum[name] = name == "slowest" and math.max(sum[name], value)
        or sum[name] + value
    end
  end
  report:print("calls", sum.asked, "calls", ">= " .. count)
  report:print("calls_over_a_second", sum.late, "calls")
  report:print("calls_unanswered", sum.unanswered, "calls")
  report:print("calls_slowest", sum.slowest, "s")
end

function _M.run(report, sizes)
  local stage = stages.new { postgres = {}, sandbox = {} }
  stages.use(stage, function()
    ask(report, stage, sizes.calls)
  end)
end

return _M
