--- An order on its way: what the ledger is to know of it at each step. Without
-- a ledger the steps are the same and nothing is written.
-- @module starvideos.orders

local errors = require "starvideos.errors"
local exchange = require "starvideos.exchange"
local redact = require "starvideos.redact"
local retry = require "starvideos.retry"
local tasks = require "starvideos.task"

local _M = {}

local Order = {}
Order.__index = Order

local Unrecorded = {}
Unrecorded.__index = Unrecorded

function Unrecorded.submitting()
  return true
end

function Unrecorded.accepted()
  return true
end

function Unrecorded.failed() end

-- The state an order is in after an answer; where it may have arrived nothing
-- else than unknown.
local state_after = {
  auth = "refused",
  config = "refused",
  invalid_request = "refused",
  rate_limited = "prepared",
  network = "prepared",
  cancelled = "prepared",
}

--- The order is about to be sent.
-- @treturn ?boolean true
-- @treturn ?table err of kind ledger: then it must not be sent
function Order:submitting()
  local row, err = self.ledger:submitting(self.row)
  if not row then
    self.ledger.hold(self.row, nil)
    err.message = err.message .. "; the order was not sent"
    return nil, err
  end
  self.row = row
  return true
end

--- The order was accepted.
-- @tparam table task
-- @treturn ?boolean true
-- @treturn ?table err of kind ledger that carries the task
function Order:accepted(task)
  self.ledger.hold(self.row, nil)
  local row, err = self.ledger:settle(self.row, "accepted",
    { task_id = task.id })
  if row then
    self.row = row
    return true
  end
  err.message = ("task %s was created, but %s; write its id down, and adopt it"
    .. " for the order %s once that is mended"):format(task.id, err.message,
    self.row.order_id)
  err.task, err.task_id = task, task.id
  return nil, err
end

--- The order was not accepted, or nobody knows.
-- @tparam table problem the error; where its outcome is unknown it gets
--   the order
-- @tparam ?number pause seconds until it is sent again
function Order:failed(problem, pause)
  local state = state_after[problem.kind] or "unknown"
  problem.message = redact.key(problem.message, self.context.api_key)
  if state == "prepared" and problem.task_id then
    state = "unknown" -- whoever names a task may have made it
  elseif state == "prepared" and not pause and not self.row.order_key then
    state = "refused" -- no key leads back to it: it is over
  end
  local row, err
  if not pause then
    self.ledger.hold(self.row, nil)
  end
  if state == "prepared" then
    row, err = self.ledger:unsent(self.row, problem.message, pause)
  else
    row, err = self.ledger:settle(self.row, state, {
      error = problem.message, task_id = problem.task_id })
  end
  if row then
    self.row = row
  else
    exchange.tell_of_ledger(self.context, err)
  end
  if state == "unknown" then
    problem.order = self.context.ledger.order_of(self.row)
  end
end

local status_of = {
  accepted = "queued",
  completed = "completed",
  downloaded = "completed",
  failed = "failed",
  cancelled = "cancelled",
}

local function whole(seconds)
  return seconds and math.floor(seconds)
end

--- The task of an order as far as the ledger tells.
-- @tparam table row
-- @treturn table task
function _M.task_of(row)
  return tasks.new {
    id = row.task_id,
    object = "video",
    created = whole(row.state == "accepted" and row.updated_at
      or row.created_at), -- it may have been sent long after it was noted
    model = row.model,
    status = status_of[row.state],
    error = row.error,
  }
end

-- What became of the order that a key stands for.
local function fate_of(row)
  if row.task_id and row.state ~= "unknown" then
    return ("that one was bought as task %s"):format(row.task_id)
  elseif row.state == "unknown" then
    return "nobody knows whether that one was bought: see pending before you"
      .. " order it under another key"
  end
  return "that one is being sent"
end

local function conflict(context, row, wanted)
  local column = row.base_url ~= wanted.base_url and "base_url" or "params"
  local message = ("the key %s stands for another order: it was %s, now it is"
    .. " %s; nothing was sent now, and %s; for another video take another key")
    :format(wanted.key, row[column], wanted[column], fate_of(row))
  return errors.new {
    kind = "validation",
    message = message,
    violations = { { field = "key", code = "conflict", message = message } },
    order = context.ledger.order_of(row),
  }
end

local function unknown(context, row)
  return errors.new {
    kind = "outcome_unknown",
    message = ("the order with the key %s was sent before, and nobody knows"
      .. " what became of it; it may have been billed, so nothing was sent now:"
      .. " look at your account with the provider, then adopt the task you find"
      .. " there, or order again with resubmit, or dismiss the order")
      :format(tostring(row.order_key)),
    task_id = row.task_id,
    order = context.ledger.order_of(row),
  }
end

local function not_sent(kind, wanted, why)
  return errors.new {
    kind = kind,
    message = ("%s another process that is sending the order with the key %s;"
      .. " this one sent nothing"):format(why, wanted.key),
    sent = false,
  }
end

-- Another process is about to send the same order: what becomes of it is
-- this one's answer too.
local function begin(context, wanted)
  local runtime, policy = context.runtime, retry.policy
  local look = policy.order_look
  local until_then
  while true do
    local verdict, row = context.ledger:begin(wanted)
    if verdict ~= "busy" then
      return verdict, row
    end
    if context.blocks and not until_then and context.ledger.is_ours(row) then
      collectgarbage() -- it may be one whose call an error has torn
    end
    until_then = until_then or runtime:now() + context.ledger.lease
    if runtime:now() >= until_then then
      return nil, not_sent("ledger", wanted, "waited in vain for")
    end
    wanted.resubmit = nil -- what is being sent is not what it was said of
    local slept, why = runtime:sleep(look)
    if not slept then
      local err = not_sent("cancelled", wanted, "stopped waiting for")
      err.interrupted = why == "interrupted"
      return nil, err
    end
    look = math.min(look * policy.order_look_growth, policy.order_look_max)
  end
end

--- Note an order before it is sent.
-- @tparam table context of the client
-- @tparam table fields of the request
-- @tparam table options `key`, `resubmit`, `path`
-- @treturn ?table order with the methods `submitting`, `accepted`, `failed`;
--   nil where nothing is to be sent
-- @treturn ?table the task, where it was ordered before
-- @treturn ?table err
function _M.place(context, fields, options)
  local ledger = context.ledger
  if not ledger then
    return Unrecorded
  end
  local wanted = {
    key = options.key,
    resubmit = options.resubmit,
    path = ledger.path_of(options.path),
    model = type(fields.model) == "string" and fields.model or nil,
    base_url = context.base_url,
    params = ledger.text_of(fields, context.api_key),
  }
  local verdict, row = begin(context, wanted)
  if verdict == "send" then
    local order = setmetatable({ context = context, ledger = ledger,
      row = row }, Order)
    ledger.hold(row, order)
    return order
  elseif verdict == "known" then
    return nil, _M.task_of(row)
  elseif verdict == "unknown" then
    return nil, nil, unknown(context, row)
  elseif verdict == "conflict" then
    return nil, nil, conflict(context, row, wanted)
  end
  row.message = redact.key(row.message, context.api_key)
    .. (row.kind == "ledger" and "; nothing was ordered" or "")
  return nil, nil, row
end

return _M
