--- The tables of a ledger, and how one written by an older version of this
-- library becomes one of this.
-- @module starvideos.ledger.schema

local _M = {}

-- Times are Unix seconds, sizes bytes; both as floats, for LuaDBI reads
-- PostgreSQL's whole numbers as 32 bits. `revision` grows with every change of
-- a row: an update that names the one it read cannot undo another's. An order
-- that is given up hands its key over to `former_key`, so that a new one can
-- take it. An index that a change does not touch costs it nothing: hence no
-- `state` in any.
local first = {
  [[CREATE TABLE orders (
    order_id TEXT PRIMARY KEY,
    order_key TEXT,
    former_key TEXT,
    state TEXT NOT NULL,
    task_id TEXT,
    model TEXT,
    params TEXT NOT NULL,
    base_url TEXT NOT NULL,
    path TEXT,
    bytes DOUBLE PRECISION,
    sha256 TEXT,
    error TEXT,
    attempts INTEGER NOT NULL,
    owner TEXT,
    lease DOUBLE PRECISION,
    revision INTEGER NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    closed_at DOUBLE PRECISION
  )]],
  [[CREATE UNIQUE INDEX orders_by_key ON orders (order_key)
    WHERE order_key IS NOT NULL]],
  [[CREATE INDEX orders_by_task ON orders (task_id)
    WHERE task_id IS NOT NULL]],
  "CREATE INDEX orders_open ON orders (order_id) WHERE closed_at IS NULL",
}

-- What makes a ledger of the version before into one of this version.
local migrations = { first }

--- The version this library writes.
_M.version = #migrations

local function version_of(database)
  local rows, err = database:rows "SELECT version FROM ledger_meta"
  if not rows then
    return nil, err
  end
  return tonumber(rows[1] and rows[1].version) or 0
end

local function step(database, number)
  for _, statement in ipairs(migrations[number]) do
    if statement:find "^CREATE TABLE" then
      statement = statement .. database:table_options()
    end
    local ok, err = database:run(statement)
    if not ok then
      return nil, err
    end
  end
  return database:run("UPDATE ledger_meta SET version = ?", number)
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
local function migrate(database)
  local ok, err = create_meta(database)
  local found = ok and version_of(database)
  for number = (found or math.huge) + 1, _M.version do
    ok, err = step(database, number)
    if not ok then
      break
    end
  end
  return ok and found, err
end

--- Bring a database to this version.
-- @tparam table database
-- @treturn ?number the version found, which is higher than `version` where
--   the ledger was written by a newer library
-- @treturn ?string why not
function _M.prepare(database)
  local found = version_of(database)
  if found and found >= _M.version then
    return found
  end
  return database:transaction(migrate)
end

return _M
