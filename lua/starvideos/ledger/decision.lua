--- What a person decides about an order: to give it up, which task it has
-- become, whose account it is of.
-- @module starvideos.ledger.decision

local leases = require "starvideos.ledger.lease"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"

local _M = {}

-- The order of an id; else of a key, with its take and account.
local function find(store, name)
  local row, err = store:find("id", name.id)
  if row or err then
    return row, err
  end
  local rows
  rows, err = store:all("key", name.id)
  for _, candidate in ipairs(rows or {}) do
    if candidate.take == (name.take or 1)
      and candidate.account == name.account then
      return candidate
    end
  end
  local takes = {}
  for _, candidate in ipairs(rows or {}) do
    takes[#takes + 1] = ("take %s%s"):format(tostring(candidate.take),
      candidate.account ~= "" and " of account " .. candidate.account or "")
  end
  return nil, err or { kind = "not_found", message =
    ("the ledger holds no order %s%s%s"):format(name.id,
      name.take and ", take " .. name.take or "", takes[1]
      and "; of this key there is " .. table.concat(takes, ", ") or "") }
end

--- The order of a name as it stands.
-- @tparam table store
-- @tparam table who
-- @tparam table name `id` (an order's id or key), `take` (1), `account`
-- @treturn ?table row
-- @treturn ?table err not_found where there is none
function _M.look_up(store, who, name)
  local row, err = find(store, name)
  if not row then
    return nil, err
  end
  return transitions.settled(store, who, row)
end

-- What was bought and can still be had.
local bought = { accepted = true, completed = true }

local function refused(row, verb)
  local message = ("the order %s is %s and cannot be %s"):format(
    row.order_key and ("%s (take %s)"):format(row.order_key, tostring(row.take))
      or row.order_id, row.state, verb)
  if bought[row.state] then
    message = message .. (": the task %s was bought, and can still be had%s")
      :format(tostring(row.task_id), verb == "dismissed"
        and "; force (--force) gives it up all the same" or "")
  end
  return { kind = "validation", message = message, task_id = row.task_id }
end

-- Made for the order as it was looked at: where somebody has changed it
-- meanwhile it is looked at again. `is_held` says whether somebody else's claim
-- on the order stands against it.
local function decided(store, who, name, verb, is_held, decide)
  local seen
  for _ = 1, transitions.ATTEMPTS do
    local row, err = _M.look_up(store, who, name)
    seen = seen or row and row.state
    if not row then
      return nil, err
    elseif is_held(row) or row.state ~= seen then
      return nil, refused(row, verb)
    end
    local after
    after, err = decide(row)
    if after ~= false then
      return after, err
    end
  end
  return transitions.changing(store, name.id)
end

local function is_busy(store, who)
  return function(row)
    return leases.is_busy(store, who, row)
  end
end

-- What this Lua state is sending is its own; else the lease alone counts.
local function is_leased(store, who)
  return function(row)
    return row.owner == who.owner and who.held[row.order_id]
      or row.owner ~= who.owner and leases.is_believable(store, who, row)
  end
end

--- Give an order up that nobody will wait for. What came late for one that has
-- ended is taken note of.
-- @tparam table store
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam ?boolean force also one that was bought and can still be had, or
--   that a process was sending whose lease is over
-- @treturn ?table row
-- @treturn ?table err validation where it is being sent, or was bought
function _M.dismiss(store, who, name, force)
  local is_held = (force and is_leased or is_busy)(store, who)
  return decided(store, who, name, "dismissed", is_held, function(row)
    local state = row.state
    if row.late_tasks and not row.closed_at and not states.is_open(state) then
      return store:note(who, row, { closed_at = who.now })
    elseif force and state == "submitting" then
      local lost, err = transitions.lose(store, who, row)
      if not lost then
        return lost, err
      end
      row, state = lost, lost.state
    end
    if not states.allows(state, "abandoned") or bought[state] and not force then
      return nil, refused(row, "dismissed")
    end
    return store:try(who, row, "abandoned", { owner = false, lease = false })
  end)
end

--- Give an order of unknown fate its task.
-- @tparam table store
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam string task_id
-- @treturn ?table row
-- @treturn ?table err validation where its fate is known
function _M.adopt(store, who, name, task_id)
  return decided(store, who, name, "given a task", is_busy(store, who),
    function(row)
      if row.state ~= "unknown" then
        return nil, refused(row, "given a task")
      end
      return store:try(who, row, "accepted", { owner = false, lease = false,
        task_id = task_id, accepted_at = who.now, error = false })
    end)
end

local function label_one(store, who, row, account)
  if row.account == account then
    return row
  elseif row.account ~= "" then
    return nil, { kind = "validation", message = ("the order %s is of account"
      .. " %s already"):format(row.order_id, row.account) }
  elseif leases.is_busy(store, who, row) then
    return nil, refused(row, "labelled")
  end
  local after, err = store:note(who, row, { account = account })
  if after == false then
    return transitions.changing(store, row.order_id)
  end
  return after, err
end

-- All takes of its key that have no label, or itself where it has no key.
local function unlabelled_with(store, row, account)
  if not row.order_key then
    return { row }
  end
  local rows, err = store:all("key", row.order_key)
  local list, taken = {}, {}
  for _, other in ipairs(rows or {}) do
    taken[other.take or 0] = taken[other.take or 0]
      or other.account == account
  end
  for _, other in ipairs(rows or {}) do
    if other.account == "" and taken[other.take or 0] then
      return nil, { kind = "validation", message = ("the account %s has an order"
        .. " of the key %s, take %s, already"):format(account, row.order_key,
        tostring(other.take)) }
    end
    list[#list + 1] = (other.account == "" or other.order_id == row.order_id)
      and other or nil
  end
  return rows and list, err
end

--- Say of which account an order is, and all the takes of its key with it.
-- @tparam table store
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam string account
-- @treturn ?table row of the order that was named
-- @treturn ?table err validation where it is another's already, or being sent
function _M.label(store, who, name, account)
  local row, err = _M.look_up(store, who, name)
  if not row then
    return nil, err
  end
  return store:together(function()
    local rows, why = unlabelled_with(store, row, account)
    local result
    for _, one in ipairs(rows or {}) do
      local labelled
      labelled, why = label_one(store, who, one, account)
      if not labelled then
        return nil, why
      end
      result = one.order_id == row.order_id and labelled or result
    end
    return result, why
  end)
end

return _M
