-- URLs: percent-coding, parts, the facts a reference may carry, signed links.

local c_locale = require "starvideos.base.c_locale"

local _M = {}

-- Decode `%XX`; a stray percent sign stays as it is.
function _M.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

function _M.encode(text)
  return (text:gsub("[^%w%-%._~]", function(character)
    return ("%%%02X"):format(character:byte())
  end))
end

-- Origin (empty for a path), path (at least "/") and query of a URL or a path.
function _M.split(target)
  local origin, rest = target:match("^(%w[%w+.-]*://[^/?#]*)(.*)$")
  rest = (rest or target):gsub("#.*$", "")
  local path, query = rest:match("^([^?]*)%??(.*)$")
  return origin or "", path == "" and "/" or path, query
end

-- Whether a value is an http or https URL with a host.
function _M.is_web(value)
  if type(value) ~= "string" or value:find("[%s%c]") then
    return false
  end
  local scheme, host = value:match("^(%a+)://([^/?#]+)")
  scheme = scheme and c_locale.lower(scheme)
  return (scheme == "http" or scheme == "https") and host ~= nil
end

local FACTS = { "bytes", "duration", "width", "height" }

-- The provider looks into the file; the sandbox cannot, so a URL may carry
-- `sandbox_bytes`, `sandbox_duration` (seconds), `sandbox_width` and
-- `sandbox_height` in its query.
function _M.facts(reference)
  local _, _, query = _M.split(reference)
  local facts = {}
  for _, name in ipairs(FACTS) do
    local value = ("&" .. query):match("&sandbox_" .. name .. "=([%d.]+)")
    facts[name] = c_locale.tonumber(value)
  end
  return facts
end

local PRIME = 2147483647

-- Start value and multiplier of each of four 32-bit lanes. Multipliers stay
-- under 2^21, so that every product is exact in a double.
local LANES = {
  { 19088743, 1103515 }, { 1985229328, 1664525 },
  { 305419896, 1013901 }, { 1732584193, 1597334 },
}

-- Digest a text under a secret: 32 hexadecimal digits.
function _M.digest(secret, text)
  local keyed = secret .. "\0" .. text .. "\0" .. secret
  local digits = {}
  for i, lane in ipairs(LANES) do
    local hash, multiplier = lane[1], lane[2]
    for at = 1, #keyed do
      hash = (hash * multiplier + keyed:byte(at)) % PRIME
    end
    digits[i] = ("%08x"):format(hash)
  end
  return table.concat(digits)
end

-- The query of a signed link.
function _M.sign(secret, path, expires)
  local stamp = ("%d"):format(math.ceil(expires))
  local signature = _M.digest(secret, path .. "?" .. stamp)
  return ("expires=%s&signature=%s"):format(stamp, signature)
end

-- Whether a link was signed with the secret and has not expired.
function _M.verify(secret, path, query, now)
  local stamp = query:match("expires=(%d+)")
  local signature = query:match("signature=(%x+)")
  return stamp ~= nil and signature == _M.digest(secret, path .. "?" .. stamp)
    and now < tonumber(stamp)
end

return _M
