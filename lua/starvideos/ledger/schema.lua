-- The tables of a ledger, what their columns hold, and which version of them a
-- database holds.

local _M = {}

-- The version of the tables that this library reads and writes.
_M.version = 6

-- True, as SQL, in a database of this version: part of every statement that changes an
-- order, because another program may have changed the tables since.
_M.condition = ("EXISTS (SELECT 1 FROM ledger_meta WHERE name = 'orders'"
  .. " AND version = %d)"):format(_M.version)

local TEXT, FLOAT = "TEXT", "DOUBLE PRECISION"
local INTEGER = "INTEGER NOT NULL"

-- The columns of the table of orders. A new column needs a row here and no more.
--
-- Each row has the column's name and type, and where they apply:
--
-- * `as`: its name in an order, as `starvideos.ledger.record` shows it; such
--   columns are read for lists, too; `listed` ones for lists alone
-- * `show`: how it is shown: `whole` number, list of `ids`, `label` (nil where it
--   is empty), `reason` (without secrets), `money` (of millionths)
-- * `placed`: given when an order is placed; `name` columns then name it, and
--   `content` columns change where an order that was not accepted is placed again
-- * `verbatim`: a number that is only compared, and never repaired
--
-- Above each row stands its unit, who writes it, and when. The writers are steps of an
-- order. Numbers that may exceed 32 bits are floats, because LuaDBI reads no longer
-- integers from PostgreSQL.
_M.columns = {
  -- 32 hex digits that sort by time; `begin`, once.
  { "order_id", "TEXT PRIMARY KEY", as = "id", placed = "name" },
  -- The caller's key, or the path of the file; `begin`, once. NULL: none.
  { "order_key", TEXT, as = "key", placed = "name" },
  -- Which order of the key, from 1; `begin`, once.
  { "take", INTEGER .. " DEFAULT 1", as = "take", show = "whole",
    placed = "name" },
  -- The client's account, empty for none; `begin`, and `label` where it is empty.
  { "account", "TEXT NOT NULL DEFAULT ''", as = "account", show = "label",
    placed = "name" },
  -- A label of the caller's, for limits and lists; `begin` or `stage`. NULL: none.
  { "label", TEXT, as = "label", placed = "content" },
  -- A word of `starvideos.ledger.states`; with every step.
  { "state", "TEXT NOT NULL", as = "state" },
  -- The provider's id; `resolve` when the order was accepted, or `adopt`.
  { "task_id", TEXT, as = "task_id" },
  -- Unix seconds, by the provider's clock; `resolve`, from its answer.
  { "task_created", FLOAT },
  -- Unix seconds; `resolve` or `adopt`, when the order was accepted.
  { "accepted_at", FLOAT, as = "accepted_at", show = "whole" },
  -- Ids of tasks, a line each; `resolve`, when an answer came for an order that
  -- had moved on: they were bought, too.
  { "late_tasks", TEXT, as = "late_tasks", show = "ids" },
  -- Ids of refused tasks, a line each; `begin`, when the order is placed again.
  { "refused_tasks", TEXT },
  -- Unix seconds; `missing`, when the provider first did not know the task any
  -- more. NULL again with `seen`, `placing` or `downloaded`.
  { "missing_since", FLOAT, as = "missing_since", show = "whole" },
  -- The model's id; `begin`.
  { "model", TEXT, as = "model", placed = "content" },
  -- How the video is made, as `starvideos.provider.body` names it of `params`; with
  -- them.
  { "mode", TEXT, as = "mode", placed = "content" },
  -- JSON without secrets, fit to be compared; `begin`.
  { "params", "TEXT NOT NULL", as = "params", show = "params",
    placed = "content" },
  -- How `params` was written: 2; `begin`. 3: it is a digest of what it was;
  -- `archive`, and when its caller deleted it.
  { "params_form", INTEGER .. " DEFAULT 2", listed = true },
  -- The client's base URL; `begin`.
  { "base_url", "TEXT NOT NULL", as = "base_url", placed = "content" },
  -- An absolute path; `begin` where the caller wants the video, `placing` and
  -- `downloaded` where it is.
  { "path", TEXT, as = "path", placed = "content" },
  -- Host name of the machine of `path`; with it.
  { "machine", TEXT, as = "machine", placed = "content" },
  -- Bytes of the file; `placing`, before it gets its name, and `downloaded`.
  { "bytes", FLOAT, as = "bytes", show = "whole" },
  -- 64 hex digits, of the file; with `bytes`.
  { "sha256", TEXT, as = "sha256" },
  -- A sentence, why the order or its task failed; every step that knows one.
  -- NULL again with `submitting`, and when its caller deleted it.
  { "error", TEXT, as = "error", show = "reason" },
  -- What the provider said that it charged, as it stands in its answer, without a
  -- currency; `seen`. It is part of no spend.
  { "amount", TEXT, as = "amount" },
  -- How often the order was sent; `submitting` adds one.
  { "attempts", INTEGER, as = "attempts", show = "whole" },
  -- The process that may send the order, as `starvideos.ledger.owner` names it;
  -- `begin`, `submitting` and `renew`. NULL once it is over.
  { "owner", TEXT },
  -- Seconds for which `owner` may; with it.
  { "lease", FLOAT },
  -- Name of the clock of `lease_began`; with it. NULL: the server's.
  { "lease_clock", TEXT },
  -- Seconds of that clock; with each new lease.
  { "lease_began", FLOAT },
  -- The revision that a reader of another clock saw; when it first saw that one.
  { "seen_revision", "INTEGER", verbatim = true },
  -- Name of that reader's clock; with it.
  { "seen_clock", TEXT },
  -- Seconds of that reader's clock; with it.
  { "seen_began", FLOAT },
  -- The worker that has the order, by its id in `starvideos_workers`: it alone
  -- sends it, waits for it and saves its video; `claim`. NULL: none, or its
  -- worker is dead. Of a staged order the batch; `stage`.
  { "claim", TEXT },
  -- Unix seconds; when its batch was enqueued. NULL: it never was in the queue.
  { "queued_at", FLOAT, as = "queued_at", show = "whole" },
  -- Unix seconds, before which a worker leaves the order alone; `unclaim`.
  { "not_before", FLOAT, as = "not_before", show = "whole" },
  -- Millionths of `currency` that the order costs, by the prices of the client
  -- that placed it; `begin` or `stage`. NULL: they have none for it.
  { "cost", FLOAT, as = "cost", show = "money", placed = "content" },
  -- The currency's name; with it.
  { "currency", TEXT, as = "currency", placed = "content" },
  -- Unix seconds, the beginning of the day (UTC) whose spend `cost` is part of;
  -- `submitting`. NULL: nothing was sent, or certainly nothing bought.
  { "spent_in", FLOAT },
  -- Unix seconds until which the order counts as an open task, at the longest;
  -- `submitting`, and every step that ends that. NULL: it does not.
  { "slot", FLOAT },
  -- What a caller of a gateway asked for, as a digest of `params`; `admit`. NULL:
  -- the order came in another way.
  { "request", TEXT },
  -- The highest number of a repeated attempt that has joined the order, 0 for
  -- none; `admit`.
  { "attempt", "INTEGER", verbatim = true },
  -- Unix seconds; when its caller deleted it. NULL: it is listed.
  { "deleted_at", FLOAT, as = "deleted_at", show = "whole" },
  -- Unix seconds; when a gateway removed the file, or what a download that never
  -- ended had left; `removed`. NULL: it has not.
  { "removed_at", FLOAT, as = "removed_at", show = "whole" },
  -- Counts the changes of the row, from 1: a change names the revision it has
  -- read, so that it cannot undo another's; with every change.
  { "revision", INTEGER, verbatim = true },
  -- Unix seconds; `begin`, once.
  { "created_at", FLOAT .. " NOT NULL", as = "created_at", show = "whole" },
  -- Unix seconds; with every change.
  { "updated_at", FLOAT .. " NOT NULL", as = "updated_at", show = "whole" },
  -- Unix seconds; when nothing is to be done about the order any more, so that
  -- it is not listed as open. NULL while there is.
  { "closed_at", FLOAT },
}

for _, column in ipairs(_M.columns) do
  column.name, column.type = column[1], column[2]
end

function _M.columns_where(holds)
  local list = {}
  for _, column in ipairs(_M.columns) do
    list[#list + 1] = holds(column) and column or nil
  end
  return list
end

-- The names of columns, as SQL lists them.
function _M.names(list)
  local names = {}
  for index, column in ipairs(list) do
    names[index] = column.name
  end
  return table.concat(names, ", ")
end

-- The ids of a column that holds several, a line each.
function _M.read_ids(text)
  local ids = {}
  for id in (type(text) == "string" and text or ""):gmatch "[^\n]+" do
    ids[#ids + 1] = id
  end
  return ids
end

function _M.with_id(text, id)
  local ids = _M.read_ids(text)
  for _, known in ipairs(ids) do
    if known == id then
      return text
    end
  end
  ids[#ids + 1] = id
  return table.concat(ids, "\n")
end

-- What is made beside the table of orders. An order that never was in the queue pays
-- nothing for the queue's indexes. The bodies stand apart, because they may be long, and an
-- order is written several times.
local BESIDE = {
  [[CREATE UNIQUE INDEX starvideos_orders_by_name
    ON starvideos_orders (order_key, take, account)
    WHERE order_key IS NOT NULL]],
  -- PostgreSQL's indexes take no text of more than some 2,700 bytes.
  [[CREATE INDEX starvideos_orders_by_task
    ON starvideos_orders (substr(task_id, 1, 200)) WHERE task_id IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_open ON starvideos_orders (order_id)
    WHERE closed_at IS NULL]],
  -- A list asks each state for its first orders: see `starvideos.ledger.history`.
  [[CREATE INDEX starvideos_orders_by_state ON starvideos_orders (state, order_id)]],
  [[CREATE INDEX starvideos_orders_by_label
    ON starvideos_orders (label, state, order_id) WHERE label IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_account
    ON starvideos_orders (account, state, order_id) WHERE account <> '']],
  [[CREATE INDEX starvideos_orders_by_account_and_label
    ON starvideos_orders (account, label, state, order_id)
    WHERE account <> '' AND label IS NOT NULL]],
  -- What limits of spend count: it holds all that their sums read.
  [[CREATE INDEX starvideos_orders_spent
    ON starvideos_orders (currency, spent_in, cost, account, label)
    WHERE spent_in IS NOT NULL AND cost IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_waiting
    ON starvideos_orders (currency, cost, account, label, state, claim, queued_at)
    WHERE queued_at IS NOT NULL AND state IN ('queued', 'prepared')
    AND cost IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_due
    ON starvideos_orders (base_url, account, order_id, not_before, label, state,
      queued_at, claim)
    WHERE state = 'queued' AND claim IS NULL AND queued_at IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_claim ON starvideos_orders (claim)
    WHERE claim IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_slot ON starvideos_orders (slot)
    WHERE slot IS NOT NULL]],
  -- What is still to be saved, and how large videos were.
  [[CREATE INDEX starvideos_orders_owed ON starvideos_orders (machine)
    WHERE state IN ('submitting', 'accepted', 'completed')]],
  [[CREATE INDEX starvideos_orders_by_bytes ON starvideos_orders (bytes)
    WHERE bytes IS NOT NULL]],
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
    waiting DOUBLE PRECISION NOT NULL DEFAULT 0,
    updated_at DOUBLE PRECISION NOT NULL)]],
  -- A gateway of many callers has as many limits.
  [[CREATE INDEX starvideos_limits_by_value ON starvideos_limits (value, kind)]],
  [[CREATE INDEX starvideos_limits_by_kind ON starvideos_limits (kind, began)]],
  [[CREATE INDEX starvideos_limits_full ON starvideos_limits (full_until)
    WHERE full_until IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_by_request
    ON starvideos_orders (request, order_id) WHERE request IS NOT NULL]],
  [[CREATE INDEX starvideos_orders_open_of_caller
    ON starvideos_orders (account, state, request, closed_at)
    WHERE request IS NOT NULL AND closed_at IS NULL]],
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
  for index, column in ipairs(_M.columns) do
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

-- The version of the tables that a database holds; 0 if it holds none.
function _M.version_of(database)
  local rows, err = database:rows
    "SELECT version FROM ledger_meta WHERE name = 'orders'"
  if not rows then
    return nil, err
  end
  return tonumber(rows[1] and rows[1].version) or 0
end

local NARROWER = "the encoding of the ledger's database is %s: it takes no order whose"
  .. " key, path or request has a character beyond that, and keeps what the provider says"
  .. " in ASCII; move the ledger to a database with the encoding UTF8 (pg_dump, psql)"

local NARROW = "its encoding is %s, which has no Chinese and no emoji; nothing was sent;"
  .. " make a database with the encoding UTF8 (createdb --encoding=UTF8"
  .. " --template=template0), and name that"

local function create_meta(database)
  local ok, err = database:run [[CREATE TABLE IF NOT EXISTS ledger_meta (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL)]]
  if not ok then
    return nil, err
  end
  return database:run [[INSERT INTO ledger_meta (name, version)
    VALUES ('orders', 0) ON CONFLICT DO NOTHING]]
end

-- The encoding of a database that does not take every text; nil of one that does.
local function narrow_encoding(database)
  local rows = database:clock()
    and database:rows "SELECT current_setting('server_encoding') AS name"
  local name = rows and rows[1] and rows[1].name
  return name ~= "UTF8" and name ~= "SQL_ASCII" and name or nil
end

-- Another process may have made them while this one waited for the lock.
local function make(database)
  local ok, err = create_meta(database)
  local found
  if ok then
    found, err = _M.version_of(database)
  end
  if found ~= 0 then
    return found, err
  end
  local narrow = narrow_encoding(database)
  if narrow then
    return nil, NARROW:format(narrow)
  end
  ok, err = create(database)
  if ok then
    ok, err = database:run(
      "UPDATE ledger_meta SET version = ? WHERE name = 'orders'", _M.version)
  end
  return ok and _M.version or nil, err
end

-- What a user of a ledger should know of its database; nil: nothing.
function _M.warning(database)
  local narrow = narrow_encoding(database)
  return narrow and NARROWER:format(narrow)
end

-- Make the tables if there are none. Returns their version, which differs from `version` if
-- another version of this library made them.
function _M.prepare(database)
  local found = _M.version_of(database)
  if found and found ~= 0 then
    return found
  end
  return database:transaction(make)
end

return _M
