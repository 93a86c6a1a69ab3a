-- Two orders whose tasks have the same id, of two providers, of two accounts, or of
-- one that gives it twice: each keeps its own end and its own file. Specs to be run
-- over each database.

local assert = require "luassert"
local busted = require "busted"
local clip = require "spec.fixtures.clip"
local crews = require "spec.fixtures.crew"
local json = require "starvideos.base.json"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local FILM = clip.mp4()

return worlds.behaviour("the id of a task", function(each)
  local world, ends, told, asked

  -- What a provider, or an account of one, answers to a query: by its host or key,
  -- else by the id. The first answer to a create is the task 7.
  local function provider(req)
    local host = req.url:match "^https://([^/]*)"
    local who = json.encode(req.headers or {}):find("two", 1, true) and "two"
      or host
    if req.method == "POST" then
      return { status = 200, headers = {}, body = '{"id":"7","status":"queued"}' }
    end
    local id = req.url:match "/v1/result/(.*)$"
    if not id then
      return { status = 200, headers = {},
        body = FILM }
    end
    asked[#asked + 1] = id
    local answer = ends[who] or ends[id] or {}
    return { status = 200, headers = {}, body = json.encode {
      id = answer.id or id, status = answer.status or "completed",
      error = answer.error,
      video_url = "https://media.test/" .. (answer.video or who) .. ".mp4" } }
  end

  each(function(new_world)
    world, ends, told, asked = new_world, {}, {}, {}
    world.transport = provider
  end)

  local function at(host, changes)
    local options = { base_url = "https://" .. host, api_key = "one",
      on_event = function(event)
        told[#told + 1] = event.name == "notice" and event.notice or nil
      end }
    for name, value in pairs(changes or {}) do
      options[name] = value
    end
    return world:client(options)
  end

  local function path_of(key)
    return world.folder .. "/" .. key .. ".mp4"
  end

  local function create(client, key)
    return assert(client:create(world.params(), { key = key,
      path = path_of(key) }))
  end

  local function rows()
    local list = {}
    for _, row in ipairs(world:rows "SELECT * FROM starvideos_orders") do
      list[row.order_key] = row
    end
    return list
  end

  -- Ways to come from an order to its video.
  local ways = {}

  function ways.wait(client, key)
    local task, err = client:wait("7", { interval = 10 })
    if task then
      assert(client:download(task, path_of(key)))
    end
    return task, err
  end

  function ways.query(client, key)
    local task = assert(client:query "7")
    return task.status == "completed"
      and client:download(task, path_of(key))
  end

  function ways.generate(client, key)
    return client:generate(world.params(), { key = key, path = path_of(key),
      interval = 10 })
  end

  function ways.resume(client)
    return client:resume { directory = world.folder, interval = 10 }
  end

  local pairs_of = {
    ["of two providers"] = function()
      return at "one.test", at "two.test"
    end,
    ["of two accounts"] = function()
      return at("one.test", { account = "one" }),
        at("one.test", { account = "two", api_key = "two" })
    end,
  }

  for what, clients in pairs(pairs_of) do
    describe(what .. " that is the same", function()
      for name, go in pairs(ways) do
        it("is each one's own: " .. name, function()
          local one, other = clients()
          create(one, "a")
          create(other, "b")
          ends["one.test"] = { status = "failed", error = "no" }
          ends.two, ends["two.test"] = {}, {}
          go(one, "a")
          assert.same({ "failed", "accepted" }, { rows().a.state,
            rows().b.state })
          go(other, "b")
          local found = rows()
          assert.same({ "failed", "downloaded" }, { found.a.state,
            found.b.state })
          assert.is_nil(found.a.bytes)
          assert.equal(FILM, world:read "b.mp4":sub(1, #FILM))
          assert.same({}, told)
        end)
      end

      it("is each one's own under its workers", function()
        local one, other = clients()
        for key, client in pairs { a = one, b = other } do
          assert(client:enqueue { { key = key, path = key .. ".mp4",
            model = "videos", duration = 5, prompt = "a kite" } })
        end
        ends["one.test"] = { status = "failed", error = "no" }
        ends.two, ends["two.test"] = {}, {}
        for _, client in ipairs { one, other } do
          client:work { directory = world.folder, interval = 10,
            failures = false }
        end
        assert.same({ "failed", "downloaded" }, { rows().a.state,
          rows().b.state })
      end)

      it("is missing at one alone", function()
        local one, other = clients()
        create(one, "a")
        create(other, "b")
        world.transport = function()
          return { status = 404, headers = {}, body = '{"msg":"not found"}' }
        end
        local ledger = require("starvideos.context").of(one).ledger
        assert(ledger:missing "7")
        assert.is_number(rows().a.missing_since)
        assert.is_nil(rows().b.missing_since)
      end)

      it("names in each event the order of its own", function()
        local named = {}
        local function listen(event)
          if event.name == "exchange" and event.operation == "query" then
            named[#named + 1] = event.key
          end
        end
        local one, other = clients()
        create(one, "a")
        create(other, "b")
        for key, from in pairs { a = one, b = other } do
          local client = at(key == "a" and "one.test"
            or tostring(from):match "https://(.*)$", { on_event = listen,
            account = what:find "accounts" and (key == "a" and "one" or "two")
              or nil })
          assert(client:pending())
          named = {}
          assert(client:query "7")
          if what:find "providers" then
            assert.same({ key }, named)
          end
        end
      end)
    end)
  end

  describe("whose order was placed with another base URL", function()
    it("leads to that order where it is the only one, with a notice", function()
      create(at "wrong.test", "a")
      local client = at "right.test"
      local task = assert(client:wait("7", { interval = 10 }))
      assert(client:download(task, path_of "a"))
      assert.equal("downloaded", rows().a.state)
      assert.equal("elsewhere", told[1])
    end)

    it("leads to none where several have it", function()
      create(at "one.test", "a")
      create(at "two.test", "b")
      local client = at "three.test"
      assert(client:wait("7", { interval = 10 }))
      assert.same({ "accepted", "accepted" }, { rows().a.state,
        rows().b.state })
    end)

    for _, spelled in ipairs { "ONE.test", "one.test:443", "one.test/",
      "One.Test:443//v1/" } do
      it("leads to it however that is spelled: " .. spelled, function()
        create(at "one.test", "a")
        create(at "two.test", "b")
        local client = at(spelled)
        assert.equal("7", create(client, "a").id)
        local result = assert(client:resume { directory = world.folder })
        assert.equal(1, result.done)
        assert.same({ "downloaded", "accepted" }, { rows().a.state,
          rows().b.state })
        assert.same({}, told)
      end)
    end

    it("may be adopted for an order of this one", function()
      create(at "one.test", "a")
      local client = at "two.test"
      local send = world.transport
      world.transport = function(req)
        if req.method == "POST" then
          return nil, { reason = "reset", sent = true, message = "reset" }
        end
        return send(req)
      end
      assert.equal("outcome_unknown", select(2, client:create(world.params(),
        { key = "b" })).kind)
      local order = assert(client:adopt("b", "7"))
      assert.same({ "b", "7" }, { order.key, order.task_id })
      assert.equal("accepted", rows().a.state)
    end)
  end)

  describe("that a provider gives to two orders", function()
    local client

    busted.before_each(function()
      client = at "one.test"
      create(client, "a")
      create(client, "b")
    end)

    it("is kept of both, and said", function()
      assert.same({ "7", "7" }, { rows().a.task_id, rows().b.task_id })
      assert.same({ "shared" }, told)
    end)

    it("gives neither the other's file", function()
      local task = assert(client:wait("7", { interval = 10 }))
      assert(client:download(task, path_of "b"))
      assert.same({ "completed", "downloaded" }, { rows().a.state,
        rows().b.state })
      assert.equal(path_of "a", rows().a.path)
      assert.is_nil(rows().a.bytes)
      assert(client:download(task, path_of "a"))
      assert.same({ path_of "a", path_of "b" }, { rows().a.path,
        rows().b.path })
    end)

    it("is found under each key with its own file", function()
      for _, key in ipairs { "b", "a", "b" } do
        local _, file = client:generate(world.params(), { key = key,
          path = path_of(key), interval = 10 })
        assert.equal(path_of(key), file.path)
        assert.equal(path_of(key), rows()[key].path)
      end
    end)

    it("ends a resume, which leaves one of them and says why", function()
      local counts = {}
      for index = 1, 2 do
        local result = assert(client:resume { directory = world.folder })
        counts[index] = { result.done, result.left }
        for _, entry in ipairs(result.orders) do
          assert.is_true(entry.file ~= nil
            or tostring(entry.err):find("gave the task 7", 1, true) ~= nil)
        end
      end
      assert.same({ { 1, 1 }, { 1, 0 } }, counts)
      assert.same({ path_of "a", path_of "b" }, { rows().a.path,
        rows().b.path })
    end)

    it("names no file that two orders without a key would share", function()
      world:run "UPDATE starvideos_orders SET order_key = NULL, path = NULL"
      for _ = 1, 2 do
        assert(client:resume { directory = world.folder, overwrite = true })
      end
      local files = {}
      for _, row in ipairs(world:rows "SELECT path FROM starvideos_orders") do
        files[row.path] = true
      end
      assert.is_string(next(files))
      assert.is_string(next(files, (next(files))))
    end)
  end)

  describe("that a provider gives to the orders of two workers", function()
    local crew

    busted.before_each(function()
      crew = crews.new(world)
    end)
    busted.after_each(function()
      crew.close()
    end)

    it("is each one's own", function()
      crew:enqueue(2)
      local a, b = crew:start { claims = 1 }, crew:start { claims = 1 }
      crew:go(900, a, b)
      for _, one in ipairs { a, b } do
        assert.equal(1, crews.result_of(one).done)
        assert.equal(rows()[one.done[1].key].path, one.done[1].file.path)
      end
    end)

    it("ends each by its own worker", function()
      ends["7"] = { status = "failed", error = "no" }
      crew:enqueue(2)
      local a = crew:start({ claims = 1, failures = false })
      local b = crew:start({ claims = 1, failures = false })
      crew:go(900, a, b)
      for _, one in ipairs { a, b } do
        assert.equal(1, #one.done)
        assert.equal("task_failed", one.done[1].err.kind)
      end
    end)
  end)

  describe("that an answer names in place of the one asked for", function()
    local client

    -- The answer to a query of 7 is about another task.
    local function answer_with(id, times)
      local left = times
      world.transport = function(req)
        ends["7"] = left > 0 and { id = id, video = "foreign" } or {}
        left = left - (req.url:find "/v1/result/7$" and 1 or 0)
        return provider(req)
      end
    end

    busted.before_each(function()
      client = at "one.test"
      create(client, "a")
      create(client, "b")
      world:run "UPDATE starvideos_orders SET task_id = '8' WHERE order_key = 'b'"
    end)

    it("is tolerated five times in a row, and never that order's video",
      function()
        answer_with("8", 5)
        local task = assert(client:wait("7", { interval = 10 }))
        assert.same({ "7", "https://media.test/one.test.mp4" }, { task.id,
          task.video_url })
        assert.equal(6, #asked)
        assert.equal("accepted", rows().b.state)
      end)

    it("ends the wait after that", function()
      answer_with("8", 6)
      local task, err = client:wait("7", { interval = 10 })
      assert.is_nil(task)
      assert.equal("protocol", err.kind)
      assert.matches("that of the order b", err.message)
      assert.same({ "accepted", "accepted" }, { rows().a.state,
        rows().b.state })
    end)

    it("gives no link to a download, and no end to a failed task", function()
      answer_with("8", math.huge)
      assert.equal("protocol", select(2, client:query "7").kind)
      assert.equal("protocol", select(2, client:download("7",
        path_of "a")).kind)
      ends["7"] = nil
      assert.is_nil(world:read "a.mp4")
    end)

    it("is taken where no other order has it, or it is another provider's",
      function()
        answer_with("internal_7", 1)
        assert(client:query "7")
        world:run("UPDATE starvideos_orders SET base_url = 'https://two.test'"
          .. " WHERE order_key = 'b'")
        answer_with("8", 1)
        assert(client:query "7")
      end)
  end)

  -- SQLite made 2 of a 1.5; a number of many digits became its neighbour's.
  for _, id in ipairs { "1.5", "1e3", "-0.1", "12345678901234567891" } do
    it("is kept as it came where it is the number " .. id, function()
      local bodies = { whole = '{"id":%s,"status":"queued"}',
        flawed = '{"id":%s,"status":"queued","eta":NaN}',
        cut = '{"id":%s,"status":"qu' }
      local answer
      world.transport = function()
        return { status = 200, headers = {}, body = answer }
      end
      local client = at "one.test"
      for key, body in pairs(bodies) do
        answer = body:format(id)
        client:create(world.params(), { key = key })
        assert.equal(id, rows()[key].task_id)
        assert.equal(id, assert(client:order(key)).task_id)
      end
      assert.equal("unknown", rows().cut.state)
      assert.equal("accepted", rows().flawed.state)
      assert.equal(id, assert(client:create(world.params(),
        { key = "whole" })).id)
    end)
  end
end)
