--- Which request goes where.
-- @module starvideos.gateway.router

local refusals = require "starvideos.gateway.refusal"

local _M = {}

-- A path of the provider's API may stand behind its prefix.
local PREFIX = "^/kyyReactApiServer/v1/"

local ID = "(video_%x+)"

-- From the first that fits. `open`: it needs no caller. `lasting`: it may last, and
-- is none of the requests that a caller may have under way. `module`: of
-- starvideos.gateway, whose function `run` takes app, request and what the path
-- names, and returns a status, a table to send as JSON and headers; or nil and a
-- refusal; or true where it has sent its answer.
local rows = {
  { "GET", "^/$", "page", "serve", open = true },
  { "GET", "^/page/(%l+%.%l+)$", "page", "serve", open = true },
  { "GET", "^/v1/account$", "account", "show" },
  { "POST", "^/v1/price$", "account", "price" },
  { "POST", "^/v1/starvideos/videos$", "api.provider", "create",
    dialect = "provider" },
  { "POST", "^/v1/videos/videos$", "api.provider", "create",
    dialect = "provider" },
  { "GET", "^/v1/result/([^/]+)$", "api.provider", "query",
    dialect = "provider" },
  { "GET", "^/v1/files/" .. ID .. "%.mp4$", "api.provider", "file",
    dialect = "provider", open = true },
  { "GET", "^/v1/models$", "api.openai", "models" },
  { "GET", "^/v1/models/([^/]+)$", "api.openai", "model" },
  { "POST", "^/v1/videos$", "api.openai", "create" },
  { "GET", "^/v1/videos$", "api.openai", "list" },
  { "GET", "^/v1/videos/" .. ID .. "$", "api.openai", "retrieve" },
  { "DELETE", "^/v1/videos/" .. ID .. "$", "api.openai", "delete" },
  { "POST", "^/v1/session$", "session", "create", open = true },
  { "DELETE", "^/v1/session$", "session", "delete", open = true },
  { "GET", "^/v1/videos/" .. ID .. "/content$", "content", "run",
    lasting = true },
  { "GET", "^/v1/videos/" .. ID .. "/events$", "stream", "run",
    lasting = true },
  { "GET", "^/healthz$", "health", "run", open = true },
  { "GET", "^/metrics$", "metrics", "run", open = true },
}

--- All routes: `method`, `pattern`, `module`, `name` (of its function), `dialect`,
-- `open`, `lasting`, `label` (for logs and metrics, without ids).
-- @table routes
_M.routes = {}
for index, row in ipairs(rows) do
  _M.routes[index] = { method = row[1], pattern = row[2], module = row[3],
    name = row[4], dialect = row.dialect or "openai", open = row.open,
    lasting = row.lasting,
    label = row[1] .. " " .. row[2]:gsub("%([^)]*%)", "{id}"):gsub("[%^$%%]", "") }
end

--- Whether a request may last, by its route's label.
-- @table lasting
_M.lasting = {}
for _, route in ipairs(_M.routes) do
  _M.lasting[route.label] = route.lasting
end

local function allows(route, method)
  return route.method == method or route.method == "GET" and method == "HEAD"
end

--- Load the modules of all routes.
function _M.load()
  for _, route in ipairs(_M.routes) do
    local handlers = require("starvideos.gateway." .. route.module)
    route.run = assert(handlers[route.name], route.label)
  end
end

--- Find the route of a request.
-- @tparam string method
-- @tparam string path
-- @treturn ?table route; nil where there is none
-- @return what the path names, or a refusal
-- @treturn ?string the dialect of the path
function _M.find(method, path)
  path = path:gsub(PREFIX, "/v1/")
    :gsub("^(/v1/[^/]+/?[^/]*)/$", "%1") -- a file is at one address alone
  local methods, dialect = {}, nil
  for _, route in ipairs(_M.routes) do
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
    return nil, refusals.new { status = 405, code = "method_not_allowed",
      message = ("this address takes %s, not %s; nothing was ordered"):format(
        allowed, method),
      headers = { Allow = allowed } }, dialect
  end
  return nil, refusals.new { status = 404, code = "not_found",
    message = "there is nothing at this address; nothing was ordered" }, "openai"
end

return _M
