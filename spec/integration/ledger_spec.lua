-- The ledger on a PostgreSQL server: all that it does in a file but the workers
-- (see ledger_working_spec), and what only a server can do to it.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local enqueuing = require "spec.ledger.enqueuing"
local forgetting = require "spec.ledger.forgetting"
local history = require "spec.ledger.history"
local keeping = require "spec.ledger.keeping"
local leasing = require "spec.ledger.leasing"
local limiting = require "spec.ledger.limiting"
local ledgers = require "starvideos.ledger"
local memory = require "starvideos.ledger.memory"
local placing = require "spec.ledger.placing"
local postgres = require "spec.fixtures.postgres"
local queueing = require "spec.ledger.queueing"
local recording = require "spec.ledger.recording"
local requesting = require "spec.ledger.requesting"
local races = require "spec.ledger.races"
local saying = require "spec.ledger.saying"
local schema = require "starvideos.ledger.schema"
local spelling = require "spec.ledger.spelling"
local starvideos = require "starvideos"
local task_ids = require "spec.ledger.task_ids"
local telling = require "spec.ledger.telling"
local worlds = require "spec.ledger.world"

describe("a ledger on a server", function()
  local server

  setup(function()
    server = postgres.start()
  end)

  teardown(function()
    assert.is_true(server:stop())
  end)

  -- That of an empty ledger.
  local function new_address()
    server:clear()
    return server.url
  end

  -- That of an empty database.
  local function bare_address()
    server:empty()
    return server.url
  end

  placing(new_address)
  enqueuing(new_address)
  forgetting(new_address)
  history(new_address)
  keeping(bare_address)
  leasing(new_address)
  limiting(new_address)
  queueing(new_address)
  races(bare_address)
  recording(new_address)
  requesting(new_address)
  saying(new_address)
  spelling(new_address)
  task_ids(new_address)
  telling(new_address)

  local function failing(address)
    local world = worlds.new(address)
    local client, err = starvideos.new { ledger = address, api_key = "key",
      transport = function() error "nothing is to be sent" end }
    local task
    if client then
      task, err = client:create(world.params(), { key = "kite" })
      client:close()
    end
    world:close()
    assert.is_nil(task)
    assert.equal(client and "ledger" or "config", err.kind)
    return err.message
  end

  local made = {}

  -- That of an empty database of an encoding.
  local function encoded(encoding)
    local database = databases.new(server.url)
    if made[encoding] then
      memory.clear()
      database = databases.new(server:url_of(encoding))
      assert(database:run "DROP SCHEMA public CASCADE")
      assert(database:run "CREATE SCHEMA public")
    else
      assert(database:run(("CREATE DATABASE \"%s\" ENCODING '%s' TEMPLATE template0"
        .. " LC_COLLATE 'C' LC_CTYPE 'C'"):format(encoding, encoding)))
      made[encoding] = true
    end
    database:close()
    return server:url_of(encoding)
  end

  -- That of a ledger which was made before anybody asked for its encoding.
  local function narrow_address()
    local address = encoded "LATIN1"
    local database = databases.new(address)
    assert(schema.prepare(setmetatable({ clock = function() end },
      { __index = database })))
    database:close()
    return address
  end

  describe("whose encoding is LATIN1", function()
    saying(narrow_address)

    it("is refused where it is new", function()
      local message = failing(encoded "LATIN1")
      assert.truthy(message:find("its encoding is LATIN1", 1, true), message)
      assert.truthy(message:find("nothing was sent", 1, true), message)
    end)

    it("opens with a warning where it is not", function()
      local world, heard = worlds.new(narrow_address()), {}
      finally(function() world:close() end)
      local client = world:client { on_event = function(event)
        heard[#heard + 1] = event.notice == "encoding" and event.reason or nil
      end }
      assert(client:create(world.params(), { key = "one" }))
      assert(client:create(world.params(), { key = "two" }))
      assert.equal(1, #heard)
      assert.truthy(heard[1]:find("LATIN1", 1, true))
    end)

    it("takes no order whose key it cannot have, and the next one", function()
      local world = worlds.new(narrow_address())
      finally(function() world:close() end)
      local client = world:client()
      local task, err = client:create(world.params(), { key = "余额" })
      assert.same({ nil, "ledger", 0 }, { task, err.kind, world:sent() })
      assert(client:create(world.params(), { key = "é" }))
      assert(client:create(world.params(), { key = "é" }))
      assert.equal(1, world:billed())
    end)
  end)

  describe("whose encoding is SQL_ASCII", function()
    saying(function() return encoded "SQL_ASCII" end)
  end)

  -- The connection breaks when a statement has been carried out, and before
  -- this end hears of it. Returns whether it has, and what ends this.
  local function break_after(words)
    local dbi = require "DBI"
    local connect, broken = dbi.Connect, false
    local new, abandon = ledgers.new, core.abandon
    function ledgers.new(options)
      options.runtime = nil -- so that all happens in this Lua state
      return new(options)
    end

    -- What stands for a connection has nothing of its own to leave alone.
    function core.abandon(object)
      return type(object) == "userdata" and abandon(object) or nil
    end

    local function delegate(object, changes)
      return setmetatable(changes, { __index = function(_, name)
        return function(_, ...) return object[name](object, ...) end
      end })
    end

    local function breaking(statement)
      return delegate(statement, { execute = function(_, ...)
        local ok, why = statement:execute(...)
        if not ok or broken then
          return ok, why
        end
        broken = true
        local database = databases.new(server.url)
        assert(database:rows [[SELECT pg_terminate_backend(pid)
          FROM pg_stat_activity WHERE pid <> pg_backend_pid()
          AND backend_type = 'client backend']])
        database:close()
        return false, "server closed the connection unexpectedly"
      end })
    end

    function dbi.Connect(...)
      local connection, problem = connect(...)
      return connection and delegate(connection, { prepare = function(_, sql)
        local statement, why = connection:prepare(sql)
        local concerned = statement and sql:find(words, 1, true)
        return concerned and breaking(statement) or statement, why
      end }), problem
    end
    return function() return broken end, function()
      dbi.Connect, ledgers.new, core.abandon = connect, new, abandon
    end
  end

  for _, words in ipairs { "INSERT INTO starvideos_orders", "SET state" } do
    it("and breaks off when it has done " .. words .. ", and buys once",
      function()
        local world = worlds.new(new_address())
        local broken, restore = break_after(words)
        finally(function()
          restore()
          world:close()
        end)
        local task, err = world:client():create(world.params(),
          { key = "kite" })
        assert(task, tostring(err))
        assert.is_true(broken())
        assert.equal(1, world:sent())
        assert.same({ { state = "accepted", task_id = task.id, attempts = 1 } },
          world:rows "SELECT state, task_id, attempts FROM starvideos_orders")
      end)
  end

  -- The first try has taken the last open task of the limit.
  it("and breaks off when it has committed what an order takes of limits, and"
    .. " takes it once", function()
    local world = worlds.new(new_address())
    local first = world:client()
    assert(first:limits { open = 1 })
    local broken, restore = break_after "COMMIT"
    finally(function()
      restore()
      world:close()
    end)
    assert(world:client():create(world.params(), { key = "kite" }))
    assert.is_true(broken())
    assert.equal(1, world:sent())
    assert.equal(1, assert(first:limits())[1].used)
  end)

  describe("that is restarted", function()
    local world, client

    before_each(function()
      world = worlds.new(new_address())
      client = world:client()
    end)

    after_each(function()
      world:close()
    end)

    it("is found again, and nothing is bought twice", function()
      local task = assert(client:create(world.params(), { key = "kite" }))
      server:crash()
      assert.equal(task.id,
        assert(client:create(world.params(), { key = "kite" })).id)
      assert(client:create(world.params(), { key = "dragon" }))
      assert.equal(2, #assert(client:pending()))
      assert.equal(2, world:billed())
    end)

    it("keeps what was written though it is set to forget", function()
      world:run "ALTER DATABASE postgres SET synchronous_commit TO off"
      finally(function()
        world:run "ALTER DATABASE postgres RESET synchronous_commit"
      end)
      assert(world:client():create(world.params(), { key = "kite" }))
      server:crash()
      assert.same({ "accepted" }, world:states())
    end)

    it("is found again while an order is on its way", function()
      world.before_request = function() server:crash() end
      local task = assert(client:create(world.params(), { key = "kite" }))
      assert.equal(task.id, assert(client:pending())[1].task_id)
      assert.same({ "accepted" }, world:states())
    end)

    it("buys nothing while it is away", function()
      assert(client:create(world.params(), { key = "kite" }))
      server:halt()
      finally(function() server:launch() end)
      local task, err = client:create(world.params(), { key = "dragon" })
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.equal(1, world:sent())
    end)

    it("went away for good with the answer: the error names the task",
      function()
        world.before_request = function() server:halt() end
        finally(function() server:launch() end)
        local task, err = client:create(world.params(), { key = "kite" })
        assert.is_nil(task)
        assert.equal("ledger", err.kind)
        assert.equal(world.box:tasks().tasks[1].id, err.task_id)
      end)
  end)

  it("that is not there is named, but not its password", function()
    for _, address in ipairs {
      "postgres://me:SESAME@localhost:1/videos",
      "postgresql://me:SESAME@localhost:1/videos?sslmode=disable",
      "postgres:///videos?host=/nowhere&user=me&password=SESAME",
      "postgres://me:SES%41ME@localhost:1/videos",
    } do
      local message = failing(address)
      assert.is_nil(message:find("SES", 1, true), message)
      assert.truthy(message:find("videos", 1, true), message)
    end
  end)

  -- The client library of the server quotes what it could not read.
  for _, address in ipairs {
    "postgres://me:SESAME%zz@localhost:1/videos",
    "postgres://me:SES/SESAME@localhost:1/videos",
    "postgres://me:SESAME@SESAME@localhost:1/videos",
    "postgres://me:SESAME@[::1/videos",
    "postgres://me:SESAME@localhost:port/videos",
    "postgres://localhost:1/videos?password=SESAME&nonsense=SESAME",
  } do
    it("that is misspelt keeps its password to itself: " .. address,
      function()
        local message = failing(address)
        assert.is_nil(message:find("SES", 1, true), message)
      end)
  end

  it("is waited for no longer than it takes to say so", function()
    local database = databases.new(server.url)
    finally(function() database:close() end)
    assert.equal("8s", database:rows "SHOW statement_timeout"[1].statement_timeout)
  end)

  it("that lacks the database is named", function()
    assert.truthy(failing(server:url_of "n0where"):find("n0where", 1, true))
  end)
end)
