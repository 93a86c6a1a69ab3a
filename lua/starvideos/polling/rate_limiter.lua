--- How many polls a client may send: one allowance for all its waits. It
-- spreads those that fall due together, falls at a 429 and rises slowly again.
-- Knows neither clock nor network; both are handed in.
-- @module starvideos.polling.rate_limiter

local retry = require "starvideos.api.retry"

local _M = {}

-- Polls queue by number. `allowed` is the number up to which they may leave;
-- it grows at `rate`, stands still while a 429 holds all back, and is never
-- more than one ahead of what was asked for: a quiet hour saves up nothing.
--
-- `places` has by when each poll in the queue looks again; infinity for one
-- that left before its turn. Nobody tells of a wait that an error or a killed
-- light thread has ended: its place is free when it has not looked in time.
local Budget = {}
Budget.__index = Budget

-- A share of a poll that no clock can tell from none.
local NOTHING = 1e-3

--- Make a budget.
-- @tparam function random returns a number in [0, 1)
-- @tparam[opt] number rate the most polls a second; default the policy's,
--   with which a client can look at 10,000 tasks every 45 s and has an eighth
--   of it left for those that fall due together
-- @treturn table budget
function _M.new(random, rate)
  rate = rate or retry.policy.rate
  return setmetatable({
    random = random,
    full_rate = rate,
    rate = rate,
    issued = 0,
    allowed = 0,
    places = {},
    cleared = 0, -- places up to here are forgotten
    counted_until = -math.huge,
    held_until = -math.huge,
    risen_until = -math.huge,
    lowered_until = -math.huge,
    left_at = -math.huge,
    recent = 0,
  }, Budget)
end

-- Whether anybody is to come for a place.
local function is_taken(self, number, now)
  return (self.places[number] or -math.huge) >= now
end

-- Lets the next polls of the queue go, as many as the time is worth. A place
-- that is free takes none of it.
local function admit(self, worth, now)
  local following = math.floor(self.allowed) + 1
  while following <= self.issued do
    local step = 1
    if not is_taken(self, following, now) then
      self.places[following] = nil
    elseif worth > 0 then
      step = math.min(worth, following - self.allowed)
      worth = worth - step
    else
      return
    end
    self.allowed = self.allowed + step
    following = math.floor(self.allowed) + 1
  end
  self.allowed = math.min(self.issued + 1, self.allowed + worth)
end

-- Forgets the places of those that have left, and of those that could have
-- and never came.
local function clear(self, now)
  local last = math.min(math.floor(self.allowed), self.issued)
  while self.cleared < last do
    local place = self.places[self.cleared + 1]
    if place and place >= now and place < math.huge then
      return
    end
    self.cleared = self.cleared + 1
    self.places[self.cleared] = nil
  end
end

local function count_until(self, now)
  local from = math.max(self.counted_until, self.held_until)
  admit(self, math.max(0, now - from) * self.rate, now)
  clear(self, now)
  self.counted_until = math.max(self.counted_until, now)
end

-- Those far behind look seldom. They do not all look at the same time: where
-- many turns come free at once, not all are to leave at once.
local function until_next_look(self, pause)
  local policy = retry.policy
  local longest = math.min(policy.look_max,
    math.max(policy.look_min, pause * policy.look))
  return math.min(pause, longest * (1 + self.random()) / 2)
end

-- Polls a second of late, the further back the less they count.
local function recent_rate(self, now)
  return self.recent
    * math.exp((self.left_at - now) / retry.policy.rate_memory)
end

local function leave(self, number, now)
  self.places[number] = number > self.allowed and math.huge or nil
  self.recent = recent_rate(self, now) + 1 / retry.policy.rate_memory
  self.left_at = now
end

-- Seconds until a poll is to ask again. Those that may leave do.
local function pause_of(self, number, now, early)
  local ahead = number - self.allowed - (early or 0) * self.rate
  local queue = ahead > NOTHING and ahead / self.rate or 0
  local hold = math.max(0, self.held_until - now)
  if queue + hold <= 0 then
    leave(self, number, now)
    return 0
  end
  local pause = until_next_look(self, queue + hold)
  self.places[number] = now + pause + retry.policy.look_late
  return pause
end

--- Queue a poll.
-- @tparam number now the runtime's seconds
-- @tparam[opt=0] number early seconds by which it may leave before its turn,
--   so that some leave together; nobody's turn comes sooner for it
-- @treturn number seconds after which to ask `left`; 0: it may leave
-- @treturn number its number in the queue
function Budget:reserve(now, early)
  count_until(self, now)
  self.issued = self.issued + 1
  return pause_of(self, self.issued, now, early), self.issued
end

--- How long a poll in the queue still has to wait.
-- @tparam number number of the poll
-- @tparam number now the runtime's seconds
-- @tparam[opt=0] number early as of `reserve`
-- @treturn number seconds after which to ask again, for the rate may change
--   meanwhile; 0: it may leave
-- @treturn number its number: another for one that comes so late that its place
--   was free
function Budget:left(number, now, early)
  count_until(self, now)
  if not self.places[number] then
    return self:reserve(now, early)
  end
  return pause_of(self, number, now, early), number
end

--- Give up on a poll that is still in the queue.
-- @tparam number number of the poll
function Budget:give_up(number)
  self.places[number] = nil
end

--- An answer came that was no 429: the rate rises by as much as the time since
-- the last answer is worth.
-- @tparam number now the runtime's seconds
function Budget:answered(now)
  local policy = retry.policy
  count_until(self, now)
  local quiet = math.min(now - self.risen_until, policy.rate_trust)
  if quiet > 0 then
    self.rate = math.min(self.full_rate,
      self.rate * 2 ^ (quiet / policy.rate_doubling))
    self.risen_until = now
  end
end

--- The provider said too many requests: half as many as of late from now on,
-- and none before it wants to be asked again.
-- @tparam number now the runtime's seconds
-- @tparam[opt] number retry_after seconds
function Budget:limited(now, retry_after)
  local policy = retry.policy
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

return _M
