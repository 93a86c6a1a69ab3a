--- A loop for programs that have none: it updates a runtime, and sleeps until
-- something may go on.
-- @module starvideos.host.own_loop

local is_interrupt = require("starvideos.host.block").methods.is_interrupt

local _M = {}

local LONG_SECONDS = 3600
-- Where something is under way: the host may have closed what wakes the sleep.
local LOOK_SECONDS = 1

local function is_under_way(source)
  return source and source:in_flight() > 0
end

-- Sleeps until the next update is due: true, or nil and why not to go on. The
-- notifier is reset first: what ends from then on wakes the sleep.
local function rest(runtime, longest)
  if runtime.made then
    runtime.made:clear()
  end
  local most = (is_under_way(runtime.made) or is_under_way(runtime.actor))
    and LOOK_SECONDS or LONG_SECONDS
  local seconds = math.min(longest, runtime:timeout() or most, most)
  if seconds <= 0 then
    return true
  elseif runtime.pause then
    return runtime.pause(seconds)
  end
  (runtime.made or runtime.actor or runtime.network()):wait(seconds)
  return true
end

local function turn(runtime, left, is_over)
  runtime:update()
  if not is_over() then
    local ok, why = rest(runtime, left)
    return ok == nil and why or nil
  end
end

-- Takes turns until it is over: true, or nil and why not.
local function turns(runtime, until_then, is_over)
  while not is_over() do
    local left = until_then - runtime:now()
    if left <= 0 then
      return nil, "timeout"
    end
    local why = turn(runtime, left, is_over)
    if why then
      return nil, why
    end
  end
  return true
end

-- The same with Ctrl-C, which may come between any two instructions, the loop's
-- own among them: true, or nil and "timeout" or why a pause or Ctrl-C has ended
-- it, and what was raised.
local function go_on(runtime, seconds, is_over)
  local ok, done, why = pcall(turns, runtime, runtime:now() + seconds, is_over)
  if ok then
    return done, why
  elseif not is_interrupt(done) then
    error(done, 0)
  end
  return nil, "interrupted", done
end

-- Says of each order on the wire that its answer is waited for.
local function tell_of_orders(runtime)
  local listeners = {}
  for _, fiber in pairs(runtime.scheduler.waiting) do
    listeners[#listeners + 1] = fiber.request.on_interrupt
  end
  for _, listener in ipairs(listeners) do
    listener()
  end
end

--- Let operations go on until none is under way. Ctrl-C ends their waits;
-- orders on the wire get their answers, unless it comes once more.
-- @tparam table runtime frame or poll
-- @tparam[opt] number seconds
-- @treturn ?boolean true
-- @treturn ?string "timeout", "interrupted" or why the caller's own `sleep`
--   ended
-- @raise the second Ctrl-C
function _M.run(runtime, seconds)
  local function is_over()
    return not runtime:is_busy() or not runtime.scheduler:is_busy()
  end
  local done, why = go_on(runtime, seconds or math.huge, is_over)
  if done or why == "timeout" then
    return done, why
  end
  runtime:cancel_all "interrupted"
  tell_of_orders(runtime)
  local _, again, raised = go_on(runtime, math.huge, is_over)
  if again then
    error(raised or again, 0)
  end
  return nil, why
end

--- Let time pass outside of all operations, which go on meanwhile.
-- @tparam table runtime frame or poll
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string "interrupted", or why the caller's own `sleep` ended
function _M.sleep(runtime, seconds)
  local _, why = go_on(runtime, seconds, function() return false end)
  return why == "timeout" or nil, why
end

return _M
