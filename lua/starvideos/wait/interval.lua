--- The pace of one wait: when it polls next, after an answer and after a fault.
-- Knows neither clock nor network; both are handed in.
--
-- The pace stands in the caller's table, so that ten thousand waits are not
-- twice as many tables: `interval`, `fault` (the error of the last poll),
-- `faults` (passing ones in a row), and for each other kind that is tolerated
-- how many there were.
-- @module starvideos.wait.interval

local policy = require "starvideos.wait.policy"
local retry = require "starvideos.provider.retry"

local _M = {}

local function longest_interval(options)
  return options.max_interval
    or math.max(policy.max_interval, options.interval or policy.interval)
end

local function jittered(seconds, random)
  return seconds * (1 + policy.jitter * (2 * random() - 1))
end

--- The interval at which a wait begins.
-- @tparam table options `interval`, `max_interval` (seconds)
-- @treturn number seconds
function _M.first_interval(options)
  return math.min(options.interval or policy.interval,
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
local function forget_faults(pace)
  pace.fault = nil
  if pace.faults then
    pace.faults = nil
  end
  for kind in pairs(policy.tolerances) do
    if pace[kind] then
      pace[kind] = nil
    end
  end
end

--- An answer was understood: faults before it do not count any more.
-- @tparam table pace
function _M.answered(pace)
  if pace.fault then
    forget_faults(pace)
  end
end

--- Seconds until the next poll after an answer that was understood.
-- @tparam table pace
-- @tparam table options `interval`, `max_interval` (seconds)
-- @tparam function random returns a number in [0, 1)
-- @treturn number
function _M.after_answer(pace, options, random)
  _M.answered(pace)
  pace.interval = math.min(pace.interval * policy.growth,
    longest_interval(options))
  return jittered(pace.interval, random)
end

-- However the faults alternate, each makes the next pause longer.
local function pause_after_passing_fault(pace, options, err, random)
  pace.faults = (pace.faults or 0) + 1
  local pause = retry.backoff(pace.faults, random)
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
function _M.after_error(pace, options, err, age, random)
  local tolerance, pause = policy.tolerances[err.kind], nil
  pace.fault = err
  if retry.passing[err.kind] then
    pause = pause_after_passing_fault(pace, options, err, random)
  elseif tolerance and is_tolerated(pace, tolerance, err, age) then
    pause = jittered(pace.interval, random)
  end
  return pause and retry.no_earlier(pause, err.retry_after, random)
end

return _M
