--- The provider's own API: its fields and objects.
-- @module starvideos.gateway.dialect.provider

local _M = {}

--- A refusal as the provider shows it.
-- @tparam table refusal see `starvideos.gateway.refusal`
-- @treturn table
function _M.error(refusal)
  return { object = "error", status = "failed", error = refusal.message,
    code = refusal.status }
end

return _M
