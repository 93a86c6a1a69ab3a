-- The runtimes of hosts with a loop of their own, over an engine that the spec
-- drives.

local drivers = require "spec.fixtures.driver"
local frame = require("starvideos.host.loop").frame

local loop, runtime, made, start, pass, answer

before_each(function()
  loop = drivers.loop(frame)
  runtime, made = loop.runtime, loop.made
  start, pass, answer = loop.start, loop.pass, loop.answer
end)
after_each(function() loop.restore() end)

local function ticket(number)
  return made[1].tickets[number]
end

describe("an operation in a loop", function()
  it("runs at once up to its first wait, and no further", function()
    local seen = {}
    local handle = start(function(word)
      seen[1] = word
      runtime:sleep(5)
      seen[2] = "later"
      return "done"
    end, "now")
    assert.same({ "now" }, seen)
    pass(4.9)
    assert.is_false(handle.done)
    pass(0.2)
    assert.same({ "now", "later" }, seen)
    assert.is_true(handle.done)
    assert.equal("done", handle.result)
  end)

  it("waits for an answer while others go on", function()
    local order = {}
    local first = start(function()
      local response = runtime:request { url = "slow" }
      order[#order + 1] = response.body
      return response.body
    end)
    start(function()
      runtime:sleep(1)
      order[#order + 1] = "slept"
    end)
    pass(2)
    answer(1, { body = "slow" })
    pass()
    assert.same({ "slept", "slow" }, order)
    assert.equal("slow", first.result)
  end)

  it("hands a failure over as nil and err", function()
    local handle = start(function()
      return runtime:request { url = "u" }
    end)
    answer(1, nil, { reason = "reset" })
    pass()
    assert.is_nil(handle.result)
    assert.equal("reset", handle.err.reason)
  end)

  it("never lets an error inside reach the loop", function()
    local raised = { kind = "config" }
    local at_once = start(function() error("broken", 0) end)
    local later = start(function()
      runtime:sleep(1)
      error(raised)
    end)
    pass(1)
    assert.same({ true, "broken" }, { at_once.done, at_once.err })
    assert.equal(raised, later.err)
  end)

  it("raises where it waits outside of async, and says what to do", function()
    for _, wait in ipairs { "request", "sleep", "gather" } do
      assert.has_error(function() runtime[wait](runtime, {}) end)
    end
    local ok, message = pcall(function() runtime:check("wait") end)
    assert.is_false(ok)
    assert.truthy(message:find("wait would block the loop: call it inside"
      .. " client:async", 1, true))
  end)

  it("has its disk done by the engine", function()
    local handle = start(function()
      return (runtime:disk("size", "a.mp4"))
    end)
    assert.same({ "size", "a.mp4" }, ticket(1).what)
    answer(1, 42)
    pass()
    assert.equal(42, handle.result)
  end)
end)

describe("gathered functions in a loop", function()
  it("end when the last has, those added too", function()
    local woken = {}
    local function sleeper(seconds)
      return function()
        runtime:sleep(seconds)
        woken[#woken + 1] = seconds
      end
    end
    local handle = start(function()
      runtime:gather { sleeper(2), function(also)
        runtime:sleep(1)
        also(sleeper(3))
      end }
      return woken
    end)
    pass(1)
    pass(1)
    assert.is_false(handle.done)
    pass(2)
    assert.same({ 2, 3 }, handle.result)
  end)

  it("pass an error on and end the others", function()
    local reached = false
    local handle = start(function()
      runtime:gather {
        function() runtime:request { url = "u" } reached = true end,
        function() runtime:sleep(1) error("broken", 0) end,
      }
    end)
    pass(1)
    pass()
    assert.equal("broken", handle.err)
    assert.is_true(ticket(1).cancelled)
    pass()
    assert.is_false(reached)
  end)

  it("may be none, and may all end at once", function()
    local handle = start(function()
      runtime:gather {}
      runtime:gather { function() end, function() end }
      return "through"
    end)
    assert.equal("through", handle.result)
  end)

  it("may gather again inside", function()
    local handle = start(function()
      local sum = 0
      local function add() runtime:sleep(1) sum = sum + 1 end
      runtime:gather {
        function() runtime:gather { add, add } end,
        function() runtime:gather { add } end,
      }
      return sum
    end)
    pass(1)
    pass()
    assert.equal(3, handle.result)
  end)
end)

describe("a cancelled operation", function()
  it("ends its sleep, and is refused what it begins then", function()
    local told = {}
    local handle = start(function()
      told[1] = select(2, runtime:sleep(60))
      told[2] = select(2, runtime:sleep(60))
      told[3] = select(2, runtime:request { url = "u" }).reason
    end)
    handle:cancel()
    assert.is_false(handle.done)
    pass()
    assert.same({ "cancelled", "cancelled", "cancelled" }, told)
    assert.is_true(handle.done)
    handle:cancel()
  end)

  it("cancels its request", function()
    local handle = start(function()
      return runtime:request { url = "u" }
    end)
    handle:cancel()
    pass()
    assert.equal("cancelled", handle.err.reason)
  end)

  it("waits for the answer to an order on the wire, and tells of it",
    function()
      local handle = start(function()
        return runtime:request { url = "u", finish = true }
      end)
      handle:cancel()
      pass()
      assert.is_false(handle.done)
      answer(1, { status = 200 })
      pass()
      assert.is_true(handle.result.interrupted)
    end)

  it("still has its disk done", function()
    local handle = start(function()
      runtime:sleep(60)
      return (runtime:disk("size", "a.part"))
    end)
    handle:cancel()
    pass()
    answer(1, 10)
    pass()
    assert.equal(10, handle.result)
  end)

  it("ends all that it has gathered", function()
    local handle = start(function()
      local ended = 0
      local function sleeper() runtime:sleep(60) ended = ended + 1 end
      runtime:gather { sleeper, sleeper }
      return ended
    end)
    handle:cancel()
    pass()
    assert.equal(2, handle.result)
  end)

  it("leaves the others alone", function()
    local first = start(function() return runtime:sleep(1) end)
    local second = start(function() return runtime:sleep(1) end)
    first:cancel()
    pass(1)
    assert.equal("cancelled", first.err)
    assert.is_true(second.result)
  end)
end)

describe("an update", function()
  it("resumes no more than its time allows, but at least one", function()
    local resumed = 0
    for _ = 1, 10 do
      start(function()
        runtime:sleep(1)
        resumed, loop.now = resumed + 1, loop.now + 0.001
      end)
    end
    loop.now = 1
    runtime:update(0)
    assert.equal(1, resumed)
    runtime:update(0.0025) -- a third would end after 3 ms
    assert.equal(3, resumed)
    runtime:update(1)
    assert.equal(10, resumed)
  end)

  it("gives a queue that does not drain more and more time", function()
    local resumed = 0
    for _ = 1, 200 do
      start(function()
        runtime:sleep(1)
        resumed, loop.now = resumed + 1, loop.now + 0.001
      end)
    end
    loop.now = 1
    for _ = 1, 4 do
      runtime:update(0.0015)
    end
    assert.equal(4, resumed)
    for _ = 1, 60 do
      runtime:update(0.0015)
    end
    assert.is_true(resumed > 150)
  end)

  it("lets timers and answers take turns", function()
    local resumed = {}
    local function note(what) resumed[#resumed + 1] = what end
    for _ = 1, 3 do
      start(function() runtime:request { url = "u" } note "answer" end)
      start(function() runtime:sleep(1) note "timer" end)
    end
    for number = 1, 3 do
      answer(number, {})
    end
    loop.now = 1
    for _ = 1, 4 do
      runtime:update(0)
    end
    assert.equal(4, #resumed)
    local timers = 0
    for _, what in ipairs(resumed) do
      timers = timers + (what == "timer" and 1 or 0)
    end
    assert.equal(2, timers)
  end)

  it("is nothing where an operation calls it", function()
    local handle = start(function()
      runtime:sleep(1)
      runtime:update(1)
      return "ok"
    end)
    pass(1)
    assert.equal("ok", handle.result)
  end)
end)

describe("a listener of a request", function()
  it("is told of the answer once and of the progress, from update", function()
    local seen = {}
    start(function()
      runtime:request {
        url = "u",
        on_answer = function(status) seen[#seen + 1] = status end,
        on_progress = function(received) seen[#seen + 1] = received end,
      }
    end)
    ticket(1).received = 5
    pass(0.11)
    ticket(1).status, ticket(1).headers = 206, {}
    pass(0.11)
    ticket(1).received = 9
    pass(0.05)
    assert.same({ 5, 206, 5 }, seen)
    pass(0.06)
    assert.same({ 5, 206, 5, 9 }, seen)
    ticket(1).received = 12
    answer(1, { status = 206 })
    pass()
    pass(1)
    assert.same({ 5, 206, 5, 9, 12 }, seen)
  end)

  it("ends its operation where it raises, and nothing else", function()
    local handle = start(function()
      runtime:request { url = "u", on_progress = function()
        error("full", 0)
      end }
    end)
    local other = start(function() runtime:sleep(1) return "fine" end)
    pass(0.11)
    assert.equal("full", handle.err)
    assert.is_true(ticket(1).cancelled)
    pass(1)
    assert.equal("fine", other.result)
  end)
end)

describe("a handle", function()
  it("calls its listeners once, and those that are added late at once",
    function()
      local told = {}
      local handle = start(function() runtime:sleep(1) return 1 end)
      handle:on_done(function(it) told[#told + 1] = it.result end)
      pass(1)
      pass(1)
      handle:on_done(function(it) told[#told + 1] = it.result + 1 end)
      assert.same({ 1, 2 }, told)
    end)

  it("keeps what a listener raises from the loop", function()
    local handle = start(function() runtime:sleep(1) end)
    local told = false
    handle:on_done(function() error("mine", 0) end)
    handle:on_done(function() told = true end)
    pass(1)
    assert.is_true(told)
    assert.equal("mine", handle.listener_error)
  end)
end)

describe("a loop that is closed", function()
  it("ends what is under way, and the engine", function()
    local asleep = start(function() return runtime:sleep(60) end)
    local asking = start(function() return runtime:request { url = "u" } end)
    runtime:close()
    assert.equal("cancelled", asleep.err)
    assert.equal("cancelled", asking.err.reason)
    assert.is_true(made[1].closed)
  end)

  it("waits for the answer to an order on the wire", function()
    local handle = start(function()
      return runtime:request { url = "u", finish = true }
    end)
    local looks = 0
    runtime.inline.pause = function()
      looks = looks + 1
      if looks == 3 then
        answer(1, { status = 200 })
      end
    end
    runtime:close()
    assert.equal(200, handle.result.status)
  end)

  it("refuses what is begun after that", function()
    local handle = start(function()
      runtime:sleep(60)
      return runtime:request { url = "u" }
    end)
    runtime:close()
    assert.equal("cancelled", handle.err.reason)
    assert.is_nil(ticket(1))
  end)
end)
