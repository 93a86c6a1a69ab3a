-- Limits, and what else keeps orders back: specs to be run over each database.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local ledgers = require "starvideos.ledger"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it
local before_each = busted.before_each

local HERE = "https://api.test"
local DAY = 86400

-- An account's ledger, and what happens to orders in it, with no provider.
local function open(world, account, base_url)
  local ledger = assert(ledgers.new { address = world.address,
    clock = core.time, random = math.random, timeout = 60, account = account,
    base_url = base_url or HERE })
  world.clients[#world.clients + 1] = ledger
  return ledger
end

local count = 0

-- Places an order: its row.
local function place(ledger, wanted)
  count = count + 1
  wanted = wanted or {}
  local verdict, row = ledger:begin({ key = "key " .. count, take = 1,
    params = "{}", base_url = ledger.base_url, cost = wanted.cost,
    currency = wanted.currency or wanted.cost and "USD", label = wanted.label },
    {})
  assert.equal("send", verdict)
  return row
end

-- Sends an order: its row; or nil and the error.
local function send(ledger, wanted)
  return ledger:submitting(place(ledger, wanted))
end

local function accept(ledger, row)
  return assert(ledger:resolve(row, "accepted",
    { task_id = "task of " .. row.order_id }))
end

local function finish(ledger, row, status)
  assert(ledger:seen { id = row.task_id, status = status or "completed" })
end

local function refused(ledger, name, wanted)
  local row, err = send(ledger, wanted)
  assert.is_nil(row)
  assert.equal("limited", err.kind, tostring(err))
  assert.equal(name, err.limit)
  assert.truthy(err.message:find("nothing was bought", 1, true))
  return err
end

return worlds.behaviour("limiting orders", function(each)
  local world, ledger

  each(function(new_world)
    world = new_world
    ledger = open(world)
  end)

  local function limit(kind, cap, changes)
    local row = { kind = kind, scope = "", value = "", cap = cap,
      currency = kind:find "^spend" and "USD" or nil }
    for name, value in pairs(changes or {}) do
      row[name] = value
    end
    assert(ledger:set_limits { row })
  end

  local function used(name)
    for _, row in ipairs(assert(ledger:limits())) do
      if row.name == name then
        return row.used
      end
    end
  end

  -- Lets time pass for what is stored, for the server's clock stands for itself.
  local function pass(seconds)
    world:run([[UPDATE starvideos_limits SET began = began - ?,
      full_until = full_until - ?]], seconds, seconds)
    world:run([[UPDATE starvideos_orders SET spent_in = spent_in - ?,
      updated_at = updated_at - ?,
      slot = CASE WHEN slot < 1e11 THEN slot - ? ELSE slot END]], seconds,
      seconds, seconds)
  end

  describe("by open tasks", function()
    it("sends so many, and one more for each that has ended", function()
      limit("open", 2)
      local one = accept(ledger, assert(send(ledger)))
      local two = accept(ledger, assert(send(ledger)))
      assert.truthy(refused(ledger, "open").message:find("2 of 2", 1, true))
      finish(ledger, one)
      assert(send(ledger))
      refused(ledger, "open")
      finish(ledger, two, "failed")
      assert(send(ledger))
      refused(ledger, "open")
    end)

    it("counts an order that was certainly not sent no more", function()
      limit("open", 1)
      local row = assert(send(ledger))
      refused(ledger, "open")
      row = assert(ledger:unsent(row, "refused"))
      row = assert(ledger:submitting(row))
      refused(ledger, "open")
      assert(ledger:resolve(row, "refused", { error = "no" }))
      assert(send(ledger))
    end)

    it("counts an unknown one for as long as a wait takes", function()
      limit("open", 1)
      assert(ledger:resolve(assert(send(ledger)), "unknown", { error = "?" }))
      pass(1700)
      refused(ledger, "open")
      pass(101)
      assert(send(ledger))
      assert.equal(1, used "open")
    end)

    it("counts an unknown one again that has become a task", function()
      limit("open", 1)
      local row = assert(send(ledger))
      assert(ledger:resolve(row, "unknown", { error = "?" }))
      pass(1801)
      local other = assert(send(ledger))
      accept(ledger, row)
      assert.equal(2, used "open")
      accept(ledger, other)
      finish(ledger, assert(ledger:of_task("task of " .. other.order_id)))
      refused(ledger, "open")
    end)

    it("does not count what is downloaded", function()
      limit("open", 1)
      local row = accept(ledger, assert(send(ledger)))
      finish(ledger, row)
      assert(send(ledger))
      assert(ledger:downloaded(row.task_id, { path = "/a", bytes = 1,
        sha256 = ("0"):rep(64) }))
      assert.equal(1, used "open")
    end)

    it("names those of unknown outcome, which a person settles", function()
      limit("open", 2)
      local row, other = assert(send(ledger)), assert(send(ledger))
      assert(ledger:resolve(row, "unknown", { error = "?" }))
      local err = refused(ledger, "open")
      assert.truthy(err.message:find("2 of 2 tasks are open", 1, true))
      assert.truthy(err.message:find("became of 1 of them (" .. row.order_key .. ")", 1, true))
      assert.truthy(err.message:find("starvideos dismiss", 1, true))
      assert(ledger:dismiss(row.order_id))
      row = assert(send(ledger))
      assert(ledger:resolve(row, "unknown", { error = "?" }))
      assert(ledger:adopt(row.order_id, "task-9"))
      finish(ledger, assert(ledger:of_task "task-9"))
      accept(ledger, other)
      assert(send(ledger))
      assert.is_nil(refused(ledger, "open").message:find("nobody knows", 1, true))
    end)

    it("counts a dismissed one for as long as its task may run", function()
      limit("open", 1)
      local row = accept(ledger, assert(send(ledger)))
      assert(ledger:dismiss(row.order_id, { force = true }))
      refused(ledger, "open")
      pass(1801)
      assert(send(ledger))
      assert.equal(1, used "open")
    end)

    it("counts one that the provider misses for as long", function()
      limit("open", 2)
      local one = accept(ledger, assert(send(ledger)))
      local two = accept(ledger, assert(send(ledger)))
      assert(ledger:missing(one.task_id))
      assert(ledger:missing(two.task_id))
      finish(ledger, two, "processing") -- it was seen again
      pass(1801)
      assert(send(ledger))
      refused(ledger, "open")
      finish(ledger, two)
      assert(send(ledger))
    end)
  end)

  describe("by spend", function()
    for _, kind in ipairs { "spend/day", "spend/total" } do
      it("sends what fits to the millionth: " .. kind, function()
        limit(kind, 3000001)
        assert(send(ledger, { cost = 2000000 }))
        refused(ledger, kind, { cost = 1000002 })
        assert(send(ledger, { cost = 1000001 }))
        refused(ledger, kind, { cost = 1 })
        assert(send(ledger, { cost = 0 }))
        assert.equal(3000001, used(kind))
      end)

      it("sends nothing that has no price: " .. kind, function()
        limit(kind, 3000000)
        local err = refused(ledger, kind)
        assert.is_true(err.never)
        assert.is_false(err.retryable)
        assert.truthy(err.message:find("no price", 1, true))
      end)

      it("sends nothing of another currency: " .. kind, function()
        limit(kind, 3000000)
        local err = refused(ledger, kind, { cost = 1, currency = "EUR" })
        assert.is_true(err.never)
        assert.truthy(err.message:find("EUR", 1, true))
      end)

      it("keeps what was spent on failed tasks: " .. kind, function()
        limit(kind, 3)
        local row = accept(ledger, assert(send(ledger, { cost = 2 })))
        finish(ledger, row, "failed")
        refused(ledger, kind, { cost = 2 })
      end)

      it("gives failed tasks back if the provider does: " .. kind, function()
        limit(kind, 3, { refunds = 1 })
        for _, status in ipairs { "failed", "cancelled" } do
          local row = accept(ledger, assert(send(ledger, { cost = 2 })))
          assert.equal(2, used(kind))
          finish(ledger, row, status)
          assert.equal(0, used(kind))
        end
        finish(ledger, accept(ledger, assert(send(ledger, { cost = 2 }))))
        assert.equal(2, used(kind))
      end)

      it("never gives an expired task back: " .. kind, function()
        limit(kind, 3, { refunds = 1 })
        finish(ledger, accept(ledger, assert(send(ledger, { cost = 2 }))), "expired")
        assert.equal(2, used(kind))
        assert.same({ "failed" }, world:states())
        refused(ledger, kind, { cost = 2 })
      end)

      it("keeps the spend of an unknown order for good: " .. kind, function()
        limit(kind, 3)
        local row = assert(send(ledger, { cost = 2 }))
        assert(ledger:resolve(row, "unknown", { error = "?" }))
        refused(ledger, kind, { cost = 2 })
        assert(ledger:dismiss(row.order_id))
        assert.equal(2, used(kind))
      end)

      it("counts an order that was bought after all: " .. kind, function()
        limit(kind, 3)
        local row = assert(send(ledger, { cost = 2 }))
        assert(ledger:resolve(row, "refused", { error = "no" }))
        assert.equal(0, used(kind))
        accept(ledger, row)
        assert.equal(2, used(kind))
      end)
    end

    it("says how full a day is, and when it ends", function()
      limit("spend/day", 3000000)
      assert(send(ledger, { cost = 2000000 }))
      local err = refused(ledger, "spend/day", { cost = 2000000 })
      assert.truthy(err.message:find("2.00 of 3.00 USD", 1, true))
      assert.equal(0, err.retry_at % DAY)
      assert.is_true(err.retry_after > 0 and err.retry_after <= DAY)
      assert.is_true(err.retryable)
    end)

    it("begins each day at nothing, and the total never", function()
      limit("spend/day", 2)
      limit("spend/total", 3)
      assert(send(ledger, { cost = 2 }))
      refused(ledger, "spend/day", { cost = 1 })
      pass(DAY)
      assert.equal(0, used "spend/day")
      assert(send(ledger, { cost = 1 }))
      assert.equal(1, used "spend/day")
      assert.is_false(refused(ledger, "spend/total", { cost = 1 }).retryable)
    end)

    it("gives back to the day that it came from", function()
      limit("spend/day", 2)
      limit("spend/total", 4)
      local row = assert(send(ledger, { cost = 2 }))
      pass(DAY)
      assert(send(ledger, { cost = 1 }))
      assert(ledger:unsent(row, "refused"))
      assert.equal(1, used "spend/day")
      assert.equal(1, used "spend/total")
    end)

    it("stays in its day when a clock is set back", function()
      limit("spend/day", 2)
      assert(send(ledger, { cost = 2 }))
      pass(-DAY)
      local err = refused(ledger, "spend/day", { cost = 1 })
      assert.is_true(err.retry_after > DAY)
    end)

    it("takes no day for today that a clock 400 days ahead began", function()
      for _, kind in ipairs { "spend/day", "spend/total" } do
        limit(kind, 2)
      end
      local row = assert(send(ledger, { cost = 2 }))
      pass(-400 * DAY)
      assert.equal(0, used "spend/day")
      limit("spend/total", 9)
      assert(send(ledger, { cost = 1 }))
      limit("spend/day", 2) -- which counts again
      assert.equal(1, used "spend/day")
      assert.equal(3, used "spend/total")
      local err = refused(ledger, "spend/day", { cost = 2 })
      assert.is_true(err.retry_after <= DAY)
      assert(ledger:unsent(row, "refused"))
      assert.same({ 1, 1 }, { used "spend/day", used "spend/total" })
    end)

    it("says that an order can never fit", function()
      limit("spend/day", 2)
      local err = refused(ledger, "spend/day", { cost = 3 })
      assert.is_true(err.never)
      assert.is_nil(err.retry_at)
    end)
  end)

  describe("by creates a minute", function()
    it("sends them at a distance, with a second to catch up", function()
      limit("creates", 20)
      assert(send(ledger))
      local err = refused(ledger, "creates")
      assert.is_true(err.retry_after > 2 and err.retry_after <= 3.1,
        err.retry_after)
      pass(err.retry_after + 0.9)
      assert(send(ledger))
      local after = refused(ledger, "creates").retry_after
      assert.is_true(after > 1.1 and after <= 2.2, after)
      pass(60)
      assert(send(ledger))
      after = refused(ledger, "creates").retry_after
      assert.is_true(after > 1.1 and after <= 2.1, after)
    end)

    it("sends on where a clock was set back", function()
      limit("creates", 20)
      assert(send(ledger))
      pass(-3600)
      assert(send(ledger))
      refused(ledger, "creates")
    end)
  end)

  describe("and what workers claim", function()
    local worker

    -- Orders of the queue.
    local function enqueue(many, wanted)
      local list = {}
      for index = 1, many do
        count = count + 1
        list[index] = { key = "key " .. count, take = 1, params = "{}",
          base_url = HERE, endpoint = "/", body = "{}" }
        for name, value in pairs(wanted) do
          list[index][name] = value
        end
      end
      local _, batch = assert(ledger:stage(nil, list))
      assert(ledger:enqueue_staged(batch))
    end

    local function claim(many)
      return assert(worker:claim { what = "queued", count = many,
        base_url = HERE })
    end

    local function submit(row)
      local after, err = worker:submitting(row)
      if not after then
        assert.equal("limited", err.kind, tostring(err))
        assert(worker:unclaim(row))
      end
      return after, err
    end

    before_each(function()
      worker = assert(ledger:register { base_url = HERE })
    end)

    it("leaves alone what does not fit, until there is room", function()
      limit("open", 1)
      enqueue(3, {})
      local rows = claim(2)
      local first = accept(worker, assert(submit(rows[1])))
      assert.is_nil((submit(rows[2])))
      assert.equal(0, #claim(9))
      finish(worker, first)
      assert.equal(2, #claim(9))
    end)

    it("looks again soon, in case nobody tells", function()
      limit("open", 1)
      enqueue(2, {})
      local rows = claim(2)
      assert(submit(rows[1]))
      assert.is_nil((submit(rows[2])))
      assert.equal(0, #claim(9))
      pass(6)
      assert.equal(1, #claim(9))
    end)

    it("leaves alone one label that has spent its day", function()
      limit("spend/day", 1, { scope = "label", value = "red" })
      enqueue(2, { label = "red", cost = 1, currency = "USD" })
      enqueue(2, { label = "blue", cost = 1, currency = "USD" })
      local rows = claim(2)
      assert(submit(rows[1]))
      local _, err = submit(rows[2])
      assert.is_false(err.others)
      rows = claim(9)
      assert.equal(2, #rows)
      assert.equal("blue", rows[1].label)
      pass(DAY)
      assert.equal(1, #claim(9))
    end)

    it("claims what costs less than what does not fit", function()
      limit("spend/total", 5)
      enqueue(1, { cost = 6, currency = "USD" })
      enqueue(2, { cost = 4, currency = "USD" })
      enqueue(1, { cost = 1, currency = "USD" })
      local rows = claim(3)
      local _, err = submit(rows[1])
      assert.is_true(err.never and err.others)
      assert(submit(rows[2]))
      _, err = submit(rows[3])
      assert.is_true(err.others)
      assert.equal(3, #claim(9))
    end)

    it("claims again what a raised limit lets through", function()
      limit("spend/total", 1)
      enqueue(3, { cost = 1, currency = "USD" })
      local rows = claim(2)
      assert(submit(rows[1]))
      assert.is_nil((submit(rows[2])))
      assert.equal(0, #claim(9))
      limit("spend/total", 2)
      assert.equal(2, #claim(9))
    end)

    it("claims again where a clock was set back, after a heartbeat", function()
      enqueue(1, {})
      assert(ledger:hold(30))
      pass(-7200)
      assert.equal(0, #claim(9))
      assert(worker:heartbeat { claims = 0, polls = 0, base_url = HERE })
      assert.equal(1, #claim(9))
      assert.is_nil(assert(worker:pulse()).hold)
    end)

    it("claims nothing while all accounts of a provider are halted", function()
      enqueue(1, {})
      local other = open(world, nil, "https://other.test")
      assert(other:with({ serves_all = true }):halt("no money", "config"))
      local all = ledger:with { serves_all = true }
      assert.is_false(assert(all:continue()).was_halted)
      assert(all:halt("no money", "config"))
      assert.equal(0, #claim(9))
      assert.is_true(assert(ledger:continue()).was_halted)
      assert.equal(1, #claim(9))
    end)

    it("claims nothing while the queue is halted", function()
      enqueue(1, {})
      assert(ledger:halt("no money", "config"))
      assert.equal(0, #claim(9))
      assert(ledger:continue())
      assert.equal(1, #claim(9))
    end)
  end)

  for _, kind in ipairs { "open", "creates", "spend/day", "spend/total" } do
    it("sends nothing where the cap is 0: " .. kind, function()
      limit(kind, 0)
      refused(ledger, kind, { cost = 1 })
      limit(kind, nil)
      assert(send(ledger, { cost = 1 }))
    end)
  end

  it("uses all limits that apply or none", function()
    limit("open", 5)
    limit("spend/total", 10)
    limit("spend/day", 1)
    refused(ledger, "spend/day", { cost = 2 })
    assert.equal(0, used "open")
    assert.equal(0, used "spend/total")
    assert(send(ledger, { cost = 1 }))
    assert.equal(1, used "open")
  end)

  it("names the limit that lasts longest", function()
    limit("creates", 20)
    limit("spend/day", 2)
    assert(send(ledger, { cost = 2 }))
    refused(ledger, "spend/day", { cost = 2 })
    limit("spend/total", 2)
    refused(ledger, "spend/total", { cost = 2 })
  end)

  describe("costs", function()
    -- How many statements it takes to say that an order is about to be sent.
    local function statements()
      local row = place(ledger, { cost = 1 })
      local database = ledger.orders.store.database
      local made = 0
      for _, name in ipairs { "run", "rows" } do
        database[name] = function(self, sql, ...)
          made = made + (sql:find("starvideos_", 1, true) and 1 or 0)
          return getmetatable(self)[name](self, sql, ...)
        end
      end
      assert(ledger:submitting(row))
      database.run, database.rows = nil, nil
      return made
    end

    it("a look at the time, and one at the limits, where there is none", function()
      assert.equal(3, statements())
    end)

    it("one statement more for each that applies", function()
      limit("open", 9)
      limit("spend/day", 9)
      limit("spend/total", 9)
      limit("creates", 6000)
      limit("open", 9, { scope = "label", value = "of others" })
      assert.equal(7, statements())
    end)
  end)

  describe("of one account or label", function()
    it("leaves all others alone", function()
      limit("open", 1, { scope = "account", value = "blue" })
      limit("open", 0, { scope = "label", value = "draft" })
      local blue, red = open(world, "blue"), open(world, "red")
      assert(send(blue))
      refused(blue, "open account=blue")
      refused(red, "open label=draft", { label = "draft" })
      for _ = 1, 3 do
        assert(send(red, { label = "final" }))
        assert(send(ledger))
      end
    end)

    it("counts an order that gets the account later", function()
      limit("open", 1, { scope = "account", value = "blue" })
      local row = assert(send(ledger))
      row = accept(ledger, row)
      assert(ledger:label(row.order_id, "blue"))
      assert.equal(1, used "open account=blue")
      finish(ledger, row)
      assert.equal(0, used "open account=blue")
    end)

    it("uses the limit for all as well", function()
      limit("spend/total", 2)
      limit("spend/total", 5, { scope = "label", value = "draft" })
      assert(send(ledger, { cost = 2, label = "draft" }))
      refused(ledger, "spend/total", { cost = 1, label = "draft" })
      assert.equal(2, used "spend/total label=draft")
    end)
  end)

  describe("that is set on a ledger in use", function()
    it("counts what is open", function()
      accept(ledger, assert(send(ledger)))
      assert(send(ledger))
      assert(ledger:resolve(assert(send(ledger)), "unknown", { error = "?" }))
      finish(ledger, accept(ledger, assert(send(ledger))))
      place(ledger)
      limit("open", 4)
      assert.equal(3, used "open")
      assert(send(ledger))
      refused(ledger, "open")
    end)

    it("counts what was spent", function()
      finish(ledger, accept(ledger, assert(send(ledger, { cost = 1 }))))
      pass(DAY)
      assert(send(ledger, { cost = 2 }))
      assert(ledger:resolve(assert(send(ledger, { cost = 4 })), "unknown",
        { error = "?" }))
      assert(ledger:unsent(assert(send(ledger, { cost = 8 })), "no"))
      assert(send(ledger, { cost = 16, currency = "EUR" }))
      assert(send(ledger))
      limit("spend/day", 100)
      limit("spend/total", 100)
      assert.equal(6, used "spend/day")
      assert.equal(7, used "spend/total")
    end)

    it("gets back what an order had that knows nothing of it", function()
      local row = assert(send(ledger, { cost = 2 }))
      local other = accept(ledger, assert(send(ledger, { cost = 1 })))
      limit("open", 2)
      limit("spend/total", 3)
      assert.equal(2, used "open")
      assert(ledger:unsent(row, "refused"))
      assert.equal(1, used "open")
      assert.equal(1, used "spend/total")
      finish(ledger, other)
      assert.equal(0, used "open")
    end)

    it("counts again when it is changed", function()
      limit("spend/total", 5)
      assert(send(ledger, { cost = 5 }))
      limit("spend/total", 6)
      assert.equal(5, used "spend/total")
      assert(send(ledger, { cost = 1 }))
      refused(ledger, "spend/total", { cost = 1 })
    end)

    it("keeps its refunds when only the cap is changed", function()
      limit("spend/total", 5, { refunds = 1 })
      limit("spend/total", 6)
      finish(ledger, accept(ledger, assert(send(ledger, { cost = 5 }))),
        "failed")
      assert.equal(0, used "spend/total")
    end)
  end)

  describe("after too many requests", function()
    it("sends nothing before the provider wants to be asked", function()
      assert(ledger:hold(30))
      local err = refused(ledger, "hold")
      assert.is_true(err.retry_after > 25 and err.retry_after <= 30)
      pass(31)
      assert(send(ledger))
    end)

    it("polls as before if an order was refused, more slowly if a poll was", function()
      assert(ledger:hold(30))
      local pulse = assert(ledger:pulse())
      assert.same({ 1, 0.5 }, { pulse.factor, pulse.creates })
      assert.is_nil(pulse.hold)
      assert(ledger:hold(60, true))
      pulse = assert(ledger:pulse())
      assert.is_true(pulse.hold > 55 and refused(ledger, "hold").retry_after > 55)
      assert.same({ 0.5, 0.5 }, { pulse.factor, pulse.creates })
      pass(61 + 240)
      assert(assert(ledger:register { base_url = HERE }):heartbeat { claims = 0, polls = 0,
        base_url = HERE })
      pulse = assert(ledger:pulse())
      assert.same({ 1, 1 }, { pulse.factor, pulse.creates })
      assert.same({}, assert(ledger:gates()))
    end)

    it("does not shorten a hold, and halves the rate once", function()
      assert(ledger:hold(30, true))
      for _ = 1, 5 do
        assert(ledger:hold(1, true))
      end
      assert.is_true(refused(ledger, "hold").retry_after > 25)
      assert.equal(0.5, assert(ledger:pulse()).factor)
      pass(40)
      assert(ledger:hold(1, true))
      assert.is_true(assert(ledger:pulse()).factor < 0.3)
    end)

    it("sends few at first, and as many as before in the end", function()
      assert(ledger:hold(1))
      pass(2)
      assert(send(ledger))
      local after = refused(ledger, "hold").retry_after
      assert.is_true(after > 0.3 and after <= 0.5, after)
      pass(240)
      assert(send(ledger))
      assert(send(ledger))
    end)

    it("sends fewer creates a minute, too", function()
      limit("creates", 2)
      assert(ledger:hold(0))
      pass(1)
      assert(send(ledger))
      local after = refused(ledger, "creates").retry_after
      assert.is_true(after > 55 and after < 62, after)
    end)

    it("is as fast as half of a high limit lets it be", function()
      limit("creates", 6000)
      assert(ledger:hold(0))
      pass(1)
      assert(send(ledger))
      pass(0.1)
      assert(send(ledger))
    end)

    it("holds no other account and no other provider", function()
      assert(ledger:hold(30))
      assert(send(open(world, "blue")))
      assert(send(open(world, nil, "https://other.test")))
    end)

    it("holds all accounts where it is their one key, and no other provider",
      function()
        local other = open(world, nil, "https://other.test")
        other:with({ serves_all = true }):hold(30)
        assert(send(ledger))
        ledger:with({ serves_all = true }):hold(30, true)
        refused(ledger, "hold")
        refused(open(world, "blue"), "hold")
        assert.is_true(assert(open(world, "blue"):pulse()).hold > 25)
      end)

    it("is over at once where a clock was set back", function()
      assert(ledger:hold(30))
      pass(-7200)
      assert(send(ledger))
    end)
  end)

  describe("of a queue", function()
    local function queued(status)
      local row = assert(send(ledger))
      world:run("UPDATE starvideos_orders SET queued_at = 1 WHERE order_id = ?",
        row.order_id)
      row.queued_at = 1
      finish(ledger, accept(ledger, row), status)
    end

    local function halted()
      return assert(ledger:pulse()).halted
    end

    it("stops after five failed tasks in a row", function()
      for _ = 1, 4 do
        queued "failed"
      end
      assert.is_nil(halted())
      queued "failed"
      assert.equal("task_failed", halted().kind)
      assert(send(ledger)) -- a create of the caller's own goes on
      assert.is_true(assert(ledger:continue()).was_halted)
      assert.is_nil(halted())
      queued "failed"
      assert.is_nil(halted())
    end)

    it("goes on where one of them did not fail", function()
      for _ = 1, 4 do
        queued "failed"
      end
      queued "completed"
      queued "failed"
      assert.is_nil(halted())
    end)

    it("counts no tasks of orders that were not in it", function()
      for _ = 1, 9 do
        finish(ledger, accept(ledger, assert(send(ledger))), "failed")
      end
      assert.is_nil(halted())
      assert.is_false(assert(ledger:continue()).was_halted)
    end)

    it("sends nothing from its workers while it is halted", function()
      assert(ledger:halt("the balance is empty: 402", "config"))
      assert(ledger:halt("another reason", "auth"))
      assert.same({ kind = "config", reason = "the balance is empty: 402" },
        halted())
      local worker = assert(ledger:register { base_url = HERE })
      local err = refused(worker, "halt")
      assert.is_false(err.retryable)
      assert.truthy(err.message:find("402", 1, true))
      assert.equal("halt", assert(ledger:gates())[1].kind)
      assert(ledger:continue())
      assert(send(worker))
    end)
  end)
end)
