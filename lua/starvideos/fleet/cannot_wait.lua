--- Why an open order cannot be waited for, and what to do about it.
-- @module starvideos.fleet.cannot_wait

local errors = require "starvideos.errors"
local states = require "starvideos.ledger.states"

-- For how long a task that the provider does not know is still queried.
local MISSING_SECONDS = 24 * 3600

local advice = {
  queued = "nothing was bought; a worker sends it (client:work, starvideos work)",
  prepared = "nothing was bought; order it again under its key to send it",
  submitting = "a process is sending it right now, and may buy it; resume again"
    .. " later",
  unknown = "it was sent, and may have been bought; check your account with"
    .. " the provider, then adopt the task you find there, or order again with"
    .. " another take, or dismiss it",
  elsewhere = "it was ordered at %s, and this client has another base URL:"
    .. " resume it with that one",
  account = "it is of %s, and this client is of %s: resume it with the account"
    .. " (--account) and the API key that it was ordered with, or label it where"
    .. " it has none",
  late = "another task was bought for it, whose answer came late (%s): download"
    .. " that, then dismiss the order",
}

local function account_name(account)
  return account and "the account " .. account or "no account"
end

-- Why an order cannot be waited for; nil where it can.
local function fault_of(context, order)
  local what, fact, other = not order.task_id and order.state, nil, nil
  if order.base_url ~= context.base_url then
    what, fact = "elsewhere", order.base_url
  elseif order.account ~= context.account then
    what, fact, other = "account", account_name(order.account),
      account_name(context.account)
  elseif order.late_tasks and not states.is_open(order.state) then
    what, fact = "late", table.concat(order.late_tasks, ", ")
  end
  if not what then
    return nil
  end
  return errors.new {
    kind = what == "unknown" and "outcome_unknown" or "ledger",
    message = ("order %s is %s: %s"):format(order.key or order.id, order.state,
      (advice[what] or "its task is not known"):format(fact, other)),
    order = order,
  }
end

-- With a wrong key every task looks unknown: such an order stays open, but not
-- every resume queries it for ever.
local function missing_for_long(context, order)
  local since = order.missing_since
  local seconds = since and context.wall_clock() - since or 0
  if seconds < MISSING_SECONDS then
    return nil
  end
  return errors.new {
    kind = "not_found",
    message = ("the provider has not known task %s for %.0f h, so it was not"
      .. " queried now; it was bought: resume with missing (--missing) queries it,"
      .. " dismiss with force (--force) dismisses the order"):format(order.task_id,
      seconds / 3600),
    order = order,
    task_id = order.task_id,
  }
end

--- Find the reason.
-- @tparam table context of a client with a ledger
-- @tparam table order
-- @tparam ?boolean missing whether tasks are waited for that the provider has not
--   known for long
-- @treturn ?table err; nil where the order can be waited for
return function(context, order, missing)
  return fault_of(context, order)
    or not missing and missing_for_long(context, order) or nil
end
