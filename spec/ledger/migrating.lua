-- What becomes of a ledger that the first version wrote: specs to be run over
-- each database.

local address = require "starvideos.provider.address"
local assert = require "luassert"
local busted = require "busted"
local columns = require "starvideos.ledger.columns"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

local TABLES = {
  [[CREATE TABLE ledger_meta (name TEXT PRIMARY KEY, version INTEGER NOT NULL)]],
  [[INSERT INTO ledger_meta (name, version) VALUES ('orders', 1)]],
  [[CREATE TABLE orders (order_id TEXT PRIMARY KEY, order_key TEXT,
    former_key TEXT, state TEXT NOT NULL, task_id TEXT, model TEXT,
    params TEXT NOT NULL, base_url TEXT NOT NULL, path TEXT,
    bytes DOUBLE PRECISION, sha256 TEXT, error TEXT, attempts INTEGER NOT NULL,
    owner TEXT, lease DOUBLE PRECISION, revision INTEGER NOT NULL,
    created_at DOUBLE PRECISION NOT NULL, updated_at DOUBLE PRECISION NOT NULL,
    closed_at DOUBLE PRECISION)]],
  [[CREATE UNIQUE INDEX orders_by_key ON orders (order_key)
    WHERE order_key IS NOT NULL]],
  [[CREATE INDEX orders_by_task ON orders (task_id)
    WHERE task_id IS NOT NULL]],
  "CREATE INDEX orders_open ON orders (order_id) WHERE closed_at IS NULL",
}

local PARAMS = '{"duration":5,"model":"videos","prompt":"a kite"}'

return worlds.behaviour("a ledger of the first version", function(each)
  local world

  each(function(new_world)
    world = new_world
    for _, statement in ipairs(TABLES) do
      world:run(statement)
    end
  end)

  -- An order as the first version left it.
  local function add(id, key, state, changes)
    local row = { task_id = state == "accepted" and "task-" .. id or nil,
      params = PARAMS, updated_at = os.time(), closed_at = nil }
    for name, value in pairs(changes or {}) do
      row[name] = value
    end
    world:run([[INSERT INTO orders (order_id, order_key, former_key, state,
      task_id, model, params, base_url, attempts, owner, lease, revision,
      created_at, updated_at, closed_at)
      VALUES (?, ?, ?, ?, ?, 'videos', ?, ?, 1, ?, ?, 3, 1000, ?, ?)]], id, key,
      row.former_key, state, row.task_id, row.params, address.default,
      row.owner, row.lease, row.updated_at, row.closed_at)
  end

  local function create(key, take, changes)
    return world:client():create(world.params(nil, changes),
      { key = key, take = take })
  end

  it("knows the order of a key, and sends nothing", function()
    add("1", "kite", "accepted")
    assert.equal("task-1", assert(create "kite").id)
    assert.equal(0, world:sent())
    assert.same({ { version = columns.version } },
      world:rows "SELECT version FROM ledger_meta")
    local order = assert(world:client():pending())[1]
    assert.same({ "1", "kite", 1, "accepted", 1000 }, { order.id, order.key,
      order.take, order.state, order.created_at })
  end)

  it("compares parameters as they were written then", function()
    -- A link whose fragment was kept, and one whose query was digested.
    add("1", "kite", "accepted", { params = '{"duration":5,"model":"videos",'
      .. '"prompt":"a kite","referenceImages":["https://a.test/1.png#x"]}' })
    assert.equal("task-1", assert(create("kite", nil,
      { referenceImages = { "https://a.test/1.png#x" } })).id)
    local _, err = create("kite", nil,
      { referenceImages = { "https://a.test/1.png#y" } })
    assert.equal("validation", err.kind)
    assert.equal(0, world:sent())
  end)

  it("makes takes of the orders that were dismissed under a key", function()
    add("1", nil, "abandoned", { former_key = "kite", closed_at = 5 })
    add("2", nil, "abandoned", { former_key = "kite", closed_at = 5 })
    add("3", "kite", "accepted")
    add("4", nil, "abandoned", { former_key = "ship", closed_at = 5 })
    add("5", nil, "accepted")
    assert.equal("task-3", assert(create "kite").id)
    local seen = {}
    for index, order in ipairs(assert(world:client():pending { all = true })) do
      seen[index] = ("%s %s %d %s"):format(order.id, tostring(order.key),
        order.take, order.state)
    end
    assert.same({ "1 kite 2 abandoned", "2 kite 3 abandoned",
      "3 kite 1 accepted", "4 ship 1 abandoned", "5 nil 1 accepted" }, seen)
    local _, err = create "ship"
    assert.equal("validation", err.kind)
    assert.truthy(err.message:find("--take 2", 1, true))
    assert.equal(0, world:sent())
  end)

  it("is refused by an older program from then on", function()
    assert(world:client():pending())
    assert.has_error(function() world:run "SELECT 1 FROM orders" end)
  end)

  describe("in which an order is being sent", function()
    -- Not brought up to date; its sender's answer finds its table.
    local function assert_held_up()
      local task, err = create "other"
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.truthy(err.message:find("kite", 1, true), err.message)
      assert.equal(0, world:sent())
      assert.equal(1, #world:rows "SELECT state FROM orders")
      assert.is_nil(world:read "ledger.db.before-2")
    end

    it("waits for it on another machine until its lease is over", function()
      add("1", "kite", "submitting", { owner = "elsewhere boot 1 2 state",
        lease = os.time() + 60 })
      assert_held_up()
      world:run("UPDATE orders SET lease = ?", os.time() - 1)
      assert(create "other")
      assert.equal("outcome_unknown", select(2, create "kite").kind)
    end)

    it("waits for it on this machine while its process runs", function()
      local sleeper = io.popen "echo $$; exec sleep 60"
      local pid = sleeper:read "*l"
      local start = shell.read(("sed 's/.*) //' /proc/%s/stat | cut -d ' '"
        .. " -f 20"):format(pid))
      local boot = shell.read "cat /proc/sys/kernel/random/boot_id"
      add("1", "kite", "submitting", { lease = 1,
        owner = ("host %s %s %s state"):format(boot, pid, start) })
      assert_held_up()
      os.execute("kill " .. pid)
      sleeper:close()
      assert(create "other")
    end)

    it("does not wait for a clock that is a year ahead", function()
      local year = 365 * 86400
      add("1", "kite", "submitting", { owner = "elsewhere boot 1 2 state",
        updated_at = os.time() + year, lease = os.time() + year + 120 })
      assert.equal("outcome_unknown", select(2, create "kite").kind)
    end)
  end)

  it("stays as it was where it cannot be upgraded", function()
    add("1", "kite", "accepted")
    world:run "CREATE TABLE starvideos_orders (mine TEXT)"
    local task, err = create "kite"
    assert.is_nil(task)
    assert.equal("ledger", err.kind)
    assert.same({ { version = 1 } }, world:rows "SELECT version FROM ledger_meta")
    assert.equal(1, #world:rows "SELECT state FROM orders")
    world:run "DROP TABLE starvideos_orders"
    assert.equal("task-1", assert(create "kite").id)
  end)

  -- Takes away what the sessions of a gateway brought.
  local function make_fourth()
    world:run "DROP TABLE starvideos_sessions"
    world:run "UPDATE ledger_meta SET version = 4"
  end

  it("gets the sessions of a gateway, as one of the fourth version does", function()
    assert(create "kite")
    make_fourth()
    assert.equal("accepted", assert(world:client():order "kite").state)
    assert.same({}, world:rows "SELECT * FROM starvideos_sessions")
  end)

  -- Takes away what the gateway brought.
  local function make_third()
    make_fourth()
    for _, statement in ipairs { "DROP INDEX starvideos_orders_by_request",
      "DROP INDEX starvideos_orders_by_caller",
      "DROP INDEX starvideos_orders_on_disk" } do
      world:run(statement)
    end
    for _, name in ipairs { "request", "attempt", "deleted_at", "removed_at" } do
      world:run("ALTER TABLE starvideos_orders DROP COLUMN " .. name)
    end
    world:run "UPDATE ledger_meta SET version = 3"
  end

  it("gets what a gateway needs, as one of the third version does", function()
    assert(create "kite")
    make_third()
    assert.equal("accepted", assert(world:client():order "kite").state)
    assert.same({ { request = nil } },
      world:rows "SELECT request FROM starvideos_orders")
  end)

  it("gets what the queue needs, as one of the second version does", function()
    assert(create "kite")
    make_third()
    for _, statement in ipairs { "DROP TABLE starvideos_bodies",
      "DROP TABLE starvideos_workers", "DROP TABLE starvideos_limits",
      "DROP INDEX starvideos_orders_by_state",
      "DROP INDEX starvideos_orders_by_claim",
      "DROP INDEX starvideos_orders_by_slot",
      "ALTER TABLE starvideos_orders DROP COLUMN slot",
      "UPDATE ledger_meta SET version = 2" } do
      world:run(statement)
    end
    assert.equal("accepted", assert(world:client():order "kite").state)
    assert.same({}, world:rows "SELECT * FROM starvideos_workers")
  end)
end)
