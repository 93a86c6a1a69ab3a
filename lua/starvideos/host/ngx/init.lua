-- The runtime of nginx: a call waits in its light thread, and the worker serves others
-- meanwhile. Threads of the engine do the network and the disk. What the methods of a
-- runtime promise stands in `docs/contracts.md`.

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local wakeups = require "starvideos.host.ngx.wakeups"
local schedulers = require "starvideos.host.scheduler"
local waiters = require "starvideos.host.ngx.waiter"

local _M = {}

local Ngx = {}
Ngx.__index = Ngx

local PROGRESS_SECONDS = 0.1
-- Between looks at a request if no pump runs that would tell of its end.
local UNTOLD_SECONDS = 0.25
local LONG_SECONDS = 3600

-- The phases in which a light thread may wait. nginx lets it wait in a TLS handshake,
-- too, but not for minutes.
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

-- Weak on both sides: a group knows its threads.
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

-- A light thread runs one function after the other: nginx frees the memory of a thread
-- only at the end of the request.
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

-- Raises in a phase that cannot wait, and where Lua lets no light thread wait.
function Ngx:check(call) -- luacheck: no self
  local phase = ngx.get_phase()
  if not WAITS[phase] then
    errors.misuse(("%s cannot wait in nginx's phase %s: %s"):format(call,
      tostring(phase), ADVICE[phase] or IN_A_TIMER))
  end
  schedulers.check(call)
end

function Ngx:now()
  return self.clock()
end

-- Why the running thread is not to wait any more; nil if it may.
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

function Ngx.waiter()
  return waiters.new()
end

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

function Ngx:wake(waiter) -- luacheck: no self
  waiter:wake()
end

function Ngx:has_ended(waiter) -- luacheck: no self
  return waiter:has_ended()
end

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

-- The listeners of the request are called in the light thread that waits. With
-- `finish`, the end of the worker waits for the answer.
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

function Ngx:disk_later(name, ...)
  if self.transport then
    core.disk(name, ...)
  else
    network_of(self):disk(name, ...)
  end
end

-- Of this worker, by name: one thread for all clients that ask for the same.
local actors = {}

function Ngx:actor(name, make) -- luacheck: no self
  actors[name] = actors[name] or make()
  return actors[name]
end

local function reason_to_abandon(self, group, patience, left)
  return not patience.finish and reason_to_end(self, group) and "cancelled"
    or left <= 0 and "timeout" or nil
end

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

-- Runs a function to its end, also if the calling light thread is killed or its request
-- is aborted: in a thread that belongs to no request, and so may not need one. `lost`
-- is called after it if the caller was killed, and may return a sentence for the error
-- log. `argument` is handed to both: a closure would see the stack slots of a killed
-- caller, which nginx reuses.
function Ngx:shield(body, lost, argument) -- luacheck: no self
  local waiter = waiters.new()
  local ok, raised = wakeups.run(body, lost, waiter, argument)
  waiter:leave()
  if not ok then
    error(raised, 0)
  end
end

function Ngx:gather(functions) -- luacheck: no self
  new_group(functions):run()
end

-- What others of the worker use stays.
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

-- Clients of a worker with the same `ca_file` and `max_in_flight` share an engine,
-- which starts with the first request.
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
