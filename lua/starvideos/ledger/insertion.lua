--- A new row in the table of orders, by one statement.
-- @module starvideos.ledger.insertion

local columns = require "starvideos.ledger.columns"
local changes = require "starvideos.ledger.changes"
local schema = require "starvideos.ledger.schema"
local utf8 = require "starvideos.base.utf8"

local unpack = table.unpack or unpack

local _M = {}

local placed = columns.where(function(column)
  return column.placed
end)

-- The revision of a new order is NULL, which no row may have, where a condition does
-- not hold: of the tables of another version none does.
local INTO = "INTO starvideos_orders (" .. columns.names(placed)
  .. [[, state, claim, owner, lease, created_at, updated_at, attempts, spent_in,
  lease_clock, lease_began, revision) VALUES (]] .. ("?, "):rep(#placed + 8)
local INSERT = "INSERT " .. INTO .. "%s, (SELECT 1 WHERE "
  .. schema.condition .. ")) ON CONFLICT DO NOTHING"
local INSERT_HERE = INSERT:format("?, ?")

-- Completes a new row; its columns as the statement above has them, and how many.
local function new_values(store, caller, row)
  local is_held = row.state ~= "staged"
  row.owner = is_held and caller.owner or nil
  row.lease = is_held and store.lease or nil
  row.created_at, row.updated_at = caller.now, caller.now
  row.revision, row.params_form = 1, 2
  row.model = utf8.valid(row.model)
  local values, given = {}, #placed
  for index = 1, given do
    values[index] = row[placed[index].name]
  end
  values[given + 1], values[given + 2] = row.state, row.claim
  values[given + 3], values[given + 4] = row.owner, row.lease
  values[given + 5], values[given + 6] = row.created_at, row.updated_at
  values[given + 7], values[given + 8] = row.attempts, row.spent_in
  given = given + 8
  if not store.database:clock() then
    row.lease_clock, row.lease_began = caller.clock, caller.boottime
    values[given + 1], values[given + 2] = caller.clock, caller.boottime
    given = given + 2
  end
  return values, given
end

--- Add an order: a prepared one is held by the caller.
-- @tparam table store
-- @tparam table caller
-- @tparam table row the columns that are given when an order is placed, `state`,
--   and `claim` of a staged one
-- @treturn ?table the row; false where its key and take are there already
-- @treturn ?table err
function _M.insert(store, caller, row)
  row.attempts = 0
  local values, given = new_values(store, caller, row)
  local clock = store.database:clock()
  local count, err = store:write(clock and INSERT:format("NULL, " .. clock)
    or INSERT_HERE, unpack(values, 1, given))
  if count == 0 then
    -- A statement that was retried over a new connection changes no row either
    -- where the first try did.
    local rows
    rows, err = store:all("id", row.order_id)
    row = rows and (rows[1] or false)
  elseif not count then
    row = nil
  end
  if row then
    changes.note(store, caller, row)
  end
  return row, err
end

return _M
