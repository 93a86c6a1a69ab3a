-- The gateway in nginx: what its configuration calls. Whatever goes wrong, a caller
-- gets JSON, and the error log the reason.

local access = require "starvideos.gateway.access"
local applications = require "starvideos.gateway.application"
local content = require "starvideos.gateway.content"
local janitor = require "starvideos.gateway.janitor"
local json = require "starvideos.base.json"
local metrics = require "starvideos.gateway.metrics"
local openai = require "starvideos.gateway.openai"
local page = require "starvideos.gateway.page"
local provider_api = require "starvideos.gateway.provider_api"
local requests = require "starvideos.gateway.request"
local stream = require "starvideos.gateway.stream"
local utf8 = require "starvideos.base.utf8"
local workers = require "starvideos.gateway.worker"

local _M = {}

local dialects = { openai = openai, provider = provider_api }

-- Send JSON.
local function send_json(status, value, headers)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["X-Content-Type-Options"] = "nosniff"
  for name, text in pairs(headers or {}) do
    ngx.header[name] = text
  end
  local body = utf8.repaired(json.encode(value)) -- the provider's words may not be
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

-- Send a refusal in the words of a dialect.
local function refuse(dialect, refusal)
  local headers = { ["Retry-After"] = refusal.retry_after,
    ["X-Should-Retry"] = refusal.retry == false and "false" or nil }
  for name, text in pairs(refusal.headers or {}) do
    headers[name] = text
  end
  local value, status = dialects[dialect].error(refusal)
  send_json(status or refusal.status, value, headers)
end

-- A path of the provider's API may stand behind its prefix.
local PREFIX = "^/kyyReactApiServer/v1/"

local ID = "(video_%x+)"

-- From the first that fits: method, pattern, function. That takes app, request and
-- what the path names, and returns a status, a table to send as JSON and headers; or
-- nil and a refusal; or true where it has sent its answer. `open`: it needs no caller.
-- `lasting`: it may last, and is none of the requests that a caller may have under way.
-- `dialect`: openai where it has none.
local routes = {
  { "GET", "^/$", page.serve, open = true },
  { "GET", "^/page/(%l+%.%l+)$", page.serve, open = true },
  { "GET", "^/v1/account$", page.show },
  { "POST", "^/v1/price$", page.price },
  { "POST", "^/v1/starvideos/videos$", provider_api.create,
    dialect = "provider" },
  { "POST", "^/v1/videos/videos$", provider_api.create,
    dialect = "provider" },
  { "GET", "^/v1/result/([^/]+)$", provider_api.query,
    dialect = "provider" },
  { "GET", "^/v1/files/" .. ID .. "%.mp4$", provider_api.file,
    dialect = "provider", open = true },
  { "GET", "^/v1/models$", openai.models },
  { "GET", "^/v1/models/([^/]+)$", openai.model },
  { "POST", "^/v1/videos$", openai.create },
  { "GET", "^/v1/videos$", openai.list },
  { "GET", "^/v1/videos/" .. ID .. "$", openai.retrieve },
  { "DELETE", "^/v1/videos/" .. ID .. "$", openai.delete },
  { "POST", "^/v1/session$", access.sign_in, open = true },
  { "DELETE", "^/v1/session$", access.sign_out, open = true },
  { "GET", "^/v1/videos/" .. ID .. "/content$", content.run,
    lasting = true },
  { "GET", "^/v1/videos/" .. ID .. "/events$", stream.run,
    lasting = true },
  { "GET", "^/healthz$", metrics.healthz, open = true },
  { "GET", "^/metrics$", metrics.run, open = true },
}

-- By the label of a route, which is for logs and metrics: whether it may last.
local lasting = {}
for _, row in ipairs(routes) do
  row.method, row.pattern, row.run = row[1], row[2], assert(row[3])
  row.dialect = row.dialect or "openai"
  row.label = row[1] .. " " .. row[2]:gsub("%([^)]*%)", "{id}"):gsub("[%^$%%]", "")
  lasting[row.label] = row.lasting
end

local function allows(route, method)
  return route.method == method or route.method == "GET" and method == "HEAD"
end

-- Find the route of a request. Returns route; nil where there is none, and what the
-- path names, or a refusal, and the dialect of the path.
function _M.find_route(method, path)
  path = path:gsub(PREFIX, "/v1/")
    :gsub("^(/v1/[^/]+/?[^/]*)/$", "%1") -- a file is at one address alone
  local methods, dialect = {}, nil
  for _, route in ipairs(routes) do
    local match = path:match(route.pattern)
    if match and allows(route, method) then
      return route, match, route.dialect
    elseif match then
      methods[#methods + 1] = route.method == "GET" and "GET, HEAD"
        or route.method
      dialect = dialect or route.dialect
    end
  end
  if methods[1] then
    local allowed = table.concat(methods, ", ")
    return nil, requests.refusal { status = 405, code = "method_not_allowed",
      message = ("this address takes %s, not %s; nothing was ordered"):format(
        allowed, method),
      headers = { Allow = allowed } }, dialect
  end
  return nil, requests.refusal { status = 404, code = "not_found",
    message = "there is nothing at this address; nothing was ordered" }, "openai"
end

local app

-- Read what the gateway is to do; in init_by_lua, so that nginx does not start, and a
-- reload changes nothing, where that is wrong. Raises a sentence.
function _M.begin(folder)
  local why
  app, why = applications.new(folder)
  if not app then
    error(why, 0) -- LuaJIT's assert puts a place before the sentence
  end
  app.on_event, app.generation = workers.hear, tostring(ngx.now())
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
    refuse(dialect, value)
  elseif status ~= true then
    send_json(status, value, headers)
  end
end

-- For the log: the variables outlive a redirect to a file, the context does not.
local function note(name, value)
  ngx.ctx[name], ngx.var["gateway_" .. name] = value, value
end

local function serve(request)
  local ok, refusal = access.check(app, request)
  local route, match, dialect = _M.find_route(request.method, request.path)
  request.dialect = dialect
  local allowed = ok and access.preflight(request)
  if not ok then
    return refuse(dialect, refusal)
  elseif allowed then
    return send_json(200, {}, allowed)
  elseif not route then
    return refuse(dialect, match)
  end
  note("route", route.label)
  if not route.open then
    request.caller, refusal = access.caller(app, request)
    if not request.caller then
      return refuse(dialect, refusal)
    end
    note("caller", request.caller.name)
    refusal = not route.lasting and access.begin(app, request.caller)
    if refusal then
      return refuse(dialect, refusal)
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
      refuse(request.dialect or "openai", requests.refusal_of { kind = "internal" })
    end
  end
end

--- Count a request that was answered; in log_by_lua.
function _M.log()
  local name, route = ngx.var.gateway_caller, ngx.var.gateway_route
  if name ~= "" and not lasting[route] then
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
  local _, refusal, dialect = _M.find_route(method, path)
  if ngx.status ~= 405 then
    refusal = requests.refusal { status = ngx.status,
      message = (sentences[ngx.status] or "HTTP " .. ngx.status)
        .. "; nothing was ordered by this request" }
  end
  refuse(dialect or "openai", refusal)
end

return _M
