--- Why an order is not sent, as an error: what became of the one that was placed
-- before, whether something was bought, and what to do.
-- @module starvideos.order.refusal

local history = require "starvideos.ledger.history"
local errors = require "starvideos.errors"
local record = require "starvideos.ledger.record"

local _M = {}

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

--- The error for an order that is not sent because of one that is there.
-- @tparam string verdict of `starvideos.ledger.tasks`
-- @tparam table context of the client
-- @tparam table row of the order that is there
-- @tparam table wanted
-- @treturn table err
function _M.new(verdict, context, row, wanted)
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

--- The error for an order that another process is still sending.
-- @tparam string kind ledger (the wait timed out) or cancelled
-- @tparam table wanted
-- @treturn table err
function _M.not_awaited(kind, wanted)
  return errors.new {
    kind = kind,
    message = ("%s another process that is sending the order with the key %s;"
      .. " that one may buy it, this one sent nothing: order it again to get its"
      .. " task"):format(waits[kind], wanted.key),
    sent = false,
  }
end

--- The error for an order that another call of this Lua state is about to send,
-- which cannot go on while this one blocks.
-- @tparam table wanted
-- @tparam table row
-- @tparam table holder of the order, with the `context` of its client
-- @treturn table err
function _M.held_here(wanted, row, holder)
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

--- Whether the task of an order ended without a video.
-- @tparam table row
-- @treturn boolean
function _M.has_ended(row)
  return row.state == "failed" or row.state == "cancelled"
end

--- Say in an error how to order another video under the same key.
-- @tparam table problem
-- @tparam table row of the order
-- @tparam ?number next_take the next free take
-- @treturn table problem
function _M.with_next_take(problem, row, next_take)
  if row.order_key then
    problem.next_take = next_take or row.next_take or row.take + 1
    problem.message = ("%s; take %d of the key %s orders nothing more: %s")
      :format((problem.message:gsub("%.$", "")), row.take, row.order_key,
        again(problem.next_take))
  end
  return problem
end

--- The error for an order whose task ended without a video.
-- @tparam table context of the client
-- @tparam table row
-- @treturn table err
function _M.ended(context, row)
  local problem = _M.with_next_take(errors.task_failed(record.task(row)), row)
  problem.order = context.ledger.order_of(row)
  return problem
end

return _M
