--- The tables of a ledger, and which version of them a database holds.
-- @module starvideos.ledger.schema

local columns = require "starvideos.ledger.columns"

local _M = {}

--- The version of the tables that this library reads and writes.
_M.version = 5

--- What holds of a database of this version, as SQL: part of every statement
-- that changes an order, for another program may have changed the tables since.
_M.condition = ("EXISTS (SELECT 1 FROM ledger_meta WHERE name = 'orders'"
  .. " AND version = %d)"):format(_M.version)

-- What is made beside the table of orders. A change leaves an index alone whose
-- columns it does not touch, and an order that never was in the queue pays nothing
-- for the queue's. The bodies stand apart, for they may be long, and an order is
-- written several times.
local BESIDE = {
  [[CREATE UNIQUE INDEX starvideos_orders_by_name
    ON starvideos_orders (order_key, take, account)
    WHERE order_key IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_task ON starvideos_orders (task_id)
    WHERE task_id IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_open ON starvideos_orders (order_id)
    WHERE closed_at IS NULL]],
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
  [[CREATE INDEX starvideos_orders_by_request ON starvideos_orders (request)
    WHERE request IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_caller
    ON starvideos_orders (account, order_id) WHERE request IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_on_disk ON starvideos_orders (order_id)
    WHERE request IS NOT NULL AND removed_at IS NULL]],
  [[CREATE TABLE starvideos_sessions (
    session_id TEXT PRIMARY KEY, holder TEXT NOT NULL,
    ends_at DOUBLE PRECISION NOT NULL)]],
}

local function create(database)
  local definitions = {}
  for index, column in ipairs(columns) do
    definitions[index] = column.name .. " " .. column.type
  end
  local ok, err = database:run(("CREATE TABLE starvideos_orders (%s)%s")
    :format(table.concat(definitions, ", "), database:table_options()))
  for _, statement in ipairs(BESIDE) do
    if not ok then
      return nil, err
    end
    ok, err = database:run(statement)
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

-- Another process may have done it all while this one waited for the lock.
local function make(database)
  local ok, err = create_meta(database)
  local found
  if ok then
    found, err = _M.version_of(database)
  end
  if found ~= 0 then
    return found, err
  end
  ok, err = create(database)
  if ok then
    ok, err = database:run(
      "UPDATE ledger_meta SET version = ? WHERE name = 'orders'", _M.version)
  end
  return ok and _M.version or nil, err
end

--- Make the tables where there are none.
-- @tparam table database
-- @treturn ?number the version that the database has, which differs from `version`
--   where another version of this library made them
-- @treturn ?string why it could not be done
function _M.prepare(database)
  local found = _M.version_of(database)
  if found and found ~= 0 then
    return found
  end
  return database:transaction(make)
end

return _M
