--- How an order is placed: recorded, or found under its key and take.
-- @module starvideos.ledger.placement

local columns = require "starvideos.ledger.columns"
local id_list = require "starvideos.ledger.id_list"
local leases = require "starvideos.ledger.lease"
local transitions = require "starvideos.ledger.transitions"

local _M = {}

-- Of the orders of a key: the one of this take and account; one that rules this
-- one out, since only one of both has an account; and the next free take.
local function choose(rows, wanted)
  local found, other
  local is_new, next_take = true, wanted.take + 1
  for _, row in ipairs(rows) do
    if row.account == wanted.account then
      is_new = false
      next_take = math.max(next_take, (row.take or 0) + 1)
      found = row.take == wanted.take and row or found
    elseif row.account == "" or wanted.account == "" then
      other = other or row
    end
  end
  return found, is_new and other or nil, next_take
end

local placed = columns.where(function(column)
  return column.placed
end)
local content = columns.where(function(column)
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

-- False where the key and take have been used meanwhile.
local function insert(store, caller, wanted)
  local row = row_of(wanted, placed)
  row.state = "prepared"
  return store:insert(caller, row)
end

-- One that certainly was not accepted may be corrected. The id of a refused
-- task must not pass for that of the next one.
local function place_again(store, caller, row, wanted)
  local changes = row_of(wanted, content)
  changes.owner, changes.lease = caller.owner, store.lease
  changes.model, changes.params_form = wanted.model or false, 2
  changes.error, changes.task_id = false, false
  changes.refused_tasks = row.task_id
    and id_list.with(row.refused_tasks, row.task_id) or nil
  return store:transition(caller, row, "prepared", changes)
end

local function differs(row, wanted)
  local params = wanted.params
  if row.params_form == 1 and wanted.former then
    params = wanted.former
  end
  return row.base_url ~= wanted.base_url or row.params ~= params
end

-- The verdicts about a take that is spent.
local verdicts = { unknown = "unknown", abandoned = "spent" }

-- What is to be done where the order is there; see `begin`. False where it has
-- changed meanwhile.
local function decide(store, caller, row, wanted)
  local busy = leases.is_busy(store, caller, row)
  local err
  if row.state == "submitting" and not busy then
    row, err = transitions.mark_unknown(store, caller, row)
    if not row then
      return row, err
    end
  end
  local is_free = row.state == "refused" or row.state == "prepared" and not busy
  if is_free and wanted.waited then
    return "unsent", row
  elseif is_free then
    local taken
    taken, err = place_again(store, caller, row, wanted)
    return taken and "send" or taken, taken or err
  elseif differs(row, wanted) then
    return "conflict", row
  elseif row.state == "prepared" or row.state == "submitting" then
    return "busy", row
  end
  return verdicts[row.state] or "known", row
end

local function look(store, caller, wanted)
  local rows, err = {}, nil
  if wanted.key then
    rows, err = store:all("key", wanted.key)
  end
  if not rows then
    return nil, err
  end
  local row, other, next_take = choose(rows, wanted)
  local verdict, result
  if other then
    verdict = wanted.account == "" and "no_account" or "unlabelled"
    result = other
  elseif row then
    verdict, result = decide(store, caller, row, wanted)
  else
    result, err = insert(store, caller, wanted)
    verdict, result = result and "send" or result, result or err
  end
  if verdict then
    result.next_take = next_take
  end
  return verdict, result
end

--- Record an order, or find the one that was placed under its key and take.
-- @tparam table store
-- @tparam table caller
-- @tparam table wanted see `orders:begin`
-- @treturn ?string see `orders:begin`
-- @treturn table row, or err
function _M.begin(store, caller, wanted)
  for _ = 1, transitions.ATTEMPTS do
    local verdict, row = look(store, caller, wanted)
    if verdict ~= false then
      return verdict, row
    end
  end
  return transitions.contended(store, tostring(wanted.key))
end

return _M
