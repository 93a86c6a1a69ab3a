--- The sandbox's own paths, which the provider does not have. They need no key.
--
--   * `GET /__sandbox/tasks`: what was created and billed;
--   * `GET /__sandbox/scenarios`: every scenario;
--   * `POST /__sandbox/scenario` with `{"scenario": "NAME=N"}`: the default
--     for all requests that follow; `{}` ends it;
--   * `POST /__sandbox/reset`: forget all, as after the start.
-- @module starvideos.sandbox.control

local responses = require "starvideos.sandbox.response"
local json = require "starvideos.json"
local scenarios = require "starvideos.sandbox.scenario"

local _M = {}

local function set_scenario(provider, request)
  local wanted = json.decode(request.body or "")
  if type(wanted) ~= "table"
    or wanted.scenario ~= nil and type(wanted.scenario) ~= "string" then
    return responses.bad_request 'Send {"scenario": "NAME"}'
  end
  local list, unknown = scenarios.parse(wanted.scenario)
  if not list then
    return responses.bad_request("There is no scenario " .. unknown)
  end
  provider:scenario(wanted.scenario)
  return responses.json{ scenario = wanted.scenario or json.null }
end

local ROUTES = {
  ["GET tasks"] = function(provider)
    return responses.json(provider:tasks())
  end,
  ["GET scenarios"] = function()
    return responses.json{ scenarios = scenarios.list() }
  end,
  ["POST scenario"] = set_scenario,
  ["POST reset"] = function(provider)
    provider:reset()
    return responses.json{ reset = true }
  end,
}

--- Answer a request below `/__sandbox/`.
-- @tparam table provider
-- @tparam table request
-- @tparam string name the rest of the path
-- @treturn table response
function _M.handle(provider, request, name)
  local route = ROUTES[request.method .. " " .. name]
  return route and route(provider, request)
    or responses.no_handler(request.method, "/__sandbox/" .. name)
end

return _M
