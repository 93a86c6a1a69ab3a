-- Several workers on PostgreSQL share a queue: each order is bought once, hardly
-- a task is polled by two, and the limits of the ledger hold for all together.

local core = require "starvideos.core"
local stages = require "spec.fleet.stage"

local _M = {}

local WORKERS, OPEN, POLLS = 8, 60, 40

-- A task takes as long as a few polls.
local SECONDS, INTERVAL = 1.6, 0.4

-- A short run cannot wait for heartbeats of 15 s.
local SHORT, QUICK = 1000, { lease = 12, heartbeat = 1 }

-- Over so many seconds polls are counted, for a packet may be late.
local WINDOW = 10

-- Seconds that an order may take, and all of them at least.
local SECONDS_EACH, LEAST_SECONDS = 0.2, 60

local function order_of(number)
  local key = ("scene-%05d"):format(number)
  return { key = key, path = key .. ".mp4", model = "videos", duration = 4,
    prompt = key .. " a kite" }
end

-- The most polls a second in any window, looking on until all workers have ended.
local function look_on(stage, children, seconds)
  local samples, most = {}, 0
  local give_up = core.now() + seconds
  repeat
    local at, polls = core.now(), stage:record().polls
    samples[#samples + 1] = { at = at, polls = polls }
    while at - samples[1].at > WINDOW * 1.1 do
      table.remove(samples, 1)
    end
    local time = at - samples[1].at
    if time >= WINDOW * 0.9 then
      most = math.max(most, (polls - samples[1].polls) / time)
    end
    local is_over = stage:wait(0.5, function()
      for _, child in ipairs(children) do
        if not stage:ended(child) then
          return false
        end
      end
      return true
    end)
  until is_over or core.now() > give_up
  return most
end

local function work(stage, orders)
  local settings = stage:write_settings {
    client = stage:client_options(),
    policies = { ["starvideos.fleet.work"] = { look = 0.5 } },
    work = { directory = stage.folder .. "/videos", interval = INTERVAL,
      max_interval = 2 * INTERVAL },
  }
  local children = {}
  for index = 1, WORKERS do
    children[index] = stage:start_worker(settings)
  end
  local seconds = LEAST_SECONDS + orders * SECONDS_EACH
  local most = look_on(stage, children, seconds)
  return stage:join(children, 0), most
end

local function report_on(stage, report, orders, most)
  local found, record = stage:compare(), stage:record()
  report:print("crowd_downloaded", found.downloaded, "orders", ">= " .. orders)
  report:print("crowd_billed", found.billed, "orders", "<= " .. orders)
  report:print_none("crowd_", found,
    { "lost", "double", "broken", "unfinished", "unknown" }, "orders")
  report:print("crowd_duplicate_polls",
    100 * record.duplicate_polls / math.max(1, record.polls), "%", "<= 1")
  report:print("crowd_polls", record.polls, "polls")
  report:print("crowd_polls_per_second", most, "1/s", "<= " .. POLLS * 1.01)
  report:print("crowd_polls_worst_second", record.most_polls, "polls")
  report:print("crowd_most_open", record.most_open, "tasks", "<= " .. OPEN)
  report:print("crowd_refused_open", record.broken.open, "creates", "<= 0")
end

function _M.run(report, sizes)
  local orders = sizes.orders
  local stage = stages.new { postgres = { connections = 60 },
    workers = orders < SHORT and QUICK or nil,
    sandbox = { seconds = SECONDS, queued_seconds = 0.4, workers = 2,
      open = OPEN, poll_interval = INTERVAL, memory = "256m" } }
  return stages.use(stage, function()
    local client = stage:client()
    assert(client:limits { open = OPEN, polls_per_second = POLLS })
    client:close()
    stage:enqueue(orders, order_of)
    local began = core.now()
    local bad, most = work(stage, orders)
    report:print("crowd_seconds", core.now() - began, "s")
    report:print("crowd_workers_failed", bad, "workers", "<= 0")
    report_on(stage, report, orders, most)
  end)
end

return _M
