-- The steps of an order that use limits: the transaction that makes it `submitting`
-- reserves what it needs of each limit that applies to it; that of a later step gives
-- back what it does not need any more.
--
-- The order's row says what it has: `slot` (an open task) and `spent_in` (its cost is part
-- of the spend of that day). What a limit has `used` is the sum of these, so it can always
-- be counted again. What a limit of spend has `waiting` is the cost of what is queued and
-- not sent yet, which one statement adds to and takes from.
--
-- A transaction begins again over a new connection if the server has cut the first: so the
-- order's row, which names its revision, is written first, and tells whether the first try
-- did all.

local limit_kinds = require "starvideos.ledger.limit_kinds"
local limit_rows = require "starvideos.ledger.limit_rows"
local queue_stops = require "starvideos.ledger.queue_stops"

local unpack = table.unpack or unpack

local _M = {}

local policy, FOREVER = limit_kinds.policy, limit_kinds.FOREVER

-- The states of an order that is, or may be, an open task of the provider.
local holding = { submitting = true, accepted = true, unknown = true }

-- The states of one that certainly was not bought.
local unsent = { staged = true, queued = true, prepared = true, refused = true }

-- What a step does, by the state before and the state after.
local effects = {
  submitting = { unknown = "pause", prepared = "settle", queued = "settle",
    refused = "settle", failed = "settle", cancelled = "settle" },
  accepted = { completed = "settle", downloaded = "settle",
    abandoned = "pause", failed = "settle", cancelled = "settle" },
  -- Who dismisses one of unknown outcome has looked: it is no open task any more.
  unknown = { accepted = "settle", completed = "settle", abandoned = "settle",
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

-- Gives a slot to open tasks that were sent while no limit counted them.
local HOLD_SLOTS = ([[UPDATE starvideos_orders SET slot = CASE
    WHEN state = 'unknown' THEN updated_at + %d ELSE %.0f END
  WHERE slot IS NULL AND state IN ('submitting', 'accepted', 'unknown')
  AND (state <> 'unknown' OR updated_at + %d > ?)
  AND EXISTS (SELECT 1 FROM starvideos_limits WHERE kind = 'open'
    AND (scope = '' OR scope = 'account' AND value = account
      OR scope = 'label' AND value = label))]]):format(policy.slot, FOREVER,
  policy.slot)

-- What the orders of a limit use.
local COUNTED = {
  open = "SELECT COUNT(*) AS used FROM starvideos_orders WHERE slot IS NOT NULL",
  spend = [[SELECT SUM(cost) AS used FROM starvideos_orders
    WHERE cost IS NOT NULL AND spent_in >= ? AND spent_in <= ?
    AND currency = ?]],
}

local WAITING = [[SELECT SUM(cost) AS used FROM starvideos_orders
  WHERE queued_at IS NOT NULL AND state IN ('queued', 'prepared')
  AND cost IS NOT NULL AND currency = ?]]
local SET_WAITING = "UPDATE starvideos_limits SET waiting = ? WHERE name = ?"
local ADD_WAITING = "UPDATE starvideos_limits SET waiting = waiting + ? WHERE "
  .. limit_rows.OF_ORDER
  .. " AND kind IN ('spend/day', 'spend/total') AND currency = ?"

local OVERDUE = " starvideos_orders%s WHERE slot IS NOT NULL AND slot <= ?"
local ANY_OVERDUE = "SELECT order_id FROM" .. OVERDUE:format "" .. " LIMIT 1"
local FREE = "UPDATE" .. OVERDUE:format " SET slot = NULL"

local CHEAPER = [[SELECT order_id FROM starvideos_orders
  WHERE queued_at IS NOT NULL AND state IN ('queued', 'prepared')
  AND cost IS NOT NULL AND currency = ? AND cost <= ? AND claim IS NULL
  AND state || '' = 'queued']]

-- Orders that hold a slot though nobody knows what became of them; so many are counted.
local UNKNOWN = [[SELECT order_id, order_key FROM starvideos_orders
  WHERE slot IS NOT NULL AND state = 'unknown']]
local MOST_UNKNOWN = 1000

-- What an order has; a limit that was set after its row was read has counted it.
local TRUTH = [[SELECT slot, spent_in FROM starvideos_orders
  WHERE order_id = ? AND revision = ?]]

-- The index of these sums is a better one than that of a label.
local function of_limit(limit, sql, ...)
  local values = { ... }
  if limit.scope ~= "" then
    sql = sql .. " AND " .. limit.scope .. " || '' = ?"
    values[#values + 1] = limit.value
  end
  return sql, values
end

local function sum(store, sql, values)
  local rows, err = store:read(sql, unpack(values))
  return rows and (tonumber(rows[1].used) or 0), err
end

local function count_waiting(store, limit)
  local waiting, err = sum(store, of_limit(limit, WAITING, limit.currency or ""))
  if not waiting then
    return nil, err
  end
  return store:write(SET_WAITING, waiting, limit.name)
end

local function count_one(store, limit, at)
  local sql, values
  if limit.kind == "open" then
    sql, values = of_limit(limit, COUNTED.open)
  else
    local is_day = limit.kind == "spend/day"
    limit.began = is_day and at.day or limit.began
    sql, values = of_limit(limit, COUNTED.spend, is_day and at.day or 0,
      is_day and at.day or FOREVER, limit.currency or "")
  end
  local used, err = sum(store, sql, values)
  local ok = used
  if ok and limit.kind ~= "open" then
    ok, err = count_waiting(store, limit)
  end
  if not ok then
    return nil, err
  end
  limit.used, limit.full_until = used, nil
  return limit_rows.save(store, limit, at.now)
end

local function count_all(store, condition, at, ...)
  local limits, err = limit_rows.read(store, condition .. " ORDER BY name", ...)
  local ok = limits
  for _, limit in ipairs(limits or {}) do
    if ok then
      ok, err = count_one(store, limit, at)
    end
  end
  return ok and true, err
end

local function count_set(store, list, at)
  local ok, err = true, nil
  for _, name in ipairs(list) do
    if ok then
      ok, err = count_all(store, "WHERE name = ?", at, name)
    end
  end
  return ok, err
end

-- Count again what limits have used, in a transaction: all, or those of a list of names;
-- then the others, too, that count the slots which these give.
function _M.recount(store, caller, list)
  local at, err = limit_rows.times(store, caller)
  local held = at
  if at then
    held, err = store:write(HOLD_SLOTS, at.now)
  end
  if held and not list then
    return count_all(store, "WHERE kind IN ('open', 'spend/day', 'spend/total')", at)
  end
  local ok = held
  if held then
    ok, err = count_set(store, list, at)
  end
  if ok and held > 0 then
    ok, err = count_all(store, "WHERE kind = 'open'", at)
  end
  return ok, err
end

-- Frees the slots of orders whose outcome has been unknown for too long; false if there
-- are none.
local function free_overdue(store, at)
  local rows, err = store:read(ANY_OVERDUE, at.now)
  if not rows or not rows[1] then
    return rows and false, err
  end
  local ok
  ok, err = store:write(FREE, at.now)
  if ok then
    ok, err = count_all(store, "WHERE kind = 'open'", at)
  end
  return ok, err
end

local waits = { queued = true, prepared = true }

-- What an order of the queue that is not sent yet will cost.
local function waiting_cost(row)
  return row.queued_at and waits[row.state] and row.currency and row.cost or 0
end

-- Whether a change of an order changes what limits have waiting.
local function moves_waiting(row, after)
  local before, now = waiting_cost(row), waiting_cost(after)
  return before ~= now or now ~= 0 and (row.account ~= after.account
    or row.label ~= after.label or row.currency ~= after.currency)
end

-- Orders that will cost something join the queue (a negative `cost`: leave it), in the
-- transaction that does that. `row`: of one of them.
function _M.add_waiting(store, row, cost)
  if cost == 0 then
    return true
  end
  local account, label = row.account or "", row.label
  return store:write(ADD_WAITING, cost, account, label, account, label, row.currency)
end

local function move_waiting(store, row, after)
  if not moves_waiting(row, after) then
    return true
  end
  local ok, err = _M.add_waiting(store, row, -waiting_cost(row))
  if ok then
    ok, err = _M.add_waiting(store, after, waiting_cost(after))
  end
  return ok, err
end

-- What a change of an order does to the limits: `reserve`, `settle`, `pause`, `resume`,
-- `wait` (it joins the queue or leaves it), or nothing.
function _M.effect(row, after)
  local state, effect = row.state, nil
  if state ~= after.state then
    local of_state = effects[state]
    effect = of_state and of_state[after.state]
  elseif state == "accepted" and row.missing_since ~= after.missing_since then
    effect = after.missing_since and "pause" or "resume"
  end
  return effect or moves_waiting(row, after) and "wait" or nil
end

-- Writes the order's row, with its `slot` and `spent_in`; false if another process has
-- changed it.
local function write_order(store, row, change, slot, spent_in)
  change.after.slot, change.after.spent_in = slot, spent_in
  local count, err = store:save(row, change, { set = { count = 2,
    sql = "slot = ?, spent_in = ?", values = { slot, spent_in } } })
  local ok = count
  if count == 0 then
    ok, err = nil, select(2, store:was_taken(row, change.after))
    if not err then
      return false
    end
  elseif ok then
    ok, err = move_waiting(store, row, change.after)
  end
  return ok and store:changed(row, change), err
end

-- An order that is not sent yet has neither.
local function wait(store, _, row, change)
  return write_order(store, row, change, row.slot, row.spent_in)
end

-- The reason that matters most: one that will not pass, then the one that lasts longest.
local function outweighs(one, other)
  if not other or one.is_final ~= other.is_final then
    return not other or one.is_final
  end
  return (one.retry_at or 0) > (other.retry_at or 0)
end

local function reasons_of(order, at)
  local list, worst = {}, nil
  for _, limit in ipairs(at.limits) do
    local reason = limit_kinds.fits(limit, order, at)
    if reason then
      reason.limit, reason.is_final = limit, reason.is_final or false
      list[#list + 1] = reason
      worst = outweighs(reason, worst) and reason or worst
    end
  end
  return list, worst
end

-- Keeps workers from claiming what does not fit either; true if something cheaper may fit.
-- An order that never fits says nothing of the others.
local function mark(store, reason, at)
  local limit = reason.limit
  if reason.never or not limit_kinds.kinds[limit.kind].marks then
    return reason.never or false
  end
  if limit.kind ~= "open" then
    local sql, values = of_limit(limit, CHEAPER, limit.currency,
      limit.cap - limit_kinds.used(limit, at))
    local rows, err = store:read(sql .. " LIMIT 1", unpack(values))
    if not rows or rows[1] then
      return rows and true, err
    end
  end
  limit.full_until = not reason.is_final and reason.retry_at
    or at.now + policy.look
  local ok, err = limit_rows.save(store, limit, at.now)
  return ok and false, err
end

-- Names the orders of unknown outcome that keep a limit of open tasks full: a person can
-- settle them, and no other event does.
local function name_unknown(store, reason)
  local sql, values = of_limit(reason.limit, UNKNOWN)
  local rows, err = store:read(("%s ORDER BY order_id LIMIT %d"):format(sql,
    MOST_UNKNOWN), unpack(values))
  if not rows or not rows[1] then
    return rows and true, err
  end
  local names = {}
  for index = 1, math.min(3, #rows) do
    names[index] = rows[index].order_key or rows[index].order_id
  end
  reason.unknown = #rows
  reason.why = ("%s; nobody knows what became of %d of them (%s%s), each of which counts"
    .. " for %d minutes: look with the provider, then adopt or dismiss it (starvideos"
    .. " adopt, starvideos dismiss)"):format(reason.why, #rows,
    table.concat(names, ", "), #rows > 3 and ", ..." or "", policy.slot / 60)
  return true
end

local function refusal_of(worst, now)
  local limit = worst.limit
  local name = limit.base_url == "" and limit.name or limit.kind
  local retry_at = not worst.is_final and worst.retry_at or nil
  return {
    kind = "limited",
    message = ("the limit %s keeps this order back; nothing was sent, and"
      .. " nothing was bought: %s%s"):format(name, worst.why, worst.cure or ""),
    limit = name,
    retry_at = retry_at,
    retry_after = retry_at and math.max(0, retry_at - now),
    retryable = not worst.is_final,
    never = worst.never,
    why = worst.why,
    unknown = worst.unknown or 0,
    others = worst.others,
    sent = false,
  }
end

-- What an order meets; and why it does not fit, even after overdue slots were freed.
local function look(store, caller, row)
  local at, err = limit_rows.look(store, caller, row)
  if not at then
    return nil, err
  end
  local list, worst = reasons_of(row, at)
  if not worst then
    return at
  end
  local freed
  freed, err = free_overdue(store, at)
  if freed then
    at.limits, err = limit_rows.applying(store, row)
  end
  if err then
    return nil, err
  elseif freed then
    list, worst = reasons_of(row, at)
  end
  return at, list, worst
end

-- A refusal is a result, so that its marks are kept.
local function refuse(store, caller, list, worst, at)
  for _, reason in ipairs(caller.worker and list or {}) do
    local others, err = mark(store, reason, at)
    if others == nil then
      return nil, err
    end
    reason.others = others
  end
  local ok, err = true, nil
  if worst.limit.kind == "open" then
    ok, err = name_unknown(store, worst)
  end
  if not ok then
    return nil, err
  end
  return { refusal = refusal_of(worst, at.now) }
end

-- Saves the limits that `change` (`take` or `give` of `limit_kinds`) has changed.
local function change_all(store, row, at, change, more)
  for _, limit in ipairs(at.limits) do
    if change(limit, row, at, more) then
      local ok, err = limit_rows.save(store, limit, at.now)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

local function reserve(store, caller, row, change)
  local at, list, worst = look(store, caller, row)
  if not at then
    return nil, list
  elseif worst then
    return refuse(store, caller, list, worst, at)
  end
  local slot
  for _, limit in ipairs(at.limits) do
    slot = slot or limit.kind == "open" and FOREVER or nil
  end
  local after, err = write_order(store, row, change, slot, at.day)
  if after then
    local ok
    ok, err = change_all(store, row, at, limit_kinds.take)
    after = ok and after
  end
  return after, err
end

-- What an order is to have after a step: its slot, and the day it was spent in.
local function due(from, to, truth, at, keeps_spend)
  local opens, refunds = false, false
  for _, limit in ipairs(at.limits) do
    opens = opens or limit.kind == "open"
    refunds = refunds or limit.kind:find "^spend/" ~= nil
      and (limit.refunds or 0) > 0
  end
  local slot, spent_in = nil, truth.spent_in
  if holding[to] and (truth.slot or opens) then
    slot = to == "unknown" and at.now + policy.slot or FOREVER
  end
  if unsent[to] or (to == "failed" or to == "cancelled") and refunds
    and not keeps_spend then
    spent_in = nil
  elseif unsent[from] then
    spent_in = at.day
  end
  return slot, spent_in
end

local function settle(store, caller, row, change)
  local rows, err = store:read(TRUTH, row.order_id, row.revision)
  local truth, at = rows and rows[1], nil
  if truth then
    at, err = limit_rows.look(store, caller, row)
  end
  if not at then
    return nil, err
  end
  local slot, spent_in = due(row.state, change.after.state, truth, at, change.keeps_spend)
  local after, ok
  after, err = write_order(store, row, change, slot, spent_in)
  if not after then
    return after, err
  end
  ok, err = change_all(store, row, at, limit_kinds.give, {
    slots = (slot and 1 or 0) - (truth.slot and 1 or 0),
    spend = (row.cost or 0) * ((spent_in and 1 or 0) - (truth.spent_in and 1 or 0)),
    day = truth.spent_in or at.day,
  })
  if ok then
    ok, err = queue_stops.count(store, caller, after, at.now)
  end
  return ok and after, err
end

-- Changes the slot of an order, if it has one, and no limit. A task that nobody can see
-- any more may go on: its slot stays for as long as a wait takes (`pause`), and for ever
-- again if it is seen (`resume`).
local function set_slot(store, caller, row, change, effect)
  local clock = store.database:clock()
  local ends, values = ("%.0f"):format(FOREVER), {}
  if effect == "pause" then
    ends = (clock or "?") .. (" + %d"):format(policy.slot)
    values[1] = not clock and store.rounded(caller.now) or nil
  end
  local count, err = store:save(row, change, { set = { count = #values,
    sql = "slot = CASE WHEN slot IS NULL THEN NULL ELSE " .. ends .. " END",
    values = values } })
  if not count then
    return nil, err
  elseif count == 0 then
    return store:was_taken(row, change.after)
  end
  return store:changed(row, change)
end

-- What the first try of a transaction has done is not done a second time.
local function transacted(step, store, caller, row, change)
  return store:atomically(function(again)
    local after, err
    if again then
      after, err = store:was_taken(row, change.after)
    end
    if after ~= nil or err then
      return after, err
    end
    return step(store, caller, row, change)
  end, true)
end

local steps = { reserve = reserve, settle = settle, wait = wait }

-- Make a change of an order that has an effect on limits: the new row; false if another
-- process has changed it; or an err, of kind limited if the order does not fit: then
-- nothing has changed.
function _M.carry_out(store, caller, row, change, effect)
  local after, err
  if steps[effect] then
    after, err = transacted(steps[effect], store, caller, row, change)
  else
    after, err = set_slot(store, caller, row, change, effect)
  end
  if after and after.refusal then
    return nil, after.refusal
  elseif after == nil and not err then
    after = false
  end
  return after, err
end

return _M
