-- The table of orders, read and changed. Every change of an order names the revision it
-- has read, so that of two processes only one can make the next.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local limits = require "starvideos.ledger.limits"
local locations = require "starvideos.ledger.location"
local changes = require "starvideos.ledger.changes"
local schema = require "starvideos.ledger.schema"
local states = require "starvideos.ledger.states"
local utf8 = require "starvideos.base.utf8"

local unpack = table.unpack or unpack

local _M = {}

local Store = {}
Store.__index = Store

local listed = schema.columns_where(function(column)
  return column.as or column.listed
end)
local read_alone = schema.columns_where(function(column)
  return not (column.as or column.listed)
end)
local numbers = schema.columns_where(function(column)
  return not column.type:find "TEXT" and not column.verbatim
end)

local FROM = " FROM starvideos_orders "
local LIST = "SELECT " .. schema.names(listed) .. FROM
local SELECT = "SELECT " .. schema.names(listed) .. ", "
  .. schema.names(read_alone) .. "%s" .. FROM

local UNCHANGED = " WHERE order_id = ? AND revision = ? AND "
  .. schema.condition

local SIGHT = [[UPDATE starvideos_orders SET seen_revision = ?, seen_clock = ?,
  seen_began = ?]] .. UNCHANGED

local WHERE = {
  id = "WHERE order_id = ?",
  key = "WHERE order_key = ? ORDER BY take, account",
  keys = "WHERE order_key IN (?, ?) ORDER BY take, account",
  task = "WHERE substr(task_id, 1, 200) = substr(CAST(? AS TEXT), 1, 200)"
    .. " AND task_id = ? ORDER BY closed_at IS NOT NULL, order_id DESC",
  open = "WHERE closed_at IS NULL AND order_id > ? ORDER BY order_id LIMIT %d",
  all = "WHERE order_id > ? AND state <> 'staged' ORDER BY order_id LIMIT %d",
}

local advice = {
  { "full", "free some space" },
  { "disk I/O error", "free some space, if the disk is full" },
  { "readonly", "make the file writable, those beside it that end in"
    .. " -wal and -shm, and its folder" },
  { "unable to open", "check its path, and that its folder exists and can be"
    .. " written" },
  { "not a database", "name another file" },
  { "malformed", "restore it from a copy" },
  { "locked", "another program has locked it for too long" },
  { "query_wait_timeout", "let the pool have one connection more than your programs hold" },
  { "no connection to the server", "check its address, and that the server runs"
    .. " and accepts your login" },
}

-- The error of a ledger that does not work, as plain data. `verb`: `opened`, `read` or
-- `written`.
function Store:failure(verb, why)
  local hint = ""
  for _, row in ipairs(advice) do
    if why:find(row[1], 1, true) then
      hint = "; " .. row[2]
      break
    end
  end
  return {
    kind = "ledger",
    message = ("the ledger %s could not be %s: %s%s"):format(
      locations.shown(self.address), verb, why, hint),
  }
end

local function of_another_version(self, version)
  local is_newer = version > schema.version
  return self:failure("opened", ("%s version of this library wrote it (schema %d,"
    .. " known %d); nothing was sent; %s, or name another ledger"):format(
    is_newer and "a newer" or "an older", version, schema.version,
    is_newer and "update this library" or "read it with that version"))
end

local function ready(self)
  if self.is_ready then
    return true
  end
  local version, why = schema.prepare(self.database)
  if not version then
    return nil, self:failure("opened", why)
  elseif version ~= schema.version then
    return nil, of_another_version(self, version)
  end
  self.is_ready, self.warning = true, schema.warning(self.database)
  return true
end

-- The word, and the name of a network file system, which is looked at before a
-- file is made there.
local function place_of(self)
  local network = self.database:network()
  if network then
    return "network", network
  end
  local ok, err = ready(self)
  return (ok or self.database.is_pooled) and self.database:misplaced(), nil, err
end

-- Whether orders may be placed: to be asked right before that. `sent`: what the err
-- says of money. Returns err; with `misplaced` where nothing may be sent by this
-- ledger, and `orphaned` where nobody else reads what it records.
function Store:look(sent)
  local word, network, err = place_of(self)
  local place = locations.misplaced[word]
  if place then
    err = self:failure("used for an order", ("%s; %s; %s"):format(
      place.what:format(network), sent or "nothing was sent", place.cure))
    err.misplaced, err.orphaned, err.sent = true, place.is_lost, false
  end
  return not err or nil, err
end

-- Whether what is recorded can be read by others, now that it was. Returns err with
-- `gone` and `misplaced`.
function Store:check_kept()
  local place = locations.misplaced[place_of(self)]
  if not place or not place.is_lost then
    return true
  end
  local err = self:failure("written", place.what)
  err.gone, err.misplaced = true, true
  return nil, err
end

-- Another program may have brought the tables to another version meanwhile.
local function failed(self, verb, why)
  local version = schema.version_of(self.database)
  if version and version ~= schema.version then
    self.is_ready = false
    if version ~= 0 then
      return of_another_version(self, version)
    end
  end
  return self:failure(verb, why)
end

-- SQLite keeps any value in any column: a row that another program has spoilt
-- can still be read.
local function repair(row)
  for index = 1, #numbers do
    local name = numbers[index].name
    local value = row[name]
    if value and type(value) ~= "number" then
      row[name] = c_locale.tonumber(value)
    end
  end
  row.read_at = c_locale.tonumber(row.read_at)
end

-- As SQLite adds to a value that is no number.
local function following(revision)
  return (tonumber(revision) or 0) + 1
end

-- Read rows. `sql`: with `?` for each value.
function Store:read(sql, ...)
  local ok, err = ready(self)
  if not ok then
    return nil, err
  end
  local rows, why = self.database:rows(sql, ...)
  if not rows then
    return nil, failed(self, "read", why)
  end
  for _, row in ipairs(rows) do
    repair(row)
  end
  return rows
end

-- Run a statement that changes something. `sql`: with `?` for each value. Returns how
-- many rows it changed.
function Store:write(sql, ...)
  local ok, err = ready(self)
  if not ok then
    return nil, err
  end
  local count, why = self.database:run(sql, ...)
  if not count then
    return nil, failed(self, "written", why)
  end
  return count
end

-- What others have said, and so may hold what this database does not take. How much of
-- it is written where it does not: in ASCII, a sentence at most so long; then none of the
-- sentences and paths. An id is never shortened.
local said = { task_id = "id", late_tasks = "id", refused_tasks = "id",
  error = "sentence", reason = "sentence", path = "path", machine = "path" }
local MOST_SENTENCE = 500

-- A text of others as this try writes it, see `gently`. `name`: of its column.
function Store:said(name, text)
  local kind = self.care and type(text) == "string" and said[name]
  if not kind then
    return text
  elseif self.care > 1 and kind ~= "id" then
    return nil
  end
  text = utf8.ascii(text)
  return kind == "sentence" and text:sub(1, MOST_SENTENCE) or text
end

-- A failure that took longer has waited for somebody.
local SHORT_SECONDS = 4

local PROBE = [[INSERT INTO starvideos_orders (order_id, state, params, base_url,
  attempts, revision, created_at, updated_at)
  SELECT '', 'staged', '', '', 0, 0, 0, 0 WHERE ]] .. schema.condition

-- Whether the database takes another order than the one that has failed: that one is undone.
local function is_writable(self)
  local taken = false
  if self.is_ready then
    self.database:transaction(function(database)
      taken = database:run(PROBE) == 1
      return nil, "it was a trial"
    end)
  end
  return taken
end

-- Write what must be recorded, if need be with less of what others have said. `body`:
-- writes, and may run again; nil and an err where it has failed. Returns what body
-- returned. The err is `alone` where the database takes other writes.
function Store:gently(body)
  local start = core.now()
  self.care = nil
  local result, err = body()
  if result ~= nil or not err or err.kind ~= "ledger" or err.gone or err.fenced
    or core.now() - start > SHORT_SECONDS or not is_writable(self) then
    return result, err
  end
  for care = 1, 2 do
    self.care = care
    result, err = body()
    self.care = nil
    if result ~= nil then
      return result, err
    end
  end
  err.alone = true
  return nil, err
end

-- All orders of an id, a key or a task. `by`: `id` (the order's), `key` (all its takes
-- and accounts) or `task`.
function Store:all(by, value)
  value = utf8.valid(value)
  if by == "task" then
    value = self:said("task_id", value)
    return self:read(self.select .. WHERE.task, value, value)
  end
  return self:read(self.select .. WHERE[by], value)
end

-- All orders of a key, or of two that name one file.
function Store:of_key(key, other)
  if not other then
    return self:all("key", key)
  end
  return self:read(self.select .. WHERE.keys, utf8.valid(key),
    utf8.valid(other))
end

-- The orders that a condition holds of, with all columns. `condition`: SQL from `WHERE`
-- on, with `?` for each value.
function Store:select_where(condition, ...)
  return self:read(self.select .. condition, ...)
end

-- The first of them.
function Store:find(by, value)
  local rows, err = self:all(by, value)
  return rows and rows[1], err
end

-- Orders, oldest first, with the columns that are listed. `which`: `open` or `all`.
-- `limit`: rows at most. `after`: id of the last order of the page before.
function Store:list(which, limit, after)
  return self:read(LIST .. WHERE[which]:format(limit), after or "")
end

-- Orders that a condition holds of, oldest first, with the columns that are listed.
-- `condition`: SQL from `WHERE` on, or empty; with `?` for each value. `limit`: rows at
-- most.
function Store:list_where(condition, limit, values)
  return self:read(("%s%s ORDER BY order_id LIMIT %d"):format(LIST, condition,
    limit), unpack(values))
end

-- Its owner alone may read the copy.
local function copy_file(self, path)
  local done, why, is_there = core.private_file(path)
  if done then
    done, why = self.database:run("VACUUM INTO ?", path)
    if not done then
      core.disk("remove", path)
    end
  end
  return done and true, is_there and "another program is making it, or was ended"
    .. " before it was whole; in that case remove it" or why
end

-- Copy the database while others use it. `path`: of a file that is not there. Returns
-- err: io; config of a database on a server.
function Store:copy_to(path)
  if not self.database:file() then
    return nil, { kind = "config", message = ("a ledger on a PostgreSQL server is"
      .. " copied by its own program: pg_dump '%s' > FILE"):format(
      locations.shown(self.address, true)) }
  end
  local done, why = ready(self)
  if not done then
    return nil, why
  end
  done, why = copy_file(self, path)
  return done, not done and { kind = "io", message = ("the copy %s of the ledger"
    .. " could not be made: %s; the ledger is as it was"):format(path,
    tostring(why)) } or nil
end

-- A time as it is stored: LuaDBI hands one to PostgreSQL with four decimals.
function Store.rounded(seconds)
  return math.floor(seconds * 1e4) / 1e4
end

local assignments = {}
for _, column in ipairs(schema.columns) do
  assignments[column.name] = column.name .. " = ?"
end

-- Adds to a change: the row as it will be, and the columns that differ, so that
-- the indexes of others stay as they are.
local function put(change, name, value)
  local after = change.after
  if after[name] ~= value then
    after[name] = value
    local count = change.count + 1
    change.count, change.values[count] = count, value
    change.names[count] = assignments[name]
  end
end

-- `lease` in the values begins a new lease, or ends it where it is false.
local function put_lease(self, caller, change, lease)
  local clock = self.database:clock()
  local here = lease and not clock
  put(change, "lease", lease or nil)
  put(change, "lease_clock", here and caller.clock or nil)
  if lease and clock then
    change.after.lease_began, change.begins = nil, clock
  else
    put(change, "lease_began", here and caller.boottime or nil)
  end
end

-- An order with late tasks is open until a person dismisses them.
local function closing_time(row, state, values, now)
  if values.closed_at ~= nil then
    return values.closed_at or nil
  end
  local is_open = states.is_open(state)
    or row.late_tasks ~= nil and row.closed_at == nil
  return not is_open and now or nil
end

-- A worker has nothing more to do with an order that is over, or of which nobody
-- knows whether it was bought. Of a staged one the claim is its batch.
local function is_over(state)
  return state == "unknown" or state ~= "staged" and not states.is_open(state)
end

local function change_of(self, caller, row, state, values)
  local after = {}
  for name, value in pairs(row) do
    after[name] = value
  end
  local change = { after = after, names = {}, values = {}, count = 0 }
  local now = self.rounded(caller.now)
  put(change, "state", state)
  put(change, "updated_at", now)
  put(change, "closed_at", closing_time(row, state, values, now))
  if row.claim and is_over(state) then
    put(change, "claim", nil)
  end
  for name, value in pairs(values) do
    if name == "keeps_spend" then
      change.keeps_spend = value
    elseif name == "lease" then
      put_lease(self, caller, change, value)
    elseif name ~= "closed_at" then
      put(change, name, self:said(name, utf8.valid(value)) or nil)
    end
  end
  return change
end

-- Adds a part of a statement, and its values.
local function add(list, count, part)
  for index = 1, part and part.count or 0 do
    list[count + index] = part.values[index]
  end
  return count + (part and part.count or 0)
end

-- Write a change of an order, if no other process has changed that. `row`: as it was
-- read. `more`: `set` and `where`: what it sets beside, and what must hold; each `sql`,
-- its `values` and their `count`. Returns how many rows were changed.
function Store:save(row, change, more)
  local names, values, count = change.names, change.values, change.count
  local set, where = more and more.set, more and more.where
  local begins = change.begins and "lease_began = " .. change.begins
  names[count + 1] = "revision = revision + 1"
  names[count + 2] = begins or set and set.sql or nil
  names[count + 3] = begins and set and set.sql or nil
  count = add(values, count, set)
  values[count + 1], values[count + 2] = row.order_id, row.revision
  count = add(values, count + 2, where)
  return self:write("UPDATE starvideos_orders SET "
    .. table.concat(names, ", ") .. UNCHANGED
    .. (where and " AND " .. where.sql or ""), unpack(values, 1, count))
end

-- After a change of no row: what became of it. `row`: as it was read. `after`: as it
-- was to be. Returns the row if it was changed so by the first try of a statement that
-- was retried; false if another process changed it; nil if nobody has, and whether
-- nobody has.
function Store:was_taken(row, after)
  local now, err = self:find("id", row.order_id)
  if err then
    return nil, err
  elseif now and now.revision == row.revision then
    local version = schema.version_of(self.database)
    if version ~= schema.version then
      return nil, failed(self, "written", "the version of its tables is unknown")
    end
    return nil, nil, true
  end
  return now and now.revision == following(row.revision)
    and now.state == after.state and now.owner == after.owner
    and now.updated_at == after.updated_at and now or false
end

-- The row as a change has left it. `row`: as it was read.
function Store.changed(_, row, change)
  change.after.revision = following(row.revision)
  return change.after
end

local function update(self, caller, row, values, state)
  local change = change_of(self, caller, row, state, values)
  local effect = limits.effect(row, change.after)
  if effect then
    return limits.carry_out(self, caller, row, change, effect)
  end
  local count, err = self:save(row, change)
  if not count then
    return nil, err
  elseif count == 0 then
    local after, problem = self:was_taken(row, change.after)
    if after == nil and not problem then
      after = false
    end
    return after, problem
  end
  return self:changed(row, change)
end

-- Change an order, if no other process has changed it; and the limits that the step
-- uses. `row`: as it was read. `values`: by column; false for none. Returns the new
-- row; false where another process has changed it.
function Store:update(caller, row, values, state)
  local after, err = update(self, caller, row, values, state or row.state)
  if after then
    changes.note(self, caller, after, row.state)
  end
  return after, err
end

-- Change the state of an order, if no other process has changed the order. `row`: as it
-- was read. `values`: by column; false for none. Returns the new row; false where
-- another process has changed it, or where its state does not lead to that one.
function Store:transition(caller, row, state, values)
  if not states.allows(row.state, state) then
    return false
  end
  return self:update(caller, row, values, state)
end

-- Record when the caller first saw an order whose lease is on a clock that it cannot
-- read. Where that cannot be written the lease counts as valid for longer.
function Store:mark_seen(caller, row)
  self:write(SIGHT, row.revision, caller.clock, caller.boottime, row.order_id,
    row.revision)
end

-- Make several changes or none of them. `body`: returns a true value, or nil (or false)
-- and an err to undo all. `may_repeat`: see `Database:transaction`; body gets whether
-- it runs again. Returns what body returned, or nil and an err.
function Store:transaction(body, may_repeat)
  local ok, problem = ready(self)
  if not ok then
    return nil, problem
  end
  local tried, result, err
  local noted = changes.count(self)
  local done, why = self.database:transaction(function(_, again)
    changes.forget(self, noted)
    tried = true
    result, err = body(again)
    return result, "undone"
  end, may_repeat)
  if not done then
    changes.forget(self, noted)
  end
  if done or tried and not result then
    return result, err
  end
  return nil, self:failure("written", tostring(why))
end

-- The same within a transaction, if there is one. `body`: see `transaction`; what it
-- has done stays where it returns a true value or false. Returns what body returned, or
-- nil and an err.
function Store:atomically(body, may_repeat)
  if self.database.begun then
    return body(false)
  end
  return self:transaction(body, may_repeat)
end

-- Keep others from changing orders for the rest of a transaction.
function Store:lock()
  local ok, why = self.database:lock_table "starvideos_orders"
  return ok and true, not ok and self:failure("written", why) or nil
end

--- Close the connection.
function Store:close()
  self.database:close()
end

-- A store; nothing is opened before it is needed. `options`: `address` (path of a
-- SQLite file, or a `postgres://` URL), `fsync` (see `starvideos.ledger.database`),
-- `lease` (seconds).
function _M.new(options)
  local database = databases.new(options.address, options.fsync)
  local clock = database:clock()
  return setmetatable({
    address = options.address,
    lease = options.lease,
    database = database,
    select = SELECT:format(clock and ", " .. clock .. " AS read_at" or ""),
  }, Store)
end

return _M
