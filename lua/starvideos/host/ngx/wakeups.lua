-- What the light threads of one nginx worker share: the engine's networks and the
-- ledger's actors, and one timer's context that wakes the threads that wait for them,
-- cancels what killed threads have left, and runs what must not be killed.
--
-- A source is the outbox of a network or of an actor, which number what is under way
-- and tell which numbers have ended, and the waiters of those numbers.

local waiters = require "starvideos.host.ngx.waiter"

local _M = {}

-- When a pump ends. The memory of its light threads is freed only then, and its read
-- must not time out: so after many threads or a long life another takes its place. Nor
-- does it stay if nothing is to be done: with the code cache off, each request has one.
_M.limits = { threads = 1000, life = 3600, idle = 2 }

-- What 31 bits of milliseconds hold.
local READ_TIMEOUT_MS = 2 ^ 31 - 1
-- nginx runs a limited number of timers at a time; one that it has not run by
-- now it never will.
local START_SECONDS = 1
-- Between looks for killed threads, at the end of the worker, and for ended numbers if
-- no socket tells of them.
local LOOK, LOOK_AT_END, LOOK_UNTOLD = 1, 0.05, 0.02

-- Of this worker, by what makes two of them differ.
local sources = {}
-- What is to be run in the pump, and the groups whose parents wait for them.
local jobs, groups = {}, setmetatable({}, { __mode = "k" })
local current

local function now()
  return require("starvideos.core").now()
end

local function drain(source)
  local outbox, waiting = source.outbox, source.waiting
  outbox:clear()
  local number = outbox:take()
  while number do
    local waiter = waiting[number]
    waiting[number] = nil
    if waiter then
      waiter:wake()
    end
    number = outbox:take()
  end
end

local function connect(outbox)
  local path, why = outbox:listen()
  if not path then
    return nil, why
  end
  local socket = ngx.socket.tcp()
  socket:settimeout(READ_TIMEOUT_MS)
  local ok
  ok, why = socket:connect("unix:" .. path)
  if ok then
    ok, why = outbox:accept()
  end
  if not ok then
    socket:close()
    return nil, why
  end
  return socket
end

local function listen(pump, source)
  local socket, why = connect(source.outbox)
  if not socket then
    source.silent_in = pump
    ngx.log(ngx.WARN, "starvideos: no socket to the engine: ", why,
      "; nothing is lost, but answers are looked for every ", LOOK_UNTOLD, " s")
    return
  end
  repeat
    drain(source)
  until not socket:receive(1)
  socket:close()
end

-- `threads`, a table of the pump's, has what the thread is for.
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
local function wait_for_ended(pump)
  local ended = pump.ended
  pump.ended = {}
  for _, thread in ipairs(ended) do
    ngx.thread.wait(thread)
    local source = pump.listeners[thread]
    if source then
      source.has_listener = false
    end
    pump.listeners[thread], pump.jobs[thread] = nil, nil
  end
end

local function listen_to_all(pump)
  for _, source in pairs(sources) do
    if source.silent_in == pump or source.outbox:ready() then
      drain(source)
    elseif not source.has_listener then
      source.has_listener = true
      spawn(pump, pump.listeners, source, listen, pump, source)
    end
  end
end

local function run_job(job)
  job.ok, job.raised = pcall(job.body, job.argument)
  job.done = true
  if job.lost and job.waiter:has_ended() then
    local note = job.lost(job.argument)
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

-- Cancels what killed threads have left, and at the end of the worker all that may be
-- cancelled: a thread that was killed in a listener of its caller's still seems to
-- wait.
local function cancel_abandoned(source)
  local exiting = ngx.worker.exiting()
  for number, waiter in pairs(source.waiting) do
    local ended = waiter:has_ended()
    if ended then
      source.waiting[number] = nil
    end
    if (ended or exiting) and not waiter.finish then
      waiter.ticket:cancel()
    end
  end
end

-- Threads outlive a parent that was killed: they are woken to see it.
local function wake_orphans()
  local found = false
  for group in pairs(groups) do
    if group.waiter:has_ended() then
      groups[group], group.orphaned, found = nil, true, true
    end
  end
  if found then
    waiters.wake_all()
  end
end

local function is_needed()
  for _, source in pairs(sources) do
    if source.outbox:in_flight() > 0 then
      return true
    end
  end
  return jobs[1] ~= nil or next(groups) ~= nil
end

-- Seconds until the next look at everything; nil if the pump is to end.
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
  for _, source in pairs(sources) do
    if source.silent_in == pump then
      return LOOK_UNTOLD
    end
  end
  return LOOK
end

local function turn(pump)
  wait_for_ended(pump)
  begin_jobs(pump)
  listen_to_all(pump)
  for _, source in pairs(sources) do
    cancel_abandoned(source)
  end
  wake_orphans()
end

local start

-- Lets go of the sources, so that the next pump can listen to them.
local function release(pump)
  for thread, source in pairs(pump.listeners) do
    ngx.thread.kill(thread)
    source.has_listener = false
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
  wait_for_ended(pump)
  release(pump)
  if is_needed() then
    start()
    waiters.wake_all() -- until the next one runs each must look for itself
  end
  while next(pump.jobs) do
    pump.bell:wait(LOOK)
    wait_for_ended(pump)
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
    release(pump)
    waiters.wake_all() -- from now on each must look for itself
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

-- Whether a pump wakes those that wait; else each must look for itself.
function _M.is_running()
  return current ~= nil and current.running == true
end

-- Have a pump running, and look at what is new: false if there is none.
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

-- The source of this worker for requests and jobs on the disk.
function _M.source(ca_file, max_in_flight)
  local name = ("%s\0%s"):format(ca_file or "", max_in_flight or "")
  sources[name] = sources[name] or {
    outbox = require("starvideos.curl").network {
      ca_file = ca_file,
      max_in_flight = max_in_flight,
    },
    waiting = {},
  }
  return sources[name]
end

-- The source for the messages of an actor, which has the methods of an outbox.
function _M.source_of(actor)
  sources[actor] = sources[actor] or { outbox = actor, waiting = {} }
  return sources[actor]
end

-- Have a waiter woken when a number of a source has ended. The `ticket` of the waiter
-- is cancelled if its thread is killed, but not with `finish`.
function _M.expect(source, number, waiter)
  source.waiting[number] = waiter
  if current then
    current.idle_since = nil
  end
  if not source.has_listener or not _M.is_running() then
    _M.ensure()
  end
end

_M.drain = drain

-- nginx has never run the timer of the pump.
local function run_here(job)
  for index, other in ipairs(jobs) do
    if other == job then
      table.remove(jobs, index)
    end
  end
  run_job(job)
end

-- Runs a job for the thread of `waiter`, see `shield` of the runtime: whether the body
-- returned, and what it raised.
function _M.run(body, lost, waiter, argument)
  local job = { body = body, lost = lost, waiter = waiter, argument = argument }
  jobs[#jobs + 1] = job
  local there = _M.ensure()
  while not job.done do
    if there then
      waiter:wait(START_SECONDS)
      there = job.begun or _M.is_running()
    else
      run_here(job)
    end
  end
  return job.ok, job.raised
end

-- If the parent of the group is killed, the group is `orphaned`.
function _M.watch(group)
  groups[group] = true
  _M.ensure()
end

function _M.forget(group)
  groups[group] = nil
end

return _M
