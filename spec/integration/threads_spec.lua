-- Drivers in many threads at the same time, watched by ThreadSanitizer.

local hammer = require "spec.threads.hammer"
local shell = require "starvideos.sandbox.shell"

describe("drivers and Lua states in several threads", function()
  it("never touch anything at the same time", function()
    assert(shell.run "MAKEFLAGS= make -s hammer")
    local ok, output = hammer(3)
    assert.is_true(ok, output)
    assert.is_true(tonumber(output:match "(%d+) tickets ended") > 1000)
  end)
end)
