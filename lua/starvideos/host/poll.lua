--- The runtime of event loops, which watch a descriptor: `pollfd`, `events`
-- and `timeout` mean what they mean to cqueues and lua-http.
-- @module starvideos.host.poll

local loop = require "starvideos.host.loop"

local _M = {}

local Poll = setmetatable({}, { __index = loop.methods })
Poll.__index = Poll

-- The shortest time that the timers of most loops know.
local BUDGET_SECONDS = 0.001

--- Wake the host for work that it knows nothing of.
function Poll:notify()
  self.network():wake()
  if self.host then
    self.host.wake()
  end
end

--- What wakes the host; others may use it too.
-- @return notifier of the network
function Poll:notifier()
  return self.network():notifier()
end

--- Attach the adapter of a loop, or detach it.
-- @tparam ?table host with the functions `wake()`, called for work that was
--   begun or cancelled outside of `update`, and `stop()`, called before the
--   descriptor is closed
function Poll:attach(host)
  self.host = host
end

--- Whether the adapter of a loop is attached.
-- @treturn boolean
function Poll:is_attached()
  return self.host ~= nil
end

--- Resume coroutines that may go on, until the time is up; at least one.
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
  return self.network():pollfd()
end

--- Cancel what is under way and close the engine.
function Poll:close()
  if self.host then
    self.host.stop()
  end
  loop.methods.close(self)
end

--- Make a poll runtime.
-- @tparam table options see `starvideos.host.loop`
-- @treturn table runtime
function _M.new(options)
  return loop.new(options, BUDGET_SECONDS, Poll)
end

return _M
