--- Send an order that is recorded: with what it holds, until it has arrived, may
-- have arrived, or must not be sent again.
-- @module starvideos.order.send

local errors = require "starvideos.errors"
local exchange = require "starvideos.provider.exchange"
local limit_wait = require "starvideos.order.limit_wait"
local operations = require "starvideos.provider.operations"
local rate_event = require "starvideos.wait.rate_event"
local retry = require "starvideos.provider.retry"
local answers = require "starvideos.provider.answer"

-- `before` is the error of the last try, if there was one.
local function stopped(before, why)
  return errors.new {
    kind = "cancelled",
    message = before and "stopped before the order was retried; nothing was"
      .. " bought (" .. before.message .. ")"
      or "stopped while the order waited for a free slot (max_creates);"
      .. " nothing was sent, and nothing was bought",
    sent = false,
    interrupted = why == "interrupted",
  }
end

-- The outcome of one try, which is recorded: a `task`; or an `err`, and the
-- `pause` where it is to be sent again; `interrupted` where Ctrl-C came
-- meanwhile. With `is_late` nobody is there who would send it again.
local function outcome_of(context, order, tries, most, response, err, is_late)
  local task
  if response then
    task, err = answers.read(operations.create, response,
      context.wall_clock)
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
    context.rate_limiter:limited(context.runtime:now(), err.retry_after)
    order:hold(err.retry_after)
  end
  local pause = not err.interrupted and not is_late and tries < most
    and retry.create_pause(err, tries, context.random) or nil
  order:failed(err, pause, is_late)
  return { err = err, pause = pause, interrupted = err.interrupted }
end

-- After a fork both processes continue what waits in a loop, but only the
-- parent may send the order.
local function check_process(context, call)
  if context.process_id() == call.process then
    return true
  end
  return nil, errors.new {
    kind = "cancelled",
    message = "the order belongs to the process that this one was forked from,"
      .. " which continues it; this process sent nothing",
    sent = false,
  }
end

-- Takes a step of an order, unless it is the parent's.
local function step(context, order, call, method)
  local ok, err = check_process(context, call)
  if ok then
    ok, err = order[method](order)
  end
  return ok, err
end

-- What `exchange.order` calls, even if the caller has ended by then. The time
-- in which the order may be sent and answered begins with its slot.
local function steps_of(context, order, call, tries, slot)
  local steps = {}
  function steps.begin()
    local begun = context.boottime()
    local ok, err = step(context, order, call, "submitting")
    call.send_by = order.send_by or begun + context.timeout
    if ok then
      ok, err = check_process(context, call)
    end
    return ok, err
  end
  function steps.leave()
    context.slots:release(context.runtime, slot)
  end
  function steps.take(response, err, is_late)
    steps.leave()
    return outcome_of(context, order, tries, call.tries or math.huge, response,
      err, is_late)
  end
  function steps.tell()
    order:tell()
    rate_event(context)
  end
  return steps
end

-- An order that has no slot was certainly not sent.
local function wait_for_slot(context, order, call, problem)
  local slots, runtime = context.slots, context.runtime
  if not slots:is_free(runtime) then
    local ok, err = step(context, order, call, "postpone")
    if not ok then
      return nil, err
    end
  end
  local slot, err, why = slots:take(runtime, function()
    return step(context, order, call, "renew")
  end)
  if not slot and not err then
    err = stopped(problem, why)
    order:failed(err)
  end
  return slot, err
end

-- Lets time pass before the next try: true, or nil and an err.
local function pause(context, order, outcome)
  local slept, why = false, "interrupted"
  if not outcome.interrupted then
    slept, why = context.runtime:sleep(outcome.pause)
  end
  if slept then
    return true
  end
  local err = stopped(outcome.err, why)
  order:failed(err)
  return nil, err
end

-- Whether a limit has kept the order back: nothing was sent.
local function is_limited(outcome)
  return outcome.err ~= nil and outcome.err.kind == "limited"
end

local function result_of(outcome)
  local task, err = outcome.task, outcome.err
  if task and outcome.interrupted then
    return nil, errors.interrupted(task)
  elseif err then
    err.interrupted = err.interrupted or outcome.interrupted
  end
  return task, err
end

--- Send an order.
-- @tparam table context of the client
-- @tparam table order with the methods `submitting`, `postpone`, `renew`,
--   `accepted`, `failed`, `hold` and `tell`; see `starvideos.order.recorder`
-- @tparam table call `endpoint`, `body`, `process` (the id of the one that may
--   send it), `limit_timeout` (seconds that it waits for a limit; 60) and, where a
--   caller retries an order itself, `tries`: how often it is sent here at most
-- @treturn ?table task
-- @treturn ?table err
return function(context, order, call)
  local row = order.row or {}
  call.order, call.key = row.order_id, row.order_key
  local tries, outcome = 0, {}
  local turn = limit_wait.new(context, order, call.limit_timeout)
  repeat
    local slot, err = wait_for_slot(context, order, call, outcome.err)
    if not slot then
      return nil, err
    end
    local interrupted
    outcome, interrupted = exchange.order(context, operations.create, call,
      steps_of(context, order, call, tries + 1, slot))
    outcome.interrupted = outcome.interrupted or interrupted or nil
    local ok, problem, again = true, nil, outcome.pause
    if is_limited(outcome) and not outcome.interrupted then
      ok, problem = turn:wait(outcome.err)
      outcome, again = {}, true
    else
      tries = tries + 1
    end
    if outcome.pause or is_limited(outcome) then
      ok, problem = pause(context, order, outcome)
    end
    if not ok then
      return nil, problem
    end
  until not again
  return result_of(outcome)
end
