-- What becomes of orders that are written down, whatever database they lie in:
-- specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close() ~= nil
end

return worlds.behaviour("keeping orders", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
  end)

  local function create(...)
    return world.create(client, ...)
  end

  local function lose(key)
    return world.lose(client, key)
  end

  describe("an order that failed", function()
    for scenario, status in pairs { failed = "failed",
      cancelled = "cancelled" } do
      local function fail()
        local task = assert(create(scenario))
        local ok, err = client:wait(task, { interval = 10 })
        assert.is_nil(ok)
        assert.equal("task_failed", err.kind)
        return task
      end

      it("spends its take, and sends nothing more: " .. status .. "",
        function()
          local task = fail()
          local sent = world:sent()
          local again, err = create(scenario)
          assert.is_nil(again)
          assert.equal("task_failed", err.kind)
          assert.same({ task.id, status }, { err.task.id, err.task.status })
          assert.truthy(err.message:find("take = 2 (--take 2)", 1, true))
          assert.equal(sent, world:sent())
          assert.same({}, (assert(client:pending())))
        end)

      it("leaves the next take to be ordered, once: " .. status, function()
        local task = fail()
        local again = assert(create(nil, { key = "kite", take = 2 }))
        assert.not_equal(task.id, again.id)
        assert.equal(again.id,
          assert(create(nil, { key = "kite", take = 2 })).id)
        assert.same({ status, "accepted" }, world:states())
        assert.equal(2, world:sent "POST")
      end)
    end

    it("names the next take where the generate that waited tells of it",
      function()
        local _, err = client:generate(world.params "failed", {
          path = world.folder .. "/kite.mp4", take = 3, interval = 10 })
        assert.equal("task_failed", err.kind)
        assert.truthy(err.message:find("--take 4", 1, true), err.message)
      end)
  end)

  describe("an order that was refused", function()
    for scenario, kind in pairs { create_refused = "invalid_request",
      create_401 = "auth", create_404 = "config" } do
      it("is free to be sent again: " .. scenario, function()
        assert.equal(kind, select(2, create(scenario)).kind)
        assert.same({ "refused" }, world:states())
        assert.same({}, (assert(client:pending())))
        assert(create())
        assert.same({ "accepted" }, world:states())
        assert.equal(1, world:billed())
      end)
    end

    it("may be corrected, its base URL too", function()
      client = world:client { base_url = "https://other.test/api" }
      assert.equal("config", select(2, create()).kind)
      client = world:client()
      assert(create(nil, nil, { prompt = "another kite" }))
      local row = world:rows "SELECT base_url, params FROM starvideos_orders"[1]
      assert.is_nil(row.base_url:find("other.test", 1, true))
      assert.truthy(row.params:find("another kite", 1, true))
    end)

    it("does not pass its task's id on when it is corrected", function()
      local refused = select(2, create "create_refused_id").task_id
      assert.same({ "refused" }, world:states())
      local task = assert(create())
      assert.not_equal(refused, task.id)
      assert.same({ { state = "accepted", task_id = task.id,
        refused_tasks = refused } },
        world:rows "SELECT state, task_id, refused_tasks FROM starvideos_orders")
    end)
  end)

  describe("pending", function()
    it("lists what is open, oldest first", function()
      assert(create(nil, { key = "b" }))
      lose "a"
      world.transport = function()
        return nil, { reason = "connect", sent = false, message = "refused" }
      end
      create(nil, { key = "c" })
      local list, more = assert(client:pending())
      assert.is_nil(more)
      local seen = {}
      for index, order in ipairs(list) do
        seen[index] = order.key .. " " .. order.state
      end
      assert.same({ "b accepted", "a unknown", "c prepared" }, seen)
    end)

    it("leaves out orders about which nothing is to be done", function()
      for _, state in ipairs { "downloaded", "failed", "cancelled",
        "refused", "abandoned" } do
        assert(create(nil, { key = state }))
        world:run("UPDATE starvideos_orders SET state = ?, closed_at = 1 WHERE"
          .. " order_key = ?", state, state)
      end
      assert.same({}, (assert(client:pending())))
    end)

    it("tells of an order all that is known", function()
      local task = assert(create(nil, { key = "kite", path = "kite.mp4" }))
      local order = assert(client:pending())[1]
      assert.truthy(order.id:find("^%x+$"))
      assert.equal(32, #order.id)
      assert.equal(shell.read "cat /proc/sys/kernel/hostname", order.machine)
      assert.same({ "kite", "accepted", task.id, "videos", "a kite",
        shell.read "pwd" .. "/kite.mp4", 1 }, { order.key, order.state, order.task_id,
        order.model, order.prompt, order.path, order.attempts })
      assert.same({ model = "videos", prompt = "a kite", duration = 5 },
        order.params)
      assert.is_near(os.time(), order.created_at, 5)
      assert.is_near(os.time(), order.updated_at, 5)
    end)

    it("goes on page by page", function()
      for index = 1, 7 do
        assert(create(nil, { key = "k" .. index }))
      end
      local keys, after = {}, nil
      repeat
        local page
        page, after = client:pending { limit = 3, after = after }
        for _, order in ipairs(assert(page, after)) do
          keys[#keys + 1] = order.key
        end
      until not after
      assert.equal("k1 k2 k3 k4 k5 k6 k7", table.concat(keys, " "))
    end)

    it("sends nothing and is empty in a new ledger", function()
      assert.same({}, (assert(client:pending())))
      assert.equal(0, world:sent())
    end)
  end)

  describe("dismiss", function()
    it("abandons an order of unknown outcome, and spends its take", function()
      local order = lose().order
      local dismissed = assert(client:dismiss(order))
      assert.equal("abandoned", dismissed.state)
      assert.same({}, (assert(client:pending())))
      local task, err = create "create_reset"
      assert.is_nil(task)
      assert.equal("validation", err.kind)
      assert.truthy(err.message:find("--take 2", 1, true), err.message)
      assert.equal(1, world:sent())
      assert(create(nil, { key = "kite", take = 2 }))
      assert.equal(2, world:sent())
    end)

    it("takes the id alone", function()
      assert(client:dismiss(lose().order.id))
    end)

    it("returns not_found for an order that there is not", function()
      local order, err = client:dismiss(("0"):rep(32))
      assert.is_nil(order)
      assert.equal("not_found", err.kind)
    end)

    it("leaves an order alone that is about to be sent again", function()
      local other, err = world:client(), nil
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        local order = assert(other:pending())[1]
        assert.equal("prepared", order.state)
        err = select(2, other:dismiss(order))
        return true
      end }
      world:fail_once()
      assert(create())
      assert.equal("validation", err.kind)
    end)

    it("leaves an order alone that was bought, unless forced", function()
      local task = assert(create())
      local order = assert(client:pending())[1]
      local dismissed, err = client:dismiss(order)
      assert.is_nil(dismissed)
      assert.equal("validation", err.kind)
      assert.truthy(err.message:find(task.id, 1, true))
      assert.truthy(err.message:find("force (--force) dismisses the order", 1, true))
      assert.equal("abandoned",
        assert(client:dismiss(order, { force = true })).state)
    end)

    it("leaves a saved order alone", function()
      assert(create())
      world.now = world.now + 200
      assert(client:resume { directory = world.folder })
      local id = world:rows "SELECT order_id FROM starvideos_orders"[1].order_id
      assert.equal("validation", select(2, client:dismiss(id)).kind)
    end)
  end)

  describe("resume", function()
    it("waits for what is open and saves it", function()
      local first = assert(create(nil, { key = "one" }))
      assert(create(nil, { key = "two" }))
      local result = assert(client:resume { directory = world.folder,
        interval = 10 })
      assert.same({ 2, 0, 0 }, { result.done, result.failed, result.left })
      assert.is_true(exists(world.folder .. "/one.mp4"))
      assert.is_true(exists(world.folder .. "/two.mp4"))
      assert.same({ "downloaded", "downloaded" }, world:states())
      assert.same({}, (assert(client:pending())))
      local row = world:rows(
        "SELECT * FROM starvideos_orders WHERE order_key = 'one'")[1]
      assert.equal(first.id, row.task_id)
      assert.equal(world.folder .. "/one.mp4", row.path)
      assert.equal(shell.read "cat /proc/sys/kernel/hostname", row.machine)
      assert.equal(#world:read "one.mp4", row.bytes)
    end)

    it("orders nothing", function()
      lose "lost"
      assert(create())
      local posts = world:sent "POST"
      assert(client:resume { directory = world.folder, interval = 10 })
      assert.equal(posts, world:sent "POST")
    end)

    it("reports each order when it has finished", function()
      assert(create(nil, { key = "fine" }))
      assert(create("failed", { key = "bad" }))
      lose "lost"
      local seen = {}
      local result = assert(client:resume { directory = world.folder,
        interval = 10, on_done = function(order, file, err)
          seen[order.key] = file and file.path or err.kind
        end })
      assert.same({ fine = world.folder .. "/fine.mp4", bad = "task_failed",
        lost = "outcome_unknown" }, seen)
      assert.same({ 1, 1, 1 }, { result.done, result.failed, result.left })
      assert.equal(3, #result.orders)
    end)

    it("saves where the order said, and where the caller says", function()
      local said = world.folder .. "/said.mp4"
      assert(create(nil, { key = "a", path = said }))
      assert(create(nil, { key = "b" }))
      assert(client:resume { interval = 10, path = function(order)
        return order.key == "b" and world.folder .. "/b of mine.mp4" or nil
      end })
      assert.is_true(exists(said))
      assert.is_true(exists(world.folder .. "/b of mine.mp4"))
    end)

    it("saves where the order said last", function()
      create("create_refused", { key = "a", path = "/not/here.mp4" })
      local said = world.folder .. "/said.mp4"
      assert(create(nil, { key = "a", path = said }))
      assert(client:resume { interval = 10 })
      assert.is_true(exists(said))
    end)

    it("makes no path outside its folder of a key with ..", function()
      assert(create(nil, { key = "../../x/y" }))
      local result = assert(client:resume { directory = world.folder,
        interval = 10 })
      local path = result.orders[1].file.path
      assert.equal(world.folder, path:match "^(.*)/[^/]*$")
    end)

    it("leaves an order whose task takes longer than its time-out", function()
      assert(create("never", { key = "slow" }))
      local result = assert(client:resume { directory = world.folder,
        interval = 10, timeout = 60 })
      assert.same({ 0, 0, 1 }, { result.done, result.failed, result.left })
      assert.equal("timeout", result.orders[1].err.kind)
      assert.same({ "accepted" }, world:states())
    end)

    it("leaves what was ordered at another address", function()
      assert(create())
      local other = world:client { base_url = "https://other.test/api" }
      local sent = world:sent()
      local result = assert(other:resume { directory = world.folder })
      assert.equal(1, result.left)
      assert.equal(sent, world:sent())
    end)

    it("does nothing the second time", function()
      assert(create())
      assert(client:resume { directory = world.folder, interval = 10 })
      local sent = world:sent()
      local result = assert(client:resume { directory = world.folder })
      assert.same({ 0, 0, 0 }, { result.done, result.failed, result.left })
      assert.equal(sent, world:sent())
    end)
  end)

  describe("a secret", function()
    local link = "https://media.test/1.png?sign=OPEN-SESAME"

    it("is in nothing that is stored", function()
      local key = "sk-Zq7-secret-of-mine"
      client = world:client { api_key = key, transport = function()
        return { status = 401, headers = {},
          body = '{"error":{"message":"unknown: ' .. key .. " " .. link
            .. '"}}' }
      end }
      create(nil, nil, { prompt = "say " .. key,
        referenceImages = { link } })
      create("create_reset", { key = "other" },
        { referenceImages = { link } })
      local dump = world:dump()
      assert.truthy(dump:find("media.test", 1, true))
      assert.is_nil(dump:find(key, 1, true))
      assert.is_nil(dump:find("OPEN-SESAME", 1, true))
    end)

    it("still tells two links apart, without showing either", function()
      assert(create(nil, nil, { referenceImages = { link } }))
      assert(create(nil, nil, { referenceImages = { link } }))
      assert.equal(1, world:sent())
      local _, err = create(nil, nil,
        { referenceImages = { link .. "-2" } })
      assert.equal("validation", err.kind)
      assert.is_nil(tostring(err):find("OPEN-SESAME", 1, true))
    end)
  end)

  describe("a ledger's tables", function()
    -- How another version is told from this one, and what to do about it.
    for age, other in pairs { newer = { "+ 1", "update this library" },
      older = { "- 1", "read it with that version" } } do
      local change = "UPDATE ledger_meta SET version = version " .. other[1]

      local function assert_refused(result, err)
        assert.is_nil(result)
        assert.equal("ledger", err.kind)
        for _, words in ipairs { age .. " version", other[2],
          "name another ledger" } do
          assert.truthy(err.message:find(words, 1, true), err.message)
        end
      end

      it(("are left alone where a version %s wrote them"):format(age), function()
        assert(create())
        world:run(change)
        local before = world:dump()
        local another = world:client()
        assert_refused(another:pending())
        assert_refused(another:create(world.params(), { key = "new" }))
        assert.equal(before, world:dump())
        assert.equal(1, world:sent())
      end)

      it(("are left alone by a program that has them open when they become those"
        .. " of a version %s"):format(age), function()
          assert(create())
          world:run "UPDATE starvideos_orders SET state = 'refused'"
          world:run(change)
          local before = world:dump()
          for _, key in ipairs { "kite", "new" } do
            assert_refused(create(nil, { key = key }))
          end
          assert.equal(before, world:dump())
          assert.equal(1, world:sent())
        end)
    end

    it("are refused whole where the first version wrote them", function()
      world:run [[CREATE TABLE ledger_meta (name TEXT PRIMARY KEY,
        version INTEGER NOT NULL)]]
      world:run "INSERT INTO ledger_meta (name, version) VALUES ('orders', 1)"
      world:run "CREATE TABLE orders (order_id TEXT PRIMARY KEY)"
      local task, err = create()
      assert.is_nil(task)
      assert.truthy(err.message:find("schema 1,", 1, true), err.message)
      assert.same({ { version = 1 } },
        world:rows "SELECT version FROM ledger_meta")
      assert.has_error(function() world:run "SELECT 1 FROM starvideos_orders" end)
      assert.equal(0, world:sent())
    end)

    it("are made whole or not at all", function()
      world:run "CREATE TABLE starvideos_workers (mine TEXT)"
      local task, err = create()
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.has_error(function() world:run "SELECT 1 FROM starvideos_orders" end)
      world:run "DROP TABLE starvideos_workers"
      assert(create())
    end)

    it("hold a key and take once, even for other programs", function()
      assert(create())
      local copy = [[INSERT INTO starvideos_orders (order_id, order_key, state, params,
        base_url, attempts, revision, created_at, updated_at)
        SELECT 'copy', order_key, state, params, base_url, 1, 1, 0, 0
        FROM starvideos_orders]]
      assert.has_error(function() world:run(copy) end)
      assert.same({ "accepted" }, world:states())
    end)

    it("are made where there are none", function()
      world:run [[CREATE TABLE ledger_meta (name TEXT PRIMARY KEY,
        version INTEGER NOT NULL)]]
      world:run "INSERT INTO ledger_meta (name, version) VALUES ('orders', 0)"
      assert(create())
      assert.same({ "accepted" }, world:states())
    end)
  end)
end)
