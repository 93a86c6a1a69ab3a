-- One exchange in the terms of lua-resty-http: where a request goes and whether it may
-- go there, the request itself, handed over piece by piece so that it is known how much
-- of it has left, and the answer with its errors as reasons.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"

local _M = {}

local PORTS = { http = 80, https = 443 }
local HIGHEST_PORT = 65535

local function refuse(reason, message)
  return nil, { reason = reason, message = message }
end

local function split(authority)
  local host, port = authority:match "^(%[[%x:.]+%]):?(%d*)$"
  if not host then
    host, port = authority:match "^([^:@%[%]]+):?(%d*)$"
  end
  return host, tonumber(port)
end

-- The target that a URL means, or a failure, whose message holds no query. To nginx
-- 127.1 is a name, and what a name resolves to it does not tell: `public_only` sees
-- addresses alone. `name` is the one that the server's certificate must show.
function _M.target(url, insecure_http, public_only)
  local scheme, authority, rest = url:match "^(%a+)://([^/?#]*)([^#]*)"
  scheme = scheme and c_locale.lower(scheme)
  local host, port = split(authority or "")
  port = port or PORTS[scheme]
  if not PORTS[scheme] then
    return refuse("invalid", "the URL is neither https nor http")
  elseif url:find "[%c%s]" or not host or port < 1 or port > HIGHEST_PORT then
    return refuse("invalid", "the URL cannot be read, or holds a user name")
  elseif scheme == "http" and not insecure_http
    and not core.is_loopback(host) then
    return refuse("insecure", ("http to %.60s would not be encrypted; use"
      .. " https, or allow it with insecure_http"):format(host))
  elseif public_only and core.is_private(host) then
    return refuse("private", "its address is this machine's or a private"
      .. " network's")
  end
  return { scheme = scheme, secure = scheme == "https", host = host,
    port = port, name = host:match "^%[(.*)%]$" or host,
    origin = ("%s://%s:%d"):format(scheme, host, port),
    path = rest:find "^/" and rest or "/" .. rest }
end

-- How a location begins, and what of the present URL stays before it (RFC 3986,
-- 5.2.2; dots are left to the server).
local kept = {
  { "^%a[%w+.-]*:", "" },
  { "^//", "^%a+:" },
  { "^/", "^%a+://[^/]+" },
  { "^%?", "^[^?]*" },
  { "^[^#]", "^[^?]*/" },
  { "", ".*" },
}

local function resolve(target, location)
  for _, rule in ipairs(kept) do
    if location:find(rule[1]) then
      return (target.origin .. target.path):match(rule[2]) .. location
    end
  end
end

-- Where a redirect leads. What began encrypted stays so, and an http that the caller
-- did not allow leads to https alone.
function _M.follow(target, location, insecure_http, public_only)
  local next_one, failure = _M.target(resolve(target, location), true, public_only)
  if failure and failure.reason == "private" then
    return nil, failure
  elseif not next_one then
    return refuse("protocol", "the server redirects to something that is"
      .. " not a URL")
  elseif not next_one.secure and (target.secure or not insecure_http) then
    return refuse("insecure", "the server redirects to an address that is not"
      .. " https")
  end
  return next_one
end

local BODY_PIECE = 64 * 1024

-- What is wrong with a request.
function _M.problem(req)
  local redirects = (req.redirects or 0) > 0
  if req.method and req.method ~= "GET" and req.method ~= "POST" then
    return "the method is neither GET nor POST"
  elseif req.method == "POST" and redirects then
    return "a POST must not follow redirects"
  end
  for name, value in pairs(req.headers or {}) do
    if value:find "[%c\127]" or not name:find "^[^:%s%c\127]+$" then
      return "a header holds a control character or has no proper name"
    elseif c_locale.lower(name) == "authorization" and redirects then
      return "a request with a key must not follow redirects"
    end
  end
end

-- The parameters of lua-resty-http for a request. `on_handed(bytes, whole)` is told how
-- many bytes of it have been handed over, without the headers that the library adds.
function _M.parameters(req, path, on_handed)
  local parameters = { method = req.method or "GET", path = path, headers = {} }
  local head = #parameters.method + #path
  for name, value in pairs(req.headers or {}) do
    parameters.headers[name] = value
    head = head + #name + #value + 4
  end
  if req.method == "POST" then
    local body, at = req.body or "", 1
    parameters.headers["Content-Length"] = tostring(#body)
    -- To ask for the next piece is to have sent the last one.
    function parameters.body()
      on_handed(head + at - 1, at > #body)
      local piece = body:sub(at, at + BODY_PIECE - 1)
      at = at + #piece
      return piece ~= "" and piece or nil
    end
  end
  on_handed(head, req.method ~= "POST")
  return parameters
end

-- lua-resty-http drops the part of a piece that came before a fault.
local PIECE, SMALL = 16 * 1024, 4096

local NO_TLS = "no secure connection (%s); nginx's directives"
  .. " lua_ssl_trusted_certificate and lua_ssl_verify_depth say whom to trust"

-- What cosockets and lua-resty-http say at each step: a pattern, the reason and
-- the message. Once a server has spoken, their own words are not passed on, for
-- some quote it.
local faults = {
  connect = {
    { "resolve", "resolve", "the name was not found (%s); nginx's directive"
      .. " resolver names the server to ask" },
    { "^timeout", "timeout", "no connection was made in time" },
    { "handshake", "tls", NO_TLS },
    { "certificate", "tls", NO_TLS },
    { "^%d+: ", "tls", NO_TLS },
    { "", "connect", "no connection was made (%s)" },
  },
  head = {
    { "^timeout", "timeout", "no answer within the time allowed" },
    { "couldn't parse", "protocol", "the server does not speak HTTP" },
    { "", "reset", "the connection was closed before an answer came" },
  },
  body = {
    { "^timeout", "timeout", "the answer stalled" },
    { "", "reset", "the connection was closed in the middle of the answer" },
  },
}

-- What an error of lua-resty-http means; `step` is connect, head or body.
function _M.failure(step, err)
  err = tostring(err):gsub("[%c\127]", "?")
  for _, fault in ipairs(faults[step]) do
    if err:find(fault[1]) then
      return { reason = fault[2], message = fault[3]:format(err) }
    end
  end
end

local function plain(headers)
  local fields = {}
  for name, value in pairs(headers) do
    fields[c_locale.lower(name)] = type(value) == "table" and table.concat(value, ", ")
      or value
  end
  return fields
end

local function head_problem(status, headers)
  local length = headers["content-length"]
  local encoding = headers["transfer-encoding"]
  if status < 200 then
    return "the server sent an interim answer, which lua-resty-http cannot"
      .. " read past"
  elseif status > 999 or length and not length:find "^%d+$" then
    return "the answer has no status, or a Content-Length that is not a number"
  elseif encoding and c_locale.lower(encoding) ~= "chunked" then
    return "the answer has a Transfer-Encoding that was not asked for"
  end
end

local function none() end

-- Reads the head. The `length` of the body is nil if it is not told before; with
-- `open_end` its end is the end of the connection. A failure has the `status` of a
-- final answer.
function _M.head(res, err)
  if not res then
    return nil, _M.failure("head", err)
  end
  local headers = plain(res.headers)
  local wrong = head_problem(res.status, headers)
  if wrong then
    return nil, { reason = "protocol", message = wrong,
      status = res.status >= 200 and res.status or nil }
  end
  local length, chunked = headers["content-length"],
    headers["transfer-encoding"]
  return { status = res.status, headers = headers,
    reader = res.has_body and res.body_reader or none,
    length = not res.has_body and 0 or not chunked and tonumber(length) or nil,
    open_end = res.has_body and not chunked and not length }
end

-- Reads the body, handing it to `take(piece)`. With `counts` each byte that came before
-- a fault counts, up to four thousand: that costs a microsecond for each.
function _M.read(answer, take, counts)
  -- Of a body without a length lua-resty-http says "closed" at its end, and
  -- nothing where it was cut or came too late.
  local ending = answer.open_end and "closed" or nil
  local came = counts and 0 or SMALL
  repeat
    local piece, err = answer.reader(came < SMALL and 1 or PIECE)
    came = came + 1
    local last = err or not piece
    if last and err ~= ending then
      return nil, _M.failure("body", err)
    end
    local ok, failure = take(piece or "")
    if not ok then
      return nil, failure
    end
  until last
  return true
end

return _M
