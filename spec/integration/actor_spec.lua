-- Actors and what happens to their process: threads, signals, forks, exits.

local actors = require "spec.fixtures.actors"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

local ask, finish = actors.ask, actors.finish

local AT_ONCE = 2

-- Ends while its actor is stuck; "close" closes the Lua state first.
local PROGRAM = [[
local actors = require "spec.fixtures.actors"
local actor = actors.new()
actor:post(false, "stick", arg[1], "late")
actors.await_busy(actor)
os.exit(7, arg[2] == "close")
]]

local function threads()
  return tonumber(shell.read(("ls /proc/%d/task | wc -l"):format(
    core.process_id())))
end

describe("an actor", function()
  local actor, folder

  before_each(function()
    folder = files.folder()
    actor = actors.new()
  end)
  after_each(function()
    actor:close()
    files.remove(folder)
  end)

  local function stick()
    local pipe = actors.pipe(folder)
    local message = assert(actor:post(false, "stick", pipe, "late"))
    actors.await_busy(actor)
    return pipe, message
  end

  it("has no thread before its first message, nor after its end", function()
    local before = threads()
    actors.new():close()
    assert.equal(before, threads())
    ask(actor, "echo")
    assert.equal(before + 1, threads())
    actor:close()
    assert.equal(before, threads())
  end)

  it("gets no signals, and wakes who waits for it when one comes", function()
    local pipe, message = stick()
    actor:clear()
    local start = core.now()
    process.alarm(0.05)
    actor:wait(30)
    assert.is_true(core.now() - start < AT_ONCE)
    actors.release(pipe)
    assert.same({ true, "late" }, { finish(actor, message) })
  end)

  it("answers a child with a thread of its own", function()
    assert.equal(core.process_id(), (ask(actor, "process")))
    assert.is_true(process.in_child(function()
      return ask(actor, "process") == core.process_id()
    end))
    assert.equal(core.process_id(), (ask(actor, "process")))
  end)

  it("is not waited for by a fork for long, and lost in the child", function()
    local pipe, message = stick()
    local start = core.now()
    assert.is_true(process.in_child(function()
      local ok, why = finish(actor, message)
      return not ok and why == "lost in a fork" and ask(actor, "echo", 1) == 1
    end))
    assert.is_true(core.now() - start < AT_ONCE)
    actors.release(pipe)
    assert.same({ true, "late" }, { finish(actor, message) })
  end)

  it("finishes before a fork happens", function()
    local pipe, message = stick()
    shell.run(("(sleep 0.1; : >%s) >/dev/null 2>&1 &"):format(pipe))
    assert.is_true(process.in_child(function()
      return select(2, message:result()) == "late"
    end))
  end)

  -- Whatever was written there, nobody would read it.
  it("that shares an notifier wakes nobody in the parent of who looks", function()
    local driver = curl.network()
    actor:close()
    actor = actors.new(nil, nil, driver:notifier())
    local pipe, message = stick()
    assert.is_true(process.in_child(function()
      return actor:ready() and message:done()
        and process.readable(driver:pollfd()) and not driver:ready()
        and process.readable(driver:pollfd())
    end))
    assert.is_false(process.readable(driver:pollfd()))
    files.write(pipe, "")
    assert.same({ true, "late" }, { finish(actor, message) })
    driver:close()
  end)

  it("that is stuck keeps nothing from ending", function()
    local pipe, program = actors.pipe(folder), folder .. "/program.lua"
    files.write(program, PROGRAM)
    for _, way in ipairs { "exit", "close" } do
      local start = core.now()
      assert.equal("7", shell.read(("timeout 60 %s %s %s %s 2>&1; echo $?")
        :format(interpreter, program, pipe, way)))
      assert.is_true(core.now() - start < 10)
    end
  end)
end)
