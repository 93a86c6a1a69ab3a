--- An order on its way: what the ledger is to know of it at each step. Without
-- a ledger the steps are the same and nothing is written.
-- @module starvideos.ledger.recorder

local errors = require "starvideos.errors"
local exchange = require "starvideos.api.exchange"
local redact = require "starvideos.redact"
local retry = require "starvideos.api.retry"
local tasks = require "starvideos.api.task"

local _M = {}

local Order = {}
Order.__index = Order

local Unrecorded = {}
Unrecorded.__index = Unrecorded

function Unrecorded.submitting()
  return true
end

function Unrecorded.renew()
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

-- Moves the order on, unless another process has taken it.
local function step(self, method)
  local row, err = self.ledger[method](self.ledger, self.row)
  if not row then
    self.ledger:release(self.row)
    err.message = err.message .. "; the order was not sent"
    return nil, err
  end
  self.row = row
  return true
end

--- The order is about to be sent: until `send_by`, which is long enough before
-- its lease ends for an answer to come.
-- @treturn ?boolean true
-- @treturn ?table err of kind ledger: then it must not be sent
function Order:submitting()
  local context = self.context
  self.send_by = context.boottime() + self.ledger.lease - context.timeout
  return step(self, "submitting")
end

--- The order still waits for its turn to be sent: to be called well within
-- its ledger's `lease`, in seconds.
-- @treturn ?boolean true
-- @treturn ?table err of kind ledger: then it must not be sent
function Order:renew()
  return step(self, "renew")
end

-- Writes down how the order ended, for some seconds more where the ledger
-- cannot be written; after that it is written before anything else.
local function settle(self, state, changes)
  local ledger, runtime = self.ledger, self.context.runtime
  local policy = retry.policy
  local pause = policy.ledger_pause
  local until_then = runtime:now() + policy.ledger_patience
  local row, err
  repeat
    row, err = ledger:settle(self.row, state, changes)
    pause = math.min(pause * 2, until_then - runtime:now())
    local is_over = row or err.gone or err.interrupted or pause <= 0
    if not is_over then
      local slept, why = runtime:sleep(pause)
      err.interrupted = why == "interrupted" or nil
      is_over = not slept
    end
  until is_over
  ledger:release(self.row)
  self.row = row or self.row
  return row, err
end

--- The order was accepted.
-- @tparam table task
-- @treturn ?boolean true
-- @treturn ?table err of kind ledger that carries the task and the order
function Order:accepted(task)
  local row, err = settle(self, "accepted", { task_id = task.id,
    task_created = task.created })
  if row then
    return true
  end
  err.message = ("task %s was created, and %s; write its id down: it is written"
    .. " into the ledger as soon as that can be, for as long as this program"
    .. " runs; else adopt it for the order %s"):format(task.id, err.message,
    self.row.order_id)
  err.task, err.task_id = task, task.id
  err.order = self.ledger.order_of(self.row)
  err.order.task_id = task.id
  return nil, err
end

-- What to do for another video of the same key.
local function how_again(next_take)
  return ("order again with take = %d (--take %d)"):format(next_take, next_take)
end

-- A failed order says how to order again.
local function with_next_take(problem, row, next_take)
  if row.order_key then
    problem.next_take = next_take or row.next_take or row.take + 1
    problem.message = ("%s; nothing more is ordered as take %d of the key %s:"
      .. " %s"):format((problem.message:gsub("%.$", "")), row.take,
      row.order_key, how_again(problem.next_take))
  end
  return problem
end

--- Say in the error of a failed task how to order again.
-- @tparam table context of the client
-- @tparam table options `key`, `take`, `path`
-- @tparam table problem the error of a wait
-- @treturn table problem
function _M.name_next_take(context, options, problem)
  local ledger = context.ledger
  local row = ledger and problem.kind == "task_failed"
    and ledger:order(ledger:key_of(options), options.take)
  return row and with_next_take(problem, row) or problem
end

-- What the ledger is to know of an order that was not accepted, or of which
-- nobody knows; returns the row, or nil and an err.
local function give_in(self, state, problem, pause)
  if pause then
    return self.ledger:unsent(self.row, problem.message, pause)
  elseif state == "prepared" then
    local row, err = self.ledger:unsent(self.row, problem.message)
    self.ledger:release(self.row)
    return row, err
  end
  local task = problem.task or {}
  return settle(self, state, { error = problem.message,
    task_id = problem.task_id, task_created = task.created })
end

--- The order was not accepted, has ended at once, or nobody knows.
-- @tparam table problem the error; where its outcome is unknown it gets
--   the order
-- @tparam ?number pause seconds until it is sent again
function Order:failed(problem, pause)
  local state = state_after[problem.kind] or "unknown"
  problem.message = redact.key(problem.message, self.context.api_key)
  if problem.kind == "task_failed" then
    state = problem.task.status
  elseif state == "prepared" and problem.task_id then
    state = "unknown" -- whoever names a task may have made it
  elseif state == "prepared" and not pause and not self.row.order_key then
    state = "refused" -- no key leads back to it: it is over
  end
  local row, err = give_in(self, state, problem, pause)
  if row then
    self.row = row
  else
    exchange.tell_of_ledger(self.context, err)
  end
  if state == "unknown" then
    problem.order = self.ledger.order_of(self.row)
    problem.next_take = self.row.order_key and self.next_take or nil
  elseif problem.kind == "task_failed" then
    with_next_take(problem, self.row, self.next_take)
  end
end

local status_of = {
  accepted = "queued",
  completed = "completed",
  downloaded = "completed",
  failed = "failed",
  cancelled = "cancelled",
}

--- The task of an order as far as the ledger tells.
-- @tparam table row
-- @treturn table task
function _M.task_of(row)
  return tasks.new {
    id = row.task_id,
    object = "video",
    created = row.task_created,
    model = row.model,
    status = status_of[row.state],
    error = row.error,
  }
end

-- What became of the order that a key and take stand for.
local function fate_of(row)
  if row.state == "abandoned" then
    return "that one was given up"
  elseif row.task_id and row.state ~= "unknown" then
    return ("that one was bought as task %s"):format(row.task_id)
  elseif row.state == "unknown" then
    return "nobody knows whether that one was bought: see pending before you"
      .. " order it as another take"
  end
  return "that one is being sent"
end

local function conflict(context, row, wanted)
  local column = row.base_url ~= wanted.base_url and "base_url" or "params"
  local message = ("the key %s, take %d, stands for another order: it was %s,"
    .. " now it is %s; nothing was sent now, and %s; for another video take"
    .. " another key, or %s"):format(wanted.key, wanted.take, row[column],
    wanted[column], fate_of(row), how_again(row.next_take))
  return errors.new {
    kind = "validation",
    message = message,
    violations = { { field = "key", code = "conflict", message = message } },
    next_take = row.next_take,
    order = context.ledger.order_of(row),
  }
end

local function unknown(context, row, wanted)
  return errors.new {
    kind = "outcome_unknown",
    message = ("the order with the key %s, take %d, was sent before, and nobody"
      .. " knows what became of it; it may have been billed, so nothing was"
      .. " sent now: look at your account with the provider, then adopt the"
      .. " task you find there, or %s, or dismiss the order"):format(wanted.key,
      wanted.take, how_again(row.next_take)),
    task_id = row.task_id,
    next_take = row.next_take,
    order = context.ledger.order_of(row),
  }
end

local function spent(context, row, wanted)
  local message = ("the order with the key %s, take %d, was given up; nothing"
    .. " was sent now: %s"):format(wanted.key, wanted.take, how_again(row.next_take))
  return errors.new {
    kind = "validation",
    message = message,
    violations = { { field = "take", code = "conflict", message = message } },
    next_take = row.next_take,
    order = context.ledger.order_of(row),
  }
end

local function unlabelled(context, row, wanted)
  local message
  if wanted.account == "" then
    message = ("the order with the key %s is of the account %s, and this client"
      .. " is of none; nothing was sent: give the account of your key with"
      .. " --account NAME (the client's option account)"):format(wanted.key,
      row.account)
  else
    message = ("the order with the key %s has no account, and this client is of"
      .. " the account %s; nothing was sent: say whose it is with"
      .. " `starvideos label %s ACCOUNT`, or client:label"):format(wanted.key,
      wanted.account, row.order_id)
  end
  return errors.new { kind = "config", message = message,
    order = context.ledger.order_of(row) }
end

-- Waits never begin where another was seen sending it.
local function unsent(context, row, wanted)
  return errors.new {
    kind = "ledger",
    message = ("the process that was sending the order with the key %s, take"
      .. " %d, was not heard (%s); nothing was bought, and this one sent"
      .. " nothing: order it again"):format(wanted.key, wanted.take,
      row.error or "no reason is known"),
    retryable = true,
    sent = false,
    order = context.ledger.order_of(row),
  }
end

local function ended(context, row)
  local task = _M.task_of(row)
  local problem = with_next_take(errors.task_failed(task), row)
  problem.order = context.ledger.order_of(row)
  return problem
end

local refusals = { unknown = unknown, conflict = conflict, spent = spent,
  unlabelled = unlabelled, unsent = unsent }

local function not_sent(kind, wanted, why)
  return errors.new {
    kind = kind,
    message = ("%s another process that is sending the order with the key %s;"
      .. " this one sent nothing"):format(why, wanted.key),
    sent = false,
  }
end

-- How long another may be about to send the same order: a reader of another
-- clock believes its lease from now on.
local function patience(context, row)
  return math.max(context.ledger.lease, row.lease or 0)
    + 2 * retry.policy.order_look_max
end

-- Between two sweeps, which hold up all that a worker of nginx does.
local SWEEP_SECONDS = 1
local swept = -math.huge

-- An order of this Lua state may be one whose call an error has ended, or whose
-- light thread was killed: the collector alone knows.
local function sweep(context, row)
  local runtime = context.runtime
  if not context.ledger.is_ours(row) then
    return
  elseif context.blocks then
    collectgarbage()
  elseif runtime.shield and runtime:now() - swept >= SWEEP_SECONDS then
    swept = runtime:now()
    collectgarbage()
  end
end

-- Another process is about to send the same order: what becomes of it is
-- this one's answer too. Once it was seen on its way this one sends nothing.
local function begin(context, wanted, order)
  local runtime, policy = context.runtime, retry.policy
  local look = policy.order_look
  local until_then
  while true do
    local verdict, row = context.ledger:begin(wanted, order)
    if verdict ~= "busy" then
      return verdict, row
    end
    if not until_then or not context.blocks then
      sweep(context, row)
    end
    wanted.waited = wanted.waited or row.state == "submitting"
    until_then = until_then or runtime:now() + patience(context, row)
    if runtime:now() >= until_then then
      return nil, not_sent("ledger", wanted, "there was no end of waiting for")
    end
    local slept, why = runtime:sleep(look)
    if not slept then
      local err = not_sent("cancelled", wanted, "stopped waiting for")
      err.interrupted = why == "interrupted"
      return nil, err
    end
    look = math.min(look * policy.order_look_growth, policy.order_look_max)
  end
end

local function wanted_of(context, fields, options)
  local ledger = context.ledger
  local params, former = ledger.text_of(fields, context.api_key)
  return {
    key = ledger:key_of(options),
    take = options.take or 1,
    path = ledger.path_of(options.path),
    model = type(fields.model) == "string" and fields.model or nil,
    base_url = context.base_url,
    params = params,
    former = former,
  }
end

--- Note an order before it is sent.
-- @tparam table context of the client
-- @tparam table fields of the request
-- @tparam table options `key`, `take`, `path`
-- @treturn ?table order with the methods `submitting`, `renew`, `accepted`,
--   `failed`; nil where nothing is to be sent
-- @treturn ?table the task, where it was ordered before
-- @treturn ?table err
function _M.place(context, fields, options)
  local ledger = context.ledger
  if not ledger then
    return Unrecorded
  end
  local wanted = wanted_of(context, fields, options)
  local order = setmetatable({ context = context, ledger = ledger }, Order)
  local verdict, row = begin(context, wanted, order)
  if verdict == "send" then
    order.row, order.next_take = row, row.next_take
    return order
  elseif verdict == "known" and (row.state == "failed"
    or row.state == "cancelled") then
    return nil, nil, ended(context, row)
  elseif verdict == "known" then
    return nil, _M.task_of(row)
  elseif verdict then
    return nil, nil, refusals[verdict](context, row, wanted)
  end
  row.message = redact.key(row.message, context.api_key)
    .. ((row.kind == "ledger" or row.kind == "cancelled")
      and row.sent == nil and "; nothing was ordered" or "")
  return nil, nil, row
end

return _M
