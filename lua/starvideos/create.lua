--- Order a video. It is sent again only where it certainly did not arrive; with
-- a ledger it is written down before, and what became of it after.
-- @module starvideos.create

local errors = require "starvideos.errors"
local exchange = require "starvideos.exchange"
local orders = require "starvideos.orders"
local request = require "starvideos.request"
local response = require "starvideos.response"
local retry = require "starvideos.retry"
local validate = require "starvideos.validate"

-- The order is through and its id known; only then does an interrupt that
-- came meanwhile take effect.
local function interrupted(task)
  return errors.new {
    kind = "cancelled",
    message = ("interrupted after task %s was created; it goes on and can be"
      .. " waited for"):format(task.id),
    task = task,
    task_id = task.id,
    interrupted = true,
  }
end

local function gave_up(err, why)
  return errors.new {
    kind = "cancelled",
    message = "stopped before the order was sent again; nothing was accepted ("
      .. err.message .. ")",
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
      err.interrupted = http.interrupted
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
    context.budget:limited(context.runtime:now(), problem.retry_after)
  end
  local pause = not problem.interrupted
    and retry.create_pause(problem, tries, context.random) or nil
  order:failed(problem, pause)
  return nil, problem, pause
end

-- Reads one answer, whatever has become by then of who sent the order.
local function taker(context, order, tries)
  return function(http, failed)
    return settle(context, order, tries, http, failed)
  end
end

-- Sends until the order has arrived, may have, or shall not be sent again.
local function send(context, order, call)
  local tries = 0
  while true do
    local ok, err = order:submitting()
    if not ok then
      return nil, err
    end
    tries = tries + 1
    local task, problem, pause = exchange.call(context, call,
      taker(context, order, tries))
    if task or not pause then
      return task, problem
    end
    local slept, why = context.runtime:sleep(pause)
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
  order, task, err = orders.place(context, fields, options)
  if not order then
    return task, task and warnings or err
  end
  local problem
  task, problem = send(context, order, { name = "create", path = endpoint,
    body = body })
  if not task then
    return nil, problem
  elseif problem == true then
    return nil, interrupted(task)
  end
  return task, warnings
end
