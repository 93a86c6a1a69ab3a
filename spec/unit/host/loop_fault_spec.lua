-- What went wrong once in the runtimes of hosts with a loop of their own: each
-- spec is named after it.

local block = require "starvideos.host.block"
local drivers = require "spec.fixtures.driver"
local frame = require("starvideos.host.loop").frame

local loop, runtime, made, start, pass, answer

before_each(function()
  loop = drivers.loop(frame)
  runtime, made = loop.runtime, loop.made
  start, pass, answer = loop.start, loop.pass, loop.answer
  runtime.inline.pause = function() error("closing hangs", 0) end
end)
after_each(function() loop.restore() end)

local function fail() error("mine", 0) end

describe("an order on the wire", function()
  local ORDER = { url = "u", finish = true }

  it("was cancelled where a gather before it had failed at once", function()
    local handle = start(function()
      pcall(runtime.gather, runtime, { fail })
      return runtime:request(ORDER)
    end)
    pass()
    assert.is_false(handle.done)
    answer(1, { status = 200 })
    pass()
    assert.equal(200, handle.result.status)
  end)

  it("was cancelled where another gather had begun after a failed one",
    function()
      local handle = start(function()
        pcall(runtime.gather, runtime, { fail })
        local status
        runtime:gather { function()
          status = runtime:request(ORDER).status
        end }
        return status
      end)
      pass()
      assert.is_false(handle.done)
      answer(1, { status = 200 })
      pass()
      pass()
      assert.equal(200, handle.result)
    end)

  it("was sent where its answer could not be waited for", function()
    local ok, message
    local handle = start(function()
      local function order()
        runtime:check "create"
        return runtime:request(ORDER)
      end
      ok, message = pcall(string.gsub, "x", "x", order)
      return runtime:sleep(1)
    end)
    assert.is_false(ok)
    assert.truthy(message:find "cannot wait here, and nothing was sent")
    assert.same({}, made[1].tickets)
    pass(0.5)
    assert.is_false(handle.done)
    pass(0.5)
    assert.is_true(handle.result)
  end)
end)

describe("a runtime that is closed", function()
  local function close() runtime:close() end

  it("hung where the last progress of a request closed it", function()
    local handle = start(function()
      return runtime:request { url = "u", on_progress = close }
    end)
    answer(1, { status = 200 })
    pass()
    assert.equal(200, handle.result.status)
    assert.is_true(made[1].closed)
  end)

  it("left an operation waiting that closed it from within a gather", function()
    local handle = start(function()
      runtime:gather {
        function() runtime:sleep(1) close() end,
        function() runtime:sleep(60) end,
      }
      return "through"
    end)
    loop.now = 1
    runtime:update(0)
    assert.equal("through", handle.result)
  end)

  it("made another engine for the disk", function()
    start(function()
      close()
      runtime:disk_later("remove", "a.part")
      runtime:disk("size", "a.part")
    end)
    assert.equal(1, #made)
  end)

  it("did jobs on the disk before those that were under way", function()
    start(function()
      runtime:disk_later("write", "a.part.json", "{}", "wb")
      runtime:sleep(60)
      runtime:disk("remove", "a.part.json")
    end)
    runtime.inline.pause = function()
      answer(made[1].count, true)
    end
    close()
    assert.same({ "remove", "a.part.json" }, made[1].tickets[2].what)
  end)
end)

describe("an operation", function()
  it("was suspended for ever where its own code yielded", function()
    local thread
    local handle = start(function()
      thread = coroutine.running()
      coroutine.yield()
      return runtime:sleep(1)
    end)
    assert.is_true(handle.done)
    assert.truthy(handle.err:find "only calls of the client can wait")
    local ok = coroutine.resume(thread)
    assert.is_false(ok) -- it is none of the runtime's any more
  end)

  it("was done without an error where it had raised nil", function()
    local handle = start(function() error(nil, 0) end)
    assert.is_true(handle.done)
    assert.equal(_VERSION == "Lua 5.5" and "<no error object>"
      or "it raised nil", handle.err)
  end)
end)

describe("a handle", function()
  it("took anything for a listener", function()
    local handle = start(function() runtime:sleep(1) end)
    assert.has_error(function() handle:on_done(nil) end,
      "on_done takes a function, not a nil")
  end)
end)

describe("an operation that adds to a gather what raises at once", function()
  it("went on, and slept on the calling thread of a script", function()
    local script = block.new {
      clock = function() return loop.now end,
      sleep = function(seconds) loop.now = loop.now + seconds end,
    }
    local ok, raised = pcall(script.gather, script, { function(also)
      script:sleep(1)
      also(fail)
      script:sleep(1000)
      error("it went on", 0)
    end })
    assert.same({ false, "mine", 1 }, { ok, raised, loop.now })
  end)
end)
