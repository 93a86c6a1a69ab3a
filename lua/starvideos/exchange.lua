--- One exchange with the API: adds the key, sends through the runtime, tells
-- the listener, and reads a missing answer.
-- @module starvideos.exchange

local errors = require "starvideos.errors"
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
  if kind == "outcome_unknown" then
    return errors.unknown_outcome:format(message)
  elseif kind == "network" and call == "create" then
    return message .. "; nothing was sent, and nothing was bought"
  end
  return message
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
  if not context.on_event then
    return
  end
  context.on_event {
    name = "exchange",
    method = req.method,
    url = redact.urls(req.url),
    status = response and response.status or nil,
    elapsed = response and response.elapsed or nil,
    failure = failure and redact.urls(tostring(failure.reason)) or nil,
  }
end

--- Tell the listener that the ledger failed where the call did not.
-- @tparam table context of the client
-- @tparam table err of kind ledger
function _M.tell_of_ledger(context, err)
  if context.on_event then
    context.on_event { name = "ledger", failure = tostring(err) }
  end
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

-- What a listener raises here would tear an order that is on the wire.
local function listener_of(context)
  return context.on_event and function()
    pcall(context.on_event, { name = "interrupt", timeout = context.timeout })
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

-- An exchange that can go on without the one who began it, in a table: its
-- functions may outlive the caller, whose variables nginx then gives to
-- another.
local function new_exchange(context, req, call, take)
  local one = {}
  function one.settle()
    one.response, one.failure, one.first, one.second, one.third =
      settle(context, req, call, take)
  end
  function one.lost()
    tell(context, req, one.response, one.failure)
    return one.first and ("task %s was created for a caller that is gone")
      :format(one.first.id)
  end
  return one
end

-- Where the one who orders may be killed while it waits, the order and its
-- record go on without it.
local function settle_shielded(context, req, call, take)
  local one = new_exchange(context, req, call, take)
  context.runtime:shield(one.settle, one.lost)
  return one.response, one.failure, one.first, one.second, one.third
end

--- Call the API.
-- @tparam table context of the client
-- @tparam table call `name` (create or query), `path`, and where wanted
--   `body`, `timeout` (seconds)
-- @tparam[opt] function take gets the response, or nil and an err, before any
--   listener does: what a listener raises must not come between an order and
--   its record
-- @return up to three results of `take`; without it response, or nil and err
function _M.call(context, call, take)
  local creating = call.name == "create"
  local req = request_of(context, call, creating)
  local way = creating and context.runtime.shield and settle_shielded or settle
  local response, failure, first, second, third = way(context, req, call, take)
  tell(context, req, response, failure)
  return first, second, third
end

return _M
