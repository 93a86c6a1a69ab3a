-- How an order is placed: recorded, or found under its key and take.

local history = require "starvideos.ledger.history"
local changes = require "starvideos.ledger.changes"
local leases = require "starvideos.ledger.lease"
local schema = require "starvideos.ledger.schema"
local transitions = require "starvideos.ledger.transitions"
local utf8 = require "starvideos.base.utf8"

local unpack = table.unpack or unpack

local _M = {}

-- How much two orders of one file count, whose paths were once taken for two: what
-- was saved, then what may have been bought.
local weights = { downloaded = 2, refused = 0, staged = 0, queued = 0,
  prepared = 0 }

local function heavier(row, other, key)
  local weight = weights[row.state] or 1
  local its = other and (weights[other.state] or 1) or -1
  return weight > its or weight == its and row.order_key == key
end

-- Of the orders of a key: the one of this take and account; one that rules this one
-- out, since only one of both has an account; and the next free take. `wanted`: `key`,
-- `take`, `account`.
function _M.choose(rows, wanted)
  local found, other
  local is_new, next_take = true, wanted.take + 1
  for _, row in ipairs(rows) do
    if row.account == wanted.account then
      is_new = false
      next_take = math.max(next_take, (row.take or 0) + 1)
      found = row.take == wanted.take and heavier(row, found, wanted.key)
        and row or found
    elseif row.account == "" or wanted.account == "" then
      other = other or row
    end
  end
  return found, is_new and other or nil, next_take
end

local placed = schema.columns_where(function(column)
  return column.placed
end)
local content = schema.columns_where(function(column)
  return column.placed == "content"
end)

-- Columns that an order is placed with, from what is wanted.
local function row_of(wanted, list)
  local row = {}
  for index = 1, #list do
    local column = list[index]
    row[column.name] = wanted[column.as]
  end
  return row
end

-- The revision of a new order is NULL, which no row may have, where a condition does
-- not hold: of the tables of another version none does.
local INTO = "INTO starvideos_orders (" .. schema.names(placed)
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

-- Add an order: a prepared one is held by the caller. `row`: the columns that are given
-- when an order is placed, `state`, and `claim` of a staged one. Returns the row; false
-- where its key and take are there already.
function _M.insert_row(store, caller, row)
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

-- Record an order that is not there. `state`: `prepared`, held by the caller, or
-- `staged`. `batch`: that it is staged by. Returns row; false where the key and take
-- have been used meanwhile.
function _M.insert(store, caller, wanted, state, batch)
  local row = row_of(wanted, placed)
  row.state, row.claim = state, batch
  return _M.insert_row(store, caller, row)
end

-- One that certainly was not accepted may be corrected. The id of a refused
-- task must not pass for that of the next one.
local function correction(row, wanted)
  local values = row_of(wanted, content)
  for _, name in ipairs { "model", "label", "cost", "currency" } do
    values[name] = values[name] or false
  end
  values.params_form, values.error, values.task_id = 2, false, false
  values.refused_tasks = row.task_id
    and schema.with_id(row.refused_tasks, row.task_id) or nil
  return values
end

-- A queued order that somebody sends now is the same one.
local function keep_queued(values, row, wanted)
  if row.cost then
    values.cost, values.currency = nil, nil
  end
  values.label = wanted.label
end

local function place_again(store, caller, row, wanted)
  local values = correction(row, wanted)
  if row.state == "queued" then
    keep_queued(values, row, wanted)
  end
  values.owner, values.lease, values.claim = caller.owner, store.lease, false
  if wanted.keeps then
    values.queued_at = false
  end
  return store:transition(caller, row, "prepared", values)
end

-- Stage an order that is there, and certainly was not accepted. Returns row; false
-- where another process has changed it meanwhile.
function _M.restage(store, caller, row, wanted, batch)
  local values = correction(row, wanted)
  values.claim, values.owner, values.lease = batch, false, false
  return store:transition(caller, row, "staged", values)
end

local function has_params(row, wanted)
  if row.params_form == history.ARCHIVED then
    return row.params == history.digest(wanted.params)
  end
  return row.params == wanted.params
end

local function differs(row, wanted)
  return row.base_url ~= wanted.base_url or not has_params(row, wanted)
end

-- The verdicts about a take that is spent.
local verdicts = { unknown = "unknown", abandoned = "spent" }

-- What an order that is there, and is not to be sent now, is to one that is wanted
-- under its key and take. Returns verdict of `orders.begin`.
function _M.verdict_on(row, wanted)
  if differs(row, wanted) then
    return "conflict"
  elseif row.state == "prepared" or row.state == "submitting" then
    return "busy"
  end
  return verdicts[row.state] or "known"
end

-- Whether an order may be sent by whoever creates it by its key. A queued one
-- is the same order: to change it there would be another.
local function is_free(row, wanted, busy)
  local state = row.state
  return state == "refused" or state == "staged" or state == "prepared"
    and not busy or state == "queued" and not differs(row, wanted)
end

-- What is to be done where the order is there; see `begin`. False where it has
-- changed meanwhile. By a `failure` of `store:look` nothing is placed.
local function decide(store, caller, row, wanted, failure)
  local busy = leases.is_busy(store, caller, row)
  local err
  if row.state == "submitting" and not busy then
    row, err = transitions.mark_unknown(store, caller, row)
    if not row then
      return row, err
    end
  end
  local free = is_free(row, wanted, busy)
  if free and wanted.waited then
    return "unsent", row
  elseif free and failure and failure.misplaced then
    return nil, failure
  elseif free then
    local taken
    taken, err = place_again(store, caller, row, wanted)
    return taken and "send" or taken, taken or err
  end
  return _M.verdict_on(row, wanted), row
end

-- The verdict where only one of two orders of a key has an account.
local function verdict_on_account(wanted)
  return wanted.account == "" and "no_account" or "unlabelled"
end

-- The order that is there under a key, take and account. Returns row, with `next_take`
-- of its key, and a verdict that rules the order out.
function _M.look_up(store, wanted)
  local rows, err = store:of_key(wanted.key, wanted.other_key)
  if not rows then
    return nil, nil, err
  end
  local row, other, next_take = _M.choose(rows, wanted)
  row = other or row
  if row then
    row.next_take = next_take
  end
  return row, other and verdict_on_account(wanted)
end

-- `failure` is that of `store:look`, or of an insert which has been tried.
local function look(store, caller, wanted, failure)
  local rows, err = {}, nil
  if wanted.key then
    rows, err = store:of_key(wanted.key, wanted.other_key)
  end
  if not rows then
    return nil, err
  end
  local row, other, next_take = _M.choose(rows, wanted)
  local verdict, result
  if other then
    verdict, result = verdict_on_account(wanted), other
  elseif row then
    verdict, result = decide(store, caller, row, wanted, failure)
  elseif failure then
    return nil, failure
  else
    result, err = _M.insert(store, caller, wanted, "prepared")
    verdict, result = result and "send" or result, result or err
  end
  if verdict then
    result.next_take = next_take
  end
  return verdict, result
end

-- Record an order, or find the one that was placed under its key and take. `wanted`:
-- `id` (of a new order), `key` (or nil), `take`, `account` (empty for none), `model`,
-- `params` (see `starvideos.ledger.record`), `base_url`, `path` and `machine` (or nil),
-- `waited` (true: another process was seen sending it, so this call must not). Returns
-- "send": the caller may send it; "known": it was accepted before; "busy": another
-- process is sending it; "unsent": another process was, and it was not accepted;
-- "unknown"; "spent": it was dismissed; "conflict": key and take name another order;
-- "unlabelled": the key's orders have no account, this one has; "no_account": the other
-- way round, and the order's row, with `next_take` of its key; or err of kind ledger.
function _M.begin(store, caller, wanted)
  local _, failure = store:look()
  for _ = 1, transitions.ATTEMPTS do
    local verdict, row = look(store, caller, wanted, failure)
    if verdict == nil and failure and failure.misplaced then
      return nil, failure
    elseif verdict ~= false then
      return verdict, row
    end
  end
  return transitions.contended(store, tostring(wanted.key))
end

return _M
