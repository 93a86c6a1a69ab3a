-- A host that closes descriptors which it has not opened, while a ledger is open:
-- SQLite and libpq would go on with their numbers, and write pages, locks and
-- queries into what the host has there by now.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local postgres = require "spec.fixtures.postgres"
local process = require "spec.fixtures.process"
local starvideos = require "starvideos"

-- For which a ledger is waited for at most, and as long again for a slow machine.
local SOON = 20

local KINDS = { "socket", "file", "none" }

local ORDER = { model = "videos", prompt = "a kite", duration = 5 }

local function check(body)
  return process.in_child(function()
    local begun = core.now()
    body()
    assert.is_true(core.now() - begun < SOON, "it took too long")
    assert.is_nil(process.harm())
    return true
  end)
end

local function each(name, body)
  for _, kind in ipairs(KINDS) do
    it(("%s (%s)"):format(name, kind), function()
      assert.is_true(check(function()
        body(function(first, last)
          assert.is_true(process.seize(kind, first or 3, last) > 0)
        end)
      end))
    end)
  end
end

local function number(database)
  local rows, why = database:rows "SELECT count(*) AS n FROM notes"
  return rows and tonumber(rows[1].n), why
end

local function note(database)
  return database:run("INSERT INTO notes VALUES (?)", "a note")
end

local function open(address)
  local database = databases.new(address)
  assert(database:run "CREATE TABLE IF NOT EXISTS notes (text TEXT)")
  assert(note(database))
  return database
end

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("a host that closes the descriptors of a ledger's file", function()
  local folder, path

  before_each(function()
    folder = files.folder()
    path = folder .. "/ledger.db"
  end)
  after_each(function()
    files.remove(folder)
  end)

  local function client_of(options)
    local posts = 0
    local client = assert(starvideos.new { api_key = "key", ledger = path,
      runtime = options.runtime, clock = options.clock, sleep = options.sleep,
      transport = function()
        posts = posts + 1
        if options.on_post then
          options.on_post()
        end
        return { status = 200, headers = {},
          body = ('{"id":"video_%d","status":"queued"}'):format(posts) }
      end })
    return client, function() return posts end
  end

  local function is_refused(why)
    assert.matches("closed descriptors", why)
  end

  each("is told so, each time", function(seize)
    local database = open(path)
    seize()
    for _ = 1, 2 do
      is_refused(select(2, note(database)))
      is_refused(select(2, number(database)))
      is_refused(select(2, database:transaction(note)))
    end
    database:close()
  end)

  each("is told so within a transaction, too", function(seize)
    local database = open(path)
    local _, why = database:transaction(function()
      assert(note(database))
      seize()
      return note(database)
    end)
    assert.matches("midst of a transaction", why)
    is_refused(select(2, note(database)))
  end)

  each("is told so by another connection", function(seize)
    local one, other = open(path), databases.new(path)
    seize()
    is_refused(select(2, note(other)))
    is_refused(select(2, note(one)))
  end)

  each("loses nothing of its own when the collector comes", function(seize)
    open(path)
    seize()
    collect()
  end)

  each("may do so with one of two connections, whose files are open still",
    function(seize)
      local one, other = open(path), open(path)
      one:close()
      assert.equal(2, (number(other)))
      other:close()
      seize(3)
    end)

  each("may open it again after it was closed", function(seize)
    open(path):close()
    seize()
    assert.equal(2, (number(open(path))))
  end)

  each("may open it again after it was collected", function(seize)
    open(path)
    collect()
    seize()
    assert.equal(2, (number(open(path))))
  end)

  it("may have several in memory", function()
    assert.equal(1, (number(open ":memory:")))
    assert.equal(1, (number(open ":memory:")))
  end)

  each("keeps no other ledger from being opened", function(seize)
    open(path)
    seize()
    assert.equal(1, (number(open(path .. ".2"))))
  end)

  each("is told so in the child of a child", function(seize)
    local database = open(path)
    local body = function()
      seize()
      is_refused(select(2, note(database)))
      is_refused(select(2, note(databases.new(path))))
      collect()
      assert.is_nil(process.harm())
      return true
    end
    assert.is_true(process.in_child(function()
      return process.in_child(body)
    end))
    assert(note(database))
    assert.equal(2, (number(database)))
    database:close()
  end)

  for _, runtime in ipairs { "block", "frame", "poll" } do
    local function create(client, options)
      if runtime == "block" then
        return client:create(ORDER, options)
      end
      local handle = client:async(client.create, client, ORDER, options)
      client:run(SOON)
      return handle.result, handle.err
    end

    each(("buys nothing (%s)"):format(runtime), function(seize)
      local client, posts = client_of { runtime = runtime }
      assert(create(client, { key = "one" }))
      seize()
      local task, err = create(client, { key = "two" })
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.matches("closed descriptors", tostring(err))
      assert.equal(1, posts())
      client:close()
    end)
  end

  each("gets the id of what was on the wire", function(seize)
    local now = 0
    local client = client_of { runtime = "block", on_post = seize,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds end }
    local task, err = client:create(ORDER, { key = "one" })
    assert.equal("video_1", task and task.id or err.task_id)
    assert.is_true(now < SOON)
    client:close()
  end)
end)

describe("a host that closes the descriptors of a connection to PostgreSQL",
  function()
    local server

    setup(function()
      server = postgres.start()
    end)
    teardown(function()
      server:stop()
    end)

    each("gets another connection", function(seize)
      local database = open(server.url)
      local before = number(database)
      seize()
      assert(note(database))
      assert.equal(before + 1, (number(database)))
      database:close()
    end)

    each("is told so within a transaction", function(seize)
      local database = open(server.url)
      local before = number(database)
      local _, why = database:transaction(function()
        assert(note(database))
        seize()
        return note(database)
      end)
      assert.matches("midst of a transaction", why)
      assert.equal(before, (number(database)))
      database:close()
    end)

    each("loses nothing of its own when the collector comes", function(seize)
      open(server.url)
      seize()
      collect()
    end)

    each("gets an answer through the ledger's thread", function(seize)
      local client = assert(starvideos.new { api_key = "key",
        ledger = server.url, transport = function()
          return { status = 200, headers = {}, body = '{"id":"v","status":"x"}' }
        end })
      assert(client:pending())
      seize()
      assert(client:pending())
      client:close()
    end)
  end)

-- It was taken for one whose descriptors the host had closed, for the rest of the
-- process.
describe("a ledger that is removed and made again by one program", function()
  it("opens though somebody still has the one before", function()
    local folder = files.folder()
    finally(function() files.remove(folder) end)
    local address, clients = folder .. "/videos.db", {}
    for round = 1, 4 do
      clients[round] = assert(starvideos.new { api_key = "key",
        ledger = address })
      assert.same({}, (clients[round]:pending()))
      if round > 1 then
        clients[round]:close() -- the first stays open
      end
      for _, suffix in ipairs { "", "-wal", "-shm" } do
        os.remove(address .. suffix)
      end
    end
    clients[1]:close()
  end)
end)
