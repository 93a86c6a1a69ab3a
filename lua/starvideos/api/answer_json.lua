--- The JSON of an answer. cjson reads what is right; where it refuses a text,
-- this repairs what gateways and other people's encoders are known to break, in
-- one scan, and asks it again. For the provider's answers alone: what a user
-- writes is read strictly.
--
-- Repaired are: a byte order mark, UTF-16, halves of surrogate pairs, unknown
-- escapes, NUL bytes, NaN and infinity (null), values nested too deep (null),
-- and whatever follows the first whole value.
-- @module starvideos.api.answer_json

local c_locale = require "starvideos.c_locale"
local json = require "starvideos.json"

local _M = {}

-- Of a longer text only the beginning is repaired: the scan holds up the host.
local MOST_BYTES, MOST_TOKENS = 256 * 1024, 20000
-- Deeper than any answer of the provider; cjson reads a hundred.
local DEEPEST = 64

local REPLACEMENT = "\239\191\189" -- U+FFFD
local BACKSLASH = 92

-- Turns UTF-16 into ASCII with escapes. Its first character is ASCII.
local function without_utf16(text)
  local marked = text:find "^\255\254" or text:find "^\254\255"
  local is_big = text:find "^\254\255" or text:find "^%z[^%z]"
  if not is_big and not text:find "^\255\254" and not text:find "^[^%z]%z" then
    return text
  end
  return (text:sub(marked and 3 or 1):gsub("(.)(.)", function(one, two)
    local high, low = one:byte(), two:byte()
    if not is_big then
      high, low = low, high
    end
    return high == 0 and low < 128 and string.char(low)
      or ("\\u%02x%02x"):format(high, low)
  end))
end

-- The second byte of a character of GBK may be a backslash, which would hide the
-- quote behind it.
local function without_gbk(text)
  return (text:gsub("[\129-\254][\64-\126\128-\254]", function(pair)
    return pair:byte(2) == BACKSLASH and REPLACEMENT or nil
  end))
end

-- A string that cjson reads: where something was repaired stands U+FFFD.
local function string_of(text)
  local second -- where the second half of a pair begins
  text = text:gsub("()\\(.)(%x?%x?%x?%x?)()", function(at, char, hex, after)
    if char:find '["\\/bfnrt]' then
      return nil
    elseif char ~= "u" then
      return REPLACEMENT .. char .. hex
    elseif #hex < 4 or hex:find "^[dD][c-fC-F]" and at ~= second then
      return REPLACEMENT
    elseif hex:find "^[dD][89abAB]" then
      second = text:find("^\\u[dD][c-fC-F]%x%x", after) and after
      return not second and REPLACEMENT or nil
    end
  end)
  return (text:gsub("%z", REPLACEMENT))
end

-- Where a string ends that begins at `at`; nil where its end is missing.
local function end_of_string(text, at)
  repeat
    at = text:find('["\\]', at + 1)
    local escapes = at and text:byte(at) == BACKSLASH
    at = escapes and at + 1 or at
  until not escapes
  return at
end

-- As JavaScript, Python and the printf of Unix and Windows write them.
local no_numbers = { "^[+-]?nan$", "^[+-]?nan%(", "^[+-]?inf$",
  "^[+-]?infinity$", "^[+-]?1%.#" }

local function word_of(text)
  local lower = c_locale.lower(text)
  for _, pattern in ipairs(no_numbers) do
    if lower:find(pattern) then
      return "null"
    end
  end
  return text
end

local steps = { ["{"] = 1, ["["] = 1, ["}"] = -1, ["]"] = -1 }

-- The token that begins at `at`, and where it ends; nil where it is cut.
local function token_at(text, at)
  local first = text:sub(at, at)
  if first == '"' then
    local last = end_of_string(text, at)
    return last and string_of(text:sub(at, last)), last
  elseif steps[first] or first == "," or first == ":" then
    return first, at
  end
  local _, last = text:find('^[^%s"%[%]{},:]+', at)
  return word_of(text:sub(at, last)), last
end

-- The tokens of the first value of a text, in order. Also whether the value is
-- whole.
local function tokens_of(text)
  local tokens, depth, at = {}, 0, text:find "%S"
  for _ = 1, MOST_TOKENS do
    local token, last = nil, nil
    if at then
      token, last = token_at(text, at)
    end
    if not token then
      return tokens, false
    end
    local before = depth
    depth = depth + (steps[token] or 0)
    if depth <= DEEPEST and before <= DEEPEST then
      tokens[#tokens + 1] = token
    elseif depth == DEEPEST then
      tokens[#tokens + 1] = "null" -- for a value that was too deep
    end
    if depth <= 0 then
      return tokens, true
    end
    at = text:find("%S", last + 1)
  end
  return tokens, false
end

local function beginning(body)
  return (without_utf16(body:sub(1, MOST_BYTES)):gsub("^\239\187\191", ""))
end

local function is_utf8(text)
  return not text:gsub("[\194-\244][\128-\191]+", ""):find "[\128-\255]"
end

local function repaired(body)
  local text = beginning(body)
  local tokens, is_whole = tokens_of(text)
  local value = is_whole and json.decode(table.concat(tokens))
  if not value and not is_utf8(text) then
    tokens, is_whole = tokens_of(without_gbk(text))
    value = is_whole and json.decode(table.concat(tokens))
  end
  return value or nil, tokens
end

local id_names = { '^"id"', '^"projectId"' }

-- A number as an id becomes the text that came: as a float it would be rounded,
-- to the id of another task. So does any other id of more than 15 digits.
local function with_exact_ids(body)
  return (body:gsub('("%a*[iI]d"%s*:%s*)(-?%d[%w.+-]*)(%s*[,}])',
    function(name, number, after)
      local is_id = name:find(id_names[1]) or name:find(id_names[2])
      local is_long = #number > 15 and not number:find "%D"
      return (is_long or is_id and number:find "%D")
        and name .. '"' .. number .. '"' .. after or nil
    end))
end

local function has_number(object)
  return type(object) == "table" and (type(object.id) == "number"
    or type(object.projectId) == "number")
end

local function exact(value, is_rounded, text)
  if type(value) == "table" and (is_rounded or has_number(value)
    or has_number(value.data) or has_number(value.result)) then
    return json.decode(with_exact_ids(text)) or value
  end
  return value
end

--- Decode an answer.
-- @tparam string body
-- @return the value; nil where it cannot be read
-- @treturn ?string what is wrong with the text
function _M.decode(body)
  local value, problem, is_rounded = json.decode(body)
  if not problem then
    return exact(value, is_rounded, body)
  end
  local tokens
  value, tokens = repaired(body)
  return value and exact(value, true, table.concat(tokens)), problem
end

local function kind_of(token)
  local first = token and token:sub(1, 1)
  return steps[first] == 1 and "open" or steps[first] and "close"
    or first == '"' and "string" or (first == "," or first == ":") and first
    or first and "word"
end

-- Whether a string stands right beside another value: then quotes are missing or
-- too many, and nobody can tell what is within a string.
local function is_doubtful(before, kind)
  local ends = before == "string" or before == "word" or before == "close"
  local begins = kind == "string" or kind == "word" or kind == "open"
  return ends and begins and (before == "string" or kind == "string")
end

-- The text of a value; nil for one that is no text or number, or may be cut.
local function text_of(tokens, at)
  local token, after = tokens[at], kind_of(tokens[at + 1])
  if after ~= nil and after ~= "," and after ~= "close" then
    return nil
  elseif kind_of(token) == "string" then
    return (json.decode(token))
  end
  return after and token and token:match "^-?%d[%d.eE+-]*$"
end

-- Where the object begins that something else stands before: the warning of a
-- script, the words that keep others' pages from reading it, a stream of events.
local starts = { "^data: ?(){", "^[%w_$.]+%((){", "\n(){", "\ndata: ?(){" }

local function behind_junk(text)
  for _, pattern in ipairs(starts) do
    local at = text:match(pattern)
    if at then
      return text:sub(at)
    end
  end
end

local envelopes = { ['"data"'] = "data", ['"result"'] = "result" }

--- The fields that certainly stand at the top of an object, or in its `data` or
-- `result`, where the whole cannot be decoded: no object that is quoted in a text,
-- and none that is deeper.
-- @tparam string body
-- @treturn table by name: texts, `data` and `result`; empty where nothing is
--   certain
-- @treturn boolean whether something else stands before the object: then it may
--   be a quotation all the same
function _M.fields(body)
  local text = beginning(body)
  local rest = not text:find "^%s*[{%[]" and behind_junk(text)
  local tokens = tokens_of(rest or text)
  local found, braces, before = {}, 0, nil
  local object = found
  for at, token in ipairs(kind_of(tokens[1]) == "open" and tokens or {}) do
    local kind = kind_of(token)
    if is_doubtful(before, kind) then
      break
    elseif token == "{" then
      braces = braces + 1
      local name = braces == 2 and before == ":" and envelopes[tokens[at - 2]]
      object = braces == 1 and found or name and {} or nil
      if name then
        found[name] = object
      end
    elseif token == "}" then
      braces = braces - 1
      object = braces == 1 and found or nil
    elseif object and kind == "string" and tokens[at + 1] == ":"
      and (before == "," or before == "open") then
      local name = json.decode(token) or token
      object[name] = object[name] or text_of(tokens, at + 2)
    end
    before = kind
  end
  return found, rest and true or false
end

return _M
