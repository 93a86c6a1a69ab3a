-- Processes that cannot see each other, with clocks that differ, on one ledger:
-- no order is taken for lost while its process lives, and none bought twice.

local postgres = require "spec.fixtures.postgres"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local YEAR = 365 * 86400

-- Each in a PID namespace of its own, as in a container.
local APART = "unshare --pid --fork --mount-proc --kill-child "

if not shell.run(APART .. "true 2>/dev/null") then
  print "skipped: unshare may make no PID namespace here"
  return
end

local function ahead(seconds)
  return APART .. ("env AHEAD=%d "):format(seconds)
end

local function behave(new_address)
  local world

  before_each(function()
    world = worlds.new(new_address())
  end)

  after_each(function()
    world:close()
  end)

  for _, seconds in ipairs { 0, -130, 130, -YEAR, YEAR } do
    it("leave an order to its sender, whose clock is ahead by " .. seconds,
      function()
        world:start("linger kite", ahead(seconds))
        world:await "sending"
        local client = world:client { sleep = function(pause)
          world.now = world.now + pause
          world:continue()
          return true
        end }
        local order = assert(client:pending())[1]
        assert.equal("submitting", order.state)
        for _, force in ipairs { false, true } do
          local _, err = client:dismiss("kite", { force = force })
          assert.equal("validation", err.kind)
        end
        local task = assert(client:create(world.params(), { key = "kite" }))
        assert.equal("task-of-a-child", task.id)
        assert.equal(0, world:sent())
        assert.equal("x\n", world:read "posts")
      end)
  end

  it("call it unknown once its sender was killed and its lease is over, and"
    .. " take its answer in nevertheless", function()
    world:start("linger kite", ahead(YEAR))
    world:await "sending"
    local ledger = require("starvideos.context").of(world:client()).ledger
    local row = assert(ledger:pending(1))[1]
    assert.equal("submitting", row.state)
    world:kill()
    local client = world:client()
    assert.equal("submitting", assert(client:pending())[1].state)
    world:run "UPDATE starvideos_orders SET lease_began = lease_began - 200"
    local _, err = client:create(world.params(), { key = "kite" })
    assert.equal("outcome_unknown", err.kind)
    assert.equal(0, world:sent())
    assert(ledger:resolve(row, "accepted", { task_id = "task-late" }))
    assert.equal("task-late",
      assert(client:create(world.params(), { key = "kite" })).id)
  end)

  it("buy an order once where all ask for it at the same instant", function()
    local shifts, commands = { 0, 130, -130, YEAR, -YEAR }, {}
    for index, seconds in ipairs(shifts) do
      commands[index] = ahead(seconds) .. world:command "rush kite"
        .. " 2>&1 &"
    end
    commands[#commands + 1] = shell.fill("for look in $(seq 1000); do"
      .. " [ $(cat @ready@ 2>&- | wc -l) -lt @count@ ] || break;"
      .. " sleep 0.01; done; : >@go@; wait", { count = #shifts,
        ready = world.folder .. "/ready", go = world.folder .. "/go" })
    local output = shell.read(table.concat(commands, "\n"))
    assert.equal(("task-of-a-child\n"):rep(#shifts), output .. "\n")
    assert.equal("x\n", world:read "posts")
    assert.same({ "accepted" }, world:states())
  end)
end

describe("processes in PID namespaces of their own, on a file", function()
  behave(function()
    return nil
  end)
end)

describe("processes in PID namespaces of their own, on a server", function()
  local server

  setup(function()
    server = postgres.start()
  end)

  teardown(function()
    assert.is_true(server:stop())
  end)

  behave(function()
    server:empty()
    return server.url
  end)
end)
