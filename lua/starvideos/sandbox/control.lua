--- The sandbox's own paths, which the provider does not have. No key.
--
--   * `GET /__sandbox/tasks`: what was created and billed;
--   * `GET /__sandbox/scenarios`: every scenario;
--   * `POST /__sandbox/scenario` with `{"scenario": "NAME=N"}`: the default
--     for all requests that follow; `{}` ends it;
--   * `POST /__sandbox/reset`: forget all, as after the start.
-- @module starvideos.sandbox.control

local answer = require "starvideos.sandbox.answer"
local json = require "starvideos.json"
local scenarios = require "starvideos.sandbox.scenario"

local _M = {}

local function set_scenario(box, request)
  local wanted = json.decode(request.body or "")
  if type(wanted) ~= "table"
    or wanted.scenario ~= nil and type(wanted.scenario) ~= "string" then
    return answer.bad_request 'Send {"scenario": "NAME"}'
  end
  local list, unknown = scenarios.parse(wanted.scenario)
  if not list then
    return answer.bad_request("There is no scenario " .. unknown)
  end
  box:scenario(wanted.scenario)
  return answer.json{ scenario = wanted.scenario or json.null }
end

local ROUTES = {
  ["GET tasks"] = function(box)
    return answer.json(box:tasks())
  end,
  ["GET scenarios"] = function()
    return answer.json{ scenarios = scenarios.list() }
  end,
  ["POST scenario"] = set_scenario,
  ["POST reset"] = function(box)
    box:reset()
    return answer.json{ reset = true }
  end,
}

--- Answer a request below `/__sandbox/`.
-- @tparam table box
-- @tparam table request
-- @tparam string name the rest of the path
-- @treturn table response
function _M.handle(box, request, name)
  local route = ROUTES[request.method .. " " .. name]
  return route and route(box, request)
    or answer.no_handler(request.method, "/__sandbox/" .. name)
end

return _M
