-- How long an order is reserved for the process that took it.
--
-- A lease is a length, and when it began on a clock: the server's where the ledger is
-- PostgreSQL; else the clock of the machine that goes on while it sleeps and that
-- nobody sets. A reader that cannot read that clock, since the machine was restarted or
-- the reader has a time namespace of its own, takes the lease as valid for its whole
-- length after it first saw this revision of the order, and records when that was.

local owners = require "starvideos.ledger.owner"

local _M = {}

-- A clock that reads less than it has read before is another clock.
local TOLERANCE = 1

local NOBODY = {}

local function goes_on(began, length, now)
  if not began or began > now + TOLERANCE then
    return nil
  end
  return now < began + length
end

-- Whether a lease is still running; nil where the caller cannot tell, for it has
-- not seen the order before.
local function is_running(caller, row)
  local running
  if row.read_at then
    running = goes_on(row.lease_began, row.lease, row.read_at)
  elseif row.lease_clock == caller.clock then
    running = goes_on(row.lease_began, row.lease, caller.boottime)
  end
  if running == nil and row.seen_revision == row.revision
    and row.seen_clock == caller.clock then
    running = goes_on(row.seen_began, row.lease, caller.boottime)
  end
  return running
end

-- Whether the lease of an order is running, or must be taken to be. `store`: where the
-- caller records that it saw the order.
function _M.is_valid(store, caller, row)
  if not row.owner or not row.lease then
    return false
  end
  local running = is_running(caller, row)
  if running == nil then
    store:mark_seen(caller, row)
    return true
  end
  return running
end

-- Whether the process that took an order may still send it, or wait for its answer.
-- While an order is being sent its process holds it for as long as that runs; before
-- that others may take it once its lease is over, for after that the process does not
-- send it any more. `caller`: with `held` where its own orders are asked for, too.
function _M.is_busy(store, caller, row)
  if not row.owner then
    return false
  elseif row.owner == caller.owner then
    return (caller.held or NOBODY)[row.order_id] ~= nil
  end
  local alive = owners.is_alive(row.owner)
  if alive == false then
    return false
  elseif alive and row.state == "submitting" and not _M.is_sibling(caller, row)
  then
    return true
  end
  return _M.is_valid(store, caller, row)
end

-- Whether an order was taken by another Lua state of the same process, which may have
-- been closed since.
function _M.is_sibling(caller, row)
  return row.owner:match "^(.*) %S+$" == caller.owner:match "^(.*) %S+$"
end

return _M
