--- What the light threads of one nginx worker share: the engine's drivers, and
-- one timer's context that wakes who waits for them, looks after what killed
-- threads have left, and runs what must not be killed.
-- @module starvideos.runtime.ngx.pump

local waiters = require "starvideos.runtime.ngx.waiter"

local _M = {}

--- When a pump ends. A timer's context gets back the memory of its light
-- threads only then, and its read must not time out: so one makes room for the
-- next after many threads or a long life. And it does not stay where there is
-- nothing to do: where the code cache is off, each request has one.
_M.limits = { threads = 1000, life = 3600, idle = 2 }

-- What 31 bits of milliseconds hold.
local READ_TIMEOUT_MS = 2 ^ 31 - 1
-- nginx runs no more than so many timers at a time; one that it has not run
-- by now it never will.
local START_SECONDS = 1
-- Between looks for killed threads, at the end of the worker, and where no
-- socket tells that a request has ended.
local LOOK, LOOK_AT_END, LOOK_UNTOLD = 1, 0.05, 0.02

-- Of this worker, by what makes two of them differ.
local mailboxes = {}
-- What is to be run in the pump, and which sets of threads have a parent that
-- waits for them.
local jobs, sets = {}, setmetatable({}, { __mode = "k" })
local current

local function now()
  return require("starvideos.core").now()
end

local function drain(mailbox)
  local driver, waiting = mailbox.driver, mailbox.waiting
  driver:clear()
  local number = driver:take()
  while number do
    local waiter = waiting[number]
    waiting[number] = nil
    if waiter then
      waiter:wake()
    end
    number = driver:take()
  end
end

local function connect(driver)
  local path, why = driver:listen()
  if not path then
    return nil, why
  end
  local socket = ngx.socket.tcp()
  socket:settimeout(READ_TIMEOUT_MS)
  local ok
  ok, why = socket:connect("unix:" .. path)
  if ok then
    ok, why = driver:accept()
  end
  if not ok then
    socket:close()
    return nil, why
  end
  return socket
end

-- A light thread that hears from one driver.
local function listen(pump, mailbox)
  local socket, why = connect(mailbox.driver)
  if not socket then
    mailbox.untold_in = pump
    ngx.log(ngx.WARN, "starvideos: no socket to the engine: ", why,
      "; looking at it instead")
    return
  end
  repeat
    drain(mailbox)
  until not socket:receive(1)
  socket:close()
end

-- What it is for is noted in a table of the pump's.
local function spawn(pump, threads, purpose, body, ...)
  pump.spawned = pump.spawned + 1
  local thread = ngx.thread.spawn(function(...)
    local ok, raised = pcall(body, ...)
    if not ok then
      ngx.log(ngx.ERR, "starvideos: ", tostring(raised))
    end
    pump.ended[#pump.ended + 1] = coroutine.running()
    pump.bell:wake()
  end, ...)
  threads[thread] = purpose
end

-- nginx keeps an ended thread until its parent has waited for it.
local function reap(pump)
  local ended = pump.ended
  pump.ended = {}
  for _, thread in ipairs(ended) do
    ngx.thread.wait(thread)
    local mailbox = pump.listeners[thread]
    if mailbox then
      mailbox.is_heard = false
    end
    pump.listeners[thread], pump.jobs[thread] = nil, nil
  end
end

local function hear(pump)
  for _, mailbox in pairs(mailboxes) do
    if mailbox.untold_in == pump then
      drain(mailbox)
    elseif not mailbox.is_heard then
      mailbox.is_heard = true
      spawn(pump, pump.listeners, mailbox, listen, pump, mailbox)
    end
  end
end

local function run_job(job)
  job.ok, job.raised = pcall(job.body)
  job.done = true
  if job.lost and job.waiter:is_gone() then
    local note = job.lost()
    if note then
      ngx.log(ngx.WARN, "starvideos: ", note)
    end
  end
  job.waiter:wake()
end

local function begin_jobs(pump)
  while jobs[1] do
    local job = table.remove(jobs, 1)
    job.begun = true
    spawn(pump, pump.jobs, job, run_job, job)
  end
end

-- Ends what killed threads have left, and at the end of the worker all that
-- may be ended: a thread that was killed in a listener of its own still seems
-- to be there.
local function clear(mailbox)
  local exiting = ngx.worker.exiting()
  for number, waiter in pairs(mailbox.waiting) do
    local gone = waiter:is_gone()
    if gone then
      mailbox.waiting[number] = nil
    end
    if (gone or exiting) and not waiter.finish then
      waiter.ticket:cancel()
    end
  end
end

-- Threads outlive the parent that was killed: they are told.
local function end_orphans()
  local found = false
  for set in pairs(sets) do
    if set.waiter:is_gone() then
      sets[set], set.orphaned, found = nil, true, true
    end
  end
  if found then
    waiters.wake_all()
  end
end

local function is_needed()
  for _, mailbox in pairs(mailboxes) do
    if mailbox.driver:in_flight() > 0 then
      return true
    end
  end
  return jobs[1] ~= nil or next(sets) ~= nil
end

-- Seconds until the next look at all; nil where the pump has come to its end.
local function pause_of(pump)
  local time, limits = now(), _M.limits
  if not next(pump.jobs) and not is_needed() then
    pump.idle_since = pump.idle_since or time
    local left = pump.idle_since + limits.idle - time
    return not ngx.worker.exiting() and left > 0 and math.min(left, LOOK)
      or nil
  end
  pump.idle_since = nil
  if pump.spawned > limits.threads or time > pump.began + limits.life then
    return nil
  elseif ngx.worker.exiting() then
    return LOOK_AT_END
  end
  for _, mailbox in pairs(mailboxes) do
    if mailbox.untold_in == pump then
      return LOOK_UNTOLD
    end
  end
  return LOOK
end

local function turn(pump)
  reap(pump)
  begin_jobs(pump)
  hear(pump)
  for _, mailbox in pairs(mailboxes) do
    clear(mailbox)
  end
  end_orphans()
end

local start

-- Lets go of the drivers, so that the next pump can hear them.
local function let_go(pump)
  for thread, mailbox in pairs(pump.listeners) do
    ngx.thread.kill(thread)
    mailbox.is_heard = false
  end
  current = nil
end

local function serve(pump)
  local pause
  repeat
    turn(pump)
    pause = pause_of(pump)
    if pause then
      pump.bell:wait(pause)
    end
  until not pause
  reap(pump)
  let_go(pump)
  if is_needed() then
    start()
  end
  while next(pump.jobs) do
    pump.bell:wait(LOOK)
    reap(pump)
  end
end

local function run(_, pump)
  if current ~= pump then
    return
  end
  pump.running = true
  local ok, raised = pcall(serve, pump)
  pump.bell:leave()
  if not ok then
    ngx.log(ngx.ERR, "starvideos: ", tostring(raised))
    let_go(pump)
    waiters.wake_all() -- for from now on each must look himself
  end
end

function start()
  local pump = { began = now(), spawned = 0, ended = {}, jobs = {},
    listeners = {} }
  if waiters.start_timer(0, run, pump) then
    pump.bell = waiters.new()
    current = pump
  end
end

--- Whether somebody is there to wake who waits; else each must look himself.
-- @treturn boolean
function _M.is_running()
  return current ~= nil and current.running == true
end

--- Have the pump running, and look at what is new.
-- @treturn boolean whether there is one
function _M.ensure()
  local pump = current
  if not pump or not pump.running and now() > pump.began + START_SECONDS then
    current = nil
    start()
  else
    pump.bell:wake()
  end
  return current ~= nil
end

--- The driver of this worker for what was asked for, and who waits for it.
-- @tparam ?string ca_file
-- @tparam ?number max_in_flight
-- @treturn table mailbox with `driver`, and `waiting`: waiters by number
function _M.mailbox(ca_file, max_in_flight)
  local name = ("%s\0%s"):format(ca_file or "", max_in_flight or "")
  mailboxes[name] = mailboxes[name] or {
    driver = require("starvideos.curl").driver {
      ca_file = ca_file,
      max_in_flight = max_in_flight,
    },
    waiting = {},
  }
  return mailboxes[name]
end

--- The same for a actor of `starvideos.core`, by which it is known from now on.
-- @tparam table actor
-- @treturn table mailbox
function _M.mailbox_of(actor)
  mailboxes[actor] = mailboxes[actor] or { driver = actor, waiting = {} }
  return mailboxes[actor]
end

--- Have a waiter woken when a ticket has ended.
-- @tparam table mailbox
-- @tparam number number of the ticket
-- @tparam table waiter with `ticket`, and `finish` where the death of the
--   thread is not to cancel it
function _M.expect(mailbox, number, waiter)
  mailbox.waiting[number] = waiter
  if current then
    current.idle_since = nil
  end
  if not mailbox.is_heard or not _M.is_running() then
    _M.ensure()
  end
end

_M.drain = drain

-- A timer that nginx never ran leaves its jobs to those who asked.
local function withdraw(job)
  for index, other in ipairs(jobs) do
    if other == job then
      table.remove(jobs, index)
    end
  end
  run_job(job)
end

--- Run a function to its end, whatever becomes of the thread that waits for
-- it.
-- @tparam function body
-- @tparam ?function lost called after it where that thread is gone; may return
--   a sentence for the error log
-- @tparam table waiter of that thread
-- @treturn boolean
-- @return what it raised
function _M.run(body, lost, waiter)
  local job = { body = body, lost = lost, waiter = waiter }
  jobs[#jobs + 1] = job
  local there = _M.ensure()
  while not job.done do
    if there then
      waiter:wait(START_SECONDS)
      there = job.begun or _M.is_running()
    else
      withdraw(job)
    end
  end
  return job.ok, job.raised
end

--- Look after a set of threads: where its parent is killed, it is `orphaned`.
-- @tparam table set with the parent's `waiter`
function _M.watch(set)
  sets[set] = true
  _M.ensure()
end

--- The parent is done.
-- @tparam table set
function _M.forget(set)
  sets[set] = nil
end

return _M
