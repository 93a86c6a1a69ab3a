-- The rows of `starvideos_limits`. What is written is computed in Lua from what was read,
-- so it is written only in a transaction, of which a database has one at a time.

local c_locale = require "starvideos.base.c_locale"
local limit_kinds = require "starvideos.ledger.limit_kinds"

local unpack = table.unpack or unpack

local _M = {}

local columns = { "name", "kind", "scope", "value", "base_url", "cap",
  "currency", "used", "began", "full_until", "factor", "refunds", "reason",
  "updated_at" }
local numbers = { "cap", "used", "began", "full_until", "factor", "refunds",
  "updated_at", "waiting" }

local NAMES = table.concat(columns, ", ")

-- A change leaves alone what a row is, and whose.
local changed = {}
for index = 6, #columns do
  changed[#changed + 1] = ("%s = excluded.%s"):format(columns[index],
    columns[index])
end

-- What is `waiting` is never written from here: see `starvideos.ledger.limits`.
local READ = "SELECT " .. NAMES .. ", waiting FROM starvideos_limits "

local SAVE = "INSERT INTO starvideos_limits (" .. NAMES .. ") VALUES ("
  .. ("?, "):rep(#columns - 1) .. "?) ON CONFLICT (name) DO UPDATE SET "
  .. table.concat(changed, ", ")

local REMOVE = "DELETE FROM starvideos_limits WHERE name = ?"

-- A limit is for all, or for one account or label. The list of values is for the index.
_M.OF_ORDER = [[value IN ('', ?, ?) AND (scope = ''
  OR scope = 'account' AND value = ? OR scope = 'label' AND value = ?)]]

-- A hold or halt is for one base URL.
local APPLYING = "WHERE " .. _M.OF_ORDER
  .. " AND base_url IN ('', ?) ORDER BY name"

-- The last day in which any limit has counted a spend, up to tomorrow: one that is further
-- was written by a clock that was ahead, and is no day yet.
local TIMES = ([[SELECT MAX(began) AS began%%s FROM starvideos_limits
  WHERE kind = 'spend/day' AND began <= %%s + %d]]):format(limit_kinds.policy.day)

-- Read limits by a condition (SQL from `WHERE` on) and its values.
function _M.read(store, condition, ...)
  local rows, err = store:read(READ .. condition, ...)
  for _, row in ipairs(rows or {}) do
    for _, name in ipairs(numbers) do
      local value = row[name]
      row[name] = value and (type(value) == "number" and value
        or c_locale.tonumber(value)) or nil
    end
    row.cap, row.used = row.cap or 0, row.used or 0
    row.began = row.began or 0
  end
  return rows, err
end

-- The limit of a name; false if there is none.
function _M.find(store, name)
  local rows, err = _M.read(store, "WHERE name = ?", name)
  return rows and (rows[1] or false), err
end

-- The time, of the server if there is one, and the day that a spend belongs to, which never
-- goes back even if a clock does.
function _M.times(store, caller)
  local clock = store.database:clock()
  local rows, err
  if clock then
    rows, err = store:read(TIMES:format(", " .. clock .. " AS now", clock))
  else
    rows, err = store:read(TIMES:format("", "?"), store.rounded(caller.now))
  end
  if not rows then
    return nil, err
  end
  local now = store.rounded(clock and tonumber(rows[1].now) or caller.now)
  return { now = now, day = math.max(limit_kinds.day(now),
    tonumber(rows[1].began) or 0) }
end

function _M.applying(store, order)
  local account, label = order.account or "", order.label
  return _M.read(store, APPLYING, account, label, account, label,
    order.base_url or "")
end

-- What an order meets, see `limit_kinds`.
function _M.look(store, caller, order)
  local at, err = _M.times(store, caller)
  if not at then
    return nil, err
  end
  at.limits, err = _M.applying(store, order)
  if not at.limits then
    return nil, err
  end
  at.is_worker = caller.worker ~= nil
  limit_kinds.complete(at)
  return at
end

-- Write a limit, or remove it if it `is_over`.
function _M.save(store, limit, now)
  if not store.database.begun then
    error("a limit is written outside of a transaction", 2)
  end
  if limit.is_over then
    local count, err = store:write(REMOVE, limit.name)
    return count and true, err
  end
  limit.scope, limit.value = limit.scope or "", limit.value or ""
  limit.base_url, limit.refunds = limit.base_url or "", limit.refunds or 0
  limit.used, limit.began = limit.used or 0, limit.began or 0
  limit.updated_at = now
  local values = {}
  for index, name in ipairs(columns) do
    values[index] = store:said(name, limit[name])
  end
  local count, err = store:write(SAVE, unpack(values, 1, #columns))
  return count and true, err
end

return _M
