-- A ledger on a thread of its own: what a game sees of it, and what it sees
-- where the database does not answer.

local contexts = require "starvideos.context"
local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local memory = require "starvideos.ledger.memory"
local proxy = require "starvideos.ledger.thread"
local recorder = require "starvideos.order.recorder"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local write_patience = recorder.policy.write_patience
local PARAMS = { model = "videos", prompt = "a kite", duration = 5 }

describe("the ledger of a game", function()
  local box, folder, client, policy, posts, before_send, now

  setup(function()
    folder = files.folder()
  end)
  teardown(function()
    files.remove(folder)
  end)

  before_each(function()
    shell.run("rm -f -- " .. folder .. "/*")
    memory.clear()
    policy, posts, before_send, now = {}, 0, nil, 1000
    for name, value in pairs(proxy.policy) do
      policy[name] = value
    end
    box = sandbox.new { clock = function() return now end }
  end)
  after_each(function()
    client:close()
    for name, value in pairs(policy) do
      proxy.policy[name] = value
    end
    recorder.policy.write_patience = write_patience
  end)

  local function open(changes)
    local send = box:transport()
    local options = { runtime = "frame", api_key = box.key,
      base_url = box.base_url, ledger = folder .. "/ledger.db",
      transport = function(req)
        posts = posts + (req.method == "POST" and 1 or 0)
        if before_send then
          before_send(req)
        end
        return send(req)
      end }
    for name, value in pairs(changes or {}) do
      options[name] = value
    end
    client = assert(starvideos.new(options))
    return client
  end

  -- Plays until it is over: what came of it, and the longest update.
  local function play(body, ...)
    local order, longest = client:async(body, ...), 0
    local give_up = core.now() + 10
    while not order.done do
      local start = core.now()
      assert(start < give_up, "never over")
      client:update()
      longest = math.max(longest, core.now() - start)
    end
    return order.result, order.err, longest
  end

  local function create(key)
    return play(client.create, client, PARAMS, { key = key })
  end

  local function states()
    local database = databases.new(folder .. "/ledger.db")
    local rows = assert(database:rows "SELECT state FROM starvideos_orders ORDER BY 1")
    database:close()
    for index, row in ipairs(rows) do
      rows[index] = row.state
    end
    return rows
  end

  -- Another process in the midst of a change.
  local function lock()
    local database = databases.new(folder .. "/ledger.db")
    assert(database:run "BEGIN IMMEDIATE")
    return function()
      database:run "ROLLBACK"
      database:close()
    end
  end

  local function impatient()
    proxy.policy.patience, proxy.policy.short = 0.2, 0.1
    recorder.policy.write_patience = 0.2
  end

  it("has an order on record before it is sent, and its task after",
    function()
      open()
      before_send = function() assert.same({ "submitting" }, states()) end
      local task = assert(create "kite")
      assert.same({ "accepted" }, states())
      assert.equal(task.id, assert(create "kite").id)
      assert.equal(1, posts)
      assert.equal(task.id, assert(play(client.pending, client))[1].task_id)
    end)

  it("has an order on record as not sent while it waits for a free slot", function()
    open { max_creates = 1 }
    local seen
    before_send = function()
      local runtime = contexts.of(client).runtime
      for _ = 1, seen and 0 or 2000 do
        runtime:sleep(0.001)
        seen = table.concat(states(), " ")
        if seen == "prepared submitting" then
          break
        end
      end
    end
    local first = client:async(client.create, client, PARAMS, { key = "a" })
    local second = client:async(client.create, client, PARAMS, { key = "b" })
    assert(play(function()
      while not (first.done and second.done) do
        contexts.of(client).runtime:sleep(0.001)
      end
      return true
    end))
    assert.truthy(first.result and second.result)
    assert.equal("prepared submitting", seen)
    assert.same({ "accepted", "accepted" }, states())
    assert.equal(2, posts)
  end)

  -- Its parent goes on with the order, and may be sending it.
  it("has nothing changed by a child that was forked while an order was placed",
    function()
      open()
      local context = contexts.of(client)
      local begin = context.ledger.begin
      function context.ledger:begin(...)
        local verdict, row = begin(self, ...)
        function context.process_id() return -1 end
        context.slots.held = context.slots.limit
        return verdict, row
      end
      local task, err = create "child"
      assert.is_nil(task)
      assert.equal("cancelled", err.kind)
      assert.same({ "prepared" }, states())
      assert.equal(0, posts)
    end)

  -- Each of many orders wrote again what the others were writing.
  it("is asked once to record the outcome of each of many orders", function()
    open()
    local asked, start = {}, core.actor
    finally(function() core.actor = start end) -- luacheck: ignore
    core.actor = function(options) -- luacheck: ignore
      local actor = start(options)
      return setmetatable({}, { __index = function(_, name)
        return function(_, ...)
          if name == "post" then
            local method = select(2, ...)
            asked[method] = (asked[method] or 0) + 1
          end
          return actor[name](actor, ...)
        end
      end })
    end
    client:close()
    open()
    assert(play(function()
      local orders = {}
      for index = 1, 10 do
        orders[index] = client:async(client.create, client, PARAMS,
          { key = "k" .. index })
      end
      local runtime = contexts.of(client).runtime
      for _, order in ipairs(orders) do
        while not order.done do
          runtime:sleep(0.001)
        end
        assert(order.result, tostring(order.err))
      end
      return true
    end))
    assert.same({ begin = 10, submitting = 10, resolve = 10 }, asked)
  end)

  it("raises outside of async", function()
    open()
    assert.has_error(function() client:pending() end, "pending would block the"
      .. " loop: call it inside client:async(function() ... end) of the same"
      .. " client")
  end)

  it("finds its modules where only this Lua state can", function()
    local path, searchers = package.path, package.searchers or package.loaders
    local function load_from(name)
      local file = name:find "^starvideos%." or name == "DBI"
      for template in (file and path or ""):gmatch "[^;]+" do
        local chunk = loadfile((template:gsub("%?", (name:gsub("%.", "/")))))
        if chunk then
          return chunk
        end
      end
      return "\n\tno " .. name
    end
    table.insert(searchers, load_from)
    package.path = ""
    finally(function()
      package.path = path
      table.remove(searchers)
    end)
    open()
    for name in pairs(proxy.modules().code) do
      assert.is_nil(package.preload[name])
    end
    assert(create "kite")
    assert.same({ "accepted" }, states())
  end)

  it("says what is missing", function()
    local cpath = package.cpath
    package.cpath = ""
    finally(function() package.cpath = cpath end)
    open()
    local task, err = create "kite"
    assert.is_nil(task)
    assert.matches("dbd.sqlite3 is missing: luarocks install luadbi%-sqlite3",
      err.message)
    assert.equal(0, posts)
  end)

  describe("that does not answer", function()
    it("sends nothing, holds up no frame, and undoes what it began",
      function()
        open()
        assert(create "kite")
        impatient()
        proxy.policy.patience = 1
        local unlock = lock()
        local task, err, longest = create "ship"
        assert.is_nil(task)
        assert.equal("ledger", err.kind)
        assert.matches("the ledger has not answered for %d+ s", err.message)
        assert.matches("nothing was ordered", err.message)
        assert.equal(1, posts)
        assert.is_true(longest < proxy.policy.patience, longest)
        unlock()
        proxy.policy.patience = 10
        assert(create "ship")
        assert.equal(2, posts)
        assert.same({ "accepted", "accepted" }, states())
      end)

    it("writes and tells later what the provider answered", function()
      local told = {}
      open { on_event = function(event)
        told[#told + 1] = event.name == "order" and event.state or nil
      end }
      local unlock
      before_send = function()
        impatient()
        unlock = lock()
      end
      local task, err = create "kite"
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.is_string(err.task_id)
      unlock()
      before_send = nil
      local give_up = core.now() + 10
      while states()[1] ~= "accepted" do
        assert(core.now() < give_up, states()[1])
      end
      proxy.policy.patience = 10
      assert.equal(err.task_id, assert(create "kite").id)
      assert.equal(1, posts)
      assert(play(client.pending, client))
      assert.equal("prepared submitting accepted", table.concat(told, " "))
    end)

    it("does not end a wait", function()
      open()
      local task = assert(create "kite")
      impatient()
      local unlock = lock()
      finally(unlock)
      now = now + 10
      local start = core.now()
      local video = assert(play(client.wait, client, task.id,
        { first_poll = 0 }))
      assert.equal("completed", video.status)
      assert.is_true(core.now() - start < 5)
    end)

    it("keeps a game from closing for a moment only", function()
      open()
      proxy.policy.short, proxy.policy.close = 0.1, 0.1
      local unlock
      before_send = function() unlock = lock() end
      local order = client:async(client.create, client, PARAMS)
      while posts == 0 do
        client:update()
      end
      finally(function() unlock() end)
      local start = core.now()
      client:close()
      assert.is_true(core.now() - start < 5)
      assert.is_true(order.done)
      assert.is_string(order.err.task_id)
    end)

    it("is not waited for once the order is cancelled", function()
      open()
      assert(create "kite")
      local unlock = lock()
      local order = client:async(client.create, client, PARAMS, { key = "ship" })
      client:update()
      order:cancel()
      client:update()
      unlock()
      assert.is_true(order.done)
      assert.equal("cancelled", order.err.kind)
      assert.equal(1, posts)
      assert(create "ship")
    end)
  end)
end)
