--- Whether a request is for a server of ours: a page whose name suddenly leads to
-- this machine (DNS rebinding) names its own host.
-- @module starvideos.nginx.host

local c_locale = require "starvideos.base.c_locale"

local _M = {}

--- Whether a host is one of some names, whatever the case.
-- @tparam ?string host the header
-- @tparam table names
-- @treturn boolean
function _M.is_one_of(host, names)
  for _, name in ipairs(names) do
    if host and c_locale.lower(host) == c_locale.lower(name) then
      return true
    end
  end
  return false
end

return _M
