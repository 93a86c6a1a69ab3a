--- The date of an HTTP header (RFC 9110, 5.6.7), such as in `Retry-After`.
-- @module starvideos.base.http_date

local months = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
  Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

-- Days from 1970-01-01 in the Gregorian calendar; os.time would read the
-- fields as local time.
local function days_since_epoch(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leap_days = math.floor(year / 4) - math.floor(year / 100)
    + math.floor(year / 400)
  return 365 * year + leap_days + math.floor((153 * month - 457) / 5)
    + day - 719469
end

local SECONDS_A_YEAR = 31556952

-- A year of two digits is the one that lies at most fifty years ahead
-- (RFC 9110, 5.6.7).
local function whole_year(year, now)
  if year > 99 then
    return year
  end
  local latest = math.floor(1970 + now / SECONDS_A_YEAR) + 50
  return latest - (latest - year) % 100
end

-- The three forms of RFC 9110, 5.6.7, each with where its fields stand.
local forms = {
  { "^%s*%a+,%s+(%d+)%s+(%a+)%s+(%d%d%d%d)%s+(%d+):(%d+):(%d+)%s+GMT%s*$",
    day = 1, month = 2, year = 3, time = 4 },
  { "^%s*%a+,%s+(%d+)%-(%a+)%-(%d%d%d?%d?)%s+(%d+):(%d+):(%d+)%s+GMT%s*$",
    day = 1, month = 2, year = 3, time = 4 },
  { "^%s*%a+%s+(%a+)%s+(%d+)%s+(%d+):(%d+):(%d+)%s+(%d%d%d%d)%s*$",
    day = 2, month = 1, year = 6, time = 3 },
}

local function read_date(form, found, now)
  local month = months[found[form.month]]
  local day = tonumber(found[form.day])
  local hour, minute, second = tonumber(found[form.time]),
    tonumber(found[form.time + 1]), tonumber(found[form.time + 2])
  if not month or day < 1 or day > 31 or hour > 23 or minute > 59
    or second > 60 then
    return nil
  end
  local year = whole_year(tonumber(found[form.year]), now)
  return ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60
    + second
end

--- Read an HTTP date (RFC 9110, 5.6.7), the two obsolete forms too.
-- @tparam string text such as `Sun, 06 Nov 1994 08:49:37 GMT`,
--   `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`
-- @tparam number now Unix seconds, which place a year of two digits
-- @treturn ?number Unix seconds
return function(text, now)
  for _, form in ipairs(forms) do
    local found = { text:match(form[1]) }
    if found[1] then
      return read_date(form, found, now)
    end
  end
end
