-- The orders of a ledger for its users: lists, sums, the archive and a copy.

local errors = require "starvideos.errors"
local limits = require "starvideos.fleet.limits"

local _M = {}

-- Orders of a list, by default.
local LIMIT = 1000

-- Seconds after which an order is archived, by default.
local OLD = 30 * 86400

local function in_units(millionths)
  return millionths / 1e6
end

-- The orders, oldest first, and the `after` of the next page if there is one.
function _M.orders(context, options)
  local states = options.state
  local rows, more = context.ledger:history {
    states = type(states) == "string" and { states } or states,
    since = options.since, before = options.before, label = options.label,
    account = options.account, key = options.key, after = options.after,
    limit = options.limit or LIMIT }
  if not rows then
    return nil, more
  end
  local list = {}
  for index, row in ipairs(rows) do
    list[index] = context.ledger.order_of(row)
  end
  return list, more
end

-- Where the queue has stopped, where a 429 has lowered the rates, and what no document
-- knows.
local function add_gates(context, status)
  local gates, err = context.ledger:gates()
  status.halted, status.rates, status.unknown = {}, {}, {}
  for _, gate in ipairs(gates or {}) do
    local account = gate.account ~= "" and gate.account or nil
    if gate.halted then
      table.insert(status.halted, { account = account, base_url = gate.base_url,
        kind = gate.halted.kind, reason = gate.halted.reason,
        since = gate.updated_at })
    elseif gate.kind == "unknown" then
      local what, word = gate.value:match "^(%l+) (.*)$"
      table.insert(status.unknown, { what = what, word = word,
        base_url = gate.base_url, count = gate.used, seen_at = gate.updated_at })
    elseif gate.kind == "hold" then
      local until_ = gate.full_until
      table.insert(status.rates, { account = account, base_url = gate.base_url,
        factor = gate.factor,
        until_ = until_ and until_ > context.wall_clock() and until_ or nil })
    end
  end
  return gates and status, err
end

function _M.status(context)
  local status, more
  repeat
    status, more = context.ledger:status(status, more)
  until not status or not more
  if not status then
    return nil, more
  end
  for _, spend in pairs(status.spend) do
    spend.total, spend.today = in_units(spend.total), in_units(spend.today)
  end
  local err
  status.limits, err = limits.list(context.ledger)
  if not status.limits then
    return nil, err
  end
  return add_gates(context, status)
end

-- Drop what is private of orders that ended before a time; returns how many.
function _M.archive(context, options)
  local before = options.before or context.wall_clock() - OLD
  local total, after = 0, nil
  repeat
    local count, more = context.ledger:archive(before, after)
    if not count then
      return nil, more
    end
    total, after = total + count, more
  until not after
  return total
end

local function not_copied(path, failure)
  return errors.new { kind = "io", message = ("the copy of the ledger could not"
    .. " be made as %s: %s; the ledger is as it was"):format(path,
    failure.reason == "exists" and "there is such a file already"
      or tostring(failure.message)) }
end

-- Copy a ledger in a file while others use it. A file of that name is a whole copy.
function _M.backup(context, path)
  local runtime = context.runtime
  if runtime:disk("kind", path) then
    return nil, not_copied(path, { reason = "exists" })
  end
  local part = path .. ".part"
  local done, err = context.ledger:backup(part)
  if not done then
    return nil, err
  end
  local bytes = runtime:disk("size", part)
  local ok, failure = runtime:disk("commit", part, path, bytes, false)
  if not ok then
    runtime:disk("remove", part)
    return nil, not_copied(path, failure)
  end
  return { path = path, bytes = bytes }
end

return _M
