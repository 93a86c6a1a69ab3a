-- The limits that a user sets: each counts what there is when it is set, and holds for all
-- processes of the ledger from then on.

local limit_kinds = require "starvideos.ledger.limit_kinds"
local limit_rows = require "starvideos.ledger.limit_rows"
local limits = require "starvideos.ledger.limits"

local unpack = table.unpack or unpack

local _M = {}

local SET = "WHERE kind IN ('open', 'creates', 'polls', 'spend/day', 'spend/total')"
local OF_ACCOUNT = SET .. " AND value = ? AND scope = 'account'"

local function name_of(limit)
  if limit.scope == "" then
    return limit.kind
  end
  return ("%s %s=%s"):format(limit.kind, limit.scope, limit.value)
end

local function counts(limit)
  local kind = limit_kinds.kinds[limit.kind]
  return limit.cap ~= nil and kind ~= nil and kind.counts or false
end

local function set_one(store, limit, at)
  local name = name_of(limit)
  local row, err = limit_rows.find(store, name)
  if row == nil then
    return nil, err
  end
  local is_new = not row
  row = row or { name = name, kind = limit.kind, scope = limit.scope,
    value = limit.value }
  row.is_over = limit.cap == nil
  row.cap, row.currency, row.full_until = limit.cap, limit.currency, nil
  row.refunds = limit.refunds or row.refunds
  if limit.kind == "spend/day" then
    row.began = at.day
  elseif limit.kind == "creates" and is_new then
    row.began = at.now
  end
  return limit_rows.save(store, row, at.now)
end

local function set_all(store, caller, list)
  local counted = {}
  for _, limit in ipairs(list) do
    counted[#counted + 1] = counts(limit) and name_of(limit) or nil
  end
  local ok, err = true, nil
  if counted[1] then
    -- What is sent without a limit meanwhile would not be counted.
    ok, err = store:lock()
  end
  local at = ok
  if ok then
    at, err = limit_rows.times(store, caller)
  end
  ok = at
  for index = 1, at and #list or 0 do
    ok, err = set_one(store, list[index], at)
    if not ok then
      return nil, err
    end
  end
  if ok and counted[1] then
    ok, err = limits.recount(store, caller, counted)
  end
  return ok and true, err
end

-- Set limits, or remove them, all or none. Each has `kind` (`open`, `creates`, `polls`,
-- `spend/day`, `spend/total`), `scope` (empty, `account`, `label`), `value` (which), `cap`
-- (tasks, creates a minute, polls a second or millionths; nil removes it), `currency`, and
-- `refunds` (1: failed tasks give their spend back; nil: as it is).
function _M.set(store, caller, list)
  return store:atomically(function()
    return set_all(store, caller, list)
  end)
end

-- The limits as they stand: as for `set`, with `name`, `used`, `waiting` (what queued
-- orders will cost), `began`, `full_until`, `day` and `now`. `account`: whose own limits;
-- nil: all there are.
function _M.list(store, caller, account)
  local at, err = limit_rows.times(store, caller)
  local rows
  if at then
    rows, err = limit_rows.read(store, (account and OF_ACCOUNT or SET)
      .. " ORDER BY name", unpack { account })
  end
  for _, row in ipairs(rows or {}) do
    row.used, row.day, row.now = limit_kinds.used(row, at), at.day, at.now
  end
  return rows, err
end

return _M
