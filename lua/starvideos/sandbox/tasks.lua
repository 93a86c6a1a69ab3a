-- Tasks: made once, never changed; their status follows from the clock, so
-- that all workers see the same.

local clips = require "starvideos.sandbox.clips"
local json = require "starvideos.base.json"
local refusal = require "starvideos.sandbox.refusal"
local responses = require "starvideos.sandbox.response"
local scenarios = require "starvideos.sandbox.scenario"
local url = require "starvideos.sandbox.url"

local _M = {}

-- The length of a reference video that does not say its own.
local REFERENCE_SECONDS = 5

local function shape(params, row)
  if not refusal.video_leads(params, row) then
    return params.duration or row.duration.default,
      params.ratio or row.ratio.default
  end
  local facts = url.facts(params.referenceVideos[1])
  local ratio = row.ratio.default
  if facts.width and facts.height then
    ratio = clips.nearest(facts.width, facts.height)
  end
  return facts.duration or REFERENCE_SECONDS, ratio
end

-- Empty lists would come out of the store as empty objects.
local function without_empty(params)
  local kept = {}
  for name, value in pairs(params) do
    if type(value) ~= "table" or next(value) ~= nil then
      kept[name] = value
    end
  end
  return kept
end

-- Unique among the sandboxes of a machine as long as their clocks run.
local function new_id(provider, now, model, prefix)
  local family = model == "starvideos_o3" and "video_starvideos_o3_"
    or "video_"
  return ("%s%d%06d"):format(prefix or family, math.floor(now),
    provider.store:count "sequence" % 1000000)
end

-- Seconds from the create to the end of a task.
local function lifetime(provider, task, life, n)
  if life and life.ends == "processing" then
    return math.huge
  end
  return (n or provider.seconds) * (life and life.varies and task.luck or 1)
end

-- Make the task of a create; returns it, and when it ends unless its clip is late.
function _M.make(provider, params, marked, id_prefix, post)
  local now = provider.clock()
  local seconds, ratio = shape(params, provider.models[params.model])
  local task = {
    id = new_id(provider, now, params.model, id_prefix), model = params.model,
    at = now, created = math.floor(now), params = without_empty(params),
    scenario = marked, seconds = seconds, ratio = ratio, digest = post.digest,
    account = post.account, luck = provider.random(),
  }
  provider.clips:order(task)
  provider.store:set("task:" .. task.id, json.encode(task))
  provider.store:push("tasks", task.id)
  return task, now + lifetime(provider, task,
    scenarios.life(provider:scenarios_of(task)))
end

function _M.find(provider, id)
  local text = provider.store:get("task:" .. id)
  return text and json.decode(text)
end

local function status(provider, task, life, n)
  local age = provider.clock() - task.at
  local seconds = lifetime(provider, task, life, n)
  if age < math.min(provider.queued_seconds, seconds) then
    return "queued"
  end
  if age < seconds then
    return "processing"
  end
  if life.ends == "completed" then
    return provider.clips:find(task) and "completed" or "processing"
  end
  return life.ends
end

-- A task's `status` now, its `error`, and once completed the `path` and real length,
-- `seconds`, of its clip.
function _M.now(provider, task)
  local life, n = scenarios.life(provider:scenarios_of(task))
  life = life or { ends = "completed" }
  local now = { status = status(provider, task, life, n) }
  if now.status == "completed" then
    now.path = provider.clips:find(task)
    now.seconds = clips.seconds(now.path)
  elseif now.status == "failed" then
    now.error = life.error
  end
  return now
end

function _M.link(provider, task, expired)
  local path = "/media/" .. url.encode(task.id) .. ".mp4"
  local expires = provider.clock() + (expired and -60 or provider.link_seconds)
  return provider.media_url .. path .. "?"
    .. url.sign(provider.secret, path, math.max(0, expires))
end

-- The params of a create; or nil, the response and the outcome.
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
    return _M.make(provider, params, marked, effect.id_prefix, post)
  end)
  if not task then
    post.outcome = "limited"
    return full
  end
  post.outcome, post.id = "created", task.id
  return scenarios.alter(provider, effect, responses.created(task))
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
    return post.id and scenarios.apply(provider, effect, n, response) or response
  end
  post.outcome = "fault"
  return scenarios.apply(provider, effect, n)
end

function _M.create(provider, request, path)
  local text = (request.body or ""):sub(1, provider.max_body)
  local post = { path = path, digest = url.digest("body", text) }
  local response = outcome(provider, request, post)
  provider.log:post(request, post)
  return response
end

local function regular(provider, task, now, effect)
  if not task then
    return nil
  end
  if now.status == "completed" then
    now.video_url = _M.link(provider, task, effect and effect.expired)
  end
  return scenarios.alter(provider, effect, responses.result(task, now))
end

local function client_of(request)
  return tostring(request.client
    or request.connection and request.connection.number)
end

function _M.query(provider, request, id)
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
  local now = task and _M.now(provider, task)
  local effect, n = scenarios.effect_on(provider.store,
    provider:scenarios_of(task), "query", id, now and now.status)
  local response = regular(provider, task, now, effect) or responses.no_task(id)
  return scenarios.apply(provider, effect, n, response)
end

return _M
