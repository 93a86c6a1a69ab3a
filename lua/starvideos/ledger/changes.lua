-- What has changed in a ledger, as the events that a listener is told: plain data, made
-- where the change is written. See `starvideos.events`.

local redact = require "starvideos.base.redact"

local _M = {}

local MILLION = 1e6

local MANY = [[SELECT order_id, order_key, take, account, label, state, task_id,
  attempts, cost, currency, created_at, error FROM starvideos_orders WHERE %s
  ORDER BY order_id%s]]

-- Whole numbers come out of a database as floats.
local function whole(number)
  number = math.floor(tonumber(number) or 0)
  return math.tointeger and math.tointeger(number) or number
end

-- What every event of an order says of it.
local function event_of(name, row, at)
  return {
    name = name,
    at = at,
    order = row.order_id,
    key = row.order_key,
    take = whole(row.take),
    account = row.account ~= "" and row.account or nil,
    label = row.label,
    state = row.state,
    task_id = row.task_id,
  }
end

-- Of an order that is staged nobody is told before it is enqueued.
local function is_told(from, state)
  return state ~= from and state ~= "staged"
    and not (from == "staged" and state == "refused")
end

-- Note that the state of an order has changed. `store`: with a list `news` where
-- somebody listens; see `during`. `row`: as it is now. `from`: the state before; nil
-- where it was placed.
function _M.note(store, caller, row, from)
  local list = store.news
  if not list or not is_told(from, row.state) then
    return
  end
  local at = row.updated_at or caller.now
  local event = event_of("order", row, at)
  event.from = from
  event.attempt = whole(row.attempts)
  event.cost = row.cost and row.cost / MILLION
  event.currency = row.currency
  event.elapsed = math.max(0, at - (row.created_at or at))
  event.worker = caller.worker
  event.error = row.error and redact.urls(tostring(row.error)) or nil
  list[#list + 1] = event
end

-- Note that a task came for an order that had moved on.
function _M.note_late(store, caller, row, task_id)
  local list = store.news
  if list then
    local event = event_of("late_task", row, row.updated_at or caller.now)
    event.task_id = task_id
    list[#list + 1] = event
  end
end

-- Note something that a person should know of an order. `what`: a word, see
-- `starvideos.events`.
function _M.note_notice(store, caller, row, what, task_id, reason)
  local list = store.news
  if list then
    local event = event_of("notice", row, caller.now)
    event.notice, event.task_id, event.reason = what, task_id, reason
    list[#list + 1] = event
  end
end

-- Note that one statement is about to change the state of many orders. To be called in
-- its transaction. `condition`: SQL that the orders meet, with `?` for each value.
function _M.note_all(store, caller, state, condition, ...)
  if not store.news then
    return true
  end
  local lock = store.database:clock() and " FOR UPDATE" or ""
  local rows, err = store:read(MANY:format(condition, lock), ...)
  for _, row in ipairs(rows or {}) do
    local from = row.state
    row.state, row.updated_at = state, caller.now
    _M.note(store, caller, row, from)
  end
  return rows and true, err
end

-- How much is noted.
function _M.count(store)
  return #(store.news or "")
end

-- Forget what was noted since: it was not committed. `count`: as it was before.
function _M.forget(store, count)
  for index = _M.count(store), count + 1, -1 do
    store.news[index] = nil
  end
end

-- Call the orders, and note what changes. `caller`: with `listener` where somebody is
-- to be told. `...`: its other arguments. Returns its two results, and list of events,
-- in the order of the changes; nil where nobody listens.
function _M.during(orders, method, caller, ...)
  if not caller.listener then
    return orders[method](orders, caller, ...)
  end
  local list = {}
  orders.store.news = list
  local result, problem = orders[method](orders, caller, ...)
  orders.store.news = nil
  if orders.store.warning then
    list[#list + 1] = { name = "notice", at = caller.now, notice = "encoding",
      reason = orders.store.warning }
    orders.store.warning = nil
  end
  return result, problem, list
end

return _M
