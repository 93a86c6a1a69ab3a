--- How long an order is protected for whoever took it.
--
-- A lease is a length, and when it began on a clock: that of the server where
-- the ledger is PostgreSQL; else the clock of the machine that goes on while
-- it sleeps and that nobody sets. A reader who cannot read that clock, since
-- the machine was started again or it is in a time namespace of its own,
-- believes the lease for its whole length after it first saw this revision of
-- the order, and writes down when that was.
-- @module starvideos.ledger.lease

local owners = require "starvideos.ledger.owner"

local _M = {}

-- A clock that is behind what was read from it before is another clock.
local TOLERANCE = 1

local NOBODY = {}

local function goes_on(began, length, now)
  if not began or began > now + TOLERANCE then
    return nil
  end
  return now < began + length
end

-- Whether the lease is over for a reader; nil where that reader has not seen
-- the order before.
local function is_running(who, row)
  local running
  if row.read_at then
    running = goes_on(row.lease_began, row.lease, row.read_at)
  elseif row.lease_clock == who.clock then
    running = goes_on(row.lease_began, row.lease, who.boottime)
  end
  if running == nil and row.seen_revision == row.revision
    and row.seen_clock == who.clock then
    running = goes_on(row.seen_began, row.lease, who.boottime)
  end
  return running
end

--- Whether the lease of an order is to be believed.
-- @tparam table store where the reader notes that it saw the order
-- @tparam table who
-- @tparam table row
-- @treturn boolean
function _M.is_believable(store, who, row)
  if not row.owner or not row.lease then
    return false
  end
  local running = is_running(who, row)
  if running == nil then
    store:sight(who, row)
    return true
  end
  return running
end

--- Whether whoever took an order may still send it, or wait for its answer.
-- One that is being sent is its process's for as long as that is seen to live;
-- one that is not yet may be taken over once its lease is over, for then the
-- first one cannot send it any more.
-- @tparam table store
-- @tparam table who with `held` where the orders of the caller's own are asked
--   after
-- @tparam table row
-- @treturn boolean
function _M.is_busy(store, who, row)
  if not row.owner then
    return false
  elseif row.owner == who.owner then
    return (who.held or NOBODY)[row.order_id] ~= nil
  end
  local alive = owners.is_alive(row.owner)
  if alive == false then
    return false
  elseif alive and row.state == "submitting" and not _M.is_sibling(who, row)
  then
    return true
  end
  return _M.is_believable(store, who, row)
end

--- Whether an order was taken by another Lua state of the same process, which
-- may have been closed since.
-- @tparam table who
-- @tparam table row
-- @treturn boolean
function _M.is_sibling(who, row)
  return row.owner:match "^(.*) %S+$" == who.owner:match "^(.*) %S+$"
end

return _M
