-- make simulate: 200 workers work off a queue in virtual time. The policy, the
-- limits and the claims are the library's own, over SQLite in memory; the provider
-- is the sandbox, with a limit of its own, a storm of 429 and an outage.
--
--   lua5.4 spec/simulate/run.lua [ORDERS] [SEED] [PICTURE]
--
-- Prints one JSON object a line, then "N passed, N failed", and writes the curves
-- to PICTURE.

local world = require "spec.simulate.world"

local EPOCH = 1760000000
world.install(EPOCH)

local chart = require "spec.simulate.chart"
local files = require "spec.fixtures.files"
local fleet = require "spec.simulate.fleet"
local providers = require "spec.simulate.provider"
local reports = require "spec.fleet.report"

io.stdout:setvbuf "line"
local orders, seed, picture = tonumber(arg[1]) or 100000,
  tonumber(arg[2]) or 1, arg[3]

-- Over so many seconds polls and creates are counted; creates that were late may
-- catch up one.
local WINDOW, BURST = 10, 1

-- The whole takes 100,000 orders; fewer of them meet the same troubles.
local FULL = 100000

local setup = {
  orders = orders,
  workers = 200,
  -- What the user sets; the provider allows no more.
  open = 6000, creates_per_minute = 3000, polls_per_second = 150,
  task_seconds = 90,
  storm = { from = 300, to = 360, title = "429" },
  outage = { from = 900, to = 1500, title = "outage" },
}
for _, trouble in ipairs { setup.storm, setup.outage } do
  local length = trouble.to - trouble.from
  trouble.from = trouble.from * orders / FULL
  trouble.to = trouble.from + length
end

-- What the limits allow: as many creates as fit between the troubles, then the
-- last task.
local function least_seconds()
  local seconds = orders / (setup.creates_per_minute / 60)
  for _, trouble in ipairs { setup.storm, setup.outage } do
    seconds = seconds + trouble.to - trouble.from
  end
  return seconds + setup.task_seconds
end

local function curve(series, length)
  local points, sum = {}, 0
  for second = 1, #series do
    sum = sum + series[second]
    if second % length == 0 then
      points[#points + 1] = { second, sum / length }
      sum = 0
    end
  end
  return points
end

-- The most a second, over so many seconds each.
local function most_of(series, from, to, length)
  local most, sum = 0, 0
  from, to = math.max(1, from), math.min(#series, to)
  for second = from, to do
    sum = sum + series[second]
      - (second - length >= from and series[second - length] or 0)
    most = math.max(most, sum / length)
  end
  return most
end

local function draw(seen, seconds)
  local length = math.max(1, math.floor(seconds / 300))
  files.write(picture, chart.draw { seconds = seconds,
    bands = { setup.storm, setup.outage },
    panels = {
      { title = "creates per second", points = curve(seen.creates, length),
        limit = setup.creates_per_minute / 60 },
      { title = "polls per second", points = curve(seen.polls, length),
        limit = setup.polls_per_second },
      { title = "open tasks", points = curve(seen.open, length),
        limit = setup.open },
    } })
end

math.randomseed(seed)
local began = os.clock()
local provider = providers.new(setup, EPOCH)
local result = fleet.run(setup, provider)
local seen, record = provider.seen, provider:record()
local after = math.floor(setup.outage.to)

local report = reports.new "simulate_"
report:print("orders", orders, "orders")
report:print("done", result.done, "orders", ">= " .. orders)
report:print("billed", record.billed, "orders", "<= " .. orders)
report:print("creates_per_minute", provider:most_creates(), "creates",
  "<= " .. setup.creates_per_minute)
report:print("creates_refused", record.broken.creates + record.broken.open,
  "creates", "<= 0")
report:print("most_open", record.most_open, "tasks", "<= " .. setup.open)
report:print("polls_per_second", most_of(seen.polls, 1, #seen.polls, WINDOW),
  "1/s", "<= " .. setup.polls_per_second * 1.01)
report:print("polls_worst_second", most_of(seen.polls, 1, #seen.polls, 1),
  "polls")
report:print("polls_refused", record.broken.polls, "polls", "<= 0")
report:print("herd_polls", most_of(seen.polls, after, after + 60, WINDOW),
  "1/s", "<= " .. setup.polls_per_second * 1.01)
report:print("herd_creates", most_of(seen.creates, after, after + 60, WINDOW),
  "1/s", "<= " .. setup.creates_per_minute / 60 * (1 + BURST / WINDOW))
report:print("duplicate_polls", 100 * record.duplicate_polls / record.polls,
  "%", "<= 1")
report:print("least_possible", least_seconds(), "s")
report:print("last_order", result.seconds, "s",
  "<= " .. 1.1 * least_seconds())
report:print("cpu", os.clock() - began, "s")
if picture then
  draw(seen, result.seconds)
end
print(("%d passed, %d failed"):format(report.passed, report.failed))
os.exit(report.failed == 0, true)
