-- That every change of an order's state is told, once, whichever database it is
-- in: specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local contexts = require "starvideos.context"
local hearing = require "spec.fixtures.hearing"
local worlds = require "spec.ledger.world"

local it = busted.it

return worlds.behaviour("telling of orders", function(each)
  local world, client, of

  local function listening(changes)
    local options = changes or {}
    options.on_event, of = hearing.new()
    return world:client(options), of
  end

  each(function(new_world)
    world = new_world
    client = listening()
  end)

  -- The steps that were told, as one text.
  local function steps(told)
    local words = {}
    for index, event in ipairs((told or of) "order") do
      words[index] = (event.from or "") .. ">" .. event.state
    end
    return table.concat(words, " ")
  end

  local function create(options, scenario)
    return world.create(client, scenario, options)
  end

  -- From here on the ledger lacks its table, until the function is called.
  local function break_ledger()
    world:run "ALTER TABLE starvideos_orders RENAME TO away"
    return function()
      world:run "ALTER TABLE away RENAME TO starvideos_orders"
    end
  end

  it("tells each step of an order, once", function()
    local path = world.folder .. "/kite.mp4"
    assert(client:generate(world.params(), { path = path, interval = 10 }))
    assert(client:generate(world.params(), { path = path }))
    assert.same({}, (assert(client:pending())))
    assert.equal(">prepared prepared>submitting submitting>accepted"
      .. " accepted>completed completed>downloaded", steps())
  end)

  it("tells what an order is, and how far it has come", function()
    client = listening { account = "mine" }
    local task = assert(create { key = "kite", take = 2, label = "spring" })
    local list = of "order"
    local order = assert(client:order("kite", { take = 2 }))
    for index, event in ipairs(list) do
      assert.same({ order.id, "kite", 2, "mine", "spring" }, { event.order,
        event.key, event.take, event.account, event.label })
      assert.equal(index == 1 and 0 or 1, event.attempt)
      assert.is_true(event.elapsed >= 0 and event.elapsed < 60)
      assert.is_true(math.abs(event.at - os.time()) < 60)
    end
    assert.is_nil(list[2].task_id)
    assert.equal(task.id, list[3].task_id)
  end)

  it("tells what it costs", function()
    client = listening { prices = { currency = "USD",
      models = { videos = { per_second = 0.1 } } } }
    assert(create())
    assert.same({ 0.5, "USD" }, { of("order")[1].cost, of("order")[1].currency })
  end)

  it("tells nothing of an order while it is being sent", function()
    local seen
    world.before_request = function()
      seen = #of()
    end
    assert(create())
    assert.equal(0, seen)
    assert.equal(3, #of "order")
  end)

  it("tells why an order was refused, and that it is placed again", function()
    local _, err = create(nil, "create_400")
    local list = of "order"
    assert.same({ "refused", err.message }, { list[3].state, list[3].error })
    assert(create())
    assert.equal(">prepared prepared>submitting submitting>refused"
      .. " refused>prepared prepared>submitting submitting>accepted", steps())
    assert.is_nil(of "order"[6].error)
  end)

  it("tells that an order is unknown, and what a person decides", function()
    world.lose(client, "kite")
    world.lose(client, "boat")
    assert(client:adopt("kite", world.box:tasks().tasks[1].id))
    assert(client:dismiss "boat")
    assert(client:dismiss("kite", { force = true }))
    assert.truthy(steps():find("submitting>unknown unknown>accepted"
      .. " unknown>abandoned accepted>abandoned$"))
  end)

  it("tells the one that recovers an order of a dead process", function()
    local told = of
    world.before_request = function()
      world:take_over(60, -1000)
      listening():pending()
    end
    assert(create())
    world.before_request = nil
    assert.equal("submitting>unknown", steps())
    assert.equal(">prepared prepared>submitting unknown>accepted",
      steps(told))
  end)

  it("tells who queried a task that has ended", function()
    local task = assert(create())
    local first = of
    local other, second = listening()
    world.now = world.now + 1000
    assert(other:query(task.id))
    assert(client:query(task.id))
    assert.equal("accepted>completed", steps(second))
    assert.falsy(steps(first):find("completed", 1, true))
  end)

  it("tells of a late task, by its order", function()
    world.before_request = function()
      world.before_request = nil
      world:run [[UPDATE starvideos_orders SET state = 'abandoned',
        closed_at = 1, owner = NULL, lease = NULL, revision = revision + 1]]
    end
    local task = assert(create())
    local event = of "late_task"[1]
    assert.same({ task.id, "kite", 1, "abandoned" }, { event.task_id, event.key,
      event.take, event.state })
    assert.equal(of "order"[1].order, event.order)
    assert.equal(1, #of "late_task")
  end)

  it("names the order of an exchange and of a download", function()
    local path = world.folder .. "/kite.mp4"
    assert(client:generate(world.params(), { path = path, key = "kite",
      interval = 10 }))
    local id = of "order"[1].order
    assert.is_true(#of "exchange" > 2)
    for _, name in ipairs { "exchange", "download" } do
      for _, event in ipairs(of(name)) do
        assert.same({ id, "kite" }, { event.order, event.key })
      end
    end
  end)

  it("tells what could not be written when it is written, to its client",
    function()
      local restore
      world.before_request = function()
        world.before_request = nil
        restore = break_ledger()
      end
      assert.equal("ledger", select(2, create()).kind)
      assert.falsy(steps():find "accepted")
      restore()
      local own = of
      local other, foreign = listening()
      assert(other:pending())
      assert(client:pending())
      assert(client:pending())
      assert.equal(">prepared prepared>submitting submitting>accepted",
        steps(own))
      assert.equal("", steps(foreign))
    end)

  it("tells that it failed where the call goes on without it", function()
    local task = assert(create())
    local restore = break_ledger()
    world.now = world.now + 1000
    assert(client:query(task.id))
    assert.truthy(of "ledger"[1].failure:find("ledger", 1, true))
    restore()
    assert(client:query(task.id))
    assert.truthy(steps():find "accepted>completed$")
  end)

  it("tells that orders were enqueued, and that a worker gave one back", function()
    local ledger = contexts.of(client).ledger
    local function wanted(key)
      return { key = key, take = 1, model = "videos", params = "{}",
        base_url = "http://here", endpoint = "/", body = "{}" }
    end
    local _, batch = assert(ledger:stage(nil, { wanted "a", wanted "b" }))
    assert.equal("", steps())
    assert.equal(2, assert(ledger:enqueue_staged(batch)))
    assert.equal("staged>queued staged>queued", steps())
    local worker = assert(ledger:register { base_url = "http://here" })
    local row = assert(worker:claim { what = "queued", count = 1,
      base_url = "http://here" })[1]
    row = assert(worker:submitting(row))
    row = assert(worker:unsent(row, "too many requests", 5))
    assert(worker:retire())
    assert.equal("staged>queued staged>queued queued>submitting"
      .. " submitting>prepared prepared>queued", steps())
    local list = of "order"
    assert.same({ "a", worker.worker, worker.worker }, { list[5].key,
      list[4].worker, list[5].worker })
    assert.is_nil(list[1].worker)
    assert.equal(row.order_id, list[5].order)
  end)

  it("tells nothing of what was undone", function()
    local ledger = contexts.of(client).ledger
    local _, batch = assert(ledger:stage(nil, { { key = "a", take = 1,
      model = "videos", params = "{}", base_url = "http://here", endpoint = "/",
      body = "{}" } }))
    world:run [[ALTER TABLE starvideos_orders RENAME COLUMN queued_at TO away]]
    assert.is_nil((ledger:enqueue_staged(batch)))
    world:run [[ALTER TABLE starvideos_orders RENAME COLUMN away TO queued_at]]
    assert.equal("", steps())
    assert.equal(1, (assert(ledger:enqueue_staged(batch))))
    assert.equal("staged>queued", steps())
  end)

  it("tells once that a limit is reached, and that it is lifted", function()
    assert(client:limits { open = 1 })
    assert(create { key = "a" })
    assert.equal("limited", select(2, create { key = "b",
      limit_timeout = 0 }).kind)
    local task = world.box:tasks().tasks[1].id
    contexts.of(client).runtime.sleep = function(_, seconds)
      world.now = world.now + seconds
      assert(contexts.of(client).ledger:seen { id = task,
        status = "completed" })
      return true
    end
    assert(create { key = "b" })
    local seen = {}
    for index, event in ipairs(of "limit") do
      seen[index] = event.limit .. " " .. event.state
    end
    assert.same({ "open reached", "open lifted" }, seen)
  end)

  it("tells again where orders of unknown outcome fill it", function()
    assert(client:limits { open = 2 })
    local rows = {}
    for index, key in ipairs { "a", "b" } do
      assert(create { key = key })
      rows[index] = assert(contexts.of(client).ledger:look_up { id = key, account = "" })
    end
    for _, row in ipairs(rows) do
      create { key = "c", limit_timeout = 0 }
      create { key = "c", limit_timeout = 0 }
      world:run("UPDATE starvideos_orders SET state = 'unknown' WHERE order_id = ?",
        row.order_id)
    end
    create { key = "c", limit_timeout = 0 }
    local seen = of "limit"
    assert.equal(3, #seen)
    assert.equal("2 of 2 tasks are open", seen[1].reason)
    assert.truthy(seen[2].reason:find("became of 1 of them (a)", 1, true))
    assert.truthy(seen[3].reason:find("became of 2 of them (a, b)", 1, true))
  end)

  -- What a worker has told, beside the orders.
  local function of_worker()
    local words = {}
    for _, event in ipairs(of()) do
      words[#words + 1] = (event.name == "worker" or event.name == "queue")
        and event.name .. " " .. event.state or nil
    end
    return table.concat(words, ", ")
  end

  local function work(options)
    options = options or {}
    options.directory, options.interval = world.folder, 10
    return client:work(options)
  end

  it("tells what a worker does with its orders", function()
    assert(client:enqueue { world.params(nil, { path = "a.mp4" }) })
    assert.equal(1, assert(work()).done)
    local list, ids = of "order", {}
    assert.equal("staged>queued queued>submitting submitting>accepted"
      .. " accepted>completed completed>downloaded", steps())
    for index = 2, #list do
      ids[index - 1] = list[index].worker
    end
    local id = of "worker"[1].worker
    assert.same({ id, id, id, id }, ids)
    assert.is_nil(list[1].worker)
    assert.equal("worker started, worker stopped", of_worker())
  end)

  it("tells that the queue was stopped, why, and that it goes on", function()
    assert(client:enqueue { world.params("create_401", { path = "a.mp4" }),
      world.params("create_401", { path = "b.mp4" }) })
    local _, err = work()
    assert.equal("auth", err.kind, tostring(err))
    work { resume = true } -- which meets the same again
    assert.truthy(of_worker():find("queue halted.*queue continued"))
    assert.truthy(of "queue"[1].reason:find("API key", 1, true))
  end)

  it("goes on to tell after Ctrl-C in a listener, and loses no task", function()
    local told = {}
    client = world:client { interrupts = "return", on_event = function(event)
      told[#told + 1] = event.state
      if event.state == "submitting" then
        error("x.lua:1: interrupted!", 0)
      end
    end }
    local _, err = create()
    assert.equal("cancelled", err.kind)
    assert.equal(world.box:tasks().tasks[1].id, err.task_id)
    assert(client:pending())
    assert.same({ "prepared", "submitting", "accepted" }, told)
  end)
end)
