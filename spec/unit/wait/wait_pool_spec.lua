-- Waits that tasks join while others go on: still one heap.

local timeline = require "spec.fixtures.timeline"
local wait = require "starvideos.wait"

local START, body = timeline.START, timeline.body

describe("a pool of waits", function()
  local world, ended

  local function new(answer)
    world, ended = timeline.new(answer), {}
    world.context = timeline.context(world)
    world.context.random = function() return 0.5 end
  end

  -- Runs a function in a coroutine beside the waits of a pool.
  local function run(options, act)
    world.context.runtime:gather { function(also)
      local pool = wait.pool(world.context, options, also, function(one)
        ended[#ended + 1] = { id = one.id, at = world.now - START,
          outcome = one.task and one.task.status or one.err.kind }
      end)
      act(pool)
    end }
  end

  local function sleep(seconds)
    return world.context.runtime:sleep(seconds)
  end

  local STEADY = { interval = 10, max_interval = 10 }

  it("waits for each from when it joins", function()
    new(function(id, _, n)
      return body(id, n < 3 and "processing" or "completed")
    end)
    run(STEADY, function(pool)
      pool:add("video_1", 10)
      sleep(14)
      pool:add("video_2", 10)
    end)
    assert.same({ { id = "video_1", at = 30, outcome = "completed" },
      { id = "video_2", at = 44, outcome = "completed" } }, ended)
  end)

  it("is woken by one that is due before all others", function()
    new(function(id)
      return body(id, "completed")
    end)
    run(STEADY, function(pool)
      pool:add("video_1", 100)
      sleep(5)
      pool:add("video_2", 0)
    end)
    assert.same({ "video_2", "video_1" }, { ended[1].id, ended[2].id })
    assert.equal(5, ended[1].at)
  end)

  it("has a deadline for each", function()
    new(function(id)
      return body(id, "processing")
    end)
    run({ interval = 10, max_interval = 10, timeout = 50 }, function(pool)
      pool:add("video_1", 0)
      sleep(30)
      pool:add("video_2", 0)
    end)
    assert.same({ "timeout", "timeout" },
      { ended[1].outcome, ended[2].outcome })
    assert.is_near(50, ended[1].at, 1)
    assert.is_near(80, ended[2].at, 1)
  end)

  it("polls a task once that joins twice", function()
    new(function(id)
      return body(id, "completed")
    end)
    run(STEADY, function(pool)
      pool:add("video_1", 10)
      pool:add("video_1", 0)
    end)
    assert.equal(1, world.polls.video_1)
    assert.equal(1, #ended)
  end)

  it("ends all waits when it is stopped, polls under way, too", function()
    new(function(id)
      return body(id, "processing"), 4
    end)
    run(STEADY, function(pool)
      pool:add("video_1", 0)
      pool:add("video_2", 60)
      sleep(2)
      pool:stop()
      pool:add("video_3", 0)
    end)
    assert.same({ "video_2", "video_1" }, { ended[1].id, ended[2].id })
    assert.same({ "cancelled", "cancelled" },
      { ended[1].outcome, ended[2].outcome })
    assert.same({ video_1 = 1 }, world.polls)
  end)

  it("has few coroutines, however many join it one by one", function()
    new(function(id, _, n)
      return body(id, n < 3 and "processing" or "completed")
    end)
    run(STEADY, function(pool)
      for index = 1, 2000 do
        pool:add("video_" .. index, 10)
        if index % 20 == 0 then
          sleep(0.1)
        end
      end
    end)
    assert.equal(2000, #ended)
    assert.is_true(world.most <= 12, world.most)
    assert.equal(0, world.alive)
  end)
end)
