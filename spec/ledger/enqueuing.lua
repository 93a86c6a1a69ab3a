-- How a list of orders gets into the queue of a ledger, and what they cost,
-- whatever database it lies in: specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local owner = require "starvideos.ledger.owner"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

return worlds.behaviour("enqueuing orders", function(each)
  local world

  each(function(new_world)
    world = new_world
  end)

  local function order(path, changes)
    local params = world.params(nil, changes)
    params.path = path
    return params
  end

  local function pricing(per_second)
    return { prices = { currency = "USD",
      models = { videos = { per_second = per_second } } } }
  end

  local function costs()
    return world:rows "SELECT cost, currency FROM starvideos_orders"
  end

  describe("the price of an order", function()
    it("is that at which it was placed", function()
      local first, second = world:client(pricing(0.1)), world:client(pricing(9))
      assert(world.create(first))
      assert(world.create(second))
      assert.same({ { cost = 500000, currency = "USD" } }, costs())
      local kite = assert(first:order "kite")
      assert.same({ 0.5, "USD" }, { kite.cost, kite.currency })
    end)

    it("is another where an order is corrected that was refused", function()
      assert(not world.create(world:client(pricing(0.1)), "create_400"))
      assert(world.create(world:client(pricing(0.2))))
      assert.same({ { cost = 1000000, currency = "USD" } }, costs())
    end)

    it("is missing where the client has none for it", function()
      assert(world.create(world:client()))
      assert(world.create(world:client { prices = { currency = "USD",
        models = {} } }, nil, { key = "boat" }))
      assert.same({ {}, {} }, costs())
    end)

    it("stays where somebody sends a queued order that has one", function()
      assert(world:client(pricing(0.1)):enqueue { order "kite.mp4" })
      assert(world:client(pricing(9)):create(world.params(),
        { key = "kite.mp4" }))
      assert.same({ { cost = 500000, currency = "USD" } }, costs())
    end)

    it("comes with the next list for a queued order that has none", function()
      assert(world:client():enqueue { order "kite.mp4" })
      assert.same({ {} }, costs())
      local orders = assert(world:client(pricing(0.1))
        :enqueue { order "kite.mp4" })
      assert.is_true(orders[1].known)
      assert.same({ { cost = 500000, currency = "USD" } }, costs())
      assert(world:client(pricing(9)):enqueue { order "kite.mp4" })
      assert.same({ { cost = 500000, currency = "USD" } }, costs())
    end)
  end)

  describe("a list", function()
    local client

    busted.before_each(function()
      client = world:client()
    end)

    -- What stands in the ledger, by the keys of the orders.
    local function stored()
      local states = {}
      for _, row in ipairs(world:rows
        "SELECT order_key, take, state FROM starvideos_orders") do
        states[row.order_key .. (row.take > 1 and "/" .. row.take or "")] =
          row.state
      end
      return states
    end

    -- The faults of a list of which nothing is enqueued.
    local function refused(list, from)
      local orders, err = (from or client):enqueue(list)
      assert.is_nil(orders)
      assert.equal("validation", err.kind, tostring(err))
      assert.equal(0, world:sent())
      return err.violations, err
    end

    it("is queued, in its order, and nothing of it is sent", function()
      local orders = assert(client:enqueue { order "b.mp4", order "a.mp4",
        order(nil, { key = "kite", take = 2, label = "film" }) })
      local seen = {}
      for index, one in ipairs(orders) do
        seen[index] = { one.key, one.path or false, one.take, one.state,
          one.label or false, one.known or false, one.prompt }
      end
      assert.same({ { "b.mp4", "b.mp4", 1, "queued", false, false, "a kite" },
        { "a.mp4", "a.mp4", 1, "queued", false, false, "a kite" },
        { "kite", false, 2, "queued", "film", false, "a kite" } }, seen)
      assert.equal(0, world:sent())
      local keys = {}
      for index, row in ipairs(world:rows
        "SELECT order_key FROM starvideos_orders ORDER BY order_id") do
        keys[index] = row.order_key
      end
      assert.same({ "b.mp4", "a.mp4", "kite" }, keys)
    end)

    it("holds what is to be sent, with every secret of it", function()
      local url = "https://a.test/1.png?signature=secret"
      assert(client:enqueue { order("a.mp4", { referenceImages = { url } }) })
      local bodies = world:rows "SELECT body, endpoint FROM starvideos_bodies"
      assert.equal("/v1/videos/videos", bodies[1].endpoint)
      assert.truthy(bodies[1].body:find(url, 1, true))
      assert.is_nil(world:dump():find("secret", 1, true))
    end)

    it("is compared, recorded and priced by what is ignored and not sent", function()
      client = world:client { prices = { currency = "USD", models = {
        starvideos_o3 = { per_second = 0.1 } } } }
      local function video(seconds)
        return order("a.mp4", { model = "starvideos_o3", duration = seconds,
          ratio = "16:9", referenceVideos = { { url = "https://a.test/1.mp4",
          duration = 7 } } })
      end
      local orders = assert(client:enqueue { video(5) })
      assert.same({ 5, "16:9", 0.7, "video reference" }, {
        orders[1].params.duration, orders[1].params.ratio, orders[1].cost,
        orders[1].mode })
      local body = world:rows "SELECT body FROM starvideos_bodies"[1].body
      assert.truthy(body:find("https://a.test/1.mp4", 1, true))
      assert.is_nil(body:find "duration" or body:find "ratio")
      assert.is_true(assert(client:enqueue { video(5) })[1].known)
      local _, err = refused({ video(6) }, client)
      assert.truthy(err.message:find("differs in duration", 1, true))
    end)

    it("is the same orders when it comes again, whatever became of them",
      function()
        local list = { order "a.mp4", order "b.mp4", order "c.mp4" }
        local first = assert(client:enqueue(list))
        assert(client:create(world.params(), { key = "a.mp4" }))
        assert(client:dismiss "b.mp4")
        local second = assert(client:enqueue(list))
        local states = {}
        for index, one in ipairs(second) do
          assert.equal(first[index].id, one.id)
          assert.is_true(one.known)
          states[index] = one.state
        end
        assert.same({ "accepted", "abandoned", "queued" }, states)
        assert.equal(1, world:billed())
      end)

    it("is added to where it has grown", function()
      assert(client:enqueue { order "a.mp4" })
      local orders = assert(client:enqueue { order "./a.mp4", order "b.mp4" })
      assert.is_true(orders[1].known)
      assert.is_nil(orders[2].known)
      assert.same({ ["a.mp4"] = "queued", ["b.mp4"] = "queued" }, stored())
    end)

    it("is not enqueued at all where one of it has changed", function()
      assert(client:enqueue { order "a.mp4", order "b.mp4" })
      local violations, err = refused { order "a.mp4", order "c.mp4",
        order("b.mp4", { prompt = "a boat", duration = 9 }), order "d.mp4" }
      assert.equal(1, #violations)
      assert.same({ 3, "key", "conflict", 2 }, { violations[1].index,
        violations[1].field, violations[1].code, violations[1].next_take })
      assert.truthy(err.message:find("order 3: the key b.mp4, take 1, names an"
        .. " order that is there, and differs in duration, prompt", 1, true))
      assert.truthy(err.message:find("take 2; nothing was enqueued", 1, true))
      assert.same({ ["a.mp4"] = "queued", ["b.mp4"] = "queued" }, stored())
    end)

    it("has changed where its videos are to lie elsewhere", function()
      local named, bare = order("a.mp4", { key = "a" }),
        order(nil, { key = "b" })
      assert(client:enqueue { named, bare })
      assert(client:enqueue { named, bare })
      local violations, err = refused { order("c/a.mp4", { key = "a" }),
        order("b.mp4", { key = "b", duration = 9 }) }
      assert.equal(2, #violations)
      assert.truthy(err.message:find("differs in path; that one is queued", 1,
        true))
      assert.truthy(err.message:find("differs in duration, path", 1, true))
    end)

    it("names all that has changed, and the takes that are free", function()
      assert(client:enqueue { order "a.mp4",
        order("b.mp4", { key = "b" }),
        order("b2.mp4", { key = "b", take = 2 }) })
      local violations = refused { order("a.mp4", { duration = 9 }),
        order("b.mp4", { key = "b", duration = 9 }) }
      assert.same({ 2, 3 },
        { violations[1].next_take, violations[2].next_take })
    end)

    it("is another where its orders have another take", function()
      assert(client:enqueue { order "a.mp4" })
      assert(client:enqueue { order("a.mp4", { take = 2, prompt = "a boat" }) })
      assert.same({ ["a.mp4"] = "queued", ["a.mp4/2"] = "queued" }, stored())
    end)

    it("is not that of another provider", function()
      assert(client:enqueue { order "a.mp4" })
      local _, err = refused({ order "a.mp4" },
        world:client { base_url = "https://other.test" })
      assert.truthy(err.message:find("differs in the base URL", 1, true))
    end)

    it("is of the client's account", function()
      assert(client:enqueue { order "a.mp4" })
      local _, err = refused({ order "a.mp4", order "b.mp4" },
        world:client { account = "mine" })
      assert.truthy(err.message:find("has no account", 1, true), err.message)
      local mine = world:client { account = "mine" }
      assert.equal("mine", assert(mine:enqueue { order "c.mp4" })[1].account)
      _, err = refused({ order "c.mp4" })
      assert.truthy(err.message:find("of the account mine", 1, true))
      assert.same({ ["a.mp4"] = "queued", ["c.mp4"] = "queued" }, stored())
    end)

    it("writes nothing where one of it has a fault", function()
      refused { order "a.mp4", order("b.mp4", { duration = 77 }) }
      assert(client:pending()) -- makes the tables
      assert.same({}, stored())
    end)

    it("corrects an order that was refused, and queues it again", function()
      assert(not client:create(world.params "create_400", { key = "a.mp4" }))
      assert.same({ ["a.mp4"] = "refused" }, stored())
      local orders = assert(client:enqueue { order "a.mp4" })
      assert.is_nil(orders[1].known)
      assert.same({ ["a.mp4"] = "queued" }, stored())
    end)

    -- Another process stands between staging and enqueuing three orders.
    local function staged_elsewhere()
      world:start "enqueue kite 3"
      world:await "sending"
      local keys = { "kite-1.mp4", "kite-2.mp4", "kite-3.mp4" }
      for _, key in ipairs(keys) do
        assert.equal("staged", stored()[key])
      end
      return keys
    end

    it("is nobody's where its process was killed on the way, and comes again",
      function()
        local keys = staged_elsewhere()
        world:kill()
        assert.same({}, (assert(client:pending())))
        local list = {}
        for index, key in ipairs(keys) do
          list[index] = order(key)
        end
        for _, one in ipairs(assert(client:enqueue(list))) do
          assert.same({ "queued" }, { one.state, one.known })
        end
        assert.same({ "queued", "queued", "queued" }, world:states())
      end)

    it("is enqueued once where two processes enqueue it", function()
      local keys = staged_elsewhere()
      assert(client:enqueue { order(keys[2]), order "other.mp4" })
      assert.same({ [keys[1]] = "staged", [keys[2]] = "queued",
        [keys[3]] = "staged", ["other.mp4"] = "queued" }, stored())
      world:continue()
      assert.matches("^3 orders\r?\n$", world:read "output")
      assert.same({ "queued", "queued", "queued", "queued" }, world:states())
    end)

    it("takes over what one that was killed has staged", function()
      assert(client:pending()) -- makes the tables
      world:run [[INSERT INTO starvideos_orders (order_id, order_key, state,
        claim, params, base_url, attempts, revision, created_at, updated_at)
        VALUES ('0', 'a.mp4', 'staged', 'another', '{}', 'x', 0, 1, 0, 0)]]
      local orders = assert(client:enqueue { order "a.mp4" })
      assert.same({ "0", "queued" }, { orders[1].id, orders[1].state })
      assert.same({ ["a.mp4"] = "queued" }, stored())
    end)

    describe("of which another client enqueues a part at the same time",
      function()
        -- The other comes when this one has staged all, and is asked.
        local function meanwhile(act)
          return { confirm = function()
            act(world:client())
            return true
          end }
        end

        it("loses nothing where the other goes back", function()
          local orders = assert(client:enqueue({ order "a.mp4", order "b.mp4" },
            meanwhile(function(other)
              other:enqueue({ order "a.mp4", order "c.mp4" },
                { confirm = function() return false end })
            end)))
          assert.equal(2, #orders)
          assert.same({ ["a.mp4"] = "queued", ["b.mp4"] = "queued" }, stored())
        end)

        it("knows what the other has enqueued", function()
          local orders = assert(client:enqueue({ order "a.mp4", order "b.mp4" },
            meanwhile(function(other)
              assert(other:enqueue { order "a.mp4", order "c.mp4" })
            end)))
          assert.same({ true, nil }, { orders[1].known, orders[2].known })
          assert.same({ "queued", "queued", "queued" }, world:states())
        end)

        it("is refused where the other has made it another order", function()
          local orders, err = client:enqueue({ order "a.mp4", order "b.mp4" },
            meanwhile(function(other)
              assert(other:enqueue { order("a.mp4", { prompt = "a boat" }) })
            end))
          assert.is_nil(orders)
          assert.equal("conflict", err.violations[1].code)
          assert.same({ ["a.mp4"] = "queued" }, stored())
        end)

        it("knows what somebody has sent by its key", function()
          local orders = assert(client:enqueue({ order "a.mp4", order "b.mp4" },
            meanwhile(function(other)
              assert(other:create(world.params(), { key = "a.mp4" }))
            end)))
          assert.equal("accepted", orders[1].state)
          assert.same({ ["a.mp4"] = "accepted", ["b.mp4"] = "queued" }, stored())
        end)
      end)

    it("is longer than what is staged at a time", function()
      local list = {}
      for index = 1, 1203 do
        list[index] = order(index .. ".mp4")
      end
      local orders = assert(client:enqueue(list))
      assert.equal(1203, #orders)
      for index, one in ipairs(orders) do
        assert.equal(index .. ".mp4", one.key)
        assert.is_true(index == 1 or one.id > orders[index - 1].id)
      end
      assert.equal(1203, world:rows("SELECT COUNT(*) AS n FROM starvideos_orders"
        .. " WHERE state = 'queued'")[1].n)
      list[1100].prompt = "a boat"
      list[1204] = order "new.mp4"
      assert.equal(1100, refused(list)[1].index)
      assert.equal(1203, world:rows(
        "SELECT COUNT(*) AS n FROM starvideos_orders")[1].n)
    end)

    it("may have a path of this machine", function()
      local orders = assert(client:enqueue { order "/tmp/a.mp4" })
      assert.same({ core.real "/tmp/a.mp4", owner.host() },
        { orders[1].path, orders[1].machine })
      assert(client:create(world.params(), { path = "/tmp/a.mp4" }))
      assert.equal(1, #world:states())
    end)

    it("may be confirmed", function()
      local pricey = world:client(pricing(0.1))
      assert(pricey:enqueue { order "a.mp4" })
      local seen
      local list = { order "a.mp4", order "b.mp4", order("c.mp4",
        { model = "starvideos_o3" }) }
      local orders, err = pricey:enqueue(list, { confirm = function(summary)
        seen = summary
      end })
      assert.same({ nil, "cancelled" }, { orders, err.kind })
      assert.same({ new = 2, known = 1, unpriced = 1, warnings = {},
        price = { cost = 0.5, currency = "USD", millionths = 500000 } }, seen)
      assert.same({ ["a.mp4"] = "queued" }, stored())
      orders = assert(pricey:enqueue(list,
        { confirm = function() return true end }))
      assert.equal(3, #orders)
    end)

    it("is taken back where the one who is asked raises", function()
      assert.has_error(function()
        client:enqueue({ order "a.mp4" },
          { confirm = function() error "no" end })
      end)
      assert.same({}, stored())
    end)

    it("has the label of the call, where its orders have none", function()
      local orders = assert(client:enqueue({ order "a.mp4",
        order("b.mp4", { label = "own" }) }, { label = "all" }))
      assert.same({ "all", "own" }, { orders[1].label, orders[2].label })
    end)

    it("may be empty", function()
      assert.same({}, assert(client:enqueue {}))
    end)
  end)
end)
