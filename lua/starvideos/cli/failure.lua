--- Errors that the command line makes itself: their message alone is printed,
-- without its kind.
-- @module starvideos.cli.failure

local redact = require "starvideos.base.redact"

local _M = {}

--- Make one.
-- @tparam string kind see `starvideos.errors`
-- @tparam string message
-- @tparam[opt] table fields further ones, such as `task_id`, or `exit` (a code
--   in place of that of the kind)
-- @treturn table err
function _M.new(kind, message, fields)
  local err = fields or {}
  err.kind, err.message, err.plain = kind, redact.text(message), true
  return err
end

--- A command line that cannot be followed.
-- @tparam string message
-- @return nil
-- @treturn table err
function _M.usage(message)
  return nil, _M.new("validation", message)
end

return _M
