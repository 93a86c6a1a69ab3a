-- Send an order that is recorded: until it has arrived, may have arrived, or must not
-- be sent again.
--
-- All that belongs to it stands in one table, the flight, and no function of it is a
-- closure: an attempt goes on though its caller was killed, whose variables nginx uses
-- for something else then. `starvideos.order.wire` settles what nobody else does.

local answers = require "starvideos.provider.answer"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local exchange = require "starvideos.provider.exchange"
local fetch_task = require "starvideos.wait.fetch_task"
local listener = require "starvideos.base.listener"
local operations = require "starvideos.provider.operations"
local retry = require "starvideos.provider.retry"
local watch = require "starvideos.wait.watch"
local wire = require "starvideos.order.wire"

-- Waiting for a limit of the ledger that keeps an order back. In seconds unless
-- said otherwise.
local policy = {
  timeout = 60, -- how long an order waits for all its limits
  look = 0.25, -- between looks at a limit of which nobody knows when it lifts
  look_growth = 1.5, -- factor from one such look to the next
  look_max = 5, -- between them in the end
  spread = 0.5, -- within which those that wait for the same moment look, at
    -- first; it grows with each look, for there may be many, and one can be sent
  renewal = 20, -- between renewals of the order's lease
}

local Flight = {}
Flight.__index = Flight

local function cancelled(message, why)
  return errors.new { kind = "cancelled", message = message, sent = false,
    interrupted = why == "interrupted" }
end

-- `before` is the error of the last attempt, if there was one.
local function stopped(before, why)
  return cancelled(before and "stopped before the order was retried; nothing was"
    .. " bought (" .. before.message .. ")"
    or "stopped while the order waited for a free slot (max_creates);"
    .. " nothing was sent, and nothing was bought", why)
end

-- Records that the order is not sent again: nil and the err.
local function give_up(self, err)
  self.order:failed(err)
  return nil, err
end

-- After a fork both processes continue what waits in a loop, but only the
-- parent may send the order.
local function check_process(self)
  if self.context.process_id() == self.call.process then
    return true
  end
  return nil, cancelled("the order belongs to the process that this one was forked"
    .. " from, which continues it; this process sent nothing")
end

-- Takes a step of the order, unless it is the parent's.
local function step(self, method)
  local ok, err = check_process(self)
  if ok then
    ok, err = self.order[method](self.order)
  end
  return ok, err
end

local function renew(self)
  return step(self, "renew")
end

-- An order that has no slot was certainly not sent.
local function take_slot(self)
  local context = self.context
  local ok, foreign = check_process(self)
  if not ok then
    return nil, foreign
  end
  local slot, err, why = context.slots:take(context.runtime, renew, self)
  if not slot and not err then
    err = stopped(self.outcome and self.outcome.err, why)
    self.order:failed(err)
  end
  self.slot = slot
  return slot, err
end

local function release(self)
  self.context.slots:release(self.context.runtime, self.slot)
end

-- What came of an attempt, which is recorded: a `task`; or an `err`, and the
-- `pause` before the next one; `interrupted` where Ctrl-C came meanwhile.
local function outcome_of(self, response, err, is_late)
  local context, order, task = self.context, self.order, nil
  if response then
    task, err = answers.read(operations.create, response, context.wall_clock)
  end
  if task then
    local ok, problem = order:accepted(task, is_late)
    return { task = ok and task, err = problem,
      interrupted = response.interrupted }
  elseif response then
    err.interrupted = response.interrupted
    err.phase, err.sent = "body", true
    err.bytes_sent = response.bytes_sent
  end
  if err.kind == "rate_limited" or err.status == 429 then
    order:hold(err.retry_after)
  end
  local is_last = err.interrupted or is_late
    or self.tries >= (self.call.tries or math.huge)
  local pause = not is_last
    and retry.create_pause(err, self.tries, context.random) or nil
  order:failed(err, pause, is_late)
  return { err = err, pause = pause, interrupted = err.interrupted }
end

-- Record what came of the attempt, before any listener is told: what a listener does
-- must not come between an order and its record. Again where an error ended it.
-- `failure`: of the transport. `is_late`: whether its caller does not go on: nothing
-- waits, and nothing is retried.
function Flight:settle(response, failure, is_late)
  if not self.outcome then
    local read, err = exchange.received(self.context, operations.create, self.call,
      response, failure)
    release(self)
    self.outcome = outcome_of(self, read, err, is_late)
    self.response, self.failure = read, failure
  end
end

-- Records that the order is sent: true, or nil and why it must not be. The time in
-- which it may be sent and answered has begun with its slot.
local function begin(self)
  local begun = self.context.boottime()
  local ok, err = step(self, "submitting")
  if ok then
    ok, err = check_process(self)
  end
  self.send_by = self.order.send_by or begun + self.context.timeout
  return ok, err
end

-- From before an order is sent until listeners learn of its outcome whoever enters the
-- library can settle it.
local function send(self)
  local context = self.context
  local ok, err = begin(self)
  if not ok then
    self.outcome = { err = err }
    return
  end
  self.tries = self.tries + 1
  self.request = exchange.order_request(context, operations.create, self.call,
    self.send_by)
  if not context.runtime.transport then -- only the engine can be asked again
    wire.add(self)
  end
  self.response, self.failure = exchange.perform(context, self.request)
  wire.add(self)
  self:settle(self.response, self.failure)
end

local function attempt(self)
  send(self)
  release(self)
end

-- The same where an error does not end the caller's coroutine. Lua 5.1 cannot wait
-- within pcall.
local function attempt_surely(self)
  local ok, raised = pcall(send, self)
  self.raised = not ok
  release(self)
  if not ok then
    error(raised, 0)
  end
  wire.remove(self) -- no signal raises here, and another may close the client
end

-- Until then it is on the wire: Ctrl-C may end its caller right behind the record.
local function tell(self)
  wire.remove(self)
  if self.request then
    local task = self.outcome and self.outcome.task
    exchange.tell(self.context, operations.create, { order = self.call.order,
      key = self.call.key, task_id = task and task.id or nil }, self.request,
      self.response, self.failure)
  end
  self.order:tell()
  local task = self.outcome and self.outcome.task
  if task then
    fetch_task.note_unknown(self.context, task)
  end
end

-- What was bought, where nobody waits for it any more.
local function sentence_of(outcome)
  local task, err = outcome.task, outcome.err or {}
  local id = task and task.id or err.task_id
  if id then
    return ("task %s was created, but its caller has ended: wait for it by this"
      .. " id"):format(id)
  elseif err.kind == "outcome_unknown" then
    return "the caller of an order has ended: " .. err.message
  end
end

-- Tell listeners of an attempt whose caller has ended. Returns a sentence about what
-- was bought.
function Flight:lost()
  tell(self)
  return self.outcome and sentence_of(self.outcome)
end

-- One attempt, completed and recorded though the caller is killed.
local function run(self)
  local context = self.context
  self.outcome, self.request, self.response, self.failure = nil, nil, nil, nil
  if context.runtime.shield then
    context.runtime:shield(attempt_surely, Flight.lost, self)
  else
    attempt(self)
  end
  local ok, raised = pcall(tell, self)
  if not ok and listener.is_interrupt(context, raised) then
    context.runtime:interrupt()
    self.outcome.interrupted = true
  end
end

-- Seconds until the next look at a limit; nil where it lifts too late, if at all.
local function next_look(self, problem, left)
  local pause, random = problem.retry_after, self.context.random
  if problem.retryable == false or left <= 0 or pause and pause > left then
    return nil
  elseif pause then
    pause = pause + random() * self.spread
    self.spread = math.min(self.spread * policy.look_growth, policy.look_max)
  else
    pause = self.look * (1 + random()) / 2
    self.look = math.min(self.look * policy.look_growth, policy.look_max)
  end
  return math.min(pause, left)
end

-- Sleeps, and renews the order's lease meanwhile: true; or nil and an err.
local function sleep_renewing(self, problem, seconds)
  local runtime = self.context.runtime
  local ends = runtime:now() + seconds
  repeat
    local slept, why = runtime:sleep(math.min(policy.renewal,
      ends - runtime:now()))
    if not slept then
      return give_up(self, cancelled("stopped while the order waited for a limit;"
        .. " nothing was sent, and nothing was bought (" .. problem.message .. ")",
        why))
    end
    if runtime:now() >= self.renewed + policy.renewal then
      local ok, err = renew(self)
      if not ok then
        return nil, err
      end
      self.renewed = runtime:now()
    end
  until runtime:now() >= ends
  return true
end

-- A limit has kept the order back: nothing was sent, and it is no attempt.
local function wait_for_limit(self)
  local problem, now = self.outcome.err, self.context.runtime:now()
  if self.outcome.interrupted then
    return give_up(self, stopped(problem, "interrupted"))
  end
  self.deadline = self.deadline
    or now + (self.call.limit_timeout or policy.timeout)
  self.renewed = self.renewed or now
  if self.limit ~= problem.limit then
    self.limit, self.look, self.spread = problem.limit, policy.look,
      policy.spread
  end
  local seconds = next_look(self, problem, self.deadline - now)
  if not seconds then
    return give_up(self, problem)
  end
  self.outcome = nil
  return sleep_renewing(self, problem, seconds)
end

local function wait_to_retry(self)
  local outcome, slept, why = self.outcome, false, "interrupted"
  if not outcome.interrupted then
    slept, why = self.context.runtime:sleep(outcome.pause)
  end
  if slept then
    return true
  end
  return give_up(self, stopped(outcome.err, why))
end

-- The wait before the next attempt; nil where the order has an outcome.
local function waits_for(self)
  local err = self.outcome.err
  return err and err.kind == "limited" and wait_for_limit
    or self.outcome.pause and wait_to_retry or nil
end

local function result_of(context, outcome)
  local task, err = outcome.task, outcome.err
  if task and outcome.interrupted then
    return nil, errors.interrupted(task)
  elseif task then
    watch.ordered(context, task)
  elseif err then
    err.interrupted = err.interrupted or outcome.interrupted
  end
  return task, err
end

local function new(context, order, call)
  local row = order.row or {}
  call.order, call.key = row.order_id, row.order_key
  return setmetatable({ context = context, order = order, call = call,
    id = call.order, process = core.process_id(), tries = 0 }, Flight)
end

-- Send an order. `context`: of the client. `order`: with the methods `submitting`,
-- `renew`, `accepted`, `failed`, `hold` and `tell`; see `starvideos.order.recorder`.
-- `call`: `endpoint`, `body`, `process` (the id of the one that may send it),
-- `limit_timeout` (seconds that it waits for a limit; 60) and, where a caller retries
-- an order itself, `tries`: how often it is sent here at most.
return function(context, order, call)
  local self = new(context, order, call)
  while true do
    local slot, err = take_slot(self)
    if not slot then
      return nil, err
    end
    run(self)
    local wait = waits_for(self)
    if not wait then
      return result_of(context, self.outcome)
    end
    local ok, problem = wait(self)
    if not ok then
      return nil, problem
    end
  end
end
