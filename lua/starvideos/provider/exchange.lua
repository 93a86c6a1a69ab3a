-- One exchange with the API: adds the key, sends through the runtime, tells the
-- listener, and makes an error of a transport's failure.

local answer_json = require "starvideos.provider.answer_json"
local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local redact = require "starvideos.base.redact"
local answers = require "starvideos.provider.answer"
local version = require "starvideos.base.version"

local _M = {}

--- The name of this program in every request: some hosts refuse one without.
_M.USER_AGENT = "starvideos/" .. version

-- Reasons for which a transport refuses a request before it sends anything.
local refusals = { invalid = true, insecure = true }

-- A transport that does not say whether it sent anything counts as having sent
-- it.
local function kind_of(operation, failure)
  local is_unsent = failure.sent == false
    or failure.sent == nil and refusals[failure.reason]
  local kinds = operation.failures[is_unsent and "unsent" or "sent"]
  return kinds[failure.reason] or kinds.other
end

-- Make an error of a transport's failure. `operation`: one of
-- `starvideos.provider.operations`. `failure`: see the transports. `fields`: further
-- fields of the error.
function _M.error_of(operation, failure, fields)
  local err = fields or {}
  err.kind = kind_of(operation, failure)
  local why = tostring(failure.message or failure.reason or "no reason given")
  err.message = err.task_id and operation.named
    and operation.named:format(err.task_id, why)
    or (operation.failed[err.kind] or operation.failed.other):format(why)
  err.status = failure.status
  err.reason = failure.reason
  err.phase = failure.phase
  err.sent = failure.sent
  err.bytes_sent = failure.bytes_sent
  err.interrupted = failure.interrupted
  return errors.new(err)
end

-- Tell the listener of an exchange. `context`: of the client. `operation`: one of
-- `starvideos.provider.operations`. `call`: what it belongs to: `order`, `key`,
-- `task_id`. `failure`: of the transport, or the err that was made of it. Raises
-- Ctrl-C, and nothing else.
function _M.tell(context, operation, call, request, response, failure)
  if not context.on_event then
    return -- most have none, and to redact a URL costs more than the rest
  end
  listener.event(context, {
    name = "exchange",
    operation = operation.name,
    order = call.order,
    key = call.key,
    task_id = call.task_id,
    method = request.method,
    url = redact.urls(request.url),
    status = response and response.status or nil,
    elapsed = response and response.elapsed or nil,
    flaw = response and response.flaw or nil,
    failure = failure and redact.urls(tostring(failure.reason)) or nil,
  })
end

-- A transport of the caller's may give anything.
local function is_response(value)
  return type(value) == "table" and type(value.status) == "number"
    and type(value.body or "") == "string"
end

-- Send a request by the client's runtime. Returns response; or nil and the failure, its
-- message without the key.
function _M.perform(context, request)
  local response, failure = context.runtime:request(request)
  if is_response(response) then
    response.headers = type(response.headers) == "table" and response.headers or {}
    return response
  elseif type(failure) ~= "table" then
    failure = { reason = "network", message = response == nil and failure ~= nil
      and tostring(failure) or "the transport gave no response" }
  end
  failure.message = redact.key(failure.message, context.api_key)
  return nil, failure
end

-- Send a request that needs no key, such as a download. `context`: of the client.
-- `operation`: one of `starvideos.provider.operations`. `call`: what it belongs to:
-- `task_id`. `request`: see the transports; its `headers` get a `User-Agent`.
function _M.send(context, operation, call, request)
  request.connect_timeout = request.connect_timeout or context.connect_timeout
  request.insecure_http = context.insecure_http
  request.headers["User-Agent"] = _M.USER_AGENT
  local response, failure = _M.perform(context, request)
  _M.tell(context, operation, call, request, response, failure)
  return response, failure
end

local function new_request(context, operation, call)
  return {
    method = operation.method,
    url = operation.url(context.base_url, call),
    headers = context.headers,
    timeout = context.timeout,
    connect_timeout = context.connect_timeout,
    insecure_http = context.insecure_http,
    max_body = context.max_answer,
  }
end

-- Once an order is on its way Ctrl-C does not interrupt it, nor does a second
-- one in the listener.
local function interrupt_listener(context)
  return function()
    pcall(listener.event, context, { name = "interrupt",
      timeout = context.timeout })
  end
end

-- Make the request of an order: sent at most once, and awaited to its end. `context`:
-- of the client. `operation`: one of `starvideos.provider.operations`. `call`: what the
-- operation's path needs, and `body`. `send_by`: of `starvideos.core.boottime`: from
-- then on it is not sent.
function _M.order_request(context, operation, call, send_by)
  local request = new_request(context, operation, call)
  request.headers = { ["Content-Type"] = "application/json" }
  for name, value in pairs(context.headers) do
    request.headers[name] = value
  end
  request.body, request.send_by = call.body, send_by
  request.fresh, request.finish = true, true
  request.on_interrupt = interrupt_listener(context)
  return request
end

-- Decodes an answer: what was repaired is told.
local function decode(response)
  if response.answer == nil then
    local answer, flaw, is_part = answer_json.decode(response.body or "")
    response.answer, response.flaw = answer, answer ~= nil and flaw or nil
    response.is_part = is_part
  end
  return response
end

-- What a request came to. A failure with enough of an answer gives a response.
-- `context`: of the client. `operation`: one of `starvideos.provider.operations`.
-- `call`: its `task_id`, and the `body` of an order. `failure`: of the transport.
-- Returns response, its `answer` decoded.
function _M.received(context, operation, call, response, failure)
  local task_id
  if response then
    response.body = redact.key(response.body, context.api_key)
    response.ordered = call.body
  elseif type(failure.body) == "string" then
    failure.body = redact.key(failure.body, context.api_key)
    response, task_id = answers.salvage(operation, failure, call.task_id,
      call.body)
  end
  if response then
    return decode(response)
  end
  return nil, _M.error_of(operation, failure,
    { task_id = task_id or call.task_id })
end

-- Ask the API about a task. `context`: of the client. `operation`: one of
-- `starvideos.provider.operations` that costs nothing. `timeout`: seconds, at most the
-- client's own. `public_only`: as in a request (default false). Raises Ctrl-C that came
-- while the listener ran.
function _M.ask(context, operation, task_id, timeout, public_only)
  local call = { task_id = task_id }
  local request = new_request(context, operation, call)
  request.timeout = math.min(timeout or context.timeout, context.timeout)
  request.public_only = public_only
  local response, failure = _M.perform(context, request)
  local err
  response, err = _M.received(context, operation, call, response, failure)
  _M.tell(context, operation, call, request, response, failure)
  return response, err
end

return _M
