-- A thread with a Lua state of its own that answers messages.

local actors = require "spec.fixtures.actors"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"

local ask, finish = actors.ask, actors.finish

-- Far above what anything here takes that does not wait.
local AT_ONCE = 2

describe("an actor", function()
  local actor, folder

  local function start(...)
    actor = actors.new(...)
    return actor
  end

  setup(function()
    folder = files.folder()
  end)
  teardown(function()
    files.remove(folder)
  end)
  after_each(function()
    actor:close()
  end)

  local function at_a_pipe(...)
    local pipe = actors.pipe(folder)
    finally(function() os.remove(pipe) end)
    local message = assert(start(...):post(false, "stick", pipe, "late"))
    actors.await_busy(actor)
    return pipe, message
  end

  it("answers what it is asked, as plain data", function()
    start()
    assert.same({ "a\0b", 1.5, true, false, nil, 7 },
      { ask(actor, "echo", "a\0b", 1.5, true, false, nil, 7) })
    assert.equal(4, select("#", ask(actor, "echo", nil, 1, nil, nil)))
    local data = { 1, { "x", { key = "take", [2.5] = false } }, [""] = 2 ^ 53 }
    assert.same(data, (ask(actor, "echo", data)))
  end)

  it("tells whole numbers from floats where Lua does", function()
    local before = { 1, 1.0, 2 ^ 62 }
    local after = ask(start(), "echo", before)
    for index, number in ipairs(before) do
      assert.equal(tostring(number), tostring(after[index]))
    end
  end)

  it("is told what it is to be by its setup", function()
    assert.same({ path = "x", list = { 1, 2 } },
      (ask(start { path = "x", list = { 1, 2 } }, "setup")))
  end)

  it("takes nothing but plain data, and no tables within tables for ever",
    function()
      start()
      for _, value in ipairs { print, coroutine.create(function() end), io.stdout } do
        assert.has_error(function() actor:post(false, value) end,
          "a message holds no " .. type(value))
      end
      local round = {}
      round.round = round
      assert.has_error(function() actor:post(false, round) end,
        "a message holds no tables this deep")
      assert.equal("fine", (ask(actor, "echo", "fine")))
    end)

  it("says what was raised, and what it cannot answer", function()
    start()
    assert.has_error(function() ask(actor, "raise", "no such order") end,
      "no such order")
    assert.has_error(function() ask(actor, "raise", { "a table" }) end,
      "raised what is no text")
    assert.has_error(function() ask(actor, "closure") end,
      "a message holds no function")
    assert.equal("fine", (ask(actor, "echo", "fine")))
  end)

  it("that cannot begin says why, each time", function()
    for source, why in pairs {
      ["error('nothing there', 0)"] = "nothing there",
      ["return +"] = "actor:1:",
    } do
      start({}, source)
      for _ = 1, 2 do
        local ok, said = pcall(ask, actor, "echo")
        assert.is_false(ok)
        assert.truthy(said:find(why, 1, true), said)
      end
      actor:close()
    end
  end)

  it("answers one message after another, by its number", function()
    start()
    local messages, numbers = {}, {}
    for index = 1, 20 do
      local message, number = actor:post(false, "note", index)
      messages[number] = message
    end
    assert.equal(20, actor:in_flight())
    while #numbers < 20 do
      actor:wait(1)
      numbers[#numbers + 1] = actor:take()
    end
    assert.equal(0, actor:in_flight())
    for index, number in ipairs(numbers) do
      assert.same({ true, index }, { messages[number]:result() })
    end
  end)

  it("has a descriptor that is readable when there is an answer", function()
    local message = assert(start():post(false, "echo", 1))
    assert.is_number(actor:pollfd())
    assert.same({ true, 1 }, { finish(actor, message) })
  end)

  it("has a state that knows nothing of ours", function()
    local source = [[
      local answer = function() return rawget(_G, "spoilt"), package.path end
      return answer, answer, answer, answer]]
    rawset(_G, "spoilt", true)
    finally(function() rawset(_G, "spoilt", nil) end)
    assert.is_nil((ask(start({}, source))))
  end)

  it("rests between messages, as often as it likes", function()
    start { pause = 0.001 }
    local give_up, seen = core.now() + 10, {}
    ask(actor, "note", "first")
    while #seen < 4 and core.now() < give_up do
      seen = ask(actor, "seen")
      actor:wait(0.002)
    end
    assert.same({ "first", "rest", "rest" }, { seen[1], seen[2], seen[3] })
  end)

  describe("that is stuck", function()
    it("keeps what comes after it waiting, and says for how long", function()
      local pipe, message = at_a_pipe()
      local next_one = actor:post(false, "echo", "next")
      actor:wait(0.02)
      assert.is_false(message:done() or next_one:done())
      assert.is_true(actor:busy_seconds() >= 0.02)
      actors.release(pipe)
      assert.same({ true, "late" }, { finish(actor, message) })
      assert.same({ true, "next" }, { finish(actor, next_one) })
      assert.equal(0, actor:busy_seconds())
    end)

    it("is not cut while it is in no hurry", function()
      local pipe, path = actors.pipe(folder), folder .. "/unhurried"
      finally(function() os.remove(pipe) os.remove(path) end)
      local message = start({}, [[
        local core = require "starvideos.core"
        return function(path, pipe)
          core.heartbeat(60)
          io.open(path, "w"):close()
          io.open(pipe, "r"):close()
        end, print, function() end, function() end]]):post(false, path, pipe)
      repeat
        actor:wait(0.005)
        local file = io.open(path)
      until file and file:close()
      assert.is_false(actor:disconnect(0.001))
      actors.release(pipe)
      finish(actor, message)
    end)

    it("undoes what nobody waited for, before anything else", function()
      local pipe, message = at_a_pipe()
      local next_one = actor:post(false, "seen")
      assert.is_true(message:give_up())
      assert.same({ false, "given up" }, { message:result() })
      assert.equal(1, actor:in_flight())
      actors.release(pipe)
      assert.same({ true, { "late", "not late" } },
        { finish(actor, next_one) })
    end)

    it("undoes nothing that was heard", function()
      local pipe, message = at_a_pipe()
      actors.release(pipe)
      finish(actor, message)
      assert.is_false(message:give_up())
      assert.same({ "late" }, (ask(actor, "seen")))
    end)

    it("never begins what was given up meanwhile, unless it is kept",
      function()
        local pipe, message = at_a_pipe()
        local lost = actor:post(false, "note", "lost")
        local kept = actor:post(true, "note", "kept")
        assert.is_true(lost:give_up() and kept:give_up())
        actors.release(pipe)
        finish(actor, message)
        assert.same({ "late", "kept" }, (ask(actor, "seen")))
      end)

    it("is given up where its message is dropped", function()
      local pipe = at_a_pipe()
      collectgarbage()
      collectgarbage()
      actors.release(pipe)
      assert.same({ "late", "not late" }, (ask(actor, "seen")))
    end)

    it("is not waited for at the end", function()
      local pipe, message = at_a_pipe()
      local began = core.now()
      actor:close(0.05)
      assert.is_true(core.now() - began < AT_ONCE)
      assert.same({ false, "given up" }, { message:result() })
      actors.release(pipe) -- the thread ends then, and touches nothing of ours
    end)
  end)

  it("does what is kept before it goes", function()
    local path = folder .. "/kept"
    start({}, [[return function(path) io.open(path, "w"):close() end,
      print, function() end, print]])
    actor:post(true, path)
    actor:close(10)
    assert.is_true(os.remove(path))
  end)

  it("is told that it is to leave", function()
    local path = folder .. "/left"
    ask(start { left = path }, "echo")
    actor:close()
    assert.is_true(os.remove(path))
  end)

  -- A socket that has it is shut down, and no connection of the host's may be.
  it("marks no connection with what a host may have chosen for its own",
    function()
      local seen = {}
      for _ = 1, 20 do
        local mark = core.socket_mark()
        assert.is_true(mark % 10 ~= 0 and mark >= 15000 and mark < 35001)
        assert.is_nil(seen[mark])
        seen[mark] = true
      end
    end)

  it("that was closed is not to be used", function()
    start():close()
    actor:close()
    assert.has_error(function() actor:post(false) end,
      "attempt to use a closed actor")
  end)
end)
