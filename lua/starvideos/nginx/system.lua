--- Where nginx can be started: what goes on around it is done by the programs of
-- a POSIX system.
-- @module starvideos.nginx.system

local core = require "starvideos.core"

local _M = {}

--- Why it cannot be started here.
-- @tparam string what runs in it
-- @tparam string instead what to do
-- @tparam[opt] string system as `core.system` names it
-- @treturn ?string nil where it can
function _M.refusal(what, instead, system)
  if (system or core.system()) == "windows" then
    return ("%s runs in an nginx that this library does not start on Windows:"
      .. " %s"):format(what, instead)
  end
end

return _M
