--- The gateway in nginx: what its configuration calls. Whatever goes wrong, a
-- caller gets JSON, and the error log the reason.
-- @module starvideos.gateway

local answer = require "starvideos.gateway.answer"
local access = require "starvideos.gateway.access"
local metrics = require "starvideos.gateway.metrics"
local applications = require "starvideos.gateway.application"
local janitor = require "starvideos.gateway.janitor"
local refusals = require "starvideos.gateway.refusal"
local event_log = require "starvideos.gateway.event_log"
local requests = require "starvideos.gateway.request"
local router = require "starvideos.gateway.router"
local workers = require "starvideos.gateway.worker"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local app

--- Read what the gateway is to do; in init_by_lua, so that nginx does not start,
-- and a reload changes nothing, where that is wrong.
-- @tparam string folder
-- @raise a sentence
function _M.begin(folder)
  local why
  app, why = applications.new(folder)
  if not app then
    error(why, 0) -- LuaJIT's assert puts a place before the sentence
  end
  app.on_event, app.generation = event_log.hear, tostring(ngx.now())
  router.load()
end

--- Begin the work of an nginx worker; in init_worker_by_lua.
function _M.begin_worker()
  workers.begin(app)
  janitor.begin(app)
end

-- What each answer has, whatever comes of its request.
local function set_headers(request)
  ngx.header["X-Request-Id"] = request.id
  if select(2, access.is_secure(app, request)) then
    ngx.header["Strict-Transport-Security"] = "max-age=31536000"
  end
  for name, value in pairs(access.headers(app, request)) do
    ngx.header[name] = value
  end
end

-- The answer of a handler, whatever it returned.
local function send(dialect, status, value, headers)
  if status == nil then
    answer.refuse(dialect, value)
  elseif status ~= true then
    answer.json(status, value, headers)
  end
end

-- For the log: the variables outlive a redirect to a file, the context does not.
local function note(name, value)
  ngx.ctx[name], ngx.var["gateway_" .. name] = value, value
end

local function serve(request)
  local ok, refusal = access.check(app, request)
  local route, match, dialect = router.find(request.method, request.path)
  request.dialect = dialect
  local allowed = ok and access.preflight(request)
  if not ok then
    return answer.refuse(dialect, refusal)
  elseif allowed then
    return answer.json(200, {}, allowed)
  elseif not route then
    return answer.refuse(dialect, match)
  end
  note("route", route.label)
  if not route.open then
    request.caller, refusal = access.caller(app, request)
    if not request.caller then
      return answer.refuse(dialect, refusal)
    end
    note("caller", request.caller.name)
    refusal = not route.lasting and access.begin(app, request.caller)
    if refusal then
      return answer.refuse(dialect, refusal)
    end
  end
  return send(dialect, route.run(app, request, match))
end

--- Serve a request; in content_by_lua.
function _M.handle()
  local request = requests.current()
  set_headers(request)
  local ok, raised = pcall(serve, request)
  if not ok then
    ngx.log(ngx.ERR, "request ", request.id, ": ", utf8.shown(tostring(raised)))
    if not ngx.headers_sent then
      answer.refuse(request.dialect or "openai", refusals.of { kind = "internal" })
    end
  end
end

--- Count a request that was answered; in log_by_lua.
function _M.log()
  local name, route = ngx.var.gateway_caller, ngx.var.gateway_route
  if name ~= "" and not router.lasting[route] then
    access.count(app, name, -1) -- here, for a client may go away at any time
  end
  metrics.request(route, ngx.status)
end

local sentences = {
  [400] = "the request is no valid HTTP, or not encrypted at a port for HTTPS",
  [404] = "there is nothing at this address",
  [411] = "the request does not say how long its body is",
  [413] = "the request is too large (media are given as URLs, not as files)",
  [414] = "the address is too long",
  [416] = "the video has no such range",
  [429] = "too many requests of this address are under way: try again",
  [431] = "the headers are too large",
}

--- Answer what nginx refuses by itself; of error_page.
function _M.refused()
  local request = requests.current()
  set_headers(request)
  local path = (ngx.var.request_uri or ""):match "^[^?]*"
  local method = (ngx.var.request or ""):match "^%S*" -- now nginx says GET
  local _, refusal, dialect = router.find(method, path)
  if ngx.status ~= 405 then
    refusal = refusals.new { status = ngx.status,
      message = (sentences[ngx.status] or "HTTP " .. ngx.status)
        .. "; nothing was ordered by this request" }
  end
  answer.refuse(dialect or "openai", refusal)
end

return _M
