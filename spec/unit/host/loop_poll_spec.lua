-- The runtime of event loops, over an engine that the spec drives.

local drivers = require "spec.fixtures.driver"
local poll = require("starvideos.host.loop").poll

local loop, runtime, made, start, pass, answer

before_each(function()
  loop = drivers.loop(poll)
  runtime, made = loop.runtime, loop.made
  start, pass, answer = loop.start, loop.pass, loop.answer
end)
after_each(function() loop.restore() end)

describe("a loop that is polled", function()
  it("needs no update while nothing is to be expected", function()
    assert.is_nil(runtime:timeout())
  end)

  it("tells when the next sleeper is due", function()
    start(function() runtime:sleep(30) end)
    start(function() runtime:sleep(10) end)
    assert.equal(10, runtime:timeout())
    loop.now = 4
    assert.equal(6, runtime:timeout())
    loop.now = 11
    assert.equal(0, runtime:timeout())
  end)

  it("needs an update at once while something is left", function()
    for _ = 1, 2 do
      start(function() runtime:request { url = "u" } end)
    end
    answer(1, {})
    answer(2, {})
    runtime:update(0)
    assert.equal(0, runtime:timeout())
    runtime:update(0)
    assert.is_nil(runtime:timeout())
  end)

  it("forgets the time of a sleeper that was cancelled", function()
    local handle = start(function() runtime:sleep(10) end)
    handle:cancel()
    assert.equal(0, runtime:timeout())
    pass()
    assert.is_nil(runtime:timeout())
  end)

  it("needs an update a second while a request is under way, were its wake lost",
    function()
      start(function() runtime:request { url = "u" } end)
      assert.equal(1, runtime:timeout())
      start(function() runtime:sleep(0.5) end)
      assert.equal(0.5, runtime:timeout())
      answer(1, {})
      pass(1)
      assert.is_nil(runtime:timeout())
    end)

  it("needs ten updates a second while a request has listeners",
    function()
      start(function()
        runtime:request { url = "u", on_progress = function() end }
      end)
      assert.equal(0.1, runtime:timeout())
    end)

  it("wakes its host where work comes from outside of update", function()
    assert.equal(7, runtime:pollfd())
    start(function()
      runtime:sleep(10)
      start(function() runtime:sleep(1) end)
    end)
    assert.equal(1, made[1].wakes)
    pass(10)
    assert.equal(1, made[1].wakes)
    assert.equal(1, made[1].clears)
    local handle = start(function() runtime:sleep(10) end)
    handle:cancel()
    assert.equal(3, made[1].wakes)
  end)

  it("wakes the loop it is attached to for what that cannot see", function()
    local told = {}
    runtime:attach {
      wake = function() told[#told + 1] = "wake" end,
      stop = function()
        assert.is_nil(made[1].closed)
        told[#told + 1] = "stop"
      end,
    }
    assert.is_false(runtime:is_busy())
    start(function() runtime:sleep(10) end)
    assert.is_true(runtime:is_busy())
    runtime:close()
    assert.equal("wake", told[1])
    assert.equal("stop", told[#told])
    assert.is_false(runtime:is_busy())
    assert.is_true(made[1].closed)
  end)
end)
