--- A stand-in for the provider, to develop against without a key or costs.
-- Pure logic: a request in, a response out, an injected clock. Two hosts run
-- it: `starvideos.sandbox.nginx` on real sockets, and `provider:transport`
-- inside the calling process.
-- @module starvideos.sandbox

local accounts = require "starvideos.sandbox.accounts"
local c_locale = require "starvideos.base.c_locale"
local responses = require "starvideos.sandbox.response"
local clips = require "starvideos.sandbox.clips"
local control = require "starvideos.sandbox.control"
local limits = require "starvideos.sandbox.limits"
local media = require "starvideos.sandbox.media"
local scenarios = require "starvideos.sandbox.scenario"
local store = require "starvideos.sandbox.store"
local tasks = require "starvideos.sandbox.tasks"
local transport = require "starvideos.sandbox.transport"
local url = require "starvideos.sandbox.url"

---Options of `new` of `starvideos.sandbox`.
---@class starvideos.SandboxOptions
---@field key? string the API key it knows; default "sandbox-key"
---@field seconds? number from create to completed; default 5
---@field queued_seconds? number how many of these a task is queued; default 1
---@field clock? fun(): number Unix seconds; default os.time
---called with the seconds that a delayed answer takes, such as one that puts the clock
---forward
---@field sleep? fun(seconds: number)
---@field random? fun(): number a number from 0 up to 1; default math.random
---the models and limits of that documentation; default the newest text of each model
---@field edition? "xingchao"|"mingyan"
---@field link_seconds? number until a link expires; default 3600
---@field scenario? string a fault, for every request: `NAME`, `NAME=N`, several with commas
---@field clip? string an MP4 file to serve in place of the bundled one
---@field base_url? string of the API
---@field media_url? string origin of the media
---@field max_body? integer bytes of the largest create; default 1048576
---@field secret? string what links are signed with; default "sandbox"
---@field open? integer tasks that its account may have open; a create beyond gets HTTP 429
---@field creates_per_minute? number of that account
---@field polls_per_second? number of that account
---@field price? number of each of its tasks; default 0
---@field balance? number that it has to spend; then HTTP 402
---@field poll_interval? number seconds that should lie between two polls of a task; default 30
---further accounts by name, each with `key` and these limits
---@field accounts? table<string, table>
---@field store? table where tasks are kept; default this process
---@field clips? table which clip a task gets; default the same for all

---What arrived at a sandbox.
---@class starvideos.SandboxRecord
---in order of creation: `id`, `model`, `prompt`, `params`, `created`, `status`,
---`scenario`, `billed`, `posts`, `queries`, `media_requests`
---@field tasks table[]
---every POST in order: `path`, `at`, `bytes`, `outcome`, `id`, `scenario`, `account`
---@field creates table[]
---@field posts integer how many creates arrived
---@field billed integer how many tasks were billed
---@field queries integer how many queries arrived
---@field media table `requests`, and `with_authorization`, which must stay 0

---A fault that a sandbox can play.
---@class starvideos.Scenario
---@field name string for `scenario`, or `[scenario:NAME]` in a prompt
---@field what string what happens
---@field place string what it affects: `life`, `create`, `query` or `media`
---@field counts string whether its N counts requests or seconds
---@field default? number its N where none is given

local _M = {}

---A stand-in for the provider inside this process.
---@class starvideos.Sandbox
---@field key string the API key it knows
---@field base_url string of its API
---@field media_url string origin of its media
local Provider = {}
Provider.__index = Provider

local PREFIX = "/kyyReactApiServer"

local DEFAULTS = {
  key = "sandbox-key",
  seconds = 5,
  queued_seconds = 1,
  link_seconds = 3600,
  clock = os.time,
  random = math.random,
  base_url = "https://sandbox.invalid" .. PREFIX,
  media_url = "https://media.sandbox.invalid",
  secret = "sandbox",
  max_body = 1048576,
}

---Make a sandbox.
---```lua
---local sandbox = require "starvideos.sandbox"
---local now = 1000
---local provider = sandbox.new{ clock = function() return now end }
---local client = require("starvideos").new{
---  api_key = provider.key, transport = provider:transport() }
---local task = assert(client:create{ model = "videos",
---  prompt = "A kitten [scenario:failed]", duration = 5 })
---now = now + 5
---assert(client:query(task).status == "failed")
---```
---@param options? starvideos.SandboxOptions
---@return starvideos.Sandbox provider
function _M.new(options)
  options = options or {}
  local provider = setmetatable({}, Provider)
  for name, default in pairs(DEFAULTS) do
    provider[name] = options[name] == nil and default or options[name]
  end
  provider.sleep = options.sleep
  provider.models = limits.of(options.edition)
  if not provider.models then
    error("unknown edition: " .. tostring(options.edition), 2)
  end
  local _, unknown = scenarios.parse(options.scenario)
  if unknown then
    error("unknown scenario: " .. unknown, 2)
  end
  provider.store = options.store or store.new()
  provider.clips = options.clips or clips.same(options.clip)
  provider.first_scenario = options.scenario
  provider.log = control.new_log(provider)
  provider.accounts = accounts.new(provider, options)
  return provider
end

---Every scenario there is.
---@return starvideos.Scenario[] scenarios
function _M.scenarios()
  return scenarios.list()
end

---Set the default scenario for all requests that follow.
---@param spec? string `NAME`, `NAME=N`, several with commas; none: no fault
function Provider:scenario(spec)
  local list, unknown = scenarios.parse(spec)
  if not list then
    error("unknown scenario: " .. unknown, 2)
  end
  self.store:set("scenario", spec or "")
end

-- The scenarios of a marker, then those of the default.
function Provider:scenarios_in(marked)
  local default = self.store:get "scenario" or self.first_scenario or ""
  return scenarios.parse((marked or "") .. "," .. default)
end

function Provider:scenarios_of(task)
  return self:scenarios_in(task and task.scenario)
end

function Provider:task(id, account)
  local task = tasks.find(self, id)
  return task and (not account or task.account == account) and task or nil
end

-- The name of the account that a request comes from, or nil.
function Provider:account_of(request)
  local scheme, key = (request.headers.authorization or "")
    :match "^(%a+) +(.*)$"
  return scheme ~= nil and c_locale.lower(scheme) == "bearer"
    and self.accounts:of_key(key:match "^.*%S" or "") or nil
end

---What was created and billed; see `starvideos.sandbox.control`.
---@return starvideos.SandboxRecord record
function Provider:tasks()
  return self.log:all()
end

---Change the limits of an account, or add one.
---@param wanted table `account` (a name; default: that of `key`), `key` of a new one,
---and the limits of `starvideos.sandbox.new`; false removes one
function Provider:limit(wanted)
  local wrong = self.accounts:set(wanted)
  if wrong then
    error(wrong, 2)
  end
end

---Who broke which limit; see `starvideos.sandbox.accounts`.
---@return table report
function Provider:record()
  return self.accounts:report()
end

---Forget all tasks and counters, and go back to the first scenario and limits.
function Provider:reset()
  local sequence = self.store:get "sequence"
  self.store:clear()
  -- No id is given twice, because clips of the old tasks may still exist.
  self.store:set("sequence", sequence)
end

local CREATES = {
  ["/v1/starvideos/videos"] = true,
  ["/v1/videos/videos"] = true,
}

---Answer a request to the API.
---@param request table `{ method =, path = "/kyyReactApiServer/v1/...?query", headers =
---{ lowercase = value }, body = }`
---@return table response `{ status =, headers =, body | file, repeats =, delay =
---seconds, pace = seconds, unsized =, abort = "reset" | "hang" | "cut" | "stall" }`
function Provider:handle(request)
  local _, path = url.split(request.path)
  local own = path:match("^/__sandbox/(.*)$")
  if own then
    return control.handle(self, request, own)
  end
  local below = path:sub(1, #PREFIX) == PREFIX and path:sub(#PREFIX + 1)
  local id = below and below:match("^/v1/result/(.+)$")
  if id and request.method == "GET" then
    return tasks.query(self, request, url.decode(id))
  end
  if CREATES[below] and request.method == "POST" then
    return tasks.create(self, request, below)
  end
  return responses.no_handler(request.method, path)
end

---Answer a request to the media origin.
---@param request table as for `handle`
---@return table response
function Provider:media(request)
  return media.handle(self, request)
end

---A transport for `starvideos.new` that calls this provider in process. Each is a
---client of its own in the record.
---@return starvideos.Transport transport
function Provider:transport()
  return transport.of(self)
end

return _M
