-- Workers on one queue, whatever database it lies in: specs to be run over each.
-- Each worker is a client on the runtime `frame`, all in this process: a worker
-- that is not updated is one that was stopped.

local assert = require "luassert"
local busted = require "busted"
local contexts = require "starvideos.context"
local json = require "starvideos.json"
local ledgers = require "starvideos.ledger"
local worlds = require "spec.ledger.world"

local it, describe = busted.it, busted.describe

return worlds.behaviour("workers", function(each)
  local world, batch_client, events, new_ledger

  each(function(new_world)
    world, events = new_world, {}
    new_ledger = ledgers.new
    function ledgers.new(options)
      options.runtime = nil -- so that all happens in this Lua state
      return new_ledger(options)
    end
  end)

  busted.before_each(function()
    batch_client = nil
  end)

  busted.after_each(function()
    ledgers.new = new_ledger
  end)

  -- A client whose clocks are the world's.
  local function client_of(options)
    options = options or {}
    options.on_event = options.on_event or function(event)
      events[#events + 1] = event

    end
    local client = world:client(options)
    local context = contexts.of(client)
    local ledger = context.ledger
    local skew = { seconds = 0 }
    context.boottime = function() return world.now + skew.seconds end
    ledger.boottime = context.boottime
    context.wall_clock = function() return world.now end
    local runtime = context.runtime
    if runtime.inline then -- no thread, which has a clock of its own
      function runtime.disk(_, ...)
        return runtime.inline:disk(...)
      end
    end
    if world.address:find "^postgres" == nil then
      ledger.clock = function() return 1e9 + world.now end
    end
    return client, context, skew
  end

  -- Enqueues orders with the keys k1 to kN.
  local function enqueue(count, scenario, first)
    batch_client = batch_client or client_of()
    local context = contexts.of(batch_client)
    local list = {}
    for index = 1, count do
      local number = index + (first or 0)
      local body = json.encode(world.params(scenario,
        { prompt = ("kite %d%s"):format(number,
          scenario and " [scenario:" .. scenario .. "]" or "") }))
      list[index] = { key = "k" .. number, take = 1, model = "videos",
        params = body, body = body, endpoint = "/v1/videos/videos",
        base_url = context.base_url, path = ("sub/%d.mp4"):format(number) }
    end
    local results, batch = context.ledger:stage(nil, list)
    assert.truthy(results, tostring(batch))
    assert.equal(count, context.ledger:enqueue_staged(batch))
  end

  -- Starts a worker; `prepare` gets its context and what is added to its clock.
  local function start(options, prepare, client_options)
    options = options or {}
    options.directory = options.directory or world.folder .. "/videos"
    client_options = client_options or {}
    client_options.runtime = "frame"
    local client, context, skew = client_of(client_options)
    local one = { client = client, context = context, skew = skew, done = {} }
    options.on_done = options.on_done or function(order, file, err)
      one.done[#one.done + 1] = { key = order.key, file = file, err = err }
    end
    if prepare then
      prepare(context, skew)
    end
    one.handle = client:async(client.work, client, options)
    return one
  end

  -- Lets time pass for those that are not stopped, until all have ended or for so
  -- long. Time goes on in steps of at most a second.
  local function go(seconds, ...)
    local list, until_then = { ... }, world.now + seconds
    repeat
      local pause, busy = 1, false
      for _, one in ipairs(list) do
        repeat
          one.client:update(1000)
        until one.context.runtime:timeout() ~= 0
        pause = math.min(pause, one.context.runtime:timeout() or 1)
        busy = busy or not one.handle.done
      end
      world.now = world.now + math.max(pause, 0.001)
    until not busy or world.now >= until_then
  end

  local function result_of(one)
    assert.is_true(one.handle.done)
    assert.is_nil(one.handle.err, tostring(one.handle.err))
    return one.handle.result
  end

  local function events_of(name, state)
    local list = {}
    for _, event in ipairs(events) do
      if event.name == name and (not state or event.state == state) then
        list[#list + 1] = event
      end
    end
    return list
  end

  local function count_of(state)
    return tonumber(world:rows([[SELECT COUNT(*) AS orders
      FROM starvideos_orders WHERE state = ?]], state)[1].orders)
  end

  -- The lease of a worker is over, on whichever clock it is.
  local function age_workers(seconds)
    world:run("UPDATE starvideos_workers SET lease_began = lease_began - ?",
      seconds or 61)
  end

  it("send, wait for and save all that is queued", function()
    enqueue(5)
    local client = client_of()
    local saved = {}
    local result = assert(client:work { directory = world.folder .. "/videos",
      on_done = function(order, file) saved[order.key] = file.path end })
    assert.same({ done = 5, failed = 0, unknown = 0, left = 0 }, result)
    assert.equal(5, world:billed())
    assert.truthy(world:read "videos/sub/3.mp4")
    assert.truthy(saved.k3:find("videos/sub/3.mp4", 1, true))
    assert.same({}, world:rows "SELECT * FROM starvideos_workers")
  end)

  it("end at once where nothing is queued", function()
    local client = client_of()
    assert.equal(0, assert(client:work()).done)
    assert.equal(0, world:sent())
  end)

  it("share a queue, and buy and save each order once", function()
    enqueue(40)
    local a, b = start { claims = 8 }, start { claims = 8 }
    go(3000, a, b)
    local one, other = result_of(a), result_of(b)
    assert.equal(40, one.done + other.done)
    assert.is_true(one.done > 5 and other.done > 5)
    assert.equal(40, world:billed())
    assert.equal(40, world:sent "POST")
    assert.equal(40, count_of "downloaded")
  end)

  it("have no more orders at a time than they may claim", function()
    enqueue(20)
    local a, most = start { claims = 3 }, 0
    repeat
      go(5, a)
      most = math.max(most, tonumber(world:rows([[SELECT COUNT(*) AS orders
        FROM starvideos_orders WHERE claim IS NOT NULL]])[1].orders))
    until a.handle.done
    assert.equal(3, most)
    assert.equal(20, result_of(a).done)
  end)

  describe("of which one is stopped", function()
    it("take its orders over, and it changes nothing when it wakes", function()
      enqueue(3)
      local a = start()
      go(20, a)
      assert.equal(3, count_of "accepted")
      local b = start()
      age_workers()
      go(200, b)
      assert.equal(3, result_of(b).done)
      local polls = world:sent "GET"
      go(30, a)
      assert.equal(polls, world:sent "GET") -- it looked at none of them
      assert.equal(1, #events_of("worker", "fenced"))
      assert.equal(0, result_of(a).done)
      assert.equal(3, world:billed())
      assert.equal(3, count_of "downloaded")
    end)

    it("wait for what it has until it is dead", function()
      enqueue(2)
      local a = start()
      go(20, a)
      local b = start()
      go(40, b)
      assert.is_false(b.handle.done)
      assert.equal(0, #b.done)
      go(300, a, b)
      assert.equal(2, result_of(a).done)
      assert.equal(0, result_of(b).done)
    end)

    it("send nothing that it was about to send", function()
      enqueue(1)
      local a = start({}, function(context, skew)
        local ledger = context.ledger
        local claim = ledger.claim
        function ledger.claim(self, want)
          local rows, err = claim(self, want)
          if rows and rows[1] then -- it is stopped when it has claimed the order
            skew.seconds, ledger.claim = 100, nil
          end
          return rows, err
        end
      end)
      assert.equal(0, world:sent "POST")
      age_workers()
      local b = start()
      go(5, b)
      assert.equal(1, world:sent "POST")
      go(300, a, b)
      assert.equal(1, world:billed())
      assert.equal(1, result_of(a).done + result_of(b).done)
    end)
  end)
end)
