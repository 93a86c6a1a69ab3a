-- A wait among others: its turn at the rate limiter, and how old its task is.

local wait = require "starvideos.wait"

local START, CREATED = 500, 1700000000

local function answer(status, headers)
  return { status = status, headers = headers or {},
    body = '{"id":"video_1","status":"processing"}' }
end

--- A context where time passes while one sleeps, and a rate limiter that lets a
-- poll leave `queue` seconds after it fell due, with a look every `look`
-- seconds. What the rate limiter is told lands in `told`.
local function scene_of(options)
  local scene = { now = START, polls = {}, told = {} }
  local due = {}
  local function note(name, ...)
    scene.told[#scene.told + 1] = { name, ... }
  end
  local function check(_, permit, now)
    return math.min(due[permit] - now, options.look or 60), permit
  end
  scene.rate_limiter = {
    check = check,
    reserve = function(_, now)
      due[#due + 1] = now + (options.queue or 0)
      return check(nil, #due, now)
    end,
    release = function(_, permit) note("release", permit) end,
    answered = function(_, now) note("answered", now) end,
    limited = function(_, now, seconds) note("limited", now, seconds) end,
  }
  scene.runtime = {
    now = function() return scene.now end,
    sleep = function(_, seconds)
      assert(seconds >= 0, "slept backwards")
      scene.now = scene.now + seconds
      if options.cancel_at and scene.now >= START + options.cancel_at then
        return nil, options.why
      end
      return true
    end,
    request = function(_, req)
      scene.polls[#scene.polls + 1] = scene.now - START
      scene.timeout = req.timeout
      local found = options.answers[math.min(#scene.polls, #options.answers)]
      if found.reason then
        return nil, found
      end
      return found
    end,
  }
  scene.api_key, scene.base_url = "test-key", "https://api.test"
  scene.timeout, scene.connect_timeout = 60, 10
  scene.random = function() return 0.5 end
  scene.wall_clock = function() return CREATED end
  scene.ledger = options.ledger
  return scene
end

describe("a poll that is due", function()
  it("leaves at once where the rate limiter lets it", function()
    local context = scene_of { answers = { answer(200) } }
    wait.one(context, "video_1", { first_poll = 5, timeout = 6 })
    assert.equal(5, context.polls[1])
  end)

  it("leaves when its turn comes, however often it has to look", function()
    for _, look in ipairs { 12, 5, 1 } do
      local context = scene_of { answers = { answer(200) }, queue = 12,
        look = look }
      wait.one(context, "video_1", { first_poll = 5, timeout = 18 })
      assert.same({ 17 }, context.polls)
      assert.equal(1, context.timeout)
    end
  end)

  it("is abandoned where its turn comes after the deadline", function()
    local context = scene_of { answers = { answer(200) }, queue = 100 }
    local _, err = wait.one(context, "video_1",
      { first_poll = 5, timeout = 20 })
    assert.equal("timeout", err.kind)
    assert.equal(START + 20, context.now)
    assert.same({}, context.polls)
    assert.same({ { "release", 1 } }, context.told)
  end)

  it("is abandoned where the wait is cancelled in the queue", function()
    for _, why in ipairs { "cancelled", "interrupted" } do
      local context = scene_of { answers = { answer(200) }, queue = 100,
        cancel_at = 30, why = why }
      local _, err = wait.one(context, "video_1", { first_poll = 5 })
      assert.equal("cancelled", err.kind)
      assert.equal(why == "interrupted", err.interrupted)
      assert.same({}, context.polls)
      assert.same({ { "release", 1 } }, context.told)
    end
  end)

  it("queues for nothing once the deadline has passed", function()
    local context = scene_of {
      answers = { { reason = "timeout", sent = true } } }
    local request = context.runtime.request
    context.runtime.request = function(self, req)
      context.now = context.now + req.timeout
      return request(self, req)
    end
    local reserved = 0
    local reserve = context.rate_limiter.reserve
    context.rate_limiter.reserve = function(...)
      reserved = reserved + 1
      return reserve(...)
    end
    wait.one(context, "video_1", { first_poll = 5, timeout = 20 })
    assert.equal(1, reserved)
  end)
end)

describe("the rate limiter is told", function()
  it("of a 429 with its Retry-After, and of every other answer", function()
    local context = scene_of { answers = {
      answer(429, { ["retry-after"] = "7" }), answer(429), answer(503),
      { reason = "reset", sent = true }, answer(200),
    } }
    wait.one(context, "video_1", { interval = 1, max_interval = 1,
      timeout = 60 })
    local names = {}
    for index = 1, 5 do
      names[index] = context.told[index][1]
      assert.equal(START + context.polls[index], context.told[index][2])
    end
    assert.same({ "limited", "limited", "answered", "answered", "answered" },
      names)
    assert.equal(7, context.told[1][3])
    assert.is_nil(context.told[2][3])
  end)
end)

describe("the first poll", function()
  local function first_poll(created, options)
    local context = scene_of { answers = { answer(200) } }
    wait.one(context, { id = "video_1", status = "queued",
      created = created }, options or { timeout = 40 })
    return context.polls[1]
  end

  it("is made at once for a task older than an interval", function()
    assert.equal(0, first_poll(CREATED - 30))
    assert.equal(0, first_poll(CREATED - 86400))
    assert.equal(0, first_poll("1600000000"))
  end)

  it("waits for the rest of the interval of a younger task", function()
    assert.equal(23, first_poll(CREATED - 10))
    assert.equal(5, first_poll(CREATED - 10, { interval = 15, max_interval = 15 }))
  end)

  it("waits for no more than an interval where the clocks disagree", function()
    assert.equal(33, first_poll(CREATED + 3600))
  end)

  it("is made when the caller says, however old the task", function()
    assert.equal(7, first_poll(CREATED - 3600,
      { first_poll = 7, timeout = 20 }))
  end)
end)

describe("a bare id", function()
  local function ledger(row)
    return {
      of_task = function(_, id)
        assert.equal("video_1", id)
        return row
      end,
      seen = function() return true end,
    }
  end

  local function first_poll(row)
    local context = scene_of { answers = { answer(200) }, ledger = ledger(row) }
    wait.one(context, "video_1", { timeout = 40 })
    return context.polls[1]
  end

  it("is polled at once where the ledger says that the task is old", function()
    assert.equal(0, first_poll { state = "accepted",
      created_at = CREATED - 3600, updated_at = CREATED - 3600 })
    assert.equal(0, first_poll { state = "completed",
      created_at = CREATED - 3600, updated_at = CREATED - 1 })
  end)

  it("is a second old where it was ordered a second ago, whenever the order"
    .. " was written down", function()
    assert.equal(32, first_poll { state = "accepted",
      created_at = CREATED - 3600, accepted_at = CREATED - 1 })
  end)

  it("is polled after one interval where the ledger does not know it",
    function()
      assert.equal(33, first_poll(nil))
    end)

  it("is 404 no longer than an old task where the ledger knows it", function()
    local context = scene_of { answers = { answer(404) }, ledger = ledger {
      state = "accepted", created_at = CREATED - 3600,
      updated_at = CREATED - 3600 } }
    local _, err = wait.one(context, "video_1", {})
    assert.equal("not_found", err.kind)
    assert.equal(4, #context.polls)
  end)
end)
