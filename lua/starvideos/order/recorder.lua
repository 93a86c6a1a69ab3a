-- An order on its way: what is recorded of it at each step, and why one is not sent. An
-- answer is known here by the kind of its error alone.

local bodies = require "starvideos.provider.body"
local errors = require "starvideos.errors"
local history = require "starvideos.ledger.history"
local listener = require "starvideos.base.listener"
local record = require "starvideos.ledger.record"
local wire = require "starvideos.order.wire"

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  write_patience = 10, -- for which a create tries to record its task
  write_pause = 0.1, -- half of the first pause between two such tries
  look = 0.05, -- between looks at an order that another process sends
  look_growth = 1.5, -- factor from one such look to the next
  look_max = 1, -- between them in the end
  collection = 1, -- between garbage collections, which hold up a whole host
}

-- Why an order is not sent, as an error: what became of the one that was placed
-- before, whether something was bought, and what to do.

-- `@word@` stands for a word of `words_of`; an error that says how to order
-- again (`@again@`) has the `next_take`, one with a `field` a violation of it.
local refusals = {
  conflict = { kind = "validation", field = "key", message = "the key @key@,"
    .. " take @take@, names another order: it has @before@, this one @now@;"
    .. " nothing was sent now, and @fate@; for another video use another key, or"
    .. " @again@" },
  spent = { kind = "validation", field = "take", message = "the order with the"
    .. " key @key@, take @take@, was dismissed; nothing was sent now: @again@" },
  unknown = { kind = "outcome_unknown", message = "the order with the key @key@,"
    .. " take @take@, was sent before, and its outcome is unknown; it may have"
    .. " been bought, so nothing was sent now: check your account with the"
    .. " provider, then adopt the task you find there, or @again@, or dismiss the"
    .. " order" },
  unlabelled = { kind = "config", message = "the order with the key @key@ has no"
    .. " account, and this client has the account @account@; nothing was sent:"
    .. " say whose order it is with `starvideos label @id@ ACCOUNT`, or"
    .. " client:label" },
  no_account = { kind = "config", message = "the order with the key @key@ is of"
    .. " the account @owner@, and this client has none; nothing was sent: pass"
    .. " the account of your API key with --account NAME (the client's option"
    .. " account)" },
  -- This process waited while another was sending it.
  unsent = { kind = "ledger", retryable = true, sent = false, message = "the"
    .. " process that was sending the order with the key @key@, take @take@,"
    .. " failed (@reason@); nothing was bought, and this process sent nothing:"
    .. " order it again" },
}

local function again(next_take)
  return ("order again with take = %d (--take %d)"):format(next_take, next_take)
end

-- What became of the order that a key and take stand for.
local function fate_of(row)
  if row.state == "abandoned" then
    return "the order of that key was dismissed"
  elseif row.task_id and row.state ~= "unknown" then
    return ("the order of that key was bought as task %s"):format(row.task_id)
  elseif row.state == "unknown" then
    return "whether the order of that key was bought is unknown: see pending"
      .. " before you order another take"
  end
  return "the order of that key is being sent"
end

local function words_of(row, wanted)
  local column = row.base_url ~= wanted.base_url and "base_url" or "params"
  local is_archived = column == "params" and row.params_form == history.ARCHIVED
  return { key = wanted.key, take = wanted.take, account = wanted.account,
    owner = row.account, id = row.order_id,
    before = is_archived and "others, which were archived" or row[column],
    now = wanted[column], fate = fate_of(row), again = again(row.next_take),
    reason = row.error or "the reason is unknown" }
end

-- The error for an order that is not sent because of one that is there.
local function refusal_of(verdict, context, row, wanted)
  local refusal, words = refusals[verdict], words_of(row, wanted)
  local message = refusal.message:gsub("@(%l+)@", function(word)
    return tostring(words[word])
  end)
  return errors.new {
    kind = refusal.kind,
    message = message,
    violations = refusal.field and { { field = refusal.field,
      code = "conflict", message = message } } or nil,
    retryable = refusal.retryable,
    sent = refusal.sent,
    task_id = verdict == "unknown" and row.task_id or nil,
    next_take = refusal.message:find "@again@" and row.next_take or nil,
    order = context.ledger.order_of(row),
  }
end

local waits = {
  ledger = "timed out waiting for",
  cancelled = "stopped waiting for",
}

-- The error for an order that another process is still sending.
local function not_awaited(kind, wanted)
  return errors.new {
    kind = kind,
    message = ("%s another process that is sending the order with the key %s;"
      .. " that one may buy it, this one sent nothing: order it again to get its"
      .. " task"):format(waits[kind], wanted.key),
    sent = false,
  }
end

-- The error for an order that another call of this Lua state is about to send,
-- which cannot go on while this one blocks.
local function held_here(wanted, row, holder)
  return errors.new {
    kind = "ledger",
    message = ("the starvideos client of %s in this program is about to send the"
      .. " order %s with the key %s, and cannot go on while this call waits; this"
      .. " call ordered nothing: let that one end, then order it again to get its"
      .. " task"):format(holder.context.base_url, row.order_id or "",
      wanted.key),
    sent = false,
  }
end

-- Whether the task of an order ended without a video.
local function has_ended(row)
  return row.state == "failed" or row.state == "cancelled"
end

-- Say in an error how to order another video under the same key.
local function with_next_take(problem, row, next_take)
  if row.order_key then
    problem.next_take = next_take or row.next_take or row.take + 1
    problem.message = ("%s; take %d of the key %s orders nothing more: %s")
      :format((problem.message:gsub("%.$", "")), row.take, row.order_key,
        again(problem.next_take))
  end
  return problem
end

-- The error for an order whose task ended without a video.
local function ended_error(context, row)
  local problem = with_next_take(errors.task_failed(record.task(row)), row)
  problem.order = context.ledger.order_of(row)
  return problem
end

local Order = {}
Order.__index = Order

-- The state of an order after an error; every other kind leaves it unknown, for
-- it may have arrived.
local state_after = {
  auth = "refused",
  config = "refused",
  invalid_request = "refused",
  rate_limited = "prepared",
  network = "prepared",
  io = "prepared",
  cancelled = "prepared",
  limited = "prepared",
}

-- Takes a step, unless another process has claimed the order.
local function step(self, method)
  local row, err = self.ledger[method](self.ledger, self.row)
  if not row and err.kind == "limited" then
    return nil, err -- the order is still this one's, and may be tried again
  elseif not row then
    self.ledger:release(self.row)
    err.message = err.message
      .. (err.misplaced and "" or "; the order was not sent")
    return nil, err
  end
  self.row = row
  return true
end

-- The order is about to be sent: until `send_by`, long enough before its lease ends for
-- an answer to come. Returns err of kind ledger: then it must not be sent; or limited:
-- then it may be tried again.
function Order:submitting()
  if self.check then
    local ok, err = self.check(self)
    if not ok then
      if self.stays then
        self.ledger:release(self.row) -- it is in the queue
      else
        self:failed(err)
      end
      return nil, err
    end
  end
  local context = self.context
  self.send_by = context.boottime() + context.ledger.lease - context.timeout
  return step(self, "submitting")
end

-- The order still waits for its turn to be sent: to be called well within its ledger's
-- `lease`, in seconds. One of the queue is its worker's for as long as that lives.
-- Returns err of kind ledger: then it must not be sent.
function Order:renew()
  if self.row.state == "queued" then
    return true
  end
  return step(self, "renew")
end

-- The provider said that there were too many requests: that holds for the orders of all
-- processes of the ledger.
function Order:hold(retry_after)
  local ok, err = self.ledger:hold(retry_after)
  self.unheld = not ok and err or nil
end

-- Records how the sending ended. Where the ledger cannot be written, tries again
-- for some seconds, but with `is_late` nobody waits for it; after that the ledger
-- writes it before anything else.
local function resolve(self, state, changes, is_late)
  local ledger, runtime = self.ledger, self.context.runtime
  local pause = _M.policy.write_pause
  local deadline = runtime:now() + _M.policy.write_patience
  local row, err
  repeat
    row, err = ledger:resolve(self.row, state, changes)
    pause = math.min(pause * 2, deadline - runtime:now())
    local is_over = row or err.gone or err.alone or err.interrupted or is_late
      or pause <= 0
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

-- Tell listeners what has become of the order. Raises Ctrl-C, and nothing else.
function Order:tell()
  self.ledger:tell()
  if self.unheld then
    listener.event(self.context, { name = "ledger", failure =
      "other programs do not know of the 429: " .. tostring(self.unheld) })
    self.unheld = nil
  end
end

-- What to say of a task that is recorded in a file that nobody else reads.
function _M.orphaned(id, lost)
  return ("task %s was bought, but %s; keep its id: by it the video can be waited"
    .. " for and downloaded"):format(id, lost.message)
end

-- The order was accepted. `is_late`: whether its caller has ended: nothing waits here.
-- Returns err of kind ledger that carries the task and the order.
function Order:accepted(task, is_late)
  local row, err = resolve(self, "accepted", { task_id = task.id,
    task_created = task.created }, is_late)
  if row then
    return true
  end
  err.message = err.misplaced and _M.orphaned(task.id, err)
    or ("task %s was bought, but %s; keep its id: this program records it as soon"
      .. " as the ledger can be written; if the program ends before that, adopt"
      .. " the task for the order %s"):format(task.id, err.message,
      self.row.order_id)
  err.task, err.task_id = task, task.id
  err.order = self.ledger.order_of(self.row)
  err.order.task_id = task.id
  return nil, err
end

-- Say in the error of a failed task how to order another video. `context`: of a client
-- with a ledger. `options`: `key`, `take`, `path`. `problem`: the error of a wait.
function _M.name_next_take(context, options, problem)
  local ledger = context.ledger
  local row = problem.kind == "task_failed"
    and ledger:placed(options)
  return row and with_next_take(problem, row) or problem
end

-- Records an order that was not accepted, or whose outcome is unknown; returns
-- the row, or nil and an err.
local function record_failure(self, state, problem, pause, is_late)
  if pause then
    return self.ledger:unsent(self.row, problem.message, pause)
  elseif state == "prepared" then
    local row, err = self.ledger:unsent(self.row, problem.message)
    self.ledger:release(self.row)
    return row, err
  end
  local task = problem.task or {}
  return resolve(self, state, { error = problem.message,
    task_id = problem.task_id, task_created = task.created,
    keeps_spend = task.status == "expired" or nil }, is_late)
end

-- The order was not accepted, its task failed at once, or its outcome is unknown.
-- `problem`: the error; where the outcome is unknown it gets the order. `pause`:
-- seconds until the order is sent again. `is_late`: as of `accepted`.
function Order:failed(problem, pause, is_late)
  local state = state_after[problem.kind] or "unknown"
  if self.stays and state == "refused" and self.stays(problem) then
    state = "prepared" -- and so queued
  end
  if problem.kind == "task_failed" then
    state = problem.task.status == "expired" and "failed" or problem.task.status
  elseif state == "prepared" and not pause and not self.stays
    and not self.row.order_key then
    state = "refused" -- no key leads back to it, and no worker claims it
  end
  if state == "unknown" and problem.task_id then
    problem.message = ("%s; if it is there, adopt it for the order %s"):format(
      problem.message, self.row.order_id)
  end
  local row, err = record_failure(self, state, problem, pause, is_late)
  if row then
    self.row = row
  else
    listener.event(self.context, { name = "ledger",
      failure = tostring(err) })
  end
  if state == "unknown" then
    problem.order = self.ledger.order_of(self.row)
    problem.next_take = self.row.order_key and self.next_take or nil
  elseif problem.kind == "task_failed" then
    with_next_take(problem, self.row, self.next_take)
  end
end

-- How long another may be about to send the same order: a reader of another
-- clock takes its lease as valid from now on.
local function patience(context, row)
  return math.max(context.ledger.lease, row.lease or 0)
    + 2 * _M.policy.look_max
end

local last_collection = -math.huge

-- An order of this Lua state that is not on the wire may belong to a call that an
-- error ended, or to a light thread that was killed: only the collector can tell.
local function collect(context)
  local runtime = context.runtime
  if runtime.shield
    and runtime:now() - last_collection >= _M.policy.collection then
    last_collection = runtime:now()
    collectgarbage()
  end
end

-- Collections after which an order that is still held is held by a living call.
local ENOUGH = 2

-- A call of this Lua state has the order. Where nothing else goes on while this
-- one waits, the answer to one on the wire is recorded here; what is not on the
-- wire yet never will be: an err.
local function attend(context, wanted, row, look)
  if not context.blocks or context.runtime:waiter() then
    wire.collect()
    return collect(context)
  elseif wire.look(row.order_id, look) then
    return nil
  end
  wanted.collections = (wanted.collections or 0) + 1
  if wanted.collections > ENOUGH then
    return held_here(wanted, row,
      context.ledger.holder_of(row) or { context = context })
  end
  collectgarbage()
end

-- Lets time pass between two looks: an err where the wait is to end.
local function pause(context, wanted, row, look)
  local runtime = context.runtime
  local ok, problem, why = true, nil, nil
  if context.ledger.is_ours(row) then
    ok, problem = pcall(attend, context, wanted, row, look)
  end
  if not ok and not (runtime.is_interrupt and runtime.is_interrupt(problem)) then
    error(problem, 0)
  elseif ok and problem then
    return problem
  elseif ok then
    ok, why = runtime:sleep(look)
  else
    why = "interrupted"
  end
  if not ok then
    local err = not_awaited("cancelled", wanted)
    err.interrupted = why == "interrupted"
    return err
  end
end

-- Where another process is about to send the same order, its outcome is the
-- answer here too. Once it was seen being sent, this process does not send it.
local function begin(context, wanted, order)
  local runtime, policy = context.runtime, _M.policy
  local look = policy.look
  local deadline
  while true do
    local verdict, row = context.ledger:begin(wanted, order)
    if verdict ~= "busy" then
      return verdict, row
    end
    wanted.waited = wanted.waited or row.state == "submitting"
    deadline = deadline or runtime:now() + patience(context, row)
    if runtime:now() >= deadline then
      return nil, not_awaited("ledger", wanted)
    end
    local err = pause(context, wanted, row, look)
    if err then
      return nil, err
    end
    look = math.min(look * policy.look_growth, policy.look_max)
  end
end

local function wanted_of(context, fields, options, keeps, price)
  local ledger = context.ledger
    local key, other_key = ledger:key_of(options)
  return {
    key = key,
    other_key = other_key,
    take = options.take or 1,
    path = ledger.path_of(options.path),
    model = type(fields.model) == "string" and fields.model or nil,
    mode = bodies.mode(fields),
    base_url = context.base_url,
    params = ledger.text_of(fields, context.api_key),
    label = options.label and record.name(options.label),
    cost = price and price.millionths,
    currency = price and price.currency,
    keeps = keeps,
  }
end

-- An order of the queue that a worker has claimed, to be sent. `context`: with the
-- worker's ledger. `check`: whether the worker may send it now: true, or nil and err.
-- `stays`: whether it stays in the queue though it was refused with an error, for that
-- does not lie with the order. Returns order, see `place`.
function _M.claimed(context, row, check, stays)
  local order = setmetatable({ context = context, ledger = context.ledger,
    row = row, check = check, stays = stays }, Order)
  context.ledger:keep(row, order)
  return order
end

-- Record an order before it is sent. `context`: of a client with a ledger. `fields`: of
-- the request. `options`: `key`, `take`, `path` and how it was `given`, `label`.
-- `keeps`: whether the caller waits for the video itself: a queued order is then no
-- worker's any more. `price`: of the order, see `starvideos.order.validate`. Returns
-- order with the methods `submitting`, `renew`, `accepted`, `failed`; nil where nothing
-- is to be sent, and the task, where it was ordered before.
function _M.place(context, fields, options, keeps, price)
  local ledger = context.ledger
  local wanted = wanted_of(context, fields, options, keeps, price)
  local order = setmetatable({ context = context, ledger = ledger }, Order)
  local verdict, row = begin(context, wanted, order)
  if verdict ~= "send" then
    ledger:tell()
  end
  if verdict == "send" then
    order.row, order.next_take = row, row.next_take
    return order
  elseif verdict == "known" and has_ended(row) then
    return nil, nil, ended_error(context, row)
  elseif verdict == "known" then
    return nil, record.task(row)
  elseif verdict then
    return nil, nil, refusal_of(verdict, context, row, wanted)
  end
  if row.sent == nil and (row.kind == "ledger" or row.kind == "cancelled") then
    row.message = row.message .. "; nothing was ordered"
  end
  return nil, nil, row
end

return _M
