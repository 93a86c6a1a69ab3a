--- Drivers on several threads, in Lua states of their own; spec/threads has the
-- program, in which ThreadSanitizer sees every access.

local interpreter = require "spec.fixtures.interpreter"
local shell = require "starvideos.nginx.shell"

local SECONDS = 3

describe("drivers on several threads", function()
  it("touch nothing at the same time, and lose no ticket", function()
    local output = shell.read(("{ MAKEFLAGS= make -s threads LUA=%s && %s"
      .. " spec/threads/run.lua build/threads/%s %d; } 2>&1; echo $?")
      :format(interpreter, interpreter, interpreter, SECONDS))
    local ended, status = output:match "(%d+)\n(%d+)$"
    assert(status == "0", output)
    assert.is_true(tonumber(ended) > 100)
  end)
end)
