-- What went wrong once in the runtimes of hosts with a loop of their own: each
-- spec is named after it.

local block = require "starvideos.runtime.block"
local driver_stub = require "spec.fixtures.driver"
local frame = require "starvideos.runtime.frame"
local handles = require "starvideos.handle"

local now, made, restore, runtime

before_each(function()
  now = 0
  made, restore = driver_stub.install()
  runtime = frame.new { clock = function() return now end }
  runtime.inline.pause = function() error("closing hangs", 0) end
end)
after_each(function() restore() end)

local function start(body)
  return handles.start(runtime, body)
end

local function pass(seconds)
  now = now + (seconds or 0)
  runtime:update(math.huge)
end

local function answer(number, ...)
  made[1].finish(made[1].tickets[number], ...)
end

local function fail() error("mine", 0) end

describe("an order on the wire", function()
  local ORDER = { url = "u", finish = true }

  it("was given up where a gathering before it had failed at once", function()
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

  it("was given up where another gathering had begun after a failed one",
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

  it("left one who closed it from within a gathering waiting", function()
    local handle = start(function()
      runtime:gather {
        function() runtime:sleep(1) close() end,
        function() runtime:sleep(60) end,
      }
      return "through"
    end)
    now = 1
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
  it("was suspended for ever where it yielded by itself", function()
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
    assert.equal("it raised nil", handle.err)
  end)
end)

describe("a handle", function()
  it("took for a listener what is none", function()
    local handle = start(function() runtime:sleep(1) end)
    assert.has_error(function() handle:on_done(nil) end,
      "on_done takes a function, not a nil")
  end)
end)

describe("who adds to a gathering what raises at once", function()
  it("went on, and slept on the calling thread of a script", function()
    local script = block.new {
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds end,
    }
    local ok, raised = pcall(script.gather, script, { function(also)
      script:sleep(1)
      also(fail)
      script:sleep(1000)
      error("it went on", 0)
    end })
    assert.same({ false, "mine", 1 }, { ok, raised, now })
  end)
end)
