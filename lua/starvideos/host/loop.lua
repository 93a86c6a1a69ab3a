-- The runtimes of loops, `frame` for games and `poll` for event loops: operations run
-- in coroutines and go on when the host calls `update`. Threads of the engine do the
-- network and the disk. For programs that have no loop there is `run`, which updates,
-- and sleeps until something may go on. What the methods of a runtime promise stands in
-- `docs/contracts.md`.

local block = require "starvideos.host.block"
local errors = require "starvideos.errors"
local schedulers = require "starvideos.host.scheduler"

local _M = {}

local Loop = {}
Loop.__index = Loop

local is_interrupt = block.methods.is_interrupt

-- Seconds of an update whose caller does not say: in a frame enough for one operation
-- to go on, and too little for anybody to notice; in an event loop the shortest time
-- that the timers of most know.
local FRAME_SECONDS, POLL_SECONDS = 0.00005, 0.001

-- Updates after which a queue that does not drain gets twice the time.
local PATIENCE = 16

local CLOSING_SECONDS = 0.001

-- The longest sleeps. While something is under way what wakes a host may be lost: the
-- host has closed its descriptor, or Wine has dropped what was sent to it.
local LONG_SECONDS, LOOK_SECONDS = 3600, 1

function Loop:now()
  return self.clock()
end

-- Raises outside of a coroutine of `start`, and where Lua lets no coroutine wait.
function Loop:check(call)
  if not self.scheduler:current() then
    errors.misuse(("%s would block the loop: call it inside client:async("
      .. "function() ... end) of the same client"):format(call))
  end
  schedulers.check(call)
  self.scheduler.probe()
end

-- The listeners of the request are called from `update`, and must not wait.
function Loop:request(req)
  self:check "a request"
  if self.scheduler:refusal() or self.closed then
    return schedulers.refused()
  elseif self.transport then
    return self.transport(req)
  end
  local ticket, number = self.network():submit(req)
  if not ticket then
    return nil, number
  end
  return self.scheduler:await(ticket, number, req, self.clock())
end

function Loop:sleep(seconds)
  self:check "a pause"
  if self.closed then
    return nil, "cancelled"
  end
  return self.scheduler:sleep(self.clock() + seconds)
end

function Loop:waiter()
  return self.scheduler:current()
end

Loop.wait, Loop.wake = block.methods.wait, block.methods.wake
Loop.has_ended, Loop.leave = block.methods.has_ended, block.methods.leave

-- Until the engine is closed its thread keeps jobs on the disk in their order.
local function is_over(self)
  return self.closed and not self.made
end

function Loop:disk(name, ...)
  if is_over(self) or not self.scheduler:current() then
    return self.inline:disk(name, ...)
  end
  local ticket, number = self.network():disk(name, ...)
  if not ticket then
    return nil, number
  end
  return self.scheduler:await(ticket, number, schedulers.uncancelled)
end

function Loop:disk_later(name, ...)
  if is_over(self) then
    self.inline:disk(name, ...)
  else
    self.network():disk(name, ...)
  end
end

-- A message that a coroutine waits for, in the shape of a ticket.
local Pending = {}
Pending.__index = Pending

function Pending.result() end

function Pending:done()
  return self.message:done()
end

function Pending.progress() end

-- Its coroutine goes on with the next update, as after an answer.
local function abandon(self, why)
  if not self.why and self.message:give_up() then
    self.why = why
    self.abandoned[#self.abandoned + 1] = self.number
  end
end

function Pending:cancel()
  abandon(self, "cancelled")
end

-- For a caller that is in no coroutine of this client: it records what came for
-- another, whose coroutine does not go on.
local function await_outside(self, message, patience)
  while not message:done() do
    if patience.left(true) <= 0 then
      return "timeout"
    end
    self.inline.pause(CLOSING_SECONDS)
  end
end

-- The actor is always the same one.
function Loop:await(actor, message, number, patience)
  if not self.scheduler:current() then
    return await_outside(self, message, patience)
  end
  local one = setmetatable({ message = message, number = number,
    abandoned = self.abandoned }, Pending)
  self.actor, self.pending[number] = actor, one
  self.scheduler:await(one, one, { finish = patience.finish,
    on_progress = function()
      if patience.left(self.closed) <= 0 then
        abandon(one, "timeout")
      end
    end }, self.clock())
  return one.why
end

-- The next message that was answered or abandoned: its number, and what waits for it.
local function next_message(self)
  local actor = self.actor
  local number = table.remove(self.abandoned, 1)
    or actor and actor:ready() and actor:take()
  local one = number and self.pending[number]
  if one then
    self.pending[number] = nil
  end
  return number, one
end

function Loop:gather(functions)
  self:check "a gathering"
  self.scheduler:gather(functions)
end

-- Called for work that a sleeping host knows nothing of.
function Loop.notify() end

local function changed(self)
  if not self.updating and not self.closed then
    self:notify()
  end
end

function Loop:start(on_end, body, ...)
  local operation = self.scheduler:start(on_end, body, ...)
  changed(self)
  return operation
end

function Loop:cancel(operation)
  self.scheduler:cancel(operation, "cancelled")
  changed(self)
end

function Loop:cancel_all(why)
  for operation in pairs(self.scheduler.operations) do
    self.scheduler:cancel(operation, why or "cancelled")
  end
  changed(self)
end

function Loop:is_busy()
  return next(self.scheduler.operations) ~= nil
end

-- The operation of the running coroutine.
function Loop:current()
  local fiber = self.scheduler:current()
  return fiber and fiber.operation
end

-- Resumes one coroutine: false if none may go on. Sleepers that are due and requests
-- that have ended take turns, or the ones would starve the others.
local function step(self, now)
  local scheduler = self.scheduler
  self.timers_first = not self.timers_first
  if self.timers_first and scheduler:turn(now) then
    return true
  end
  local number = self.made and self.made:take()
  if number then
    scheduler:ended(number)
    return true
  end
  local message, one = next_message(self)
  if message then
    scheduler:ended(one)
    return true
  end
  return scheduler:turn(now)
end

-- Resumes coroutines for so many seconds: none that would end too late if it took as
-- long as the one before. A queue that does not drain gets more time with every update.
local function resume_for(self, seconds)
  local now = self.clock()
  local until_then = now + seconds * (1 + self.behind / PATIENCE)
  while step(self, now) do
    local before = now
    now = self.clock()
    if 2 * now - before >= until_then then
      self.behind = self.behind + 1
      return
    end
  end
  self.behind = 0
end

-- A coroutine that closed the runtime goes on after that, and so do those that wait for
-- it, but no update comes any more.
local function drain(self)
  while self.closed and self.scheduler:turn(self.clock()) do
  end
end

-- Resumes coroutines that may go on until the time is up, at least one.
function Loop:update(seconds)
  if self.updating then
    return -- called by one of those that are resumed
  end
  self.updating = true
  local ok, raised = pcall(resume_for, self, seconds or self.budget)
  self.updating = false
  drain(self)
  if not ok then
    error(raised, 0)
  end
end

local function is_under_way(source)
  return source and source:in_flight() > 0
end

-- How long the host may sleep before it calls `update`, if nothing ends meanwhile; nil
-- if nothing is to be expected.
function Loop:timeout()
  local scheduler = self.scheduler
  if scheduler:is_ready() or self.made and self.made:ready()
    or self.abandoned[1] or self.actor and self.actor:ready() then
    return 0
  end
  local due = scheduler:due()
  local seconds = due and math.max(0, due - self.clock())
  if is_under_way(self.made) or is_under_way(self.actor) then
    return math.min(seconds or LOOK_SECONDS, LOOK_SECONDS)
  end
  return seconds
end

-- What wakes the host when something has ended; others may use it, too.
function Loop:notifier()
  return self.made and self.made:notifier()
end

-- Raises in a coroutine and within an update: the caller must be the program itself.
function Loop:check_outside(call)
  local thread, is_main = coroutine.running()
  if self.updating or thread and not is_main then
    errors.misuse(("%s would block the loop: it is for a program that has none,"
      .. " outside of client:async and of listeners"):format(call))
  end
end

-- Sleeps until the next update is due: true, or nil and why not to go on. The notifier
-- is reset first: what ends from then on wakes the sleep.
local function sleep_until_due(self, longest)
  if self.made then
    self.made:clear()
  end
  local seconds = math.min(longest, self:timeout() or LONG_SECONDS, LONG_SECONDS)
  if seconds <= 0 then
    return true
  elseif self.pause then
    return self.pause(seconds)
  end
  (self.made or self.actor or self.network()):wait(seconds)
  return true
end

local function turn(self, left, has_ended)
  self:update()
  if not has_ended() then
    local ok, why = sleep_until_due(self, left)
    return ok == nil and why or nil
  end
end

local function turns(self, until_then, has_ended)
  while not has_ended() do
    local left = until_then - self:now()
    if left <= 0 then
      return nil, "timeout"
    end
    local why = turn(self, left, has_ended)
    if why then
      return nil, why
    end
  end
  return true
end

-- Takes turns until it is over: true, or nil and why not, and what was raised. Ctrl-C
-- may come between any two instructions.
local function go_on(self, seconds, has_ended)
  local ok, done, why = pcall(turns, self, self:now() + seconds, has_ended)
  if ok then
    return done, why
  elseif not is_interrupt(done) then
    error(done, 0)
  end
  return nil, "interrupted", done
end

-- Says of each order on the wire that its answer is waited for.
local function tell_of_orders(self)
  local listeners = {}
  for _, fiber in pairs(self.scheduler.waiting) do
    listeners[#listeners + 1] = fiber.request.on_interrupt
  end
  for _, listener in ipairs(listeners) do
    listener()
  end
end

-- Lets operations go on until none is under way. Ctrl-C ends their waits; orders on the
-- wire get their answers, unless it comes once more: that one is raised.
function Loop:run(seconds)
  local function has_ended()
    return not self:is_busy() or not self.scheduler:is_busy()
  end
  local done, why = go_on(self, seconds or math.huge, has_ended)
  if done or why == "timeout" then
    return done, why
  end
  self:cancel_all "interrupted"
  tell_of_orders(self)
  local _, again, raised = go_on(self, math.huge, has_ended)
  if again then
    error(raised or again, 0)
  end
  return nil, why
end

-- Lets time pass outside of all operations, which go on meanwhile.
function Loop:sleep_outside(seconds)
  local _, why = go_on(self, seconds, function() return false end)
  return why == "timeout" or nil, why
end

-- Orders on the wire get their answers first, which takes as long as an exchange may.
function Loop:close()
  local scheduler = self.scheduler
  self.closed = true
  self:cancel_all()
  while next(scheduler.waiting) or scheduler:is_ready() do
    if not step(self, self.clock()) and not scheduler:recover() then
      self.inline.pause(CLOSING_SECONDS)
    end
  end
  if self.made then
    self.made:close()
    self.made = nil -- an update may be under way
  end
  self.inline:close()
end

-- What an event loop needs besides, which watches a descriptor: `pollfd`, `events` and
-- `timeout` mean what they mean to cqueues and lua-http.
local Poll = setmetatable({}, { __index = Loop })
Poll.__index = Poll

function Poll:notify()
  self.network():wake()
  if self.host then
    self.host.wake()
  end
end

function Poll:notifier()
  return self.network():notifier()
end

-- `host` is the adapter of a loop, nil to detach it: `wake()` is called for work that
-- was begun or cancelled outside of `update`, `stop()` before the descriptor is closed.
function Poll:attach(host)
  self.host = host
end

function Poll:is_attached()
  return self.host ~= nil
end

function Poll:update(seconds)
  if self.made then
    self.made:clear()
  end
  Loop.update(self, seconds)
end

function Poll:pollfd()
  return self.network():pollfd()
end

function Poll:close()
  if self.host then
    self.host.stop()
  end
  Loop.close(self)
end

local function new(options, budget, methods)
  local self = setmetatable({
    budget = budget,
    behind = 0, -- updates in a row that left something to do
    transport = options.transport,
    pause = options.sleep,
    clock = options.clock or require("starvideos.core").now,
    scheduler = schedulers.new(),
    inline = block.new(options),
    pending = {}, -- messages that are waited for, by their numbers
    abandoned = {}, -- the numbers of those whose waits have ended early
  }, methods)
  function self.network()
    self.made = self.made or require("starvideos.curl").network {
      ca_file = options.ca_file,
      max_in_flight = options.max_in_flight,
    }
    return self.made
  end
  if not options.transport then
    self.network() -- now: to load libcurl takes longer than a frame
  end
  return self
end

function _M.frame(options)
  return new(options, FRAME_SECONDS, Loop)
end

function _M.poll(options)
  return new(options, POLL_SECONDS, Poll)
end

return _M
