local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local starvideos = require "starvideos"
local worlds = require "spec.ledger.world"

local PRICES = { currency = "USD", models = { videos = { per_video = 2 } } }

local function describe_limits(name, body)
  describe(name, function()
    local world, client, events

    before_each(function()
      events = {}
      world = worlds.new()
      client = world:client { prices = PRICES, on_event = function(event)
        events[#events + 1] = event.name == "limit"
          and event.limit .. " " .. event.state or nil
      end }
    end)

    after_each(function()
      world:close()
    end)

    body(function() return world, client, events end)
  end)
end

describe_limits("client:limits", function(get)
  local function only(list)
    assert.equal(1, #list)
    return list[1]
  end

  it("lists none where there is none", function()
    local _, client = get()
    assert.same({}, assert(client:limits()))
  end)

  it("shows a limit as it stands, its money in decimals", function()
    local world, client = get()
    assert(client:create(world.params(), { key = "kite" }))
    local limit = only(assert(client:limits { spend = 7.5, per = "day" }))
    assert.equal(86400 * (1 + math.floor(core.time() / 86400)), limit.until_)
    limit.until_ = nil
    assert.same({ name = "spend/day", kind = "spend", per = "day", cap = 7.5,
      used = 2, left = 5.5, currency = "USD", refund_failed = false }, limit)
  end)

  it("sets several at once, and removes one with false", function()
    local _, client = get()
    assert.equal(3, #assert(client:limits { open = 5, creates_per_minute = 20,
      polls_per_second = 50 }))
    local list = assert(client:limits { open = false,
      creates_per_minute = false })
    assert.equal("polls_per_second", only(list).kind)
  end)

  it("is for one account or one label where that is said", function()
    local _, client = get()
    local list = assert(client:limits { open = 5, account = "blue" })
    assert.equal("blue", only(list).account)
    list = assert(client:limits { open = 3, label = "draft" })
    assert.equal(2, #list)
    assert.equal("open label=draft", list[2].name)
  end)

  it("takes the currency of the prices, or the one that is there", function()
    local world = get()
    local other = world:client()
    local list, err = other:limits { spend = 5 }
    assert.is_nil(list)
    assert.equal("validation", err.kind)
    assert.truthy(err.message:find("currency", 1, true))
    assert(other:limits { spend = 5, currency = "EUR" })
    assert.equal("EUR", only(assert(other:limits { spend = 6 })).currency)
  end)

  for what, options in pairs {
    ["a negative limit"] = { open = -1 },
    ["a limit that is no number"] = { spend = 0 / 0, currency = "USD" },
    ["an infinite limit"] = { creates_per_minute = math.huge },
    ["half a task"] = { open = 1.5 },
    ["an account and a label"] = { open = 1, account = "a", label = "b" },
    ["a window of nothing"] = { open = 1, per = "day" },
    ["another window"] = { spend = 1, per = "week", currency = "USD" },
  } do
    it("raises for " .. what, function()
      local _, client = get()
      assert.is_false((pcall(client.limits, client, options)))
      assert.same({}, assert(client:limits()))
    end)
  end

  it("raises for a client without a ledger", function()
    local client = assert(starvideos.new { api_key = "key" })
    local ok, raised = pcall(client.limits, client)
    assert.is_false(ok)
    assert.truthy(tostring(raised):find("needs a ledger", 1, true))
  end)
end)

describe_limits("a create that a limit keeps back", function(get)
  local function create(key, options)
    local world, client = get()
    options = options or {}
    options.key = key
    return client:create(world.params(), options)
  end

  it("waits until another task has ended", function()
    local world, client, events = get()
    assert(client:limits { open = 1 })
    local first = assert(create "first")
    local sleep, finished = world.slept, false
    world.before_request = function(req)
      assert.is_true(req.method ~= "POST" or finished)
    end
    local other = world:client()
    client = world:client { prices = PRICES, sleep = function(seconds)
      world.now = world.now + seconds
      if world.now > 1000005 and not finished then
        world.now, finished = world.now + 100, true
        assert(other:query(first))
      end
      return true
    end, on_event = function(event)
      events[#events + 1] = event.name == "limit" and event.state or nil
    end }
    assert(client:create(world.params(), { key = "second",
      limit_timeout = 300 }))
    assert.equal(sleep, world.slept)
    assert.same({ "reached", "lifted" }, events)
    assert.equal(2, world:billed())
  end)

  it("gives up in time, and may be sent later", function()
    local world, client, events = get()
    assert(client:limits { open = 1 })
    assert(create "first")
    local task, err = create("second", { limit_timeout = 30 })
    assert.is_nil(task)
    assert.equal("limited", err.kind)
    assert.equal("open", err.limit)
    assert.is_true(world.slept >= 29 and world.slept <= 31)
    assert.same({ "open reached" }, events)
    assert.same({ "accepted", "prepared" }, world:states())
    assert(client:limits { open = 2 })
    assert(create "second")
    assert.equal(2, world:billed())
  end)

  it("waits for a minute where nothing else is said", function()
    local world, client = get()
    assert(client:limits { open = 0, spend = false })
    assert(client:limits { open = 1 })
    assert(create "first")
    assert.is_nil((create "second"))
    assert.is_true(world.slept >= 59 and world.slept <= 61)
  end)

  it("does not wait for a limit that lifts later than that", function()
    local world, client = get()
    for _, options in ipairs { { open = 0 }, { spend = 1 },
      { spend = 1, per = "day" }, { creates_per_minute = 0 } } do
      assert(client:limits(options))
      local task, err = create "kite"
      assert.is_nil(task)
      assert.equal("limited", err.kind)
      for name in pairs(options) do
        options[name] = name == "per" and "day" or false
      end
      assert(client:limits(options))
    end
    assert.equal(0, world.slept)
    assert.equal(0, world:sent())
    assert(create "kite")
  end)

  it("sends nothing without a price where spend is limited", function()
    local world, client = get()
    assert(client:limits { spend = 100 })
    local poor = world:client()
    local task, err = poor:create(world.params(), { key = "kite" })
    assert.is_nil(task)
    assert.equal("limited", err.kind)
    assert.truthy(err.message:find("no price", 1, true))
    assert.equal(5, failure.code(err, "order"))
    assert.equal(0, world:sent())
  end)

  it("is an order without a key all the same", function()
    local world, client = get()
    assert(client:limits { open = 0 })
    assert.equal("limited", select(2, client:create(world.params())).kind)
    assert.same({ "refused" }, world:states())
  end)

  it("can be interrupted, and is not sent then", function()
    local world, client = get()
    assert(client:limits { open = 1 })
    assert(create "first")
    client = world:client { prices = PRICES,
      sleep = function() return nil, "cancelled" end }
    local task, err = client:create(world.params(), { key = "second" })
    assert.is_nil(task)
    assert.equal("cancelled", err.kind)
    assert.truthy(err.message:find("nothing was bought", 1, true))
    assert.same({ "accepted", "prepared" }, world:states())
  end)

  it("keeps its lease while it waits", function()
    local world, client = get()
    assert(client:limits { open = 1 })
    assert(create "first")
    local revisions = {}
    client = world:client { prices = PRICES, sleep = function(seconds)
      world.now = world.now + seconds
      revisions[#revisions + 1] = world:rows(
        "SELECT revision FROM starvideos_orders WHERE state = 'prepared'")[1]
        .revision
      return true
    end }
    client:create(world.params(), { key = "second", limit_timeout = 100 })
    assert.is_true(revisions[#revisions] >= revisions[1] + 4)
  end)

  it("holds all creates of the ledger after a 429", function()
    local world, client = get()
    local _, err = client:create(world.params "create_429_long",
      { key = "kite" })
    assert.equal("rate_limited", err.kind)
    err = select(2, world:client():create(world.params(), { key = "dragon" }))
    assert.equal("limited", err.kind)
    assert.equal("hold", err.limit)
    assert.is_true(err.retry_after > 60)
    assert.equal(1, world:sent())
  end)

  it("polls tasks as before after a 429 to an order", function()
    local world, client = get()
    local task = assert(client:create(world.params()))
    local polls = world:sent "GET"
    assert.equal("rate_limited", select(2, client:create(
      world.params "create_429_long", { key = "kite" })).kind)
    assert(client:wait(task, { first_poll = 0, interval = 1, max_interval = 1 }))
    assert.is_true(world:sent "GET" - polls > 90, world:sent "GET" - polls)
  end)

  it("fails a generate in the same way, and leaves no file", function()
    local world, client = get()
    assert(client:limits { open = 0 })
    local task, err = client:generate(world.params(),
      { path = world.folder .. "/kite.mp4" })
    assert.is_nil(task)
    assert.equal("limited", err.kind)
    assert.is_nil(world:read "kite.mp4")
  end)
end)
