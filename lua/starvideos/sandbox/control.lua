--- The sandbox's own paths, which the provider does not have. They need no key.
--
--   * `GET /__sandbox/tasks`: what was created and billed;
--   * `GET /__sandbox/scenarios`: every scenario;
--   * `POST /__sandbox/scenario` with `{"scenario": "NAME=N"}`: the default
--     for all requests that follow; `{}` ends it;
--   * `GET /__sandbox/accounts`: who broke which limit, see
--     `starvideos.sandbox.accounts`;
--   * `POST /__sandbox/limits` with `{"account": "NAME", "key": "KEY", "open":
--     N, "creates_per_minute": N, "polls_per_second": N, "price": N, "balance":
--     N, "poll_interval": SECONDS}`: limits of an account from now on, false for
--     none; without a name of that whose key is the sandbox's; with a key a
--     further account;
--   * `POST /__sandbox/reset`: forget all, as after the start.
-- @module starvideos.sandbox.control

local responses = require "starvideos.sandbox.response"
local json = require "starvideos.base.json"
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

local function set_limits(provider, request)
  local wanted = json.decode(request.body or "")
  local wrong = type(wanted) ~= "table" and "Send an object with limits"
    or provider.accounts:set(wanted)
  return wrong and responses.bad_request(wrong)
    or responses.json(provider:record())
end

local ROUTES = {
  ["GET tasks"] = function(provider)
    return responses.json(provider:tasks())
  end,
  ["GET scenarios"] = function()
    return responses.json{ scenarios = scenarios.list() }
  end,
  ["GET accounts"] = function(provider)
    return responses.json(provider:record())
  end,
  ["POST limits"] = set_limits,
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
