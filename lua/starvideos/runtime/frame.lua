--- The runtime of game loops: `client:update()` once a frame.
-- @module starvideos.runtime.frame

local loop = require "starvideos.runtime.loop"

local _M = {}

-- Enough for one operation to go on, as a rule, and no part of a frame that
-- anybody could notice.
local BUDGET_SECONDS = 0.00005

--- Make a frame runtime.
-- @tparam table options see `starvideos.runtime.loop`
-- @treturn table runtime
function _M.new(options)
  return loop.new(options, BUDGET_SECONDS)
end

return _M
