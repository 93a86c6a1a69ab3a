-- What the provider says that it charged: kept and shown as it says, and part of no spend.

local worlds = require "spec.ledger.world"
local tasks = require "starvideos.base.task"

describe("the amount of a result", function()
  local world, client

  before_each(function()
    world = worlds.new()
    client = world:client { prices = { currency = "USD",
      models = { videos = { per_video = 2 } } } }
    assert(client:limits { spend = 9, per = "total", currency = "USD" })
  end)

  after_each(function()
    world:close()
  end)

  local function bought(amount)
    local transport = world.transport
    function world.transport(req)
      local found = transport(req)
      found.body = found.body:gsub('"status":"completed"', function(status)
        return status .. ',"amount":' .. amount
      end)
      return found
    end
    local task = assert(client:wait(assert(world.create(client))))
    return task, client:orders()[1]
  end

  for _, case in ipairs { { "1.5", 1.5, "1.5" }, { "0", 0, "0" }, { '"1.20"', "1.20", "1.20" },
    { "-3e2", -300, "-300" }, { '"¥2"', "¥2", "¥2" }, { "0.1", 0.1, "0.1" } } do
    it("is kept as reported: " .. case[1], function()
      local task, order = bought(case[1])
      assert.equal(case[2], task.amount)
      assert.equal(case[3], order.amount)
      assert.equal(2, order.cost)
      assert.equal(2, client:limits()[1].used)
    end)
  end

  for _, nothing in ipairs { "null", '""', "{}", "[1]", "true", "1e999", '"a\\nb"' } do
    it("is none where it says nothing that can be shown: " .. nothing, function()
      local task, order = bought(nothing)
      assert.is_nil(task.amount)
      assert.is_nil(order.amount)
    end)
  end

  it("is no longer than a word", function()
    assert.is_true(#tasks.new({ amount = ("9"):rep(9999) }).amount <= 80)
  end)

  it("is recorded where a later answer has it", function()
    local task = assert(client:wait(assert(world.create(client))))
    assert.is_nil(client:orders()[1].amount)
    local transport = world.transport
    function world.transport(req)
      local found = transport(req)
      found.body = found.body:gsub('"status":"completed"', '%0,"amount":7')
      return found
    end
    assert(client:query(task.id))
    assert.equal("7", client:orders()[1].amount)
  end)
end)
