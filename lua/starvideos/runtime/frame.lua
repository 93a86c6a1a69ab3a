--- The runtime of game loops: `client:update()` once a frame.
-- @module starvideos.runtime.frame

local loop = require "starvideos.runtime.loop"

local _M = {}

-- A sixtieth of a frame at 60 frames a second.
local BUDGET_SECONDS = 0.00025

--- Make a frame runtime.
-- @tparam table options see `starvideos.runtime.loop`
-- @treturn table runtime
function _M.new(options)
  return loop.new(options, BUDGET_SECONDS)
end

return _M
