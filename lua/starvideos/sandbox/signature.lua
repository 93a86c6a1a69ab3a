--- Links that expire and cannot be guessed.
-- A keyed digest of simple arithmetic, the same in every Lua: enough to refuse
-- an altered or invented link of the sandbox, but not cryptography. It is no
-- `starvideos.base.fingerprint`, which is short and has no secret.
-- @module starvideos.sandbox.signature

local _M = {}

local PRIME = 2147483647

-- Start value and multiplier of each of four 32-bit lanes. Multipliers stay
-- under 2^21, so that every product is exact in a double.
local LANES = {
  { 19088743, 1103515 }, { 1985229328, 1664525 },
  { 305419896, 1013901 }, { 1732584193, 1597334 },
}

--- Digest a text under a secret.
-- @tparam string secret
-- @tparam string text
-- @treturn string 32 hexadecimal digits
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

--- The query of a signed link.
-- @tparam string secret
-- @tparam string path
-- @tparam number expires seconds since the epoch
-- @treturn string `expires=...&signature=...`
function _M.sign(secret, path, expires)
  local stamp = ("%d"):format(math.ceil(expires))
  local signature = _M.digest(secret, path .. "?" .. stamp)
  return ("expires=%s&signature=%s"):format(stamp, signature)
end

--- Check a signed link.
-- @tparam string secret
-- @tparam string path
-- @tparam string query
-- @tparam number now seconds since the epoch
-- @treturn ?boolean true, or nil
-- @treturn ?string "signature" or "expired"
function _M.verify(secret, path, query, now)
  local stamp = query:match("expires=(%d+)")
  local signature = query:match("signature=(%x+)")
  if not stamp or signature ~= _M.digest(secret, path .. "?" .. stamp) then
    return nil, "signature"
  end
  if now >= tonumber(stamp) then
    return nil, "expired"
  end
  return true
end

return _M
