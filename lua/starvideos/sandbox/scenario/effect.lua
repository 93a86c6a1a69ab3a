--- What a scenario does to a response: an effect is a scenario's table for one
-- place, see `starvideos.sandbox.scenario`.
-- @module starvideos.sandbox.scenario.effect

local responses = require "starvideos.sandbox.response"

local _M = {}

--- The regular response, altered if the effect says how.
-- @tparam table provider
-- @tparam ?table effect
-- @tparam table body not yet encoded
-- @treturn table response
function _M.alter(provider, effect, body)
  if effect and effect.alter then
    body = effect.alter(body, provider)
  end
  return responses.json(body)
end

local function value_of(value, provider)
  if type(value) == "function" then
    return value(provider)
  end
  return value
end

-- The effect's own body if it has one, else the regular response.
local function base(effect, provider, regular)
  local body = value_of(effect.body, provider)
  if body == nil then
    return regular or responses.json{}
  end
  if type(body) == "table" then
    return responses.json(body)
  end
  local response = responses.json{}
  response.body = body
  return response
end

local delays = {
  all = function(n)
    return n
  end,
  some = function(n, provider)
    return n * provider.random()
  end,
}

--- How long a response is delayed.
-- @tparam table provider
-- @tparam table effect
-- @tparam ?number n the scenario's N
-- @treturn ?number seconds
function _M.delay(provider, effect, n)
  local delay = delays[effect.delay]
  return delay and delay(n, provider)
end

--- The response that an effect makes of the regular one.
-- @tparam table provider
-- @tparam ?table effect nil = none
-- @tparam ?number n the scenario's N
-- @tparam ?table regular the response without it
-- @treturn table response
function _M.apply(provider, effect, n, regular)
  if not effect then
    return regular
  end
  local response = base(effect, provider, regular)
  response.status = effect.status or response.status
  for name, value in pairs(value_of(effect.headers, provider) or {}) do
    response.headers[name] = value
  end
  response.delay = _M.delay(provider, effect, n)
  response.abort = effect.abort
  response.repeats = effect.repeats
  return response
end

return _M
