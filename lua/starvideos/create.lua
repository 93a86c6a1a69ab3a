--- Order a video: one request, sent once.
-- @module starvideos.create

local errors = require "starvideos.errors"
local exchange = require "starvideos.exchange"
local request = require "starvideos.request"
local response = require "starvideos.response"
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

--- Order a video.
-- @tparam table context of the client
-- @tparam table params
-- @tparam table options `validation`, `endpoint`
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
  local body, endpoint = request.build(params, row, options.endpoint)
  if not body then
    return nil, endpoint
  end
  local http, failed = exchange.call(context, {
    name = "create",
    path = endpoint,
    body = body,
  })
  if not http then
    return nil, failed
  end
  local task, refused = response.create(http, context.wall_clock)
  if not task then
    refused.interrupted = http.interrupted
    return nil, refused
  elseif http.interrupted then
    return nil, interrupted(task)
  end
  return task, warnings
end
