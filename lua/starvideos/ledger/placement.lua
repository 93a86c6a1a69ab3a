--- How an order is placed: written down, or found under its key and take.
-- @module starvideos.ledger.placement

local id_list = require "starvideos.ledger.id_list"
local leases = require "starvideos.ledger.lease"
local transitions = require "starvideos.ledger.transitions"

local _M = {}

-- The order of a key, take and account among all of the key; one that stands
-- in the way because it alone has a label, or alone has none; and the next free
-- take.
local function choose(rows, wanted)
  local found, stranger
  local is_new, next_take = true, wanted.take + 1
  for _, row in ipairs(rows) do
    if row.account == wanted.account then
      is_new = false
      next_take = math.max(next_take, (row.take or 0) + 1)
      found = row.take == wanted.take and row or found
    elseif row.account == "" or wanted.account == "" then
      stranger = stranger or row
    end
  end
  return found, is_new and stranger or nil, next_take
end

-- False where the key and take have been used meanwhile.
local function insert(store, who, wanted)
  return store:insert(who, { order_id = wanted.id, order_key = wanted.key,
    take = wanted.take, account = wanted.account, state = "prepared",
    model = wanted.model, params = wanted.params, base_url = wanted.base_url,
    path = wanted.path, machine = wanted.machine })
end

-- One that certainly was not accepted may be corrected. The id of a refused
-- task must not pass for that of the next one.
local function take_over(store, who, row, wanted)
  return store:try(who, row, "prepared", { owner = who.owner,
    lease = store.lease, model = wanted.model or false,
    base_url = wanted.base_url, params = wanted.params, params_form = 2,
    path = wanted.path, machine = wanted.machine, error = false,
    task_id = false,
    refused_tasks = row.task_id
      and id_list.with(row.refused_tasks, row.task_id) or nil })
end

local function differs(row, wanted)
  local params = wanted.params
  if row.params_form == 1 and wanted.former then
    params = wanted.former
  end
  return row.base_url ~= wanted.base_url or row.params ~= params
end

-- What a spent take answers.
local verdicts = { unknown = "unknown", abandoned = "spent" }

-- What is to be done about an order that is already there; see `begin`. False
-- where it has changed meanwhile.
local function decide(store, who, row, wanted)
  local busy = leases.is_busy(store, who, row)
  local err
  if row.state == "submitting" and not busy then
    row, err = transitions.lose(store, who, row)
    if not row then
      return row, err
    end
  end
  local is_free = row.state == "refused" or row.state == "prepared" and not busy
  if is_free and wanted.waited then
    return "unsent", row
  elseif is_free then
    local taken
    taken, err = take_over(store, who, row, wanted)
    return taken and "send" or taken, taken or err
  elseif differs(row, wanted) then
    return "conflict", row
  elseif row.state == "prepared" or row.state == "submitting" then
    return "busy", row
  end
  return verdicts[row.state] or "known", row
end

local function look(store, who, wanted)
  local rows, err = {}, nil
  if wanted.key then
    rows, err = store:all("key", wanted.key)
  end
  if not rows then
    return nil, err
  end
  local row, stranger, next_take = choose(rows, wanted)
  local verdict, result
  if stranger then
    verdict = wanted.account == "" and "no_account" or "unlabelled"
    result = stranger
  elseif row then
    verdict, result = decide(store, who, row, wanted)
  else
    result, err = insert(store, who, wanted)
    verdict, result = result and "send" or result, result or err
  end
  if verdict then
    result.next_take = next_take
  end
  return verdict, result
end

--- Write an order down, or find the one that was placed under its key and take.
-- @tparam table store
-- @tparam table who
-- @tparam table wanted see `orders:begin`
-- @treturn ?string see `orders:begin`
-- @treturn table row, or err
function _M.begin(store, who, wanted)
  for _ = 1, transitions.ATTEMPTS do
    local verdict, row = look(store, who, wanted)
    if verdict ~= false then
      return verdict, row
    end
  end
  return transitions.changing(store, tostring(wanted.key))
end

return _M
