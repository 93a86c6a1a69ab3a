-- One request, as plain data and three functions over nginx: a spec passes a table
-- of the same shape.
--
-- * `method`, `path` (decoded, without the query), `scheme`, `host` (the header,
--   with its port), `remote` (the peer's address), `id` (a random one, in the
--   log and in the answer), `began` (Unix seconds), `dialect`
-- * `header(name)`: the value of a header, nil where it is not there
-- * `body()`: the text of the body
-- * `args()`: the query, by name; a name given twice has its first value
-- * `caller`: who asks; set when that is known

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

-- The request that nginx is serving.
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

local types = { [401] = "authentication_error", [403] = "permission_error",
  [429] = "rate_limit_error" }

-- After which a client may try again what was not its fault.
local RETRY_AFTER = 10

-- The statuses that say when to come back.
local later = { [429] = true, [503] = true }

-- Why a request of a caller is refused: what every dialect makes its error of.
--
-- * `status`: of HTTP
-- * `type`: a word of OpenAI's API, `invalid_request_error`,
--   `authentication_error`, `permission_error`, `rate_limit_error` or
--   `server_error`
-- * `code`: a word, or nil; `param`: the field, or nil
-- * `message`: what happened, whether something was ordered, what to do
-- * `violations`: where fields are wrong, a list of `field`, `code`, `message`
-- * `retry_after`: seconds, or nil; `headers`: more of them, or nil
-- * `retry`: false where an equal request cannot succeed, though clients would
--   repeat one of this status
-- `fields`: these; `status` and `message` must be there.
function _M.refusal(fields)
  local status = fields.status
  fields.type = fields.type or types[status]
    or status >= 500 and "server_error" or "invalid_request_error"
  local seconds = fields.retry_after
    or later[status] and fields.retry ~= false and RETRY_AFTER
  fields.retry_after = seconds and math.max(1, math.ceil(seconds)) or nil
  return fields
end

-- There is nothing of this name, or not for this caller.
function _M.not_found()
  return _M.refusal { status = 404, code = "not_found",
    message = "there is no video of this id" }
end

-- Of an err of the library: what its caller can do about it.
local of_kind = {}

function of_kind.validation(err)
  local first = err.violations and err.violations[1]
  return { status = 400, code = first and first.code or "invalid_value",
    param = first and first.field, message = err.message,
    violations = err.violations }
end

function of_kind.ledger()
  return { status = 503, code = "ledger_unavailable", message = "the orders"
    .. " cannot be read or written now; nothing was ordered by this request:"
    .. " try again" }
end

function of_kind.cancelled()
  return { status = 503, code = "restarting", message = "the gateway is being"
    .. " restarted; nothing was ordered by this request: try again" }
end

-- The refusal that an err of the library is to a caller, who learns nothing of the
-- gateway's own affairs.
function _M.refusal_of(err)
  local make = of_kind[err.kind]
  return _M.refusal(make and make(err) or { status = 500, code = "internal",
    message = "the gateway failed; an order that it took all the same is in the"
      .. " list of your videos: look there before you order again, and tell whoever"
      .. " runs it, who finds the reason in its error log" })
end

return _M
