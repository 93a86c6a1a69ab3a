-- How orders are placed through a ledger, whatever database it lies in: specs
-- to be run over each.

local assert = require "luassert"
local busted = require "busted"
local ledgers = require "starvideos.ledger"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

return worlds.behaviour("placing orders", function(each)
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

  describe("an order", function()
    it("is written down before it is sent", function()
      local seen
      world.before_request = function()
        seen = world:rows "SELECT state, params, attempts FROM starvideos_orders"
      end
      assert(create())
      assert.equal(1, #seen)
      assert.equal("submitting", seen[1].state)
      assert.equal(1, seen[1].attempts)
      assert.truthy(seen[1].params:find("a kite", 1, true))
    end)

    it("has its mode written down, and one of another mode is another", function()
      local image = { referenceImages = { "https://a.test/1.png" } }
      assert(create(nil, nil, image))
      assert.equal("image reference", assert(client:pending())[1].mode)
      local _, err = create()
      assert.truthy(err.message:find("names another order", 1, true))
    end)

    it("is the same where the mode was not written down yet", function()
      local task = assert(create())
      world:run "UPDATE starvideos_orders SET mode = NULL"
      assert.equal(task.id, assert(create()).id)
    end)

    it("has its own mode where it is placed again", function()
      assert.is_nil((create "create_refused"))
      assert(create(nil, nil, { referenceVideos = { "https://a.test/1.mp4" } }))
      assert.equal("video reference", assert(client:pending())[1].mode)
    end)

    it("has its task written down before create returns", function()
      local task = assert(create())
      assert.same({ { state = "accepted", task_id = task.id } },
        world:rows "SELECT state, task_id FROM starvideos_orders")
    end)

    it("is a new one each time where it has no key", function()
      local first = assert(create(nil, {}))
      local second = assert(create(nil, {}))
      assert.not_equal(first.id, second.id)
      assert.equal(2, world:billed())
    end)

    it("is not sent where it cannot be written down", function()
      assert(client:pending())
      world:run "DROP TABLE starvideos_orders"
      local task, err = create()
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.equal(0, world:sent())
    end)

    it("names its task where that cannot be written down", function()
      world.before_request = function() world:run "DROP TABLE starvideos_orders" end
      local task, err = create()
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.equal(1, world:billed())
      assert.equal(world.box:tasks().tasks[1].id, err.task_id)
      assert.truthy(err.message:find(err.task_id, 1, true))
    end)

    it("keeps whatever its key and its prompt hold", function()
      local key = "'; DROP TABLE starvideos_orders; -- \\ \" % _ ? $1 生"
      local prompt = "it's \"so\" \\n\n\t ? :name $1 生 \240\159\142\172"
      local task = assert(create(nil, { key = key }, { prompt = prompt }))
      local order = assert(client:pending())[1]
      assert.equal(key, order.key)
      assert.equal(prompt, order.prompt)
      assert.equal(task.id,
        assert(create(nil, { key = key }, { prompt = prompt })).id)
      assert.equal(1, world:sent())
    end)

    it("keeps a text of any length", function()
      local prompt = ("生"):rep(5000)
      assert(create(nil, nil, { model = "videos_stable", prompt = prompt }))
      assert.equal(prompt, assert(client:pending())[1].prompt)
    end)
  end)

  describe("the same key with the same parameters", function()
    it("returns the same task and sends nothing", function()
      local first = assert(create())
      local second = assert(create())
      assert.equal(first.id, second.id)
      assert.equal("queued", second.status)
      assert.equal(1, world:sent())
      assert.equal(1, world:billed())
    end)

    it("does so for another client of the ledger", function()
      local first = assert(create())
      local other = world:client()
      assert.equal(first.id,
        assert(other:create(world.params(), { key = "kite" })).id)
      assert.equal(1, world:sent())
    end)

    it("does so after a restart of the program", function()
      local first = assert(create())
      client:close()
      client = world:client()
      assert.equal(first.id, assert(create()).id)
      assert.equal(1, world:sent())
    end)

    it("does so for another process", function()
      local id = world:child "buy kite"
      assert.equal("task-of-a-child", id)
      assert.equal(id, assert(create()).id)
      assert.equal(0, world:sent())
    end)

    it("does so where the parameters come in another shape", function()
      local url = "https://media.test/1.png"
      local first = assert(create(nil, nil, { referenceImages = { url },
        referenceVideos = {} }))
      local second = assert(create(nil, nil,
        { referenceImages = { { url = url, bytes = 5 } } }))
      assert.equal(first.id, second.id)
      assert.equal(1, world:sent())
    end)

    it("returns the task as it has ended", function()
      local task = assert(create())
      world.now = world.now + 200
      assert(client:query(task.id))
      local again = assert(create())
      assert.equal("completed", again.status)
      assert.equal(2, world:sent())
    end)
  end)

  describe("the same key with other parameters", function()
    local function conflict(changes, more)
      assert(create())
      local other = more and world:client(more) or client
      local task, err = other:create(world.params(nil, changes),
        { key = "kite" })
      assert.is_nil(task)
      assert.equal("validation", err.kind)
      assert.equal(1, world:sent())
      return err
    end

    it("is an error that shows both", function()
      local err = conflict { prompt = "a dragon" }
      assert.equal("key", err.violations[1].field)
      assert.equal("conflict", err.violations[1].code)
      for _, text in ipairs { "a kite", "a dragon", "kite" } do
        assert.truthy(err.violations[1].message:find(text, 1, true))
        assert.truthy(tostring(err):find(text, 1, true))
      end
    end)

    it("is one however little differs", function()
      conflict { duration = 6 }
    end)

    it("is one where they go to another address", function()
      local err = conflict(nil, { base_url = "https://other.test/api" })
      assert.truthy(err.message:find("other.test", 1, true))
    end)

    it("is no error where nothing was ever sent", function()
      world.transport = function()
        return nil, { reason = "connect", sent = false, message = "refused" }
      end
      assert.equal("network", select(2, create()).kind)
      world.transport = world.box:transport()
      assert(create(nil, nil, { prompt = "a dragon" }))
      assert.same({ "accepted" }, world:states())
    end)
  end)

  describe("an order of unknown outcome", function()
    it("comes with its entry", function()
      local err = lose()
      assert.equal("unknown", err.order.state)
      assert.equal("kite", err.order.key)
      assert.equal("videos", err.order.model)
      assert.equal(1, err.order.attempts)
      assert.truthy(err.order.prompt:find("a kite", 1, true))
      assert.same({ "unknown" }, world:states())
    end)

    it("is reported and not sent again", function()
      local id = lose().order.id
      for _ = 1, 3 do
        local err = lose()
        assert.equal(id, err.order.id)
        assert.truthy(err.message:find("kite", 1, true))
        assert.truthy(err.message:find("take = 2 (--take 2)", 1, true))
      end
      assert.equal(1, world:sent())
      assert.equal(1, world:billed())
    end)

    it("stays as it is when another take is ordered", function()
      local id = lose().order.id
      world.transport = function()
        return { status = 200, headers = {},
          body = '{"id":"task-7","status":"queued"}' }
      end
      local task = assert(create("create_reset",
        { key = "kite", take = 2 }))
      assert.equal("task-7", task.id)
      assert.same({ "unknown", "accepted" }, world:states())
      assert.equal(id, select(2, create "create_reset").order.id)
      assert.equal("task-7", assert(create("create_reset",
        { key = "kite", take = 2 })).id)
      assert.equal(2, world:sent())
    end)

    it("is reported to a caller with other parameters, too", function()
      lose()
      assert.equal("validation", select(2, create()).kind)
      assert.equal(1, world:sent())
    end)

    for _, scenario in ipairs { "create_502", "create_html", "create_empty",
      "create_truncated", "create_500", "create_hang" } do
      it("is what " .. scenario .. " leaves", function()
        local _, err = create(scenario)
        assert.equal("outcome_unknown", err.kind)
        assert.equal("unknown", err.order.state)
        assert.equal("outcome_unknown", select(2, create(scenario)).kind)
        assert.equal(1, world:sent())
      end)
    end

    it("is what a call leaves that an error ended", function()
      world.before_request = function() error "ended" end
      assert.has_error(function() create() end)
      world.before_request = nil
      collectgarbage()
      collectgarbage()
      local _, err = create()
      assert.equal("outcome_unknown", err.kind)
      assert.equal(1, world:sent())
    end)

    it("is what a process leaves that was killed while sending", function()
      assert.equal("", (world:child "crash kite"):gsub("Killed%s*", ""))
      assert.same({ "submitting" }, world:states())
      local _, err = create()
      assert.equal("outcome_unknown", err.kind)
      assert.same({ "unknown" }, world:states())
      assert.equal(0, world:sent())
    end)

    it("is listed as one, though it was not ordered again", function()
      world:child "crash kite"
      local list = assert(client:pending())
      assert.equal("unknown", list[1].state)
      assert.is_string(list[1].error)
      assert.same({ "unknown" }, world:states())
    end)
  end)

  describe("an order that was not sent", function()
    local function unreachable()
      return nil, { reason = "connect", sent = false, message = "refused" }
    end

    it("is prepared, and is sent when it is asked for again", function()
      world.transport = unreachable
      local _, err = create()
      assert.equal("network", err.kind)
      assert.same({ "prepared" }, world:states())
      world.transport = world.box:transport()
      assert(create())
      assert.same({ "accepted" }, world:states())
      assert.equal(1, world:billed())
    end)

    it("is sent when the provider accepts orders again", function()
      local _, err = create "create_429_long"
      assert.equal("rate_limited", err.kind)
      assert.same({ "prepared" }, world:states())
      assert.equal(0, world:billed())
    end)

    it("is one order however often it is tried", function()
      local tries = 0
      world.transport = function(req)
        tries = tries + 1
        if tries < 3 then
          return unreachable()
        end
        return world.box:transport()(req)
      end
      assert(create())
      assert.same({ "accepted" }, world:states())
      assert.equal(3, world:rows "SELECT attempts FROM starvideos_orders"[1].attempts)
    end)
  end)

  describe("an order that another process is sending", function()
    -- Sleeping lets the other process go on.
    local function start_sender()
      world:start "linger kite"
      world:await "sending"
    end

    it("is waited for, and its task returned", function()
      start_sender()
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        world:continue()
        return true
      end }
      assert.equal("task-of-a-child", assert(create()).id)
      assert.equal(0, world:sent())
    end)

    it("is pending as submitting, and cannot be dismissed", function()
      start_sender()
      local order = assert(client:pending())[1]
      assert.equal("submitting", order.state)
      local dismissed, err = client:dismiss(order)
      assert.is_nil(dismissed)
      assert.equal("validation", err.kind)
      world:continue()
    end)

    it("is unknown once that process was killed meanwhile", function()
      start_sender()
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        world:kill()
        return true
      end }
      local _, err = create()
      assert.equal("outcome_unknown", err.kind)
      assert.equal(0, world:sent())
    end)

    it("is not sent by a process that saw it being sent, though that failed",
      function()
        start_sender()
        client = world:client { sleep = function(seconds)
          world.now = world.now + seconds
          world:kill()
          world:run("UPDATE starvideos_orders SET state = 'prepared',"
            .. " owner = NULL, error = 'no route', revision = revision + 1")
          return true
        end }
        local _, err = create()
        assert.equal("ledger", err.kind)
        assert.same({ false, true }, { err.sent, err.retryable })
        assert.truthy(err.message:find("no route", 1, true), err.message)
        assert.equal(0, world:sent())
        assert(create())
        assert.equal(1, world:sent())
      end)

    it("is left to it where waiting is cancelled", function()
      start_sender()
      client = world:client { sleep = function() return nil, "cancelled" end }
      local _, err = create()
      assert.equal("cancelled", err.kind)
      assert.is_false(err.sent)
      world:continue()
    end)

    it("is left to the client of the same process that sends it", function()
      local other = world:client {
        sleep = function() return nil, "cancelled" end }
      local err
      world.before_request = function()
        world.before_request = nil
        err = select(2, other:create(world.params(), { key = "kite" }))
      end
      assert(create())
      assert.equal("cancelled", err.kind)
      assert.equal(1, world:sent())
      assert.same({ "accepted" }, world:states())
    end)

    it("is left to it between two tries too", function()
      local other = world:client {
        sleep = function() return nil, "cancelled" end }
      local err
      client = world:client { sleep = function(seconds)
        world.now = world.now + seconds
        err = err or select(2, other:create(world.params(),
          { key = "kite" }))
        return true
      end }
      world:fail_once()
      assert(create())
      assert.equal("cancelled", err.kind)
      assert.equal(1, world:billed())
    end)

    it("is not sent by a process whose order another has taken", function()
      local ledger = ledgers.new { address = world.address, clock = os.time,
        random = math.random, timeout = 1 }
      local verdict, row = ledger:begin({ key = "kite", take = 1, params = "{}",
        base_url = "here" }, {})
      assert.equal("send", verdict)
      world:run "UPDATE starvideos_orders SET revision = revision + 1"
      local taken, err = ledger:submitting(row)
      ledger:close()
      assert.is_nil(taken)
      assert.equal("ledger", err.kind)
      assert.same({ "prepared" }, world:states())
    end)

    -- As a process of another machine leaves it, of which this one cannot tell
    -- whether it runs.
    local function taken_elsewhere(began)
      assert(create())
      world:take_over(100, began)
      world:run "UPDATE starvideos_orders SET state = 'submitting', task_id = NULL"
    end

    it("is waited for until its lease is over, on another machine",
      function()
        taken_elsewhere(0)
        local _, err = create()
        assert.equal("ledger", err.kind)
        assert.is_true(world.slept >= 60)
        assert.same({ "submitting" }, world:states())
        assert.equal(1, world:sent())
      end)

    it("is unknown once the lease is over", function()
      taken_elsewhere(-101)
      local _, err = create()
      assert.equal("outcome_unknown", err.kind)
      assert.equal(1, world:sent())
    end)

    it("is bought once where many processes ask at the same instant",
      function()
        local count, commands = 4, {}
        for index = 1, count do
          commands[index] = world:command "rush kite" .. " 2>&1 &"
        end
        commands[#commands + 1] = shell.fill("for look in $(seq 1000); do"
          .. " [ $(cat @ready@ 2>&- | wc -l) -lt @count@ ] || break;"
          .. " sleep 0.01; done; : >@go@; wait", { ready = world.folder .. "/ready",
            go = world.folder .. "/go", count = count })
        local output = shell.read(table.concat(commands, "\n"))
        assert.equal(("task-of-a-child\n"):rep(count), output .. "\n")
        assert.equal("x\n", world:read "posts")
        assert.same({ "accepted" }, world:states())
      end)
  end)
end)
