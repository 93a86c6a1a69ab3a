-- The library inside the loop of luv.

local behaviour = require "spec.hosts.loop_behaviour"
local interpreter = require "spec.fixtures.interpreter"
local shell = require "starvideos.nginx.shell"

-- A program in which a coroutine fails after it has waited.
local FAILING = [[
  local client = assert(require("starvideos").new { api_key = "key",
    base_url = "http://127.0.0.1:1", runtime = "poll" })
  local await = require("starvideos.loop.luv")(client)
  coroutine.wrap(function()
    local _, err = await(function() return client:query("video_1") end)
    error("unexpected " .. err.kind)
  end)()
  require("luv").run()]]

-- A program that ends right after it has closed its client.
local ENDING = [[
  local client = assert(require("starvideos").new { api_key = "key",
    runtime = "poll" })
  require("starvideos.loop.luv")(client)
  require("luv").run()
  client:close()]]

local function run(program)
  return shell.read(shell.fill("@lua@ -e @program@ 2>&1; echo exit=$?",
    { lua = interpreter, program = program }))
end

describe("inside luv", function()
  behaviour "luv"

  it("tells of a coroutine that failed after it had waited", function()
    local output = run(FAILING)
    assert.matches("Uncaught Error: .*unexpected network", output)
    assert.not_matches("exit=0", output)
  end)

  it("lets a Lua state end right after its client", function()
    assert.equal("exit=0", run(ENDING))
  end)
end)
