local rate_limiter = require "starvideos.wait.rate_limit"
local deadlines = require "starvideos.base.deadlines"
local random = require("starvideos.base.fingerprint").random

local policy = rate_limiter.policy
local RATE = policy.rate

local function zero()
  return 0
end

--- Polls that queue at the given times, or come back then where they have
-- `permits`; `left` is when each may leave. `at[time]` is called on the way.
local function queue(self, arrivals, at, permits)
  local heap, left = deadlines(), {}
  for index, time in ipairs(arrivals) do
    heap:push(time, { index = index, permit = permits and permits[index] })
  end
  for time, act in pairs(at or {}) do
    heap:push(time, { act = act })
  end
  while heap:earliest() do
    local now = heap:earliest()
    local poll = heap:pop()
    local pause = 0
    if poll.act then
      poll.act(now)
    elseif poll.permit then
      pause, poll.permit = self:check(poll.permit, now)
    else
      pause, poll.permit = self:reserve(now)
    end
    if pause > 0 then
      heap:push(now + pause, poll)
    elseif poll.index then
      left[poll.index] = now
    end
  end
  return left
end

local function times(count, time)
  local list = {}
  for index = 1, count do
    list[index] = time
  end
  return list
end

--- The most that leave in any second.
local function busiest(left)
  local sorted, most, first = {}, 0, 1
  for index, time in ipairs(left) do
    sorted[index] = time
  end
  table.sort(sorted)
  for index, time in ipairs(sorted) do
    while sorted[first] <= time - 1 do
      first = first + 1
    end
    most = math.max(most, index - first + 1)
  end
  return most
end

describe("the rate limiter", function()
  it("does not delay a single wait", function()
    local self = rate_limiter.new(zero)
    for second = 0, 100 do
      assert.equal(0, (self:reserve(second * 0.02)))
    end
    assert.equal(0, (self:reserve(1e6)))
  end)

  it("does not delay it at a clock that counts from 1970", function()
    local self = rate_limiter.new(zero)
    for second = 0, 100 do
      assert.equal(0, (self:reserve(1.8e9 + second / RATE)))
    end
  end)

  it("spreads what falls due at the same moment", function()
    local left = queue(rate_limiter.new(zero), times(1000, 50))
    assert.equal(50, left[1])
    for index = 2, #left do
      assert.is_near(1 / RATE, left[index] - left[index - 1], 1e-3)
    end
  end)

  it("is enough for ten thousand tasks, each every 45 s", function()
    assert.is_true(RATE * 45 > 10000)
  end)

  it("has the rate it is given, and goes back to that", function()
    local self = rate_limiter.new(zero, 20)
    local left = queue(self, times(100, 50))
    assert.is_near(50 + 99 / 20, left[100], 1e-3)
    self:limited(55)
    for second = 55, 400 do
      self:answered(second)
    end
    assert.equal(20, self.rate)
  end)

  it("may be slower than what many 429 leave others", function()
    local self = rate_limiter.new(zero, 0.5)
    self:limited(0)
    assert.equal(0.5, self.rate)
  end)

  it("lets some leave together that may be early, and no more for it",
    function()
      local self = rate_limiter.new(zero, 100)
      for _ = 1, 11 do
        assert.equal(0, (self:reserve(50, 0.1)))
      end
      local pause, permit = self:reserve(50, 0.1)
      assert.is_near(0.01, pause, 1e-6)
      assert.equal(0, self:check(permit, 50.01, 0.1))
      assert.is_near(0.12, (self:reserve(50)), 0.011)
      self:limited(50.01, 1)
      assert.is_true(self:reserve(50.95, 0.1) > 0)
    end)

  it("saves nothing up in a quiet hour", function()
    local self = rate_limiter.new(zero)
    self:reserve(0)
    local left = queue(self, times(600, 3600))
    assert.is_near(3600 + 599 / RATE, left[600], 0.01)
  end)

  it("permits polls in the order in which they were reserved", function()
    local next_number, arrivals = random(3), {}
    for index = 1, 3000 do
      arrivals[index] = (arrivals[index - 1] or 0) + next_number() / 300
    end
    local left = queue(rate_limiter.new(zero), arrivals)
    for index = 2, #left do
      assert.is_true(left[index] >= left[index - 1] - 1e-3)
    end
    assert.is_true(busiest(left) <= RATE + 1)
  end)

  it("lets no poll sleep so long that it would miss a rising rate",
    function()
      local self, longest = rate_limiter.new(random(2)), 0
      for _ = 1, 200 * RATE do
        longest = math.max(longest, (self:reserve(0)))
      end
      assert.is_true(longest <= policy.check_max)
    end)

  it("gives the turn of a released permit to the next", function()
    local self, permits = rate_limiter.new(zero), {}
    for index = 1, 2000 do
      permits[index] = select(2, self:reserve(0))
    end
    for index = 2, 1999 do
      self:release(permits[index])
    end
    assert.is_near(1 / RATE, self:check(permits[2000], 0.0001), 1e-3)
    assert.equal(0, self:check(permits[2000], 1 / RATE))
    assert.equal(0, (self:reserve(1)))
  end)

  it("takes no time for released permits, wherever they stood", function()
    for share, left in pairs { [2] = 1, [2.5] = 0.5, [3] = 0 } do
      local self = rate_limiter.new(zero)
      for _ = 1, 10 do
        self:reserve(0)
      end
      for permit = 4, 9 do
        self:release(permit)
      end
      assert.is_near(left / RATE, self:check(10, share / RATE), 1e-9)
    end
  end)

  it("has a poll that has no share of the rate look again soon", function()
    local self = rate_limiter.new(random(3))
    self:share(0, 0)
    assert.equal(0, (self:reserve(0))) -- nothing was polled before
    local pause, permit = self:reserve(0)
    assert.is_true(pause > 0 and pause <= policy.check_min, pause)
    pause = self:check(permit, pause)
    assert.is_true(pause > 0 and pause <= policy.check_min, pause)
    self:share(4, 10)
    assert.is_true(self:check(permit, 4) <= 0.1)
  end)

  it("moves up those behind released permits, but not in one rush",
    function()
      local self = rate_limiter.new(random(5))
      local left = queue(self, times(4000, 0), { [0.5] = function()
        for permit = 1000, 2999 do
          self:release(permit)
        end
      end })
      assert.is_near(999 / RATE, left[999], 0.05)
      assert.is_near(1999 / RATE, left[4000], 0.05)
      local others = {}
      for index = 3000, 4000 do
        others[index - 2999] = left[index]
      end
      assert.is_true(busiest(others) <= 2 * RATE)
      self:reserve(1e6)
      assert.is_nil(next(self.permits))
    end)

  it("takes no time for permits that are never checked, as of a killed wait",
    function()
      local self = rate_limiter.new(random(4))
      self:limited(0)
      for _ = 1, 2000 do
        self:reserve(0)
      end
      local left = queue(self, { 1, 1, 1 })
      for index = 1, 3 do
        assert.is_true(left[index] < 65)
      end
    end)

  it("keeps the permits that are checked in time, however long it takes",
    function()
      local self = rate_limiter.new(random(4))
      self:limited(0)
      local left = queue(self, times(400, 0))
      for index = 2, 400 do
        assert.is_true(left[index] > left[index - 1])
      end
    end)

  it("permits no more at once where all check late, as after a pause of the host",
    function()
      local self, permits = rate_limiter.new(random(4)), {}
      for index = 1, 20 * RATE do
        permits[index] = select(2, self:reserve(0))
      end
      local left = queue(self, times(20 * RATE, 1000), nil, permits)
      assert.is_true(busiest(left) <= RATE + 1)
    end)
end)

describe("a 429", function()
  --- A rate limiter that polls at full rate and is told of a 429 at 0 and then
  -- whenever it counts, `count` times in all.
  local function lowered(count, retry_after)
    local self, pause = rate_limiter.new(zero), policy.rate_lowering
    queue(self, times(10 * RATE, -10))
    for index = 1, count do
      self:limited((index - 1) * pause, retry_after)
      queue(self, times(self.rate * pause, (index - 1) * pause))
    end
    return self
  end

  local function rate_after(self, now)
    local left = queue(self, times(100, now))
    return 99 / (left[100] - left[1])
  end

  it("halves the rate", function()
    assert.is_near(RATE / 2, rate_after(lowered(1), 1), 2)
    assert.is_near(RATE / 8, rate_after(lowered(3), 7), 2)
  end)

  it("halves the rate at which was polled, where that was lower", function()
    local self = rate_limiter.new(zero)
    for index = 1, 100 * 20 do
      self:reserve(index / 20)
    end
    self:limited(100)
    assert.is_near(10, rate_after(self, 101), 0.5)
  end)

  it("counts once for all that are answered together", function()
    local self = lowered(1)
    for index = 1, 50 do
      self:limited(index / 50 * 1.9)
    end
    assert.is_near(RATE / 2, rate_after(self, 1.9), 2)
    self:limited(2)
    assert.is_near(RATE / 4, rate_after(self, 3), 2)
  end)

  it("counts once for all that were under way when it held the rest back",
    function()
      local self = lowered(1, 20)
      for second = 1, 20 do
        self:limited(second)
      end
      assert.is_near(RATE / 2, rate_after(self, 23), 2)
    end)

  it("never stops the polls altogether", function()
    assert.is_near(policy.rate_min, rate_after(lowered(50), 101), 0.01)
  end)

  it("does not delay a single wait afterwards", function()
    local self = rate_limiter.new(zero)
    for second = 0, 600, 30 do
      assert.equal(0, (self:reserve(second)))
      self:limited(second + 0.5)
    end
  end)

  it("slows those down that are in the queue already", function()
    local self = lowered(0)
    local left = queue(self, times(1000, 0),
      { [1] = function(now) self:limited(now) end })
    assert.is_near(1, left[RATE], 0.02)
    assert.is_near(1 + (1000 - RATE) / (RATE / 2), left[1000], 0.5)
  end)

  it("holds all polls back until the provider wants them", function()
    local self = lowered(0)
    local left = queue(self, times(1000, 0),
      { [1] = function(now) self:limited(now, 30) end })
    for _, time in ipairs(left) do
      assert.is_true(time <= 1 or time >= 31)
    end
    assert.is_near(31 + (1000 - RATE) / (RATE / 2), left[1000], 0.5)
    self = rate_limiter.new(zero)
    self:limited(0, 30)
    assert.is_true(self:reserve(29.9) > 0)
    assert.equal(0, (self:reserve(31)))
  end)

  it("does not hold back all for as long as it may hold back one", function()
    local self = rate_limiter.new(zero)
    self:limited(0, 86400)
    assert.is_true(self:reserve(59) > 0)
    assert.equal(0, (self:reserve(61)))
  end)

  it("does not shorten an earlier one", function()
    local self = rate_limiter.new(zero)
    self:limited(0, 30)
    self:limited(1, 2)
    assert.is_true(self:reserve(29) > 0)
  end)

  it("does not bring many programs back at the same moment", function()
    local self = rate_limiter.new(function() return 0.9 end)
    self:limited(0, 30)
    local pause, permit = self:reserve(30.85)
    assert.is_near(0.05, pause, 1e-6)
    assert.equal(0, self:check(permit, 31))
  end)
end)

describe("the rate of polls", function()
  --- A rate limiter whose rate a 429 at 0 has lowered to RATE / 16.
  local function lowered(retry_after)
    local self = rate_limiter.new(zero)
    for index = 1, 100 * RATE / 8 do
      self:reserve(index / (RATE / 8) - 100)
    end
    self:limited(0, retry_after)
    return self
  end

  local function answer(self, from, to, step)
    for now = from, to, step do
      self:answered(now)
    end
  end

  it("doubles in two minutes of answers, however many they are", function()
    for _, step in ipairs { 0.25, 1, 30 } do
      local self = lowered()
      local before = self.rate
      assert.is_near(RATE / 16, before, 1)
      answer(self, 0, 120, step)
      assert.is_near(2 * before, self.rate, 0.01)
    end
  end)

  it("rises to the full rate and no further", function()
    local self = lowered()
    answer(self, 0, 360, 1)
    assert.is_true(self.rate < RATE)
    answer(self, 360, 600, 1)
    assert.equal(RATE, self.rate)
  end)

  it("does not rise without an answer", function()
    local self = lowered()
    local before = self.rate
    self:reserve(7200)
    assert.equal(before, self.rate)
    self:answered(7200)
    assert.is_near(before * 2 ^ 0.5, self.rate, 0.01)
  end)

  it("does not rise for the time in which all were held back", function()
    local self = lowered(50)
    local before = self.rate
    self:answered(20)
    self:answered(50)
    assert.equal(before, self.rate)
  end)

  it("is kept to while it rises, whatever comes and goes", function()
    local next_number, arrivals, acts = random(11), {}, {}
    local self = rate_limiter.new(next_number)
    for index = 1, 10000 do
      arrivals[index] = next_number() * 60
    end
    for second = 1, 200 do
      acts[second + 0.5] = function(now)
        if second % 37 == 20 then
          self:limited(now, second % 2 == 0 and 7 or nil)
        else
          self:answered(now)
        end
      end
    end
    local left = queue(self, arrivals, acts)
    assert.is_true(busiest(left) <= RATE * 1.1)
  end)
end)

describe("a worker's share of the polls", function()
  local limiter, share, pause, told

  before_each(function()
    pause, told = nil, {}
    limiter = rate_limiter.new(zero, 10)
    share = rate_limiter.share(limiter, function() return pause end,
      function(seconds) told[#told + 1] = seconds or "none" end)
  end)

  -- Polls that may leave from one moment to another.
  local function polls(from, to)
    local count, now = 0, from
    local wait, permit = share:reserve(now)
    while now + wait < to do
      now = now + wait
      if wait == 0 then
        count = count + 1
        wait, permit = share:reserve(now)
      elseif permit then
        wait, permit = share:check(permit, now)
      else
        wait, permit = share:reserve(now)
      end
    end
    share:release(permit)
    return count
  end

  it("is all that the client may poll where there is no limit", function()
    assert.is_near(100, polls(0, 10), 2)
  end)

  it("is never more than the limit leaves it, nor than the client may",
    function()
      limiter:share(0, 2)
      assert.is_near(20, polls(0, 10), 2)
      limiter:share(10, 500)
      assert.is_near(100, polls(10, 20), 2)
      limiter:share(20, nil)
      assert.is_near(100, polls(20, 30), 2)
    end)

  it("may be nothing for a while", function()
    limiter:share(0, 0)
    assert.is_true(polls(0, 100) <= 1)
    limiter:share(100, 4)
    assert.is_near(40, polls(100, 110), 3)
  end)

  it("is as much less after another's 429 as all have left", function()
    assert.equal(5, limiter:share(0, nil, 0.5))
    assert.is_near(50, polls(0, 10), 2)
    assert.equal(10, limiter:share(10, nil, 1))
  end)

  it("stays lowered by an own 429 when it becomes another", function()
    polls(0, 10)
    share:limited(10)
    local rate = limiter.rate
    limiter:share(10, 5)
    assert.is_near(rate / 2, limiter.rate, 0.01)
  end)

  it("is nothing while all hold back", function()
    limiter:hold(0, 30)
    assert.equal(0, polls(0, 29))
    assert.is_true(polls(30, 40) > 50)
  end)

  it("is nothing while the worker may be taken for dead", function()
    local _, permit = share:reserve(0)
    pause = 2
    assert.equal(2, (share:reserve(1)))
    assert.equal(2, (share:check(permit, 1)))
    pause = nil
    assert.is_true(polls(1, 3) > 15)
  end)

  it("tells of each 429", function()
    share:limited(0, 7)
    share:limited(1)
    assert.same({ 7, "none" }, told)
  end)
end)
