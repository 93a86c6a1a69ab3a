--- One request, as plain data and three functions over nginx: a spec passes a table
-- of the same shape.
--
-- * `method`, `path` (decoded, without the query), `scheme`, `host` (the header,
--   with its port), `remote` (the peer's address), `id` (a random one, in the
--   log and in the answer), `began` (Unix seconds), `dialect`
-- * `header(name)`: the value of a header, nil where it is not there
-- * `body()`: the text of the body
-- * `args()`: the query, by name; a name given twice has its first value
-- * `caller`: who asks; set when that is known
-- @module starvideos.gateway.request

local c_locale = require "starvideos.base.c_locale"

local _M = {}

-- Of the query: further ones are ignored.
local MOST_ARGS = 20

local function header(name)
  return ngx.var["http_" .. c_locale.lower(name):gsub("-", "_")]
end

-- nginx holds it in memory: the buffer is as large as the largest body.
local function body()
  ngx.req.read_body()
  return ngx.req.get_body_data() or ""
end

local function args()
  local list = {}
  for name, value in pairs(ngx.req.get_uri_args(MOST_ARGS)) do
    list[name] = type(value) == "table" and value[1] or value
  end
  return list
end

--- The request that nginx is serving.
-- @treturn table request
function _M.current()
  return {
    method = ngx.req.get_method(),
    path = ngx.var.uri,
    scheme = ngx.var.scheme,
    host = ngx.var.http_host,
    remote = ngx.var.remote_addr,
    id = ngx.var.request_id,
    began = ngx.req.start_time(),
    header = header,
    body = body,
    args = args,
  }
end

return _M
