--- Tells the listener of a client when its polls have become slower, or faster
-- again.
-- @module starvideos.wait.rate_event

local listener = require "starvideos.base.listener"

--- Tell what has changed since this was last called.
-- @tparam table context of the client
-- @raise Ctrl-C, and nothing else
return function(context)
  if not context.on_event then
    return
  end
  local state, rate, factor = context.rate_limiter:change()
  if state then
    listener.event(context, { name = "rate", what = "polls", state = state,
      rate = rate, factor = factor })
  end
end
