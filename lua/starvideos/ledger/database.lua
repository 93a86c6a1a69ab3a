-- The database under a ledger, through LuaDBI: a SQLite file for the
-- processes of one machine, PostgreSQL for programs on many.

local core = require "starvideos.core"
local locations = require "starvideos.ledger.location"
local redact = require "starvideos.base.redact"

local unpack = table.unpack or unpack

local _M = {}

local Database = {}
Database.__index = Database

-- How long a statement waits for another process: less than a caller waits for the ledger,
-- so that it learns why.
local BUSY_SECONDS = 8

-- How long the transaction of a stopped program lasts: less than that.
local STOPPED_SECONDS = 5

-- A statement that took longer is not retried.
local LONG_SECONDS = 4

-- Pages of the write-ahead log after which SQLite copies them to the file, and
-- waits for the disk; its own 1,000 are few orders.
local CHECKPOINT_PAGES = 4000

-- SQLite does not wait where two processes open a new file at the same time.
local OPEN_ATTEMPTS = 20

local sqlite = {
  driver = "SQLite3",
  module = "dbd.sqlite3",
  rock = "luadbi-sqlite3",
  package = "lua-dbi-sqlite3",
  begin = "BEGIN IMMEDIATE",
  -- Each change is written to one tree, not to two.
  table_options = " WITHOUT ROWID",
}

local postgres = {
  driver = "PostgreSQL",
  module = "dbd.postgresql",
  rock = "luadbi-postgresql",
  package = "lua-dbi-postgresql",
  begin = "BEGIN",
  is_server = true,
  -- A number of our own among the advisory locks of a database.
  lock = "SELECT pg_advisory_xact_lock(7827364), pg_backend_pid() AS backend",
  lock_table = "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE",
  clock = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)",
  -- What a reason holds where a pooler is in the way. LuaDBI numbers the statements of each
  -- connection from 1; the server names one that it does not know, knows already, or that
  -- takes other parameters.
  pooler = { "dbd%-postgresql%-" .. ("%d"):rep(17), "statement pooling mode" },
}

-- In WAL mode a transaction survives the end of the process, with `synchronous` FULL the
-- loss of power.
function sqlite.configure(self)
  self:rows("PRAGMA busy_timeout = " .. BUSY_SECONDS * 1000)
  local ok, why
  for _ = 1, OPEN_ATTEMPTS do
    ok, why = self:rows "PRAGMA journal_mode = WAL"
    if ok or not tostring(why):find("locked", 1, true) then
      break
    end
    self:transaction(function() return true end)
  end
  if not ok then
    return nil, why
  end
  self:rows "SELECT 1 FROM sqlite_master LIMIT 1" -- creates all its files
  self.locks = core.note_sqlite_locks(self.address)
  self.watch = core.watch(self.address, self.address .. "-wal",
    self.address .. "-shm")
  if self:file() then
    self.opened = self.opened or core.sqlite_file(self.address)
    self.opened:open()
  end
  self:rows("PRAGMA wal_autocheckpoint = " .. CHECKPOINT_PAGES)
  return self:run("PRAGMA synchronous = " .. (self.fsync and "FULL"
    or "NORMAL"))
end

-- How often two connections are compared. A pooler mostly gives the connection that was used
-- last; one that drew it by lot out of two would pass once in 128 times.
local ROUNDS = 2

-- Set in one statement, because a server may be far away.
local settings = {
  client_encoding = "UTF8",
  client_min_messages = "error", -- libpq prints the others
  synchronous_commit = "on",
  default_transaction_isolation = "read committed", -- what a limit has used
  statement_timeout = BUSY_SECONDS .. "s",
  idle_in_transaction_session_timeout = STOPPED_SECONDS .. "s",
}

function postgres.configure(self)
  self.watch = core.watch(tonumber(self.completed:match
    "[?&]tcp_user_timeout=(%d+)"))
  local calls = { "pg_backend_pid() AS backend" }
  for name, value in pairs(settings) do
    calls[#calls + 1] = ("set_config('%s', '%s', false)"):format(name, value)
  end
  local rows, why = self:rows("SELECT " .. table.concat(calls, ", "))
  self.backend = rows and rows[1] and rows[1].backend
  return rows, why
end

-- For how long to wait for a server that does not answer, unless the address says so. The
-- last one, in milliseconds, is the mark by which `core` finds the connection.
local limits = {
  connect_timeout = function() return 5 end,
  keepalives_idle = function() return 20 end,
  keepalives_interval = function() return 5 end,
  keepalives_count = function() return 3 end,
  tcp_user_timeout = core.socket_mark,
}

function postgres.complete(address)
  for name, value in pairs(limits) do
    if not address:find("[?&]" .. name .. "=") then
      address = ("%s%s%s=%d"):format(address,
        address:find("?", 1, true) and "&" or "?", name, value())
    end
  end
  return address
end

-- LuaDBI names the action first, then the reason.
local function reason(why)
  local text = tostring(why):gsub("%s+", " "):gsub("^%s+", "")
    :gsub("%s+$", "")
  return (text:gsub("^Execute failed ", ""):gsub("^Error [^:]-: ", ""))
end

local function load_driver(dialect)
  local found, dbi = pcall(require, "DBI")
  if found and pcall(require, dialect.module) then
    return dbi
  end
  return nil, ("the Lua module %s is missing: luarocks install %s, or Debian's"
    .. " package %s"):format(dialect.module, dialect.rock, dialect.package)
end

-- Keeps the collector from closing what SQLite and libpq have open by its numbers: they
-- may be the host's by now, or the parent's.
local function abandon(self)
  core.abandon(self.connection)
  for _, statement in pairs(self.statements) do
    if statement then
      core.abandon(statement)
    end
  end
  self.connection, self.watch = nil, nil
end

-- Locks of the parent: held, because SQLite in this process still counts them as open.
local inherited = {}

local function notice_fork(self)
  if self.connection and self.process ~= core.process_id() then
    inherited[#inherited + 1] = self.locks
    abandon(self)
  end
end

-- Notices that the host has closed the connection's descriptors.
local function notice_loss(self)
  notice_fork(self)
  if self.watch and not self.watch:holds() then
    if self.locks then
      self.locks:lose()
    end
    self.is_broken = self.begun
    abandon(self)
  end
end

-- What is made last is finalized first: so this looks before the collector ends anything.
local function watch_over(self)
  self.last = core.finalizer(function()
    notice_loss(self)
  end)
end

-- The collector may close what LuaDBI has made on the host's thread, and SQLite writes
-- then: signals are held meanwhile.
local function quieten(object)
  local meta = getmetatable(object)
  local finalizer = type(meta) == "table" and not meta.starvideos_guarded
    and meta.__gc
  if finalizer then
    meta.starvideos_guarded = true
    meta.__gc = function(dead)
      return core.with_signals_held(finalizer, dead)
    end
  end
end

-- Addresses behind which this process has found no pooler.
local direct = {}

-- Other programs have the connection to the server in turn: why no statement may be run.
local function note_pooler(self)
  self.is_pooled, self.is_direct, direct[self.completed] = true, false, nil
  local pooled = locations.misplaced.pooled
  return pooled.what .. "; " .. pooled.cure
end

-- Why a connection or a statement failed.
local function cause(self, why)
  local text = reason(why)
  for _, pattern in ipairs(self.dialect.pooler or {}) do
    if text:find(pattern) then
      return note_pooler(self)
    end
  end
  return text
end

-- Open a connection to `completed`.
local function open(self, dbi)
  core.heartbeat()
  local called, connection, why = pcall(dbi.Connect, self.dialect.driver,
    self.completed)
  if not called or not connection then
    -- libpq quotes the part of an address that it cannot read.
    return nil, redact.parts(cause(self, called and why or connection),
      self.address)
  end
  quieten(connection)
  connection:autocommit(true)
  self.connection, self.statements = connection, {}
  self.process = core.process_id()
  watch_over(self)
  return true
end

-- Whether each of two connections has a process of the server for itself; nil and why where
-- one of them fails.
local function are_apart(databases)
  local backends = {}
  for _ = 1, ROUNDS do
    for index, database in ipairs(databases) do
      for _ = 1, 2 do -- so that taking turns is noticed
        local rows, why = database:rows "SELECT pg_backend_pid() AS backend"
        if not rows then
          return nil, why
        end
        local backend = rows[1] and rows[1].backend
        backends[index] = backends[index] or backend
        if backends[index] ~= backend or backends[1] == backends[2] then
          return false
        end
      end
    end
  end
  return true
end

-- Nil and why where a pooler stands before the server, or nobody can tell. Nothing is set
-- before on a connection that others may have next.
local function look_for_pooler(self, dbi)
  local other = setmetatable({ address = self.address, dialect = self.dialect,
    completed = self.completed, connecting = true }, Database)
  self.is_direct = nil
  local ok, why = open(other, dbi)
  if ok then
    ok, why = are_apart { self, other }
    if ok == false or other.is_pooled then
      ok, why = nil, note_pooler(self)
    end
    other:close()
  end
  self.is_direct, direct[self.completed] = ok, ok
  return ok, why
end

local function connect(self)
  local dbi, missing = load_driver(self.dialect)
  if not dbi then
    return nil, missing
  end
  local claimed, lost = core.claim_sqlite_locks(self.address)
  if not claimed then
    return nil, lost
  end
  core.fill_descriptors()
  local complete = self.dialect.complete
  self.completed = complete and complete(self.address) or self.address
  if self:file() then
    core.make_private(self.address) -- SQLite would let everybody read it
  end
  local ok, why = open(self, dbi)
  if not ok then
    return nil, why
  end
  self.connecting = true
  self.is_direct = self.is_direct or direct[self.completed]
  if self.dialect.is_server and not self.is_direct then
    ok, why = look_for_pooler(self, dbi)
  end
  if ok then
    ok, why = self.dialect.configure(self)
  end
  self.connecting = false
  if not ok then
    self:close()
    return nil, why
  end
  return true
end

local function prepare(self, sql)
  local statement = self.statements[sql]
  if statement then
    return statement
  end
  self.was_interrupted = self.was_interrupted or statement == false
  self.statements[sql] = false -- its place, so that storing it needs no memory
  local made, why = self.connection:prepare(sql)
  if made then
    quieten(made)
  end
  self.statements[sql] = made or nil
  watch_over(self)
  return made, why
end

-- A SQLite statement that failed would report its failure a second time.
local function forget(self, sql)
  local statement = self.statements[sql]
  self.statements[sql] = nil
  if statement and not pcall(statement.close, statement) then
    self.was_interrupted = true -- the collector ends it
  end
end

local function fetch(statement)
  local rows = {}
  for row in statement:rows(true) do
    rows[#rows + 1] = row
  end
  return rows
end

-- LuaDBI returns some failures and raises others. The values must live until the last row
-- is read, because SQLite is given their bytes and no copy.
local function execute(self, sql, reads, values, count)
  local statement, why = prepare(self, sql)
  if not statement then
    return nil, cause(self, why)
  end
  local called, ok, failure = pcall(statement.execute, statement,
    unpack(values, 1, count))
  if called and ok then
    called, ok = pcall(reads and fetch or statement.affected, statement)
  elseif called then
    called, ok = false, failure
  end
  if not called then
    forget(self, sql)
    return nil, cause(self, ok)
  end
  return ok, values
end

local BROKEN = "the program has closed the connection in the midst of a"
  .. " transaction"

local function perform(self, sql, reads, ...)
  notice_loss(self)
  if self.is_broken then
    return nil, BROKEN
  elseif self.is_direct == false and not self.begun then
    self:close() -- the next one is looked at again
  end
  if not self.connection then
    local ok, why = connect(self)
    if not ok then
      return nil, why
    end
  end
  local values, count = { ... }, select("#", ...)
  local start = core.now()
  core.heartbeat()
  local result, why = execute(self, sql, reads, values, count)
  -- Retries over a new connection, because a server that was restarted has closed the old
  -- one. A statement may run twice: it names the row, and the revision, that it changes.
  if not result and self.dialect.is_server and self.connection
    and not self.begun and not self.connecting
    and core.now() - start < LONG_SECONDS then
    self:close()
    result, why = connect(self)
    if result then
      result, why = execute(self, sql, reads, values, count)
    end
  end
  if not result then
    self.was_cut = self.was_cut or self.begun and self.dialect.is_server
    return nil, why
  end
  return result
end

function Database:table_options()
  return self.dialect.table_options or ""
end

-- The SQL that reads the server's clock; nil where the database is on this machine.
function Database:clock()
  return self.dialect.clock
end

-- The path of the file; nil where there is none.
function Database:file()
  return locations.read(self.address).path and self.address or nil
end

-- The name of the network file system that the file is on, or nil.
function Database:network()
  if self.is_remote == nil then
    local name = self:file() and core.file_system(self.address)
    self.is_remote = locations.is_network(name) and name or false
  end
  return self.is_remote or nil
end

-- What has become of the open file, see `core.sqlite_file`; nil while its path leads to it,
-- by one name alone. From the time on that a pooler was noticed: `pooled`.
function Database:misplaced()
  if self.is_pooled then
    return "pooled"
  end
  notice_loss(self)
  if not self.connection then
    connect(self) -- where that fails the next statement says why
  end
  local word = self.opened and self.connection and self.opened:look() or nil
  if word == "log" then -- its pages must not come over those of others
    self:rows "PRAGMA wal_autocheckpoint = 0"
  end
  return word
end

-- Keep others from a table for the rest of a transaction.
function Database:lock_table(name)
  if not self.dialect.lock_table then
    return true -- the transaction alone keeps others from writing
  end
  return self:run(self.dialect.lock_table:format(name))
end

-- Run a statement with a value for each `?`: how many rows it changed; or nil and why.
function Database:run(sql, ...)
  return perform(self, sql, false, ...)
end

-- Read rows, each a table by column; or nil and why.
function Database:rows(sql, ...)
  return perform(self, sql, true, ...)
end

local function undo(self)
  if not self:run "ROLLBACK" then
    self:close()
  end
end

local function attempt(self, body, again)
  local ok, why = self:run(self.dialect.begin)
  self.begun = ok ~= nil
  if ok and self.dialect.lock then
    ok, why = self:rows(self.dialect.lock)
    if ok and (not ok[1] or ok[1].backend ~= self.backend) then
      ok, why = nil, note_pooler(self)
    end
  end
  local result = ok
  if ok then
    result, why = body(self, again)
  end
  if result then
    ok, why = self:run "COMMIT"
  end
  result = ok and result or nil
  if self.begun and not result then
    undo(self)
  end
  self.begun, self.is_broken = false, false
  return result, why
end

local function try(self, body, again)
  local called, result, problem = pcall(attempt, self, body, again)
  if not called then
    undo(self)
    self.begun, self.is_broken = false, false
    error(result, 0)
  end
  return result, problem
end

-- Run statements of which all take effect or none. `body` gets the database, and whether it
-- runs again; nil from it undoes all. `may_repeat`: if a server cuts the connection body
-- runs again over a new one, and finds out whether the first try has done all.
function Database:transaction(body, may_repeat)
  local start = core.now()
  self.was_cut = false
  local result, problem = try(self, body, false)
  if not result and may_repeat and self.was_cut
    and core.now() - start < LONG_SECONDS then
    self:close()
    result, problem = try(self, body, true)
  end
  return result, problem
end

-- Close the connection; the next statement opens another.
function Database:close()
  notice_loss(self)
  if self.connection then
    if self.dialect.is_server then
      pcall(self.connection.close, self.connection) -- and, with it, its statements
    end
    for sql, statement in pairs(self.statements) do
      self.was_interrupted = self.was_interrupted or statement == false
      forget(self, sql)
    end
    -- SQLite keeps a database open while one of its statements is; a statement
    -- that an interrupt made us lose is ended by the collector.
    if self.was_interrupted then
      collectgarbage()
      self.was_interrupted = false
    end
    if self.opened then
      self.opened:close() -- the last one to close a database tidies it up
    end
    pcall(self.connection.close, self.connection)
    self.connection, self.watch = nil, nil
    if self.locks then
      self.locks:drop()
    end
  end
end

local function dialect_of(address)
  return locations.read(address).server and postgres or sqlite
end

-- True if the Lua modules that an address needs are installed; or nil and what is missing.
function _M.check(address)
  local found, missing = load_driver(dialect_of(address))
  return found and true, missing
end

-- A database, which the first statement opens. `fsync`: a change survives the loss of
-- power.
function _M.new(address, fsync)
  return setmetatable({ address = address, fsync = fsync,
    dialect = dialect_of(address) }, Database)
end

return _M
