--- The open orders of a ledger, and what a person decides about one whose fate
-- nobody knows.
-- @module starvideos.pending

local errors = require "starvideos.errors"
local query = require "starvideos.query"

local _M = {}

--- List the open orders, oldest first.
-- @tparam table ledger
-- @tparam number limit orders at most
-- @tparam ?string after id of the last order of the page before
-- @treturn ?table list of orders
-- @treturn ?string|table what to pass as `after` for the next page, nil
--   where this was the last; or err
function _M.list(ledger, limit, after)
  local rows, more = ledger:pending(limit, after)
  if not rows then
    return nil, more
  end
  local list = {}
  for index, row in ipairs(rows) do
    list[index] = ledger.order_of(row)
  end
  return list, more
end

local function order_or_error(ledger, row, err)
  if not row then
    return nil, err
  end
  return ledger.order_of(row)
end

--- Give an order up.
-- @tparam table ledger
-- @tparam string id of the order
-- @tparam ?boolean force
-- @treturn ?table order
-- @treturn ?table err
function _M.dismiss(ledger, id, force)
  return order_or_error(ledger, ledger:dismiss(id, force))
end

--- Say which task an order of unknown fate has become. The provider must know
-- the task, so that a slip of the pen is not taken for a fact.
-- @tparam table context of the client
-- @tparam string id of the order
-- @tparam string task_id
-- @treturn ?table order
-- @treturn ?table err
function _M.adopt(context, id, task_id)
  local ledger = context.ledger
  local owned, err = ledger:of_task(task_id)
  if owned and owned.order_id ~= id and owned.state ~= "abandoned" then
    err = errors.new { kind = "validation",
      message = ("task %s belongs to the order %s"):format(task_id,
        owned.order_id) }
  end
  if err then
    return nil, err
  end
  local task, problem = query(context, task_id)
  if not task then
    return nil, problem
  end
  local row
  row, err = ledger:adopt(id, task_id)
  if not row then
    return nil, err
  end
  local ok
  ok, err = ledger:seen(task)
  if not ok then
    return nil, err
  end
  return order_or_error(ledger, ledger:of_task(task_id))
end

return _M
