-- What two programs, or one that was interrupted, do to the same orders: specs
-- to be run over each database.

local assert = require "luassert"
local busted = require "busted"
local databases = require "starvideos.ledger.database"
local ledgers = require "starvideos.ledger"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

-- More events than a transaction has.
local MANY_EVENTS = 5000

local function unreachable()
  return nil, { reason = "connect", sent = false, message = "refused" }
end

local function reset()
  return nil, { reason = "reset", sent = true, message = "reset" }
end

return worlds.behaviour("racing for orders", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
  end)

  local function create(options)
    options = options or {}
    options.key = options.key or "kite"
    return client:create(world.params(), options)
  end

  -- An order whose answer was lost.
  local function lose()
    local transport = world.transport
    world.transport = reset
    local task, err = create()
    world.transport = transport
    assert.is_nil(task)
    assert.equal("outcome_unknown", err.kind)
    return err
  end

  local function with_ledger(run)
    local ledger = ledgers.new { address = world.address, clock = os.time,
      random = math.random, timeout = 1 }
    run(ledger)
    ledger:close()
  end

  describe("an order that another process took over", function()
    it("is left to it when the first one fails", function()
      world.transport = unreachable
      client = world:client { sleep = function()
        world:take_over(1, -2)
        world:start "linger kite"
        world:await "sending"
        return nil, "cancelled"
      end }
      assert.equal("cancelled", select(2, create()).kind)
      assert.same({ "submitting" }, world:states())
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        world:continue()
        return true
      end }
      assert.equal("task-of-a-child", assert(create()).id)
      assert.equal("x\n", world:read "posts")
      assert.equal(1, world:sent())
    end)

    it("is bought once where both were told to buy another take", function()
      lose()
      world:start "lose kite 2"
      world:await "sending"
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        world:continue()
        return true
      end }
      local _, err = create { take = 2 }
      assert.equal("outcome_unknown", err.kind)
      assert.same({ "unknown", "unknown" }, world:states())
      assert.equal("x\n", world:read "posts")
      assert.equal(1, world:sent())
    end)
  end)

  describe("an order that two calls of one program place at once", function()
    it("is the first one's, also before that one has its answer", function()
      local ledger = ledgers.new { address = world.address, clock = os.time,
        random = math.random, timeout = 1 }
      local first, second = {}, {}
      local call, verdict = ledger.call, nil
      -- On a thread of its own a ledger is asked by both before it answers.
      function ledger.call(method, ...)
        if method == "begin" and not verdict then
          verdict = ledger:begin({ key = "kite", take = 1, params = "{}",
            base_url = "here" }, second)
        end
        return call(method, ...)
      end
      local wanted = { key = "kite", take = 1, params = "{}", base_url = "here" }
      local own, row = ledger:begin(wanted, first)
      assert.same({ "send", "busy" }, { own, verdict })
      assert(ledger:submitting(row))
      ledger:release(row)
      ledger:close()
    end)
  end)

  describe("an order whose task the provider describes oddly", function()
    for _, word in ipairs { "abandoned", "downloaded", "refused", "prepared",
      "submitting", "unknown" } do
      it("is still the task's: " .. word, function()
        local task = assert(create())
        world.transport = function()
          return { status = 200, headers = {},
            body = ('{"id":"%s","status":"%s"}'):format(task.id, word) }
        end
        assert.equal(word, assert(client:query(task.id)).status)
        assert.same({ "accepted" }, world:states())
        assert.equal(task.id, assert(client:pending())[1].task_id)
        assert.equal(task.id, assert(create()).id)
        assert.equal(1, world:sent "POST")
      end)
    end
  end)

  describe("an order that follows a refused one", function()
    it("does not count as the refused task when its answer is lost",
      function()
        assert.is_nil((client:create(world.params "create_refused_id",
          { key = "kite" })))
        assert.is_string(world:rows "SELECT task_id FROM starvideos_orders"[1].task_id)
        local err = lose()
        assert.is_nil(err.order.task_id)
        assert.is_nil(err.task_id)
        local result = assert(client:resume { directory = world.folder })
        assert.equal(1, result.left)
        assert.equal(0, world:sent "GET")
      end)
  end)

  describe("a decision about an order", function()
    -- An answer comes between the read of the order and the write.
    local function overtaken(ledger)
      local store = ledger.orders.store
      function store:transition(...)
        self.transition = nil
        world:run("UPDATE starvideos_orders SET state = 'accepted', owner = NULL,"
          .. " task_id = 'task-late', revision = revision + 1")
        return self:transition(...)
      end
    end

    local function assert_left_alone(row, err)
      assert.is_nil(row)
      assert.equal("validation", err.kind)
      assert.same({ { state = "accepted", task_id = "task-late" } },
        world:rows "SELECT state, task_id FROM starvideos_orders")
    end

    it("to dismiss it has no effect where it was accepted meanwhile", function()
      local id = lose().order.id
      with_ledger(function(ledger)
        overtaken(ledger)
        assert_left_alone(ledger:dismiss(id))
      end)
    end)

    it("to dismiss it has no effect where it was sent meanwhile", function()
      world.transport = unreachable
      assert.equal("network", select(2, create()).kind)
      local id = assert(client:pending())[1].id
      with_ledger(function(ledger)
        overtaken(ledger)
        assert_left_alone(ledger:dismiss(id))
      end)
    end)

    it("to give it a task has no effect where it got one meanwhile", function()
      local id = lose().order.id
      with_ledger(function(ledger)
        overtaken(ledger)
        assert_left_alone(ledger:adopt(id, "task-of-mine"))
      end)
    end)
  end)

  describe("an order that was dismissed before its answer came", function()
    -- Somebody dismisses it while it is on its way.
    local function dismiss_meanwhile()
      world.before_request = function()
        world.before_request = nil
        world:run("UPDATE starvideos_orders SET state = 'abandoned',"
          .. " closed_at = 1, owner = NULL, lease = NULL,"
          .. " revision = revision + 1")
      end
    end

    it("has the task beside it, is listed, and the listener told", function()
      local events = {}
      client = world:client { on_event = function(event)
        events[#events + 1] = event.name == "late_task" and event or nil
      end }
      dismiss_meanwhile()
      local late = assert(create())
      local order = assert(client:pending())[1]
      assert.same({ "abandoned", { late.id } },
        { order.state, order.late_tasks })
      assert.same({ late.id, order.id },
        { events[1].task_id, events[1].order })
      local result = assert(client:resume { directory = world.folder })
      assert.truthy(tostring(result.orders[1].err):find(late.id, 1, true))
    end)

    it("is listed until a person dismisses it", function()
      dismiss_meanwhile()
      assert(create())
      assert(client:dismiss "kite")
      assert.same({}, (assert(client:pending())))
      assert.is_string(world:rows
        "SELECT late_tasks FROM starvideos_orders"[1].late_tasks)
    end)

    it("leaves its task to another order", function()
      dismiss_meanwhile()
      local late = assert(create())
      world.transport = reset
      local _, err = create { take = 2 }
      world.transport = world.box:transport()
      local adopted, problem = client:adopt("kite", late.id, { take = 2 })
      assert(adopted, tostring(problem))
      assert.same({ err.order.id, late.id }, { adopted.id, adopted.task_id })
      assert.same({ "abandoned", "accepted" }, world:states())
    end)
  end)

  describe("an answer of the first attempt", function()
    -- A ledger whose order is at its second attempt, as `state`.
    local function at_second_attempt(run, state)
      assert(client:pending())
      with_ledger(function(ledger)
        local _, row = ledger:begin({ key = "kite", take = 1, params = "{}",
          base_url = "here" }, {})
        local first = assert(ledger:submitting(row))
        row = assert(ledger:unsent(first, "thought not to be sent", 5))
        if state == "submitting" then
          row = assert(ledger:submitting(row))
        end
        run(ledger, first, row)
        ledger:release(row)
      end)
    end

    it("that comes during the second is recorded beside that one's", function()
      at_second_attempt(function(ledger, first, second)
        local row = assert(ledger:resolve(first, "accepted",
          { task_id = "task-1" }))
        assert.same({ "submitting", "task-1" }, { row.state, row.late_tasks })
        row = assert(ledger:resolve(second, "accepted", { task_id = "task-2" }))
        assert.same({ "accepted", "task-2" }, { row.state, row.task_id })
      end, "submitting")
      local order = assert(client:pending())[1]
      assert.same({ "task-2", { "task-1" } },
        { order.task_id, order.late_tasks })
    end)

    it("that names no task changes nothing of the second", function()
      at_second_attempt(function(ledger, first)
        for _, state in ipairs { "refused", "unknown" } do
          local row = assert(ledger:resolve(first, state, { error = "late" }))
          assert.same({ "submitting", 2 }, { row.state, row.attempts })
        end
      end, "submitting")
    end)

    it("that comes before the second is sent keeps it from being sent",
      function()
        at_second_attempt(function(ledger, first, waiting)
          local row = assert(ledger:resolve(first, "accepted",
            { task_id = "task-1" }))
          assert.same({ "accepted", "task-1" }, { row.state, row.task_id })
          local sent, err = ledger:submitting(waiting)
          assert.is_nil(sent)
          assert.equal("ledger", err.kind)
        end)
      end)
  end)

  describe("a create that an error has ended", function()
    busted.after_each(function()
      collectgarbage "restart"
    end)

    it("does not make the next one of its key wait", function()
      world.before_request = function()
        world.before_request = nil
        error "ended"
      end
      collectgarbage "stop"
      assert.has_error(function() create() end)
      local _, err = create()
      assert.equal("outcome_unknown", err.kind)
      assert.is_true(world.slept < 2)
      assert.equal(1, world:sent())
    end)
  end)

  describe("pending", function()
    it("lists no order that was never sent, and goes on behind it", function()
      for index = 1, 6 do
        assert(create { key = "k" .. index })
      end
      world:run("UPDATE starvideos_orders SET state = 'prepared', order_key = NULL,"
        .. " task_id = NULL, owner = NULL WHERE order_key < 'k4'")
      local seen, after = {}, nil
      repeat
        local page
        page, after = client:pending { limit = 2, after = after }
        for _, order in ipairs(assert(page, after)) do
          seen[#seen + 1] = tostring(order.key) .. " " .. order.state
        end
      until not after
      assert.same({ "k4 accepted", "k5 accepted", "k6 accepted" }, seen)
      assert.same({ "refused", "refused", "refused", "accepted", "accepted",
        "accepted" }, world:states())
    end)
  end)

  describe("a transaction that is interrupted", function()
    local database
    local jit = rawget(_G, "jit")

    busted.before_each(function()
      if jit then -- a hook does not see what was compiled
        jit.off()
        jit.flush()
      end
      assert(client:pending())
      database = databases.new(world.address)
      assert(database:rows "SELECT 1 AS one")
    end)

    busted.after_each(function()
      database:close()
      if jit then
        jit.on()
      end
    end)

    local function note(name)
      return database:run("INSERT INTO ledger_meta (name, version)"
        .. " VALUES (?, 1)", name)
    end

    -- Raises at the n-th call, return or line in the database's own code, as
    -- the handler of a signal does; returns whether it came to that.
    local function interrupted_at(n, run)
      local hook, mask, count = debug.gethook()
      local seen = 0
      debug.sethook(function()
        local source = debug.getinfo(2, "S").source
        seen = seen + (source:find "ledger/database%.lua$" and 1 or 0)
        if seen == n then
          debug.sethook()
          error("interrupted!", 0)
        end
      end, "crl")
      pcall(run)
      debug.sethook(hook, mask, count)
      return seen >= n
    end

    local function assert_goes_on(ending)
      for n = 1, MANY_EVENTS do
        local came = interrupted_at(n, function()
          database:transaction(function()
            return note("ended" .. n) and ending
          end)
        end)
        world:run "DELETE FROM ledger_meta WHERE name <> 'orders'"
        assert(note("next" .. n))
        assert.equal(1, #world:rows(
          "SELECT name FROM ledger_meta WHERE name = ?", "next" .. n),
          "what followed event " .. n .. " is not on record")
        if not came then
          return
        end
      end
      error "it has more events than that"
    end

    it("leaves no lock, and what follows is on record", function()
      assert_goes_on(true)
    end)

    it("leaves none where it was about to be undone", function()
      assert_goes_on(false)
    end)
  end)

  describe("the key of the provider", function()
    local KEY = "sk-ab/cd+ef=="

    for _, body in ipairs { [[<pre>"sk-ab\/cd+ef==" sk-ab/cd+ef==</pre>]],
      [[{"error":{"message":"unknown: sk-ab\/cd+ef=="}}]],
      [[{"error":{"message":"unknown: sk-ab\u002fcd+ef=="}}]] } do
      it("is kept out of it as it stands in " .. body, function()
        client = world:client { api_key = KEY, transport = function()
          return { status = 500, headers = {}, body = body }
        end }
        local _, err = create()
        assert.equal("outcome_unknown", err.kind)
        local told = world:rows "SELECT error FROM starvideos_orders"[1].error
        for _, text in ipairs { told, err.order.error, err.message } do
          assert.truthy(text:find("[key]", 1, true), text)
          assert.is_nil(text:find("cd+ef", 1, true), text)
        end
      end)
    end
  end)
end)
