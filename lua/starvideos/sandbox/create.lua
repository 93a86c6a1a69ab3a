--- A create: read, checked, accepted and billed, answered.
-- @module starvideos.sandbox.create

local answer = require "starvideos.sandbox.answer"
local json = require "starvideos.json"
local refusal = require "starvideos.sandbox.refusal"
local reply = require "starvideos.sandbox.reply"
local scenarios = require "starvideos.sandbox.scenario"
local signature = require "starvideos.sandbox.signature"
local tasks = require "starvideos.sandbox.task"

local _M = {}

-- Reads the order, or says why not: params, or nil, response, outcome.
local function read(box, request)
  if #(request.body or "") > box.max_body then
    return nil, answer.page(413, "413 Request Entity Too Large"), "too_large"
  end
  if not box:knows_key(request) then
    return nil, answer.bad_key(), "auth"
  end
  local params = json.decode(request.body or "")
  if type(params) ~= "table" then
    return nil, answer.bad_request "The body is not valid JSON", "unreadable"
  end
  return params
end

local function accept(box, params, marked, entry, post)
  local refused = refusal.of(params, post.path, box.models)
  if refused then
    post.outcome = "refused"
    return refused
  end
  local task = tasks.make(box, params, marked, entry.id_prefix, post.digest)
  post.outcome, post.id = "created", task.id
  return reply.regular(box, entry, answer.created(task))
end

local function outcome(box, request, post)
  local params, unreadable, why = read(box, request)
  if not params then
    post.outcome = why
    return unreadable
  end
  local marked = scenarios.marked(params.prompt)
  local list, unknown = box:scenarios_in(marked)
  if not list then
    post.outcome = "refused"
    return answer.bad_request("There is no scenario " .. unknown)
  end
  local entry, n, name = scenarios.meet(box.store, list, "create",
    post.digest)
  post.scenario = name
  if not entry or entry.made then
    local response = accept(box, params, marked, entry or {}, post)
    return post.id and reply.shaped(box, entry, n, response) or response
  end
  post.outcome = "fault"
  return reply.shaped(box, entry, n)
end

--- Answer a create.
-- @tparam table box
-- @tparam table request
-- @tparam string path the endpoint, below the base
-- @treturn table response
function _M.handle(box, request, path)
  local text = (request.body or ""):sub(1, box.max_body)
  local post = { path = path, digest = signature.digest("body", text) }
  local response = outcome(box, request, post)
  box.record:post(request, post)
  return response
end

return _M
