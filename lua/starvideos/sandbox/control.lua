-- The sandbox's own paths, which the provider does not have. They need no key.
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
--     none. Without `account` it is the sandbox's own; `key` adds an account;
--   * `POST /__sandbox/reset`: forget all, as after the start.

local json = require "starvideos.base.json"
local responses = require "starvideos.sandbox.response"
local scenarios = require "starvideos.sandbox.scenario"
local tasks = require "starvideos.sandbox.tasks"

local _M = {}

-- Every request that arrived, and every task that was billed: specs compare what a
-- client believes with it.
local Log = {}
Log.__index = Log

function _M.new_log(provider)
  return setmetatable({ provider = provider, store = provider.store }, Log)
end

-- Log a create with its outcome: `post` is `{ path, digest, outcome, id, scenario }`.
function Log:post(request, post)
  post.at = self.provider.clock()
  post.bytes = #(request.body or "")
  post.protocol = request.protocol
  post.connection = request.connection
  self.store:count("posts:" .. post.digest)
  self.store:push("posts", json.encode(post))
end

function Log:query(id)
  self.store:count "queries"
  self.store:count("queries:" .. id)
end

-- Log a request to the media origin; `id` is that of the task, or nil.
function Log:media(id, request)
  self.store:count "media"
  if id then
    self.store:count("media:" .. id)
  end
  if request.headers.authorization then
    self.store:count "media_authorization"
  end
end

local function each(store, list)
  local position = 0
  return function()
    position = position + 1
    return store:item(list, position)
  end
end

function Log:task(id)
  local task = tasks.find(self.provider, id)
  local store = self.store
  return {
    id = id, model = task.model, prompt = task.params.prompt,
    params = task.params, created = task.created,
    status = tasks.now(self.provider, task).status, scenario = task.scenario,
    billed = 1, posts = store:get("posts:" .. task.digest),
    queries = store:get("queries:" .. id) or 0,
    media_requests = store:get("media:" .. id) or 0,
  }
end

-- Everything, as `GET /__sandbox/tasks` tells it.
--
--   * `tasks`, in order of creation; `posts` of each counts the creates that arrived
--     with the same body, those with faults included;
--   * `creates`: every POST in order: `path`, `at`, `bytes`, `outcome`
--     ("created", "refused", "auth", "unreadable", "too_large", "limited" or "fault"),
--     `id`, `scenario`, `account`, and where the host knows them `protocol` and
--     `connection` (its `number`, and how many `requests` it has carried);
--   * `posts`, `billed`, `queries`: totals;
--   * `media`: `requests`, and `with_authorization`, which must stay 0.
function Log:all()
  local store, made, posts = self.store, {}, {}
  for id in each(store, "tasks") do
    made[#made + 1] = self:task(id)
  end
  for text in each(store, "posts") do
    posts[#posts + 1] = json.decode(text)
  end
  return {
    tasks = made, creates = posts, posts = #posts, billed = #made,
    queries = store:get "queries" or 0,
    media = { requests = store:get "media" or 0,
      with_authorization = store:get "media_authorization" or 0 },
  }
end

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

-- Answer a request below `/__sandbox/`; `name` is the rest of its path.
function _M.handle(provider, request, name)
  local route = ROUTES[request.method .. " " .. name]
  return route and route(provider, request)
    or responses.no_handler(request.method, "/__sandbox/" .. name)
end

return _M
