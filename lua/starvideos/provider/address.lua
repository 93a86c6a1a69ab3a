-- The address of the API: base URLs as people paste them, brought to one form.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local redact = require "starvideos.base.redact"

local _M = {}

--- The provider's own address.
_M.default = "https://zcbservice.aizfw.cn/kyyReactApiServer"

local HOST = "zcbservice.aizfw.cn"
local PREFIX = "/kyyReactApiServer"

-- What follows the base URL in an endpoint, most specific first: people paste
-- whole endpoints.
local endpoints = {
  "/v1/starvideos/videos$",
  "/v1/videos/videos$",
  "/v1/result/[^/]*$",
  "/v1/result$",
  "/v1$",
}

local function without_endpoint(path)
  for _, pattern in ipairs(endpoints) do
    local start = path:find(pattern)
    if start then
      return path:sub(1, start - 1)
    end
  end
  return path
end

local function tidy_path(authority, path)
  path = without_endpoint((path:gsub("/+", "/"):gsub("/$", "")))
  path = path:gsub("/$", "")
  while path:sub(-2 * #PREFIX) == PREFIX .. PREFIX do
    path = path:sub(1, -#PREFIX - 1)
  end
  if path == "" and authority == HOST then
    path = PREFIX
  end
  return path
end

local default_ports = { https = ":443$", http = ":80$" }

-- The case of a host means nothing, nor does the port that its scheme has anyway.
local function tidy_authority(scheme, authority)
  return (c_locale.lower(authority):gsub(default_ports[scheme], ""))
end

local function refuse(url, why)
  return nil, ("base_url %q %s; write it like %s")
    :format(redact.address(url), why, _M.default)
end

-- Bring a base URL to its one form: the host in lower case, without the port that its
-- scheme has anyway, no trailing slash, no `/v1`, no endpoint, no doubled prefix, the
-- provider's prefix added where only its host is given. `insecure_http`: allow http to
-- another host than this (default false). Returns what is wrong and what to write
-- instead.
function _M.normalise(url, insecure_http)
  local plain = url:find "%S" and url:match "^%s*(.*%S)" or ""
  if plain:find("[%c%s]") then
    return refuse(plain:gsub("[%c%s]+", " "), "contains spaces")
  elseif plain:find("[?#]") then
    return refuse(plain:match("^[^?#]*"), "has a query or fragment")
  elseif plain:find("@", 1, true) then -- a password may hold a slash
    return refuse(plain, "contains a user name or a password")
  end
  local scheme, authority, path = plain:match("^(%a+)://([^/]+)(.*)$")
  scheme = scheme and c_locale.lower(scheme)
  if scheme ~= "https" and scheme ~= "http" then
    return refuse(plain, "is not a complete https URL")
  elseif authority:gsub("%b[]", ""):find ":%d*%D" then
    return refuse(plain, "has a port that is not a number")
  elseif scheme == "http" and not insecure_http
    and not core.is_loopback((authority:gsub(":%d+$", ""))) then
    return refuse(plain, "would send the API key unencrypted (to do"
      .. " that all the same, set insecure_http = true)")
  end
  authority = tidy_authority(scheme, authority)
  return scheme .. "://" .. authority .. tidy_path(authority, path)
end

-- Whether two base URLs are those of one provider, however they were written.
function _M.are_same(one, other)
  return one == other or (_M.normalise(one, true) or one)
    == (_M.normalise(other, true) or other)
end

return _M
