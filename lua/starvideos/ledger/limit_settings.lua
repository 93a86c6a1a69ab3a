--- The limits that a user sets: each counts what there is when it is set, and
-- holds for all processes of the ledger from then on.
-- @module starvideos.ledger.limit_settings

local limit_sql = require "starvideos.ledger.limit_sql"
local recount = require "starvideos.ledger.recount"

local _M = {}

local PUT = [[INSERT INTO starvideos_limits (name, kind, scope, value, cap,
  currency, refunds, began, updated_at)
  VALUES (:name, :kind, :scope, :value, :cap, :currency,
    COALESCE(:refunds, 0), CASE WHEN :kind = 'spend/day' THEN @window@
    WHEN :kind = 'creates' THEN :now ELSE 0 END, :now)
  ON CONFLICT (name) DO UPDATE SET cap = excluded.cap,
  currency = excluded.currency, updated_at = excluded.updated_at,
  refunds = COALESCE(:refunds, starvideos_limits.refunds),
  began = CASE WHEN excluded.kind = 'spend/day' THEN excluded.began
    ELSE starvideos_limits.began END,
  full_until = NULL]]

local REMOVE = "DELETE FROM starvideos_limits WHERE name = :name"

local ALL = [[SELECT name, kind, scope, value, cap, currency, @spent@ AS used,
  refunds, began, full_until, @window@ AS day, :now AS now
  FROM starvideos_limits
  WHERE kind IN ('open', 'creates', 'polls', 'spend/day', 'spend/total')
  ORDER BY name]]

-- The kinds that count orders.
local counted = { open = true, ["spend/day"] = true, ["spend/total"] = true }

--- The name of a limit.
-- @tparam table limit `kind`, `scope` and `value`
-- @treturn string
function _M.name(limit)
  if limit.scope == "" then
    return limit.kind
  end
  return ("%s %s=%s"):format(limit.kind, limit.scope, limit.value)
end

local function set_one(store, values, limit)
  values.name = _M.name(limit)
  for _, field in ipairs { "kind", "scope", "value", "cap", "currency",
    "refunds" } do
    values[field] = limit[field]
  end
  if not limit.cap then
    return limit_sql.run(store, REMOVE, values)
  end
  return limit_sql.run(store, PUT, values)
end

local function set_all(store, caller, list)
  local values = limit_sql.values(store, caller)
  local counts = false
  for _, limit in ipairs(list) do
    counts = counts or limit.cap and counted[limit.kind] or false
  end
  local ok, err = true, nil
  if counts then
    -- What is sent without a limit meanwhile would not be counted.
    ok, err = store:lock()
  end
  for index = 1, ok and #list or 0 do
    ok, err = set_one(store, values, list[index])
    if not ok then
      return nil, err
    end
  end
  if ok and counts then
    ok, err = recount.recount(store, values)
  end
  return ok and true, err
end

--- Set limits, or remove them: all or none.
-- @tparam table store
-- @tparam table caller
-- @tparam table list of limits: `kind` (`open`, `creates`, `polls`, `spend/day`
--   or `spend/total`), `scope` (empty, `account` or `label`), `value` (empty, or
--   which), `cap` (tasks, creates a minute, polls a second or millionths; nil
--   removes it), `currency`, `refunds` (1: failed tasks give their spend back; 0;
--   nil leaves that as it is)
-- @treturn ?boolean true
-- @treturn ?table err
function _M.set(store, caller, list)
  return store:atomically(function()
    return set_all(store, caller, list)
  end)
end

--- The limits as they stand.
-- @tparam table store
-- @tparam table caller
-- @treturn ?table rows: as in `set`, and `name`, `used`, `began`, `full_until`,
--   `day` and `now` (Unix seconds)
-- @treturn ?table err
function _M.list(store, caller)
  return limit_sql.rows(store, ALL, limit_sql.values(store, caller))
end

return _M
