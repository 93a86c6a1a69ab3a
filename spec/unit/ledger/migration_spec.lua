local databases = require "starvideos.ledger.database"
local migrating = require "spec.ledger.migrating"
local shell = require "starvideos.sandbox.nginx.shell"
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

  it("is copied aside whole, for its owner alone", function()
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

  it("is brought up to date once by two that find it", function()
    local first, second = world:client(), world:client()
    assert(first:pending())
    assert.equal(1, #assert(second:pending()))
    assert.is_nil(world:read "ledger.db.before-2-2")
  end)
end)
