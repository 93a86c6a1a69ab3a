-- The pace of one wait: when it polls next, after an answer and after a fault. Knows
-- neither clock nor network; both are handed in.
--
-- The pace stands in the caller's table, so that ten thousand waits are not twice as
-- many tables: `interval`, `fault` (the error of the last poll), `faults` (passing ones
-- in a row), and for each other kind that is tolerated how many there were.

local retry = require "starvideos.provider.retry"

local _M = {}

--- The numbers of polling. Seconds unless said otherwise.
local policy = {
  -- The pace of a wait. The provider's query document asks for 30 to 60 s
  -- between two polls of a task; the rest is this library's choice.
  interval = 30, -- between polls, at first
  max_interval = 60, -- between polls, in the end
  growth = 1.25, -- factor from one interval to the next
  jitter = 0.2, -- share by which an interval varies, either way
  timeout = 1800, -- of a whole wait: videos take minutes, 30 are many
  last_look = 2, -- a last poll this long before the deadline
}
_M.policy = policy

-- What a wait tolerates of its polls beside the faults that pass
-- (`starvideos.provider.retry`), by the kind of the error. It ends at once only with
-- what the provider says of this task, its status, and with what happened on
-- this machine; a gateway or a provider that is being deployed says much else
-- for a while. Each is tolerated up to `in_a_row` times since the last answer
-- that made sense, and in any case while the task is younger than `age`
-- seconds; where it must be `answered`, only with an HTTP status.
local tolerances = {
  auth = { in_a_row = 3 }, -- now and then a good key is refused, too
  -- A page, half an answer; a completed task whose link comes a moment later.
  protocol = { in_a_row = 5 },
  -- 3xx, "No handler": a deployment. A base URL that is wrong stays wrong.
  config = { in_a_row = 5, answered = true },
  -- 400, 409 and their like come from gateways, too.
  invalid_request = { in_a_row = 5 },
  -- A new task is not known everywhere at once, an old one may be missed once.
  not_found = { in_a_row = 3, age = 120 },
}

local function longest_interval(options)
  return options.max_interval
    or math.max(policy.max_interval, options.interval or policy.interval)
end

local function jittered(seconds, random)
  return seconds * (1 + policy.jitter * (2 * random() - 1))
end

-- The interval at which a wait begins. `options`: `interval`, `max_interval` (seconds).
function _M.first_interval(options)
  return math.min(options.interval or policy.interval,
    longest_interval(options))
end

-- Seconds until the first poll: one interval after the task was created, at once for an
-- older one. `age`: seconds since the task was created. `random`: returns a number in
-- [0, 1).
function _M.first_pause(pace, options, age, random)
  return options.first_poll
    or jittered(math.max(0, pace.interval - age), random)
end

local function forget_faults(pace)
  pace.fault, pace.faults = nil, nil
  for kind in pairs(tolerances) do
    pace[kind] = nil
  end
end

-- An answer was understood: faults before it do not count any more.
function _M.answered(pace)
  if pace.fault then
    forget_faults(pace)
  end
end

-- Seconds until the next poll after an answer that was understood. `options`:
-- `interval`, `max_interval` (seconds). `random`: returns a number in [0, 1).
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

-- Seconds until the next poll after an error, or nil where the error ends the wait. A
-- passing fault says nothing about the key or the task: refusals on either side of it
-- are still in a row. `options`: `interval`, `max_interval` (seconds). `err`: what the
-- poll came back with. `age`: seconds since the task was created. `random`: returns a
-- number in [0, 1).
function _M.after_error(pace, options, err, age, random)
  local tolerance, pause = tolerances[err.kind], nil
  pace.fault = err
  if retry.passing[err.kind] then
    pause = pause_after_passing_fault(pace, options, err, random)
  elseif tolerance and is_tolerated(pace, tolerance, err, age) then
    pause = jittered(pace.interval, random)
  end
  return pause and retry.no_earlier(pause, err.retry_after, random)
end

return _M
