-- What HTTP says, read: a date (RFC 9110, 5.6.7), such as in `Retry-After`; whether the
-- head of a media host's answer announces a file, of which version, and whether it is
-- the rest of one that was saved in part; and the beginning of an unexpected body,
-- short enough for a message.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"

local _M = {}

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

-- Read an HTTP date (RFC 9110, 5.6.7), the two obsolete forms too. `text`: such as
-- `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6
-- 08:49:37 1994`. `now`: Unix seconds, which place a year of two digits.
function _M.date(text, now)
  for _, form in ipairs(forms) do
    local found = { text:match(form[1]) }
    if found[1] then
      return read_date(form, found, now)
    end
  end
end

-- Whether a file may follow; what it is its bytes tell.
function _M.may_be_file(status)
  return status == 200 or status == 203 or status == 206
end

-- Whether it is not called a page or a refusal, either. `headers`: with lowercase
-- names.
function _M.is_file(status, headers)
  local kind = c_locale.lower(headers["content-type"] or "")
  return _M.may_be_file(status)
    and not kind:find "^%s*text/" and not kind:find "^%s*application/json"
end

-- What tells one version of a file from another, as far as the head says it. `status`:
-- 200, 203 or 206. Returns `etag`, `last_modified`, `total` (bytes of the whole file).
function _M.file_version(status, headers)
  local total = tonumber(headers["content-length"])
  local range = status == 206 and headers["content-range"]
  if range then
    total = select(3, core.content_range(range))
  end
  return { etag = headers.etag, last_modified = headers["last-modified"],
    total = total }
end

-- Compare the head of a 206 with what was saved. A field that one of the two lacks says
-- nothing. `offset`: bytes that were saved; 0 where no part was asked for: then the
-- body may be the whole, and not say so. `version`: of what was saved. Returns nil
-- where the body is the rest; else the reason of a failure: protocol where it is
-- another part, changed where it is of another version.
function _M.mismatch(headers, offset, version)
  local first = core.content_range(headers["content-range"])
  if first ~= offset and (first or offset > 0) then
    return "protocol"
  end
  for name, value in pairs(_M.file_version(206, headers)) do
    if version[name] ~= nil and version[name] ~= value then
      return "changed"
    end
  end
  return nil
end

-- Enough to recognise the error page of a gateway.
local BYTES = 160
-- Of which that is taken: a page may begin with blanks.
local READ = 4096

-- The beginning of a text, cut between characters, never inside one.
function _M.shortened(text, bytes)
  if #text <= bytes then
    return text
  end
  local following = text:byte(bytes + 1)
  while bytes > 0 and following >= 0x80 and following < 0xC0 do
    bytes = bytes - 1
    following = text:byte(bytes + 1)
  end
  return text:sub(1, bytes) .. "…"
end

-- The beginning of a body in any encoding, as a message can show it.
function _M.preview(body)
  local text = _M.shortened(body:sub(1, READ):gsub("[%c%s]+", " "), BYTES)
  local beyond_utf8 = text:gsub("[\194-\244][\128-\191]+", "")
  if beyond_utf8:find("[\128-\255]") then
    text = text:gsub("[\128-\255]+", "?")
  end
  return text
end

return _M
