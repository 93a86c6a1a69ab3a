--- The tables of a ledger, and which version of them a database holds.
-- @module starvideos.ledger.schema

local migration = require "starvideos.ledger.migration"

local _M = {}

--- The version this library reads and writes.
_M.version = 2

--- What holds of a database of this version, as SQL: part of every statement
-- that changes an order, for the tables may be another version's meanwhile.
_M.condition = ("EXISTS (SELECT 1 FROM ledger_meta WHERE name = 'orders'"
  .. " AND version = %d)"):format(_M.version)

-- Times are Unix seconds unless said otherwise, sizes bytes, costs millionths;
-- all as floats, for LuaDBI reads PostgreSQL's whole numbers as 32 bits.
--
-- * Key, take and account name an order; `account` is empty where it has no
--   label.
-- * `revision` grows with every change of a row: an update that names the one
--   it read cannot undo another's.
-- * `lease` is a length in seconds, which began at `lease_began` on the clock
--   `lease_clock`; `seen_began` is when a reader of another clock first saw
--   the revision `seen_revision`; see `starvideos.ledger.lease`. The columns
--   of `claim` are the same for who waits for a task or saves its video.
-- * `params` is to be compared, `params_form` how it was written; `body` is
--   what a worker sends to `endpoint`.
-- * `late_tasks` and `refused_tasks` are further ids that the provider gave,
--   a line each; `task_created` is what it said, `missing_since` when it first
--   knew the task no more.
-- * `cost` was reserved in the window that began at `spent_in`.
--
-- An index that a change does not touch costs it nothing: hence no `state` in
-- any.
local tables = {
  [[CREATE TABLE starvideos_orders (
    order_id TEXT PRIMARY KEY,
    order_key TEXT,
    take INTEGER NOT NULL DEFAULT 1,
    account TEXT NOT NULL DEFAULT '',
    label TEXT,
    state TEXT NOT NULL,
    task_id TEXT,
    task_created DOUBLE PRECISION,
    accepted_at DOUBLE PRECISION,
    late_tasks TEXT,
    refused_tasks TEXT,
    missing_since DOUBLE PRECISION,
    model TEXT,
    params TEXT NOT NULL,
    params_form INTEGER NOT NULL DEFAULT 2,
    body TEXT,
    endpoint TEXT,
    base_url TEXT NOT NULL,
    path TEXT,
    machine TEXT,
    bytes DOUBLE PRECISION,
    sha256 TEXT,
    error TEXT,
    attempts INTEGER NOT NULL,
    owner TEXT,
    lease DOUBLE PRECISION,
    lease_clock TEXT,
    lease_began DOUBLE PRECISION,
    seen_revision INTEGER,
    seen_clock TEXT,
    seen_began DOUBLE PRECISION,
    claim TEXT,
    claim_lease DOUBLE PRECISION,
    claim_clock TEXT,
    claim_began DOUBLE PRECISION,
    queued_at DOUBLE PRECISION,
    not_before DOUBLE PRECISION,
    cost DOUBLE PRECISION,
    currency TEXT,
    spent_in DOUBLE PRECISION,
    revision INTEGER NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    closed_at DOUBLE PRECISION
  )]],
  [[CREATE UNIQUE INDEX starvideos_orders_by_name
    ON starvideos_orders (order_key, take, account)
    WHERE order_key IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_task ON starvideos_orders (task_id)
    WHERE task_id IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_open ON starvideos_orders (order_id)
    WHERE closed_at IS NULL]],
}

local function create(database)
  for _, statement in ipairs(tables) do
    if statement:find "^CREATE TABLE" then
      statement = statement .. database:table_options()
    end
    local ok, err = database:run(statement)
    if not ok then
      return nil, err
    end
  end
  return true
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

local steps = {
  -- Nothing is there yet.
  [0] = create,
  -- The first version.
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
local function bring_up(database)
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
    ok, err = steps[found](database)
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
  return database:transaction(bring_up)
end

return _M
