--- UTF-8 text, counted and wrapped by code points.
-- Lua 5.1 to 5.3 and LuaJIT have no common library for it.
-- @module starvideos.sandbox.text

local _M = {}

-- Lead byte range, continuation bytes, and the range of the first of them:
-- the well-formed sequences of the Unicode standard (no overlong forms, no
-- surrogates, nothing above U+10FFFF).
local SEQUENCES = {
  { 0x00, 0x7F, 0 },
  { 0xC2, 0xDF, 1, 0x80, 0xBF },
  { 0xE0, 0xE0, 2, 0xA0, 0xBF },
  { 0xE1, 0xEC, 2, 0x80, 0xBF },
  { 0xED, 0xED, 2, 0x80, 0x9F },
  { 0xEE, 0xEF, 2, 0x80, 0xBF },
  { 0xF0, 0xF0, 3, 0x90, 0xBF },
  { 0xF1, 0xF3, 3, 0x80, 0xBF },
  { 0xF4, 0xF4, 3, 0x80, 0x8F },
}

local function sequence_of(byte)
  for _, sequence in ipairs(SEQUENCES) do
    if byte >= sequence[1] and byte <= sequence[2] then
      return sequence
    end
  end
end

-- The length in bytes of the code point at `at`, or nil if malformed.
local function width_at(text, at)
  local sequence = sequence_of(text:byte(at))
  if not sequence then
    return nil
  end
  for i = 1, sequence[3] do
    local byte = text:byte(at + i)
    local low = i == 1 and sequence[4] or 0x80
    local high = i == 1 and sequence[5] or 0xBF
    if not byte or byte < low or byte > high then
      return nil
    end
  end
  return sequence[3] + 1
end

--- Count code points.
-- @tparam string text
-- @treturn ?number nil where the text is not valid UTF-8
function _M.length(text)
  local at, count = 1, 0
  while at <= #text do
    local ascii = text:match("^[%z\1-\127]+", at)
    local width = ascii and #ascii or width_at(text, at)
    if not width then
      return nil
    end
    count = count + (ascii and width or 1)
    at = at + width
  end
  return count
end

local function characters(text)
  local list, at = {}, 1
  while at <= #text do
    local width = width_at(text, at) or 1
    list[#list + 1] = text:sub(at, at + width - 1)
    at = at + width
  end
  return list
end

--- Break text into lines that fit a picture.
-- Anywhere, not only at blanks, since Chinese has none; a character of three
-- or more bytes is taken to be twice as wide as a Latin one.
-- @tparam string text control characters become blanks
-- @tparam number columns in Latin characters
-- @tparam number lines how many at most; the rest is cut
-- @treturn string
function _M.wrap(text, columns, lines)
  local done, line, used = {}, {}, 0
  for _, character in ipairs(characters((text:gsub("[%c%s]+", " ")))) do
    local width = #character >= 3 and 2 or 1
    if used + width > columns then
      done[#done + 1] = table.concat(line)
      line, used = {}, 0
    end
    if #done == lines then
      return table.concat(done, "\n")
    end
    line[#line + 1], used = character, used + width
  end
  done[#done + 1] = table.concat(line)
  return table.concat(done, "\n")
end

return _M
