local rate_limiter = require "starvideos.wait.rate_limit"
local shares = require "starvideos.wait.share"

local function zero()
  return 0
end

describe("a worker's share of the polls", function()
  local limiter, share, pause, told

  before_each(function()
    pause, told = nil, {}
    limiter = rate_limiter.new(zero, 10)
    share = shares.new(limiter, function() return pause end,
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
