--- Asks the orders, which are on a thread of its own, and waits for it as the host
-- waits: a database that does not answer holds up nobody. While it is stuck,
-- calls fail.
-- @module starvideos.ledger.proxy

local core = require "starvideos.core"
local modules = require "starvideos.ledger.modules"

local _M = {}

--- In seconds. A call gives up after `patience` without a sign of the ledger,
-- and after `longest` where others are before it; what an operation is better
-- without than late after `short`. A server silent for `cut` is taken for cut
-- off. What could not be written is tried again every `retry`. For a message a
-- fork waits for `file` (no statement takes longer there, and none may be cut short)
-- or `server`, and `close` for the thread.
_M.policy = { patience = 10, longest = 60, short = 1, cut = 15, retry = 2,
  file = 10, server = 1, close = 2 }

-- What is kept is written though its caller has gone.
local ways = {
  resolve = { kept = true },
  unsent = { kept = true },
  downloaded = { kept = true },
  seen = { kept = true, short = true },
  of_task = { short = true },
}
local usual = {}

local function failure(message)
  return { kind = "ledger", message = message }
end

local reasons = {}

function reasons.timeout(actor)
  return failure(("the ledger has not answered for %d s")
    :format(math.max(1, math.floor(actor:busy_seconds()))))
end

function reasons.cancelled()
  return { kind = "cancelled", message = "stopped waiting for the ledger" }
end

function reasons.interrupted()
  return { kind = "cancelled", message = "interrupted while waiting for the"
    .. " ledger", interrupted = true }
end

-- How an answer is waited for: `finish`, and `left(is_closing)`, the seconds for
-- which it is.
local function wish_for(actor, way)
  local policy = _M.policy
  local patience = way.short and policy.short or policy.patience
  local until_then = core.now() + (way.short and patience or policy.longest)
  return { finish = way.kept, left = function(is_closing)
    local silence = is_closing and policy.short or patience
    return math.min(silence - actor:busy_seconds(), until_then - core.now())
  end }
end

-- It may have been answered in the last moment.
local function outcome(actor, why, ok, ...)
  if ok then
    return ...
  elseif why == "timeout" then
    actor:disconnect(_M.policy.cut)
  end
  return nil, why and reasons[why](actor)
    or failure("the ledger failed: " .. tostring((...)))
end

local function ask(actor, runtime, method, ...)
  local way = ways[method] or usual
  local message, number = actor:post(way.kept or false, method, ...)
  if not message then
    return nil, failure("the ledger has no thread: " .. number)
  end
  local why = runtime:await(actor, message, number, wish_for(actor, way))
  if why then
    message:give_up()
  end
  return outcome(actor, why, message:result())
end

local function start(runtime, options, is_server)
  return core.actor {
    source = modules.source,
    setup = { modules = modules.here(), options = options,
      retry = _M.policy.retry },
    fork_seconds = _M.policy[is_server and "server" or "file"],
    notifier = runtime.notifier and runtime:notifier() or nil,
  }
end

--- Make a function that asks. The thread starts when it is first called.
-- @tparam table runtime with `await(actor, message, number, wish)`, which gives
--   nil once the message is answered, or why it is not waited for any more:
--   "timeout" where `wish.left()` says so, "cancelled" or "interrupted"; and
--   where all its clients are to share actors, `actor(name, make)`
-- @tparam table options see `starvideos.ledger.orders`
-- @tparam boolean is_server whether the ledger is not a file
-- @treturn function takes the name of a method of the orders, `caller` and its other
--   arguments; `close` ends the thread, but for one that others share
function _M.new(runtime, options, is_server)
  local function make()
    return start(runtime, options, is_server)
  end
  local is_shared = runtime.actor ~= nil
  local actor = is_shared and runtime:actor(("%s\0%s\0%s"):format(
    options.address, tostring(options.fsync), tostring(options.lease)), make)
    or make()
  local is_closed = false
  return function(method, ...)
    if method == "close" then
      is_closed = not is_shared -- an order on the wire is still written down
      return is_closed and actor:close(_M.policy.close)
    elseif is_closed then
      return nil, failure "the ledger was closed"
    end
    return ask(actor, runtime, method, ...)
  end
end

return _M
