--- One exchange with the API: adds the key, sends through the runtime, tells
-- the listener, and makes an error of a transport's failure.
-- @module starvideos.provider.exchange

local answer_json = require "starvideos.provider.answer_json"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local redact = require "starvideos.base.redact"
local answers = require "starvideos.provider.answer"
local version = require "starvideos.base.version"
local wire = require "starvideos.provider.wire"

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

--- Make an error of a transport's failure.
-- @tparam table operation one of `starvideos.provider.operations`
-- @tparam table failure see the transports
-- @tparam[opt] table fields further fields of the error
-- @treturn table err
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

-- `call` says what the exchange belongs to.
local function tell(context, operation, call, request, response, failure)
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

local function deliver(context, request)
  local response, failure = context.runtime:request(request)
  if not response then
    failure = failure or { reason = "network" }
    failure.message = redact.key(failure.message, context.api_key)
  end
  return response, failure
end

--- Send a request that needs no key, such as a download.
-- @tparam table context of the client
-- @tparam table operation one of `starvideos.provider.operations`
-- @tparam table call what it belongs to: `task_id`
-- @tparam table request see the transports; its `headers` get a `User-Agent`
-- @treturn ?table response
-- @treturn ?table failure
function _M.send(context, operation, call, request)
  request.connect_timeout = request.connect_timeout or context.connect_timeout
  request.insecure_http = context.insecure_http
  request.headers["User-Agent"] = _M.USER_AGENT
  local response, failure = deliver(context, request)
  tell(context, operation, call, request, response, failure)
  return response, failure
end

-- Once an order is on its way Ctrl-C does not interrupt it, nor does a second
-- one in the listener.
local function interrupt_listener(context)
  return function()
    pcall(listener.event, context, { name = "interrupt",
      timeout = context.timeout })
  end
end

-- The headers of an answer that `task_reader` looks at.
local READS = { "retry-after", "date" }

-- What few requests need is added to it.
local function new_request(context, operation, timeout)
  return {
    method = operation.method,
    headers = context.headers,
    timeout = timeout and timeout < context.timeout and timeout
      or context.timeout,
    connect_timeout = context.connect_timeout,
    insecure_http = context.insecure_http,
    max_body = context.max_answer,
    reads = READS,
    url = nil, task_id = nil,
  }
end

-- Of an order all evidence is kept.
local function order_of(context, operation, call)
  local request = new_request(context, operation)
  request.reads = nil
  request.url = operation.url(context.base_url, call)
  request.headers = { ["Content-Type"] = "application/json" }
  for name, value in pairs(context.headers) do
    request.headers[name] = value
  end
  request.body, request.send_by = call.body, call.send_by
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

-- What a request came to: response, or nil and an err. A failure with enough of
-- an answer gives a response.
local function received(context, operation, call, response, failure)
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

--- Ask the API about a task.
-- @tparam table context of the client
-- @tparam table operation one of `starvideos.provider.operations` that costs nothing
-- @tparam string task_id
-- @tparam[opt] number timeout seconds, at most the client's own
-- @tparam[opt] table reads the headers that the caller reads, see
--   `starvideos.host`; default those of `task_reader`
-- @tparam[opt=false] boolean public_only as in a request
-- @treturn ?table response
-- @treturn ?table err
-- @raise Ctrl-C that came while the listener ran
function _M.ask(context, operation, task_id, timeout, reads, public_only)
  local request = new_request(context, operation, timeout)
  request.public_only = public_only
  request.task_id, request.reads = task_id, reads or READS
  request.url = operation.url(context.base_url, request)
  local response, failure = deliver(context, request)
  local err
  response, err = received(context, operation, request, response, failure)
  tell(context, operation, request, request, response, failure)
  return response, err
end

-- Sends one try. From before it is sent until its outcome is recorded whoever
-- enters the library can settle it.
local function send(context, operation, call, steps, one)
  local ok, err = steps.begin()
  if not ok then
    one.outcome = { err = err }
    return
  end
  one.request = order_of(context, operation, call)
  if not context.runtime.transport then -- only the engine can be asked again
    wire.add(one)
  end
  one.response, one.failure = deliver(context, one.request)
  wire.add(one)
  one.settle(one.response, one.failure)
  wire.remove(one)
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

-- One try to send an order, in a table: its functions may run longer than the
-- caller, and nginx reuses the caller's variables then. It is a flight of
-- `starvideos.provider.wire`.
local function new_try(context, operation, call, steps)
  local one = { context = context, id = call.order,
    process = core.process_id() }
  function one.settle(response, failure, is_late)
    if not one.outcome then
      local read, err = received(context, operation, call, response, failure)
      one.outcome = steps.take(read, err, is_late)
      one.response, one.failure = read, failure
    end
  end
  function one.send()
    send(context, operation, call, steps, one)
    steps.leave()
  end
  function one.send_on()
    local ok, raised = pcall(send, context, operation, call, steps, one)
    one.raised = not ok
    steps.leave()
    if not ok then
      error(raised, 0)
    end
  end
  function one.tell()
    if one.request then
      local task = one.outcome and one.outcome.task
      tell(context, operation, { order = call.order, key = call.key,
        task_id = task and task.id or nil }, one.request, one.response,
        one.failure)
    end
    steps.tell()
  end
  function one.lost()
    one.tell()
    return one.outcome and sentence_of(one.outcome)
  end
  return one
end

--- Send an order, once. Where the caller may be killed while it waits, the
-- exchange and its record are completed without it.
-- @tparam table context of the client
-- @tparam table operation one of `starvideos.provider.operations`
-- @tparam table call what the operation's path needs, and `body`; `order` and
--   `key`, where it is in the ledger; `send_by` (of
--   `starvideos.core.boottime`: from then on it is not sent) may be set by
--   `begin`
-- @tparam table steps of the caller: `begin()` is called right before; where
--   it returns nil and an err, nothing is sent. `take(response, err, is_late)`
--   returns the outcome, before any listener is told: what a listener does must
--   not come between an order and its record. It may be called again where an
--   error ended it; `is_late`: the caller has ended, so that nothing is retried.
--   `leave()` is called in the end, except where an error ended the coroutine.
--   `tell()` is called after that, to tell listeners what else has happened
-- @treturn table outcome as `take` made it; `err` alone where `begin` failed
-- @treturn boolean whether Ctrl-C came while the listener ran
function _M.order(context, operation, call, steps)
  local one = new_try(context, operation, call, steps)
  if context.runtime.shield then
    context.runtime:shield(one.send_on, one.lost)
  else
    one.send()
  end
  local ok, raised = pcall(one.tell)
  local interrupted = not ok and listener.is_interrupt(context, raised)
  if interrupted then
    context.runtime:interrupt()
  end
  return one.outcome, interrupted
end

return _M
