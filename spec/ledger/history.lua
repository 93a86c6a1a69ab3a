-- What a ledger tells of all its orders, whatever database it lies in: specs to
-- be run over each.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local history = require "starvideos.ledger.history"
local worlds = require "spec.ledger.world"

local before_each, describe, it = busted.before_each, busted.describe, busted.it

return worlds.behaviour("the history of a ledger", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
  end)

  local function create(key, options)
    options = options or {}
    options.key = key
    return assert(client:create(world.params(), options))
  end

  local function keys(filter)
    local list, after = client:orders(filter)
    local names = {}
    for index, order in ipairs(assert(list, after)) do
      names[index] = order.key
    end
    return table.concat(names, " "), after
  end

  -- An order that ended some days ago.
  local function ended(key, days)
    create(key)
    world:run([[UPDATE starvideos_orders SET state = 'downloaded',
      closed_at = ?, error = NULL WHERE order_key = ?]],
      core.time() - days * 86400, key)
  end

  describe("orders", function()
    it("lists them all, page by page", function()
      create "a"
      create "b"
      create "c"
      local first, after = keys { limit = 2 }
      assert.equal("a b", first)
      assert.equal("c", (keys { limit = 2, after = after }))
    end)

    it("lists those of a state, or of several", function()
      create "a"
      ended("b", 1)
      world.lose(client, "c")
      assert.equal("b", (keys { state = "downloaded" }))
      assert.equal("a c", (keys { state = { "accepted", "unknown" } }))
    end)

    it("lists those of a label, an account or a key", function()
      create("a", { label = "act1" })
      create "b"
      client = world:client { account = "films" }
      create "c"
      assert.equal("a", (keys { label = "act1" }))
      assert.equal("c", (keys { account = "films" }))
      assert.equal("b", (keys { key = "b" }))
    end)

    it("does not list what is staged only, unless it is asked for", function()
      create "a"
      local ledger = require("starvideos.context").of(client).ledger
      assert(ledger:stage(nil, { { key = "b", take = 1, model = "videos",
        params = "{}", base_url = "http://here", endpoint = "/x", body = "{}" } }))
      assert.equal("a", (keys()))
      assert.equal("b", (keys { state = "staged" }))
      local list = assert(client:pending { all = true })
      assert.equal(1, #list)
    end)

    it("lists those of a time", function()
      create("a", { label = "act1" })
      create("b", { label = "act1" })
      world:run [[UPDATE starvideos_orders SET created_at = 500,
        order_id = '000001f4' || SUBSTR(order_id, 9) WHERE order_key = 'a']]
      for _, filter in ipairs { {}, { state = "accepted" }, { label = "act1" } } do
        filter.since = 500.5
        assert.equal("b", (keys(filter)))
        filter.since, filter.before = nil, 500.5
        assert.equal("a", (keys(filter)))
        filter.since = 500.25
        assert.equal("", (keys(filter)))
      end
    end)

    it("lists those that two filters fit, in the order they were placed", function()
      create("a", { label = "act1" })
      create("b", { label = "act2" })
      client = world:client { account = "films" }
      create("c", { label = "act1" })
      ended("d", 1)
      create("e", { label = "act1" })
      world:run "UPDATE starvideos_orders SET label = 'act1' WHERE order_key = 'd'"
      assert.equal("a c d e", (keys { label = "act1" }))
      assert.equal("a c e", (keys { label = "act1", state = "accepted" }))
      assert.equal("a c", (keys { label = "act1", limit = 2 }))
      assert.equal("c d e", (keys { label = "act1", account = "films" }))
      assert.equal("d", (keys { account = "films", state = "downloaded" }))
      assert.equal("", (keys { label = "act2", account = "films" }))
      assert.equal("", (keys { key = "a", label = "act2" }))
      local _, after = keys { state = "accepted", limit = 2 }
      assert.equal("c e", (keys { state = "accepted", after = after }))
    end)

    it("recovers those whose process ended", function()
      create "a"
      world:run "UPDATE starvideos_orders SET state = 'submitting'"
      world:take_over(1, -100)
      assert.equal("unknown", assert(client:orders())[1].state)
    end)
  end)

  describe("the states of some orders", function()
    local ledger, ids

    before_each(function()
      ledger, ids = require("starvideos.context").of(client).ledger, {}
      for index, key in ipairs { "a", "b", "c", "d", "e" } do
        create(key)
        ids[index] = client:orders({ key = key })[1].id
      end
    end)

    it("are told of those alone that were asked for", function()
      world:run "UPDATE starvideos_orders SET state = 'failed' WHERE order_key = 'b'"
      for count = 1, 4 do
        local expected, asked = {}, {}
        for index = 1, count do
          asked[index] = ids[index]
          expected[ids[index]] = index == 2 and "failed" or "accepted"
        end
        assert.same(expected, assert(ledger:states(asked)))
      end
      assert.same({}, assert(ledger:states {}))
    end)

    it("have none that is not there, or was deleted", function()
      world:run "UPDATE starvideos_orders SET deleted_at = 5 WHERE order_key = 'b'"
      assert.same({ [ids[1]] = "accepted" },
        assert(ledger:states { ids[1], ids[2], ("0"):rep(32) }))
    end)
  end)

  describe("the status", function()
    it("is the same however many orders are summed up at a time", function()
      for index = 1, 5 do
        create("k" .. index)
      end
      ended("k2", 1)
      local slice, expected = history.policy.slice, assert(client:status())
      for _, size in ipairs { 1, 2, 5 } do
        history.policy.slice = size
        local found = assert(client:status())
        history.policy.slice = slice
        assert.same(expected.states, found.states)
        assert.same(expected.spend, found.spend)
      end
      assert.same({ accepted = 4, downloaded = 1 }, expected.states)
    end)

    it("counts the orders by their state", function()
      create "a"
      create "b"
      ended("c", 1)
      assert.same({ accepted = 2, downloaded = 1 },
        assert(client:status()).states)
    end)

    it("adds up what was spent, today and in all", function()
      for _, key in ipairs { "a", "b", "c", "d" } do
        create(key)
      end
      local today = math.floor(core.time() / 86400) * 86400
      for key, row in pairs { a = { 2500000, today },
        b = { 1000000, today - 86400 }, c = { 4000000 }, d = { nil, today } } do
        world:run([[UPDATE starvideos_orders SET cost = ?, spent_in = ?,
          currency = 'USD' WHERE order_key = ?]], row[1], row[2], key)
      end
      local status = assert(client:status())
      assert.same({ USD = { total = 3.5, today = 2.5 } }, status.spend)
      assert.equal(1, status.unpriced)
    end)

    it("counts the tasks that nobody works on, and those that take long", function()
      for _, key in ipairs { "mine", "left", "given", "own", "old" } do
        create(key)
      end
      world:run("UPDATE starvideos_orders SET updated_at = ?", core.time() - 300)
      world:run [[UPDATE starvideos_orders SET queued_at = 5
        WHERE order_key IN ('mine', 'left', 'given')]]
      world:run "UPDATE starvideos_orders SET claim = 'w' WHERE order_key = 'mine'"
      world:run([[UPDATE starvideos_orders SET not_before = ?
        WHERE order_key = 'given']], core.time() + 60)
      world:run([[UPDATE starvideos_orders SET accepted_at = ?
        WHERE order_key = 'old']], core.time() - 3600)
      local status = assert(client:status())
      assert.equal(1, status.unattended)
      assert.equal(1, status.overdue)
      assert.equal(1, status.claimed)
    end)

    it("tells of the workers, and how long ago each was heard of", function()
      local ledger = require("starvideos.context").of(client).ledger
      assert(ledger:register { base_url = "http://here" })
      local workers = assert(client:status()).workers
      assert.equal(1, #workers)
      assert.equal("http://here", workers[1].base_url)
      assert.is_false(workers[1].is_dead)
      assert.is_true(workers[1].silence < 60)
      assert.equal(0, workers[1].claims)
      create "mine"
      world:run("UPDATE starvideos_orders SET claim = ?", workers[1].id)
      workers = assert(client:status()).workers
      assert.equal(1, workers[1].claims) -- before its next heartbeat
      world:run "UPDATE starvideos_workers SET lease_began = lease_began - 600"
      workers = assert(client:status()).workers
      assert.is_true(workers[1].silence >= 600)
      assert.is_true(workers[1].is_dead)
    end)
  end)

  describe("the archive", function()
    local function archived()
      return assert(client:archive())
    end

    it("keeps nothing of the prompt of an order that ended", function()
      ended("a", 40)
      assert.equal(1, archived())
      assert.is_nil(world:dump():find("kite", 1, true))
      local order = assert(client:order "a")
      assert.same({}, order.params)
      assert.is_nil(order.prompt)
    end)

    it("leaves younger orders, open ones and unknown ones", function()
      ended("a", 10)
      create "b"
      world.lose(client, "c")
      assert.equal(0, archived())
      assert.equal("a kite", assert(client:order "a").prompt)
    end)

    it("takes those before a time that is given", function()
      ended("a", 10)
      assert.equal(1, assert(client:archive { before = core.time() }))
    end)

    it("buys nothing again", function()
      ended("a", 40)
      archived()
      local before = world:billed()
      assert(create "a")
      assert.equal(before, world:billed())
    end)

    it("still refuses another order under the key", function()
      ended("a", 40)
      archived()
      local task, err = client:create(world.params(nil, { duration = 10 }),
        { key = "a" })
      assert.is_nil(task)
      assert.equal("validation", err.kind)
      assert.truthy(err.message:find("it has others, which were archived, this"
        .. " one {", 1, true), err.message)
    end)

    it("drops what was staged and never enqueued", function()
      local ledger = require("starvideos.context").of(client).ledger
      for index, key in ipairs { "old", "young" } do
        assert(ledger:stage(nil, { { key = key, take = 1, params = "{}",
          base_url = "http://here", endpoint = "/videos", body = "a kite" } }))
        world:run("UPDATE starvideos_orders SET updated_at = ?"
          .. " WHERE order_key = ?", core.time() - (index == 1 and 40 or 1)
          * 86400, key)
      end
      assert.equal(0, archived())
      local rows = world:rows "SELECT order_key FROM starvideos_orders"
      assert.same({ { order_key = "young" } }, rows)
      assert.equal(1, #world:rows "SELECT * FROM starvideos_bodies")
    end)

    it("archives an order once", function()
      ended("a", 40)
      archived()
      assert.equal(0, archived())
    end)

    it("goes through more than a page", function()
      ended("a", 40)
      local columns = [[take, account, state, model, params, params_form,
        base_url, attempts, revision, created_at, updated_at, closed_at]]
      for index = 1, 1200 do
        world:run(("INSERT INTO starvideos_orders (order_id, order_key, %s)"
          .. " SELECT order_id || ?, ?, %s FROM starvideos_orders"
          .. " WHERE order_key = 'a'"):format(columns, columns),
          tostring(index), "a" .. index)
      end
      assert.equal(1201, archived())
    end)
  end)
end)
