--- How a ledger of the first version becomes one of the second: its table was
-- called `orders`, and a key stood for one order alone.
-- @module starvideos.ledger.migration

local core = require "starvideos.core"

local _M = {}

-- How many copies of one file may lie beside it.
local COPIES = 9

-- A time further in the future than this was written by a wrong clock.
local CLOCK_ERROR = 3600

local SENDING = [[SELECT order_id, order_key, owner, lease, updated_at
  FROM orders WHERE state = 'submitting']]

-- Whether the process runs that was sending, as that version named it: host, boot,
-- number, start time and Lua state. Nil where that cannot be seen from here.
local function is_running(owner)
  local boot, number, start = owner:match "^%S+ (%S+) (%d+) (%d+) %S+$"
  if boot == nil or boot ~= core.machine "boot" then
    return nil
  end
  local runs, began = core.lifetime(tonumber(number))
  return began == start and runs or nil
end

local function is_live(row, now)
  local lease = tonumber(row.lease) or 0
  local written = tonumber(row.updated_at) or 0
  return is_running(row.owner)
    or now < lease and written < now + CLOCK_ERROR
end

-- Whether a process is sending, whose answer would find no table any more.
local function is_in_use(database)
  local rows, err = database:rows(SENDING)
  for _, row in ipairs(rows or {}) do
    if row.owner and is_live(row, core.time()) then
      return true, ("an older version of this library wrote it, and is sending"
        .. " the order %s right now (process %s); the ledger is upgraded after"
        .. " that: wait for that program or end it, and try again in two"
        .. " minutes"):format(row.order_key or row.order_id,
        row.owner:match "^%S+ %S+ (%d+)" or "unknown")
    end
  end
  return rows == nil, err
end

-- A free name beside the file, for its owner alone.
local function new_copy(address)
  for number = 1, COPIES do
    local path = ("%s.before-2%s"):format(address,
      number > 1 and "-" .. number or "")
    local made, why, taken = core.private_file(path)
    if made then
      return path
    elseif not taken then
      return nil, path .. ": " .. why
    end
  end
  return nil, ("it cannot be copied before its upgrade, for there are %d copies of"
    .. " it already: remove some of %s.before-2*")
    :format(COPIES, address)
end

-- The caller's transaction keeps others from writing meanwhile, so that the copy
-- is whole.
local function make_copy(database)
  local address = database:file()
  if not address then
    return true
  end
  local path, why = new_copy(address)
  if not path then
    return nil, why
  end
  local reader = database:another()
  local ok
  ok, why = reader:run("VACUUM INTO ?", path)
  reader:close()
  if not ok then
    core.disk("remove", path)
    return nil, "it could not be copied to " .. path .. ": " .. tostring(why)
  end
  return true
end

--- Make sure that no process is sending an order, and make a copy of a file.
-- @tparam table database within a transaction
-- @treturn ?boolean true
-- @treturn ?string why not
function _M.prepare(database)
  local ok, why = database:lock_table "orders"
  if not ok then
    return nil, why
  end
  local in_use
  in_use, why = is_in_use(database)
  if in_use then
    return nil, why
  end
  return make_copy(database)
end

-- The order that a key led to is its first take, so that a program that runs
-- again still finds it; those that were dismissed under the key follow.
local MOVE = [[INSERT INTO starvideos_orders (order_id, order_key, take, state,
  task_id, accepted_at, model, params, params_form, base_url, path, bytes,
  sha256, error, attempts, revision, created_at, updated_at, closed_at)
SELECT order_id, COALESCE(order_key, former_key),
  CASE WHEN COALESCE(order_key, former_key) IS NULL THEN 1
    ELSE ROW_NUMBER() OVER (PARTITION BY COALESCE(order_key, former_key)
      ORDER BY CASE WHEN order_key IS NULL THEN 1 ELSE 0 END, order_id) END,
  state, task_id, CASE WHEN state = 'accepted' THEN updated_at END, model,
  params, 1, base_url, path, bytes, sha256, error, attempts, revision,
  created_at, updated_at, closed_at
FROM orders]]

--- Move the orders into the new table.
-- @tparam table database within a transaction
-- @treturn ?boolean true
-- @treturn ?string why not
function _M.move(database)
  local ok, why = database:run(MOVE)
  if ok then
    ok, why = database:run "DROP TABLE orders"
  end
  return ok and true, why
end

return _M
