--- The provider's own API.
-- @module starvideos.gateway.api.provider

local refusals = require "starvideos.gateway.refusal"

local _M = {}

function _M.create()
  return nil, refusals.not_found()
end

function _M.query()
  return nil, refusals.not_found()
end

return _M
