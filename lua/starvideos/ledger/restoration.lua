-- An order that was sent, and that the database does not know, or takes for one that
-- was not sent: somebody has put the database back to an earlier time.

local schema = require "starvideos.ledger.schema"
local changes = require "starvideos.ledger.changes"
local orders = require "starvideos.ledger.orders"

local _M = {}

-- What belongs to a moment of an order, and not to the order.
local of_a_moment = {}
for name in ("order_id state owner lease lease_clock lease_began seen_revision"
  .. " seen_clock seen_began claim slot spent_in revision updated_at closed_at")
  :gmatch "%S+" do
  of_a_moment[name] = true
end

local placed = schema.columns_where(function(column)
  return column.placed
end)

local FORGOTTEN = "the ledger had forgotten the order, which was sent before: it"
  .. " was put back to an earlier time; the order is recorded again, and nothing"
  .. " was sent now"

local WORKER = "SELECT worker_id FROM starvideos_workers WHERE worker_id = ?"

-- Whether an order is older in the database than the caller knows it. `now`: as it is
-- there. `row`: as it was sent.
function _M.has_gone_back(now, row)
  return (tonumber(now.attempts) or 0) < (tonumber(row.attempts) or 0)
end

-- The worker that has the order goes on with it, if the database knows that worker.
local function claim_of(store, row, state)
  if not row.claim or state ~= "accepted" then
    return nil
  end
  local rows = store:read(WORKER, row.claim)
  return rows and rows[1] and row.claim or nil
end

-- Bring an order that has gone back to what is known of it. `now`: as it is there.
-- `row`: as it was sent. `outcome`: the columns that say how the sending ended. Returns
-- the new row; false where another process has changed it.
function _M.bring_forward(store, caller, now, row, state, outcome)
  local values = {}
  for _, column in ipairs(schema.columns) do
    if not of_a_moment[column.name] then
      values[column.name] = row[column.name]
    end
  end
  for name, value in pairs(outcome) do
    values[name] = value
  end
  values.claim = not now.claim and claim_of(store, row, state) or nil
  local after, err = store:update(caller, now, values, state)
  if after then
    changes.note_notice(store, caller, after, "forgotten", after.task_id, FORGOTTEN)
  end
  return after, err
end

local function insert(store, caller, row, state, outcome)
  return store:atomically(function()
    local fresh, noted = { state = "prepared" }, changes.count(store)
    for _, column in ipairs(placed) do
      fresh[column.name] = row[column.name]
    end
    local made, err = orders.insert_row(store, caller, fresh)
    changes.forget(store, noted) -- nobody placed it now
    if not made then
      return made, err
    end
    return _M.bring_forward(store, caller, made, row, state, outcome)
  end)
end

-- The order that has the key of this one.
local function namesake(store, row)
  local rows, err = store:all("key", row.order_key)
  for _, other in ipairs(rows or {}) do
    if other.take == row.take and other.account == row.account then
      return other
    end
  end
  return rows and false, err
end

-- The states of an order that nobody has sent yet.
local unsent = { staged = true, queued = true, prepared = true, refused = true }

-- Another order was placed under the key meanwhile. One that was not sent is this
-- one: a key and a take are one order for ever.
local function give_to(store, caller, other, row, state, outcome, record_late)
  if unsent[other.state] then
    return _M.bring_forward(store, caller, other, row, state, outcome)
  elseif outcome.task_id then
    return record_late(store, caller, other, outcome.task_id)
  end
  local nameless = {}
  for name, value in pairs(row) do
    nameless[name] = name ~= "order_key" and value or nil
  end
  return insert(store, caller, nameless, state, outcome)
end

-- Write back an order that the database does not hold any more. `row`: as it was sent.
-- `outcome`: the columns that say how the sending ended. `record_late`: records its
-- task beside another order. Returns its row, or that of the order that has its key by
-- now; false where another process has changed that.
function _M.write_back(store, caller, row, state, outcome, record_late)
  local after, err = insert(store, caller, row, state, outcome)
  if after ~= false or not row.order_key then
    return after, err
  end
  local other
  other, err = namesake(store, row)
  if not other then
    return other, err
  end
  return give_to(store, caller, other, row, state, outcome, record_late)
end

return _M
