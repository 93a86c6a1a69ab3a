-- What `enqueue` does beside its ledger, of which spec/ledger/enqueuing.lua
-- tells.

local contexts = require "starvideos.context"
local manifest = require "starvideos.fleet.manifest"
local starvideos = require "starvideos"
local worlds = require "spec.ledger.world"

describe("enqueuing a list", function()
  local world

  before_each(function()
    world = worlds.new()
  end)

  after_each(function()
    world:close()
  end)

  local function order(path)
    return { model = "videos", prompt = "a kite", duration = 5, path = path }
  end

  local function orders(count)
    local list = {}
    for index = 1, count do
      list[index] = order(index .. ".mp4")
    end
    return list
  end

  -- Makes a method of the ledger fail from its nth call on.
  local function break_ledger(client, name, first)
    local ledger, calls = contexts.of(client).ledger, 0
    local errors, original = require "starvideos.errors", ledger[name]
    ledger[name] = function(...)
      calls = calls + 1
      if calls >= first then
        return nil, errors.new { kind = "ledger", message = "the disk is full" }
      end
      return original(...)
    end
  end

  local function count(where)
    return world:rows("SELECT COUNT(*) AS n FROM starvideos_orders "
      .. (where or ""))[1].n
  end

  it("needs a ledger, and a list", function()
    local client = assert(starvideos.new { api_key = "key" })
    assert.has_error(function() client:enqueue {} end)
    assert.has_error(function() world:client():enqueue "list" end)
    assert.has_error(function() world:client():enqueue() end)
    assert.has_error(function() world:client():enqueue({}, { lable = "x" }) end)
  end)

  it("needs no key, for nothing is sent", function()
    assert(world:client { api_key = "" }:enqueue { order "a.mp4" })
  end)

  it("takes a manifest", function()
    local client = world:client()
    local list = assert(manifest.read(
      '{"model":"videos","prompt":"a","duration":5,"path":"a.mp4"}\n\n'
      .. '{"model":"videos","prompt":"b","duration":5,"path":"b.mp4"}'))
    assert.equal(2, #assert(client:enqueue(list)))
    list[2].prompt = "c"
    local _, err = client:enqueue(list)
    assert.equal(3, err.violations[1].line)
    assert.truthy(err.message:find("line 3: the key b.mp4, take 1", 1, true))
  end)

  it("leaves nothing behind where the ledger fails on the way", function()
    local client = world:client()
    break_ledger(client, "stage", 2)
    local list, err = client:enqueue(orders(600))
    assert.is_nil(list)
    assert.equal("ledger: the disk is full; nothing was enqueued",
      tostring(err))
    assert.equal(0, count())
    assert.equal(600, #assert(world:client():enqueue(orders(600))))
  end)

  it("stages less at a time where the ledger is slow", function()
    local client = world:client()
    local ledger, sizes = contexts.of(client).ledger, {}
    local stage, seconds = ledger.stage, 0
    function ledger.stage(self, batch, list)
      sizes[#sizes + 1] = #list
      world.now = world.now + seconds * #list
      return stage(self, batch, list)
    end
    assert(client:enqueue(orders(1500)))
    assert.same({ 50, 100, 200, 400, 500, 250 }, sizes)
    sizes, seconds = {}, 0.1 -- each statement far away
    assert(client:enqueue(orders(200)))
    assert.same({ 50, 25, 12, 6, 6 }, { sizes[1], sizes[2], sizes[3], sizes[4],
      sizes[5] })
  end)

  it("says so where it cannot know what became of the list", function()
    local client = world:client()
    break_ledger(client, "enqueue_staged", 1)
    local _, err = client:enqueue(orders(3))
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find("is not known: enqueue them again", 1, true))
    assert.equal(0, count "WHERE state = 'queued'")
    local again = assert(world:client():enqueue(orders(3)))
    assert.equal(3, #again)
    assert.equal(3, count "WHERE state = 'queued'")
    assert.equal(3, count())
  end)

  it("raises what a function of prices raises before anything is stored",
    function()
      local client = world:client { prices = function() error "no" end }
      assert.has_error(function() client:enqueue(orders(3)) end)
      assert(client:pending())
      assert.equal(0, count())
    end)

  it("holds up no game", function()
    local client = world:client { runtime = "frame" }
    local handle = client:async(client.enqueue, client, orders(300))
    local frames = 0
    while not handle.done do
      client:update(0)
      frames = frames + 1
    end
    assert.equal(300, #assert(handle.result, handle.err))
    assert.is_true(frames > 15)
    assert.equal(300, count "WHERE state = 'queued'")
  end)
end)
