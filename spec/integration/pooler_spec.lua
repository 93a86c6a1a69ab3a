-- PgBouncer before the ledger's PostgreSQL server: orders are sent only where each
-- connection has a process of the server for itself.

local command = require "spec.fixtures.command"
local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local locations = require "starvideos.ledger.location"
local memory = require "starvideos.ledger.memory"
local postgres = require "spec.fixtures.postgres"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local PARAMS = { model = "videos", prompt = "a kite", duration = 5 }

local WHAT, CURE = locations.misplaced.pooled.what, locations.misplaced.pooled.cure

describe("a ledger behind PgBouncer", function()
  local server, provider, clients

  setup(function()
    server = postgres.start()
  end)
  teardown(function()
    assert.is_true(server:stop())
  end)
  before_each(function()
    server:clear()
    provider, clients = sandbox.new { seconds = 0 }, {}
  end)
  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    if server.pooler_port then
      server:stop_pooler()
    end
  end)

  local function client_on(ledger)
    local client = assert(starvideos.new { api_key = provider.key, ledger = ledger,
      transport = provider:transport() })
    clients[#clients + 1] = client
    return client
  end

  local function assert_pooled(err)
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find(WHAT, 1, true), err.message)
    assert.equal(1, select(2, err.message:gsub(CURE, "")))
    assert.is_nil(err.message:find "%.lua:%d")
  end

  local function assert_refused(client)
    local task, err = client:create(PARAMS, { key = "kite" })
    assert.is_nil(task)
    assert_pooled(err)
    assert.is_true(err.misplaced)
    assert.truthy(err.message:find("nothing was sent", 1, true), err.message)
    err = select(2, client:enqueue { { model = "videos", prompt = "two", duration = 5,
      path = "two.mp4" } })
    assert_pooled(err)
    assert.truthy(err.message:find("nothing was", 1, true), err.message)
  end

  for name, settings in pairs {
    ["transaction mode"] = { pool_mode = "transaction" },
    ["transaction mode with one connection"] = { pool_mode = "transaction",
      default_pool_size = 1 },
    ["transaction mode with two connections in turn"] = { pool_mode = "transaction",
      default_pool_size = 2, min_pool_size = 2, server_round_robin = 1 },
    ["transaction mode with many connections in turn"] = { pool_mode = "transaction",
      min_pool_size = 7, server_round_robin = 1 },
    ["statement mode"] = { pool_mode = "statement" },
  } do
    it("is refused when it is opened: " .. name, function()
      local client = client_on(server:pool(settings))
      assert_refused(client)
      assert_pooled(select(2, client:work {}))
      assert_pooled(select(2, client:status()))
      local code, out = command.run({ "doctor", "--json", "--ledger",
        server:pool(settings) }, { key = "key", transport = provider:transport() })
      assert.equal(8, code)
      assert.truthy(out:find(WHAT, 1, true), out)
      assert.equal(0, provider:tasks().posts)
    end)
  end

  it("is refused though other programs keep the connections busy", function()
    local url = server:pool { pool_mode = "transaction", default_pool_size = 3 }
    local others = {}
    for index = 1, 2 do
      others[index] = databases.new(url)
      others[index].is_direct = true -- a program that does not look
    end
    for _ = 1, 5 do
      assert(others[1]:run "BEGIN")
      assert_refused(client_on(url))
      others[1]:run "COMMIT"
      others[2]:rows "SELECT 1"
    end
    assert.equal(0, provider:tasks().posts)
    for _, other in ipairs(others) do
      other:close()
    end
  end)

  it("leaves the settings of the connections as they were", function()
    local url = server:pool { pool_mode = "transaction", default_pool_size = 1 }
    assert_refused(client_on(url))
    assert.equal("0", shell.read(shell.fill(
      "psql -Atc 'SHOW statement_timeout' @url@", { url = url })))
  end)

  it("works in session mode, for several programs", function()
    local url = server:pool { pool_mode = "session" }
    for index = 1, 3 do
      local client = client_on(url)
      for number = 1, 4 do
        assert(client:create(PARAMS, { key = ("kite %d of %d"):format(number, index) }))
      end
      assert.equal(4 * index, #assert(client:orders {}))
    end
    assert.equal(12, provider:tasks().billed)
  end)

  it("sends nothing more once its mode has become another", function()
    local url = server:pool { pool_mode = "session", default_pool_size = 3 }
    local client, other = client_on(url), client_on(url)
    assert(client:create(PARAMS, { key = "one" }))
    assert(client:enqueue { { model = "videos", prompt = "later", duration = 5,
      path = "later.mp4" } })
    assert(other:orders {})
    server:pool { pool_mode = "transaction", default_pool_size = 3 }
    local deadline = core.now() + 20
    local err
    repeat -- until PgBouncer has read that
      local _
      _, err = client:create(PARAMS, { key = "turn" .. core.now() })
      other:orders {}
    until err or core.now() > deadline
    assert_pooled(err)
    local posts = provider:tasks().posts
    assert_refused(client)
    assert.equal(posts, provider:tasks().posts)
    server:pool { pool_mode = "session", default_pool_size = 3 }
    assert_refused(client)
    assert_pooled(select(2, client:work {}))
    assert.equal(posts, provider:tasks().posts)
  end)

  it("says what to do where the pool has no second connection", function()
    local client = client_on(server:pool { pool_mode = "session", default_pool_size = 1,
      query_wait_timeout = 1 })
    local _, err = client:create(PARAMS)
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find("one connection more than", 1, true), err.message)
    assert.equal(0, provider:tasks().posts)
  end)

  describe("by which a statement is another program's", function()
    local database

    before_each(function()
      memory.clear()
      database = databases.new(server.url)
      assert(database:rows "SELECT 1 AS one")
    end)
    after_each(function()
      database:close()
    end)

    -- The name that LuaDBI will give next.
    local function next_name()
      local rows = assert(database:rows
        "SELECT max(name) AS name FROM pg_prepared_statements")
      return (rows[1].name:gsub("%d+$", function(digits)
        return ("%017d"):format(tonumber(digits) + 2)
      end))
    end

    for what, spoil in pairs {
      ["does not exist"] = function()
        database:rows "DEALLOCATE ALL"
        return database:rows "SELECT 1 AS one"
      end,
      ["already exists"] = function()
        database:rows(('PREPARE "%s" AS SELECT 7'):format(next_name()))
        return database:rows "SELECT 2 AS two"
      end,
      ["takes other parameters"] = function()
        assert(database:rows("SELECT ? AS three", "3"))
        local name = assert(database:rows [[SELECT name FROM pg_prepared_statements
          WHERE statement LIKE '%three%' ORDER BY name LIMIT 1]])[1].name
        database:rows(('DEALLOCATE "%s"'):format(name))
        database:rows(('PREPARE "%s" AS SELECT 7'):format(name))
        return database:rows("SELECT ? AS three", "3")
      end,
    } do
      it("is noticed by the server's reason: " .. what, function()
        assert(database:run "BEGIN")
        database.begun = true -- so that nothing is tried again
        local rows, why = spoil()
        database.begun = false
        assert.is_nil(rows)
        assert.equal(WHAT .. "; " .. CURE, why)
        assert.equal("pooled", database:misplaced())
        assert.equal(1, assert(database:rows "SELECT 1 AS one")[1].one)
        assert.equal("pooled", database:misplaced())
      end)
    end

    it("is noticed in a transaction that another process of the server begins", function()
      database.backend = database.backend + 1
      local done, why = database:transaction(function()
        error "this must not run"
      end)
      assert.is_nil(done)
      assert.equal(WHAT .. "; " .. CURE, why)
      assert.equal("pooled", database:misplaced())
    end)
  end)
end)
