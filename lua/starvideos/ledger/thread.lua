--- Asks the orders on a thread of their own, and waits for the answer as the host
-- waits: a database that does not answer holds up no host. Until it answers,
-- calls fail.
-- @module starvideos.ledger.thread

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local methods = require "starvideos.ledger.methods"
local modules = require "starvideos.ledger.modules"

local _M = {}

--- In seconds.
-- @table policy
_M.policy = {
  patience = 10, -- without an answer of the thread, after which a call fails
  longest = 60, -- after which it fails though the thread answers others
  short = 1, -- the same for calls that an operation can do without
  cut = 15, -- without an answer of the server, whose connection is then ended
  retry = 2, -- between tries to write what could not be written
  file = 10, -- for which a fork waits for a statement on a file to finish
  server = 1, -- and for one on a server, which may be interrupted
  close = 2, -- for which closing waits for the thread
}

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

-- For how long a runtime waits for an answer; see `starvideos.host`.
local function patience_for(actor, method)
  local policy = _M.policy
  local patience = method.brief and policy.short or policy.patience
  local deadline = core.now() + (method.brief and patience or policy.longest)
  return { finish = method.finish or method.no_cancel, left = function(is_closing)
    local silence = is_closing and policy.short or patience
    return math.min(silence - actor:busy_seconds(), deadline - core.now())
  end }
end

-- The message may have been answered in the last moment.
local function outcome(actor, why, ok, ...)
  if ok then
    return ...
  elseif why == "timeout" then
    actor:disconnect(_M.policy.cut)
  end
  return nil, why and reasons[why](actor)
    or failure("the ledger failed: " .. tostring((...)))
end

local function ask(actor, runtime, name, ...)
  local method = methods[name]
  local message, number = actor:post(method.finish or false, name, ...)
  if not message then
    return nil, failure("the thread of the ledger could not be started: "
      .. number)
  end
  local why = runtime:await(actor, message, number, patience_for(actor, method))
  if why then
    message:give_up()
  end
  return outcome(actor, why, message:result())
end

local function start_actor(runtime, options, is_server)
  databases.check(options.address) -- loads LuaDBI, for `modules`
  return core.actor {
    source = modules.source,
    setup = { modules = modules.here(), options = options,
      retry = _M.policy.retry },
    fork_seconds = _M.policy[is_server and "server" or "file"],
    notifier = runtime.notifier and runtime:notifier() or nil,
  }
end

--- Make a function that asks. The thread starts when it is first called.
-- @tparam table runtime with `await` and, where its clients share actors, `actor`;
--   see `starvideos.host`
-- @tparam table options see `starvideos.ledger.tasks`
-- @tparam boolean is_server whether the ledger is not a file
-- @treturn function takes the name of a method of the orders, the caller and its
--   other arguments; `close` ends the thread unless others share it
function _M.new(runtime, options, is_server)
  local function make()
    return start_actor(runtime, options, is_server)
  end
  local is_shared = runtime.actor ~= nil
  local actor = is_shared and runtime:actor(("%s\0%s\0%s"):format(
    options.address, tostring(options.fsync), tostring(options.lease)), make)
    or make()
  local is_closed = false
  return function(method, ...)
    if method == "close" then
      is_closed = not is_shared -- the outcome of a sent order is still recorded
      return is_closed and actor:close(_M.policy.close)
    elseif is_closed then
      return nil, failure "the ledger was closed"
    end
    return ask(actor, runtime, method, ...)
  end
end

return _M
