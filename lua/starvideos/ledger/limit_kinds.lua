--- Why an order does not fit into the limits of its ledger, as an error: which
-- limit, how full it is, and until when.
-- @module starvideos.ledger.limit_kinds

local c_locale = require "starvideos.base.c_locale"
local limit_sql = require "starvideos.ledger.limit_sql"

local _M = {}

local policy = limit_sql.policy

local FULL = [[SELECT name, kind, base_url, cap, currency, began,
  full_until, reason, @spent@ AS used, @window@ AS day, @own_factor@ AS factor,
  :now AS now FROM starvideos_limits
  WHERE @kept@ AND @applies@ AND @full@ ORDER BY name]]

-- A claim leaves the orders of this limit alone until then, unless it is not
-- full any more, or another order of the queue fits that costs less.
local MARK = [[UPDATE starvideos_limits SET full_until = :full_until
  WHERE name = :name AND @full@ AND (kind = 'open' OR NOT EXISTS (
    SELECT 1 FROM starvideos_orders AS o WHERE o.state = 'queued'
    AND o.claim IS NULL AND o.currency = starvideos_limits.currency
    AND o.cost <= starvideos_limits.cap - @spent@
    AND (starvideos_limits.scope = ''
      OR starvideos_limits.scope = 'account'
        AND o.account = starvideos_limits.value
      OR starvideos_limits.scope = 'label'
        AND o.label = starvideos_limits.value)))]]

-- How long no worker claims anything for a limit of which nobody knows when it
-- is free. Whoever frees it ends that.
local LOOK_SECONDS = 5

--- Money as a person reads it.
-- @tparam number millionths
-- @tparam ?string currency
-- @treturn string
function _M.money(millionths, currency)
  local text = c_locale.number("%.6f", millionths / 1e6):gsub("0000$", "")
  return text .. (currency and " " .. currency or "")
end

local function time(seconds)
  return os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(seconds))
end

local function count(number)
  return c_locale.number("%.14g", number)
end

-- Of each kind: the sentence, when the order may be tried again, whether it is of
-- no use to wait, and whether that is so for the order itself: others may fit.
local reasons = {}

function reasons.open(row)
  return ("%s of %s tasks are open: order again when one has ended, which a wait"
    .. " for it tells (resume waits for all)")
    :format(count(row.used), count(row.cap)), nil, row.cap < 1
end

function reasons.creates(row)
  if row.cap <= 0 then
    return "it allows no orders: raise it", nil, true
  end
  return ("it allows %s orders a minute, and the next one at %s")
    :format(count(row.cap), time(row.began)), row.began
end

local function unpriced(row, values)
  if not values.cost or not values.currency then
    return "this order has no price, so nobody can say whether it fits: give"
      .. " its model a price (prices, --prices), or remove the limit"
  elseif values.currency ~= row.currency then
    return ("it counts %s, and this order has a price in %s: use one currency,"
      .. " or remove the limit"):format(tostring(row.currency),
      values.currency)
  end
end

local function spend(row, values, until_)
  local why = unpriced(row, values)
  if why then
    return why, nil, true, true
  end
  local needed = values.cost + row.used - row.cap
  return ("%s of %s are spent%s, and this order costs %s, which is %s too much:"
    .. " %sraise the limit"):format(_M.money(row.used),
    _M.money(row.cap, row.currency), until_ and " of this day (UTC)" or "",
    _M.money(values.cost), _M.money(needed), until_ and ("order again after "
      .. time(until_) .. ", or ") or ""), until_,
    not until_ or values.cost > row.cap, values.cost > row.cap
end

reasons["spend/total"] = function(row, values)
  return spend(row, values, nil)
end

reasons["spend/day"] = function(row, values)
  return spend(row, values, row.day + policy.day)
end

function reasons.hold(row)
  local until_ = math.max(row.full_until, row.factor < 1 and row.began or 0)
  return ("the provider said that there were too many requests: the next order"
    .. " may be sent at %s"):format(time(until_)), until_
end

function reasons.halt(row)
  return ("%s: see to that, and let the queue continue (starvideos work"
    .. " --resume)"):format(tostring(row.reason)), nil, true
end

local function explain(row, values)
  for _, name in ipairs { "cap", "began", "used", "now", "day", "factor",
    "full_until" } do
    row[name] = tonumber(row[name]) or 0
  end
  local why, retry_at, is_final, never = reasons[row.kind](row, values)
  return {
    name = row.name,
    kind = row.kind,
    limit = row.base_url == "" and row.name or row.kind,
    why = why,
    retry_at = not is_final and retry_at or nil,
    is_final = is_final or false,
    never = never,
    now = row.now,
  }
end

-- The reason that matters most: that which will not pass, then that which will
-- last longest.
local function outweighs(one, other)
  if not other or one.is_final ~= other.is_final then
    return not other or one.is_final
  end
  return (one.retry_at or 0) > (other.retry_at or 0)
end

local marked = { open = true, ["spend/day"] = true, ["spend/total"] = true }

-- Keeps workers from claiming what does not fit either: whether there may be
-- something else that does. An order that never fits says nothing of the others.
local function mark(store, reason, values)
  if reason.never or not marked[reason.kind] then
    return reason.never or false
  end
  local full_until = reason.retry_at
  if not full_until then
    full_until = reason.now + LOOK_SECONDS
  end
  values.name, values.full_until = reason.name, full_until
  local changed, err = limit_sql.run(store, MARK, values)
  if not changed then
    return nil, err
  end
  return changed == 0
end

--- Why an order does not fit.
-- @tparam table store
-- @tparam table caller
-- @tparam table values see `starvideos.ledger.limit_sql`
-- @treturn ?table err of kind limited, as plain data, with `limit` (its name),
--   `retry_at` (Unix seconds) and `retry_after` (seconds) where that is known,
--   `retryable` (false where it is of no use to wait) and `never` (true where it
--   will not fit whatever other orders do) and, for a worker, `others` (whether
--   other orders of the queue may fit); nil where it fits
-- @treturn ?table what went wrong instead
function _M.find(store, caller, values)
  local rows, problem = limit_sql.rows(store, FULL, values)
  if not rows then
    return nil, problem
  end
  local worst
  for _, row in ipairs(rows) do
    local reason = explain(row, values)
    worst = outweighs(reason, worst) and reason or worst
    if caller.worker then
      reason.others, problem = mark(store, reason, values)
    end
    if problem then
      return nil, problem
    end
  end
  return worst and {
    kind = "limited",
    message = ("the limit %s keeps this order back; nothing was sent, and"
      .. " nothing was bought: %s"):format(worst.limit, worst.why),
    limit = worst.limit,
    retry_at = worst.retry_at,
    retry_after = worst.retry_at and math.max(0, worst.retry_at - worst.now),
    retryable = not worst.is_final,
    never = worst.never,
    others = worst.others,
    sent = false,
  }
end

return _M
