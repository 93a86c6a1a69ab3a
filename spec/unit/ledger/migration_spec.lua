local databases = require "starvideos.ledger.database"
local migrating = require "spec.ledger.migrating"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

migrating(function()
  return nil
end)

describe("the file of a ledger of the first version", function()
  local world

  before_each(function()
    world = worlds.new()
    world:run [[CREATE TABLE ledger_meta (name TEXT PRIMARY KEY,
      version INTEGER NOT NULL)]]
    world:run "INSERT INTO ledger_meta VALUES ('orders', 1)"
    world:run [[CREATE TABLE orders (order_id TEXT PRIMARY KEY, order_key TEXT,
      former_key TEXT, state TEXT, task_id TEXT, model TEXT, params TEXT,
      base_url TEXT, path TEXT, bytes REAL, sha256 TEXT, error TEXT,
      attempts INTEGER, owner TEXT, lease REAL, revision INTEGER,
      created_at REAL, updated_at REAL, closed_at REAL)]]
    world:run [[INSERT INTO orders (order_id, state, task_id, params, base_url,
      attempts, revision, created_at, updated_at)
      VALUES ('1', 'accepted', 'task-1', '{}', 'here', 1, 1, 1, 1)]]
  end)

  after_each(function()
    world:close()
  end)

  local function copy(name)
    local database = databases.new(world.folder .. "/" .. name)
    finally(function() database:close() end)
    return assert(database:rows "SELECT state, task_id FROM orders")
  end

  it("is copied whole, for its owner alone", function()
    assert(world:client():pending())
    assert.same({ { state = "accepted", task_id = "task-1" } },
      copy "ledger.db.before-2")
    assert.equal("600", shell.read(shell.fill(
      "stat -c %a @folder@/ledger.db.before-2", { folder = world.folder })))
  end)

  it("is copied to a name of its own where one is taken", function()
    assert(io.open(world.folder .. "/ledger.db.before-2", "wb")):close()
    assert(world:client():pending())
    assert.equal("", world:read "ledger.db.before-2")
    assert.equal(1, #copy "ledger.db.before-2-2")
  end)

  it("is left as it is where it cannot be copied", function()
    for number = 1, 9 do
      assert(io.open(("%s/ledger.db.before-2%s"):format(world.folder,
        number > 1 and "-" .. number or ""), "wb")):close()
    end
    local list, err = world:client():pending()
    assert.is_nil(list)
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find("before-2", 1, true), err.message)
    assert.equal(1, #world:rows "SELECT 1 FROM orders")
  end)

  it("is upgraded once by two that find it", function()
    local first, second = world:client(), world:client()
    assert(first:pending())
    assert.equal(1, #assert(second:pending()))
    assert.is_nil(world:read "ledger.db.before-2-2")
  end)
end)

describe("a column that a later version brings", function()
  local MODULES = { "columns", "schema", "store", "record", "orders",
    "insertion", "tasks",
    "manual_changes" }
  local loaded, world, client

  before_each(function()
    world, loaded = worlds.new(), {}
    client = world:client()
    assert(client:create(world.params(), { key = "old" }))
    for _, name in ipairs(MODULES) do
      name = "starvideos.ledger." .. name
      loaded[name], package.loaded[name] = package.loaded[name], nil
    end
  end)

  after_each(function()
    for name, module in pairs(loaded) do
      package.loaded[name] = module
    end
    world:close()
  end)

  it("needs a row of the table of columns alone", function()
    local columns = require "starvideos.ledger.columns"
    columns.version = columns.version + 1
    columns[#columns + 1] = { "note", "TEXT NOT NULL DEFAULT 'none'",
      name = "note", type = "TEXT NOT NULL DEFAULT 'none'", as = "note",
      placed = "content", since = columns.version }
    local orders = require("starvideos.ledger.tasks").new {
      address = world.address, lease = 60 }
    finally(function() orders:close() end)
    local record = require "starvideos.ledger.record"
    local caller = { owner = "me", now = 1, boottime = 1, clock = "c", held = {} }
    assert.equal("send", (orders:begin(caller, { id = "1", key = "new", take = 1,
      account = "", params = "{}", base_url = "here", note = "seen" })))
    local notes = {}
    for _, row in ipairs(assert(orders:pending(caller, 10, nil, true))) do
      notes[row.order_key] = record.order(row).note
    end
    assert.same({ old = "none", new = "seen" }, notes)
    local _, err = client:create(world.params(), { key = "later" })
    assert.truthy(err.message:find("newer", 1, true), err.message)
  end)
end)
