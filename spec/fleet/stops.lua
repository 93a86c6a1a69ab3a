-- A queue whose orders all end badly stops in time, over all workers; and where callers
-- share one, the backlog of one holds up no other.

local stages = require "spec.fleet.stage"

local _M = {}

local WORKERS, ORDERS, LONGEST = 3, 60, 60

-- Five for each worker that are on their way, and those that are sent until the fifth in a
-- row has ended.
local MOST = 5 + 5 * WORKERS

local BAD = { "create_502", "create_html", "create_401", "create_402" }

local BACKLOG, CLAIMS = 60, 8

local function enqueue(stage, count, name, scenario, account)
  local client = stage:client { account = account }
  local list = {}
  for number = 1, count do
    local key = ("%s-%03d"):format(name, number)
    list[number] = { key = key, path = key .. ".mp4", model = "videos", duration = 4,
      prompt = key .. (scenario and (" [scenario:%s]"):format(scenario) or "") }
  end
  assert(client:enqueue(list))
  client:close()
end

local function stop_in_time(report, scenario)
  local stage = stages.new { sandbox = { seconds = 0.5 } }
  stages.use(stage, function()
    enqueue(stage, ORDERS, "scene", scenario)
    local settings, children = stage:write_settings { client = stage:client_options(),
      work = { directory = stage.folder .. "/videos" } }, {}
    for index = 1, WORKERS do
      children[index] = stage:start_worker(settings)
    end
    report:print(scenario .. "_stopped", stage:join(children, LONGEST), "workers",
      ">= " .. WORKERS)
    report:print(scenario .. "_sent", stage:record().creates, "orders", "<= " .. MOST)
  end)
end

-- How many orders were sent before the one of another caller.
local function sent_before(events, key)
  local before = 0
  for _, event in ipairs(events) do
    if event.name == "order" and event.state == "submitting" then
      if event.key == key then
        return before
      end
      before = before + 1
    end
  end
  return math.huge
end

local function take_turns(report)
  local stage = stages.new { sandbox = { seconds = 0.5 } }
  stages.use(stage, function()
    enqueue(stage, BACKLOG, "backlog")
    enqueue(stage, 1, "single", nil, "another")
    local worker = stage:start_worker(stage:write_settings {
      client = stage:client_options(), work = { directory = stage.folder .. "/videos",
        accounts = "any", claims = CLAIMS, interval = 0.2, max_interval = 0.4 } })
    report:print("turns_failed", stage:join({ worker }, LONGEST), "workers", "<= 0")
    report:print("turns_sent_before", sent_before(stage:events(worker), "single-001"),
      "orders", "<= " .. CLAIMS)
    report:print_none("turns_", stage:compare(), { "lost", "double", "unfinished" },
      "orders")
  end)
end

function _M.run(report)
  for _, scenario in ipairs(BAD) do
    stop_in_time(report, scenario)
  end
  take_turns(report)
end

return _M
