--- How the methods of a client are made: check the arguments, run the
-- operation, hand over its result.
-- @module starvideos.method

local arguments = require "starvideos.arguments"
local contexts = require "starvideos.context"
local errors = require "starvideos.errors"
local redact = require "starvideos.base.redact"
local wire = require "starvideos.order.wire"

local _M = {}

-- PUC Lua 5.1 prints no error tables: there the sentence is raised instead.
local shows_tables = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

--- The results of a call, without the key. An interrupt is no result: like
-- Ctrl-C anywhere else it unwinds the program, but with an error that says
-- which task was left.
-- @tparam table context of the client
-- @param value
-- @param err what follows it
-- @return both
-- @raise after Ctrl-C, unless the client returns it
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

local function run(call, context, err, ...)
  if err then
    return nil, err
  end
  return _M.result(context, call.run(context, ...))
end

--- Make a method that waits.
-- @tparam table call `run`, which gets the context and what
--   `starvideos.check.arguments` makes of the arguments; the other fields say
--   what that is to check
-- @treturn function
function _M.waiting(call)
  return function(self, ...)
    local context = arguments.client(contexts.of(self), call.name)
    context.runtime:check(call.name)
    wire.collect()
    return run(call, context, arguments.arguments(context, call, ...))
  end
end

return _M
