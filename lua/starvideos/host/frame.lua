--- The runtime of game loops: `client:update()` once a frame.
-- @module starvideos.host.frame

local loop = require "starvideos.host.loop"

local _M = {}

-- As a rule enough for one operation to go on, and too little of a frame for
-- anybody to notice.
local BUDGET_SECONDS = 0.00005

--- Make a frame runtime.
-- @tparam table options see `starvideos.host.loop`
-- @treturn table runtime
function _M.new(options)
  return loop.new(options, BUDGET_SECONDS)
end

return _M
