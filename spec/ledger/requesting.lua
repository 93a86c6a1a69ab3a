-- What callers of a gateway ask of a ledger, whatever database it lies in: specs
-- to be run over each.

local assert = require "luassert"
local busted = require "busted"
local contexts = require "starvideos.context"
local crews = require "spec.fixtures.crew"
local databases = require "starvideos.ledger.database"
local enqueue = require "starvideos.fleet.enqueue"
local new_orders = require("starvideos.ledger.tasks").new
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

-- More than a worker has for one order.
local MANY_STATEMENTS = 500

local PRICES = { currency = "USD", models = { videos = { per_video = 1 } } }

return worlds.behaviour("the requests of a gateway", function(each)
  local world, alice, bob

  each(function(new_world)
    world = new_world
    alice = world:client { account = "alice", prices = PRICES }
    bob = world:client { account = "bob" }
  end)

  local function place(client, options, changes)
    return assert(enqueue.admit(contexts.of(client), world.params(nil, changes),
      options or {}))
  end

  local function verdict(...)
    return place(...).verdict
  end

  local function listed(client, filter)
    filter = filter or {}
    filter.account, filter.limit = client == bob and "bob" or "alice", 10
    return assert(contexts.of(client).ledger:requests(filter))
  end

  it("are sent without what the provider ignores", function()
    for name, video in pairs { referenceVideos = { "https://a.test/1.mp4" },
      referenceImages = { "https://a.test/1.png" } } do
      local row = place(bob, nil, { model = "starvideos_o3", [name] = video }).row
      local body = world:rows("SELECT body FROM starvideos_bodies"
        .. " WHERE order_id = ?", row.order_id)[1].body
      assert.equal(name == "referenceImages", body:find '"duration":5' ~= nil)
      assert.truthy(row.params:find('"duration":5', 1, true))
      assert.equal(name == "referenceImages" and "image reference"
        or "video reference", row.mode)
    end
  end)

  describe("an attempt", function()
    it("joins the order that it repeats, once for each number", function()
      local first = place(alice)
      local again = place(alice, { attempt = 1 })
      assert.same({ "new", "joined" }, { first.verdict, again.verdict })
      assert.equal(first.row.order_id, again.row.order_id)
      assert.equal("joined", verdict(alice, { attempt = 2 }))
      assert.equal("new", verdict(alice, { attempt = 2 }))
    end)

    it("joins it, too, where the later ones were decided before", function()
      local began = contexts.of(alice).ledger.clock()
      local row = place(alice, { attempt = 1 }).row
      place(alice, { attempt = 4 })
      for _, late in ipairs { { attempt = 2 }, { attempt = 0, began = began } } do
        local found = place(alice, late)
        assert.same({ "joined", row.order_id },
          { found.verdict, found.row.order_id })
      end
      assert.equal("new", verdict(alice,
        { attempt = 0, began = row.created_at + 0.01 }))
    end)

    it("joins its own order before one that has seen more", function()
      place(alice)
      place(alice, { attempt = 3 })
      local own = place(alice).row
      assert.equal(own.order_id, place(alice, { attempt = 1 }).row.order_id)
    end)

    it("is a new order where it is the first", function()
      assert.equal("new", verdict(alice))
      assert.equal("new", verdict(alice))
      assert.equal("new", verdict(alice, { attempt = 0 }))
      assert.equal(3, #listed(alice))
    end)

    it("joins each of two equal orders", function()
      local first, second = place(alice), place(alice)
      local joined = { [place(alice, { attempt = 1 }).row.order_id] = true,
        [place(alice, { attempt = 1 }).row.order_id] = true }
      assert.same({ [first.row.order_id] = true, [second.row.order_id] = true },
        joined)
    end)

    it("does not join another's, or one with other parameters", function()
      place(alice)
      assert.equal("new", verdict(bob, { attempt = 1 }))
      assert.equal("new", verdict(alice, { attempt = 1 }, { duration = 6 }))
    end)

    it("does not join one that was placed more than two minutes ago", function()
      place(alice)
      world:run "UPDATE starvideos_orders SET created_at = created_at - 121"
      assert.equal("new", verdict(alice, { attempt = 1 }))
    end)

    it("leaves a worker that is about to send the order its right", function()
      local row = place(alice).row
      place(alice, { attempt = 1 })
      assert.equal(row.revision + 1,
        world:rows("SELECT revision FROM starvideos_orders")[1].revision)
    end)
  end)

  describe("a key", function()
    it("is the same order, whatever the attempt", function()
      local first = place(alice, { key = "k" })
      local again = place(alice, { key = "k", attempt = 1 })
      assert.same({ "known", first.row.order_id },
        { again.verdict, again.row.order_id })
    end)

    it("is a conflict with other parameters", function()
      place(alice, { key = "k" })
      assert.equal("conflict", verdict(alice, { key = "k" }, { duration = 6 }))
    end)

    it("is each caller's own", function()
      place(alice, { key = "k" })
      assert.equal("new", verdict(bob, { key = "k" }, { duration = 6 }))
    end)

    it("still names the order that its caller deleted", function()
      local row = place(alice, { key = "k" }).row
      world:run "UPDATE starvideos_orders SET state = 'failed'"
      assert.is_true(contexts.of(alice).ledger:delete_request(row.order_id))
      assert.equal("known", verdict(alice, { key = "k" }))
      assert.equal("conflict", verdict(alice, { key = "k" }, { duration = 6 }))
      assert.equal(row.order_id, place(alice, { key = "k" }).row.order_id)
    end)

    it("is repeated by an attempt after its caller deleted it", function()
      local row = place(alice).row
      world:run "UPDATE starvideos_orders SET state = 'failed'"
      assert.is_true(contexts.of(alice).ledger:delete_request(row.order_id))
      local found = place(alice, { attempt = 1 })
      assert.same({ "joined", row.order_id }, { found.verdict, found.row.order_id })
      assert.equal("new", verdict(alice, { attempt = 1 }, { duration = 6 }))
    end)
  end)

  describe("a limit", function()
    it("of open orders counts what has not ended", function()
      local terms = { terms = { open = 2 } }
      place(alice, terms)
      place(alice, terms)
      local barred = place(alice, terms)
      assert.same({ "barred", "open", 2 },
        { barred.verdict, barred.limit, barred.used })
      assert.equal("new", verdict(bob, terms))
      world:run [[UPDATE starvideos_orders SET state = 'failed', closed_at = 1
        WHERE account = 'alice']]
      assert.equal("new", verdict(alice, terms))
    end)

    it("does not keep an attempt from its order", function()
      place(alice)
      assert.equal("joined", verdict(alice,
        { attempt = 1, terms = { open = 1 } }))
    end)

    it("of orders a minute says when the next may be placed", function()
      local terms = { terms = { orders_per_minute = 1 } }
      place(alice, terms)
      local barred = place(alice, terms)
      assert.equal("orders_per_minute", barred.limit)
      assert.is_true(barred.retry_after > 55 and barred.retry_after <= 60)
    end)

    it("of spend counts what is queued", function()
      assert(world:client { prices = PRICES }:limits { spend = 2,
        per = "total", account = "alice" })
      place(alice)
      place(alice)
      local barred = place(alice)
      assert.same({ "spend", 2e6, 2e6, "USD", true },
        { barred.limit, barred.cap, barred.used, barred.currency, barred.is_own })
      assert(world:client { prices = PRICES }:limits { spend = 1, per = "total" })
      local other = world:client { account = "carl", prices = PRICES }
      assert.is_false(place(other).is_own)
    end)

    it("says how much of it is used, sent or not", function()
      local client = world:client { prices = PRICES }
      assert(client:limits { spend = 5, per = "total", account = "alice" })
      assert(client:limits { spend = 9, per = "day" })
      assert(client:limits { spend = 7, per = "day", account = "bob" })
      place(alice)
      local ended = place(alice).row
      assert.is_true(contexts.of(alice).ledger:delete_request(ended.order_id))
      world:run "UPDATE starvideos_limits SET used = 1500000"
      assert.same({ open = 1, spend = { { kind = "spend/total", cap = 5e6,
        used = 2.5e6, currency = "USD" } } },
        contexts.of(alice).ledger:usage())
    end)

    it("of spend keeps out what has no price", function()
      assert(world:client { prices = PRICES }:limits { spend = 2,
        per = "day", account = "bob" })
      assert.equal("unpriced", place(bob).limit)
    end)
  end)

  it("are not placed while the queue is halted", function()
    assert(contexts.of(alice).ledger:halt("no money left", "invalid_request"))
    assert.same({ "barred", "halt" }, { verdict(alice), place(alice).limit })
    assert.equal(0, #listed(alice))
  end)

  it("are placed while another account's queue is halted", function()
    for _, account in ipairs { "bob", false } do
      assert(contexts.of(world:client { account = account or nil }).ledger
        :halt("five failed", "task_failed"))
    end
    assert.equal("new", verdict(alice))
  end)

  describe("a list", function()
    it("has a caller's own, in either order, page by page", function()
      local ids = {}
      for index = 1, 3 do
        ids[index] = place(alice).row.order_id
      end
      place(bob)
      local function ids_of(filter)
        local list = {}
        for index, row in ipairs(listed(alice, filter)) do
          list[index] = row.order_id
        end
        return list
      end
      assert.same(ids, ids_of {})
      assert.same({ ids[2], ids[1] },
        ids_of { descending = true, after = ids[3] })
      assert.same({ ids[3] }, ids_of { ids = { ids[3], "none" } })
    end)

    it("has neither what was deleted nor what came in another way", function()
      local row = place(alice).row
      assert(alice:create(world.params()))
      world:run("UPDATE starvideos_orders SET state = 'failed'")
      assert.is_true(contexts.of(alice).ledger:delete_request(row.order_id))
      assert.same({}, listed(alice))
    end)

    it("of what has ended has also what was deleted, and not what is cleared away",
      function()
        local ledger, ids = contexts.of(alice).ledger, {}
        for index, state in ipairs { "downloaded", "failed", "accepted",
          "downloaded" } do
          ids[index] = place(alice).row.order_id
          world:run("UPDATE starvideos_orders SET state = ? WHERE order_id = ?",
            state, ids[index])
        end
        assert.is_true(ledger:delete_request(ids[4]))
        local function ended()
          local names = {}
          for index, row in ipairs(listed(alice, { ended = true })) do
            names[index] = row.order_id
          end
          return names
        end
        assert.same({ ids[1], ids[2], ids[4] }, ended())
        assert.is_true(ledger:removed(ids[1]))
        assert.same({ ids[2], ids[4] }, ended())
      end)
  end)

  it("leave nothing of their prompt when they are deleted", function()
    local ledger = contexts.of(alice).ledger
    local row = place(alice, { key = "k" }, { prompt = "a secret garden" }).row
    world:run [[UPDATE starvideos_orders SET state = 'unknown',
      error = 'the prompt "a secret garden" is odd']]
    assert.is_true(ledger:delete_request(row.order_id))
    for _, name in ipairs { "orders", "bodies", "limits", "workers" } do
      for _, found in ipairs(world:rows("SELECT * FROM starvideos_" .. name)) do
        for column, value in pairs(found) do
          assert.is_nil(tostring(value):find("garden", 1, true), column)
        end
      end
    end
    assert.equal("known", verdict(alice, { key = "k" },
      { prompt = "a secret garden" }))
    assert.equal("conflict", verdict(alice, { key = "k" }, { prompt = "other" }))
  end)

  it("are deleted by their caller alone, once they have ended", function()
    local row, ledger = place(alice).row, contexts.of(alice).ledger
    world:run "UPDATE starvideos_orders SET state = 'submitting'"
    assert.is_false(ledger:delete_request(row.order_id))
    world:run "UPDATE starvideos_orders SET state = 'downloaded'"
    assert.is_false(contexts.of(bob).ledger:delete_request(row.order_id))
    assert.is_true(ledger:delete_request(row.order_id))
    assert.is_false(ledger:delete_request(row.order_id))
  end)

  it("are deleted while they wait in the queue, and not sent", function()
    local row, ledger = place(alice).row, contexts.of(alice).ledger
    assert.is_false(contexts.of(bob).ledger:delete_request(row.order_id))
    assert.is_true(ledger:delete_request(row.order_id))
    assert.equal("abandoned",
      world:rows("SELECT state FROM starvideos_orders")[1].state)
    assert.same({}, listed(alice))
  end)

  describe("to stay signed in", function()
    local ledger

    busted.before_each(function()
      ledger = contexts.of(alice).ledger
    end)

    it("go on until they end, for whoever opens the ledger", function()
      assert(ledger:begin_session("s", "a", 60))
      assert(ledger:begin_session("t", "a", 60))
      local other = contexts.of(bob).ledger
      assert.is_true(other:has_session "s")
      assert.is_false(other:has_session "u")
      assert(ledger:end_session "s")
      assert(ledger:end_session "s")
      assert.is_false(other:has_session "s")
      assert.is_true(other:has_session "t")
      world:run "UPDATE starvideos_sessions SET ends_at = 1"
      assert.is_false(other:has_session "t")
      assert(ledger:begin_session("v", "b", 60))
      assert.same({ { session_id = "v" } },
        world:rows "SELECT session_id FROM starvideos_sessions")
    end)

    it("take no more room than the newest of each token", function()
      for n = 1, 53 do
        assert(ledger:begin_session("s" .. n, "a", 60 + n))
      end
      assert(ledger:begin_session("t", "b", 60))
      assert.same({ false, true, true }, { ledger:has_session "s3",
        ledger:has_session "s4", ledger:has_session "t" })
      assert.equal(51, #world:rows "SELECT session_id FROM starvideos_sessions")
    end)
  end)

  describe("that are deleted while a worker is at them", function()
    local crew
    local Database = getmetatable(databases.new ":memory:").__index
    local run, rows = Database.run, Database.rows

    busted.before_each(function()
      crew = crews.new(world)
      alice = crew:client { account = "alice", prices = PRICES }
    end)

    busted.after_each(function()
      Database.run, Database.rows = run, rows
      crew.close()
    end)

    -- Calls a function before the n-th statement of what follows, outside of a
    -- transaction or within one; returns how to end that and learn whether it came.
    local function before_statement(n, begun, call)
      local seen = 0
      local function noticed(original)
        return function(self, ...)
          if n and (self.begun or false) == begun then
            seen = seen + 1
            if seen == n then
              n = nil
              call()
            end
          end
          return original(self, ...)
        end
      end
      Database.run, Database.rows = noticed(run), noticed(rows)
      return function()
        Database.run, Database.rows = run, rows
        return n == nil
      end
    end

    local function work()
      local client = crew:client()
      assert(client:work { accounts = "any", path = function(order)
        return ("%s/%s.mp4"):format(world.folder, order.id)
      end })
      client:close()
    end

    it("are sent or deleted, whichever comes first, at each step", function()
      local came, counts = true, { abandoned = 0, downloaded = 0 }
      for n = 1, MANY_STATEMENTS do
        local id, posts = place(alice).row.order_id, world:sent "POST"
        local deleted, err, state
        local ended = before_statement(n, false, function()
          state = world:rows("SELECT state FROM starvideos_orders"
            .. " WHERE order_id = ?", id)[1].state
          deleted, err = contexts.of(alice).ledger:delete_request(id)
        end)
        work()
        came = ended()
        if not came then
          break
        end
        assert.is_nil(err, tostring(err))
        local row = world:rows("SELECT state, deleted_at FROM starvideos_orders"
          .. " WHERE order_id = ?", id)[1]
        assert.equal(deleted, row.deleted_at ~= nil)
        assert.equal(deleted and state ~= "downloaded" and "abandoned"
          or "downloaded", row.state)
        assert.equal(row.state == "downloaded" and 1 or 0,
          world:sent "POST" - posts)
        counts[row.state] = counts[row.state] + 1
      end
      assert.is_false(came, "it has more statements than that")
      assert.is_true(counts.abandoned > 3 and counts.downloaded > 3)
    end)

    it("are a worker's that claims them at any step of the deletion", function()
      if not world.address:find "^postgres" then
        return -- SQLite lets nobody write meanwhile
      end
      local here, counts = contexts.of(alice).base_url, { [true] = 0, [false] = 0 }
      local orders = new_orders { address = world.address, lease = 120 }
      local other = { owner = "elsewhere boot pid:[1] time:[1] 12 34 w",
        now = os.time(), boottime = 1, clock = "elsewhere", held = {}, worker = "w" }
      assert(orders:register(other, { id = "w", machine = "m", account = "",
        base_url = here }))
      for n = 1, MANY_STATEMENTS do
        local id, claimed = place(alice).row.order_id, nil
        local ended = before_statement(n, true, function()
          claimed = assert(orders:claim(other, "w", { what = "queued", count = 1,
            base_url = here }))[1]
        end)
        local deleted, err = contexts.of(alice).ledger:delete_request(id)
        if not ended() then
          break
        end
        assert.is_nil(err, tostring(err))
        local sent = claimed and orders:submitting(other, claimed)
        assert.are_not.equal(deleted, sent ~= nil)
        counts[deleted] = counts[deleted] + 1
      end
      orders:close()
      assert.is_true(counts[true] > 0 and counts[false] > 0)
    end)
  end)

  describe("of many processes at the same time", function()
    local function count_verdicts(key, open)
      local script = ("for n in 1 2 3 4 5 6; do %s spec/ledger/admitter.lua %s"
        .. " %q %d 3 & done; wait"):format(worlds.interpreter, "@ledger@", key,
        open)
      local counts = {}
      for line in shell.read(shell.fill(script, { ledger = world.address }))
        :gmatch "[^\n]+" do
        counts[line] = (counts[line] or 0) + 1
      end
      return counts
    end

    it("fill a limit, and not more", function()
      assert.same({ new = 4, barred = 14 }, count_verdicts("", 4))
    end)

    it("of one key are one order", function()
      assert.same({ new = 1, known = 17 }, count_verdicts("k", 9))
    end)
  end)
end)
