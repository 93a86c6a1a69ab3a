-- A disk that is full, or will be: nothing is bought that cannot be saved there.

local core = require "starvideos.core"
local crews = require "spec.fixtures.crew"
local worlds = require "spec.ledger.world"

describe("a disk", function()
  local world, client, free, disk, job, refuse

  before_each(function()
    world = worlds.new()
    client, free, disk, job = world:client(), 0, "disk", core.disk
    refuse = nil
    local function ask(action, ...)
      if action == "room" then
        return free, disk
      elseif refuse and refuse(action) then
        return nil, { reason = "io", message = "Disk quota exceeded", errno = 122 }
      end
      return job(action, ...)
    end
    core.disk = ask
    local curl = package.loaded["starvideos.curl"]
    if type(curl) == "table" then
      world.curl, world.curl_disk, curl.disk = curl, curl.disk, ask
    end
  end)

  after_each(function()
    core.disk = job
    if world.curl then
      world.curl.disk = world.curl_disk
    end
    world:close()
  end)

  local function generate(name, options)
    options = options or {}
    options.path = world.folder .. "/" .. name .. ".mp4"
    return client:generate(world.params(), options)
  end

  -- An order whose video is still to be saved.
  local function owe(name)
    assert(client:create(world.params(), { path = world.folder .. "/" .. name .. ".mp4" }))
  end

  it("that is full gets no order, and the next try one", function()
    local task, err = generate "a"
    assert.is_nil(task)
    assert.same({ "io", "full", false, 0 }, { err.kind, err.target, err.sent,
      world:sent() })
    assert.truthy(err.message:find("nothing was ordered", 1, true))
    free = 25e6
    assert(generate "a")
    assert.equal(1, world:billed())
  end)

  it("has room for what is open and goes there, too", function()
    owe "a"
    owe "b"
    free = 74e6
    local _, err = generate "c"
    assert.equal("full", err and err.target)
    free = 75e6
    assert(generate "c")
    assert.equal(3, world:billed())
  end)

  it("is not asked for what goes elsewhere", function()
    owe "a"
    world:run "UPDATE starvideos_orders SET machine = 'another'"
    free = 25e6
    assert(generate "c")
  end)

  it("has room for as much as the largest video had", function()
    owe "a"
    world:run "UPDATE starvideos_orders SET state = 'downloaded', bytes = 80e6"
    free = 79e6
    assert.equal("full", (select(2, generate "b")).target)
    free = 80e6
    assert(generate "b")
  end)

  it("has at least as much free as the caller says", function()
    free = 90e6
    assert.equal("full", (select(2, generate("a", { min_free = 100e6 }))).target)
    free = 100e6
    assert(generate("a", { min_free = 100e6 }))
  end)

  it("is not asked with min_free = 0, nor without a ledger", function()
    assert(generate("a", { min_free = 0 }))
    world.address = nil
    client = world:client()
    assert(generate "b")
  end)

  it("is not asked where an order is known", function()
    free = 25e6
    assert(generate "a")
    free = 0
    assert(generate "a")
    assert.equal(1, world:billed())
  end)

  it("that is full stops a list", function()
    local results = assert(client:generate_all({ { path = "a.mp4", model = "videos",
      prompt = "a", duration = 5 }, { path = "b.mp4", model = "videos", prompt = "b",
      duration = 5 } }, { directory = world.folder }))
    assert.same({ "full", "full" }, { results[1].err.target, results[2].err.target })
    assert.equal(0, world:sent())
  end)

  describe("of a worker", function()
    local crew

    before_each(function()
      crew = crews.new(world)
      crew:enqueue(8)
    end)

    after_each(function()
      crew.close()
    end)

    it("that is full gets no order, however often it starts", function()
      for _ = 1, 3 do
        local result, err = crew:client():work { directory = world.folder }
        assert.is_nil(result)
        assert.same({ "io", "full" }, { err.kind, err.target })
      end
      assert.equal(0, world:sent())
      assert.equal(8, crew:in_state "queued")
      free = 1e9
      assert.equal(8, assert(crew:client():work { directory = world.folder }).done)
    end)

    it("on which what was completed cannot be saved gets no further order", function()
      free = 1e9
      crew:enqueue(2)
      local one = crew:start { claims = 2 }
      repeat
        crew:go(5, one)
      until crew:in_state "accepted" == 2
      crew:go(3, one)
      world:run "UPDATE starvideos_orders SET state = 'completed' WHERE state = 'accepted'"
      crew:age()
      local sent, saves = world:sent "POST", 0
      function refuse(action)
        saves = saves + (action == "commit" and 1 or 0)
        return action == "commit"
      end
      for _ = 1, 3 do
        crew:go(100, crew:start())
        crew:age()
      end
      assert.is_true(saves > 0)
      assert.equal(sent, world:sent "POST")
    end)

    it("has no more open than it has room for", function()
      free = 60e6
      local one, most = crew:start(), 0
      repeat
        crew:go(5, one)
        local open = crew:in_state "accepted" + crew:in_state "submitting"
        most = crew:in_state "downloaded" == 0 and math.max(most, open) or most
      until one.handle.done
      assert.equal(2, most)
      assert.equal(8, crews.result_of(one).done)
    end)
  end)
end)
