--- When to ask again: intervals, backoff and patience, with every number in
-- one table. Knows neither clock nor network; both are handed in.
-- @module starvideos.retry

local _M = {}

--- The numbers, in seconds unless said otherwise. The provider asks for 30 to
-- 60 s between polls (its query document); the rest is this library's policy.
-- @table policy
_M.policy = {
  interval = 30, -- between polls, at first
  max_interval = 60, -- between polls, in the end
  growth = 1.25, -- factor from one interval to the next
  jitter = 0.2, -- share by which an interval varies, either way
  timeout = 1800, -- of a whole wait
  last_look = 2, -- a last poll this long before the deadline
  backoff_min = 1, -- the shortest pause after a passing fault
  backoff = 2, -- upper bound of the pause after a first passing fault
  backoff_max = 60, -- and after many
  not_found_grace = 120, -- how long after its creation a task may be 404
  auth_limit = 3, -- refusals of the key in a row that a wait bears
  unreadable_limit = 5, -- unreadable answers in a row that it bears
  create_tries = 3, -- how often an order is sent that did not arrive
  create_patience = 60, -- the longest Retry-After that a create sits out
}

-- Faults that pass by themselves: they never end a wait before its deadline.
local passing = {
  network = true,
  timeout = true,
  server = true,
  rate_limited = true,
}

-- Full jitter: anywhere between the shortest pause and a bound that doubles,
-- so that many clients do not come back together.
local function backoff(tries, random)
  local policy = _M.policy
  local bound = math.min(policy.backoff * 2 ^ math.min(tries - 1, 16),
    policy.backoff_max)
  return policy.backoff_min + random() * (bound - policy.backoff_min)
end

--- Seconds until an order is sent again, or nil where it must not be: it may
-- have arrived, it was refused, it was tried often enough, or the provider
-- wants to be left alone for longer than a create may take.
-- @tparam table err what became of it
-- @tparam number tries how often it was sent
-- @tparam function random returns a number in [0, 1)
-- @treturn ?number
function _M.create_pause(err, tries, random)
  local policy = _M.policy
  local unsent = err.kind == "network" and err.sent == false
    or err.kind == "rate_limited" and not err.task_id
  local asked = err.retry_after or 0
  if not unsent or tries >= policy.create_tries
    or asked > policy.create_patience then
    return nil
  end
  local pause = backoff(tries, random)
  return asked > 0 and math.max(pause, asked + random()) or pause
end

local Pace = {}
Pace.__index = Pace

--- The pace of one wait.
-- @tparam table options `interval`, `max_interval`, `first_poll` (seconds)
-- @tparam function random returns a number in [0, 1)
-- @treturn table pace
function _M.pace(options, random)
  local policy = _M.policy
  local interval = options.interval or policy.interval
  local max = options.max_interval or math.max(policy.max_interval, interval)
  return setmetatable({
    interval = math.min(interval, max),
    max_interval = max,
    first_poll = options.first_poll,
    random = random,
    row = 0,
  }, Pace)
end

function Pace:jittered(seconds)
  local spread = _M.policy.jitter * (2 * self.random() - 1)
  return seconds * (1 + spread)
end

--- Seconds until the first poll.
-- @treturn number
function Pace:first()
  return self.first_poll or self:jittered(self.interval)
end

--- Seconds until the next poll after an answer that was understood.
-- @treturn number
function Pace:after_answer()
  self.row, self.row_kind = 0, nil
  self.interval = math.min(self.interval * _M.policy.growth, self.max_interval)
  return self:jittered(self.interval)
end


function Pace:after_passing_fault(err)
  local pause = backoff(self.row, self.random)
  if err.kind == "rate_limited" then
    self.interval = math.min(self.interval * 2, self.max_interval)
    pause = math.max(pause, self:jittered(self.interval))
  end
  if err.retry_after then
    pause = math.max(pause, err.retry_after + self.random())
  end
  return pause
end

--- Seconds until the next poll after an error, or nil where the error ends
-- the wait.
-- @tparam table err what the poll came back with
-- @tparam number age seconds since the task was created
-- @treturn ?number
function Pace:after_error(err, age)
  local policy = _M.policy
  self.row = err.kind == self.row_kind and self.row + 1 or 1
  self.row_kind = err.kind
  if passing[err.kind] then
    return self:after_passing_fault(err)
  end
  local borne = err.kind == "auth" and self.row <= policy.auth_limit
    or err.kind == "protocol" and self.row <= policy.unreadable_limit
    or err.kind == "not_found" and age < policy.not_found_grace
  return borne and self:jittered(self.interval) or nil
end

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

--- Read an HTTP date (RFC 9110, 5.6.7, the preferred form).
-- @tparam string text such as `Sun, 06 Nov 1994 08:49:37 GMT`
-- @treturn ?number Unix seconds
function _M.http_date(text)
  local day, name, year, hour, minute, second =
    text:match("^%s*%a+,%s+(%d+)%s+(%a+)%s+(%d+)%s+(%d+):(%d+):(%d+)%s+GMT")
  local month = months[name]
  if not month then
    return nil
  end
  local days = days_since_epoch(tonumber(year), month, tonumber(day))
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

--- Read a `Retry-After` header: seconds, or a date, which is held against the
-- answer's own `Date` so that a wrong local clock does no harm.
-- @tparam table headers with lower-case names
-- @tparam function wall_clock returns Unix seconds, for an answer with no Date
-- @treturn ?number seconds, never negative
function _M.retry_after(headers, wall_clock)
  local text = headers["retry-after"]
  if not text then
    return nil
  end
  local seconds = tonumber(text:match("^%s*(%d+%.?%d*)%s*$"))
  if not seconds then
    local at = _M.http_date(text)
    local now = headers.date and _M.http_date(headers.date) or wall_clock()
    seconds = at and at - now
  end
  return seconds and math.max(0, seconds)
end

return _M
