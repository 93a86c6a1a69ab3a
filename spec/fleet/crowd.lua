-- Several workers on PostgreSQL share a queue: each order is bought once, hardly
-- a task is polled by two, the limits of the ledger hold for all together, and none goes
-- on for long after the last order.

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

local SAVED = "SELECT COUNT(*) AS saved FROM starvideos_orders WHERE state = 'downloaded'"

-- Notes when the first 95 % were saved, and when all.
local function note_saved(stage, seen, orders)
  local saved = tonumber(stage:database():rows(SAVED)[1].saved)
  seen.most_saved = seen.most_saved or saved >= 0.95 * orders and core.now()
  seen.saved = seen.saved or saved == orders and core.now()
end

-- The most polls a second in any window, looking on until all workers have ended; and what
-- `note_saved` saw.
local function look_on(stage, children, seconds, orders)
  local samples, most, seen = {}, 0, {}
  local give_up = core.now() + seconds
  repeat
    note_saved(stage, seen, orders)
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
  seen.ended = core.now()
  note_saved(stage, seen, orders)
  return most, seen
end

local function work(stage, orders)
  local settings = stage:write_settings {
    client = stage:client_options(),
    work = { directory = stage.folder .. "/videos", interval = INTERVAL,
      max_interval = 2 * INTERVAL },
  }
  local children = {}
  for index = 1, WORKERS do
    children[index] = stage:start_worker(settings)
  end
  local seconds = LEAST_SECONDS + orders * SECONDS_EACH
  local most, seen = look_on(stage, children, seconds, orders)
  return stage:join(children, 0), most, seen
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
    local bad, most, seen = work(stage, orders)
    local is_timed = orders >= SHORT -- of a few orders the last 5 % say how busy this is
    report:print("crowd_seconds", seen.ended - began, "s")
    report:print("crowd_end_of_first_95_percent", (seen.ended - began)
      / ((seen.most_saved or seen.ended) - began), "times",
      is_timed and "<= 1.3" or nil)
    report:print("crowd_end_after_last_save", seen.ended
      - (seen.saved or -math.huge), "s", is_timed and "<= 2" or nil)
    report:print("crowd_workers_failed", bad, "workers", "<= 0")
    report_on(stage, report, orders, most)
  end)
end

return _M
