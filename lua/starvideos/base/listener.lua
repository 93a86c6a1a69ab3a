-- The caller's own functions: `on_event`, `on_progress` and the like. What one of them
-- raises does not end the call, whose result may have been bought. The first error of
-- each listener of a client is reported to `on_event`, or on stderr where that fails.

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- Options of a call that are listeners.
local names = { "on_progress", "on_task", "on_download", "on_done",
  "on_begin" }

-- Whether a listener raised because of Ctrl-C: it may come while the listener runs, or
-- during a call that the listener makes. `context`: of the client.
function _M.is_interrupt(context, raised)
  local runtime = context.runtime
  return runtime.is_interrupt ~= nil and (runtime.is_interrupt(raised)
    or errors.is(raised) and raised.interrupted == true)
end

local function text_of(raised)
  local ok, text = pcall(tostring, raised)
  return redact.urls(ok and text or "no text")
end

-- An event as it may be shown.
local function without_key(context, event)
  for field, value in pairs(event) do
    if type(value) == "string" then
      event[field] = redact.key(value, context.api_key)
    end
  end
  return event
end

local function report(context, name, raised)
  if context.told[name] then
    return
  end
  context.told[name] = true
  local event = without_key(context, { name = "listener", listener = name,
    at = context.wall_clock(), failure = text_of(raised) })
  local heard = name ~= "on_event" and context.on_event
    and pcall(context.on_event, event)
  if not heard then
    local text = ("starvideos: %s raised an error, and the call continued;"
      .. " only the first error of each listener is reported: %s\n"):format(
      name, event.failure)
    -- The host may have closed it, or its reader may be gone.
    pcall(core.with_signals_held, io.stderr.write, io.stderr,
      utf8.shown(text, true))
  end
end

-- Call a listener. `context`: of the client. `name`: of the listener. Raises Ctrl-C,
-- and nothing else.
function _M.tell(context, name, listener, ...)
  if not listener then
    return
  end
  local ok, raised = pcall(listener, ...)
  if not ok and _M.is_interrupt(context, raised) then
    error(raised, 0)
  elseif not ok then
    report(context, name, raised)
  end
end

-- The order of a task, where the ledger knows it.
local function name_order(context, event)
  local ledger = context.ledger
  if ledger and event.task_id and not event.order then
    event.order, event.key = ledger:order_of_task(event.task_id)
  end
end

-- Tell `on_event` what happened. `context`: of the client. `event`: made for this:
-- `name`, and what `starvideos.events` says belongs to it; `at` where that is not now.
-- Its texts are shown without the key. Raises Ctrl-C, and nothing else.
function _M.event(context, event)
  if context.on_event then
    event.at = event.at or context.wall_clock()
    name_order(context, event)
    _M.tell(context, "on_event", context.on_event, without_key(context, event))
  end
end

-- The options of a call, with listeners that raise nothing but Ctrl-C. `context`: of
-- the client. `options`: of a call; left as they are.
function _M.guarded(context, options)
  local copy = {}
  if next(options) == nil then
    return copy
  end
  for name, value in pairs(options) do
    copy[name] = value
  end
  for _, name in ipairs(names) do
    local listener = options[name]
    copy[name] = listener and function(...)
      _M.tell(context, name, listener, ...)
    end
  end
  return copy
end

return _M
