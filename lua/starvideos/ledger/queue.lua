-- The queue: orders that workers send. A batch is staged, then enqueued as a whole; a
-- worker claims what it will send, wait for or save.

local queue_stops = require "starvideos.ledger.queue_stops"
local leases = require "starvideos.ledger.lease"
local limit_kinds = require "starvideos.ledger.limit_kinds"
local limits = require "starvideos.ledger.limits"
local changes = require "starvideos.ledger.changes"
local orders = require "starvideos.ledger.orders"
local transitions = require "starvideos.ledger.transitions"
local workers = require "starvideos.ledger.workers"

local unpack = table.unpack or unpack

local _M = {}

local PUT_BODY = [[INSERT INTO starvideos_bodies (order_id, endpoint, body)
  VALUES (?, ?, ?) ON CONFLICT (order_id)
  DO UPDATE SET endpoint = excluded.endpoint, body = excluded.body]]

local BODY = "SELECT endpoint, body FROM starvideos_bodies WHERE order_id = ?"

local ENQUEUE = [[UPDATE starvideos_orders SET state = 'queued', claim = NULL,
  queued_at = ?, updated_at = ?, closed_at = NULL, revision = revision + 1
  WHERE state = 'staged' AND claim = ?]]

local COSTS = [[SELECT account, label, currency, SUM(cost) AS cost
  FROM starvideos_orders WHERE claim = ? AND state = 'staged' AND cost IS NOT NULL
  AND currency IS NOT NULL GROUP BY account, label, currency]]

-- After so many new orders a server's statistics are too old: it would sort the whole
-- queue to find its first ones.
local MANY = 1000

-- Orders that were there before the batch are as they were.
local UNSTAGE = {
  [[DELETE FROM starvideos_bodies WHERE order_id IN (SELECT order_id
    FROM starvideos_orders WHERE state = 'staged' AND claim = ?)]],
  [[DELETE FROM starvideos_orders WHERE state = 'staged' AND claim = ?
    AND attempts = 0 AND refused_tasks IS NULL]],
  [[UPDATE starvideos_orders SET state = 'refused', claim = NULL,
    revision = revision + 1 WHERE state = 'staged' AND claim = ?]],
}

-- A row of `starvideos_limits` that is full holds the orders of its scope back. On
-- PostgreSQL the lock keeps two workers from waiting for each other; and the array makes it
-- run the inner query once: a plan for few orders would run it again, and claim them all.
local CLAIM = [[UPDATE starvideos_orders SET claim = @worker@, updated_at = @time@,
  revision = revision + 1 WHERE order_id @among@(
    SELECT o.order_id FROM starvideos_orders AS o
    WHERE @which@ AND o.base_url = @url@ @whose@
    ORDER BY o.order_id LIMIT @most@ @lock@)@once@
  AND EXISTS (SELECT 1 FROM starvideos_workers WHERE worker_id = @worker@)]]

-- What is full is asked once, and not of each order.
local FULL = "l.full_until > @now@ AND l.kind <> 'polls'"

local most = {
  queued = [[(SELECT CASE WHEN EXISTS (SELECT 1 FROM starvideos_limits AS l
    WHERE l.scope = '' AND @full@ AND l.base_url IN ('', @url@))
    THEN 0 ELSE @count@ END)]],
  open = "@count@",
  unsaved = "@count@",
  any = "@count@",
}

local DUE = ([[o.claim IS NULL AND (o.not_before IS NULL OR o.not_before <= @now@
  OR o.not_before > @now@ + %d)]]):format(limit_kinds.policy.longest_wait)

local which = {
  queued = [[o.state = 'queued' AND o.queued_at IS NOT NULL AND ]] .. DUE .. [[
    AND (o.label IS NULL OR o.label NOT IN (SELECT l.value
      FROM starvideos_limits AS l WHERE l.scope = 'label' AND @full@))]],
  open = [[o.state IN ('accepted', 'completed')
    AND o.queued_at IS NOT NULL AND ]] .. DUE,
  unsaved = [[o.state = 'completed' AND o.queued_at IS NOT NULL AND o.claim IS NULL]],
  any = [[o.state IN ('accepted', 'completed') AND o.claim IS NULL
    AND o.closed_at IS NULL]],
}

local FULL_ACCOUNTS = [[(SELECT l.value FROM starvideos_limits AS l
  WHERE l.scope = 'account' AND @full@ AND l.base_url IN ('', @url@))]]

-- The next account that has something in the queue, from one to the next by the index of the
-- queue, so that a long queue of one account costs the others nothing.
local NEXT = [[SELECT MIN(q.account) FROM starvideos_orders AS q
  WHERE q.state = 'queued' AND q.claim IS NULL AND q.queued_at IS NOT NULL
  AND q.base_url = @url@]]
local FIRST_DUE = [[(WITH RECURSIVE turns(account) AS (]] .. NEXT .. [[ @beyond@
    UNION ALL SELECT (]] .. NEXT .. [[ AND q.account > turns.account)
    FROM turns WHERE turns.account IS NOT NULL)
  SELECT turns.account FROM turns WHERE turns.account NOT IN @accounts@
  AND EXISTS (SELECT 1 FROM starvideos_orders AS o WHERE @which@
    AND o.base_url = @url@ AND o.account = turns.account) LIMIT 1)]]

-- Whose turn it is: of all accounts the next with due orders after the one that was claimed
-- for last, so that the backlog of one holds up no other.
local TURN = "AND o.account = COALESCE(" .. FIRST_DUE:gsub("@beyond@",
  "AND q.account > @after@") .. ", " .. FIRST_DUE:gsub("@beyond@", "") .. ")"

local CLAIMED = "WHERE claim = ? AND updated_at = ? ORDER BY order_id"
local MINE = "WHERE claim = ? ORDER BY order_id"

local UNCLAIM = [[UPDATE starvideos_orders SET claim = NULL, not_before = ?,
  updated_at = ?, revision = revision + 1 WHERE order_id = ? AND claim = ?]]

local PART = [[SELECT %s AS state, COUNT(*) AS orders, COUNT(claim) AS claimed,
  MIN(not_before) AS not_before FROM starvideos_orders
  WHERE %s AND queued_at IS NOT NULL AND base_url = ? @account@]]

-- A worker looks often, and most orders may wait: the index of what is due counts those,
-- and that of claims what is claimed, which only an expression keeps from that of states.
local LEFT = ([[SELECT state, SUM(orders) AS orders, SUM(claimed) AS claimed,
  MIN(not_before) AS not_before FROM (%s UNION ALL %s UNION ALL %s GROUP BY state)
  AS parts GROUP BY state HAVING SUM(orders) > 0]]):format(
  PART:format("'queued'", "state = 'queued' AND claim IS NULL"),
  PART:format("'queued'", "state || '' = 'queued' AND claim > ''"),
  PART:format("state", "state IN ('prepared', 'submitting', 'accepted', 'completed')"))

-- What a living worker has is its own until it is buried, even where its order was on the
-- wire for longer than the order's lease.
local SENDING = [[WHERE state IN ('submitting', 'prepared')
  AND queued_at IS NOT NULL AND (claim IS NULL OR claim = ?) AND base_url = ?
  ORDER BY order_id]]

-- Keep the `endpoint` and `body` that are to be sent for an order.
function _M.put_body(store, row, wanted)
  return store:write(PUT_BODY, row.order_id, wanted.endpoint, wanted.body)
end

local staged_again = { staged = true, refused = true }

local function stage_row(store, caller, batch, wanted, row)
  local after, err = store:look()
  if not after then
    return nil, err
  elseif row then
    after, err = orders.restage(store, caller, row, wanted, batch)
  else
    after, err = orders.insert(store, caller, wanted, "staged", batch)
  end
  if not after then
    return after, err
  end
  local ok
  ok, err = _M.put_body(store, after, wanted)
  return ok and after, err
end

-- A queued order keeps the price it was placed at. One without a price, which a limit of
-- spend holds back, gets one; false if it has changed meanwhile.
local function known(store, caller, row, wanted)
  local verdict = orders.verdict_on(row, wanted)
  local err
  if verdict == "known" and row.state == "queued" and not row.claim
    and not row.cost and wanted.cost then
    local next_take = row.next_take
    row, err = store:update(caller, row, { cost = wanted.cost,
      currency = wanted.currency })
    if not row then
      return row, err
    end
    row.next_take = next_take
  end
  return { verdict = verdict, row = row }
end

-- The verdict on one order of a batch; false if another process has changed it meanwhile.
local function stage_one(store, caller, batch, wanted)
  local row, verdict, err = orders.look_up(store, wanted)
  if err or verdict then
    return verdict and { verdict = verdict, row = row }, err
  elseif row then
    local next_take = row.next_take
    row, err = transitions.recover(store, caller, row)
    if not row then
      return nil, err
    end
    row.next_take = next_take
  end
  local is_free = row and (staged_again[row.state]
    or row.state == "prepared" and not leases.is_busy(store, caller, row))
  if row and not is_free then
    return known(store, caller, row, wanted)
  end
  local after
  after, err = stage_row(store, caller, batch, wanted, row)
  return after and { verdict = "new", row = after }, err
end

local function stage_all(store, caller, batch, list)
  local results = {}
  for index, wanted in ipairs(list) do
    local tries, result, err = 0, false, nil
    while result == false and tries < transitions.ATTEMPTS do
      tries = tries + 1
      result, err = stage_one(store, caller, batch, wanted)
    end
    if not result then
      return nil, err or select(2,
        transitions.contended(store, tostring(wanted.key)))
    end
    results[index] = result
  end
  return results
end

-- Record orders that nobody sends yet; those that an unfinished batch has staged belong to
-- this one now. Returns for each its `row` and `verdict`: "new", or one of `orders.begin`.
function _M.stage(store, caller, batch, list)
  return store:transaction(function()
    return stage_all(store, caller, batch, list)
  end)
end

-- Another batch has staged some of the orders since, or a create has sent them.
local function taken(store)
  local err = store:failure("written", "another program is enqueuing some of the"
    .. " same orders")
  err.taken = true
  return nil, err
end

local function add_costs(store, batch)
  local rows, err = store:read(COSTS, batch)
  local ok = rows
  for _, row in ipairs(rows or {}) do
    if ok then
      ok, err = limits.add_waiting(store, row, tonumber(row.cost))
    end
  end
  return ok, err
end

-- Enqueue all that a batch has staged, and return how many. If these are not `expected`
-- (nil: any) none is enqueued, and the err is `taken`.
function _M.enqueue(store, caller, batch, expected)
  local count, err = store:transaction(function()
    local ok, problem = true, nil
    if expected ~= 0 then
      ok, problem = store:look()
    end
    if not ok then
      return nil, problem
    end
    ok, problem = changes.note_all(store, caller, "queued",
      "claim = ? AND state = 'staged'", batch)
    if ok then
      ok, problem = add_costs(store, batch)
    end
    if not ok then
      return nil, problem
    end
    local changed
    changed, problem = store:write(ENQUEUE, caller.now, caller.now, batch)
    if changed and expected and changed ~= expected then
      return taken(store)
    end
    return changed, problem
  end)
  if count and count >= MANY and store.database:clock() then
    store:write "ANALYZE starvideos_orders"
  end
  return count, err
end

function _M.unstage(store, _, batch)
  return store:transaction(function()
    for _, statement in ipairs(UNSTAGE) do
      local count, err = store:write(statement, batch)
      if not count then
        return nil, err
      end
    end
    return true
  end)
end

-- The statement of a claim, and its values in the order in which it names them. The time is
-- the server's, or the caller's.
local function statement_of(store, id, now, want)
  local clock = store.database:clock()
  local is_queued, values = want.what == "queued", {}
  local parts = { which = which[want.what], most = most[want.what], full = FULL,
    accounts = FULL_ACCOUNTS, count = ("%d"):format(want.count or 0), now = clock,
    lock = clock and "FOR UPDATE SKIP LOCKED" or "", among = clock
    and "= ANY (ARRAY" or "IN ", once = clock and ")" or "",
    whose = not want.account and (is_queued and TURN or "") or is_queued
      and "AND o.account = (SELECT @account@ WHERE @account@ NOT IN @accounts@)"
      or "AND o.account = @account@" }
  local given = { worker = id, time = now, now = now, url = want.base_url,
    account = want.account, after = want.after or "" }
  local function fill(name)
    if parts[name] then
      return (parts[name]:gsub("@(%l+)@", fill))
    end
    values[#values + 1] = given[name]
    return "?"
  end
  return CLAIM:gsub("@(%l+)@", fill), values
end

local function add_bodies(store, rows)
  for _, row in ipairs(rows) do
    if row.state == "queued" then
      local found, err = store:read(BODY, row.order_id)
      if not found then
        return nil, err
      end
      row.body = found[1] and found[1].body
      row.endpoint = found[1] and found[1].endpoint
    end
  end
  return rows
end

-- Claim orders for a worker, the oldest first; those to be sent with `endpoint` and `body`.
-- `want`: `what` is `queued` (to be sent), `open` (of the queue, to be waited for and
-- saved), `unsaved` (completed, though a worker gave them up), `any` (open orders of any
-- origin) or `mine` (what the worker has claimed, in case an answer was lost); `count` at
-- most; `base_url`; `account` (nil: of any; what is queued then of one account, the next
-- after the account `after`).
function _M.claim(store, caller, id, want)
  local now = store.rounded(caller.now)
  local rows, err
  if want.what == "mine" then
    rows, err = store:select_where(MINE, id)
  else
    local count = true
    if want.what == "queued" then
      count, err = store:look "no further order was sent"
    end
    if not count then
      return nil, err
    end
    local sql, values = statement_of(store, id, now, want)
    count, err = store:write(sql, unpack(values))
    if not count or count == 0 then
      return count and {}, err
    end
    rows, err = store:select_where(CLAIMED, id, now)
  end
  if not rows then
    return nil, err
  end
  return add_bodies(store, rows)
end

-- Give an order back; nobody claims it before `not_before`. Whether it was the worker's.
function _M.unclaim(store, caller, id, order_id, not_before)
  local count, err = store:write(UNCLAIM, not_before, caller.now, order_id, id)
  return count and count == 1, err
end

-- The open orders of the queue by their states: `orders`, `claimed`, and the earliest
-- `not_before`.
function _M.left(store, _, want)
  local sql = LEFT:gsub("@account@", want.account and "AND account = ?" or "")
  local values = {}
  for _ = 1, 3 do
    values[#values + 1] = want.base_url
    values[#values + 1] = want.account
  end
  local rows, err = store:read(sql, unpack(values))
  local left = {}
  for _, row in ipairs(rows or {}) do
    left[row.state] = { orders = tonumber(row.orders),
      claimed = tonumber(row.claimed), not_before = tonumber(row.not_before) }
  end
  return rows and left, err
end

-- Recover orders that a process was sending when it ended.
function _M.recover(store, caller, base_url)
  local rows, err = store:select_where(SENDING, caller.worker or "", base_url)
  for _, row in ipairs(rows or {}) do
    row, err = transitions.recover(store, caller, row)
    if not row then
      return nil, err
    end
  end
  return rows and true, err
end

-- The heartbeat of a worker, which also recovers what others have left. It returns what
-- `workers.heartbeat` and `queue_stops.pulse` do.
function _M.heartbeat(store, caller, id, beaten)
  local pulse
  local ok, err = queue_stops.repair(store, caller)
  if ok then
    pulse, err = queue_stops.pulse(store, caller, beaten)
  end
  if not pulse then
    return nil, err
  end
  beaten.rate = pulse.rate and pulse.rate * pulse.factor or beaten.rate
  local own
  own, err = workers.heartbeat(store, caller, id, beaten)
  if not own then
    return nil, err
  end
  pulse.polls, pulse.workers = own.polls, own.workers
  pulse.claims = own.claims
  ok, err = _M.recover(store, caller, beaten.base_url)
  return ok and pulse, err
end

return _M
