-- Texts of others: as every database accepts them, valid UTF-8 without a NUL, and as a
-- terminal, a log or JSON can have them.

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

-- The length of a character beyond ASCII. `at`: its first byte. Returns bytes; nil
-- where it is not valid UTF-8.
function _M.length_at(text, at)
  for _, character in ipairs(characters) do
    local _, last = text:find(character, at)
    if last then
      return last - at + 1
    end
  end
end

local function escape(byte)
  return ("\\x%02X"):format(byte)
end

local function replace()
  return "\239\191\189" -- U+FFFD
end

-- `mark` gives what stands in place of a byte.
local function without_invalid(text, mark)
  local parts, at, plain = {}, text:find "[%z\128-\255]", 1
  while at do
    local length = _M.length_at(text, at)
    if not length then
      parts[#parts + 1] = text:sub(plain, at - 1)
      parts[#parts + 1] = mark(text:byte(at))
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

-- Whether a text is valid UTF-8 without a NUL.
function _M.is_valid(text)
  return is_plain(text) or is_valid(text)
end

-- A text with `\xHH` in place of each byte that is not valid UTF-8; two texts that
-- differ still do. `text`: a string; another value is returned as it is.
function _M.valid(text)
  if type(text) ~= "string" or _M.is_valid(text) then
    return text
  end
  return without_invalid(text, escape)
end

-- A text in ASCII: `\u4f59` in place of a character beyond it.
function _M.ascii(text)
  local parts, at, plain = {}, text:find "[\128-\255]", 1
  while at do
    local length = _M.length_at(text, at)
    parts[#parts + 1] = text:sub(plain, at - 1)
    parts[#parts + 1] = length and ("\\u%04x"):format(
      _M.code(text:sub(at, at + length - 1))) or escape(text:byte(at))
    plain = at + (length or 1)
    at = text:find("[\128-\255]", plain)
  end
  parts[#parts + 1] = text:sub(plain)
  return table.concat(parts)
end

-- A text with U+FFFD in place of each NUL and each byte that is not valid UTF-8.
function _M.repaired(text)
  return _M.is_valid(text) and text or without_invalid(text, replace)
end

local leads = { 0, 192, 224, 240 }

-- The code of a character.
function _M.code(character)
  local code = character:byte() - leads[#character]
  for index = 2, #character do
    code = code * 64 + character:byte(index) - 128
  end
  return code
end

-- Whether a character controls a terminal, turns the direction of a line, or is not
-- seen and joins nothing.
function _M.is_control(code)
  return code < 0x20 or code >= 0x7F and code < 0xA0
    or code == 0x61C or code == 0x200B or code >= 0x200E and code <= 0x200F
    or code >= 0x2028 and code <= 0x202E or code >= 0x2060 and code <= 0x206F
    or code == 0xFEFF or code >= 0xFFF9 and code <= 0xFFFB
end

-- Among these are all that `is_control` knows beyond ASCII.
local doubtful = { "\194[\128-\159]", "\216\156", "\226[\128\129][\128-\191]",
  "\239\187\191", "\239\191[\185-\187]" }

local function number_of(character)
  local code = _M.code(character)
  return _M.is_control(code) and ("\\u%04x"):format(code) or nil
end

-- A text that does nothing but stand there, on a terminal or in a log: control
-- characters, those that turn the direction, and those that are not seen as `\u001b`,
-- bytes that are not UTF-8 as U+FFFD. JSON stays JSON of the same value. `in_lines`:
-- leave the ends of lines, and tabs (default false).
function _M.shown(text, in_lines)
  local controls = in_lines and "[%z\1-\8\11-\31\127]" or "[%z\1-\31\127]"
  text = text:find(controls) and text:gsub(controls, number_of) or text
  if not text:find "[\128-\255]" then
    return text
  end
  text = _M.repaired(text)
  for _, doubt in ipairs(doubtful) do
    text = text:gsub(doubt, number_of)
  end
  return text
end

return _M
