-- Clerks and what happens to their process: threads, signals, forks, exits.

local clerks = require "spec.fixtures.clerks"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local process = require "spec.fixtures.process"
local shell = require "starvideos.sandbox.shell"

local ask, finish = clerks.ask, clerks.finish

local LUA = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")

local AT_ONCE = 2

-- Ends while its clerk is stuck; "close" closes the Lua state first.
local PROGRAM = [[
local clerks = require "spec.fixtures.clerks"
local clerk = clerks.new()
clerk:post(false, "stick", arg[1], "late")
clerks.await_busy(clerk)
os.exit(7, arg[2] == "close")
]]

local function threads()
  return tonumber(shell.read(("ls /proc/%d/task | wc -l"):format(
    core.process_id())))
end

describe("a clerk", function()
  local clerk, folder

  before_each(function()
    folder = shell.read 'mktemp -d "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX"'
    clerk = clerks.new()
  end)
  after_each(function()
    clerk:close()
    shell.run("rm -rf -- " .. folder)
  end)

  local function stick()
    local pipe = clerks.pipe(folder)
    local letter = assert(clerk:post(false, "stick", pipe, "late"))
    clerks.await_busy(clerk)
    return pipe, letter
  end

  local function in_child(body)
    local child = process.fork()
    if child == 0 then
      local ok, fine = pcall(body)
      process.leave(ok and fine)
    end
    return process.await(child)
  end

  it("has no thread before its first letter, nor after its end", function()
    local before = threads()
    clerks.new():close()
    assert.equal(before, threads())
    ask(clerk, "echo")
    assert.equal(before + 1, threads())
    clerk:close()
    assert.equal(before, threads())
  end)

  it("gets no signals, and wakes who waits for it when one comes", function()
    local pipe, letter = stick()
    clerk:calm()
    local start = core.now()
    process.alarm(0.05)
    clerk:wait(30)
    assert.is_true(core.now() - start < AT_ONCE)
    clerks.release(pipe)
    assert.same({ true, "late" }, { finish(clerk, letter) })
  end)

  it("answers a child with a thread of its own", function()
    assert.equal(core.process_id(), (ask(clerk, "process")))
    assert.is_true(in_child(function()
      return ask(clerk, "process") == core.process_id()
    end))
    assert.equal(core.process_id(), (ask(clerk, "process")))
  end)

  it("is not waited for by a fork for long, and lost in the child", function()
    local pipe, letter = stick()
    local start = core.now()
    assert.is_true(in_child(function()
      local ok, why = finish(clerk, letter)
      return not ok and why == "lost in a fork" and ask(clerk, "echo", 1) == 1
    end))
    assert.is_true(core.now() - start < AT_ONCE)
    clerks.release(pipe)
    assert.same({ true, "late" }, { finish(clerk, letter) })
  end)

  it("is let finish before a fork comes about", function()
    local pipe, letter = stick()
    shell.run(("(sleep 0.1; : >%s) >/dev/null 2>&1 &"):format(pipe))
    assert.is_true(in_child(function()
      return select(2, letter:result()) == "late"
    end))
  end)

  -- Whatever was written there, nobody would read it.
  it("that shares an alarm wakes nobody in the parent of who looks", function()
    local driver = curl.driver()
    clerk:close()
    clerk = clerks.new(nil, nil, driver:alarm())
    local pipe, letter = stick()
    assert.is_true(in_child(function()
      return clerk:ready() and letter:done()
        and process.readable(driver:pollfd()) and not driver:ready()
        and process.readable(driver:pollfd())
    end))
    assert.is_false(process.readable(driver:pollfd()))
    files.write(pipe, "")
    assert.same({ true, "late" }, { finish(clerk, letter) })
    driver:close()
  end)

  it("that is stuck keeps nothing from ending", function()
    local pipe, program = clerks.pipe(folder), folder .. "/program.lua"
    files.write(program, PROGRAM)
    for _, way in ipairs { "exit", "close" } do
      local start = core.now()
      assert.equal("7", shell.read(("timeout 60 %s %s %s %s 2>&1; echo $?")
        :format(LUA, program, pipe, way)))
      assert.is_true(core.now() - start < 10)
    end
  end)
end)
