-- Changes of state that must be made though other processes change the order, too; and
-- the recovery of orders whose process ended.

local leases = require "starvideos.ledger.lease"
local states = require "starvideos.ledger.states"
local workers = require "starvideos.ledger.workers"

local _M = {}

--- How often an order is looked at again when others change it meanwhile.
_M.ATTEMPTS = 50

local LOST = "the process that sent it ended before it recorded the answer"
local NEVER_SENT = "its process ended before it sent the order"

-- The error where other processes keep changing an order. `name`: of the order.
function _M.contended(store, name)
  return nil, store:failure("written", "other processes keep changing the order "
    .. name)
end

-- Change the state of an order that no process is working on any more. Returns the new
-- row; false where somebody has changed it meanwhile.
function _M.end_lease(store, caller, row, state, why)
  return store:transition(caller, row, state, { owner = false, lease = false,
    error = why })
end

-- The process that sent an order ended: the outcome is unknown.
function _M.mark_unknown(store, caller, row)
  return _M.end_lease(store, caller, row, "unknown", LOST)
end

-- A worker changes nothing that another has, or that was taken from it.
function _M.check_claim(caller, row)
  if caller.worker and row.claim ~= caller.worker then
    return workers.fenced()
  end
  return true
end

-- Change the state of an order. Where nothing leads to that state any more, the order
-- stays as it is. Returns row as it is then.
function _M.apply(store, caller, row, state, changes)
  for _ = 1, _M.ATTEMPTS do
    local after, err = store:transition(caller, row, state, changes)
    if after or err then
      return after, err
    end
    local now
    now, err = _M.reload(store, row)
    if not now then
      return nil, err
    elseif not states.allows(now.state, state) then
      return now
    end
    local ok
    ok, err = _M.check_claim(caller, now)
    if not ok then
      return nil, err
    end
    row = now
  end
  return _M.contended(store, row.order_id)
end

-- Read an order once more. Returns err, with `gone` where the ledger does not hold it
-- any more.
function _M.reload(store, row)
  local now, err = store:find("id", row.order_id)
  if not now and not err then
    err = store:failure("written", "the order " .. row.order_id
      .. " is not in it any more")
    err.gone = true
  end
  return now, err
end

-- The state of an order whose process ended, and why: one that was being sent may
-- have arrived; one that was not goes back to the queue, if it was there; one that
-- no key leads back to is never sent.
local function recovered_state(store, caller, row)
  if row.state == "submitting" and not leases.is_busy(store, caller, row) then
    return "unknown", LOST
  elseif row.state == "prepared" and (row.queued_at or not row.order_key)
    and not leases.is_busy(store, caller, row) then
    return row.queued_at and "queued" or "refused", NEVER_SENT
  end
end

-- The states in which a process holds an order.
local held = { prepared = true, submitting = true }

-- Recover an order that was read for a list.
function _M.recover_listed(store, caller, row)
  if not held[row.state] then
    return row
  end
  local now, err = _M.reload(store, row)
  if not now then
    return nil, err
  end
  return _M.recover(store, caller, now)
end

-- Recover an order: one whose process ended gets the state that follows.
function _M.recover(store, caller, row)
  for _ = 1, _M.ATTEMPTS do
    local state, why = recovered_state(store, caller, row)
    if not state then
      return row
    end
    local after, err = _M.end_lease(store, caller, row, state, why)
    if after == false then
      after, err = _M.reload(store, row)
    end
    if not after then
      return nil, err
    end
    row = after
  end
  return _M.contended(store, row.order_id)
end

return _M
