-- Ten thousand waits are one heap: who sleeps, who polls, and how all end.

local random = require("starvideos.base.fingerprint").random
local rate_limiter = require "starvideos.wait.rate_limit"
local timeline = require "spec.fixtures.timeline"
local wait = require "starvideos.wait"

local START, body = timeline.START, timeline.body

local function world_of(answer)
  local world = timeline.new(answer)
  world.context = timeline.context(world)
  return world
end

--- Lets the waits of a world poll so often a second.
local function set_rate(world, rate)
  world.context.rate_limiter = rate_limiter.new(world.context.random, rate)
end

local function all(world, list, options)
  return wait.all(world.context, list, options or {}, {})
end

local function ids(count)
  local list = {}
  for index = 1, count do
    list[index] = "video_" .. index
  end
  return list
end

describe("the waits of one call", function()
  it("have one coroutine that sleeps, and one for each poll under way",
    function()
      local next_number = random(5)
      local world = world_of(function(id, _, n)
        return body(id, n < 4 and "queued" or "completed"), next_number()
      end)
      world.context.random = next_number
      local results = all(world, ids(300), { interval = 5, max_interval = 5 })
      for _, result in ipairs(results) do
        assert.equal("completed", result.task.status)
      end
      assert.equal(1200, #world.at)
      assert.is_true(world.most <= 3)
      assert.equal(0, world.alive)
    end)

  it("are all due at once without a coroutine each", function()
    local world = world_of(function(id)
      return body(id, "completed")
    end)
    all(world, ids(3000), { first_poll = 0 })
    assert.equal(3000, #world.at)
    assert.is_true(world.most <= 1)
  end)

  it("go on while many of them hang", function()
    local world = world_of(function(id, time)
      local number = tonumber(id:match("%d+"))
      local done = number > 64 and time >= 20
      return body(id, done and "completed" or "queued"),
        number <= 64 and 3600 or 0.1
    end)
    local results = all(world, ids(100), { first_poll = 1, interval = 10,
      max_interval = 10, timeout = 50 })
    for index, result in ipairs(results) do
      assert.equal(index <= 64 and "timeout" or nil,
        result.err and result.err.kind)
    end
    assert.equal(START + 50, world.now)
    assert.equal(64 + 3 * 36, #world.at)
  end)

  it("end at the deadline while polls hang", function()
    local world = world_of(function(id, time)
      return body(id, "queued"), id == "video_1" and time >= 5 and 3600 or 0
    end)
    all(world, ids(3), { first_poll = 6, interval = 9, timeout = 17 })
    assert.equal(START + 17, world.now)
  end)

  it("wake for the watch that is due first", function()
    -- The slow one is not due before 90 s, for which it is slept; meanwhile
    -- the quick one comes back from its first poll.
    local world = world_of(function(id, _, n)
      if id == "slow" then
        return n == 1 and { status = 503, body = "", headers = {
          ["retry-after"] = "90" } } or body(id, "completed")
      end
      return body(id, n < 5 and "queued" or "completed"), 2
    end)
    all(world, { "quick", "slow" }, { first_poll = 0, interval = 1,
      max_interval = 1 })
    assert.same({ 0, 0, 3, 6, 9, 12, 90.5 }, world.at)
    assert.is_true(world.most <= 2)
  end)

  it("are due on a beat where they are many, and never before their time",
    function()
      local next_number = random(9)
      local world = world_of(function(id, time)
        return body(id, time > 35 and "completed" or "queued")
      end)
      world.context.random = next_number
      all(world, ids(500), {})
      local beats, earliest = {}, math.huge
      for _, at in ipairs(world.at) do
        beats[at] = (beats[at] or 0) + 1
        earliest = math.min(earliest, at)
      end
      local count = 0
      for _ in pairs(beats) do
        count = count + 1
      end
      assert.is_true(#world.at > 2 * count and earliest >= 30)
    end)

  it("do not let their deadline wait for the beat", function()
    local world = world_of(function(id)
      return body(id, "queued")
    end)
    local results = all(world, ids(200), { timeout = 0.033, first_poll = 1 })
    assert.equal("timeout", results[200].err.kind)
    assert.is_near(START + 0.033, world.now, 1e-6)
  end)

  it("leave together, as many as the rate limiter permits in a beat", function()
    local world = world_of(function(id)
      return body(id, "completed")
    end)
    set_rate(world, 100)
    all(world, ids(400), { first_poll = 0 })
    local beats = {}
    for _, at in ipairs(world.at) do
      beats[at] = (beats[at] or 0) + 1
      assert.is_true(beats[at] <= 22)
    end
    assert.equal(11, beats[0])
    assert.is_true(beats[0.1] >= 8)
    assert.is_true(world.now >= START + 3.8 and world.now < START + 4.5)
  end)

  it("poll a task once that the list names twice", function()
    local world = world_of(function(id)
      return body(id, "completed")
    end)
    local results = all(world, { "a", "b", { id = "a" }, "a" })
    assert.same({ a = 1, b = 1 }, world.polls)
    assert.equal("completed", results[4].task.status)
    assert.equal(results[1], results[3])
  end)

  it("need no coroutine where nothing is to be polled", function()
    local world = world_of()
    world.context.runtime.gather = nil
    local done = { id = "a", status = "completed", video_url = "https://m/a" }
    local failed = { id = "b", status = "failed", error = "no" }
    local err = { kind = "auth" }
    local results = wait.all(world.context, { done, failed, "c", "c" }, {},
      { c = err })
    assert.equal(done, results[1].task)
    assert.equal("task_failed", results[2].err.kind)
    assert.equal(err, results[3].err)
    assert.equal(results[3], results[4])
    assert.same({}, all(world, {}))
  end)

  it("raise what on_progress raises", function()
    local world = world_of(function(id)
      return body(id, "queued")
    end)
    local mine = {}
    local ok, raised = pcall(all, world, ids(3), { on_progress = function()
      error(mine)
    end })
    assert.is_false(ok)
    assert.equal(mine, raised)
    assert.equal(1, #world.at)
  end)

  it("leave no permit behind where an error ended them", function()
    local broken = world_of(function(_, time)
      assert(time < 2, "the provider broke")
      return { status = 429, headers = {}, body = "" }
    end)
    set_rate(broken, nil)
    assert.error_matches(function()
      all(broken, ids(2000), { first_poll = 0 })
    end, "the provider broke")
    local world = world_of(function(id) return body(id, "completed") end)
    world.now = broken.now
    world.context.rate_limiter = broken.context.rate_limiter
    all(world, { "video_1" }, { first_poll = 0 })
    assert.is_true(world.at[1] - (broken.now - START) < 75)
  end)

  it("tell of each task as it was last seen, with raw where it just was",
    function()
      local world = world_of(function(id, _, n)
        return n == 2 and { status = 503, headers = {}, body = "" }
          or body(id, n == 3 and "completed" or "queued")
      end)
      local seen = {}
      all(world, { "a" }, { on_progress = function(task, info)
        seen[#seen + 1] = { task.id, task.status, info.polls,
          raw = task.raw and task.raw.status }
      end })
      assert.same({ { "a", "queued", 1, raw = "queued" }, { "a", "queued", 2 },
        { "a", "completed", 3, raw = "completed" } }, seen)
    end)
end)

describe("an end from outside", function()
  for _, why in ipairs { "cancelled", "interrupted" } do
    it(("ends every wait at once: %s"):format(why), function()
      local world = world_of(function(id)
        return body(id, "processing"), id == "video_1" and 3600 or 0
      end)
      world.stop_at, world.why = START + 35, why
      local results = all(world, ids(20), { first_poll = 30 })
      assert.equal(START + 35, world.now)
      for index, result in ipairs(results) do
        assert.equal("cancelled", result.err.kind)
        assert.equal(why == "interrupted", result.err.interrupted)
        assert.equal("video_" .. index, result.err.task.id)
        assert.equal(index > 1 and "processing" or nil,
          result.err.task.status)
      end
      assert.equal(0, world.alive)
    end)
  end

  it("releases the permits of those in the queue", function()
    local world = world_of(function(id)
      return body(id, "processing")
    end)
    set_rate(world, 1)
    world.stop_at, world.why = START + 40, "cancelled"
    all(world, ids(50), { first_poll = 30 })
    assert.equal(0, (world.context.rate_limiter:reserve(world.now + 1)))
  end)

  it("ends with an answer that came all the same", function()
    local world = world_of(function(id)
      return body(id, "processing"), 0.5
    end)
    local request = world.context.runtime.request
    world.context.runtime.request = function(self, req)
      request(self, req)
      return body("video_1", "processing")
    end
    world.stop_at, world.why = START + 33.2, "cancelled"
    local results = all(world, { "video_1" })
    assert.equal("cancelled", results[1].err.kind)
    assert.equal("processing", results[1].err.task.status)
  end)

  it("is an interrupt for those that the runtime never took up again",
    function()
      local world = world_of(function(id)
        return body(id, "processing")
      end)
      world.context.runtime.gather = function() end
      local results = all(world, { { id = "a", status = "queued" } })
      assert.equal("cancelled", results[1].err.kind)
      assert.is_true(results[1].err.interrupted)
      assert.equal("queued", results[1].err.task.status)
    end)
end)
