--- The table of orders: read, and changed one step at a time.
--
-- Every change of an order names the revision it read, so that of two
-- processes only one can take the next step; which steps there are stands in
-- `starvideos.ledger.states`.
-- @classmod starvideos.ledger.store

local databases = require "starvideos.ledger.database"
local errors = require "starvideos.errors"
local schema = require "starvideos.ledger.schema"
local states = require "starvideos.ledger.states"

local unpack = table.unpack or unpack

local _M = {}

local Store = {}
Store.__index = Store

-- How often a change is tried again when others change the same order.
local ATTEMPTS = 50

-- What changes in the life of an order.
local columns = { "state", "order_key", "former_key", "task_id", "model",
  "base_url", "params", "path", "bytes", "sha256", "error", "attempts", "owner", "lease",
  "updated_at", "closed_at" }

local SELECT = "SELECT order_id, revision, created_at, "
  .. table.concat(columns, ", ") .. " FROM orders "

local INSERT = [[INSERT INTO orders (order_id, order_key, state, model, params,
  base_url, path, attempts, owner, lease, revision, created_at, updated_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO NOTHING]]

local FIND = {
  id = SELECT .. "WHERE order_id = ?",
  key = SELECT .. "WHERE order_key = ?",
  task = SELECT .. "WHERE task_id = ? ORDER BY closed_at IS NOT NULL,"
    .. " order_id DESC",
}

local OPEN = SELECT .. [[WHERE closed_at IS NULL AND order_id > ?
  ORDER BY order_id LIMIT ]]

local advice = {
  { "full", "free some space" },
  { "readonly", "make the file and its folder writable" },
  { "unable to open", "check its path, and that its folder exists and can be"
    .. " written" },
  { "not a database", "name another file" },
  { "malformed", "restore it from a copy" },
  { "locked", "another program has held it for too long" },
}

-- A PostgreSQL address without its password, which may hold any character.
local function shown(address)
  return (address:gsub("^(%w+://).*@", "%1"):gsub("%?.*", ""))
end

--- The error of a ledger that does not work.
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
  return errors.new {
    kind = "ledger",
    message = ("the ledger %s could not be %s: %s%s"):format(
      shown(self.address), verb, why, hint),
  }
end

local function ready(self)
  if self.is_ready then
    return true
  end
  local version, why = schema.prepare(self.database)
  if not version then
    return nil, self:failure("opened", why)
  elseif version > schema.version then
    return nil, self:failure("opened", ("it was written by a newer version of"
      .. " this library (schema %d, known %d)"):format(version,
      schema.version))
  end
  self.is_ready = true
  return true
end

local numbers = { "bytes", "attempts", "lease", "created_at", "updated_at",
  "closed_at" }

-- SQLite keeps any value in any column: a row that other hands have spoilt can
-- still be read.
local function restored(row)
  for _, name in ipairs(numbers) do
    row[name] = tonumber(row[name])
  end
  return row
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
    return nil, self:failure("read", why)
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
    return nil, self:failure("written", why)
  end
  return count
end

--- Orders by what names them.
-- @tparam string by `id` (the order's), `key` (of those not abandoned) or
--   `task`
-- @tparam string value
-- @treturn ?table rows
-- @treturn ?table err
function Store:all(by, value)
  return read(self, FIND[by], value)
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

--- Open orders, oldest first.
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @treturn ?table rows
-- @treturn ?table err
function Store:open(limit, after)
  return read(self, OPEN .. ("%d"):format(limit), after or "")
end

--- Add an order.
-- @tparam table row
-- @treturn ?boolean true; false where its key is taken
-- @treturn ?table err
function Store:insert(row)
  local count, err = write(self, INSERT, row.order_id, row.order_key,
    row.state, row.model, row.params, row.base_url, row.path, row.attempts,
    row.owner, row.lease, row.revision, row.created_at, row.updated_at)
  if not count or count == 1 then
    return count and true, err
  end
  -- A statement that was sent again over a new connection also says zero,
  -- where the first had done its work.
  local rows
  rows, err = self:all("id", row.order_id)
  return rows and rows[1] ~= nil, err
end

-- LuaDBI hands a time to PostgreSQL with four decimals.
local function now_of(self)
  return math.floor(self.clock() * 1e4) / 1e4
end

-- The row after a step. One that is given up lets go of its key.
local function after_step(self, row, state, changes)
  local after = {}
  for name, value in pairs(row) do
    after[name] = value
  end
  for name, value in pairs(changes) do
    after[name] = value or nil
  end
  after.state, after.updated_at = state, now_of(self)
  after.closed_at = not states.is_open(state) and after.updated_at or nil
  if state == "abandoned" and row.order_key then
    after.order_key, after.former_key = nil, row.order_key
  end
  return after
end

-- Writes what differs, so that an index of anything else is left alone.
local function save(self, row, after)
  local names, values = {}, {}
  for _, name in ipairs(columns) do
    if row[name] ~= after[name] then
      names[#names + 1] = name .. " = ?"
      values[#names] = after[name]
    end
  end
  local count = #names
  values[count + 1], values[count + 2] = row.order_id, row.revision
  return write(self, "UPDATE orders SET " .. table.concat(names, ", ")
    .. ", revision = revision + 1 WHERE order_id = ? AND revision = ?",
    unpack(values, 1, count + 2))
end

-- A statement that was sent again over a new connection changes nothing where
-- the first had done its work.
local function was_taken(self, row, after)
  local now, err = self:find("id", row.order_id)
  if err then
    return nil, err
  end
  return now and now.revision == following(row.revision) and now.state == after.state
    and now.owner == after.owner and now.updated_at == after.updated_at
    and now or false
end

--- Take one step, if nobody else has taken one.
-- @tparam table row as it was read
-- @tparam string state the next
-- @tparam table changes by column; false for none
-- @treturn ?table the new row; false where somebody has, or where no step
--   leads there
-- @treturn ?table err
function Store:try(row, state, changes)
  if not states.allows(row.state, state) then
    return false
  end
  local after = after_step(self, row, state, changes)
  local count, err = save(self, row, after)
  if not count then
    return nil, err
  elseif count == 0 then
    return was_taken(self, row, after)
  end
  after.revision = following(row.revision)
  return after
end

--- Take a step that must be taken whoever else changes the order: what an
-- answer said.
-- @tparam table row
-- @tparam string state
-- @tparam table changes
-- @treturn ?table the new row; where no step leads to the state any more, the
--   row as it is
-- @treturn ?table err
function Store:settle(row, state, changes)
  for _ = 1, ATTEMPTS do
    local after, err = self:try(row, state, changes)
    if after or err then
      return after, err
    end
    local now
    now, err = self:find("id", row.order_id)
    if not now then
      return nil, err or self:failure("written", "the order "
        .. row.order_id .. " is gone from it")
    elseif not states.allows(now.state, state) then
      return now
    end
    row = now
  end
  return nil, self:failure("written", "others keep changing the order "
    .. row.order_id)
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
-- @tparam string address path of a SQLite file, or a `postgres://` URL
-- @tparam ?boolean fsync see `starvideos.ledger.database`
-- @tparam function clock returns Unix seconds
-- @treturn table store
function _M.new(address, fsync, clock)
  return setmetatable({
    address = address,
    database = databases.new(address, fsync),
    clock = clock,
  }, Store)
end

return _M
