--- A query: the status of a task.
-- @module starvideos.sandbox.query

local responses = require "starvideos.sandbox.response"
local effects = require "starvideos.sandbox.scenario.effect"
local scenarios = require "starvideos.sandbox.scenario"
local tasks = require "starvideos.sandbox.task"

local _M = {}

local function regular(provider, task, now, effect)
  if not task then
    return nil
  end
  if now.status == "completed" then
    now.video_url = tasks.link(provider, task, effect and effect.expired)
  end
  return effects.alter(provider, effect, responses.result(task, now))
end

local function client_of(request)
  return tostring(request.client
    or request.connection and request.connection.number)
end

--- Answer a query.
-- @tparam table provider
-- @tparam table request
-- @tparam string id decoded
-- @treturn table response
function _M.handle(provider, request, id)
  local account = provider:account_of(request)
  if not account then
    return responses.bad_key()
  end
  provider.log:query(id)
  local late = provider.accounts:poll(account, id, client_of(request))
  if late then
    return late
  end
  local task = provider:task(id, account)
  local now = task and tasks.now(provider, task)
  local effect, n = scenarios.effect_on(provider.store,
    provider:scenarios_of(task), "query", id, now and now.status)
  local response = regular(provider, task, now, effect) or responses.no_task(id)
  return effects.apply(provider, effect, n, response)
end

return _M
