-- A queue whose orders all end badly, or whose disk is full, stops in time; and where callers
-- share one, the backlog of one holds up no other.

local shell = require "starvideos.nginx.shell"
local stages = require "spec.fleet.stage"

local _M = {}

local WORKERS, ORDERS, LONGEST = 3, 60, 60

-- Five for each worker that are on their way, and those that are sent until the fifth in a
-- row has ended.
local MOST = 5 + 5 * WORKERS

local BAD = { "create_502", "create_html", "create_401", "create_402" }

local BACKLOG, CLAIMS = 60, 8

local SAVED, WAITING, RESTARTS = 6, 25, 5

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

-- Mounts need rights that not everybody has.
local MOUNT = "mount -t tmpfs -o size=30m tmpfs @folder@ 2>&-"
local FILL = "dd if=/dev/zero of=@folder@/filler bs=64k 2>&-; test -s @folder@/filler"

local function on_small_disk(report, stage, folder)
  local settings = stage:write_settings { client = stage:client_options(),
    work = { directory = folder, interval = 0.2, max_interval = 0.4 } }
  local function work()
    return stage:join({ stage:start_worker(settings) }, LONGEST)
  end
  enqueue(stage, SAVED, "saved")
  report:print("disk_saved_failed", work(), "workers", "<= 0")
  assert(shell.run(shell.fill(FILL, { folder = folder })))
  enqueue(stage, WAITING, "waiting")
  for _ = 1, RESTARTS do
    work()
  end
  report:print("disk_full_bought", stage:record().creates - SAVED, "orders", "<= 0")
  assert(shell.run(shell.fill("rm @folder@/filler", { folder = folder })))
  report:print("disk_freed_failed", work(), "workers", "<= 0")
  report:print_none("disk_", stage:compare(), { "lost", "double", "unfinished" }, "orders")
end

-- What is restarted on a full disk buys nothing.
local function full_disk(report)
  local stage = stages.new { sandbox = { seconds = 0.5 } }
  stages.use(stage, function()
    local folder = stage.folder .. "/videos"
    if not shell.run(shell.fill(MOUNT, { folder = folder })) then
      return io.stderr:write "no right to mount a small disk: none was filled\n"
    end
    local ok, why = pcall(on_small_disk, report, stage, folder)
    shell.run(shell.fill("umount @folder@", { folder = folder }))
    assert(ok, why)
  end)
end

function _M.run(report)
  full_disk(report)
  for _, scenario in ipairs(BAD) do
    stop_in_time(report, scenario)
  end
  take_turns(report)
end

return _M
