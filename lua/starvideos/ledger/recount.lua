--- What the orders of a ledger use of its limits, counted from the orders.
-- @module starvideos.ledger.recount

local limit_sql = require "starvideos.ledger.limit_sql"

local _M = {}

local OF_LIMIT = [[(starvideos_limits.scope = ''
  OR starvideos_limits.scope = 'account'
    AND o.account = starvideos_limits.value
  OR starvideos_limits.scope = 'label' AND o.label = starvideos_limits.value)]]

-- The orders that are open tasks, and of which no limit has asked that yet.
local HOLD_SLOTS = ([[UPDATE starvideos_orders SET slot = CASE
    WHEN state = 'unknown' THEN updated_at + %d ELSE %.0f END
  WHERE slot IS NULL AND (state IN ('submitting', 'accepted')
    OR state = 'unknown' AND updated_at + %d > :now)
  AND EXISTS (SELECT 1 FROM starvideos_limits WHERE kind = 'open'
    AND (scope = '' OR scope = 'account' AND value = account
      OR scope = 'label' AND value = label))]]):format(limit_sql.policy.slot,
  limit_sql.FOREVER, limit_sql.policy.slot)

local SLOTS = [[UPDATE starvideos_limits SET full_until = NULL, used = (
  SELECT COUNT(*) FROM starvideos_orders AS o WHERE o.slot IS NOT NULL AND ]]
  .. OF_LIMIT .. ") WHERE kind = 'open'"

local SPEND = [[UPDATE starvideos_limits SET full_until = NULL, used = (
  SELECT COALESCE(SUM(o.cost), 0) FROM starvideos_orders AS o
  WHERE o.spent_in IS NOT NULL AND o.currency = starvideos_limits.currency
  AND (starvideos_limits.kind = 'spend/total'
    OR o.spent_in >= starvideos_limits.began) AND ]] .. OF_LIMIT .. [[)
  WHERE kind IN ('spend/day', 'spend/total')]]

local OVERDUE = [[SELECT order_id FROM starvideos_orders
  WHERE slot IS NOT NULL AND slot <= :now LIMIT 1]]

local FREE = [[UPDATE starvideos_orders SET slot = NULL
  WHERE slot IS NOT NULL AND slot <= :now]]

--- Count again what all limits have used. To be called in a transaction.
-- @tparam table store
-- @tparam table values see `starvideos.ledger.limit_sql`
-- @treturn ?boolean true
-- @treturn ?table err
function _M.recount(store, values)
  local ok, err = limit_sql.run(store, HOLD_SLOTS, values)
  if ok then
    ok, err = store:write(SLOTS)
  end
  if ok then
    ok, err = store:write(SPEND)
  end
  return ok and true, err
end

--- Free the slots of orders whose outcome has been unknown for too long.
-- @tparam table store
-- @tparam table values see `starvideos.ledger.limit_sql`
-- @treturn ?number how many
-- @treturn ?table err
function _M.free_overdue(store, values)
  local rows, problem = limit_sql.rows(store, OVERDUE, values)
  if not rows or not rows[1] then
    return rows and 0, problem
  end
  return store:atomically(function()
    local count, err = limit_sql.run(store, FREE, values)
    local ok = count
    if count and count > 0 then
      ok, err = store:write(SLOTS)
    end
    return ok and count, err
  end)
end

return _M
