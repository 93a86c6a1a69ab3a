--- The SQL of the limits: which of them apply to an order, and whether it fits
-- into them.
--
-- A template names its values: `:cost`, `:account`; `:now` and `:day` are read
-- from the server's clock where there is one. `@fits@` and the like stand for
-- the conditions below.
-- @module starvideos.ledger.limit_sql

local unpack = table.unpack or unpack

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
_M.policy = {
  minute = 60,
  burst = 1, -- by which creates that were late may catch up
  margin = 1, -- that a minute has more, for not all take equally long to arrive
  slot = 1800, -- for which an order of unknown outcome counts as an open task
  day = 86400,
  hold_max = 3600, -- the longest hold
  longest_wait = 3600, -- no order is left alone for longer (`not_before`)
  recovery = 240, -- in which what a 429 has lowered rises from nothing to all
  rate = 4, -- creates a second of an account without a limit while that rises
  lowest = 0.05, -- share that many 429 leave
}

local policy = _M.policy

--- When an open task's slot ends that has no end yet, in Unix seconds.
_M.FOREVER = 1e11

-- How much of its rate a hold leaves, from when it ends.
local FACTOR = ([[(CASE
  WHEN h.full_until >= :now THEN h.factor
  WHEN h.factor + (:now - h.full_until) / %d.0 < 1
    THEN h.factor + (:now - h.full_until) / %d.0
  ELSE 1.0 END)]]):format(policy.recovery, policy.recovery)

-- Seconds between two creates.
local GAP = ("(%d.0 / cap / @factor@)"):format(policy.minute + policy.burst
  + policy.margin)

local parts = {
  -- A limit is for all, or for one account or label. What a 429 or a refusal
  -- of the provider has made is for one base URL.
  applies = [[(scope = '' OR scope = 'account' AND value = :account
    OR scope = 'label' AND value = :label)
    AND (base_url = '' OR base_url = :base_url)]],
  -- What an order must fit into before it is sent. A worker sends nothing
  -- while the queue is halted.
  kept = [[(kind IN ('open', 'creates', 'spend/day', 'spend/total', 'hold')
    OR kind = 'halt' AND :worker = 1)]],
  counted = "kind IN ('open', 'spend/day', 'spend/total')",
  -- The day that a spend belongs to: one for all limits, which never goes back
  -- though a clock does.
  window = [[(SELECT CASE WHEN MAX(w.began) > :day THEN MAX(w.began)
    ELSE :day END FROM starvideos_limits AS w WHERE w.kind = 'spend/day')]],
  own_factor = FACTOR:gsub("h%.", ""),
  old_factor = FACTOR:gsub("h%.", "starvideos_limits."),
  old_is_sound = ("starvideos_limits.full_until <= :now + %d"):format(
    policy.hold_max + policy.burst),
  factor = "(SELECT COALESCE(MIN(" .. FACTOR .. [[), 1.0)
    FROM starvideos_limits AS h WHERE h.kind = 'hold'
    AND (h.scope = '' OR h.scope = 'account' AND h.value = :account)
    AND h.base_url = :base_url)]],
  gap = GAP,
  -- The user's limit has the factor of a hold in its gap: that is slow enough.
  paced = [[EXISTS (SELECT 1 FROM starvideos_limits AS c
    WHERE c.kind = 'creates' AND (c.scope = ''
      OR c.scope = 'account' AND c.value = :account
      OR c.scope = 'label' AND c.value = :label))]],
  spent = "(CASE WHEN kind = 'spend/day' AND began < @window@"
    .. " THEN 0 ELSE used END)",
  -- A time further ahead than the limit itself sets it was set by a clock that
  -- was put back since.
  fits = ([[(CASE kind
    WHEN 'open' THEN used + 1 <= cap
    WHEN 'creates' THEN CASE WHEN cap > 0
      THEN began <= :now OR began > :now + @gap@ + %d ELSE 1 = 0 END
    WHEN 'spend/day' THEN currency = :currency AND :cost >= 0
      AND @spent@ + :cost <= cap
    WHEN 'spend/total' THEN currency = :currency AND :cost >= 0
      AND used + :cost <= cap
    WHEN 'hold' THEN (full_until <= :now OR full_until > :now + %d)
      AND (@own_factor@ >= 1 OR @paced@ OR began <= :now
        OR began > :now + %d)
    ELSE 1 = 0 END)]]):format(policy.burst, policy.hold_max + policy.burst,
    1 / policy.rate / policy.lowest + policy.burst),
  full = "(CASE WHEN @fits@ THEN 0 ELSE 1 END = 1)",
}

-- Values that are compared as they are.
local verbatim = { id = true, revision = true }

local texts = { account = true, label = true, base_url = true,
  currency = true, name = true, kind = true, scope = true, value = true,
  reason = true }

-- `:now` is the time of a statement, which may have waited for others; `:day`
-- is the same in all statements of a transaction.
local clocks = {
  now = "CAST(EXTRACT(EPOCH FROM statement_timestamp()) AS DOUBLE PRECISION)",
  day = ("CAST(FLOOR(EXTRACT(EPOCH FROM now()) / %d) * %d AS DOUBLE PRECISION)")
    :format(policy.day, policy.day),
}

local function expand(template)
  local count
  repeat
    template, count = template:gsub("@([%l_]+)@", parts)
  until count == 0
  return template
end

-- The SQL of a template, and the names of its values in their order.
local function compile(template, is_server)
  local names = {}
  local sql = expand(template):gsub(":(%l[%l_]*)", function(name)
    if is_server and clocks[name] then
      return clocks[name]
    end
    names[#names + 1] = name
    return verbatim[name] and "?" or texts[name] and "CAST(? AS TEXT)"
      or "CAST(? AS DOUBLE PRECISION)"
  end)
  return { sql = sql, names = names }
end

local compiled = { [true] = {}, [false] = {} }

--- The SQL of a template, and its values.
-- @tparam table store
-- @tparam string template
-- @tparam table values by name
-- @treturn string
-- @treturn table values, in their order
-- @treturn number how many
function _M.bind(store, template, values)
  local is_server = store.database:clock() ~= nil
  local cache = compiled[is_server]
  local one = cache[template]
  if not one then
    one = compile(template, is_server)
    cache[template] = one
  end
  local list, count = {}, #one.names
  for index = 1, count do
    list[index] = values[one.names[index]]
  end
  return one.sql, list, count
end

--- Run a template that changes something.
-- @tparam table store
-- @tparam string template
-- @tparam table values by name
-- @treturn ?number how many rows it changed
-- @treturn ?table err
function _M.run(store, template, values)
  local sql, list, count = _M.bind(store, template, values)
  return store:write(sql, unpack(list, 1, count))
end

--- Read the rows of a template.
-- @tparam table store
-- @tparam string template
-- @tparam table values by name
-- @treturn ?table rows
-- @treturn ?table err
function _M.rows(store, template, values)
  local sql, list, count = _M.bind(store, template, values)
  return store:read(sql, unpack(list, 1, count))
end

--- When the day (UTC) of a time began.
-- @tparam number now Unix seconds
-- @treturn number Unix seconds
function _M.day(now)
  return now - now % policy.day
end

--- What sets a column to a time, for a change of the store.
-- @tparam table store
-- @tparam string column
-- @tparam string name of the time: `now` or `day`
-- @tparam number value where there is no server's clock
-- @treturn table
function _M.assignment(store, column, name, value)
  if store.database:clock() then
    return { sql = column .. " = " .. clocks[name], count = 0 }
  end
  return { sql = column .. " = ?", values = { value }, count = 1 }
end

--- The values that most templates name.
-- @tparam table store
-- @tparam table caller
-- @tparam ?table row of the order
-- @treturn table values
function _M.values(store, caller, row)
  row = row or {}
  local now = store.rounded(caller.now)
  return {
    now = now,
    day = _M.day(now),
    id = row.order_id,
    revision = row.revision,
    account = row.account or "",
    label = row.label or "",
    base_url = row.base_url or "",
    cost = row.cost,
    currency = row.currency,
    worker = caller.worker and 1 or 0,
  }
end

return _M
