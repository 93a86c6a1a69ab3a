--- The tables of a ledger, and which version of them a database holds.
-- @module starvideos.ledger.schema

local columns = require "starvideos.ledger.columns"
local migration = require "starvideos.ledger.migration"

local _M = {}

--- The version this library reads and writes: 1 had another table, 3 brought
-- the queue, 4 the orders of a gateway, 5 its sessions.
_M.version = columns.version

--- What holds of a database of this version, as SQL: part of every statement
-- that changes an order, for another program may have changed the tables since.
_M.condition = ("EXISTS (SELECT 1 FROM ledger_meta WHERE name = 'orders'"
  .. " AND version = %d)"):format(_M.version)

-- A change leaves an index alone whose columns it does not touch.
local INDEXES = {
  [[CREATE UNIQUE INDEX starvideos_orders_by_name
    ON starvideos_orders (order_key, take, account)
    WHERE order_key IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_task ON starvideos_orders (task_id)
    WHERE task_id IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_open ON starvideos_orders (order_id)
    WHERE closed_at IS NULL]],
}

-- What came with the queue; an order that never was in it pays nothing for its
-- index. The bodies stand apart, for they may be long, and an
-- order is written several times.
local QUEUE = {
  [[CREATE INDEX starvideos_orders_by_state
    ON starvideos_orders (state, order_id) WHERE queued_at IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_claim ON starvideos_orders (claim)
    WHERE claim IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_slot ON starvideos_orders (slot)
    WHERE slot IS NOT NULL]],
  [[CREATE TABLE starvideos_bodies (
    order_id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, body TEXT NOT NULL)]],
  [[CREATE TABLE starvideos_workers (
    worker_id TEXT PRIMARY KEY, machine TEXT NOT NULL, account TEXT NOT NULL,
    base_url TEXT NOT NULL, owner TEXT NOT NULL, lease DOUBLE PRECISION NOT NULL,
    lease_clock TEXT, lease_began DOUBLE PRECISION, seen_revision INTEGER,
    seen_clock TEXT, seen_began DOUBLE PRECISION, revision INTEGER NOT NULL,
    started_at DOUBLE PRECISION NOT NULL, updated_at DOUBLE PRECISION NOT NULL,
    claims INTEGER NOT NULL, polls DOUBLE PRECISION NOT NULL,
    draining INTEGER NOT NULL)]],
  -- A row is a limit, or what else keeps orders back; see
  -- `starvideos.ledger.limits`.
  [[CREATE TABLE starvideos_limits (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, scope TEXT NOT NULL DEFAULT '',
    value TEXT NOT NULL DEFAULT '', base_url TEXT NOT NULL DEFAULT '',
    cap DOUBLE PRECISION, currency TEXT,
    used DOUBLE PRECISION NOT NULL DEFAULT 0,
    began DOUBLE PRECISION NOT NULL DEFAULT 0, full_until DOUBLE PRECISION,
    factor DOUBLE PRECISION, refunds INTEGER NOT NULL DEFAULT 0, reason TEXT,
    updated_at DOUBLE PRECISION NOT NULL)]],
}

-- What came with the gateway.
local REQUESTS = {
  [[CREATE INDEX starvideos_orders_by_request ON starvideos_orders (request)
    WHERE request IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_caller
    ON starvideos_orders (account, order_id) WHERE request IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_on_disk ON starvideos_orders (order_id)
    WHERE request IS NOT NULL AND removed_at IS NULL]],
}

local SESSIONS = {
  [[CREATE TABLE starvideos_sessions (
    session_id TEXT PRIMARY KEY, holder TEXT NOT NULL,
    ends_at DOUBLE PRECISION NOT NULL)]],
}

local function run_all(database, statements)
  for _, statement in ipairs(statements) do
    local ok, err = database:run(statement)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function create(database)
  local definitions = {}
  for index, column in ipairs(columns) do
    definitions[index] = column.name .. " " .. column.type
  end
  local ok, err = run_all(database, { ("CREATE TABLE starvideos_orders (%s)%s")
    :format(table.concat(definitions, ", "), database:table_options()) })
  if not ok then
    return nil, err
  end
  ok, err = run_all(database, INDEXES)
  if not ok then
    return nil, err
  end
  ok, err = run_all(database, QUEUE)
  if not ok then
    return nil, err
  end
  ok, err = run_all(database, REQUESTS)
  if not ok then
    return nil, err
  end
  return run_all(database, SESSIONS)
end

local function add_columns(database, version)
  local statements = {}
  for index, column in ipairs(columns.where(function(column)
    return column.since > version
  end)) do
    statements[index] = ("ALTER TABLE starvideos_orders ADD COLUMN %s %s")
      :format(column.name, column.type)
  end
  local ok, err = run_all(database, statements)
  if ok and version < 3 then
    ok, err = run_all(database, QUEUE)
  end
  if ok and version < 4 then
    ok, err = run_all(database, REQUESTS)
  end
  if ok and version < 5 then
    ok, err = run_all(database, SESSIONS)
  end
  return ok, err
end

--- The version of the tables that a database holds.
-- @tparam table database
-- @treturn ?number 0 where it holds none
-- @treturn ?string why it cannot be told
function _M.version_of(database)
  local rows, err = database:rows
    "SELECT version FROM ledger_meta WHERE name = 'orders'"
  if not rows then
    return nil, err
  end
  return tonumber(rows[1] and rows[1].version) or 0
end

local function create_meta(database)
  local ok, err = database:run [[CREATE TABLE IF NOT EXISTS ledger_meta (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL)]]
  if not ok then
    return nil, err
  end
  return database:run [[INSERT INTO ledger_meta (name, version)
    VALUES ('orders', 0) ON CONFLICT DO NOTHING]]
end

-- From the version that a database has; any other lacks what came since.
local upgrades = {
  [0] = create,
  function(database)
    local ok, err = migration.prepare(database)
    if ok then
      ok, err = create(database)
    end
    if ok then
      ok, err = migration.move(database)
    end
    return ok, err
  end,
}

-- Another process may have done it all while this one waited for the lock.
local function upgrade(database)
  local ok, err = create_meta(database)
  local found
  if ok then
    found, err = _M.version_of(database)
  end
  if not found or found >= _M.version then
    return found, err
  end
  ok, err = database:take_time()
  if ok then
    ok, err = (upgrades[found] or add_columns)(database, found)
  end
  if ok then
    ok, err = database:run(
      "UPDATE ledger_meta SET version = ? WHERE name = 'orders'", _M.version)
  end
  return ok and _M.version or nil, err
end

--- Bring a database to this version.
-- @tparam table database
-- @treturn ?number the version that it has now, which is higher than `version`
--   where a newer library wrote it
-- @treturn ?string why it could not be done
function _M.prepare(database)
  local found = _M.version_of(database)
  if found and found >= _M.version then
    return found
  end
  return database:transaction(upgrade)
end

return _M
