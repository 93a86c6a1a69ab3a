--- What every call of a client does before and after its work: checks that
-- raise where the program is at fault, and errors fit to be handed out.
-- @module starvideos.check

local errors = require "starvideos.errors"
local listener = require "starvideos.listener"
local options_of = require "starvideos.options"
local redact = require "starvideos.redact"

local _M = {}

-- What a client knows stands here and not in it, so that no dump of the
-- client shows the key.
local contexts = setmetatable({}, { __mode = "k" })

-- PUC Lua 5.1 prints no error tables: there the sentence is raised instead.
local shows_tables = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

--- Keep what a client knows.
-- @tparam table client
-- @tparam table context
function _M.keep(client, context)
  contexts[client] = context
end

--- What a client knows.
-- @treturn ?table context; nil for what is no client
function _M.known(client)
  return contexts[client]
end

--- What a client knows, for one of its calls.
-- @tparam table client
-- @tparam string name of the call
-- @tparam[opt=3] number level where a misuse is reported, as in `error`
-- @treturn table context
-- @raise for what is no client, or a closed one
function _M.context(client, name, level)
  local context = contexts[client]
  if not context then
    error(("%s: call it with a colon on a client of starvideos.new")
      :format(name), level or 3)
  elseif context.closed then
    error(name .. ": this client was closed", level or 3)
  end
  return context
end

--- The same for a call that has to wait.
-- @tparam table client
-- @tparam string name of the call
-- @treturn table context
-- @raise also where the host cannot wait
function _M.waiting(client, name)
  local context = _M.context(client, name, 4)
  context.runtime:check(name, 3)
  return context
end

-- Not to be called in the last place: a tail call has no level of its own.
local function of_runtime(client, name, method, runtimes)
  local context = _M.context(client, name, 5)
  if not context.runtime[method] then
    error(("%s is for the runtime %s: pass runtime to starvideos.new, or call"
      .. " the operation itself"):format(name, runtimes), 4)
  end
  return context
end

--- The same for a call that only hosts with a loop of their own have.
-- @tparam table client
-- @tparam string name of the call
-- @treturn table context
-- @raise where the runtime is another
function _M.looping(client, name)
  local context = of_runtime(client, name, "update", "frame or poll")
  return context
end

--- The same for a call that only hosts have that watch a descriptor.
-- @tparam table client
-- @tparam string name of the call
-- @treturn table context
-- @raise where the runtime is another
function _M.polling(client, name)
  local context = of_runtime(client, name, "pollfd", "poll")
  return context
end

--- The options of a call, checked; what their listeners raise is seen to.
-- @tparam table context
-- @tparam string name of the call
-- @tparam ?table options
-- @treturn table options
-- @raise a name or a type that the call does not take
function _M.options(context, name, options)
  return listener.guarded(context, options_of.check(name, options, 3))
end

--- The results of a call. An interrupt is no result: like Ctrl-C anywhere else
-- it unwinds the program, but with an error that says which task was left.
-- @tparam table context
-- @param value
-- @param err or whatever else stands behind a value
-- @return both
function _M.result(context, value, err)
  if value ~= nil or not errors.is(err) then
    return value, err
  end
  err.message = redact.key(err.message, context.api_key)
  err.code = redact.key(err.code, context.api_key)
  if err.interrupted and context.interrupts ~= "return" then
    error(shows_tables and err or tostring(err), 0)
  end
  return nil, err
end

--- What nothing can be sent without, said before anybody waits for it.
-- @tparam table context
-- @treturn ?boolean true
-- @treturn ?table err of kind config
function _M.check_key(context)
  if context.api_key then
    return true
  end
  return nil, errors.new {
    kind = "config",
    message = "no API key, so nothing was sent: set STARVIDEOS_API_KEY or pass"
      .. " api_key",
  }
end

--- Check that parameters are a table.
-- @raise where they are not
function _M.check_params(name, params)
  if type(params) ~= "table" then
    error(("%s takes a table of parameters, not a %s")
      :format(name, type(params)), 3)
  end
end

-- What only a ledger can keep, and what only a dictionary.
local needed = {
  { option = "key", what = "ledger", article = "a ledger" },
  { option = "take", what = "ledger", article = "a ledger" },
  { option = "max_age", what = "shared", article = "a shared dictionary" },
}

--- Check that the client has what options need: else a fault of the program.
-- @raise where it has not
function _M.check_needs(context, name, options)
  for _, need in ipairs(needed) do
    if options[need.option] and not context[need.what] then
      error(("option %s of %s needs %s: pass %s to starvideos.new")
        :format(need.option, name, need.article, need.what), 3)
    end
  end
  if options.take and not options.key and not options.path then
    error(("option take of %s needs a key, or a path: together they name an"
      .. " order"):format(name), 3)
  end
end

--- The ledger of a client.
-- @treturn table ledger
-- @raise where it has none
function _M.ledger(context, name)
  if not context.ledger then
    error(name .. " needs a ledger: pass ledger to starvideos.new", 3)
  end
  return context.ledger
end

--- The id of a task.
-- @tparam table context
-- @tparam string name of the call
-- @param task_or_id
-- @treturn ?string id
-- @treturn ?table err for an id that names none, or without a key
-- @raise for what is neither a task nor an id
function _M.task_id(context, name, task_or_id)
  local id = task_or_id
  if type(task_or_id) == "table" then
    id = task_or_id.id
    if task_or_id.state and task_or_id.attempts then
      error(name .. " takes a task or its id, not an order: pass its task_id", 3)
    end
  end
  if type(id) ~= "string" then
    error(("%s takes a task or its id, not %s"):format(name,
      type(task_or_id) == "table" and "a table without an id"
        or "a " .. type(task_or_id)), 3)
  elseif not id:find("%S") then
    return nil, errors.new { kind = "validation",
      message = "the task id is empty" }
  end
  local ok, err = _M.check_key(context)
  return ok and id, err
end

--- The id of an order.
-- @treturn string
-- @raise for what is neither an order nor an id
function _M.order_id(name, order)
  local id = type(order) == "table" and order.id or order
  if type(id) ~= "string" then
    error(("%s takes an order or its id, not %s"):format(name,
      type(order) == "table" and "a table without an id"
        or "a " .. type(order)), 3)
  end
  return id
end

return _M
