-- A database that was put back to an earlier time: a living process sends no order
-- a second time, and writes back what it knows. Specs to be run over each database.

local assert = require "luassert"
local busted = require "busted"
local contexts = require "starvideos.context"
local crews = require "spec.fixtures.crew"
local memory = require "starvideos.ledger.memory"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local TABLES = { "starvideos_orders", "starvideos_bodies",
  "starvideos_workers" }

return worlds.behaviour("a database that forgot", function(each)
  local world, client, told

  each(function(new_world)
    world, told = new_world, {}
    client = world:client { on_event = function(event)
      told[#told + 1] = event.name == "notice" and event.notice or nil
    end }
  end)

  -- What the database holds now, to be put back.
  local function back_up()
    for _, name in ipairs(TABLES) do
      world:run("DROP TABLE IF EXISTS saved_" .. name)
      world:run(("CREATE TABLE saved_%s AS SELECT * FROM %s"):format(name,
        name))
    end
  end

  local function put_back()
    for _, name in ipairs(TABLES) do
      world:run("DELETE FROM " .. name)
      world:run(("INSERT INTO %s SELECT * FROM saved_%s"):format(name, name))
    end
  end

  local function create(key, options)
    options = options or {}
    options.key = key
    return client:create(world.params(), options)
  end

  local function row_of(id)
    return world:rows("SELECT * FROM starvideos_orders WHERE order_id = ?",
      id)[1]
  end

  -- The order as the ledger had it before it was sent: none, or one of a state.
  local earlier = {
    ["no order"] = function()
      world:run "DELETE FROM starvideos_orders"
    end,
  }
  for _, state in ipairs { "prepared", "queued", "refused", "staged" } do
    earlier["one that is " .. state] = function()
      world:run([[UPDATE starvideos_orders SET state = ?, task_id = NULL,
        accepted_at = NULL, attempts = 0, owner = NULL, lease = NULL,
        bytes = NULL, sha256 = NULL, revision = 1]], state)
    end
  end
  earlier["one of a former attempt that is submitting"] = function()
    world:run [[UPDATE starvideos_orders SET state = 'submitting',
      task_id = NULL, bytes = NULL, sha256 = NULL, attempts = 0, revision = 1]]
  end

  for what, forget in pairs(earlier) do
    describe("and holds " .. what, function()
      it("gives the task that was bought under its key, and has it again",
        function()
          local task = assert(create "kite")
          local order = assert(client:order "kite")
          forget()
          assert.equal(task.id, assert(create "kite").id)
          assert.equal(1, world:sent "POST")
          local row = row_of(order.id)
          assert.same({ "accepted", task.id, "kite" },
            { row.state, row.task_id, row.order_key })
          assert.same({ "forgotten" }, told)
        end)

      it("has it again with the outcome that is unknown", function()
        world.lose(client)
        local order = assert(client:order "kite")
        forget()
        assert.equal("outcome_unknown",
          select(2, world.create(client, "create_reset")).kind)
        assert.equal(1, world:sent "POST")
        assert.equal("unknown", row_of(order.id).state)
      end)

      it("takes the answer of an order that was on the wire", function()
        world.before_request = function()
          world.before_request = nil
          forget()
        end
        local task = assert(create "kite")
        assert.equal(task.id, assert(create "kite").id)
        assert.same({ "accepted" }, world:states())
        assert.equal(1, world:sent "POST")
      end)

      it("has it again with the file of its video", function()
        local path = world.folder .. "/kite.mp4"
        local params = world.params()
        local _, file = client:generate(params, { path = path, interval = 10 })
        assert.is_table(file)
        forget()
        local _, again = client:generate(params, { path = path })
        assert.same({ file.path, file.sha256 }, { again.path, again.sha256 })
        assert.equal(1, world:billed())
        assert.same({ "downloaded" }, world:states())
      end)

      it("has it again with the end of its task", function()
        local task = assert(create "kite")
        forget()
        assert(client:wait(task, { interval = 10 }))
        assert.same({ "completed" }, world:states())
        assert.equal(task.id, assert(create "kite").id)
      end)
    end)
  end

  it("is told nothing yet of an order whose answer is to come", function()
    local claimed, states
    world.before_request = function()
      earlier["one that is queued"]()
      claimed = contexts.of(client).ledger:reconcile(
        world:rows "SELECT * FROM starvideos_orders")
      states = world:states()
    end
    create "k"
    assert.same({}, claimed)
    assert.same({ "queued" }, states)
    assert.same({ "accepted" }, world:states())
  end)

  it("is told of an order that failed at once", function()
    local send = world.transport
    function world.transport(req)
      local response, failure = send(req)
      response.body = response.body:gsub('"queued"', '"failed"')
      return response, failure
    end
    assert.equal("task_failed", select(2, create "kite").kind)
    world:run "DELETE FROM starvideos_orders"
    assert.equal("task_failed", select(2, create "kite").kind)
    assert.same({ "failed" }, world:states())
    assert.equal(1, world:sent "POST")
  end)

  it("gets nothing of an order that was not bought", function()
    world:fail_once()
    world.transport = (function(transport)
      return function(req)
        if req.method == "POST" then
          return { status = 400, headers = {}, body = '{"msg":"no"}' }
        end
        return transport(req)
      end
    end)(world.box:transport())
    assert.equal("invalid_request", select(2, create "kite").kind)
    world:run "DELETE FROM starvideos_orders"
    world.transport = world.box:transport()
    assert(create "kite")
    assert.same({ 2, 1 }, { world:sent "POST", world:billed() })
  end)

  it("counts an order that is written back in its limits", function()
    local prices = { currency = "USD", models = { videos = { per_video = 2 } } }
    client = world:client { prices = prices }
    assert(client:limits { spend = 5, per = "total", currency = "USD" })
    assert(create "kite")
    world:run "DELETE FROM starvideos_orders"
    world:run "UPDATE starvideos_limits SET used = 0"
    assert(create "kite")
    local limit = world:rows "SELECT used FROM starvideos_limits"[1]
    assert.equal(2e6, tonumber(limit.used))
    assert(create "ship")
    assert.equal("limited", select(2, create("boat",
      { limit_timeout = 0 })).kind)
  end)

  describe("and whose key another process has ordered meanwhile", function()
    -- Another process has ordered it while the answer to this one is on its way.
    local function buy_again()
      world.before_request = function()
        world.before_request = nil
        world:run([[UPDATE starvideos_orders SET order_id = ?, owner = NULL,
          lease = NULL, task_id = 'other', state = 'accepted']], ("f"):rep(32))
      end
    end

    it("keeps both tasks, and says so", function()
      local late
      client = world:client { on_event = function(event)
        late = event.name == "late_task" and event or late
      end }
      buy_again()
      local task = assert(create "kite")
      local order = assert(client:pending())[1]
      assert.same({ "other", { task.id } }, { order.task_id,
        order.late_tasks })
      assert.equal(task.id, late.task_id)
    end)

    it("keeps the order whose outcome is unknown beside the other", function()
      buy_again()
      world.lose(client)
      local states = world:states()
      table.sort(states)
      assert.same({ "accepted", "unknown" }, states)
    end)

    it("gives the task to an order of the key that was not sent yet", function()
      local task = assert(create "kite")
      local before = world:rows "SELECT * FROM starvideos_orders"[1]
      world:run([[UPDATE starvideos_orders SET order_id = ?, state = 'queued',
        task_id = NULL, attempts = 0]], ("f"):rep(32))
      assert.equal(task.id, assert(create "kite").id)
      assert.is_nil(row_of(before.order_id))
      assert.same({ "accepted" }, world:states())
      assert.equal(1, world:sent "POST")
    end)

    it("does not send an order of the key that wants another video", function()
      local task = assert(create "kite")
      world:run([[UPDATE starvideos_orders SET order_id = ?, state = 'queued',
        task_id = NULL, attempts = 0, params = '{}']], ("f"):rep(32))
      assert.equal(task.id, assert(create "kite").id)
      assert.equal("validation", select(2, client:create(world.params(nil,
        { duration = 6 }), { key = "kite" })).kind)
      assert.equal(1, world:sent "POST")
    end)
  end)

  describe("an order's id that was given as advice", function()
    it("can be adopted though the ledger does not hold it", function()
      local err = world.lose(client)
      local task = world.box:tasks().tasks[1]
      memory.clear() -- the process ends
      world:run "DELETE FROM starvideos_orders"
      local other = world:client()
      local order = assert(other:adopt(err.order.id, task.id))
      assert.same({ err.order.id, task.id }, { order.id, order.task_id })
      assert(other:wait(task.id, { interval = 10 }))
      assert.equal("completed", assert(other:order(order.id)).state)
    end)

    it("is not adopted where it is a key, or its task another's", function()
      local task = assert(create "kite")
      for _, id in ipairs { "ship", ("a"):rep(31), ("a"):rep(32) } do
        local order, err = client:adopt(id, task.id)
        assert.is_nil(order)
        assert.equal(#id == 32 and "validation" or "not_found", err.kind)
      end
      assert.equal(1, #world:states())
    end)
  end)

  describe("under living workers", function()
    local crew

    busted.before_each(function()
      crew = crews.new(world)
    end)
    busted.after_each(function()
      crew.close()
    end)

    local function finish(...)
      crew:go(900, ...)
      assert.equal(4, world:sent "POST")
      assert.equal(4, world:billed())
      assert.same({ "downloaded", "downloaded", "downloaded", "downloaded" },
        world:states())
      local known = {}
      for _, row in ipairs(world:rows
        "SELECT task_id FROM starvideos_orders") do
        known[row.task_id] = true
      end
      for _, task in ipairs(world.box:tasks().tasks) do
        assert.is_true(known[task.id])
      end
    end

    it("that is put back to before they began sends nothing again", function()
      crew:enqueue(4)
      back_up()
      local a = crew:start()
      crew:go(20, a)
      assert.equal(4, crew:in_state "accepted")
      put_back()
      finish(a)
    end)

    it("that is put back to when they had claimed the orders", function()
      crew:enqueue(4)
      local a = crew:start({}, function(context)
        local claim = context.ledger.claim
        function context.ledger.claim(self, want)
          local rows, err = claim(self, want)
          if want.what == "queued" and rows[1] then
            back_up()
          end
          return rows, err
        end
      end)
      crew:go(20, a)
      assert.equal(4, crew:in_state "accepted")
      put_back()
      finish(a)
    end)

    it("that is put back to before the orders were enqueued", function()
      assert(client:pending())
      back_up()
      crew:enqueue(4)
      local a = crew:start()
      crew:go(20, a)
      put_back()
      finish(a)
    end)

    it("that is put back while orders are on the wire", function()
      crew:enqueue(4)
      back_up()
      local posts = 0
      world.before_request = function(req)
        posts = posts + (req.method == "POST" and 1 or 0)
        if posts == 2 or posts == 4 then
          put_back()
        end
      end
      local a = crew:start()
      crew:go(20, a)
      world.before_request = nil
      finish(a)
    end)

    it("that is put back when all is saved, and enqueued again", function()
      crew:enqueue(4)
      back_up()
      local a = crew:start()
      crew:go(900, a)
      assert.equal(4, crews.result_of(a).done)
      put_back()
      finish(crew:start())
    end)

    it("that is put back under a resume", function()
      crew:enqueue(4)
      back_up()
      local a = crew:start()
      crew:go(20, a)
      a.handle:cancel()
      crew:go(1, a)
      local b = crew:start({ directory = world.folder .. "/videos" }, nil,
        "resume")
      crew:go(5, b)
      put_back()
      finish(b, crew:start())
    end)

    it("knows more orders than are kept whole", function()
      local first = crew:client()
      for number = 1, 3 do
        assert(first:create(world.params(), { key = "old" .. number }))
      end
      local address = contexts.of(first).ledger.address
      for number = 1, 10001 do
        memory.remember(address, { order_id = "other" .. number,
          base_url = "" }, "accepted", { task_id = "t" .. number })
      end
      world:run [[UPDATE starvideos_orders SET state = 'queued',
        queued_at = 1, path = 'a' || order_key || '.mp4', task_id = NULL,
        attempts = 0, accepted_at = NULL]]
      local a = crew:start()
      crew:go(900, a)
      assert.equal(3, crews.result_of(a).done)
      assert.equal(3, world:sent "POST")
    end)
  end)
end)
