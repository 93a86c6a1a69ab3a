-- Statuses and fields that no document knows are told and counted: a sign that the
-- provider has changed its API.

local worlds = require "spec.ledger.world"

describe("what no document knows of an answer", function()
  local world, client, told

  local function changed(pattern, replacement)
    local transport = world.transport
    function world.transport(req)
      local found = transport(req)
      found.body = found.body and found.body:gsub(pattern, replacement)
      return found
    end
  end

  before_each(function()
    world, told = worlds.new(), {}
    client = world:client { on_event = function(event)
      told[#told + 1] = event.name == "unknown" and event or nil
    end }
  end)

  after_each(function()
    world:close()
  end)

  it("is nothing of what the sandbox answers", function()
    for _, scenario in ipairs { "result_extras", "result_data", "expired", "failed" } do
      client:wait(assert(world.create(client, scenario, { key = scenario })))
    end
    assert.same({}, told)
    assert.same({}, client:status().unknown)
  end)

  it("is told once for each name, and stands in the status of the ledger", function()
    changed('"object"', '"colour_of_the_day":1,"object"')
    local list = {}
    for index = 1, 3 do
      list[index] = assert(world.create(client, "result_unknown", { key = "k" .. index }))
    end
    client:wait_all(list, { timeout = 200 })
    local found = {}
    for _, event in ipairs(told) do
      found[#found + 1] = event.what .. " " .. event.word
    end
    table.sort(found)
    assert.same({ "field colour_of_the_day", "status contemplating" }, found)
    local unknown = assert(client:status()).unknown
    table.sort(unknown, function(a, b) return a.what < b.what end)
    assert.same({ "field", "colour_of_the_day", 1 },
      { unknown[1].what, unknown[1].word, unknown[1].count })
    assert.same({ "status", "contemplating", 1 },
      { unknown[2].what, unknown[2].word, unknown[2].count })
    assert.same({}, client:limits())
    assert(world.create(client, nil, { key = "more" })) -- it keeps nothing back
  end)

  it("is bounded, whatever the answers have", function()
    local number = 0
    changed('"object"', function(object)
      local fields = {}
      for index = 1, 30 do
        number = number + 1
        fields[index] = ('"x%d %s":%d,'):format(number, ("y"):rep(500), index)
      end
      return table.concat(fields) .. object
    end)
    for index = 1, 20 do
      local task = assert(world.create(client, nil, { key = "k" .. index }))
      client:query(task.id)
    end
    assert.is_true(#told > 40 and #told <= 50) -- in this process others were told before
    assert.is_true(#told[1].word < 100)
    assert.equal(#told, #client:status().unknown)
  end)
end)
