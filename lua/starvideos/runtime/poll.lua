--- The runtime of event loops, which watch a descriptor: `pollfd`, `events`
-- and `timeout` mean what they mean to cqueues and lua-http.
-- @module starvideos.runtime.poll

local loop = require "starvideos.runtime.loop"

local _M = {}

local Poll = setmetatable({}, { __index = loop.methods })
Poll.__index = Poll

-- The shortest time that timers of most loops can tell.
local BUDGET_SECONDS = 0.001

-- Wakes the host: there is work that it knows nothing of.
function Poll:notify()
  self.driver():wake()
  if self.host then
    self.host.wake()
  end
end

--- What wakes the host; others may raise it, too.
-- @return notifier of the driver
function Poll:notifier()
  return self.driver():notifier()
end

--- Let a loop know what it cannot see.
-- @tparam ?table host with the functions `wake()`, called where work has come
--   up outside of `update`, and `stop()`, before the descriptor is closed
function Poll:attach(host)
  self.host = host
end

--- Let go on who may, until the time is up; at least one.
-- @tparam[opt] number seconds
function Poll:update(seconds)
  if self.made then
    self.made:clear()
  end
  loop.methods.update(self, seconds)
end

--- The descriptor that becomes readable when there is something to do.
-- @treturn number
function Poll:pollfd()
  return self.driver():pollfd()
end

--- End what is under way, and the engine.
function Poll:close()
  if self.host then
    self.host.stop()
  end
  loop.methods.close(self)
end

--- Make a poll runtime.
-- @tparam table options see `starvideos.runtime.loop`
-- @treturn table runtime
function _M.new(options)
  return loop.new(options, BUDGET_SECONDS, Poll)
end

return _M
