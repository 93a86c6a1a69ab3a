--- A create: read, checked, accepted and billed, answered.
-- @module starvideos.sandbox.create

local responses = require "starvideos.sandbox.response"
local json = require "starvideos.base.json"
local refusal = require "starvideos.sandbox.refusal"
local effects = require "starvideos.sandbox.scenario.effect"
local scenarios = require "starvideos.sandbox.scenario"
local signature = require "starvideos.sandbox.signature"
local tasks = require "starvideos.sandbox.task"

local _M = {}

-- Reads the order: params, or nil, the response and its outcome.
local function read(provider, request, post)
  if #(request.body or "") > provider.max_body then
    return nil, responses.page(413, "413 Request Entity Too Large"), "too_large"
  end
  post.account = provider:account_of(request)
  if not post.account then
    return nil, responses.bad_key(), "auth"
  end
  local late = provider.accounts:create(post.account)
  if late then
    return nil, late, "limited"
  end
  local params = json.decode(request.body or "")
  if type(params) ~= "table" then
    return nil, responses.bad_request "The body is not valid JSON", "unreadable"
  end
  return params
end

local function accept(provider, params, marked, effect, post)
  local refused = refusal.of(params, post.path, provider.models)
  if refused then
    post.outcome = "refused"
    return refused
  end
  local task, full = provider.accounts:order(post.account, function()
    return tasks.make(provider, params, marked, effect.id_prefix, post)
  end)
  if not task then
    post.outcome = "limited"
    return full
  end
  post.outcome, post.id = "created", task.id
  return effects.alter(provider, effect, responses.created(task))
end

local function outcome(provider, request, post)
  local params, unreadable, why = read(provider, request, post)
  if not params then
    post.outcome = why
    return unreadable
  end
  local marked = scenarios.marked(params.prompt)
  local list, unknown = provider:scenarios_in(marked)
  if not list then
    post.outcome = "refused"
    return responses.bad_request("There is no scenario " .. unknown)
  end
  local effect, n, name = scenarios.effect_on(provider.store, list, "create",
    post.digest)
  post.scenario = name
  if not effect or effect.made then
    local response = accept(provider, params, marked, effect or {}, post)
    return post.id and effects.apply(provider, effect, n, response) or response
  end
  post.outcome = "fault"
  return effects.apply(provider, effect, n)
end

--- Answer a create.
-- @tparam table provider
-- @tparam table request
-- @tparam string path the endpoint, below the base
-- @treturn table response
function _M.handle(provider, request, path)
  local text = (request.body or ""):sub(1, provider.max_body)
  local post = { path = path, digest = signature.digest("body", text) }
  local response = outcome(provider, request, post)
  provider.log:post(request, post)
  return response
end

return _M
