-- That what happened is recorded as it was: specs to be run over each database.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

return worlds.behaviour("recording orders", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
  end)

  local function create(options, other)
    return (other or client):create(world.params(), options or { key = "kite" })
  end

  local function answer(fields, status)
    return function()
      return { status = status or 200, headers = {},
        body = type(fields) == "string" and fields or json.encode(fields) }
    end
  end

  -- From here on the ledger lacks its table, until the function is called.
  local function break_ledger()
    world:run "ALTER TABLE starvideos_orders RENAME TO away"
    return function()
      world:run "ALTER TABLE away RENAME TO starvideos_orders"
    end
  end

  describe("an answer that the ledger could not take", function()
    local restore, err

    busted.before_each(function()
      world.before_request = function()
        world.before_request = nil
        restore = break_ledger()
      end
      local began = world.now
      err = select(2, create())
      assert.equal("ledger", err.kind)
      assert.is_true(world.now - began >= 9 and world.now - began <= 11)
    end)

    it("is in the error, with its order", function()
      assert.equal(world.box:tasks().tasks[1].id, err.task.id)
      assert.same({ err.task.id, "kite", 1 }, { err.order.task_id,
        err.order.key, err.order.take })
      restore()
    end)

    it("is written before anything else, and the key gives its task",
      function()
        restore()
        assert.equal(err.task_id, assert(create()).id)
        assert.same({ "accepted" }, world:states())
        assert.equal(1, world:sent "POST")
      end)

    it("is written by another client of the process too", function()
      restore()
      local order = assert(world:client():pending())[1]
      assert.same({ "accepted", err.task_id }, { order.state, order.task_id })
    end)

    it("is written by the wait for its task", function()
      restore()
      assert(client:wait(err.task, { interval = 10 }))
      assert.same({ "completed" }, world:states())
    end)

    it("keeps its order from counting as lost, and from being sent again", function()
      assert.equal("ledger", select(2, create()).kind)
      assert.equal(1, world:sent "POST")
      restore()
    end)

    it("is written when the client is closed", function()
      restore()
      client:close()
      for _ = 1, 500 do -- on a server a thread may be about to
        if world:states()[1] == "accepted" then
          return
        end
        core.sleep(0.01)
      end
      error "it was never written"
    end)
  end)

  it("records what was certainly not sent as just that", function()
    local restore
    world.transport = function()
      restore = restore or break_ledger()
      return nil, { reason = "connect", sent = false, message = "refused" }
    end
    local _, err = create()
    assert.equal("ledger", err.kind) -- it may not be sent again unrecorded
    restore()
    world.transport = world.box:transport()
    assert(create())
    assert.equal(1, world:billed())
  end)

  describe("a create whose task has failed", function()
    local failed = { id = "task-1", object = "video", status = "failed",
      created = 77, error = "no" }

    it("is accepted and over, and its key orders nothing more", function()
      world.transport = answer(failed)
      for _ = 1, 2 do
        local task, err = create()
        assert.is_nil(task)
        assert.equal("task_failed", err.kind)
        assert.same({ "task-1", "failed" }, { err.task.id, err.task.status })
        assert.truthy(err.message:find("--take 2", 1, true), err.message)
      end
      assert.same({ { state = "failed", task_id = "task-1" } },
        world:rows "SELECT state, task_id FROM starvideos_orders")
      assert.equal(1, world:sent())
    end)

    it("is refused where the provider calls it an error, id or not", function()
      world.transport = answer { id = "task-1", object = "error",
        status = "failed", error = "no" }
      assert.equal("invalid_request", select(2, create()).kind)
      assert.same({ "refused" }, world:states())
    end)
  end)

  describe("when a task was created", function()
    for what, created in pairs { ["as the answer said"] = 1234567,
      ["not at all where the answer said nothing"] = false } do
      it("is the same in the answer and by the key later: " .. what,
        function()
          world.transport = answer { id = "task-1", status = "queued",
            created = created or nil }
          local first = assert(create())
          local again = assert(create())
          assert.equal(created or nil, first.created)
          assert.equal(created or nil, again.created)
        end)
    end
  end)

  describe("a text that is not UTF-8", function()
    local GBK = "\196\218\200\221\206\165\185\230"

    it("is recorded so that it can be read, and loses nothing", function()
      world.transport = answer('{"error":{"message":"' .. GBK .. '"}}', 400)
      assert.equal("invalid_request", select(2, create()).kind)
      assert.same({ "refused" }, world:states())
      world.transport = answer('{"id":"task-1","status":"queued"}')
      assert(create())
      world.transport = answer('{"id":"task-1","status":"failed","error":"'
        .. GBK .. '"}')
      assert(client:query "task-1")
      assert.same({ "failed" }, world:states())
      local row = world:rows "SELECT error FROM starvideos_orders"[1]
      assert.equal("\\xC4\\xDA\\xC8\\xDD\206\165\\xB9\\xE6", row.error)
    end)

    it("names an order and a file, and no other", function()
      for _, name in ipairs { GBK, "\196\218", "plain" } do
        local task = assert(create { key = name, path = name .. ".mp4" })
        assert.equal(task.id,
          assert(create { key = name, path = name .. ".mp4" }).id)
      end
      assert.equal(3, world:sent())
    end)
  end)

  describe("an order that names a file and no key", function()
    it("is the same order the next time, wherever the program runs", function()
      local path = shell.read "pwd" .. "/kite.mp4"
      local first = assert(create { path = "kite.mp4" })
      assert.equal(first.id, assert(create { path = path }).id)
      assert.equal(1, world:sent())
      local key = assert(client:pending())[1].key
      assert.equal(path, key:sub(-#path))
    end)

    it("refuses other parameters for the file, and names the next take",
      function()
        assert(create { path = "kite.mp4" })
        local other = world.params(nil, { duration = 6 })
        local _, err = client:create(other, { path = "kite.mp4" })
        assert.equal("validation", err.kind)
        assert.truthy(err.message:find("--take 2", 1, true))
        assert(client:create(other, { path = "kite.mp4", take = 2 }))
        assert.equal(2, world:sent())
      end)

    it("is bought once by a generate that was stopped and run again", function()
      local path = world.folder .. "/kite.mp4"
      local _, err = client:generate(world.params(), { path = path,
        timeout = 5, interval = 1 })
      assert.equal("timeout", err.kind)
      for _ = 1, 2 do
        assert(client:generate(world.params(), { path = path, interval = 10 }))
      end
      assert.equal(1, world:billed())
    end)
  end)

  describe("an account", function()
    local mine, yours

    busted.before_each(function()
      mine = world:client { account = "mine" }
      yours = world:client { account = "yours" }
    end)

    it("has keys of its own", function()
      local first = assert(create(nil, mine))
      local second = assert(create(nil, yours))
      assert.not_equal(first.id, second.id)
      assert.equal(first.id, assert(create(nil, mine)).id)
      assert.equal("yours", assert(client:pending())[2].account)
    end)

    it("finds no order without one before that one is labelled", function()
      local task = assert(create())
      local order = assert(client:pending())[1]
      for take = 1, 2 do
        local _, err = create({ key = "kite", take = take }, mine)
        assert.equal("config", err.kind)
        assert.truthy(err.message:find("starvideos label " .. order.id, 1,
          true), err.message)
      end
      assert.equal("mine", assert(mine:label "kite").account)
      assert.equal(task.id, assert(create(nil, mine)).id)
      assert.equal("mine", assert(client:label(order.id, "mine")).account)
      assert.equal(1, world:sent())
    end)

    it("buys nothing again where a program leaves it out", function()
      local task = assert(create())
      assert(client:label("kite", "mine"))
      for take = 1, 2 do
        local _, err = create { key = "kite", take = take }
        assert.equal("config", err.kind)
        assert.truthy(err.message:find("of the account mine", 1, true),
          err.message)
      end
      assert.equal(task.id, assert(create(nil, mine)).id)
      assert.equal(1, world:sent())
    end)

    it("is set for all takes of a key at once", function()
      assert(create())
      assert(create { key = "kite", take = 2 })
      assert(client:label("kite", "mine", { take = 2 }))
      local accounts = {}
      for index, row in ipairs(world:rows
        "SELECT account FROM starvideos_orders") do
        accounts[index] = row.account
      end
      assert.same({ "mine", "mine" }, accounts)
    end)

    it("is not changed, nor set where it has an order of that name", function()
      assert(create(nil, mine))
      assert.equal("not_found", select(2, client:label("kite", "x")).kind)
      local id = assert(client:pending())[1].id
      assert.equal("validation", select(2, client:label(id, "x")).kind)
      assert(create { key = "ship" })
      world:run("UPDATE starvideos_orders SET order_key = 'kite'"
        .. " WHERE account = ''")
      assert.equal("validation", select(2, client:label("kite", "mine")).kind)
    end)

    it("leaves the orders of others alone when it resumes", function()
      assert(create(nil, mine))
      local sent = world:sent()
      local result = assert(yours:resume { directory = world.folder })
      assert.equal(1, result.left)
      assert.truthy(tostring(result.orders[1].err):find("account", 1, true))
      assert.equal(sent, world:sent())
    end)
  end)

  it("lists all orders where that is asked for", function()
    assert(create())
    assert(create { key = "ship" })
    assert(client:dismiss("kite", { force = true }))
    assert.equal(1, #assert(client:pending()))
    assert.equal(2, #assert(client:pending { all = true }))
    assert.equal(1, #assert(client:pending { all = true, limit = 1 }))
  end)

  it("notes since when the provider does not know a task", function()
    local task = assert(create())
    local ledger = require("starvideos.context").of(client).ledger
    assert(ledger:missing(task.id))
    local since = assert(client:pending())[1].missing_since
    assert.is_near(os.time(), since, 5)
    world:run "UPDATE starvideos_orders SET missing_since = 7"
    assert(ledger:missing(task.id))
    assert.equal(7, assert(client:pending())[1].missing_since)
    assert(client:query(task.id))
    assert.is_nil(assert(client:pending())[1].missing_since)
  end)
end)
