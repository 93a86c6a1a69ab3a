-- Programs without a loop: operations of a client for loops that run until all
-- are done, and a sleep that Ctrl-C ends.

local drivers = require "spec.fixtures.driver"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local PARAMS = { model = "videos", duration = 4, prompt = "a kite" }
local INTERRUPT = "x.lua:1: interrupted!"

local now, naps, at_nap

local function clock()
  return now
end

-- `at_nap[n]` happens in the n-th nap.
local function sleep(seconds)
  naps = naps + 1
  now = now + seconds
  return (at_nap[naps] or function() end)()
end

local function interrupt()
  error(INTERRUPT, 0)
end

before_each(function()
  now, naps, at_nap = 1e6, 0, {}
end)

local function new_client(runtime, more)
  local box = sandbox.new { seconds = 60, clock = clock }
  local options = { api_key = box.key, transport = box:transport(),
    runtime = runtime, clock = clock, sleep = sleep }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

for _, runtime in ipairs { "frame", "poll" } do
  describe("a program without a loop, with the runtime " .. runtime, function()
    local client

    before_each(function()
      client = new_client(runtime)
    end)

    local function ordered_and_waited()
      return client:wait(assert(client:create(PARAMS)))
    end

    it("runs until all is done, and sleeps in between", function()
      local one = client:async(ordered_and_waited)
      local two = client:async(ordered_and_waited)
      assert.is_true(client:run())
      assert.equal("completed", one.result.status)
      assert.equal("completed", two.result.status)
      assert.is_true(naps > 0 and naps < 20)
      naps = 0
      assert.is_true(client:run())
      assert.equal(0, naps)
    end)

    it("runs for no longer than asked, and may run on", function()
      local one = client:async(ordered_and_waited)
      local done, err = client:run(10)
      assert.is_nil(done)
      assert.equal("timeout", err.kind)
      assert.is_near(1e6 + 10, now, 0.01)
      assert.is_false(one.done)
      assert.is_true(client:run())
      assert.is_true(one.done)
    end)

    it("ends the waits at Ctrl-C, with their tasks", function()
      local one = client:async(ordered_and_waited)
      at_nap[2] = interrupt
      local done, err = client:run()
      assert.is_nil(done)
      assert.equal("cancelled", err.kind)
      assert.is_true(err.interrupted)
      assert.equal("cancelled", one.err.kind)
      assert.is_true(one.err.interrupted)
      assert.is_string(one.err.task.id)
    end)

    it("does not run from within", function()
      local raised
      client:async(function()
        raised = select(2, pcall(client.run, client))
      end)
      assert.matches("run would block the loop: it is for a program that has none",
        raised)
      coroutine.wrap(function()
        raised = select(2, pcall(client.sleep, client, 1))
      end)()
      assert.matches("sleep would block the loop", raised)
    end)

    it("sleeps while operations go on, until Ctrl-C", function()
      local one = client:async(ordered_and_waited)
      assert.is_true(client:sleep(20))
      assert.is_near(1e6 + 20, now, 0.01)
      assert.is_false(one.done)
      at_nap[naps + 1] = interrupt
      local slept, err = client:sleep(20)
      assert.is_nil(slept)
      assert.equal("cancelled", err.kind)
      assert.is_true(err.interrupted)
      assert.is_false(one.done)
      assert.is_true(client:sleep(300))
      assert.equal("completed", one.result.status)
    end)

    it("sleeps inside an operation, until that is cancelled", function()
      local order = {}
      client:async(function()
        order[#order + 1] = client:sleep(30) and "slept"
      end)
      local other = client:async(function()
        return client:sleep(60)
      end)
      client:sleep(40)
      assert.same({ "slept" }, order)
      other:cancel()
      assert.is_true(client:run())
      assert.equal("cancelled", other.err.kind)
    end)
  end)
end

describe("Ctrl-C while an order of a program without a loop is on the wire",
  function()
    local client, driver, restore, events

    before_each(function()
      local made
      events = {}
      made, restore = drivers.install()
      client = assert(starvideos.new { api_key = "key", runtime = "frame",
        clock = clock, sleep = sleep,
        on_event = function(event) events[#events + 1] = event.name end })
      driver = made[1]
    end)
    after_each(function() restore() end)

    it("waits for its answer, and says so", function()
      local order = client:async(client.create, client, PARAMS)
      at_nap[1] = interrupt
      at_nap[2] = function()
        driver.finish(driver.tickets[1], { status = 200, headers = {},
          body = '{"id":"video_1","status":"queued"}' })
      end
      local _, err = client:run()
      assert.is_true(err.interrupted)
      assert.equal("video_1", order.err.task.id)
      assert.same({ "interrupt", "exchange" }, events)
    end)

    it("ends the program when it is pressed again", function()
      client:async(client.create, client, PARAMS)
      at_nap[1], at_nap[2] = interrupt, interrupt
      assert.error_matches(function() client:run() end, "interrupted!")
    end)
  end)

describe("a script", function()
  it("sleeps until Ctrl-C", function()
    local client = new_client("block", { interrupts = "return" })
    assert.is_true(client:sleep(5))
    assert.equal(1e6 + 5, now)
    at_nap[2] = interrupt
    local slept, err = client:sleep(5)
    assert.is_nil(slept)
    assert.equal("cancelled", err.kind)
    assert.is_true(err.interrupted)
    client, at_nap[3] = new_client "block", interrupt
    assert.error_matches(function() client:sleep(5) end, "interrupted")
  end)

  it("has no loop to run", function()
    assert.error_matches(function() new_client("block"):run() end,
      "run is for the runtime frame or poll")
  end)

  it("sleeps for seconds", function()
    for _, wrong in ipairs { "5", -1, 0 / 0, {} } do
      local _, raised = pcall(function() new_client("block"):sleep(wrong) end)
      assert.matches("^spec/unit/host/loop_run_spec.lua:%d+: sleep takes a number of seconds",
        raised)
    end
  end)
end)
