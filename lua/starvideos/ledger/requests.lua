-- What callers of a gateway asked for: orders of the queue that are admitted one at a
-- time, listed and deleted by their callers. A caller is an account.

local history = require "starvideos.ledger.history"
local leases = require "starvideos.ledger.lease"
local limits = require "starvideos.ledger.limits"
local changes = require "starvideos.ledger.changes"
local orders = require "starvideos.ledger.orders"
local queue = require "starvideos.ledger.queue"

local unpack = table.unpack or unpack

local _M = {}

-- In seconds.
_M.policy = {
  join = 120, -- after an order was placed, in which a repeated attempt joins it
  window = 60, -- of the limit of orders per minute
  look = 30, -- after which a caller whose orders are all open may try again
}

local DAY = 86400

-- The one that most attempts have joined is the one that a further one repeats.
-- Where a ledger answers late an attempt may also be decided after those that were
-- made later; what a first one could have to do with was placed since it began.
local JOINABLE = [[WHERE request = ? AND account = ? AND base_url = ?
  AND (params = ? OR params_form = 3) AND order_id > ? AND created_at > ?
  AND (attempt < ? OR attempt > ? AND created_at >= ?)
  ORDER BY CASE WHEN attempt < ? THEN 0 ELSE 1 END, attempt DESC, order_id
  LIMIT 1]]

-- The revision stays: a worker may be about to send the order.
local JOIN = "UPDATE starvideos_orders SET attempt = ? WHERE order_id = ?"

local ENQUEUE = [[UPDATE starvideos_orders SET state = 'queued', claim = NULL,
  queued_at = ?, closed_at = NULL, request = ?, attempt = ?,
  revision = revision + 1 WHERE order_id = ?]]

local OPEN = [[SELECT COUNT(*) AS orders FROM starvideos_orders
  WHERE request IS NOT NULL AND closed_at IS NULL AND account = ? AND state IN
  ('queued', 'prepared', 'submitting', 'accepted', 'completed')]]

local RECENT = [[SELECT COUNT(*) AS orders, MIN(created_at) AS first
  FROM starvideos_orders WHERE request IS NOT NULL AND account = ?
  AND order_id > ? AND created_at > ?]]

-- What is spent of each limit of spend, and what orders that are not sent yet
-- will cost, which have no part in that.
local SPEND = [[SELECT l.name, l.kind, l.scope, l.cap, l.currency,
  CASE WHEN l.kind = 'spend/day' AND l.began NOT BETWEEN ? AND ? THEN 0
    ELSE l.used END AS used,
  l.waiting FROM starvideos_limits AS l
  WHERE l.kind IN ('spend/day', 'spend/total') AND l.value IN ('', ?)
  AND (l.scope = '' OR l.scope = 'account' AND l.value = ?) ORDER BY l.name]]

local HALTED = [[SELECT reason FROM starvideos_limits WHERE kind = 'halt'
  AND full_until > ? AND base_url IN ('', ?)
  AND (scope = '' OR value = ?)]]

local function number(value)
  return tonumber(value) or 0
end

local function open_orders(store, account)
  local rows, err = store:read(OPEN, account)
  return rows and number(rows[1].orders), err
end

-- The limits of spend that hold for an account; `used` with what is to be sent.
local function spend_limits(store, caller, account)
  local day = math.floor(caller.now / DAY) * DAY
  local rows, err = store:read(SPEND, day, day + DAY, account, account)
  for _, row in ipairs(rows or {}) do
    row.cap = number(row.cap)
    row.used = number(row.used) + number(row.waiting)
  end
  return rows, err
end

-- What keeps an order out, each nil where it does not, or an err of the database
-- as a second result.
local bars = {}

function bars.halt(store, caller, wanted)
  local rows, err = store:read(HALTED, caller.now, wanted.base_url,
    wanted.account)
  local row = rows and rows[1]
  return row and { limit = "halt", reason = row.reason }, err
end

function bars.open(store, _, wanted, terms)
  local used, err = open_orders(store, wanted.account)
  return used and used >= terms.open and { limit = "open", cap = terms.open,
    used = used, retry_after = _M.policy.look } or nil, err
end

function bars.orders_per_minute(store, caller, wanted, terms)
  local since = caller.now - _M.policy.window
  local rows, err = store:read(RECENT, wanted.account,
    history.id_at(since), since)
  local used = rows and number(rows[1].orders)
  return used and used >= terms.orders_per_minute and {
    limit = "orders_per_minute", cap = terms.orders_per_minute, used = used,
    retry_after = math.max(1, math.ceil(number(rows[1].first) - since)),
  } or nil, err
end

-- Why an order does not fit into one limit of spend.
local function over(row, wanted, now)
  if not wanted.cost or wanted.currency ~= row.currency then
    return { limit = "unpriced", name = row.name, currency = row.currency }
  elseif row.used + wanted.cost <= row.cap then
    return nil
  end
  return { limit = "spend", name = row.name, cap = row.cap, used = row.used,
    is_own = row.scope == "account", currency = row.currency,
    retry_after = row.kind == "spend/day" and DAY - now % DAY or nil }
end

function bars.spend(store, caller, wanted)
  local rows, err = spend_limits(store, caller, wanted.account)
  for _, row in ipairs(rows or {}) do
    local bar = over(row, wanted, caller.now)
    if bar then
      return bar
    end
  end
  return nil, err
end

-- What keeps the order out, if anything does.
local function bar_of(store, caller, wanted, terms)
  for _, name in ipairs { "halt", "orders_per_minute", "open", "spend" } do
    local applies = name == "halt" or name == "spend" or terms[name]
    local bar, err
    if applies then
      bar, err = bars[name](store, caller, wanted, terms)
    end
    if bar or err then
      return bar, err
    end
  end
end

-- The order of the key that is there.
local function find_keyed(store, wanted)
  local row, verdict, err = orders.look_up(store, wanted)
  if not row then
    return nil, err
  end
  local same = not verdict
    and orders.verdict_on(row, wanted) ~= "conflict"
  return { verdict = same and "known" or "conflict", row = row }
end

-- The order that an attempt repeats.
local function join(store, caller, wanted)
  local attempt, since = wanted.attempt, caller.now - _M.policy.join
  local rows, err = store:select_where(JOINABLE, wanted.request,
    wanted.account, wanted.base_url, wanted.params, history.id_at(since), since,
    attempt, attempt, attempt > 0 and since or wanted.began, attempt)
  local row = rows and rows[1]
  if not row then
    return nil, err
  end
  local count
  count, err = store:write(JOIN, math.max(attempt, number(row.attempt)),
    row.order_id)
  return count and { verdict = "joined", row = row }, err
end

local function find(store, caller, wanted)
  if wanted.key then
    return find_keyed(store, wanted)
  elseif wanted.began then
    return join(store, caller, wanted)
  end
end

local function enqueue(store, caller, wanted)
  local row, err = store:look()
  if row then
    row, err = orders.insert(store, caller, wanted, "staged", wanted.id)
  end
  if not row then
    return nil, err or store:failure("written", "another order has its key")
  end
  local ok
  ok, err = queue.put_body(store, row, wanted)
  if ok then
    ok, err = store:write(ENQUEUE, caller.now, wanted.request, wanted.attempt,
      row.order_id)
  end
  if ok and row.cost and row.currency then
    ok, err = limits.add_waiting(store, row, row.cost)
  end
  if not ok then
    return nil, err
  end
  row.state, row.queued_at = "queued", caller.now
  changes.note(store, caller, row)
  return { verdict = "new", row = row }
end

-- Admit an order to the queue, or find the one that it repeats: by its key, or because
-- the same caller sent the same parameters within two minutes and says that this is a
-- further attempt, of another number than that order's last, or a first one that had
-- begun when a further one placed it. Decided in one transaction: of many attempts at
-- the same time one is new. `wanted`: see `orders.begin`; with `endpoint`, `body`,
-- `attempt` (0 for a first one) and, where the client numbers its attempts, `began`
-- (Unix seconds). `terms`: of the caller: `open` (orders that have not ended) and
-- `orders_per_minute`, each nil for no limit; spend is a limit of the ledger. Returns
-- `verdict`: "new", "known" (by its key), "joined", "conflict" (the key names another
-- order), each with the `row`; or "barred" with `limit` (open, orders_per_minute,
-- spend, unpriced, halt), and where they apply `cap`, `used`, `retry_after` (seconds),
-- `currency`, `reason`, `is_own` (whether the limit of spend is the caller's alone).
function _M.admit(store, caller, wanted, terms)
  wanted.request = history.digest(wanted.params)
  return store:transaction(function()
    local ok, err = store:lock()
    if not ok then
      return nil, err
    end
    local found
    found, err = find(store, caller, wanted)
    if found or err then
      return found, err
    end
    local bar
    bar, err = bar_of(store, caller, wanted, terms)
    if bar then
      bar.verdict = "barred"
      return bar
    end
    if err then
      return nil, err
    end
    return enqueue(store, caller, wanted)
  end)
end

-- What counts against the limits of an account. Returns `open` (orders that have not
-- ended) and `spend`: its own limits of it, a list of `kind`, `cap`, `used` (with what
-- is to be sent; both in millionths) and `currency`.
function _M.usage(store, caller, account)
  local open, err = open_orders(store, account)
  local rows
  if open then
    rows, err = spend_limits(store, caller, account)
  end
  if not rows then
    return nil, err
  end
  local own = {}
  for _, row in ipairs(rows) do
    own[#own + 1] = row.scope == "account" and { kind = row.kind, cap = row.cap,
      used = row.used, currency = row.currency } or nil
  end
  return { open = open, spend = own }
end

local GONE = "deleted_at IS NULL AND request IS NOT NULL"

-- Deleted ones, too: their files may still be there.
local CLEARABLE = [[request IS NOT NULL AND removed_at IS NULL AND state IN
  ('downloaded', 'failed', 'cancelled', 'refused', 'abandoned')]]

-- A list's condition, and its values.
local function page_of(filter)
  local words, values = { filter.ended and CLEARABLE or GONE }, {}
  local function restrict(condition, value)
    if value ~= nil then
      words[#words + 1], values[#values + 1] = condition, value
    end
  end
  restrict("account = ?", filter.account)
  restrict(filter.descending and "order_id < ?" or "order_id > ?", filter.after)
  if filter.ids then
    words[#words + 1] = "order_id IN (" .. ("?, "):rep(#filter.ids - 1) .. "?)"
    for _, id in ipairs(filter.ids) do
      values[#values + 1] = id
    end
  end
  return ("WHERE %s ORDER BY order_id%s LIMIT %d"):format(
    table.concat(words, " AND "), filter.descending and " DESC" or "",
    filter.limit), values
end

-- Orders that callers asked for and have not deleted. `filter`: `limit` (rows at most),
-- and where they apply `account`, `descending` (true: newest first), `after` (the id of
-- the last order of the page before), `ids` (a list, not empty), `ended` (true: those
-- that have ended and were not cleared away, among them those that were deleted).
function _M.list(store, _, filter)
  local condition, values = page_of(filter)
  return store:select_where(condition, unpack(values))
end

-- An error may quote the prompt.
local DELETE = [[UPDATE starvideos_orders SET deleted_at = ?, params = request,
  params_form = 3, error = NULL WHERE order_id = ? AND account = ? AND ]]
  .. GONE .. [[ AND state IN ('downloaded', 'failed', 'cancelled', 'refused',
    'unknown', 'abandoned')]]

-- A caller deletes an order: it is not listed any more, and of what was asked for only
-- the digest stays, by which its key and repeated attempts still name it. Returns
-- whether it was there and had ended, or waited in the queue.
function _M.delete(store, caller, order_id, account)
  return store:transaction(function()
    local waiting, err = store:select_where("WHERE order_id = ? AND account = ? AND "
      .. GONE .. " AND state = 'queued'", order_id, account)
    local row = waiting and waiting[1]
    -- A worker that claims it meanwhile changes its revision: then it is not deleted.
    if row and not leases.is_busy(store, caller, row) then
      waiting, err = store:transition(caller, row, "abandoned",
        { owner = false, lease = false })
    end
    if waiting == nil then
      return nil, err
    end
    local count
    count, err = store:write(DELETE, caller.now, order_id, account)
    if count == 1 then
      count, err = history.drop_body(store, order_id)
      return count and true, err
    end
    return count and false, err
  end)
end

local REMOVED = [[UPDATE starvideos_orders SET removed_at = ?
  WHERE order_id = ? AND removed_at IS NULL]]

-- The file of an order was removed.
function _M.removed(store, caller, order_id)
  local count, err = store:write(REMOVED, caller.now, order_id)
  return count and true, err
end

return _M
