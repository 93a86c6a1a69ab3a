--- URLs: percent-coding, parts, and the facts a reference may carry.
-- @module starvideos.sandbox.url

local c_locale = require "starvideos.base.c_locale"


local _M = {}

--- Decode `%XX`; a stray percent sign stays as it is.
-- @tparam string text
-- @treturn string
function _M.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- Encode all but the unreserved characters.
-- @tparam string text
-- @treturn string
function _M.encode(text)
  return (text:gsub("[^%w%-%._~]", function(character)
    return ("%%%02X"):format(character:byte())
  end))
end

--- Cut an absolute URL or a path.
-- @tparam string target
-- @treturn string origin, empty for a path
-- @treturn string path, at least "/"
-- @treturn string query, empty where there is none
function _M.split(target)
  local origin, rest = target:match("^(%w[%w+.-]*://[^/?#]*)(.*)$")
  rest = (rest or target):gsub("#.*$", "")
  local path, query = rest:match("^([^?]*)%??(.*)$")
  return origin or "", path == "" and "/" or path, query
end

--- Is this an http or https URL with a host?
-- @tparam any value
-- @treturn boolean
function _M.is_web(value)
  if type(value) ~= "string" or value:find("[%s%c]") then
    return false
  end
  local scheme, host = value:match("^(%a+)://([^/?#]+)")
  scheme = scheme and c_locale.lower(scheme)
  return (scheme == "http" or scheme == "https") and host ~= nil
end

local FACTS = { "bytes", "duration", "width", "height" }

--- What a reference says of itself.
-- The provider looks into the file; the sandbox cannot, so a URL may carry
-- `sandbox_bytes`, `sandbox_duration` (seconds), `sandbox_width` and
-- `sandbox_height` in its query.
-- @tparam string reference a URL
-- @treturn table those of bytes, duration, width, height that are given
function _M.facts(reference)
  local _, _, query = _M.split(reference)
  local facts = {}
  for _, name in ipairs(FACTS) do
    local value = ("&" .. query):match("&sandbox_" .. name .. "=([%d.]+)")
    facts[name] = c_locale.tonumber(value)
  end
  return facts
end

return _M
