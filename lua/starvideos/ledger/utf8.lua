--- Texts that every database accepts: valid UTF-8 without a NUL.
-- @module starvideos.ledger.utf8

local _M = {}

local FURTHER = "[\128-\191]"

-- Every character beyond ASCII: none longer than need be, no surrogate, none
-- above U+10FFFF.
local characters = {
  "^\224[\160-\191]" .. FURTHER,
  "^[\225-\236\238\239]" .. FURTHER:rep(2),
  "^\237[\128-\159]" .. FURTHER,
  "^[\194-\223]" .. FURTHER,
  "^\240[\144-\191]" .. FURTHER:rep(2),
  "^[\241-\243]" .. FURTHER:rep(3),
  "^\244[\128-\143]" .. FURTHER:rep(2),
}

local function is_valid(text)
  for _, character in ipairs(characters) do
    text = text:gsub(character:sub(2), " ")
    if not text:find "[\128-\255]" then
      return not text:find "%z"
    end
  end
  return false
end

--- The length of a character beyond ASCII.
-- @tparam string text
-- @tparam number at its first byte
-- @treturn ?number bytes; nil where it is not valid UTF-8
function _M.length_at(text, at)
  for _, character in ipairs(characters) do
    local _, last = text:find(character, at)
    if last then
      return last - at + 1
    end
  end
end

local function escaped(text)
  local parts, at, plain = {}, text:find "[%z\128-\255]", 1
  while at do
    local length = _M.length_at(text, at)
    if not length then
      parts[#parts + 1] = text:sub(plain, at - 1)
      parts[#parts + 1] = ("\\x%02X"):format(text:byte(at))
      plain = at + 1
    end
    at = text:find("[%z\128-\255]", at + (length or 1))
  end
  parts[#parts + 1] = text:sub(plain)
  return table.concat(parts)
end

-- Most texts are ASCII alone. A Lua that counts characters, from 5.3 on, says so
-- many times faster than a pattern, which the prompt of every order would meet.
local count = rawget(_G, "utf8") and rawget(_G, "utf8").len

local function is_plain(text)
  if count then
    return count(text) == #text and not text:find("\0", 1, true)
  end
  return not text:find "[^\1-\127]"
end

--- Whether a text is valid UTF-8 without a NUL.
-- @tparam string text
-- @treturn boolean
function _M.is_valid(text)
  return is_plain(text) or is_valid(text)
end

--- A text with `\xHH` in place of each byte that is not valid UTF-8; two texts
-- that differ still do.
-- @param text a string; another value is returned as it is
-- @return text
function _M.valid(text)
  if type(text) ~= "string" or _M.is_valid(text) then
    return text
  end
  return escaped(text)
end

return _M
