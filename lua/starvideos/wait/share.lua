--- A worker's share of the polls of a fleet, in the place of its client's rate
-- limiter, which it asks: polls stop while the worker may be taken for dead, and
-- a 429 is told to all. Knows neither clock nor ledger.
-- @module starvideos.wait.share

local _M = {}

local Share = {}
Share.__index = Share

--- Reserve a permit for one poll.
-- @tparam number now the runtime's seconds
-- @tparam[opt] number early see `starvideos.wait.rate_limit`
-- @treturn number seconds after which to `check` it; 0: poll now
-- @treturn ?number the permit; nil: reserve again then
function Share:reserve(now, early)
  local pause = self.pause()
  if pause then
    return pause, nil
  end
  return self.limiter:reserve(now, early)
end

--- Check whether a reserved permit may be used.
-- @tparam number permit
-- @tparam number now the runtime's seconds
-- @tparam[opt] number early
-- @treturn number as of `reserve`
-- @treturn ?number
function Share:check(permit, now, early)
  local pause = self.pause()
  if pause then
    self.limiter:release(permit)
    return pause, nil
  end
  return self.limiter:check(permit, now, early)
end

--- Give a reserved permit back unused.
-- @tparam number permit
function Share:release(permit)
  self.limiter:release(permit)
end

--- An answer came that was no 429.
-- @tparam number now the runtime's seconds
function Share:answered(now)
  self.limiter:answered(now)
end

--- How the rate has changed since this was last called.
-- @treturn ?string see `starvideos.wait.rate_limit`
-- @treturn ?number
-- @treturn ?number
function Share:change()
  return self.limiter:change()
end

--- The provider said too many requests.
-- @tparam number now the runtime's seconds
-- @tparam[opt] number retry_after seconds
function Share:limited(now, retry_after)
  self.limiter:limited(now, retry_after)
  self.tell(retry_after)
end

--- Make a share.
-- @tparam table limiter see `starvideos.wait.rate_limit`
-- @tparam function pause returns the seconds for which nothing is to be polled,
--   nil where it may be
-- @tparam function tell gets the `retry_after` of a 429, maybe nil
-- @treturn table share
function _M.new(limiter, pause, tell)
  return setmetatable({ limiter = limiter, pause = pause, tell = tell }, Share)
end

return _M
