--- Where a request goes, and whether it may go there: https anywhere, http to
-- this machine alone unless the caller allows more.
-- @module starvideos.host.resty_http.target

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

--- Read a URL.
-- @tparam string url
-- @tparam ?boolean insecure_http allow http to a host that is not loopback
-- @tparam ?boolean public_only refuse addresses of this machine and of private
--   networks. To nginx 127.1 is a name; what a name resolves to it does not tell
-- @treturn ?table target with `scheme`, `host`, `port`, `name` (the one that
--   the server's certificate must show), `origin`, `path` (with its query),
--   `secure`
-- @treturn ?table failure with `reason` (invalid, insecure or private) and
--   `message`, which holds no query
function _M.read(url, insecure_http, public_only)
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

--- Where a redirect leads. What began encrypted stays so, and an http that the
-- caller did not allow leads to https alone.
-- @tparam table target
-- @tparam string location as the answer has it
-- @tparam ?boolean insecure_http
-- @tparam ?boolean public_only
-- @treturn ?table target
-- @treturn ?table failure
function _M.follow(target, location, insecure_http, public_only)
  local next_one, failure = _M.read(resolve(target, location), true, public_only)
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

return _M
