--- The table of orders: read, and changed one step at a time.
--
-- Every change of an order names the revision it read, so that of two
-- processes only one can take the next step; which steps there are stands in
-- `starvideos.ledger.states`.
-- @classmod starvideos.ledger.store

local databases = require "starvideos.ledger.database"
local locations = require "starvideos.ledger.location"
local schema = require "starvideos.ledger.schema"
local states = require "starvideos.ledger.states"
local utf8 = require "starvideos.ledger.utf8"

local unpack = table.unpack or unpack

local _M = {}

local Store = {}
Store.__index = Store

-- What is shown of an order.
local shown = { "order_id", "order_key", "take", "account", "state", "task_id",
  "late_tasks", "model", "params", "params_form", "path", "machine", "bytes",
  "sha256", "error", "attempts", "base_url", "created_at", "updated_at", "accepted_at",
  "missing_since" }

-- What else is needed to change it.
local hidden = { "task_created", "refused_tasks", "owner", "lease",
  "lease_clock", "lease_began", "seen_revision", "seen_clock", "seen_began",
  "revision", "closed_at" }

local numbers = { "take", "bytes", "attempts", "lease", "lease_began",
  "seen_began", "created_at", "updated_at", "accepted_at", "task_created",
  "missing_since", "closed_at", "read_at" }

local FROM = " FROM starvideos_orders "
local SHOW = "SELECT " .. table.concat(shown, ", ") .. FROM
local SELECT = "SELECT " .. table.concat(shown, ", ") .. ", "
  .. table.concat(hidden, ", ") .. "%s" .. FROM

-- Another version's tables have no place for it: a NULL is refused there.
local INSERT = [[INSERT INTO starvideos_orders (order_id, order_key, take,
  account, state, model, params, base_url, path, machine, attempts, owner,
  lease, created_at, updated_at, lease_clock, lease_began, revision)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, %s,
  (SELECT 1 WHERE ]] .. schema.condition .. [[))
  ON CONFLICT DO NOTHING]]

local UNCHANGED = " WHERE order_id = ? AND revision = ? AND "
  .. schema.condition

local SIGHT = [[UPDATE starvideos_orders SET seen_revision = ?, seen_clock = ?,
  seen_began = ?]] .. UNCHANGED

local WHERE = {
  id = "WHERE order_id = ?",
  key = "WHERE order_key = ? ORDER BY take, account",
  task = "WHERE task_id = ? ORDER BY closed_at IS NOT NULL, order_id DESC",
  open = "WHERE closed_at IS NULL AND order_id > ? ORDER BY order_id LIMIT %d",
  all = "WHERE order_id > ? ORDER BY order_id LIMIT %d",
}

local advice = {
  { "full", "free some space" },
  { "readonly", "make the file and its folder writable" },
  { "unable to open", "check its path, and that its folder exists and can be"
    .. " written" },
  { "not a database", "name another file" },
  { "malformed", "restore it from a copy" },
  { "locked", "another program has held it for too long" },
  { "no connection to the server", "check its address, and that the server runs"
    .. " and lets you in" },
}

--- The error of a ledger that does not work, as plain data.
-- @tparam string verb `opened`, `read` or `written`
-- @tparam string why
-- @treturn table err
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

local function newer(self, version)
  return self:failure("opened", ("it was written by a newer version of this"
    .. " library (schema %d, known %d); nothing was sent"):format(version,
    schema.version))
end

local function ready(self)
  if self.is_ready then
    return true
  end
  local version, why = schema.prepare(self.database)
  if not version then
    return nil, self:failure("opened", why)
  elseif version > schema.version then
    return nil, newer(self, version)
  end
  self.is_ready = true
  return true
end

-- A failure may come of tables that are another version's meanwhile.
local function failed(self, verb, why)
  local version = schema.version_of(self.database)
  if version and version ~= schema.version then
    self.is_ready = false
    return newer(self, version)
  end
  return self:failure(verb, why)
end

-- SQLite keeps any value in any column: a row that other hands have spoilt can
-- still be read.
local function restored(row)
  for _, name in ipairs(numbers) do
    local value = row[name]
    if value and type(value) ~= "number" then
      row[name] = tonumber(value)
    end
  end
end

-- As SQLite adds to what is no number.
local function following(revision)
  return (tonumber(revision) or 0) + 1
end

local function read(self, sql, ...)
  local ok, err = ready(self)
  if not ok then
    return nil, err
  end
  local rows, why = self.database:rows(sql, ...)
  if not rows then
    return nil, failed(self, "read", why)
  end
  for _, row in ipairs(rows) do
    restored(row)
  end
  return rows
end

local function write(self, sql, ...)
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

--- Orders by what names them.
-- @tparam string by `id` (the order's), `key` (all its takes and accounts) or
--   `task`
-- @tparam string value
-- @treturn ?table rows
-- @treturn ?table err
function Store:all(by, value)
  return read(self, self.select .. WHERE[by], utf8.valid(value))
end

--- The order by what names it.
-- @tparam string by see `all`
-- @tparam string value
-- @treturn ?table row
-- @treturn ?table err
function Store:find(by, value)
  local rows, err = self:all(by, value)
  return rows and rows[1], err
end

--- Orders, oldest first, as far as they are shown.
-- @tparam string which `open` or `all`
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @treturn ?table rows
-- @treturn ?table err
function Store:list(which, limit, after)
  return read(self, SHOW .. WHERE[which]:format(limit), after or "")
end

--- Add an order, taken by who asks.
-- @tparam table who
-- @tparam table row
-- @treturn ?table the row; false where its key and take are there already
-- @treturn ?table err
function Store:insert(who, row)
  row.owner, row.lease = who.owner, self.lease
  row.created_at, row.updated_at = who.now, who.now
  row.attempts, row.revision, row.params_form = 0, 1, 2
  row.model = utf8.valid(row.model)
  local values = { row.order_id, row.order_key, row.take, row.account,
    row.state, row.model, row.params, row.base_url, row.path, row.machine,
    row.owner, row.lease, row.created_at, row.updated_at }
  local given = 14
  if not self.database:clock() then
    row.lease_clock, row.lease_began = who.clock, who.boottime
    values[15], values[16], given = who.clock, who.boottime, 16
  end
  local count, err = write(self, self.insertion, unpack(values, 1, given))
  if not count or count == 1 then
    return count and row, err
  end
  -- A statement that was sent again over a new connection also says zero,
  -- where the first had done its work.
  local rows
  rows, err = self:all("id", row.order_id)
  return rows and (rows[1] or false), err
end

-- LuaDBI hands a time to PostgreSQL with four decimals.
local function rounded(seconds)
  return math.floor(seconds * 1e4) / 1e4
end

-- A change on its way: the row as it will be, and what differs, so that an
-- index of anything else is left alone.
local function put(change, name, value)
  local after = change.after
  if after[name] ~= value then
    after[name] = value
    local count = change.count + 1
    change.count, change.values[count] = count, value
    change.names[count] = name .. " = ?"
  end
end

-- `lease` in the changes begins a new lease, or ends it where it is false.
local function put_lease(self, who, change, lease)
  local clock = self.database:clock()
  local here = lease and not clock
  put(change, "lease", lease or nil)
  put(change, "lease_clock", here and who.clock or nil)
  if lease and clock then
    change.after.lease_began, change.begins = nil, clock
  else
    put(change, "lease_began", here and who.boottime or nil)
  end
end

-- Open for as long as nobody has looked at what came late.
local function closing_time(row, state, changes, now)
  if changes.closed_at ~= nil then
    return changes.closed_at or nil
  end
  local is_open = states.is_open(state)
    or row.late_tasks ~= nil and row.closed_at == nil
  return not is_open and now or nil
end

local function change_of(self, who, row, state, changes)
  local after = {}
  for name, value in pairs(row) do
    after[name] = value
  end
  local change = { after = after, names = {}, values = {}, count = 0 }
  local now = rounded(who.now)
  put(change, "state", state)
  put(change, "updated_at", now)
  put(change, "closed_at", closing_time(row, state, changes, now))
  for name, value in pairs(changes) do
    if name == "lease" then
      put_lease(self, who, change, value)
    elseif name ~= "closed_at" then
      put(change, name, utf8.valid(value) or nil)
    end
  end
  return change
end

local function save(self, row, change)
  local names, values, count = change.names, change.values, change.count
  values[count + 1], values[count + 2] = row.order_id, row.revision
  names[count + 1] = "revision = revision + 1"
  names[count + 2] = change.begins and "lease_began = " .. change.begins
  return write(self, "UPDATE starvideos_orders SET "
    .. table.concat(names, ", ") .. UNCHANGED, unpack(values, 1, count + 2))
end

-- A statement that was sent again over a new connection changes nothing where
-- the first had done its work; nor does any where the tables are another
-- version's.
local function was_taken(self, row, after)
  local now, err = self:find("id", row.order_id)
  if err then
    return nil, err
  elseif now and now.revision == row.revision then
    local version = schema.version_of(self.database)
    if version ~= schema.version then
      return nil, failed(self, "written", "its version cannot be told")
    end
  end
  return now and now.revision == following(row.revision)
    and now.state == after.state and now.owner == after.owner
    and now.updated_at == after.updated_at and now or false
end

--- Change an order without a step, if nobody else has changed it.
-- @tparam table who
-- @tparam table row as it was read
-- @tparam table changes by column; false for none
-- @tparam[opt] string state
-- @treturn ?table the new row; false where somebody has changed it
-- @treturn ?table err
function Store:note(who, row, changes, state)
  local change = change_of(self, who, row, state or row.state, changes)
  local after = change.after
  local count, err = save(self, row, change)
  if not count then
    return nil, err
  elseif count == 0 then
    return was_taken(self, row, after)
  end
  after.revision = following(row.revision)
  return after
end

--- Take one step, if nobody else has taken one.
-- @tparam table who
-- @tparam table row as it was read
-- @tparam string state the next
-- @tparam table changes by column; false for none
-- @treturn ?table the new row; false where somebody has, or where no step
--   leads there
-- @treturn ?table err
function Store:try(who, row, state, changes)
  if not states.allows(row.state, state) then
    return false
  end
  return self:note(who, row, changes, state)
end

--- Write down when a reader first saw an order whose lease is on a clock that
-- the reader cannot read. Where that cannot be written the lease is believed
-- for longer.
-- @tparam table who
-- @tparam table row
function Store:sight(who, row)
  write(self, SIGHT, row.revision, who.clock, who.boottime, row.order_id,
    row.revision)
end

--- Do several steps or none of them.
-- @tparam function steps returns a true value, or nil (or false) and an err to
--   undo all
-- @return what steps returned, or nil and an err
function Store:together(steps)
  local tried, result, err
  local done, why = self.database:transaction(function()
    tried = true
    result, err = steps()
    return result, "undone"
  end)
  if done or tried and not result then
    return result, err
  end
  return nil, self:failure("written", tostring(why))
end

--- Close the connection.
function Store:close()
  self.database:close()
end

--- A store; nothing is opened before it is needed.
-- @tparam table options `address` (path of a SQLite file, or a `postgres://`
--   URL), `fsync` (see `starvideos.ledger.database`), `lease` (seconds)
-- @treturn table store
function _M.new(options)
  local database = databases.new(options.address, options.fsync)
  local clock = database:clock()
  return setmetatable({
    address = options.address,
    lease = options.lease,
    database = database,
    select = SELECT:format(clock and ", " .. clock .. " AS read_at" or ""),
    insertion = INSERT:format(clock and "NULL, " .. clock or "?, ?"),
  }, Store)
end

return _M
