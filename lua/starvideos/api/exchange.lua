--- One exchange with the API: adds the key, sends through the runtime, tells
-- the listener, and reads a missing answer.
-- @module starvideos.api.exchange

local errors = require "starvideos.errors"
local listener = require "starvideos.listener"
local redact = require "starvideos.redact"

local _M = {}

-- What a transport failure is for a call that may be repeated.
local kind_of = {
  invalid = "config",
  insecure = "config",
  timeout = "timeout",
  stalled = "timeout",
  too_large = "protocol",
  protocol = "protocol",
  io = "io",
  busy = "io",
  late = "cancelled",
  cancelled = "cancelled",
}

-- Time that ran out before anything was sent is a matter of the network.
local function kind_for_reading(failure)
  local kind = kind_of[failure.reason]
  return not (kind == "timeout" and failure.sent == false) and kind or "network"
end

-- For an order only one question counts: can it have arrived? A transport
-- that does not say whether it sent anything is taken to have sent it.
local function kind_for_create(failure)
  local kind = kind_of[failure.reason]
  if kind == "config" and failure.sent ~= true then
    return kind
  elseif failure.sent == false then
    return kind == "cancelled" and kind or "network"
  end
  return "outcome_unknown"
end

local function message_of(kind, failure, call)
  local message = tostring(failure.message or failure.reason or "no reason given")
  if call ~= "create" then
    return message
  elseif kind == "outcome_unknown" then
    return errors.unknown_outcome:format(message)
  end
  return message .. "; nothing was sent, and nothing was bought"
    .. (kind == "network" and "; order again once the provider can be reached"
      or "")
end

--- Make an error of a transport's failure.
-- @tparam table failure see the transports
-- @tparam string call `create` or anything else
-- @tparam[opt] table fields further fields of the error
-- @treturn table err
function _M.error_of(failure, call, fields)
  local kind = (call == "create" and kind_for_create or kind_for_reading)(
    failure)
  local err = fields or {}
  err.kind = kind
  err.message = message_of(kind, failure, call)
  err.status = failure.status
  err.reason = failure.reason
  err.phase = failure.phase
  err.sent = failure.sent
  err.bytes_sent = failure.bytes_sent
  err.interrupted = failure.interrupted
  return errors.new(err)
end

local function tell(context, req, response, failure)
  listener.tell(context, "on_event", context.on_event, {
    name = "exchange",
    method = req.method,
    url = redact.urls(req.url),
    status = response and response.status or nil,
    elapsed = response and response.elapsed or nil,
    failure = failure and redact.urls(tostring(failure.reason)) or nil,
  })
end

--- Tell the listener that the ledger failed where the call did not.
-- @tparam table context of the client
-- @tparam table err of kind ledger
function _M.tell_of_ledger(context, err)
  listener.tell(context, "on_event", context.on_event, { name = "ledger",
    failure = tostring(err) })
end

--- Tell the listener that a task came for an order that had moved on.
-- @tparam table context of the client
-- @tparam table order as `client:pending` gives it
-- @tparam string task_id
function _M.tell_of_late_task(context, order, task_id)
  listener.tell(context, "on_event", context.on_event, { name = "late_task",
    task_id = task_id, order = order })
end

local function deliver(context, req)
  req.connect_timeout = req.connect_timeout or context.connect_timeout
  req.insecure_http = context.insecure_http
  local response, failure = context.runtime:request(req)
  if not response then
    failure = failure or { reason = "network" }
    failure.message = redact.key(failure.message, context.api_key)
  end
  return response, failure
end

--- Send a request that needs no key, such as a download.
-- @tparam table context of the client
-- @tparam table req see the transports
-- @treturn ?table response
-- @treturn ?table failure
function _M.send(context, req)
  local response, failure = deliver(context, req)
  tell(context, req, response, failure)
  return response, failure
end

-- A second Ctrl-C, in the listener, changes nothing about the order either.
local function listener_of(context)
  return function()
    pcall(listener.tell, context, "on_event", context.on_event,
      { name = "interrupt", timeout = context.timeout })
  end
end

local function as_they_are(response, err)
  return response, err
end

-- An order has a connection of its own, and is never torn.
local function request_of(context, call, creating)
  return {
    method = creating and "POST" or "GET",
    url = context.base_url .. call.path,
    headers = {
      ["Authorization"] = "Bearer " .. context.api_key,
      ["Accept"] = "application/json",
      ["Content-Type"] = creating and "application/json" or nil,
    },
    body = call.body,
    timeout = call.timeout and math.min(context.timeout, call.timeout)
      or context.timeout,
    send_by = call.send_by,
    fresh = creating or nil,
    finish = creating or nil,
    on_interrupt = creating and listener_of(context) or nil,
    redirects = 0,
  }
end

-- Delivers a request and has what came of it read; the results of `take` come
-- behind the response and the failure.
local function settle(context, req, call, take)
  local response, failure = deliver(context, req)
  local err
  if response then
    response.body = redact.key(response.body, context.api_key)
  else
    err = _M.error_of(failure, call.name, { task_id = call.task_id })
  end
  return response, failure, (take or as_they_are)(response, err)
end

--- Call the API; for all but orders.
-- @tparam table context of the client
-- @tparam table call `name`, `path`, and where wanted `timeout` (seconds)
-- @tparam[opt] function take gets the response, or nil and an err, before any
--   listener does
-- @return up to three results of `take`; without it response, or nil and err
-- @raise Ctrl-C that came while the listener ran
function _M.call(context, call, take)
  local req = request_of(context, call, false)
  local response, failure, first, second, third = settle(context, req, call,
    take)
  tell(context, req, response, failure)
  return first, second, third
end

-- One try to send an order, in a table: its functions may outlive the caller,
-- whose variables nginx then gives to another.
local function new_try(context, call, steps)
  local one = {}
  local function send()
    local ok, err = steps.begin()
    if not ok then
      one.second = err
      return
    end
    one.req = request_of(context, call, true)
    one.response, one.failure, one.first, one.second, one.third =
      settle(context, one.req, call, steps.take)
  end
  function one.send()
    send()
    steps.leave()
  end
  function one.send_on()
    local ok, raised = pcall(send)
    steps.leave()
    if not ok then
      error(raised, 0)
    end
  end
  function one.tell()
    if one.req then
      tell(context, one.req, one.response, one.failure)
    end
  end
  function one.lost()
    one.tell()
    return one.first and ("task %s was created for a caller that is gone")
      :format(one.first.id)
  end
  return one
end

--- Send an order, once. Where the one who orders may be killed while it waits,
-- the order and its record go on without it.
-- @tparam table context of the client
-- @tparam table call `name`, `path`, `body`; `send_by` (of
--   `starvideos.core.boottime`: from then on it is not sent) may be set by
--   `begin`
-- @tparam table steps of who orders: `begin()` right before, may return nil and
--   an err, and then nothing is sent; `take` as of `call`, for what a listener
--   does must not come between an order and its record; `leave()` when all is
--   over, but not where an error ended it and the coroutine with it
-- @return up to three results of `take`, or nil and the err of `begin`, and as
--   a fourth whether Ctrl-C came while the listener ran
function _M.order(context, call, steps)
  local one = new_try(context, call, steps)
  if context.runtime.shield then
    context.runtime:shield(one.send_on, one.lost)
  else
    one.send()
  end
  local ok, raised = pcall(one.tell)
  local stopped = not ok and listener.is_interrupt(context, raised)
  return one.first, one.second, one.third, stopped
end

return _M
