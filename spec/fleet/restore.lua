-- A database is put back to an earlier time under living workers, one of which is
-- stopped meanwhile: no worker sends an order again, each task is in the ledger at
-- the end, and each video is saved. And two providers that count their tasks from 1
-- share a ledger: no order gets the other's end.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local stages = require "spec.fleet.stage"

local _M = {}

local SIGSTOP, SIGCONT = 19, 18

local WORKERS = 3

-- In the place of 60 s and 15 s.
local LEASE, HEARTBEAT = 4, 1

local LONGEST, INTERVAL = 120, 0.2

local POLICIES = {
  ["starvideos.fleet.work"] = { look = 0.3, look_longest = 0.6 },
  ["starvideos.fleet.claimed_order"] = { later = 1, later_longest = 2,
    in_a_row = 1e9 },
  ["starvideos.fleet.worker"] = { retry = 0.2, look = 0.1 },
}

local DUMP = [[cd @folder@ && @bin@/pg_dump --host=@server@ --username=specs
  --format=custom --file=@folder@/dump postgres 2>@folder@/dump.log]]

-- The tables are dropped and made again, under whoever is connected.
local RESTORE = [[@bin@/pg_restore --host=@server@ --username=specs --clean
  --if-exists --single-transaction --dbname=postgres @folder@/dump
  2>@folder@/restore.log]]

local function run(stage, command)
  local ok = shell.run(shell.fill((command:gsub("%s+", " ")), {
    folder = stage.folder, server = stage.server.folder,
    bin = stage.server.bin }))
  assert(ok, files.read(stage.folder .. "/restore.log") or "no dump")
end

local function account_of(number)
  return "account-" .. number
end

local function enqueue(stage, number, first, count)
  local list = {}
  for index = 1, count do
    local key = ("scene-%d-%05d"):format(number, first + index)
    list[index] = { key = key, path = key .. ".mp4", model = "videos",
      duration = 4, prompt = key }
  end
  local client = stage:client { account = account_of(number) }
  assert(client:enqueue(list))
  client:close()
end

-- Each has a queue of its own: what another process sends because the database
-- forgot is beyond what anybody can know.
local function start(stage, number)
  return stage:start_worker(stage:write_settings({
    client = stage:client_options { timeout = 30,
      account = account_of(number) },
    policies = POLICIES,
    work = { directory = stage.folder .. "/videos", interval = INTERVAL,
      max_interval = 2 * INTERVAL, claims = 8, follow = true },
  }, "worker-of-" .. number))
end

local function ordered(stage)
  return stage:record().creates
end

local function await(stage, what, count)
  assert(stage:wait(LONGEST, function() return what(stage) >= count end),
    "the workers do not go on")
end

local COUNT = "SELECT COUNT(*) AS orders FROM starvideos_orders WHERE "

-- The connection may be told that its tables are others now.
local function count(stage, condition)
  local rows = stage:database():rows(COUNT .. condition)
  return rows and tonumber(rows[1].orders) or 0
end

local function accepted(stage)
  return count(stage, "task_id IS NOT NULL")
end

local function done(stage)
  return count(stage, "state = 'downloaded'")
end

-- Tables as they were, or as a superuser makes them who deletes the newest orders.
local ways = {}

function ways.restored(stage)
  run(stage, RESTORE)
end

function ways.edited(stage)
  local database = stage:database()
  for _, sql in ipairs {
    "DELETE FROM starvideos_orders WHERE state = 'accepted'"
      .. " AND order_key LIKE '%1'",
    [[UPDATE starvideos_orders SET state = 'queued', task_id = NULL,
      claim = NULL, attempts = 0, owner = NULL, lease = NULL,
      accepted_at = NULL, closed_at = NULL WHERE task_id IS NOT NULL]],
    "DELETE FROM starvideos_workers" } do
    assert(database:run(sql))
  end
end

-- How often a worker has been told that an order of its is submitting, in excess of
-- once.
local function sent_again(stage, children)
  local again = 0
  for _, child in ipairs(children) do
    local sent = {}
    for _, event in ipairs(stage:events(child)) do
      if event.name == "order" and event.state == "submitting" then
        again = again + (sent[event.order] and 1 or 0)
        sent[event.order] = true
      end
    end
  end
  return again
end

local function notices(stage, children)
  local told = 0
  for _, child in ipairs(children) do
    for _, event in ipairs(stage:events(child)) do
      told = told + (event.notice == "forgotten" and 1 or 0)
    end
  end
  return told
end

local function finish(stage, children)
  for _, child in ipairs(children) do
    stage:signal(child, 15)
  end
  stage:join(children, LONGEST)
end

local function put_back(report, name, each)
  local stage = stages.new { postgres = { connections = 40 },
    workers = { lease = LEASE, heartbeat = HEARTBEAT },
    sandbox = { seconds = 1.5, queued_seconds = 0.2, link_seconds = 36000,
      memory = "64m", poll_interval = INTERVAL,
      scenario = "create_slow=0.05" } }
  return stages.use(stage, function()
    local children, all = {}, WORKERS * each
    for number = 1, WORKERS do
      enqueue(stage, number, 0, each)
    end
    run(stage, DUMP)
    for number = 1, WORKERS do
      children[number] = start(stage, number)
    end
    await(stage, accepted, math.floor(all / 2))
    stage:signal(children[1], SIGSTOP)
    ways[name](stage)
    stage:wait(LEASE + 1, function() return false end)
    stage:signal(children[1], SIGCONT)
    await(stage, done, all)
    finish(stage, children)
    local found = stage:compare()
    report:print("restore_" .. name .. "_orders", ordered(stage), "orders",
      "<= " .. all)
    report:print("restore_" .. name .. "_sent_again",
      sent_again(stage, children), "orders", "<= 0")
    report:print("restore_" .. name .. "_written_back",
      notices(stage, children), "orders", ">= 1")
    report:print_none("restore_" .. name .. "_", found, { "lost", "double",
      "broken", "unfinished" }, "orders")
  end)
end

local TASKS = "SELECT order_key, base_url, state, task_id, late_tasks, path"
  .. " FROM starvideos_orders"

-- A worker for each of two sandboxes, with its orders, of which every other one fails.
local function order_at(stage, boxes, first, last)
  local children = {}
  for number, box in ipairs(boxes) do
    local list = {}
    for index = first, last do
      local key = ("p%d-%05d"):format(number, index)
      list[#list + 1] = { key = key, path = key .. ".mp4", model = "videos",
        duration = 4, prompt = key .. ((index + number) % 2 == 0
          and " [scenario:failed]" or "") }
    end
    local client = { api_key = box.key, base_url = box.base_url }
    local planner = stage:client(client)
    assert(planner:enqueue(list))
    planner:close()
    children[number] = stage:start_worker(stage:write_settings({
      client = stage:client_options(client), policies = POLICIES,
      work = { directory = stage.folder .. "/videos", interval = INTERVAL,
        max_interval = 2 * INTERVAL, claims = 1, failures = false },
    }, ("provider-%d-%d"):format(number, first)))
  end
  return stage:join(children, LONGEST)
end

-- How many tasks of two orders have equal ids, and how many orders are wrong.
local function compare_ids(stage)
  local ids, equal, wrong = {}, 0, 0
  for _, row in ipairs(assert(stage:database():rows(TASKS))) do
    local number, index = row.order_key:match "p(%d)%-(%d+)"
    local state = (number + index) % 2 == 0 and "failed" or "downloaded"
    local is_own = row.path:find(row.order_key, 1, true) ~= nil
    wrong = wrong + (row.state == state and is_own and not row.late_tasks
      and 0 or 1)
    equal = equal + (ids[row.task_id] and 1 or 0)
    ids[row.task_id] = true
  end
  return equal, wrong
end

-- Two sandboxes give the same ids where both make the same number of task in the same
-- second: they order until that was so.
local function equal_ids(report, orders)
  local options = { seconds = 0.5, queued_seconds = 0.1, link_seconds = 36000,
    memory = "64m", poll_interval = INTERVAL }
  local stage = stages.new { postgres = { connections = 40 },
    sandbox = options }
  local other = assert(require("starvideos.sandbox.nginx").start(options))
  return stages.use(stage, function()
    local failed, ordered_before, equal, wrong = 0, 0
    repeat
      failed = failed + order_at(stage, { stage.sandbox, other }, ordered_before + 1,
        ordered_before + orders)
      ordered_before = ordered_before + orders
      equal, wrong = compare_ids(stage)
    until equal > 0 or failed > 0 or ordered_before >= 20 * orders
    other:stop()
    report:print("ids_failed", failed, "workers", "<= 0")
    report:print("ids_equal", equal, "tasks", ">= 1")
    report:print("ids_wrong", wrong, "orders", "<= 0")
  end)
end

function _M.run(report, sizes)
  local began = core.now()
  put_back(report, "restored", sizes.restored)
  put_back(report, "edited", sizes.restored)
  equal_ids(report, sizes.restored)
  report:print("restore_seconds", core.now() - began, "s")
end

return _M
