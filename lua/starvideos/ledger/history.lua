-- Lists and sums of the orders of a ledger, and its archive, which drops what is private of
-- orders that have ended. The key and the outcome stay, so that the same order is still
-- recognised, and buys nothing.

local c_locale = require "starvideos.base.c_locale"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"
local workers = require "starvideos.ledger.workers"

local unpack = table.unpack or unpack

local _M = {}

local DAY = 86400

-- In seconds unless said otherwise.
_M.policy = {
  takeover = 120, -- until another worker has the orders of a dead one
  recording = 60, -- from an order's id until it is recorded, at the longest
  task = 1800, -- that a task may take, and a wait for it lasts
  slice = 1000, -- orders that are summed up at a time: who asks meanwhile waits for so many
}

-- Ids sort by time, so that their first digits bound an index. An order gets its id
-- before it is recorded, for which it may wait: no order of a time has a lower id than
-- this, and `later` none a higher one.
function _M.id_at(time, later)
  local seconds = math.floor(time) + (later and 1 or -1) * _M.policy.recording
  return ("%08x"):format(math.max(0, math.min(seconds, 2 ^ 32 - 1)))
end

-- What a list can be restricted to, as SQL. `states` may be several and stands apart.
local conditions = {
  { "after", "order_id > ?" },
  { "since", "created_at >= ?" },
  { "since", "order_id >= ?", _M.id_at },
  { "before", "created_at < ?" },
  { "before", "order_id < ?", function(time) return _M.id_at(time + 1, true) end },
}

-- The condition of orders of one state (nil: of any but staged ones); adds its values to a
-- list. A key is all that its index needs: no database takes another one.
local function add_condition(filter, state, values)
  local words = {}
  local function add(condition, value)
    words[#words + 1], values[#values + 1] = condition, value
  end
  local function add_name(name, value)
    add(name .. (filter.key and " || '' = ?" or " = ?"), value)
  end
  if filter.key then
    add("order_key = ?", filter.key)
  end
  if filter.label then
    add_name("label", filter.label)
  end
  if filter.account then
    words[1 + #words] = "account <> ''"
    add_name("account", filter.account)
  end
  if state then
    add_name("state", state)
  end
  for _, row in ipairs(conditions) do
    local value = filter[row[1]]
    if value ~= nil then
      add(row[2], row[3] and row[3](value) or value)
    end
  end
  words[#words + 1] = not state and "state <> 'staged'" or nil
  return table.concat(words, " AND ")
end

local listed = {}
for _, state in ipairs(states.names) do
  listed[#listed + 1] = state ~= "staged" and state or nil
end

local FIRST = [[SELECT order_id FROM (SELECT order_id FROM starvideos_orders
  WHERE %s ORDER BY order_id LIMIT %d) AS found]]

-- The condition of a list, and its values. Staged orders are listed only if asked for. By
-- an index of a state the first of each state are found, and among these the first of all.
local function condition_of(filter)
  local values, parts = {}, {}
  local has_states = filter.states and filter.states[1]
  if not (has_states or filter.label or filter.account) then
    return "WHERE " .. add_condition(filter, nil, values), values
  end
  for index, state in ipairs(has_states and filter.states or listed) do
    parts[index] = FIRST:format(add_condition(filter, state, values), filter.limit)
  end
  return ("WHERE order_id IN (%s)"):format(table.concat(parts, " UNION ALL ")), values
end

-- List at most `limit` orders, oldest first, restricted by the names of `conditions` and
-- `states`; and the `after` of the next page, if there may be one. An order whose process
-- ended is recovered.
function _M.list(store, caller, filter)
  local condition, values = condition_of(filter)
  local page, err = store:list_where(condition, filter.limit, values)
  local rows = {}
  for index, row in ipairs(page or {}) do
    row, err = transitions.recover_listed(store, caller, row)
    if not row then
      return nil, err
    end
    rows[index] = row
  end
  return page and rows, err or page and #page == filter.limit
    and page[#page].order_id or nil
end

-- The database keeps a statement for each number of ids, so there are few numbers: the
-- last id fills what is left.
local function padded(ids)
  local list, count = {}, 1
  while count < #ids do
    count = count * 2
  end
  for index = 1, count do
    list[index] = ids[index] or ids[#ids]
  end
  return list
end

-- The states of at most 512 orders by their ids; a deleted order has none.
function _M.states(store, _, ids)
  local found = {}
  if not ids[1] then
    return found
  end
  local values = padded(ids)
  local rows, err = store:read(("SELECT order_id, state FROM starvideos_orders"
    .. " WHERE deleted_at IS NULL AND order_id IN (%s?)"):format(
    ("?, "):rep(#values - 1)), unpack(values))
  for _, row in ipairs(rows or {}) do
    found[row.order_id] = row.state
  end
  return rows and found, err
end

-- An order counts as spent once it may have been bought.
local SUMS = [[SELECT state, currency, COUNT(*) AS orders,
  COUNT(claim) AS claimed,
  COUNT(CASE WHEN spent_in IS NOT NULL AND cost IS NULL THEN 1 END) AS unpriced,
  COUNT(CASE WHEN state IN ('accepted', 'completed') AND closed_at IS NULL
    AND queued_at IS NOT NULL AND claim IS NULL AND updated_at < @taken@
    AND COALESCE(not_before, 0) < @taken@ THEN 1 END) AS unattended,
  COUNT(CASE WHEN state = 'accepted' AND closed_at IS NULL
    AND accepted_at < @late@ THEN 1 END) AS overdue,
  SUM(CASE WHEN spent_in IS NOT NULL THEN cost END) AS spent,
  SUM(CASE WHEN spent_in >= @day@ THEN cost END) AS today,
  MAX(order_id) AS last
  FROM (SELECT order_id, state, currency, claim, cost, spent_in, accepted_at,
    queued_at, not_before, updated_at, closed_at FROM starvideos_orders
    WHERE order_id > ? ORDER BY order_id LIMIT @slice@) AS slice
  GROUP BY state, currency]]

local function sums_of(store, caller)
  local function since(seconds)
    return c_locale.number("%.3f", caller.now - seconds)
  end
  local clock = store.database:clock()
  return (SUMS:gsub("@(%l+)@", {
    slice = ("%d"):format(_M.policy.slice),
    taken = since(_M.policy.takeover),
    late = since(_M.policy.task),
    day = clock and ("FLOOR(%s / %d) * %d"):format(clock, DAY, DAY)
      or ("%.0f"):format(math.floor(caller.now / DAY) * DAY),
  }))
end

-- Adds a slice to the sums; its last id, if there may be another slice.
local function add_up(sums, rows)
  local count, last = 0, ""
  for _, row in ipairs(rows) do
    local function number(name)
      return tonumber(row[name]) or 0
    end
    count, last = count + number "orders", row.last > last and row.last or last
    sums.states[row.state] = (sums.states[row.state] or 0) + number "orders"
    for _, name in ipairs { "unattended", "overdue", "unpriced" } do
      sums[name] = sums[name] + number(name)
    end
    sums.claimed = sums.claimed + (row.state ~= "staged" and number "claimed"
      or 0)
    if row.currency then
      local spend = sums.spend[row.currency] or { total = 0, today = 0 }
      spend.total = spend.total + number "spent"
      spend.today = spend.today + number "today"
      sums.spend[row.currency] = spend
    end
  end
  return count == _M.policy.slice and last or nil
end

-- Seconds since the last heartbeat, by the clock that its lease is on.
local function silence_of(caller, row)
  local now = row.read_at
    or row.lease_clock == caller.clock and caller.boottime
  return now and row.lease_began and math.max(0, now - row.lease_began)
    or math.max(0, caller.now - row.updated_at)
end

-- What each worker has now; its own row tells what it had at its last heartbeat.
local CLAIMS = [[SELECT claim, COUNT(*) AS orders FROM starvideos_orders
  WHERE claim IS NOT NULL AND state <> 'staged' GROUP BY claim]]

local function claims_of_all(store)
  local rows, err = store:read(CLAIMS)
  local claims = {}
  for _, row in ipairs(rows or {}) do
    claims[row.claim] = tonumber(row.orders)
  end
  return rows and claims, err
end

local function shown_worker(store, caller, row, claims)
  return { id = row.worker_id, machine = row.machine,
    account = row.account ~= "" and row.account or nil,
    base_url = row.base_url, claims = claims or 0, polls = row.polls,
    draining = row.draining == 1, started_at = row.started_at,
    silence = silence_of(caller, row),
    is_dead = workers.is_dead(store, caller, row) }
end

-- What a ledger holds: `states` (orders by state), `claimed` (by workers), `unattended`
-- (tasks of the queue without a worker for `takeover`), `overdue` (tasks that have not
-- ended after `task`), `unpriced` (sent without a price), `spend` (by currency `total` and
-- `today`, UTC, in millionths) and `workers`. It is summed up slice by slice: where a
-- second result is returned, the next call takes both.
function _M.status(store, caller, sums, after)
  sums = sums or { states = {}, claimed = 0, unattended = 0, overdue = 0, unpriced = 0,
    spend = {} }
  local rows, err = store:read(sums_of(store, caller), after or "")
  after = rows and add_up(sums, rows)
  if not rows or after then
    return rows and sums, after or err
  end
  local list, claims
  list, err = workers.list(store)
  if list then
    claims, err = claims_of_all(store)
  end
  if not claims then
    return nil, err
  end
  sums.workers = {}
  for index, row in ipairs(list) do
    sums.workers[index] = shown_worker(store, caller, row, claims[row.worker_id])
  end
  return sums
end

-- How `params` of an archived order is written; see the column `params_form`.
_M.ARCHIVED = 3

-- Orders that are read or changed at a time, so that nobody waits long for the database.
local PAGE = 500

local READ = [[SELECT order_id, params, revision FROM starvideos_orders
  WHERE order_id > ? AND closed_at < ? AND params_form <> 3
  ORDER BY order_id LIMIT ]] .. PAGE

local CHANGE = [[UPDATE starvideos_orders SET params = ?, params_form = 3,
  revision = revision + 1 WHERE order_id = ? AND revision = ?]]

-- What a batch has staged whose program was killed: nothing of it was ever sent.
local STALE = [[ FROM starvideos_orders WHERE state = 'staged'
  AND updated_at < ? AND attempts = 0 AND refused_tasks IS NULL]]
local DROP_STALE_BODIES = [[DELETE FROM starvideos_bodies
  WHERE order_id IN (SELECT order_id]] .. STALE .. ")"
local DROP_STALE = "DELETE" .. STALE

local DROP_BODY = "DELETE FROM starvideos_bodies WHERE order_id = ?"

-- Three sums of 31 bits each: two texts that people write do not share them all. Somebody
-- who can guess the whole text can check the guess.
local MODULUS = 2147483647
local FACTORS = { 31, 257, 65599 }

-- What tells the parameters of an order from others, without showing them.
function _M.digest(text)
  local sums = { 1, 1, 1 }
  for index = 1, #text do
    local byte = text:byte(index)
    for position = 1, 3 do
      sums[position] = (sums[position] * FACTORS[position] + byte) % MODULUS
    end
  end
  return ("%d-%08x%08x%08x"):format(#text, sums[1], sums[2], sums[3])
end

-- Drop what a worker would send for an order.
function _M.drop_body(store, order_id)
  return store:write(DROP_BODY, order_id)
end

local function archive_row(store, row)
  local count, err = store:write(CHANGE, row.digest, row.order_id,
    row.revision)
  if count == 1 then
    local ok
    ok, err = _M.drop_body(store, row.order_id)
    count = ok and count
  end
  return count, err
end

-- The digests are made beforehand, because others wait for the transaction.
local function archive_page(store, rows)
  for _, row in ipairs(rows) do
    row.digest = _M.digest(row.params)
  end
  return store:transaction(function()
    local total = 0
    for _, row in ipairs(rows) do
      local count, err = archive_row(store, row)
      if not count then
        return nil, err
      end
      total = total + count
    end
    return total
  end)
end

local function drop_stale(store, before)
  return store:transaction(function()
    local count, err = store:write(DROP_STALE_BODIES, before)
    if count then
      count, err = store:write(DROP_STALE, before)
    end
    return count, err
  end)
end

-- Archive a page of the orders that ended before a time: how many, and the `after` of the
-- next page, if there may be one. The first page also drops orders that were staged before
-- that time and never enqueued.
function _M.archive(store, _, before, after)
  local rows, err = store:read(READ, after or "", before)
  local dropped = rows
  if rows and not after then
    dropped, err = drop_stale(store, before)
  end
  if not dropped then
    return nil, err
  end
  local count
  count, err = archive_page(store, rows)
  return count, count and #rows == PAGE and rows[PAGE].order_id or err
end

local OWED = [[SELECT o.order_id, o.path FROM starvideos_orders AS o
  LEFT JOIN starvideos_workers AS w ON w.worker_id = o.claim
  WHERE o.state IN ('submitting', 'accepted', 'completed')
  AND o.missing_since IS NULL AND (o.machine = ? OR o.machine IS NULL
    AND o.queued_at IS NOT NULL AND (w.machine IS NULL OR w.machine = ?))]]

local LARGEST = [[SELECT MAX(bytes) AS bytes FROM starvideos_orders
  WHERE bytes IS NOT NULL]]

-- What is bought, or about to be, and to be saved on a machine: `rows` with `order_id` and
-- `path` (one of the queue may have none, or a relative one); and `largest`, the bytes of
-- the largest video that the ledger knows, 0 for none.
function _M.owed(store, _, machine)
  local rows, err = store:read(OWED, machine, machine)
  local largest
  if rows then
    largest, err = store:read(LARGEST)
  end
  return largest and { rows = rows, largest = tonumber(largest[1].bytes) or 0 }, err
end

return _M
