-- The kinds of limits: whether an order fits into one, why not and until when, and what it
-- takes of it. It reads and writes no database.
--
-- `at` is what an order meets: `now` and `day` (Unix seconds), `limits` (those that apply),
-- `factor` (the share of its rate that holds have left), `is_paced` (whether a limit of
-- creates a minute applies) and `is_worker`.

local c_locale = require "starvideos.base.c_locale"

local _M = {}

-- In seconds unless said otherwise.
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
  look = 5, -- for which no worker claims where nobody knows when a limit is free
}

local policy = _M.policy

-- When an open task's slot ends that has no end yet, in Unix seconds.
_M.FOREVER = 1e11

-- When the day (UTC) of a time began.
function _M.day(now)
  return now - now % policy.day
end

-- Money as a person reads it.
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

-- How much of its rate a hold leaves.
function _M.factor(hold, now)
  local factor, full_until = hold.factor or 1, hold.full_until or 0
  if full_until >= now then
    return factor
  end
  return math.min(1, factor + (now - full_until) / policy.recovery)
end

-- Whether a time is ahead, and no further than its kind sets it: a clock that was set back
-- since has set one that is further.
function _M.is_ahead(when, now, furthest)
  return when ~= nil and when > now and when <= now + furthest + policy.burst
end

local is_ahead = _M.is_ahead

-- Add what follows from the limits to what an order meets.
function _M.complete(at)
  at.factor, at.is_paced = 1, false
  for _, limit in ipairs(at.limits) do
    if limit.kind == "hold" then
      at.factor = math.min(at.factor, _M.factor(limit, at.now))
    end
    at.is_paced = at.is_paced or limit.kind == "creates"
  end
end

-- What of a limit is used; a spend of another day is not.
function _M.used(limit, at)
  local is_other = limit.kind == "spend/day" and limit.began ~= at.day
  return is_other and 0 or limit.used
end

-- Of each kind: `fits`, `take`, `counts` (whether it counts orders) and `marks`
-- (whether workers claim nothing of its scope while it is full).
local kinds = {
  open = { counts = true, marks = true },
  creates = {},
  ["spend/day"] = { counts = true, marks = true },
  ["spend/total"] = { counts = true, marks = true },
  hold = {},
  halt = {},
}
_M.kinds = kinds

function kinds.open.fits(limit)
  if limit.used + 1 > limit.cap then
    return { why = ("%s of %s tasks are open"):format(count(limit.used),
      count(limit.cap)), cure = "; order again when one has ended, which a wait for it"
      .. " tells (resume waits for all)", is_final = limit.cap < 1 }
  end
end

function kinds.open.take(limit)
  limit.used = limit.used + 1
end

-- Seconds between two creates.
local function gap_of(limit, at)
  return (policy.minute + policy.burst + policy.margin) / limit.cap / at.factor
end

function kinds.creates.fits(limit, _, at)
  if limit.cap <= 0 then
    return { why = "it allows no orders: raise it", is_final = true }
  elseif is_ahead(limit.began, at.now, gap_of(limit, at)) then
    return { why = ("it allows %s orders a minute, and the next one at %s")
      :format(count(limit.cap), time(limit.began)), retry_at = limit.began }
  end
end

function kinds.creates.take(limit, _, at)
  local last = math.min(at.now, math.max(limit.began, at.now - policy.burst))
  limit.began = last + gap_of(limit, at)
end

local function unpriced(limit, order)
  if not order.cost or not order.currency then
    return "this order has no price, so nobody can say whether it fits: give"
      .. " its model a price (prices, --prices), or remove the limit"
  elseif order.currency ~= limit.currency then
    return ("it counts %s, and this order has a price in %s: use one currency,"
      .. " or remove the limit"):format(tostring(limit.currency),
      order.currency)
  end
end

-- `until_` is the end of the day where it counts one.
local function spend_fits(limit, order, at, until_)
  local why = unpriced(limit, order)
  if why then
    return { why = why, is_final = true, never = true }
  end
  local used = _M.used(limit, at)
  local missing = order.cost + used - limit.cap
  if missing <= 0 and order.cost >= 0 then
    return nil
  end
  local never = order.cost > limit.cap
  return { why = ("%s of %s are spent%s, and this order costs %s, which is %s too"
    .. " much: %sraise the limit"):format(_M.money(used),
    _M.money(limit.cap, limit.currency), until_ and " of this day (UTC)" or "",
    _M.money(order.cost), _M.money(missing), until_ and ("order again after "
      .. time(until_) .. ", or ") or ""), retry_at = until_,
    is_final = not until_ or never, never = never }
end

kinds["spend/total"].fits = function(limit, order, at)
  return spend_fits(limit, order, at, nil)
end

kinds["spend/day"].fits = function(limit, order, at)
  return spend_fits(limit, order, at, at.day + policy.day)
end

kinds["spend/total"].take = function(limit, order)
  limit.used = limit.used + order.cost
end

kinds["spend/day"].take = function(limit, order, at)
  limit.used, limit.began = _M.used(limit, at) + order.cost, at.day
end

-- The user's limit of creates already applies the factor of a hold to its gap.
function kinds.hold.fits(limit, _, at)
  local is_held = is_ahead(limit.full_until, at.now, policy.hold_max)
  local is_slow = not at.is_paced and _M.factor(limit, at.now) < 1
    and is_ahead(limit.began, at.now, 1 / policy.rate / policy.lowest)
  if is_held or is_slow then
    local until_ = math.max(limit.full_until,
      _M.factor(limit, at.now) < 1 and limit.began or 0)
    return { why = ("the provider said that there were too many requests: the next"
      .. " order may be sent at %s"):format(time(until_)), retry_at = until_ }
  end
end

function kinds.hold.take(limit, _, at)
  local factor = _M.factor(limit, at.now)
  limit.is_over = factor >= 1
  limit.began = at.now + 1 / factor / policy.rate
end

function kinds.halt.fits(limit, _, at)
  return at.is_worker and { why = ("%s: see to that, and let the queue continue"
    .. " (starvideos work --resume)"):format(tostring(limit.reason)),
    is_final = true } or nil
end

-- Why an order does not fit into one limit: `why`; `cure`: advice for who places a single
-- order; `retry_at` (Unix seconds), if known; `is_final`: waiting is of no use; `never`: it
-- will not fit whatever others do.
function _M.fits(limit, order, at)
  local kind = kinds[limit.kind]
  return kind and kind.fits(limit, order, at)
end

-- An order that fits takes its part of a limit; true if that changes the limit.
function _M.take(limit, order, at)
  local kind = kinds[limit.kind]
  if not kind or not kind.take then
    return false
  end
  kind.take(limit, order, at)
  if limit.kind ~= "hold" then
    limit.full_until = nil
  end
  return true
end

-- An order has more or fewer `slots` than before, or `spend` of a `day`; true if that
-- changes the limit.
function _M.give(limit, order, at, more)
  local kind = limit.kind
  if kind == "open" and more.slots ~= 0 then
    limit.used = math.max(0, limit.used + more.slots)
  elseif kind:find "^spend/" and more.spend ~= 0
    and limit.currency == order.currency and (kind == "spend/total"
      or at.day == more.day) then
    limit.used = math.max(0, _M.used(limit, at) + more.spend)
    limit.began = kind == "spend/day" and at.day or limit.began
  else
    return false
  end
  limit.full_until = nil
  return true
end

return _M
