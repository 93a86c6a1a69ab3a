--- Steps of an order that are taken whoever else changes it.
-- @module starvideos.ledger.transitions

local leases = require "starvideos.ledger.lease"
local states = require "starvideos.ledger.states"

local _M = {}

--- How often an order is looked at again when others change it meanwhile.
_M.ATTEMPTS = 50

local LOST = "the process that sent it ended before its answer was recorded"

--- The error where others do not stop changing an order.
-- @tparam table store
-- @tparam string name of the order
-- @treturn nil
-- @treturn table err
function _M.changing(store, name)
  return nil, store:failure("written", "others keep changing the order "
    .. name)
end

--- End the lease of an order that nobody goes on with, and step on.
-- @treturn ?table the new row; false where somebody has changed it meanwhile
-- @treturn ?table err
function _M.close(store, who, row, state, why)
  return store:try(who, row, state, { owner = false, lease = false,
    error = why })
end

--- Nobody is there any more to say what became of an order that was sent.
-- @treturn ?table see `close`
-- @treturn ?table err
function _M.lose(store, who, row)
  return _M.close(store, who, row, "unknown", LOST)
end

--- Take a step. Where none leads to the state any more, the row stays.
-- @treturn ?table row as it is then
-- @treturn ?table err
function _M.insist(store, who, row, state, changes)
  for _ = 1, _M.ATTEMPTS do
    local after, err = store:try(who, row, state, changes)
    if after or err then
      return after, err
    end
    local now
    now, err = _M.again(store, row)
    if not now then
      return nil, err
    elseif not states.allows(now.state, state) then
      return now
    end
    row = now
  end
  return _M.changing(store, row.order_id)
end

--- An order that is known to have been there, as it is now.
-- @treturn ?table row
-- @treturn ?table err, with `gone` where it is not there any more
function _M.again(store, row)
  local now, err = store:find("id", row.order_id)
  if not now and not err then
    err = store:failure("written", "the order " .. row.order_id
      .. " is gone from it")
    err.gone = true
  end
  return now, err
end

-- What an order becomes when nobody is there to go on with it: one that was
-- being sent may have arrived; one that was not, and that no key leads back
-- to, will never be sent.
local function fate(store, who, row)
  if row.state == "submitting" and not leases.is_busy(store, who, row) then
    return "unknown", LOST
  elseif row.state == "prepared" and not row.order_key
    and not leases.is_busy(store, who, row) then
    return "refused", "it was never sent: its process ended before"
  end
end

-- The states in which a process may hold an order.
local held = { prepared = true, submitting = true }

--- An order of a list as it stands, its fate settled where its process died.
-- @treturn ?table row
-- @treturn ?table err
function _M.settled_in_list(store, who, row)
  if not held[row.state] then
    return row
  end
  local now, err = _M.again(store, row)
  if not now then
    return nil, err
  end
  return _M.settled(store, who, now)
end

--- An order as it stands, its fate settled where its process died.
-- @treturn ?table row
-- @treturn ?table err
function _M.settled(store, who, row)
  for _ = 1, _M.ATTEMPTS do
    local state, why = fate(store, who, row)
    if not state then
      return row
    end
    local after, err = _M.close(store, who, row, state, why)
    if after == false then
      after, err = _M.again(store, row)
    end
    if not after then
      return nil, err
    end
    row = after
  end
  return _M.changing(store, row.order_id)
end

return _M
