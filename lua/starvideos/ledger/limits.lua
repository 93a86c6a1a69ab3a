--- The limits of a ledger, and the steps of an order that use them: before an
-- order is sent it reserves what it needs of each limit that applies to it, in
-- the transaction that makes it `submitting`; in the transaction of a later step
-- it gives back what it does not need any more.
--
-- The order's row says what it has: `slot` (an open task) and `spent_in` (its
-- cost is part of the spend of that day). What a limit has `used` is the sum of
-- these, so it can always be counted again: `starvideos.ledger.recount`.
-- @module starvideos.ledger.limits

local queue_stops = require "starvideos.ledger.queue_stops"
local limit_kinds = require "starvideos.ledger.limit_kinds"
local limit_sql = require "starvideos.ledger.limit_sql"
local recount = require "starvideos.ledger.recount"

local _M = {}

-- How often an order that fits, though it did not a moment ago, is tried again.
local TRIES = 5

-- For how many seconds a ledger that has limits is not asked whether it has.
local REMEMBERED = 60

-- The states of an order that is, or may be, an open task of the provider.
local holding = { submitting = true, accepted = true, unknown = true }

-- Those of one that certainly was not bought.
local unsent = { staged = true, queued = true, prepared = true, refused = true }

-- What a step does, by the state before and the state after.
local effects = {
  submitting = { unknown = "pause", prepared = "settle", queued = "settle",
    refused = "settle", failed = "settle", cancelled = "settle" },
  accepted = { completed = "settle", downloaded = "settle",
    abandoned = "pause", failed = "settle", cancelled = "settle" },
  unknown = { accepted = "settle", completed = "settle",
    downloaded = "settle", failed = "settle", cancelled = "settle" },
  completed = { failed = "settle", cancelled = "settle" },
}
-- An answer that comes late: it was bought after all, or may have been.
local late = { accepted = "settle", completed = "settle", failed = "settle",
  cancelled = "settle", downloaded = "settle", unknown = "settle",
  submitting = "reserve" }
for state in pairs(unsent) do
  effects[state] = late
end

local NONE = " NOT EXISTS (SELECT 1 FROM starvideos_limits WHERE %s"
  .. " AND @applies@)"

-- What holds of a ledger that has no limit of any kind: it is asked no
-- more than that.
local UNLIMITED = { count = 0, sql = "NOT EXISTS (SELECT 1 FROM starvideos_limits)" }

local RESERVE = ([[UPDATE starvideos_limits SET
  used = CASE WHEN kind = 'open' THEN used + 1
    WHEN kind IN ('spend/day', 'spend/total') THEN @spent@ + :cost
    ELSE used END,
  began = CASE WHEN kind = 'spend/day' THEN @window@
    WHEN kind = 'creates' THEN @gap@ + CASE WHEN began > :now THEN :now
      WHEN began > :now - %d THEN began ELSE :now - %d END
    WHEN kind = 'hold' AND @own_factor@ < 1
      THEN :now + 1.0 / @own_factor@ / %d
    ELSE began END,
  full_until = CASE WHEN kind = 'hold' THEN full_until END,
  updated_at = :now
  WHERE @kept@ AND @applies@ AND @fits@]]):format(limit_sql.policy.burst,
  limit_sql.policy.burst, limit_sql.policy.rate)

-- Changes the order where so many limits have changed as apply.
local RESERVED = {
  set = ([[spent_in = @window@, slot = (SELECT MIN(%.0f)
    FROM starvideos_limits WHERE kind = 'open' AND @applies@)]])
    :format(limit_sql.FOREVER),
  where = [[(SELECT COUNT(*) FROM starvideos_limits
    WHERE @kept@ AND @applies@) = :count]],
}

-- A slot of a task that may go on, though nobody can see it, is the order's own
-- for as long as a wait takes.
local PAUSED = { set = ("slot = CASE WHEN slot IS NULL THEN NULL"
  .. " ELSE :now + %d END"):format(limit_sql.policy.slot) }

-- The task is seen again.
local RESUMED = { set = ("slot = CASE WHEN slot IS NULL THEN NULL"
  .. " ELSE %.0f END"):format(limit_sql.FOREVER) }

-- What an order has, which the row in hand need not tell: a limit that was set
-- since has counted it.
local TRUTH = [[SELECT slot, spent_in, :now AS now, @window@ AS day,
  (SELECT COUNT(*) FROM starvideos_limits
    WHERE kind = 'open' AND @applies@) AS opens,
  (SELECT MAX(refunds) FROM starvideos_limits
    WHERE kind <> 'open' AND @counted@ AND @applies@) AS refunds
  FROM starvideos_orders WHERE order_id = :id AND revision = :revision]]

local SETTLED = { set = "slot = :slot, spent_in = :spent_in" }

-- `slots` and `spend` are what the order has more than before.
local SETTLE = [[UPDATE starvideos_limits SET
  used = CASE WHEN kind = 'open' THEN
      CASE WHEN used + :slots > 0 THEN used + :slots ELSE 0 END
    WHEN @spent@ + :spend > 0 THEN @spent@ + :spend ELSE 0 END,
  began = CASE WHEN kind = 'spend/day' AND began < @window@ THEN @window@
    ELSE began END,
  full_until = NULL, updated_at = :now
  WHERE @applies@ AND (kind = 'open' AND :slots <> 0
    OR :spend <> 0 AND currency = :currency AND (kind = 'spend/total'
      OR kind = 'spend/day' AND (began <= :day_of OR :spend > 0)))]]

-- Where the order has nothing, and no limit counts it, it is changed alone.
local ALONE = " slot IS NULL AND " .. NONE:format "@counted@"
local ALONE_QUEUED = ALONE .. " AND" .. NONE:format "kind = 'failures'"
local FREE = " slot IS NULL"
local FREE_QUEUED = FREE .. " AND" .. NONE:format "kind = 'failures'"

--- What a change of an order does to the limits.
-- @tparam table row
-- @tparam table after
-- @treturn ?string `reserve`, `settle`, `pause` or `resume`; nil: nothing
function _M.effect(row, after)
  local state = row.state
  if state ~= after.state then
    local of_state = effects[state]
    return of_state and of_state[after.state]
  elseif state == "accepted" and row.missing_since ~= after.missing_since then
    return after.missing_since and "pause" or "resume"
  end
end

-- Binds what is added to the change of an order.
local function bound(store, extra, values)
  local result = {}
  for part, template in pairs(extra) do
    local sql, list, count = limit_sql.bind(store, template, values)
    result[part] = { sql = sql, values = list, count = count }
  end
  return result
end

-- The row as it will be; false where another process has changed it; nil and an
-- err; or nil, nil and true where it is as it was, and the condition does not
-- hold.
local function change_order(store, row, change, more)
  local count, err = store:save(row, change, more)
  if not count then
    return nil, err
  elseif count == 0 then
    return store:was_taken(row, change.after)
  end
  return store:changed(row, change)
end

local function reserve_all(store, row, change, values)
  local count, err = limit_sql.run(store, RESERVE, values)
  if not count then
    return nil, err
  end
  values.count = count
  count, err = store:save(row, change, bound(store, RESERVED, values))
  if not count then
    return nil, err
  elseif count == 0 then
    return nil, "it does not fit"
  end
  change.after.spent_in = values.day
  change.after.slot = values.count > 0 and limit_sql.FOREVER or nil
  return store:changed(row, change)
end

-- Why the order does not fit; false where it does now, for slots of orders whose
-- outcome is unknown were overdue, or another order has given back.
local function refusal_of(store, caller, values)
  local err, problem = limit_kinds.find(store, caller, values)
  if problem then
    return nil, problem
  elseif not err then
    return false
  end
  local freed
  freed, problem = recount.free_overdue(store, values)
  if not freed then
    return nil, problem
  end
  return freed == 0 and err
end

-- Whether the ledger had limits a moment ago.
local function is_limited(store, caller)
  local since = store.limited_at
  return since ~= nil and caller.now >= since
    and caller.now < since + REMEMBERED
end

local function reserve_nothing(store, caller, row, change)
  local day = limit_sql.day(caller.now)
  change.after.spent_in = day
  return change_order(store, row, change, { where = UNLIMITED,
    set = limit_sql.assignment(store, "spent_in", "day", day) })
end

local function reserve(store, caller, row, change)
  if not is_limited(store, caller) then
    local after, err, is_same = reserve_nothing(store, caller, row, change)
    if not is_same then
      return after, err
    end
    store.limited_at = caller.now
  end
  local values = limit_sql.values(store, caller, row)
  queue_stops.sweep(store, values)
  for _ = 1, TRIES do
    local after, err = store:atomically(function()
      return reserve_all(store, row, change, values)
    end)
    if after or type(err) == "table" then
      return after, err
    end
    local refused, problem = refusal_of(store, caller, values)
    if refused == nil or refused then
      return nil, refused or problem
    end
    local is_same
    after, err, is_same = store:was_taken(row, change.after)
    if not is_same then
      return after, err
    end
  end
  return nil, store:failure("written", "other processes keep changing its"
    .. " limits")
end

-- What an order is to have after a step: its slot, and the day it was spent in.
local function due(from, to, truth)
  local slot, spent_in = nil, truth.spent_in
  if holding[to] and (truth.slot or tonumber(truth.opens) > 0) then
    slot = to == "unknown" and tonumber(truth.now) + limit_sql.policy.slot
      or limit_sql.FOREVER
  end
  local is_refunded = (to == "failed" or to == "cancelled")
    and (tonumber(truth.refunds) or 0) > 0
  if unsent[to] or is_refunded then
    spent_in = nil
  elseif unsent[from] then
    spent_in = truth.day
  end
  return slot, spent_in
end

local function number(truth)
  return truth and 1 or 0
end

local function settle_all(store, caller, row, change, values)
  local after = change.after
  local rows, err = limit_sql.rows(store, TRUTH, values)
  local truth = rows and rows[1]
  if not truth then
    return rows and false, err
  end
  values.slot, values.spent_in = due(row.state, after.state, truth)
  values.slots = number(values.slot) - number(truth.slot)
  values.spend = (tonumber(row.cost) or 0)
    * (number(values.spent_in) - number(truth.spent_in))
  values.day_of = truth.spent_in or truth.day
  after.slot, after.spent_in = values.slot, values.spent_in
  local count
  count, err = store:save(row, change, bound(store, SETTLED, values))
  if count ~= 1 then
    return count and false, err
  end
  if values.slots ~= 0 or values.spend ~= 0 then
    count, err = limit_sql.run(store, SETTLE, values)
  end
  if count then
    count, err = queue_stops.count(store, caller, after)
  end
  return count and store:changed(row, change), err
end

-- What may change without a look at the limits, and what more it sets.
local function alone(row, after)
  local from, to = row.state, after.state
  local is_spend = unsent[from] or unsent[to] or to == "failed"
    or to == "cancelled" or to == "accepted"
  local is_queued = row.queued_at ~= nil
  return {
    where = is_spend and (is_queued and ALONE_QUEUED or ALONE)
      or is_queued and FREE_QUEUED or FREE,
    set = unsent[to] and "spent_in = NULL"
      or unsent[from] and "spent_in = @window@" or nil,
  }
end

local function settle(store, caller, row, change)
  local values = limit_sql.values(store, caller, row)
  local is_counted = row.slot or row.queued_at
    and change.after.state == "failed"
  if not is_counted then
    local after, err, is_same = change_order(store, row, change,
      bound(store, alone(row, change.after), values))
    if not is_same then
      return after, err
    end
  end
  return store:atomically(function()
    return settle_all(store, caller, row, change, values)
  end)
end

local function pause(store, caller, row, change)
  return change_order(store, row, change, bound(store, PAUSED,
    limit_sql.values(store, caller, row)))
end

local function resume(store, _, row, change)
  return change_order(store, row, change, bound(store, RESUMED, {}))
end

local steps = { reserve = reserve, settle = settle, pause = pause,
  resume = resume }

--- Make a change of an order that uses limits, with all that follows for them.
-- @tparam table store
-- @tparam table caller
-- @tparam table row as it was read
-- @tparam table change of the store
-- @tparam string effect see `effect`
-- @treturn ?table the new row; false where another process has changed it
-- @treturn ?table err; of kind limited where the order does not fit: then nothing
--   has changed
function _M.carry_out(store, caller, row, change, effect)
  local after, err = steps[effect](store, caller, row, change)
  if after == nil and not err then
    after = false
  end
  return after, err
end

return _M
