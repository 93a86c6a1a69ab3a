--- Order a video. It is sent again only where it certainly did not arrive; with
-- a ledger it is written down before, and what became of it after.
-- @module starvideos.operation.create

local errors = require "starvideos.errors"
local exchange = require "starvideos.api.exchange"
local recorder = require "starvideos.ledger.recorder"
local request = require "starvideos.api.create_body"
local response = require "starvideos.api.task_reader"
local retry = require "starvideos.api.retry"
local validate = require "starvideos.operation.validate"

local function gave_up(before, why)
  return errors.new {
    kind = "cancelled",
    message = before and "stopped before the order was sent again; nothing was"
      .. " bought (" .. before.message .. ")"
      or "stopped while the order waited for its turn; nothing was sent, and"
      .. " nothing was bought",
    sent = false,
    interrupted = why == "interrupted",
  }
end

-- Reads what came back and has it written down: a task, and whether an
-- interrupt came meanwhile; or nil, err and the pause before it is sent again.
local function settle(context, order, tries, http, failed)
  local task, problem
  if http then
    task, problem = response.create(http, context.wall_clock)
  else
    problem = failed
  end
  if task then
    local ok, err = order:accepted(task)
    if not ok then
      err.interrupted = err.interrupted or http.interrupted
      return nil, err
    end
    return task, http.interrupted
  end
  if http then
    problem.interrupted = http.interrupted
    problem.phase, problem.sent = "body", true
    problem.bytes_sent = http.bytes_sent
  end
  if problem.kind == "rate_limited" then
    context.rate_limiter:limited(context.runtime:now(), problem.retry_after)
  end
  local pause = not problem.interrupted
    and retry.create_pause(problem, tries, context.random) or nil
  order:failed(problem, pause)
  return nil, problem, pause
end

-- After a fork both processes go on with what waits in a loop; the order is
-- the parent's alone.
local function check_process(context, call)
  if context.process_id() == call.process then
    return true
  end
  return nil, errors.new {
    kind = "cancelled",
    message = "the order is of the process that this one was forked from, and"
      .. " goes on there; nothing was sent here",
    sent = false,
  }
end

-- What an order comes to on its way, whatever has become by then of who sent
-- it. With the slot begins the time in which it may be sent and answered.
local function steps_of(context, order, call, tries, slot)
  local steps = {}
  function steps.begin()
    local begun = context.boottime()
    local ok, err = check_process(context, call)
    if ok then
      ok, err = order:submitting()
    end
    call.send_by = order.send_by or begun + context.timeout
    if ok then
      ok, err = check_process(context, call)
    end
    return ok, err
  end
  function steps.leave()
    context.slots:release(context.runtime, slot)
  end
  function steps.take(http, failed)
    steps.leave()
    return settle(context, order, tries, http, failed)
  end
  return steps
end

-- Until it has a slot, an order is certainly not sent.
local function wait_for_slot(context, order, call, problem)
  local slot, err, why = context.slots:take(context.runtime, function()
    local ok, err = check_process(context, call)
    if ok then
      ok, err = order:renew()
    end
    return ok, err
  end)
  if not slot and not err then
    err = gave_up(problem, why)
    order:failed(err)
  end
  return slot, err
end

-- Sends until the order has arrived, may have, or shall not be sent again.
local function send(context, order, call)
  local tries, problem = 0, nil
  while true do
    local slot, err = wait_for_slot(context, order, call, problem)
    if not slot then
      return nil, err
    end
    tries = tries + 1
    local task, pause, stopped
    task, problem, pause, stopped = exchange.order(context, call,
      steps_of(context, order, call, tries, slot))
    if task then
      return task, problem or stopped
    elseif not pause then
      problem.interrupted = problem.interrupted or stopped or nil
      return nil, problem
    end
    local slept, why = not stopped, "interrupted"
    if slept then
      slept, why = context.runtime:sleep(pause)
    end
    if not slept then
      err = gave_up(problem, why)
      order:failed(err)
      return nil, err
    end
  end
end

--- Order a video.
-- @tparam table context of the client
-- @tparam table params
-- @tparam table options see `client:create`
-- @treturn ?table task
-- @treturn ?table warnings, or err
return function(context, params, options)
  local warnings, err = validate.before_sending(context, params,
    options.validation or context.validation)
  if err then
    return nil, err
  end
  local row = type(params.model) == "string"
    and context.catalog:model(params.model) or nil
  local body, endpoint, fields = request.build(params, row, options.endpoint)
  if not body then
    return nil, endpoint
  end
  local order, task
  order, task, err = recorder.place(context, fields, options)
  if not order then
    return task, task and warnings or err
  end
  local problem
  task, problem = send(context, order, { name = "create", path = endpoint,
    body = body, process = context.process_id() })
  if not task then
    return nil, problem
  elseif problem == true then
    return nil, errors.interrupted(task)
  end
  return task, warnings
end
