-- What a person decides about an order: to dismiss it, which task it became, which
-- account it is of.

local leases = require "starvideos.ledger.lease"
local limits = require "starvideos.ledger.limits"
local orders = require "starvideos.ledger.orders"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"

local _M = {}

-- The order of an id; else of a key or the `other` one, with its take and account.
local function find(store, name)
  local row, err = store:find("id", name.id)
  if row or err then
    return row, err
  end
  local rows
  rows, err = store:of_key(name.id, name.other)
  row = rows and orders.choose(rows, { key = name.id, take = name.take or 1,
    account = name.account })
  if row then
    return row
  end
  local takes = {}
  for _, candidate in ipairs(rows or {}) do
    takes[#takes + 1] = ("take %s%s"):format(tostring(candidate.take),
      candidate.account ~= "" and " of account " .. candidate.account or "")
  end
  return nil, err or { kind = "not_found", message =
    ("the ledger holds no order %s%s%s"):format(name.id,
      name.take and ", take " .. name.take or "", takes[1]
      and "; the key has " .. table.concat(takes, ", ") or "") }
end

-- Find the order of a name, recovered where its process ended. `name`: `id` (an order's
-- id or key), `take` (1), `account`. Returns err not_found where there is none.
function _M.look_up(store, caller, name)
  local row, err = find(store, name)
  if not row then
    return nil, err
  end
  return transitions.recover(store, caller, row)
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
        and "; force (--force) dismisses the order all the same" or "")
  end
  return { kind = "validation", message = message, task_id = row.task_id }
end

-- Decides about the order as it was read; where another process has changed it
-- meanwhile it is read again. `is_held` tells whether a process holds the order,
-- so that nobody may decide about it.
local function decided(store, caller, name, verb, is_held, decide)
  local seen
  for _ = 1, transitions.ATTEMPTS do
    local row, err = _M.look_up(store, caller, name)
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
  return transitions.contended(store, name.id)
end

local function is_busy(store, caller)
  return function(row)
    return leases.is_busy(store, caller, row)
  end
end

-- This Lua state knows what it is sending itself; of others the lease alone
-- counts.
local function is_leased(store, caller)
  return function(row)
    return row.owner == caller.owner and caller.held[row.order_id]
      or row.owner ~= caller.owner and leases.is_valid(store, caller, row)
  end
end

-- Dismiss an order that nobody will wait for, or what came late for one that has ended.
-- `force`: also one that was bought and can still be had, or whose process was sending
-- it and has a lease that is over. Returns err validation where it is being sent, or
-- was bought.
function _M.dismiss(store, caller, name, force)
  local is_held = (force and is_leased or is_busy)(store, caller)
  return decided(store, caller, name, "dismissed", is_held, function(row)
    local state = row.state
    if row.late_tasks and not row.closed_at and not states.is_open(state) then
      return store:update(caller, row, { closed_at = caller.now })
    elseif force and state == "submitting" then
      local lost, err = transitions.mark_unknown(store, caller, row)
      if not lost then
        return lost, err
      end
      row, state = lost, lost.state
    end
    if not states.allows(state, "abandoned") or bought[state] and not force then
      return nil, refused(row, "dismissed")
    end
    return store:transition(caller, row, "abandoned", { owner = false, lease = false })
  end)
end

-- Give an order of unknown outcome its task; it may have that task already, which
-- somebody has looked at since. Returns err validation where its outcome is known.
function _M.adopt(store, caller, name, task_id)
  return decided(store, caller, name, "given a task", is_busy(store, caller),
    function(row)
      if bought[row.state] and row.task_id == task_id then
        return row
      elseif row.state ~= "unknown" then
        return nil, refused(row, "given a task")
      end
      return store:transition(caller, row, "accepted", { owner = false, lease = false,
        task_id = task_id, accepted_at = caller.now, error = false })
    end)
end

local function label_one(store, caller, row, account)
  if row.account == account then
    return row
  elseif row.account ~= "" then
    return nil, { kind = "validation", message = ("the order %s has the"
      .. " account %s already"):format(row.order_id, row.account) }
  elseif leases.is_busy(store, caller, row) then
    return nil, refused(row, "labelled")
  end
  local after, err = store:update(caller, row, { account = account })
  if after == false then
    return transitions.contended(store, row.order_id)
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
      return nil, { kind = "validation", message = ("the account %s already has"
        .. " an order of the key %s, take %s"):format(account, row.order_key,
        tostring(other.take)) }
    end
    list[#list + 1] = (other.account == "" or other.order_id == row.order_id)
      and other or nil
  end
  return rows and list, err
end

-- Set the account of an order and of all other takes of its key. Returns row of the
-- order that was named, and err validation where it has another, or is being sent.
function _M.label(store, caller, name, account)
  local row, err = _M.look_up(store, caller, name)
  if not row then
    return nil, err
  end
  return store:transaction(function()
    local rows, why = unlabelled_with(store, row, account)
    local result
    for _, one in ipairs(rows or {}) do
      local labelled
      labelled, why = label_one(store, caller, one, account)
      if not labelled then
        return nil, why
      end
      result = one.order_id == row.order_id and labelled or result
    end
    local ok
    if rows then
      -- Limits of the account count them now.
      ok, why = limits.recount(store, caller)
    end
    return ok and result, why
  end)
end

return _M
