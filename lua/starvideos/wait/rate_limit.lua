-- How many polls a client may send: one limit for all its waits. It spreads the polls
-- that fall due together, halves the rate at a 429 and raises it slowly again. Knows
-- neither clock nor network; the caller hands both in.

local listener = require "starvideos.base.listener"

local _M = {}

-- Seconds unless said otherwise.
local policy = {
  -- The provider names no limit of requests; it answers 429.
  rate = 250, -- polls a second of a client: 10,000 tasks, each every 40 s
  rate_min = 1, -- polls a second that many 429 leave it
  rate_memory = 2, -- over which the present rate is measured
  rate_lowering = 2, -- in which many 429 lower it once
  rate_doubling = 120, -- in which a lowered rate doubles
  rate_trust = 60, -- the longest silence that counts towards it
  hold_max = 60, -- the longest that one 429 holds back all waits
  check = 0.25, -- share of its time in the queue after which a poll checks
  check_min = 2, -- but not sooner than this
  check_max = 30, -- and no later than this
  check_late = 10, -- by how much it may be late before its permit is free
}
_M.policy = policy

-- Permits are numbers, and queue in their order. `allowed` is the last one
-- that may be used; it grows at `rate`, stands still while a 429 holds all
-- polls back, and is never more than one ahead of what was reserved: a quiet
-- hour saves up nothing.
--
-- `permits` has by when the owner of each queued permit checks it again;
-- infinity for one that was used before its turn. Nobody tells of a wait that
-- an error or a killed light thread has ended: a permit is free when its owner
-- has not checked it in time.
local RateLimiter = {}
RateLimiter.__index = RateLimiter

-- A share of a poll that no clock can tell from none.
local NOTHING = 1e-3

-- Make a rate limiter. `random`: returns a number in [0, 1). `rate`: the most polls a
-- second; default the policy's, with which a client can poll 10,000 tasks every 45 s
-- and has an eighth of it left for those that fall due together.
function _M.new(random, rate)
  rate = rate or policy.rate
  return setmetatable({
    random = random,
    most = rate, -- what the caller allows
    full_rate = rate, -- and the fleet, at present
    rate = rate,
    told_rate = rate,
    reserved = 0,
    allowed = 0,
    permits = {},
    cleared = 0, -- permits up to here are forgotten
    counted_until = -math.huge,
    held_until = -math.huge,
    risen_until = -math.huge,
    lowered_until = -math.huge,
    used_at = -math.huge,
    recent = 0,
  }, RateLimiter)
end

-- Whether the owner of a permit may still come for it.
local function is_owned(self, permit, now)
  return (self.permits[permit] or -math.huge) >= now
end

-- Allows the next permits of the queue, as many as `worth` is enough for. A
-- free one takes none of it.
local function allow(self, worth, now)
  local following = math.floor(self.allowed) + 1
  while following <= self.reserved do
    local step = 1
    if not is_owned(self, following, now) then
      self.permits[following] = nil
    elseif worth > 0 then
      step = math.min(worth, following - self.allowed)
      worth = worth - step
    else
      return
    end
    self.allowed = self.allowed + step
    following = math.floor(self.allowed) + 1
  end
  self.allowed = math.min(self.reserved + 1, self.allowed + worth)
end

-- Forgets the permits that were used, and those that could have been and
-- whose owners never came.
local function clear(self, now)
  local last = math.min(math.floor(self.allowed), self.reserved)
  while self.cleared < last do
    local checks_by = self.permits[self.cleared + 1]
    if checks_by and checks_by >= now and checks_by < math.huge then
      return
    end
    self.cleared = self.cleared + 1
    self.permits[self.cleared] = nil
  end
end

local function count_until(self, now)
  local from = self.counted_until
  if self.held_until > from then
    from = self.held_until
  end
  local worth = now > from and (now - from) * self.rate or 0
  if self.cleared == self.reserved then -- nobody is queued, as mostly
    self.allowed = math.min(self.reserved + 1, self.allowed + worth)
  else
    allow(self, worth, now)
    clear(self, now)
  end
  if now > self.counted_until then
    self.counted_until = now
  end
end

-- Those far behind check seldom. They do not all check at the same time: where
-- many permits become free at once, not all polls are to leave at once. A rate of
-- 0, of a worker whose share others still have, may rise any moment.
local function until_next_check(self, delay)
  local part = delay < math.huge and delay * policy.check or 0
  local longest = math.min(policy.check_max, math.max(policy.check_min, part))
  return math.min(delay, longest * (1 + self.random()) / 2)
end

-- Polls a second of late, the further back the less they count.
local function recent_rate(self, now)
  return self.recent
    * math.exp((self.used_at - now) / policy.rate_memory)
end

local function use(self, permit, now)
  local is_early = permit > self.allowed
  self.permits[permit] = is_early and math.huge or nil
  if not is_early and permit == self.cleared + 1 then
    self.cleared = permit
  end
  self.recent = recent_rate(self, now) + 1 / policy.rate_memory
  self.used_at = now
end

-- Seconds until a permit is to be checked again; uses it where it may be.
local function delay_of(self, permit, now, early)
  local ahead = permit - self.allowed - (early or 0) * self.rate
  local queue = ahead > NOTHING and ahead / self.rate or 0
  local hold = self.held_until > now and self.held_until - now or 0
  if queue + hold <= 0 then
    use(self, permit, now)
    return 0
  end
  local delay = until_next_check(self, queue + hold)
  self.permits[permit] = now + delay + policy.check_late
  return delay
end

-- Reserve a permit for one poll. `now`: the runtime's seconds. `early`: seconds by
-- which it may be used before its turn, so that some polls leave together; nobody's
-- turn comes sooner for it (default 0). Returns seconds after which to `check` it; 0:
-- poll now.
function RateLimiter:reserve(now, early)
  count_until(self, now)
  self.reserved = self.reserved + 1
  return delay_of(self, self.reserved, now, early), self.reserved
end

-- Check whether a reserved permit may be used. `now`: the runtime's seconds. `early`:
-- as of `reserve` (default 0). Returns seconds after which to check again, for the rate
-- may change meanwhile; 0: poll now, and the permit: another for one that was checked
-- so late that it had become free.
function RateLimiter:check(permit, now, early)
  count_until(self, now)
  if not self.permits[permit] then
    return self:reserve(now, early)
  end
  return delay_of(self, permit, now, early), permit
end

-- Give a reserved permit back unused.
function RateLimiter:release(permit)
  self.permits[permit] = nil
end

-- An answer came that was no 429: the rate rises by as much as the time since the last
-- answer is worth. `now`: the runtime's seconds.
function RateLimiter:answered(now)
  if self.rate >= self.full_rate then -- as mostly
    self.risen_until = math.max(self.risen_until, now)
    return
  end
  count_until(self, now)
  local quiet = math.min(now - self.risen_until, policy.rate_trust)
  if quiet > 0 then
    self.rate = math.min(self.full_rate,
      self.rate * 2 ^ (quiet / policy.rate_doubling))
    self.risen_until = now
  end
end

-- The provider said too many requests: from now on half as many polls as of late, and
-- none before the time at which it wants to be asked again. `now`: the runtime's
-- seconds.
function RateLimiter:limited(now, retry_after)
  count_until(self, now)
  if retry_after then
    self.held_until = math.max(self.held_until,
      now + math.min(retry_after, policy.hold_max) + self.random())
  end
  local on = math.max(now, self.held_until)
  if now >= self.lowered_until then
    self.rate = math.max(math.min(policy.rate_min, self.full_rate),
      math.min(self.rate, recent_rate(self, now)) / 2)
    self.lowered_until = on + policy.rate_lowering
  end
  self.risen_until = on
end

-- How the rate differs from what this told last. It rises with every answer: of that
-- each doubling is told, and that it is the full one again. Returns `lowered` or
-- `raised`; nil where it does not, and polls a second, and the share of the full rate
-- that this is.
function RateLimiter:change()
  local rate, before = self.rate, self.told_rate
  local has_risen = rate >= before * 2
    or rate > before and rate >= self.full_rate
  if rate >= before and not has_risen then
    return nil
  end
  self.told_rate = rate
  return rate < before and "lowered" or "raised", rate,
    self.full_rate > 0 and rate / self.full_rate or nil
end

-- Others of a fleet share the polls: no more than so many from now on. A rate that a
-- 429 has lowered stays lowered by as much. `now`: the runtime's seconds. `rate`: polls
-- a second, at most what `new` was given; nil: that. `factor`: of it that is left since
-- another's 429 (default 1). Returns the most polls a second now.
function RateLimiter:share(now, rate, factor)
  count_until(self, now)
  local full = math.min(rate or self.most, self.most) * (factor or 1)
  if full ~= self.full_rate then
    self.rate = self.full_rate > 0 and self.rate * full / self.full_rate or full
    self.full_rate, self.told_rate = full, self.rate
  end
  return full
end

-- Hold all polls back. `now`: the runtime's seconds.
function RateLimiter:hold(now, seconds)
  count_until(self, now)
  self.held_until = math.max(self.held_until, now + seconds)
end

-- A worker's share of the polls of a fleet, in the place of its client's limiter, which
-- it asks: polls stop while the worker may be taken for dead, and a 429 is told to all.
local Share = {}
Share.__index = Share

function Share:reserve(now, early)
  local pause = self.pause()
  if pause then
    return pause, nil
  end
  return self.limiter:reserve(now, early)
end

function Share:check(permit, now, early)
  local pause = self.pause()
  if pause then
    self.limiter:release(permit)
    return pause, nil
  end
  return self.limiter:check(permit, now, early)
end

function Share:release(permit)
  self.limiter:release(permit)
end

function Share:answered(now)
  self.limiter:answered(now)
end

function Share:change()
  return self.limiter:change()
end

function Share:limited(now, retry_after)
  self.limiter:limited(now, retry_after)
  self.tell(retry_after)
end

-- Make a share. `pause`: returns the seconds for which nothing is to be polled, nil
-- where it may be. `tell`: gets the `retry_after` of a 429, maybe nil.
function _M.share(limiter, pause, tell)
  return setmetatable({ limiter = limiter, pause = pause, tell = tell }, Share)
end

-- Tell the listener of a client when its polls have become slower, or faster again.
-- `context`: of the client. Raises Ctrl-C, and nothing else.
function _M.tell(context)
  if not context.on_event then
    return
  end
  local state, rate, factor = context.rate_limiter:change()
  if state then
    listener.event(context, { name = "rate", what = "polls", state = state,
      rate = rate, factor = factor })
  end
end

return _M
