-- How a list of orders gets into the queue of a ledger, and what they cost,
-- whatever database it lies in: specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

return worlds.behaviour("enqueuing orders", function(each)
  local world

  each(function(new_world)
    world = new_world
  end)

  local function pricing(per_second)
    return { prices = { currency = "USD",
      models = { videos = { per_second = per_second } } } }
  end

  local function costs()
    return world:rows "SELECT cost, currency FROM starvideos_orders"
  end

  describe("the price of an order", function()
    it("is that at which it was placed", function()
      local first, second = world:client(pricing(0.1)), world:client(pricing(9))
      assert(world.create(first))
      assert(world.create(second))
      assert.same({ { cost = 500000, currency = "USD" } }, costs())
      local order = assert(first:order "kite")
      assert.same({ 0.5, "USD" }, { order.cost, order.currency })
    end)

    it("is another where an order is corrected that was refused", function()
      assert(not world.create(world:client(pricing(0.1)), "error_400"))
      assert(world.create(world:client(pricing(0.2))))
      assert.same({ { cost = 1000000, currency = "USD" } }, costs())
    end)

    it("is missing where the client has none for it", function()
      assert(world.create(world:client()))
      assert(world.create(world:client { prices = { currency = "USD",
        models = {} } }, nil, { key = "boat" }))
      assert.same({ {}, {} }, costs())
    end)
  end)
end)
