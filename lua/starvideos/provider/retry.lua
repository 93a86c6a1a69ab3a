-- When something is sent again after a fault, and how long to wait before. Knows
-- neither clock nor network; both are handed in.

local c_locale = require "starvideos.base.c_locale"
local http = require "starvideos.base.http"

local _M = {}

-- The numbers, in seconds unless said otherwise. All are this library's choice: the
-- provider names none.
_M.policy = {
  backoff_min = 1, -- the shortest pause after a passing fault
  backoff = 2, -- upper bound of the pause after a first passing fault
  backoff_max = 60, -- and after many
  create = {
    tries = 3, -- how often an order is sent that did not arrive
    longest_pause = 60, -- the longest Retry-After that a create waits for
  },
}

-- The kinds of faults that pass: of the network, and of a provider that is busy,
-- restarts (5xx, 425) or limits its requests.
_M.passing = { network = true, timeout = true, server = true,
  rate_limited = true }

-- Seconds to wait after a fault. Full jitter: anywhere between the shortest pause and a
-- bound that doubles, so that many clients do not come back together. `tries`: how
-- often it failed in a row. `random`: returns a number in [0, 1).
function _M.backoff(tries, random)
  local policy = _M.policy
  local bound = math.min(policy.backoff * 2 ^ math.min(tries - 1, 16),
    policy.backoff_max)
  return policy.backoff_min + random() * (bound - policy.backoff_min)
end

-- A pause that ends no earlier than Retry-After asks for, and not all of them at that
-- very moment. `random`: returns a number in [0, 1).
function _M.no_earlier(pause, retry_after, random)
  return retry_after and math.max(pause, retry_after + random()) or pause
end

-- Seconds until the next try, or nil where there is none. `err`: what the last try
-- ended with. `tries`: how many there were. `limits`: how many `tries` there may be,
-- and the `longest_pause`: the longest Retry-After (seconds) that is waited for.
-- `random`: returns a number in [0, 1).
function _M.pause(err, tries, limits, random)
  if tries >= limits.tries or (err.retry_after or 0) > limits.longest_pause then
    return nil
  end
  return _M.no_earlier(_M.backoff(tries, random), err.retry_after, random)
end

-- Seconds until an order is sent again, or nil where it must not be: it may have
-- arrived, it was refused, it was tried often enough, or the provider asks for a longer
-- pause than a create may take. `err`: what the last try ended with. `tries`: how often
-- it was sent. `random`: returns a number in [0, 1).
function _M.create_pause(err, tries, random)
  local not_bought = err.kind == "network" and err.sent == false
    or err.kind == "rate_limited" and not err.task_id
  return not_bought and _M.pause(err, tries, _M.policy.create, random) or nil
end

-- Read a `Retry-After` header: seconds, or a date, which is held against the answer's
-- own `Date` so that a wrong local clock does no harm. `headers`: with lower-case
-- names; of a transport of the caller's their values may be anything. `wall_clock`:
-- returns Unix seconds, for an answer with no Date. Returns seconds, never negative.
function _M.retry_after(headers, wall_clock)
  local text, date = headers["retry-after"], headers.date
  if not text then
    return nil
  end
  text = tostring(text)
  local seconds = c_locale.tonumber(text:match("^%s*(%d+%.?%d*)%s*$"))
  if not seconds then
    local now = wall_clock()
    local at = http.date(text, now)
    seconds = at and at - (date and http.date(tostring(date), now) or now)
  end
  return seconds and seconds < math.huge and math.max(0, seconds) or nil
end

return _M
