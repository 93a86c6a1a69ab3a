local announced = require "spec.fixtures.announced"
local block = require "starvideos.host.block"

local function simulated(transport)
  local now = 0
  return block.new {
    transport = transport,
    clock = function() return now end,
    sleep = function(seconds) now = now + seconds end,
  }
end

describe("the block runtime", function()
  it("sleeps for the time asked for", function()
    local runtime = simulated()
    assert.is_true(runtime:sleep(12.5))
    assert.equal(12.5, runtime:now())
  end)

  it("sleeps on where the pause ends too early", function()
    local now, pauses = 0, 0
    local runtime = block.new {
      clock = function() return now end,
      sleep = function() now, pauses = now + 1, pauses + 1 end,
    }
    runtime:sleep(3)
    assert.equal(3, pauses)
  end)

  it("hands a request to the transport it was given", function()
    local runtime = simulated(function(req)
      return { status = 200, body = req.url }
    end)
    assert.equal("u", runtime:request({ url = "u" }).body)
  end)

  it("tells an interrupted sleep from a failed one", function()
    local runtime = block.new {
      clock = function() return 0 end,
      sleep = function() error("x.lua:1: interrupted!", 0) end,
    }
    assert.same({ nil, "interrupted" }, { runtime:sleep(1) })
    runtime = block.new {
      clock = function() return 0 end,
      sleep = function() error("no clock", 0) end,
    }
    assert.has_error(function() runtime:sleep(1) end, "no clock")
  end)
end)

describe("gathered functions", function()
  it("sleep side by side", function()
    local runtime, woken = simulated(), {}
    local function sleeper(seconds)
      return function()
        runtime:sleep(seconds)
        woken[#woken + 1] = seconds
      end
    end
    runtime:gather { sleeper(30), sleeper(10), sleeper(20) }
    assert.same({ 10, 20, 30 }, woken)
    assert.equal(30, runtime:now())
  end)

  it("may sleep many times", function()
    local runtime, ticks = simulated(), 0
    local function ticker()
      for _ = 1, 5 do
        runtime:sleep(1)
        ticks = ticks + 1
      end
    end
    runtime:gather { ticker, ticker, ticker }
    assert.equal(15, ticks)
    assert.equal(5, runtime:now())
  end)

  it("may be none", function()
    simulated():gather {}
  end)

  it("may add further ones, and end when these have too", function()
    local runtime, woken = simulated(), {}
    runtime:gather { function(also)
      runtime:sleep(1)
      also(function(also_too)
        runtime:sleep(5)
        woken[#woken + 1] = "added"
        also_too(function() woken[#woken + 1] = "added by the added" end)
      end)
      woken[#woken + 1] = "first"
    end }
    assert.same({ "first", "added", "added by the added" }, woken)
    assert.equal(6, runtime:now())
  end)

  it("pass an error on and end the others", function()
    local runtime, reached = simulated(), false
    assert.has_error(function()
      runtime:gather {
        function() runtime:sleep(5) reached = true end,
        function() runtime:sleep(1) error("broken", 0) end,
      }
    end, "broken")
    assert.is_false(reached)
  end)

  it("are all told of an interrupt", function()
    local told = {}
    local runtime = block.new {
      clock = function() return 0 end,
      sleep = function() error("interrupted!", 0) end,
    }
    local function sleeper()
      local _, why = runtime:sleep(60)
      told[#told + 1] = why
    end
    runtime:gather { sleeper, sleeper }
    assert.same({ "interrupted", "interrupted" }, told)
  end)

  it("are told of an interrupt that came in one of them", function()
    local runtime, told = simulated(), nil
    runtime:gather {
      function()
        runtime:sleep(1)
        error("x.lua:1: interrupted!", 0)
      end,
      function() told = select(2, runtime:sleep(60)) end,
    }
    assert.equal("interrupted", told)
    assert.equal(1, runtime:now())
  end)

  it("leave a coroutine of the caller's own alone", function()
    local runtime = simulated()
    local thread = coroutine.create(function()
      return runtime:sleep(3)
    end)
    assert.same({ true, true }, { coroutine.resume(thread) })
    assert.equal("dead", coroutine.status(thread))
  end)
end)

describe("a request that is watched", function()
  local loaded = package.loaded["starvideos.curl"]
  local transfers

  -- A transfer whose answer comes in the second step of the engine, and whose
  -- end in the step given.
  local function transfer(ends)
    local steps = 0
    local it = {}
    function it.step() steps = steps + 1 end
    function it.done() return it.cancelled or steps >= ends end
    function it.answer()
      if steps >= 2 then
        return 200, { step = steps }
      end
    end
    function it.progress() return steps, ends, 0 end
    function it.cancel() it.cancelled = true end
    function it.result()
      if it.cancelled then
        return nil, { reason = "cancelled" }
      end
      return { status = 200 }
    end
    return it
  end

  local function runtime()
    return block.new { clock = function() return 0 end }
  end

  before_each(function()
    transfers = {}
    local engine = {}
    function engine.submit(_, req)
      local it = transfer(req.ends)
      transfers[#transfers + 1] = it
      return it
    end
    function engine.step(_, seconds)
      assert.is_true(seconds <= 0.1)
      for _, it in ipairs(transfers) do
        it.step()
      end
    end
    package.loaded["starvideos.curl"] = {
      network = function() return announced.add(engine) end,
    }
  end)
  after_each(function()
    package.loaded["starvideos.curl"] = loaded
  end)

  local function watched(ends)
    local seen = { answers = 0, received = 0 }
    return seen, { ends = ends,
      on_answer = function(status, headers)
        assert.equal(200, status)
        seen.answers, seen.step = seen.answers + 1, headers.step
      end,
      on_progress = function(received, total)
        assert.equal(ends, total)
        seen.received = received
      end }
  end

  it("tells of its answer once, and of its progress", function()
    local seen, req = watched(5)
    assert(runtime():request(req))
    assert.same({ answers = 1, step = 2, received = 5 }, seen)
  end)

  it("tells of its answer before its end when gathered, too", function()
    local host = runtime()
    local first, first_req = watched(5)
    local second, second_req = watched(3)
    local early
    host:gather {
      function() assert(host:request(first_req)) end,
      function()
        assert(host:request(second_req))
        early = { first.answers, first.received }
      end,
    }
    assert.same({ 1, 3 }, early)
    assert.same({ answers = 1, step = 2, received = 5 }, first)
    assert.same({ answers = 1, step = 2, received = 3 }, second)
  end)

  it("is cancelled at an interrupt, and so are sleeps when gathered",
    function()
      local host, steps, failure = runtime(), 0, nil
      package.loaded["starvideos.curl"].network = function()
        return announced.add {
          submit = function() return transfer(math.huge) end,
          step = function()
            steps = steps + 1
            error(steps == 1 and "x.lua:1: interrupted!" or "slept on", 0)
          end,
        }
      end
      host:gather { function()
        failure = select(2, host:request { url = "u" })
      end }
      assert.equal("cancelled", failure.reason)
      assert.is_true(failure.interrupted)
      assert.equal(1, steps)
    end)

  it("gets its answer after an interrupt that must wait, and says so once",
    function()
      local host = runtime()
      local seen, req = watched(5)
      local raised, told = 0, 0
      req.finish = true
      req.on_interrupt = function() told = told + 1 end
      req.on_progress = function()
        raised = raised + 1
        return raised < 3 and error("x.lua:1: interrupted!", 0)
      end
      local response = assert(host:request(req))
      assert.is_true(response.interrupted)
      assert.same({ 1, 1 }, { told, seen.answers })
    end)

  it("is cancelled where its listener raises", function()
    local host = runtime()
    local seen, req = watched(5)
    req.on_progress = function() error("full", 0) end
    assert.has_error(function() host:request(req) end, "full")
    assert.is_true(transfers[1].cancelled)
    assert.has_error(function()
      host:gather { function() host:request(req) end }
    end, "full")
    assert.is_true(transfers[2].cancelled)
    assert.equal(0, seen.answers)
  end)
end)

-- An answer that comes while its caller looks for it: a wait that begins after
-- it would not end before the patience does.
describe("the answer to a message", function()
  local runtime, message, actor, left

  local function patience()
    return { left = function() return left() end }
  end

  before_each(function()
    runtime, message = simulated(), { is_done = false }
    function message:done() return self.is_done end
    function left() return 10 end
    actor = { takes = {} }
    function actor:take()
      local take = table.remove(self.takes, 1)
      return take and take() or nil
    end
    function actor.wait()
      error(message.is_done and "slept behind the answer" or "slept", 0)
    end
  end)

  local function arrive()
    message.is_done = true
    return 7
  end

  local function another()
    return 6
  end

  local function nothing() end

  it("is seen where it comes before the first look", function()
    arrive()
    assert.is_nil(runtime:await(actor, message, 7, patience()))
  end)

  it("is seen where what has ended is taken, and it among that", function()
    actor.takes = { arrive, nothing }
    assert.is_nil(runtime:await(actor, message, 7, patience()))
  end)

  it("is seen where it comes behind others that are taken", function()
    actor.takes = { another, another, arrive, nothing }
    assert.is_nil(runtime:await(actor, message, 7, patience()))
  end)

  it("is seen where it comes when nothing is left to take", function()
    actor.takes = { another, function() message.is_done = true end }
    assert.is_nil(runtime:await(actor, message, 7, patience()))
  end)

  it("is seen where it comes while the patience is asked for", function()
    function left()
      message.is_done = true
      return 0
    end
    assert.is_nil(runtime:await(actor, message, 7, patience()))
  end)

  it("is seen where it is taken after a sleep that another one ended", function()
    local sleeps = 0
    function actor.wait()
      sleeps = sleeps + 1
      assert.is_false(message.is_done)
      actor.takes = { another, arrive, nothing }
    end
    assert.is_nil(runtime:await(actor, message, 7, patience()))
    assert.equal(1, sleeps)
  end)

  it("is not waited for any longer where the patience is at an end", function()
    function left() return 0 end
    assert.equal("timeout", runtime:await(actor, message, 7, patience()))
  end)
end)
