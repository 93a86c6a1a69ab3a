-- Who holds an order that is being sent, whatever the clocks read: specs to
-- be run over each database.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local ledgers = require "starvideos.ledger"
local owner = require "starvideos.ledger.owner"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local YEAR = 365 * 86400

local leases = worlds.behaviour("an order that is being sent", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
    assert(client:create(world.params(), { key = "kite" }))
  end)

  -- A process that cannot be seen has been sending it for so many seconds.
  local function sent_elsewhere(ago, state)
    world:take_over(100, -ago)
    world:run("UPDATE starvideos_orders SET task_id = NULL, state = ?",
      state or "submitting")
  end

  -- A ledger whose clocks are that much ahead.
  local function shifted(wall, boot, run)
    local ledger = ledgers.new { address = world.address, timeout = 40,
      clock = function() return core.time() + wall end,
      boottime = function() return core.boottime() + boot end,
      random = math.random }
    run(ledger)
    ledger:close()
  end

  for _, ahead in ipairs { -YEAR, -130, 130, YEAR } do
    it("stays with its sender for a reader whose clock is ahead by " .. ahead,
      function()
        sent_elsewhere(50)
        shifted(ahead, 0, function(ledger)
          assert.equal("submitting", assert(ledger:pending(10))[1].state)
          for _, force in ipairs { false, true } do
            local row, err = ledger:dismiss("kite", { force = force })
            assert.is_nil(row)
            assert.equal("validation", err.kind)
          end
        end)
      end)

    it("is unknown after the lease, where the reader's is ahead by " .. ahead,
      function()
        sent_elsewhere(101)
        shifted(ahead, 0, function(ledger)
          assert.equal("unknown", assert(ledger:pending(10))[1].state)
          assert.equal("abandoned", assert(ledger:dismiss "kite").state)
        end)
      end)
  end

  it("is not sent by a reader that finds it unknown, nor ever under its take", function()
    sent_elsewhere(101)
    assert.equal("outcome_unknown",
      select(2, client:create(world.params(), { key = "kite" })).kind)
    assert.equal(1, world:sent "POST")
  end)

  it("may be sent by another once its lease is over, and then by no third",
    function()
      shifted(0, 0, function(ledger)
        local holder = {}
        local _, row = ledger:begin({ key = "ship", take = 1, params = "{}",
          base_url = "here" }, holder)
        row = assert(ledger:renew(row))
        ledger:release(row)
        world:run "UPDATE starvideos_orders SET lease = 0 WHERE order_key = 'ship'"
        world:run("UPDATE starvideos_orders SET owner = ? WHERE order_key = 'ship'",
          (owner.current():gsub("%S+$", "another")))
        assert(client:create(world.params(), { key = "ship" }))
        local sent, err = ledger:submitting(row)
        assert.is_nil(sent)
        assert.equal("ledger", err.kind)
        assert.is_nil((ledger:renew(row)))
      end)
      assert.equal(2, world:sent "POST")
    end)

  describe("whose sender is seen to run", function()
    -- This process, as another; its lease began so many seconds ago.
    local function sent_by_parent(ago)
      sent_elsewhere(ago)
      local pid = io.open("/proc/self/stat"):read("*l"):match("%) %S (%d+)")
      local start = io.open("/proc/" .. pid .. "/stat"):read("*l")
        :match("%) %S" .. (" %S+"):rep(18) .. " (%d+)")
      local words = {}
      for word in owner.current():gmatch "%S+" do
        words[#words + 1] = word
      end
      words[5], words[6] = pid, start
      world:run("UPDATE starvideos_orders SET owner = ?",
        table.concat(words, " "))
    end

    it("stays with its sender after its lease, too", function()
      sent_by_parent(1000)
      assert.equal("submitting", assert(client:pending())[1].state)
      assert.equal("validation", select(2, client:dismiss "kite").kind)
    end)

    it("is dismissed by force after its lease, and not before", function()
      sent_by_parent(50)
      assert.equal("validation",
        select(2, client:dismiss("kite", { force = true })).kind)
      sent_by_parent(1000)
      assert.equal("abandoned",
        assert(client:dismiss("kite", { force = true })).state)
    end)
  end)
end)

-- A server's clock can be read by all.
local odd_clocks = worlds.behaviour("an unreadable clock", function(each)
  local world

  each(function(new_world)
    world = new_world
    assert(world:client():create(world.params(), { key = "kite" }))
    world:take_over(100, 0)
    world:run [[UPDATE starvideos_orders SET task_id = NULL,
      state = 'submitting', lease_clock = 'another boot']]
  end)

  -- Each reader is another run of a program.
  local function state_after(seconds)
    local ledger = ledgers.new { address = world.address, timeout = 40,
      clock = core.time, random = math.random,
      boottime = function() return core.boottime() + seconds end }
    local row = assert(ledger:pending(10))[1]
    ledger:close()
    return row.state
  end

  it("holds for its length after any reader first saw it", function()
    assert.equal("submitting", state_after(1000))
    assert.equal("submitting", state_after(1099))
    assert.equal("unknown", state_after(1101))
  end)

  it("holds again for what has changed since", function()
    assert.equal("submitting", state_after(1000))
    world:run "UPDATE starvideos_orders SET revision = revision + 1"
    assert.equal("submitting", state_after(1101))
    assert.equal("unknown", state_after(1202))
  end)

  it("holds where the clock of that reader was restarted", function()
    assert.equal("submitting", state_after(1000))
    assert.equal("submitting", state_after(0))
    assert.equal("unknown", state_after(101))
  end)
end)

-- Describe the behaviour.
return function(new_address, is_file)
  leases(new_address)
  if is_file then
    odd_clocks(new_address)
  end
end
