-- The pace of one wait: when it polls next, after an answer and after a fault. Knows
-- neither clock nor network; both are handed in.
--
-- The pace stands in the caller's table, so that ten thousand waits are not twice as
-- many tables: `interval`, `fault` (the error of the last poll), `faults` (polls that did
-- not reach the provider, since one was understood), and for each other kind that is
-- tolerated how many there were.

local retry = require "starvideos.provider.retry"

local _M = {}

--- The numbers of polling. Seconds unless said otherwise.
local policy = {
  -- The pace of a wait. The provider's query document asks for 30 to 60 s
  -- between two polls of a task; the rest is this library's choice.
  interval = 30, -- the shortest pause between polls, and the first
  max_interval = 60, -- the longest
  growth = 1.25, -- factor from one interval to the next
  jitter = 0.2, -- share by which a pause differs from its interval, at most
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

-- The shortest and the longest pause that the caller, or else the policy, allows.
local function bounds(options)
  local interval = options.interval or policy.interval
  local longest = options.max_interval or math.max(policy.max_interval, interval)
  return math.min(interval, longest), longest
end

local function grow(pace, options, factor)
  local _, longest = bounds(options)
  pace.interval = math.min(pace.interval * factor, longest)
end

-- Between how many seconds the next pause is drawn: around the interval, and never
-- outside of what `options` allow. `options`: `interval`, `max_interval` (seconds), and
-- the `beat` (seconds) up to which a pause is rounded.
function _M.range(pace, options)
  local shortest, longest = bounds(options)
  local low = math.max(shortest, pace.interval * (1 - policy.jitter))
  local high = math.min(longest - (options.beat or 0), pace.interval * (1 + policy.jitter))
  return low, math.max(low, high)
end

local function draw(pace, options, random)
  local low, high = _M.range(pace, options)
  return low + (high - low) * random()
end

-- The interval at which a wait begins. `options`: as of `range`.
function _M.first_interval(options)
  return (bounds(options))
end

-- Seconds until the first poll: one interval after the task was created, at once for an
-- older one. `options`: as of `range`. `age`: seconds since the task was created.
-- `random`: returns a number in [0, 1).
function _M.first_pause(pace, options, age, random)
  return age < pace.interval and draw(pace, options, random) - age or 0
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

-- Seconds until the next poll after an answer that was understood. `options`: as of
-- `range`. `random`: returns a number in [0, 1).
function _M.after_answer(pace, options, random)
  _M.answered(pace)
  grow(pace, options, policy.growth)
  return draw(pace, options, random)
end

-- The provider asks for its pause between any two polls: only one that certainly did not
-- reach it is repeated sooner.
local function pause_after_passing_fault(pace, options, err, random)
  if err.sent == false then
    pace.faults = (pace.faults or 0) + 1
    return retry.backoff(pace.faults, random)
  end
  grow(pace, options, err.kind == "rate_limited" and 2 or policy.growth)
  return draw(pace, options, random)
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
-- are still in a row. `options`: as of `range`. `err`: what the poll came back with.
-- `age`: seconds since the task was created. `random`: returns a number in [0, 1).
function _M.after_error(pace, options, err, age, random)
  local tolerance, pause = tolerances[err.kind], nil
  pace.fault = err
  if retry.passing[err.kind] then
    pause = pause_after_passing_fault(pace, options, err, random)
  elseif tolerance and is_tolerated(pace, tolerance, err, age) then
    pause = draw(pace, options, random)
  end
  return pause and retry.no_earlier(pause, err.retry_after, random)
end

return _M
