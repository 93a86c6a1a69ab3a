-- The open orders of a ledger, and what a person decides about one.

local errors = require "starvideos.errors"
local fetch_task = require "starvideos.wait.fetch_task"

local _M = {}

-- Of an order's id, see `ledger:new_id`.
local ID_BYTES = 32

-- List the open orders, oldest first. `limit`: orders at most. `after`: id of the last
-- order of the page before. `all`: also those about which nothing is to be done.
-- Returns list of orders, and what to pass as `after` for the next page, nil where this
-- was the last; or err.
function _M.list(ledger, limit, after, all)
  local rows, more = ledger:pending(limit, after, all)
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

-- Look an order up. `id`: of the order, or its key. `take`: of the key.
function _M.order(ledger, id, take)
  return order_or_error(ledger, ledger:find(id, take))
end

-- Dismiss an order. `id`: of the order, or its key.
function _M.dismiss(ledger, id, options)
  local row, err = ledger:find(id, options.take)
  if row then
    row, err = ledger:dismiss(row.order_id, { force = options.force })
  end
  return order_or_error(ledger, row, err)
end

-- Set the account of an order. `id`: of the order, or its key. `take`: of the key.
function _M.label(ledger, id, account, take)
  return order_or_error(ledger, ledger:label(id, account, take))
end

-- A task has one order, apart from those that were dismissed.
local function check_free(ledger, order, task_id)
  local owned, err = ledger:own_of_task(task_id)
  if owned and owned.order_id ~= order.order_id
    and owned.state ~= "abandoned" then
    err = errors.new { kind = "validation",
      message = ("the task %s is already of the order %s"):format(task_id,
        owned.order_id) }
  end
  return not err or nil, err
end

-- An order's id, of one that the ledger does not hold.
local function is_forgotten(id, take, err)
  return err ~= nil and err.kind == "not_found" and not take
    and id:find "^%x+$" ~= nil and #id == ID_BYTES
end

local function record_task(ledger, row, id, task)
  local err
  if row then
    row, err = ledger:adopt(row.order_id, task.id)
  else
    row, err = ledger:adopt_forgotten(id, task)
  end
  local ok = row
  if row then
    ok, err = ledger:seen(task)
  end
  return ok and row.order_id, err
end

-- Give an order of unknown outcome its task. The provider must know the task, so that a
-- typing error is not recorded. An order that the ledger has forgotten, for its
-- database was put back to an earlier time, is recorded again by its id. `context`: of
-- the client. `id`: of the order, or its key. `take`: of the key.
function _M.adopt(context, id, task_id, take)
  local ledger = context.ledger
  local row, err = ledger:find(id, take)
  if not row and not is_forgotten(id, take, err) then
    return nil, err
  end
  local ok
  ok, err = check_free(ledger, row or { order_id = id }, task_id)
  if not ok then
    return nil, err
  end
  local task
  -- Without the ledger, which would take it for another provider's of that id.
  task, err = fetch_task.query(setmetatable({ ledger = false }, { __index = context }),
    task_id)
  if not task then
    return nil, err
  end
  local order_id
  order_id, err = record_task(ledger, row, id, task)
  if not order_id then
    return nil, err
  end
  return order_or_error(ledger, ledger:order(order_id))
end

return _M
