--- When to ask again: intervals, backoff and patience, with every number in
-- one table. Knows neither clock nor network; both are handed in.
-- @module starvideos.api.retry

local _M = {}

--- The numbers, in seconds unless said otherwise. The provider asks for 30 to
-- 60 s between polls (its query document) and names no limit of requests; the
-- rest is this library's policy.
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
  create_tries = 3, -- how often an order is sent that did not arrive
  create_patience = 60, -- the longest Retry-After that a create sits out
  slot_look = 5, -- between looks of who waits for a slot and is not roused
  claim_renewal = 20, -- between renewals of the claim of an order that waits
  stall_timeout = 30, -- without a byte, after which a download has stalled
  download_tries = 5, -- how often a download is tried that gains nothing
  download_patience = 300, -- the longest Retry-After that it sits out
  rate = 250, -- polls a second of a client: 10,000 tasks, each every 40 s
  rate_min = 1, -- polls a second that many 429 leave it
  rate_memory = 2, -- over which the present rate is measured
  rate_lowering = 2, -- in which many 429 lower it once
  rate_doubling = 120, -- in which a lowered rate doubles
  rate_trust = 60, -- the longest silence that counts towards it
  hold_max = 60, -- the longest that one 429 holds back all waits
  look = 0.25, -- share of its time in the queue that a poll sleeps through
  look_min = 2, -- before it looks again: never woken for less than this
  look_max = 30, -- and never later than after this
  look_late = 10, -- by how much it may be late before its place is free
  board_keep = 120, -- how long is kept what one process tells the others
  board_instant = 0.001, -- the shortest time a dictionary keeps something
  board_look = 1, -- between looks at what another finds out about a task
}

--- What a wait tolerates of its polls, by the kind of the error. At once it
-- ends only with what the provider says of this task, its status, and with what
-- happened on this machine; a gateway or a provider that is being deployed says
-- much else for a while. `passing`: up to the deadline, with longer and longer
-- pauses. Otherwise up to `in_a_row` since the last answer that made sense, and
-- in any case while the task is younger than `age` seconds.
-- @table tolerances
_M.tolerances = {
  network = { passing = true },
  timeout = { passing = true },
  server = { passing = true }, -- 5xx and 425
  rate_limited = { passing = true },
  -- A good key is refused now and then; a wrong one always.
  auth = { in_a_row = 3 },
  -- A page, half an answer; a completed task whose link comes a moment later.
  protocol = { in_a_row = 5 },
  -- 3xx, "No handler": a deployment. A base URL that is wrong stays wrong.
  config = { in_a_row = 5, answered = true },
  -- 400, 409 and their like come from gateways, too.
  invalid_request = { in_a_row = 5 },
  -- A new task is not known everywhere at once, an old one may be missed once.
  not_found = { in_a_row = 3, age = 120 },
}

-- Full jitter: anywhere between the shortest pause and a bound that doubles,
-- so that many clients do not come back together.
local function backoff(tries, random)
  local policy = _M.policy
  local bound = math.min(policy.backoff * 2 ^ math.min(tries - 1, 16),
    policy.backoff_max)
  return policy.backoff_min + random() * (bound - policy.backoff_min)
end

-- Never before what Retry-After asks for, and not all at that very moment.
local function no_earlier(pause, retry_after, random)
  return retry_after and math.max(pause, retry_after + random()) or pause
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
  local not_bought = err.kind == "network" and err.sent == false
    or err.kind == "rate_limited" and not err.task_id
  if not not_bought or tries >= policy.create_tries
    or (err.retry_after or 0) > policy.create_patience then
    return nil
  end
  return no_earlier(backoff(tries, random), err.retry_after, random)
end

--- Seconds until a download goes on, or nil where it does not.
-- @tparam table err what became of it
-- @tparam number tries how often it was tried since it last got further
-- @tparam function random returns a number in [0, 1)
-- @treturn ?number
function _M.download_pause(err, tries, random)
  local policy = _M.policy
  local tolerance = _M.tolerances[err.kind]
  if not (tolerance and tolerance.passing) or tries >= policy.download_tries
    or (err.retry_after or 0) > policy.download_patience then
    return nil
  end
  return no_earlier(backoff(tries, random), err.retry_after, random)
end

-- The pace of a wait stands in the caller's table, so that ten thousand waits
-- are not twice as many tables: `interval`, `faults` (passing ones in a row), and
-- for each other kind that is tolerated how many there were.

local function longest_interval(options)
  local policy = _M.policy
  return options.max_interval
    or math.max(policy.max_interval, options.interval or policy.interval)
end

local function jittered(seconds, random)
  return seconds * (1 + _M.policy.jitter * (2 * random() - 1))
end

--- The interval at which a wait begins.
-- @tparam table options `interval`, `max_interval` (seconds)
-- @treturn number seconds
function _M.first_interval(options)
  return math.min(options.interval or _M.policy.interval,
    longest_interval(options))
end

--- Seconds until the first poll: one interval after the task was created, at
-- once for an older one.
-- @tparam table pace with `interval`
-- @tparam table options `first_poll` (seconds)
-- @tparam number age seconds since the task was created
-- @tparam function random returns a number in [0, 1)
-- @treturn number
function _M.first_pause(pace, options, age, random)
  return options.first_poll
    or jittered(math.max(0, pace.interval - age), random)
end

-- A field is only cleared where it stands: to name it otherwise would make
-- the table larger.
local function forgive(pace)
  if pace.faults then
    pace.faults = nil
  end
  for kind in pairs(_M.tolerances) do
    if pace[kind] then
      pace[kind] = nil
    end
  end
end

--- Seconds until the next poll after an answer that was understood.
-- @tparam table pace
-- @tparam table options `interval`, `max_interval` (seconds)
-- @tparam function random returns a number in [0, 1)
-- @treturn number
function _M.pause_after_answer(pace, options, random)
  forgive(pace)
  pace.interval = math.min(pace.interval * _M.policy.growth,
    longest_interval(options))
  return jittered(pace.interval, random)
end

-- However the faults alternate, each makes the next pause longer.
local function pause_after_passing_fault(pace, options, err, random)
  pace.faults = (pace.faults or 0) + 1
  local pause = backoff(pace.faults, random)
  if err.kind == "rate_limited" then
    pace.interval = math.min(pace.interval * 2, longest_interval(options))
    pause = math.max(pause, jittered(pace.interval, random))
  end
  return pause
end

-- Counts a fault, and says whether it is still to be tolerated.
local function is_tolerated(pace, tolerance, err, age)
  local kind = err.kind
  pace[kind] = (pace[kind] or 0) + 1
  return (pace[kind] <= tolerance.in_a_row or age < (tolerance.age or 0))
    and not (tolerance.answered and not err.status)
end

--- Seconds until the next poll after an error, or nil where the error ends
-- the wait. A passing fault says nothing about the key or the task: refusals
-- on either side of it are still in a row.
-- @tparam table pace
-- @tparam table options `interval`, `max_interval` (seconds)
-- @tparam table err what the poll came back with
-- @tparam number age seconds since the task was created
-- @tparam function random returns a number in [0, 1)
-- @treturn ?number
function _M.pause_after_error(pace, options, err, age, random)
  local tolerance, pause = _M.tolerances[err.kind], nil
  if tolerance and tolerance.passing then
    pause = pause_after_passing_fault(pace, options, err, random)
  elseif tolerance and is_tolerated(pace, tolerance, err, age) then
    pause = jittered(pace.interval, random)
  end
  return pause and no_earlier(pause, err.retry_after, random)
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
function _M.http_date(text, now)
  for _, form in ipairs(forms) do
    local found = { text:match(form[1]) }
    if found[1] then
      return read_date(form, found, now)
    end
  end
end

--- Read a `Retry-After` header: seconds, or a date, which is held against the
-- answer's own `Date` so that a wrong local clock does no harm.
-- @tparam table headers with lower-case names; of a transport of the caller's
--   their values may be anything
-- @tparam function wall_clock returns Unix seconds, for an answer with no Date
-- @treturn ?number seconds, never negative
function _M.retry_after(headers, wall_clock)
  local text, date = headers["retry-after"], headers.date
  if not text then
    return nil
  end
  text = tostring(text)
  local seconds = tonumber(text:match("^%s*(%d+%.?%d*)%s*$"))
  if not seconds then
    local now = wall_clock()
    local at = _M.http_date(text, now)
    seconds = at and at - (date and _M.http_date(tostring(date), now) or now)
  end
  return seconds and seconds < math.huge and math.max(0, seconds) or nil
end

return _M
