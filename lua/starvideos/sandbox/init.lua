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

local _M = {}

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

--- Make a sandbox.
-- @tparam[opt] SandboxOptions options
-- @treturn Sandbox provider
-- @usage
-- local sandbox = require "starvideos.sandbox"
-- local now = 1000
-- local provider = sandbox.new{ clock = function() return now end }
-- local client = require("starvideos").new{
--   api_key = provider.key, transport = provider:transport() }
-- local task = assert(client:create{ model = "videos",
--   prompt = "A kitten [scenario:failed]", duration = 5 })
-- now = now + 5
-- assert(client:query(task).status == "failed")
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

--- Every scenario there is; see `starvideos.sandbox.scenario`.
-- @treturn Scenario[] scenarios
function _M.scenarios()
  return scenarios.list()
end

--- Set the default scenario for all requests that follow.
-- @tparam[opt] string spec `NAME`, `NAME=N`, several with commas; none: no
--   fault
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

--- What was created and billed; see `starvideos.sandbox.control`.
-- @treturn SandboxRecord record
function Provider:tasks()
  return self.log:all()
end

--- Change the limits of an account, or add one.
-- @tparam table wanted `account` (a name; default: that of `key`), `key` of a new
--   one, and the limits of `starvideos.sandbox.new`; false removes one
function Provider:limit(wanted)
  local wrong = self.accounts:set(wanted)
  if wrong then
    error(wrong, 2)
  end
end

--- Who broke which limit; see `starvideos.sandbox.accounts`.
-- @treturn table report
function Provider:record()
  return self.accounts:report()
end

--- Forget all tasks and counters, and go back to the first scenario and limits.
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

--- Answer a request to the API.
-- @tparam table request `{ method =, path = "/kyyReactApiServer/v1/...?query",
--   headers = { lowercase = value }, body = }`
-- @treturn table response `{ status =, headers =, body | file, repeats =,
--   delay = seconds, pace = seconds, unsized =, abort = "reset" | "hang" |
--   "cut" | "stall" }`
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

--- Answer a request to the media origin.
-- @tparam table request as for `handle`
-- @treturn table response
function Provider:media(request)
  return media.handle(self, request)
end

--- A transport for `starvideos.new` that calls this provider in process. Each is
-- a client of its own in the record.
-- @treturn Transport transport
function Provider:transport()
  return transport.of(self)
end

return _M
