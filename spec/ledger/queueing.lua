-- The queue of a ledger, and the workers that claim what is in it, whatever
-- database it lies in: specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local new_orders = require("starvideos.ledger.tasks").new
local owner = require "starvideos.ledger.owner"
local workers = require "starvideos.ledger.workers"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local HERE = "http://here"

return worlds.behaviour("the queue", function(each)
  local world, orders, now

  each(function(new_world)
    world, now = new_world, 1000
    orders = new_orders { address = world.address, lease = 120 }
  end)

  busted.after_each(function()
    orders:close()
  end)

  -- A process of another machine, whose end nobody here can see.
  local function caller(worker)
    return { owner = "elsewhere boot pid:[1] time:[1] 12 34 " .. (worker or "s"),
      now = now, boottime = now, clock = "elsewhere", held = {},
      worker = worker }
  end

  -- The lease of a worker, on whichever clock it is, is over.
  local function age(worker)
    world:run([[UPDATE starvideos_workers SET lease_began = lease_began - ?
      WHERE worker_id = ?]], workers.policy.lease + 1, worker)
  end

  local made = 0

  local function wanted(key, changes)
    made = made + 1
    local order = { id = ("%032d"):format(made), key = key, take = 1,
      account = "", model = "videos", params = '{"prompt":"a kite"}',
      base_url = HERE, endpoint = "/videos", body = '{"prompt":"' .. key .. '"}' }
    for name, value in pairs(changes or {}) do
      order[name] = value
    end
    return order
  end

  local function stage(batch, ...)
    return assert(orders:stage(caller(), batch, { ... }))
  end

  local function enqueue(...)
    local list = {}
    for index, key in ipairs { ... } do
      list[index] = wanted(key)
    end
    assert(orders:stage(caller(), "batch", list))
    return assert(orders:enqueue_staged(caller(), "batch"))
  end

  local function register(id)
    return assert(orders:register(caller(), { id = id, machine = "m",
      account = "", base_url = HERE }))
  end

  local function claim(worker, count, what)
    local rows = assert(orders:claim(caller(worker), worker,
      { what = what or "queued", count = count, base_url = HERE, account = "" }))
    local keys = {}
    for index, row in ipairs(rows) do
      keys[index] = row.order_key
    end
    return table.concat(keys, " "), rows
  end

  local function heartbeat(worker, beaten)
    beaten = beaten or {}
    beaten.base_url = HERE
    return orders:heartbeat(caller(worker), worker, beaten)
  end

  -- Sends an order that a worker has claimed.
  local function accept(worker, row, task_id)
    local sent = assert(orders:submitting(caller(worker), row))
    return assert(orders:resolve(caller(worker), sent, "accepted",
      { task_id = task_id }))
  end

  local function state_of(key)
    local row = world:rows([[SELECT state FROM starvideos_orders
      WHERE order_key = ?]], key)[1]
    return row and row.state
  end

  describe("a batch", function()
    it("is nothing to be sent before it is enqueued", function()
      register "w"
      stage("batch", wanted "a", wanted "b")
      assert.equal("", (claim("w", 10)))
      assert.equal(2, (orders:enqueue_staged(caller(), "batch")))
      assert.equal("a b", (claim("w", 10)))
    end)

    it("is the same orders again", function()
      enqueue("a", "b")
      local results = stage("again", wanted "a", wanted "c")
      assert.equal("known", results[1].verdict)
      assert.equal("new", results[2].verdict)
    end)

    it("meets an order that it changes", function()
      enqueue "a"
      local result = stage("again", wanted("a", { params = "{}" }))[1]
      assert.equal("conflict", result.verdict)
      assert.equal("queued", state_of "a")
    end)

    it("takes over what an earlier one has only staged", function()
      stage("lost", wanted("a", { params = "{}" }))
      assert.equal("new", stage("batch", wanted "a")[1].verdict)
      assert.equal(0, (orders:enqueue_staged(caller(), "lost")))
      assert.equal(1, (orders:enqueue_staged(caller(), "batch")))
    end)

    it("leaves nothing behind where it is taken back", function()
      stage("batch", wanted "a")
      assert(orders:unstage(caller(), "batch"))
      assert.is_nil(state_of "a")
      assert.same({}, world:rows "SELECT * FROM starvideos_bodies")
    end)

    it("orders again what was refused", function()
      enqueue "a"
      register "w"
      local _, rows = claim("w", 1)
      local sent = assert(orders:submitting(caller "w", rows[1]))
      assert(orders:resolve(caller "w", sent, "refused", { error = "no" }))
      assert.equal("new", stage("again",
        wanted("a", { params = '{"prompt":"better"}' }))[1].verdict)
      assert(orders:unstage(caller(), "again"))
      assert.equal("refused", state_of "a")
    end)
  end)

  describe("a worker", function()
    it("gets what it is to send, the oldest first", function()
      enqueue("a", "b", "c")
      register "w"
      local keys, rows = claim("w", 2)
      assert.equal("a b", keys)
      assert.equal('{"prompt":"a"}', rows[1].body)
      assert.equal("/videos", rows[1].endpoint)
    end)

    it("gets nothing that another has claimed", function()
      enqueue("a", "b", "c")
      register "w"
      register "v"
      assert.equal("a b", (claim("w", 2)))
      assert.equal("c", (claim("v", 2)))
    end)

    it("learns what it has, in case an answer was lost", function()
      enqueue("a", "b")
      register "w"
      claim("w", 1)
      assert.equal("a", (claim("w", nil, "mine")))
    end)

    it("gets nothing of another base URL or account", function()
      stage("batch", wanted("a", { base_url = "http://there" }),
        wanted("b", { account = "mine" }))
      assert(orders:enqueue_staged(caller(), "batch"))
      register "w"
      assert.equal("", (claim("w", 9)))
      assert.equal("b", assert(orders:claim(caller "w", "w", { what = "queued",
        count = 9, base_url = HERE }))[1].order_key)
    end)

    it("gives an order back, for later", function()
      enqueue("a", "b")
      register "w"
      local _, rows = claim("w", 1)
      local time = world.address:find "^postgres" and os.time() or now
      assert.is_true((orders:unclaim(caller "w", "w", rows[1].order_id,
        time + 60)))
      assert.equal("b", (claim("w", 9)))
    end)

    it("gives no more than was asked for, whatever the server knows", function()
      register "w"
      world:run "ANALYZE" -- that there are no orders
      enqueue("a", "b", "c", "d")
      assert.equal("a", (claim("w", 1)))
      now = now + 1
      assert.equal("b c", (claim("w", 2)))
    end)

    it("gives no order back for longer than an hour, whatever its clock says",
      function()
        enqueue "a"
        register "w"
        local _, rows = claim("w", 1)
        assert.is_true((orders:unclaim(caller "w", "w", rows[1].order_id, 2e10)))
        assert.equal("a", (claim("w", 9)))
      end)

    it("gives all back when it ends", function()
      enqueue("a", "b")
      register "w"
      register "v"
      claim("w", 9)
      assert(orders:retire(caller "w", "w"))
      assert.equal("a b", (claim("v", 9)))
    end)

    it("does not keep a body that was sent", function()
      enqueue "a"
      register "w"
      local _, rows = claim("w", 1)
      accept("w", rows[1], "task-1")
      assert.same({}, world:rows "SELECT * FROM starvideos_bodies")
    end)

    for _, state in ipairs { "refused", "unknown" } do
      it("does not keep a body of an order that is " .. state, function()
        enqueue "a"
        register "w"
        local _, rows = claim("w", 1)
        local row = assert(orders:submitting(caller "w", rows[1]))
        assert(orders:resolve(caller "w", row, state, {}))
        assert.same({}, world:rows "SELECT * FROM starvideos_bodies")
      end)
    end

    it("takes over what another has ordered", function()
      enqueue "a"
      register "w"
      local _, rows = claim("w", 1)
      accept("w", rows[1], "task-1")
      register "v"
      assert.equal("", (claim("v", 9, "open")))
      age "w"
      assert(heartbeat "v")
      assert.equal("a", (claim("v", 9, "open")))
    end)

    it("leaves to others what never was in the queue", function()
      assert(world:client():create(world.params(), { key = "mine" }))
      world:run("UPDATE starvideos_orders SET base_url = ?", HERE)
      register "w"
      assert.equal("", (claim("w", 9, "open")))
      assert.equal("mine", (claim("w", 9, "any")))
    end)
  end)

  describe("a worker that was taken for dead", function()
    local rows

    busted.before_each(function()
      enqueue("a", "b")
      register "w"
      rows = select(2, claim("w", 9))
      age "w"
      register "v"
      assert(heartbeat "v")
    end)

    it("has nothing any more", function()
      local pulse, err = heartbeat "w"
      assert.is_nil(pulse)
      assert.is_true(err.fenced)
      assert.equal("a b", (claim("v", 9)))
      assert.equal("", (claim("w", 9)))
    end)

    it("sends nothing", function()
      assert.is_nil((orders:submitting(caller "w", rows[1])))
      assert.equal("queued", state_of "a")
    end)

    it("changes nothing of another's order", function()
      local _, others = claim("v", 1)
      accept("v", others[1], "task-1")
      local file = { path = "/a.mp4", machine = "m", bytes = 1, sha256 = "0" }
      for _, act in ipairs {
        function() return orders:seen(caller "w", "task-1", "completed") end,
        function() return orders:missing(caller "w", "task-1") end,
        function() return orders:placing(caller "w", "task-1", file) end,
        function() return orders:downloaded(caller "w", "task-1", file) end } do
        local ok, err = act()
        assert.is_nil(ok)
        assert.is_true(err.fenced)
      end
      assert.equal("accepted", state_of "a")
      assert.is_false((orders:unclaim(caller "w", "w", others[1].order_id)))
    end)
  end)

  describe("a worker that is taken for dead while it sends", function()
    local sent

    busted.before_each(function()
      enqueue "a"
      register "w"
      local _, rows = claim("w", 1)
      sent = assert(orders:submitting(caller "w", rows[1]))
      age "w"
      register "v"
      assert(heartbeat "v")
    end)

    it("still has the order while its answer may come", function()
      assert.equal("submitting", state_of "a")
      assert.equal("", (claim("v", 9)))
    end)

    it("leaves an order that is never sent again", function()
      world:run "UPDATE starvideos_orders SET lease_began = lease_began - 1000"
      assert(heartbeat "v")
      assert.equal("unknown", state_of "a")
      assert.equal("", (claim("v", 9)))
    end)

    it("has its task recorded though it comes late", function()
      world:run "UPDATE starvideos_orders SET lease_began = lease_began - 1000"
      assert(heartbeat "v")
      assert(orders:resolve(caller "w", sent, "accepted",
        { task_id = "task-1" }))
      assert.equal("accepted", state_of "a")
      assert.equal("a", (claim("v", 9, "open")))
    end)
  end)

  it("leaves alone what a living worker sends, for however long", function()
    enqueue "a"
    register "w"
    local _, rows = claim("w", 1)
    assert(orders:submitting(caller "w", rows[1]))
    world:run "UPDATE starvideos_orders SET lease_began = lease_began - 1000"
    register "v"
    assert(heartbeat "v")
    assert.equal("submitting", state_of "a")
    age "w"
    assert(heartbeat "v")
    assert.equal("unknown", state_of "a")
  end)

  it("gets an order back whose worker ended between two tries", function()
    enqueue "a"
    register "w"
    local _, rows = claim("w", 1)
    local sent = assert(orders:submitting(caller "w", rows[1]))
    assert(orders:unsent(caller "w", sent, "no connection", 5))
    age "w"
    register "v"
    assert(heartbeat "v")
    assert.equal("a", (claim("v", 9)))
  end)

  it("gets an order back that was not sent", function()
    enqueue "a"
    register "w"
    local _, rows = claim("w", 1)
    local sent = assert(orders:submitting(caller "w", rows[1]))
    assert.equal("queued", assert(orders:unsent(caller "w", sent, "no")).state)
  end)

  it("tells how many of its orders are open", function()
    enqueue("a", "b")
    register "w"
    claim("w", 1)
    local left = assert(orders:left(caller(), { base_url = HERE, account = "" }))
    assert.same({ queued = { orders = 2, claimed = 1 } }, left)
  end)

  it("gives an order to whoever creates it by its key", function()
    local client = world:client()
    local body = wanted("kite", {
      params = '{"duration":5,"model":"videos","prompt":"a kite"}',
      base_url = "https://api.example" })
    body.base_url = require("starvideos.provider.address").default
    stage("batch", body)
    assert(orders:enqueue_staged(caller(), "batch"))
    assert.equal("kite", assert(client:order "kite").key)
    assert.equal("queued", client:order("kite").state)
    local task = assert(client:create(world.params(), { key = "kite" }))
    assert.equal(task.id, client:order("kite").task_id)
    assert.equal(1, world:billed())
  end)

  it("is left by an order whose video somebody waits for", function()
    local client = world:client()
    stage("batch", wanted("kite", {
      params = '{"duration":5,"model":"videos","prompt":"a kite"}',
      base_url = require("starvideos.provider.address").default }))
    assert(orders:enqueue_staged(caller(), "batch"))
    assert(client:generate(world.params(), { key = "kite", first_poll = 0,
      interval = 10, path = world.folder .. "/kite.mp4" }))
    local order = client:order "kite"
    assert.equal("downloaded", order.state)
    assert.is_nil(order.queued_at)
  end)

  it("keeps an order that whoever creates its key would change", function()
    local client = world:client()
    stage("batch", wanted("kite", {
      base_url = require("starvideos.provider.address").default }))
    assert(orders:enqueue_staged(caller(), "batch"))
    local task, err = client:create(world.params(), { key = "kite" })
    assert.is_nil(task)
    assert.equal("validation", err.kind)
    assert.equal("queued", state_of "kite")
  end)

  describe("the rate of polls", function()
    it("is shared by what each worker has claimed", function()
      register "w"
      register "v"
      assert.equal(10, assert(heartbeat("w", { claims = 3, rate = 10 })).polls)
      assert.equal(0, assert(heartbeat("v", { claims = 1, rate = 10 })).polls)
      assert.equal(7.5, assert(heartbeat("w", { claims = 3, rate = 10 })).polls)
      assert.equal(2.5, assert(heartbeat("v", { claims = 1, rate = 10 })).polls)
    end)

    it("is all of the last one's when the others have ended", function()
      register "w"
      register "v"
      assert(heartbeat("w", { claims = 1, rate = 10 }))
      assert(orders:retire(caller "w", "w"))
      assert.equal(10, assert(heartbeat("v", { claims = 1, rate = 10 })).polls)
    end)

    it("has no share where there is no limit", function()
      register "w"
      assert.is_nil(assert(heartbeat("w", { claims = 1 })).polls)
    end)
  end)

  it("buries a worker of this machine as soon as its process has ended",
    function()
      enqueue "a"
      local me = caller()
      me.owner = owner.current():gsub("%d+ (%S+ %S+)$", "4194305 %1")
      assert(orders:register(me, { id = "w", machine = "m", account = "",
        base_url = HERE }))
      assert.equal(1, #assert(orders:claim(me, "w", { what = "queued",
        count = 1, base_url = HERE, account = "" })))
      register "v"
      assert(heartbeat "v")
      assert.equal("a", (claim("v", 9)))
    end)
end)
