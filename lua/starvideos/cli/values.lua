-- Values as people type and read them: numbers, amounts, times.

local c_locale = require "starvideos.base.c_locale"
local failure = require "starvideos.cli.failure"

local _M = {}

-- A number. `name`: of the option in there. `wanted`: what it must be, for the message.
-- `check`: whether a number is one. Returns nil where the option was not given.
function _M.number(options, name, wanted, check)
  local text = options[name]
  if text == nil then
    return nil
  end
  local number = c_locale.tonumber(text)
  if not number or number ~= number or number == math.huge
    or not check(number) then
    return failure.usage(("--%s must be %s, not %s; nothing was ordered"):format(
      (name:gsub("_", "-")), wanted, text))
  end
  return number
end

-- A whole number from 1 on, or from 0 on. `least`:  (default 1).
function _M.count(options, name, least)
  least = least or 1
  return _M.number(options, name, ("a whole number from %d on"):format(least),
    function(number)
      return number >= least and number % 1 == 0
    end)
end

local size_units = { [""] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30, T = 2 ^ 40 }

-- A size: `500M`, `1.5G`, `100`. Returns bytes; nil where it is none, and what it must
-- be.
function _M.bytes(text)
  local number, unit = (text or ""):match "^(%d+%.?%d*)([KMGT]?)$"
  return number and math.floor(c_locale.tonumber(number) * size_units[unit]),
    "a size, such as 500M or 20G"
end

-- The same of an option, in bytes. `name`: of the option in there. Returns nil where it
-- was not given.
function _M.size(options, name)
  local text = options[name]
  local bytes, wanted = _M.bytes(text)
  if text and not bytes then
    return failure.usage(("--%s must be %s, not %s; nothing was ordered"):format(
      (name:gsub("_", "-")), wanted, text))
  end
  return bytes
end

-- An amount of money and what it is for: `200/day`, `200/total`, `200`. Returns `spend`
-- and `per`; nil where the option was not given.
function _M.spend(options)
  local text = options.spend
  if text == nil then
    return nil
  end
  local amount, per = text:match "^([%d.]+)/?(%a*)$"
  local number = c_locale.tonumber(amount)
  if not number or per ~= "" and per ~= "day" and per ~= "total"
    or text:find "/$" then
    return failure.usage(("--spend takes an amount for each day (UTC), as"
      .. " 200/day, or in all, as 200/total, not %s; nothing was ordered")
      :format(text))
  end
  return { spend = number, per = per == "day" and "day" or "total" }
end

local units = { m = 60, h = 3600, d = 86400 }

-- Days from 1970-01-01 to a day of the Gregorian calendar.
local function days_to(year, month, day)
  year = month <= 2 and year - 1 or year
  local shifted = (month + 9) % 12
  return 365 * year + math.floor(year / 4) - math.floor(year / 100)
    + math.floor(year / 400) + math.floor((153 * shifted + 2) / 5) + day - 1
    - 719468
end

local function date_in(text)
  local year, month, day, rest = text:match "^(%d%d%d%d)-(%d%d)-(%d%d)(.*)$"
  local hour, minute = (rest or ""):match "^[T ](%d%d):(%d%d)Z?$"
  if not year or rest ~= "" and not hour then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, minute = tonumber(hour or 0), tonumber(minute or 0)
  if month < 1 or month > 12 or day < 1 or day > 31 or hour > 23
    or minute > 59 then
    return nil
  end
  return days_to(year, month, day) * 86400 + hour * 3600 + minute * 60
end

-- A point of time: `30m`, `12h` or `7d` ago, a date (UTC), or Unix seconds. `name`: of
-- the option in there. Returns Unix seconds; nil where the option was not given.
function _M.time(options, name, now)
  local text = options[name]
  if text == nil then
    return nil
  end
  local count, unit = text:match "^(%d+)([mhd])$"
  local time = count and now - count * units[unit] or date_in(text)
    or text:find "^%d+$" and tonumber(text)
  if not time then
    return failure.usage(("--%s takes a time ago, as 30m, 12h or 7d, a date in"
      .. " UTC, as 2026-11-22 or 2026-11-22T18:30, or Unix seconds, not %s")
      :format((name:gsub("_", "-")), text))
  end
  return time
end

-- A time as people read it.
function _M.time_text(time)
  return os.date("!%Y-%m-%d %H:%M", math.floor(time))
end

-- An amount: two decimals, more only where it has them. `amount`: in units of the
-- currency. Returns such as 80.00 USD.
function _M.money(amount, currency)
  local digits = c_locale.number("%.6f", amount)
  digits = digits:gsub("0+$", "")
  local decimals = #digits:match "%.(%d*)$"
  digits = digits .. ("0"):rep(2 - decimals)
  return currency and digits .. " " .. currency or digits
end

-- A sum of amounts of several currencies. `by_currency`: amounts by the currency's
-- name; "" is none. Returns such as 80.00 USD; nil where there is none.
function _M.sum(by_currency)
  local names, texts = {}, {}
  for name in pairs(by_currency) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    texts[index] = _M.money(by_currency[name], name ~= "" and name or nil)
  end
  return texts[1] and table.concat(texts, " + ")
end

local waits = { "timeout", "interval", "max_interval", "first_poll" }
local may_be_zero = { first_poll = true }

local function option(name)
  return "--" .. name:gsub("_", "-")
end

-- The options of a wait. Returns those that were given, in seconds.
function _M.waiting(options)
  local found = {}
  for _, name in ipairs(waits) do
    local text = options[name]
    local number = c_locale.tonumber(text)
    if text and not (number and number >= 0 and number < math.huge) then
      return failure.usage(("%s takes a number of seconds, not %s"):format(
        option(name), text))
    elseif number == 0 and not may_be_zero[name] then
      return failure.usage(option(name) .. " must be above 0")
    end
    found[name] = number
  end
  return found
end

return _M
