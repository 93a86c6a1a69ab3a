-- The limits of a ledger as a user sets and sees them.

local errors = require "starvideos.errors"

local _M = {}

-- The ledger counts in millionths of a currency.
local MILLION = 1e6

local DAY = 86400

-- Each option: the kind of its limit, and how its numbers are shown.
local kinds = {
  { option = "open", kind = "open" },
  { option = "creates_per_minute", kind = "creates" },
  { option = "polls_per_second", kind = "polls" },
  { option = "spend", kind = "spend/day", per = "day", money = true },
  { option = "spend", kind = "spend/total", per = "total", money = true },
}

local by_kind = {}
for _, row in ipairs(kinds) do
  by_kind[row.kind] = row
end

local function refused(message)
  return nil, errors.new { kind = "validation", message = message
    .. "; no limit was changed" }
end

local function millionths(decimal)
  return math.floor(decimal * MILLION + 0.5)
end

local function known_currency(limits, limit)
  for _, row in ipairs(limits) do
    if row.kind == limit.kind and row.scope == limit.scope
      and row.value == limit.value then
      return row.currency
    end
  end
end

-- What is wrong with the options of `client:limits`, taken together.
function _M.misuse(options)
  if options.account and options.label then
    return "limits takes an account or a label, not both: a limit is for one of"
      .. " them, or for all"
  end
  for _, name in ipairs { "per", "currency", "refund_failed" } do
    if options[name] ~= nil and options.spend == nil then
      return ("option %s of limits needs the option spend"):format(name)
    end
  end
end

-- The limits that a call sets or removes, as the ledger takes them.
local function wanted(context, options)
  local scope = options.account and "account" or options.label and "label" or ""
  local list = {}
  for _, row in ipairs(kinds) do
    local cap = options[row.option]
    if cap ~= nil and (not row.per or row.per == (options.per or "total")) then
      list[#list + 1] = {
        kind = row.kind,
        scope = scope,
        value = options.account or options.label or "",
        cap = cap and (row.money and millionths(cap) or cap) or nil,
        currency = row.money and (options.currency
          or context.prices and context.prices.currency) or nil,
        refunds = row.money and options.refund_failed ~= nil
          and (options.refund_failed and 1 or 0) or nil,
      }
    end
  end
  return list
end

-- A spend is counted in one currency: that of the call, of the client's prices,
-- or of the limit that is there.
local function complete(context, list)
  local limits, err
  for _, limit in ipairs(list) do
    if by_kind[limit.kind].money and limit.cap and not limit.currency then
      if not limits then
        limits, err = context.ledger:limits()
      end
      if not limits then
        return nil, err
      end
      limit.currency = known_currency(limits, limit)
      if not limit.currency then
        return refused("a limit of spend needs a currency: pass currency, or"
          .. " give the client prices")
      end
    end
  end
  return true
end

-- Without the fraction that a whole number has as a float.
local function plain(number)
  return math.tointeger and math.tointeger(number) or number
end

-- Until when a limit is full, or what it has used counts.
local function until_of(row)
  if row.kind == "spend/day" then
    return row.day + DAY
  end
  local time = row.kind == "creates" and row.began or row.full_until or 0
  return time > row.now and time or nil
end

local function shown(row)
  local how = by_kind[row.kind]
  local unit = how.money and MILLION or 1
  local limit = {
    name = row.name,
    kind = how.option,
    per = how.per,
    account = row.scope == "account" and row.value or nil,
    label = row.scope == "label" and row.value or nil,
    cap = plain(row.cap / unit),
    until_ = until_of(row),
  }
  if how.money or row.kind == "open" then
    limit.used = plain(row.used / unit)
    limit.left = plain(math.max(0, row.cap - row.used) / unit)
  end
  if how.money then
    limit.currency, limit.refund_failed = row.currency, row.refunds == 1
  end
  return limit
end

-- The limits as they stand, as `client:limits` returns them.
function _M.list(ledger)
  local rows, err = ledger:limits()
  local list = {}
  for index, row in ipairs(rows or {}) do
    list[index] = shown(row)
  end
  return rows and list, err
end

-- Set limits, or remove them.
function _M.change(context, options)
  local list = wanted(context, options)
  if not list[1] then
    return true
  end
  local ok, err = complete(context, list)
  if ok then
    ok, err = context.ledger:set_limits(list)
  end
  return ok, err
end

function _M.set(context, options)
  local ok, err = _M.change(context, options)
  if not ok then
    return nil, err
  end
  return _M.list(context.ledger)
end

return _M
