-- Workers on PostgreSQL are killed, or stopped until their leases are over and
-- then continued: nothing is lost or bought twice, others take over in time, and
-- PostgreSQL itself has seen no change of what was another's.

local core = require "starvideos.core"
local stages = require "spec.fleet.stage"
local witness = require "spec.fleet.witness"

local _M = {}

local SIGKILL, SIGSTOP, SIGCONT = 9, 19, 18

local WORKERS = 6

-- In the place of 60 s, 15 s and 120 s.
local LEASE, HEARTBEAT = 4, 1

-- 120 seconds as the lease is scaled, and what is not: a server ends the
-- transaction of a process that was stopped in it after 5 seconds.
local TAKEOVER = 8 + 5

-- Of all ends, so many are stops; they last longer than the lease.
local STOPS, STOPPED_SECONDS = 0.15, LEASE + 1.5

-- Between two ends; a worker needs a moment to come to its work.
local PAUSE = 0.25

-- So many orders are in the queue at least, so that there is work to the last.
local LEAST, PAGE = 60, 120

-- The last run, undisturbed: no longer than the lease of an order.
local LAST_SECONDS = 150

local INTERVAL, CLAIMS = 0.15, 6

local POLICIES = {
  ["starvideos.fleet.work"] = { look = 0.3, look_longest = 0.6 },
  ["starvideos.fleet.claimed_order"] = { later = 1, later_longest = 2,
    in_a_row = 1e9 },
  ["starvideos.fleet.worker"] = { retry = 0.2, look = 0.1 },
}

-- What happens to some of the orders, by the last digits of their numbers.
local MISHAPS, CYCLE = {
  [3] = "failed", [5] = "media_truncated", [9] = "create_refused",
  [16] = "create_project_id", [19] = "link_expired",
  -- Whoever is stopped then has much to write when it wakes.
  [1] = "media_slow=2", [7] = "media_slow=4", [12] = "media_slow=6",
  [22] = "media_slow=3", [25] = "media_slow=5", [30] = "media_slow=4",
}, 40

local function order_of(number)
  local key = ("scene-%05d"):format(number)
  local mishap = MISHAPS[number % CYCLE]
  return { key = key, path = key .. ".mp4", model = "videos", duration = 4,
    prompt = key .. (mishap and " [scenario:" .. mishap .. "]" or "") }
end

local Kills = {}
Kills.__index = Kills

local function start_one(self, place)
  -- Some die as on another machine, of which nobody sees the processes.
  local apart = self.can_be_apart and math.random() < 0.4
  self.workers[place] = self.stage:start_worker(self.settings, apart)
end

-- Those that ended are replaced; that is right where they were killed or fenced.
local function replace(self)
  for place = 1, WORKERS do
    local child = self.workers[place]
    if not child or self.stage:ended(child) then
      if child and not self.killed[child.name] then
        self.crashed = self.crashed + 1
        self.stage:show(child)
      end
      start_one(self, place)
    end
  end
end

local function continue(self)
  for index = #self.stopped, 1, -1 do
    local entry = self.stopped[index]
    if core.now() >= entry.until_then then
      self.stage:signal(entry.child, SIGCONT)
      table.remove(self.stopped, index)
    end
  end
end

local function is_stopped(self, child)
  for _, entry in ipairs(self.stopped) do
    if entry.child == child then
      return true
    end
  end
  return false
end

local function note_end(self, child, at)
  local list = self.ends[child.name] or {}
  self.ends[child.name] = list
  list[#list + 1] = at
end

local QUEUED = "SELECT COUNT(*) AS count FROM starvideos_orders"
  .. " WHERE state = 'queued' AND queued_at IS NOT NULL"

local function refill(self)
  local rows = assert(self.stage:database():rows(QUEUED))
  if tonumber(rows[1].count) < LEAST then
    local first = self.orders
    self.stage:enqueue(PAGE, function(number)
      return order_of(first + number)
    end)
    self.orders = first + PAGE
  end
end

local function kill(self, child, at)
  local was_there = self.stage:signal(child, SIGKILL)
  if was_there then
    self.killed[child.name] = at
    note_end(self, child, at)
  end
  return was_there
end

local function end_one(self)
  local child = self.workers[math.random(WORKERS)]
  if is_stopped(self, child) or self.stage:ended(child) then
    return
  end
  local at = witness.now(self.stage:database())
  if math.random() < STOPS and #self.stopped < WORKERS / 2 then
    if self.stage:signal(child, SIGSTOP) then
      self.stops = self.stops + 1
      self.stopped[#self.stopped + 1] = { child = child,
        until_then = core.now() + STOPPED_SECONDS }
      note_end(self, child, at)
    end
  elseif kill(self, child, at) then
    self.kills = self.kills + 1
  end
end

local function torture(self, count)
  while self.kills + self.stops < count do
    refill(self)
    replace(self)
    continue(self)
    self.stage:wait(PAUSE * 2 * math.random(), function() return false end)
    end_one(self)
  end
  while self.stopped[1] do
    continue(self)
    self.stage:wait(0.1, function() return false end)
  end
end

-- All are killed; a few come to their end undisturbed.
local function finish(self)
  for place = 1, WORKERS do
    kill(self, self.workers[place], witness.now(self.stage:database()))
  end
  self.stage:join(self.workers, LAST_SECONDS)
  local children = {}
  for place = 1, 2 do
    children[place] = self.stage:start_worker(self.last_settings)
  end
  return self.stage:join(children, LAST_SECONDS)
end

-- When the process of a worker had ended, or stood still, before others buried
-- it.
local function end_of(self, worker)
  local ended
  for _, at in ipairs(worker and worker.buried_by ~= worker.who
    and self.ends[worker.who] or {}) do
    ended = at < tonumber(worker.gone) and at or ended
  end
  return ended
end

local function show_slow(row, worker, ended)
  io.stderr:write(("%s of %s: ended %.3f, freed %.3f by %s, taken %s\n")
    :format(row.order_id, worker.who, ended, tonumber(row.freed),
      worker.buried_by, tostring(row.taken)))
end

-- Seconds from the end of a worker to the moment when its orders were free, and
-- to that when another had them.
local function takeovers(self)
  local database = self.stage:database()
  local workers, freed, taken, count = witness.workers(database), 0, 0, 0
  for _, row in ipairs(witness.taken(database)) do
    local ended = end_of(self, workers[row.worker_id])
    if ended then
      count = count + 1
      if (tonumber(row.taken) or math.huge) - ended > TAKEOVER then
        show_slow(row, workers[row.worker_id], ended)
      end
      freed = math.max(freed, tonumber(row.freed) - ended)
      taken = math.max(taken, (tonumber(row.taken) or math.huge) - ended)
    end
  end
  return freed, taken, count
end

local function count_fenced(self)
  local fenced = 0
  for number = 1, self.stage.count do
    for _, event in ipairs(self.stage:events {
      name = "worker-" .. number }) do
      fenced = fenced + (event.name == "worker" and event.state == "fenced"
        and 1 or 0)
    end
  end
  return fenced
end

local function show(rows)
  for index = 1, math.min(#rows, 10) do
    local words = {}
    for name, value in pairs(rows[index]) do
      words[#words + 1] = name .. "=" .. tostring(value)
    end
    table.sort(words)
    io.stderr:write(table.concat(words, " "), "\n")
  end
  return #rows
end

local function report_on(self, report, count)
  local stage = self.stage
  local found, database = stage:compare(), stage:database()
  report:print("kills", self.kills + self.stops, "kills and stops",
    ">= " .. count)
  report:print("kills_stops", self.stops, "stops")
  report:print("kills_crashed", self.crashed, "workers", "<= 0")
  for _, name in ipairs { "orders", "billed", "downloaded", "unknown" } do
    report:print("kills_" .. name, found[name], "orders")
  end
  report:print_none("kills_", found, { "lost", "double", "broken",
    "unfinished" }, "orders")
  local freed, taken, count_taken = takeovers(self)
  report:print("kills_taken_over", count_taken, "orders")
  report:print("kills_freed", freed, "s")
  report:print("kills_takeover", taken, "s", "<= " .. TAKEOVER)
  report:print("kills_foreign_writes", show(
    witness.foreign(stage:database())),
    "changes", "<= 0")
  report:print("kills_claims_of_the_dead", show(witness.undead(database)),
    "changes", "<= 0")
  report:print("kills_fenced", count_fenced(self), "workers")
end

-- A namespace of processes needs rights that not everybody has.
local function can_be_apart(sizes)
  return sizes.apart and os.execute("unshare --pid --fork --mount-proc"
    .. " true 2>&-") == true
end

local function settings_of(stage, follow)
  return stage:write_settings({
    client = stage:client_options { timeout = 2 }, policies = POLICIES,
    work = { directory = stage.folder .. "/videos", interval = INTERVAL,
      max_interval = 2 * INTERVAL, claims = CLAIMS, follow = follow },
  }, follow and "follow" or "last")
end

function _M.run(report, sizes)
  local stage = stages.new { postgres = { connections = 60 },
    workers = { lease = LEASE, heartbeat = HEARTBEAT },
    sandbox = { seconds = 0.8, queued_seconds = 0.1, link_seconds = 36000,
      memory = "256m", poll_interval = INTERVAL,
      scenario = "create_slow=0.03,query_slow=0.01,media_slow=0.05" } }
  return stages.use(stage, function()
    stage:enqueue(PAGE, order_of)
    witness.begin(stage:database())
    local self = setmetatable({ stage = stage, orders = PAGE,
      settings = settings_of(stage, true),
      last_settings = settings_of(stage, false),
      workers = {}, stopped = {}, ends = {}, killed = {}, kills = 0, stops = 0,
      crashed = 0, can_be_apart = can_be_apart(sizes) }, Kills)
    torture(self, sizes.kills)
    report:print("kills_last_run_failed", finish(self), "workers", "<= 0")
    report_on(self, report, sizes.kills)
  end)
end

return _M
