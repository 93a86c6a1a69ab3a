--- The runtime of nginx: a call waits in its light thread, and the worker
-- serves others meanwhile. Threads of the engine do the network and the disk.
-- @module starvideos.host.ngx

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local wakeups = require "starvideos.host.ngx.wakeups"
local schedulers = require "starvideos.host.scheduler"
local waiters = require "starvideos.host.ngx.waiter"

local _M = {}

local Ngx = {}
Ngx.__index = Ngx

-- Between two reports of progress.
local PROGRESS_SECONDS = 0.1
-- Between looks at a request where no pump runs that would tell of its end.
local UNTOLD_SECONDS = 0.25
local LONG_SECONDS = 3600

-- The phases in which a light thread may wait. nginx lets it wait in a TLS
-- handshake too, but not for minutes.
local WAITS = { server_rewrite = true, rewrite = true, access = true,
  content = true, timer = true }

local IN_A_TIMER = "call it inside ngx.timer.at(0, function() ... end)"
local ADVICE = {
  init = "start a timer in init_worker, or make a client with runtime ="
    .. ' "block" for this phase',
  exit_worker = "the worker is exiting; wait for open tasks in the next one",
}

-- Functions that run side by side, each in a light thread of the request.
local Group = {}
Group.__index = Group

-- The group of each light thread. Weak on both sides: a group knows its
-- threads.
local group_of = setmetatable({}, { __mode = "kv" })

local function add(self, body)
  self.last = self.last + 1
  self.bodies[self.last] = body
  self.open = self.open + 1
end

local function take(self)
  local body = self.bodies[self.first]
  if body then
    self.bodies[self.first] = nil
    self.first = self.first + 1
  end
  return body
end

local function run_one(self, body)
  local ok, raised = pcall(body, self.also)
  if not ok and not self.failed then
    self.failed, self.raised = true, raised
  end
  self.open = self.open - 1
  if self.open == 0 or self.failed then
    self.waiter:wake()
  end
end

-- A light thread runs one function after the other: nginx frees the memory of a
-- thread only at the end of the request.
local function work(self)
  local waiter = waiters.new()
  while not self:is_orphaned() do
    local body = take(self)
    if body then
      run_one(self, body)
    else
      self.idle[waiter] = true
      waiter:wait(LONG_SECONDS)
      self.idle[waiter] = nil
    end
  end
  waiter:leave()
end

local function spawn(self)
  self.threads[#self.threads + 1] = ngx.thread.spawn(function()
    group_of[coroutine.running()] = self
    work(self)
  end)
end

-- The group that the running light thread belongs to.
local function running_group()
  return group_of[coroutine.running()]
end

-- Whether the thread that waits for the group was killed, or the one that waits for
-- that thread.
function Group:is_orphaned()
  return self.orphaned or self.parent ~= nil and self.parent:is_orphaned()
end

-- Runs all to their end; raises what one of them raises, and kills the others then.
function Group:run()
  wakeups.watch(self)
  while self.open > 0 and not self.failed do
    if self.bodies[self.first] and not next(self.idle) then
      spawn(self)
    else
      self.waiter:wait(LONG_SECONDS)
    end
  end
  wakeups.forget(self)
  self.waiter:leave()
  for _, thread in ipairs(self.threads) do
    ngx.thread.kill(thread)
  end
  if self.failed then
    error(self.raised, 0)
  end
end

local function new_group(functions)
  local self = setmetatable({
    bodies = {}, first = 1, last = 0, open = 0,
    threads = {}, idle = {}, waiter = waiters.new(), orphaned = false,
    parent = running_group(),
  }, Group)
  for _, body in ipairs(functions) do
    add(self, body)
  end
  function self.also(body)
    add(self, body)
    local waiter = next(self.idle) or self.waiter
    self.idle[waiter] = nil
    waiter:wake()
  end
  return self
end

--- Make sure that the caller can wait here.
-- @tparam string call that is about to wait, for the message
-- @raise in a phase that cannot, and where Lua lets no light thread wait
function Ngx:check(call) -- luacheck: no self
  local phase = ngx.get_phase()
  if not WAITS[phase] then
    errors.misuse(("%s cannot wait in nginx's phase %s: %s"):format(call,
      tostring(phase), ADVICE[phase] or IN_A_TIMER))
  end
  schedulers.check(call)
end

--- Seconds of a clock that only goes forward.
-- @treturn number
function Ngx:now()
  return self.clock()
end

-- Why the running thread is not to wait any more; nil where it may.
local function reason_to_end(self, group)
  return ngx.worker.exiting() and "the worker is exiting"
    or self.closed and "the client was closed"
    or group and group:is_orphaned()
    and "the caller was killed or disconnected" or nil
end

local function sleep_until(self, due, let_pass)
  local group = running_group()
  while true do
    local left = due - self.clock()
    if reason_to_end(self, group) then
      return nil, "cancelled"
    elseif left <= 0 then
      return true
    end
    local ok, why = let_pass(left)
    if ok == nil and why then
      return nil, why
    end
  end
end

--- Let time pass.
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string "cancelled" where the worker is exiting, the client was
--   closed or the caller was killed, or why the caller's own `sleep` ended
function Ngx:sleep(seconds)
  local due = self.clock() + seconds
  if self.pause then
    return sleep_until(self, due, self.pause)
  end
  local waiter = waiters.new()
  local slept, why = sleep_until(self, due, function(left)
    waiter:wait(left)
  end)
  waiter:leave()
  return slept, why
end

--- The running light thread as one that `wake` can wake.
-- @treturn table waiter
function Ngx.waiter()
  return waiters.new()
end

--- Let time pass, until `wake` is called at the latest.
-- @tparam table waiter
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string as of `sleep`
function Ngx:wait(waiter, seconds)
  local group = running_group()
  if reason_to_end(self, group) then
    return nil, "cancelled"
  end
  waiter:wait(seconds)
  if reason_to_end(self, group) then
    return nil, "cancelled"
  end
  return true
end

--- End the wait of a waiter, or its next one.
-- @tparam table waiter
function Ngx:wake(waiter) -- luacheck: no self
  waiter:wake()
end

--- Whether the light thread was killed while it waited.
-- @tparam table waiter
-- @treturn boolean
function Ngx:has_ended(waiter) -- luacheck: no self
  return waiter:has_ended()
end

--- Let go of a waiter: nobody wakes it any more.
-- @tparam table waiter
function Ngx:leave(waiter) -- luacheck: no self
  waiter:leave()
end

local function report(req, ticket)
  local ok, raised = pcall(schedulers.report, req, ticket)
  if not ok then
    ticket:cancel()
    error(raised, 0)
  end
end

-- Waits until a ticket has ended: why it was cancelled, if it was.
local function await_end(self, waiter, req)
  local ticket, group = waiter.ticket, running_group()
  local cancelled
  while not ticket:done() do
    if not cancelled and not req.finish then
      cancelled = reason_to_end(self, group)
      if cancelled then
        ticket:cancel()
      end
    end
    local watched = req.on_progress or req.on_answer
    waiter:wait(watched and PROGRESS_SECONDS
      or wakeups.is_running() and LONG_SECONDS or UNTOLD_SECONDS)
    if watched then
      report(req, ticket)
    end
    if not wakeups.is_running() then
      wakeups.drain(self.source)
    end
  end
  return cancelled
end

local function await(self, ticket, number, req)
  local waiter = waiters.new()
  waiter.ticket, waiter.finish = ticket, req.finish
  wakeups.expect(self.source, number, waiter)
  local cancelled = await_end(self, waiter, req)
  waiter:leave()
  return cancelled
end

local function network_of(self)
  self.source = self.source or wakeups.source(self.ca_file, self.max_in_flight)
  return self.source.outbox
end

-- Runs a transport of the host's in a light thread, which can be killed.
local function send_by_transport(self, req)
  local waiter, group, ended = waiters.new(), running_group(), nil
  local ok, response, failure
  local thread = ngx.thread.spawn(function()
    ok, response, failure = pcall(self.transport, req)
    ended = true
    waiter:wake()
  end)
  local cancelled
  while not ended and not cancelled do
    cancelled = not req.finish and reason_to_end(self, group)
    if not cancelled then
      waiter:wait(LONG_SECONDS)
    end
  end
  waiter:leave()
  if not ended then
    ngx.thread.kill(thread)
    return nil, { reason = "cancelled", message = cancelled }
  end
  ngx.thread.wait(thread)
  if not ok then
    error(response, 0)
  end
  return response, failure
end

--- Send a request and wait for its answer.
-- @tparam table req see `starvideos.host`; its listeners are called in the
--   light thread that waits. With `finish`, the end of the worker waits for the
--   answer
-- @treturn ?table response
-- @treturn ?table failure
function Ngx:request(req)
  local why = not req.finish and reason_to_end(self, running_group())
  if why then
    return schedulers.refused(why)
  elseif self.transport then
    return send_by_transport(self, req)
  end
  local ticket, number = network_of(self):submit(req)
  if not ticket then
    return nil, number
  end
  local cancelled = await(self, ticket, number, req)
  local response, failure = ticket:result(req.guard ~= nil)
  if failure and failure.reason == "cancelled" then
    failure.message = cancelled or reason_to_end(self, running_group())
      or failure.message
  end
  return response, failure
end

--- Have a job on the disk done by the engine's thread.
-- @tparam string name of the job, see `csrc/system/disk_job.h`
-- @param ... its arguments
-- @return its results
function Ngx:disk(name, ...)
  if self.transport then
    return core.disk(name, ...)
  elseif self.closed then
    return require("starvideos.curl").disk(name, ...)
  end
  local ticket, number = network_of(self):disk(name, ...)
  if not ticket then
    return nil, number
  end
  await(self, ticket, number, schedulers.uncancelled)
  return ticket:result()
end

--- The same for a caller that cannot wait.
-- @tparam string name
-- @param ... its arguments
function Ngx:disk_later(name, ...)
  if self.transport then
    core.disk(name, ...)
  else
    network_of(self):disk(name, ...)
  end
end

-- Of this worker, by name: one thread for all clients that ask for the same.
local actors = {}

--- The actor that all clients of this worker share for a name.
-- @tparam string name
-- @tparam function make makes it
-- @treturn table actor
function Ngx:actor(name, make) -- luacheck: no self
  actors[name] = actors[name] or make()
  return actors[name]
end

-- Why a message is not to be waited for any more.
local function reason_to_abandon(self, group, patience, left)
  return not patience.finish and reason_to_end(self, group) and "cancelled"
    or left <= 0 and "timeout" or nil
end

--- Wait for the answer to a message; the worker serves others meanwhile.
-- @tparam table actor of `starvideos.core`
-- @tparam table message
-- @tparam number number of the message
-- @tparam table patience see `starvideos.host`
-- @treturn ?string why it is not waited for any more
function Ngx:await(actor, message, number, patience)
  local source, group = wakeups.source_of(actor), running_group()
  local waiter, why = waiters.new(), nil
  waiter.finish, waiter.ticket = patience.finish, { cancel = function()
    message:give_up()
  end }
  wakeups.expect(source, number, waiter)
  while not message:done() and not why do
    local left = patience.left()
    why = reason_to_abandon(self, group, patience, left)
    if not why then
      waiter:wait(wakeups.is_running() and left or math.min(left, UNTOLD_SECONDS))
    end
    if not wakeups.is_running() then
      wakeups.drain(source)
    end
  end
  source.waiting[number] = nil
  waiter:leave()
  return why
end

--- Run a function to its end, also where the calling light thread is killed or
-- its request is aborted: in a thread that belongs to no request. What the
-- function calls must not need one.
-- @tparam function body
-- @tparam[opt] function lost called after it where the caller was killed; may
--   return a sentence for the error log
-- @param[opt] argument of both: a closure would see the stack slots of a killed
--   caller, which nginx reuses
-- @raise what the body raises
function Ngx:shield(body, lost, argument) -- luacheck: no self
  local waiter = waiters.new()
  local ok, raised = wakeups.run(body, lost, waiter, argument)
  waiter:leave()
  if not ok then
    error(raised, 0)
  end
end

--- Run functions side by side until all have returned.
-- @tparam table functions each is called with `also(fn)`, which adds one
-- @raise what one of them raises; the others are killed then
function Ngx:gather(functions) -- luacheck: no self
  new_group(functions):run()
end

--- Cancel what this client waits for. What others of the worker use stays.
function Ngx:close()
  self.closed = true
  waiters.wake_all()
end

-- Read when the client is made: nginx hides its environment from workers.
local function certificates_of_environment()
  local name = os.getenv "SSL_CERT_FILE"
  return name ~= "" and name or nil
end

local function transport_of(options)
  if options.transport == "resty_http" then
    return require("starvideos.host.resty_http").new(options)
  end
  return options.transport
end

--- Make a runtime.
-- @tparam table options `transport` (a function, or "resty_http"), `clock`,
--   `sleep` (functions), `ca_file`, `max_in_flight` (of the worker: clients
--   with the same two share an engine, which starts with the first request)
-- @treturn table runtime
function _M.new(options)
  local transport = transport_of(options)
  if not transport then
    require "starvideos.curl" -- takes long; better while nginx starts
  end
  return setmetatable({
    transport = transport,
    clock = options.clock or require("starvideos.core").now,
    pause = options.sleep,
    ca_file = options.ca_file or certificates_of_environment(),
    max_in_flight = options.max_in_flight,
  }, Ngx)
end

return _M
