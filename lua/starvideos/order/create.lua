-- Order a video. The order is sent again only where it certainly did not arrive. With a
-- ledger it is recorded before it is sent, and its outcome after.

local bodies = require "starvideos.provider.body"
local recorder = require "starvideos.order.recorder"
local room = require "starvideos.order.room"
local send = require "starvideos.order.send"
local targets = require "starvideos.order.target"
local validate = require "starvideos.order.validate"

local function succeed()
  return true
end

-- Without a ledger the steps of an order are the same, and nothing is written.
local unrecorded = { submitting = succeed, renew = succeed, accepted = succeed,
  failed = succeed, hold = succeed, tell = succeed }

local function place(context, fields, options, keeps, price)
  if not context.ledger then
    return unrecorded
  elseif options.path and not options.given then
    local err
    options, err = targets.resolved(context, options)
    if not options then
      return nil, nil, err
    end
  end
  return recorder.place(context, fields, options, keeps, price)
end

-- Order a video. `context`: of the client. `keeps`: whether the caller waits for the
-- video itself. Returns warnings, or err.
return function(context, params, options, keeps)
  local warnings, err = validate.before_sending(context, params,
    options.validation or context.validation)
  if err then
    return nil, err
  end
  local row = type(params.model) == "string"
    and context.catalog:model(params.model) or nil
  local request
  request, err = bodies.build(params, row, warnings, options.endpoint)
  if not request then
    return nil, err
  end
  local process = context.process_id() -- of the one that may send it
  local order, task
  order, task, err = place(context, request.fields, options, keeps,
    validate.price(context, params, row))
  if not order then
    return task, task and warnings or err
  end
  if context.ledger and keeps then
    order.check = function()
      return room.check(context, order, options.path, options)
    end
  end
  task, err = send(context, order, { endpoint = request.endpoint,
    body = request.body, process = process,
    limit_timeout = options.limit_timeout })
  room.done(order)
  if not task then
    order:tell() -- that it was stopped before it was sent
  end
  return task, task and warnings or err
end
