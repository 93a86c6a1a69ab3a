--- Whether a request may come in, and whose it is.
-- @module starvideos.gateway.guard

local _M = {}

-- Of a gateway without a file of callers.
local LOCAL = { name = "local", limits = {}, origins = {} }

--- Whether a request may come in at all; before its body is read.
-- @tparam table _ app
-- @tparam table _request
-- @treturn ?boolean true
-- @treturn ?table refusal
function _M.check(_, _request)
  return true
end

--- Who asks.
-- @tparam table _ app
-- @tparam table _request
-- @treturn ?table caller `name`, `limits`, `origins`
-- @treturn ?table refusal
function _M.caller(_, _request)
  return LOCAL
end

return _M
