-- The JSON of an answer. cjson reads what is right; where it refuses a text, this
-- repairs what gateways and other people's encoders are known to break, in one scan,
-- and asks it again. For the provider's answers alone: what a user writes is read
-- strictly.
--
-- Repaired are: a byte order mark, UTF-16, halves of surrogate pairs, unknown escapes,
-- NUL bytes, NaN and infinity (null), values nested too deep (null), and whatever
-- follows the first whole value.
--
-- Reading holds up the host, and an answer has as many bytes as `max_answer` allows. A
-- long answer is decoded where it has few values, and is not repaired: of one that
-- cannot be decoded so, the fields at its top are read.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"

local _M = {}

-- Longer answers are not repaired. No answer in the provider's documents has 2,000
-- bytes or 100 values.
local SHORT = 16 * 1024
local MOST_VALUES, MOST_TOKENS = 8000, 3000
-- Bytes that are read of a text, and of anything else.
local MOST_TEXT, MOST_WORD = 4096, 256
-- That are looked at in one text, and before one quote.
local MOST_QUOTES, MOST_ESCAPES = 4000, 64
-- Deeper than any answer of the provider; cjson reads a hundred.
local DEEPEST = 64

local REPLACEMENT = "\239\191\189" -- U+FFFD
local QUOTE, BACKSLASH = 34, 92

-- Turns UTF-16 into ASCII with escapes. Its first character is ASCII.
local function without_utf16(text)
  local marked = text:find "^\255\254" or text:find "^\254\255"
  local is_big = text:find "^\254\255" or text:find "^%z[^%z]"
  if not is_big and not text:find "^\255\254" and not text:find "^[^%z]%z" then
    return text
  end
  return (text:sub(marked and 3 or 1, SHORT):gsub("(.)(.)", function(one, two)
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

-- Whether the quote at a place of a text is no end but escaped.
local function is_escaped(text, at)
  local first = at
  while first > 1 and at - first < MOST_ESCAPES
    and text:byte(first - 1) == BACKSLASH do
    first = first - 1
  end
  return (at - first) % 2 == 1
end

-- Where a string ends that begins at `at`; nil where its end is missing.
local function end_of_string(text, at, most)
  for _ = 1, most do
    at = text:find('"', at + 1, true)
    if not at or not is_escaped(text, at) then
      return at
    end
  end
end

local steps = { ["{"] = 1, ["["] = 1, ["}"] = -1, ["]"] = -1 }

-- The token that begins at `at`, and where it ends; a string without an end is left
-- out.
local function token_at(text, at, most_quotes)
  local first = text:sub(at, at)
  if first == '"' then
    local last = end_of_string(text, at, most_quotes)
    return last and text:sub(at, last), last
  elseif steps[first] or first == "," or first == ":" then
    return first, at
  end
  local word = text:sub(at, at + MOST_WORD):match '^[^%s"%[%]{},:]+'
  return word, at + #word - 1
end

-- The tokens of the first value of a text, in order: all of them, or as many as are
-- soon read. Also whether the value is whole, and the string that is cut at the end.
local function tokens_of(text, all)
  local tokens, depth, at = {}, 0, text:find "%S"
  local most_quotes = all and #text or MOST_QUOTES
  for _ = 1, all and #text or MOST_TOKENS do
    local token, last = nil, nil
    if at then
      token, last = token_at(text, at, most_quotes)
    end
    if not token then
      return tokens, false, at and text:sub(at)
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
  return (without_utf16(body):gsub("^\239\187\191", ""))
end

local function is_utf8(text)
  return not text:gsub("[\194-\244][\128-\191]+", ""):find "[\128-\255]"
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

local function value_of(tokens)
  for at, token in ipairs(tokens) do
    tokens[at] = token:byte() == QUOTE and string_of(token)
      or not steps[token] and word_of(token) or token
  end
  return json.decode(table.concat(tokens))
end

local function repaired(body)
  local text = beginning(body)
  local tokens, is_whole = tokens_of(text)
  local value = is_whole and value_of(tokens)
  if not value and not is_utf8(text) then
    tokens, is_whole = tokens_of(without_gbk(text))
    value = is_whole and value_of(tokens)
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

-- What the end of a text may be missing from.
local may_be_cut = { error = true, message = true, msg = true }

local function text_in(token)
  return json.decode(token) or json.decode(string_of(token))
end

-- The value of a field; nil for one that is no text or number, or may be cut. Of a
-- reason the beginning is enough.
local function field_of(name, tokens, at, cut)
  local token = tokens[at] or at == #tokens + 1 and cut
  local after = kind_of(tokens[at + 1])
  if not token or after ~= nil and after ~= "," and after ~= "close" then
    return nil
  elseif token:byte() ~= QUOTE then
    local number = after and token:match "^-?%d[%d.eE+-]*$"
    return name:find "[iI]d$" and number or c_locale.tonumber(number)
  elseif tokens[at] and #token <= MOST_TEXT then
    return text_in(token)
  end
  return may_be_cut[name]
    and text_in(token:sub(1, MOST_TEXT):gsub('[\\"]+$', "") .. '"') or nil
end

-- Where the object begins that something else stands before: the warning of a
-- script, the words that keep others' pages from reading it, a stream of events.
local starts = { "^data: ?(){", "^[%w_$.]+%((){", "\n(){", "\ndata: ?(){" }

local function behind_junk(text)
  for _, pattern in ipairs(starts) do
    local at = text:sub(1, MOST_TEXT):match(pattern)
    if at then
      return text:sub(at)
    end
  end
end

local fields_of_a_task = { id = true, projectId = true, object = true, created = true,
  model = true, status = true, progress = true, video_url = true, url = true,
  actualDuration = true, amount = true, code = true, error = true, message = true, msg = true }
local objects = { data = true, result = true, error = true }

-- The name that a token is of a field at the top, or in one of the objects there.
local function name_at(tokens, at)
  local name = tokens[at + 1] == ":" and #tokens[at] <= MOST_WORD
    and (tokens[at]:match '^"([%w_]*)"$' or text_in(tokens[at]))
  return (fields_of_a_task[name] or objects[name]) and name
end

-- The fields that certainly stand at the top of an object, or in its `data`, `result`
-- or `error`, where the whole cannot be decoded: no object that is quoted in a text,
-- and none that is deeper. `all`: whether a long text is read to its end, however long
-- that takes: no id of an order may be missed (default false). Returns by name: those
-- of a task, and `data`, `result` and `error`; empty where nothing is certain, and
-- whether something else stands before the object: then it may be a quotation all the
-- same, and whether it stands in a list, which is no answer.
function _M.fields(body, all)
  local text = beginning(body)
  local first = text:sub(1, SHORT):find "%S"
  if not first then
    return {}, false, false
  end
  local rest = not text:find("^[{%[]", first) and behind_junk(text)
  local tokens, _, cut = tokens_of(rest or text, all)
  local found, open, before = {}, {}, nil
  for at, token in ipairs(kind_of(tokens[1]) == "open" and tokens or {}) do
    local kind, object = kind_of(token), open[#open]
    if is_doubtful(before, kind) then
      break
    elseif token == "{" then
      local name = object and before == ":" and name_at(tokens, at - 2)
      open[#open + 1] = #open == 0 and found
        or objects[name] and not object[name] and {} or false
      if open[#open] and name then
        object[name] = open[#open]
      end
    elseif token == "}" then
      open[#open] = nil
    elseif object and kind == "string" and (before == "," or before == "open") then
      local name = name_at(tokens, at)
      if name then
        object[name] = object[name] or field_of(name, tokens, at + 2, cut)
      end
    end
    before = kind
  end
  return found, rest and true or false, tokens[1] == "["
end

-- An id of a long text is found where it stands at the top: to look for others, and
-- to decode it again, would take too long.
local function exact(value, is_rounded, text)
  if type(value) ~= "table" or not (is_rounded or has_number(value)
    or has_number(value.data) or has_number(value.result)) then
    return value
  elseif #text <= SHORT then
    return json.decode(with_exact_ids(text)) or value
  end
  local found = _M.fields(text)
  for at, object in pairs { top = value, data = value.data, result = value.result } do
    local source = at == "top" and found or found[at]
    for _, name in ipairs { "id", "projectId" } do
      if type(object) == "table" and type(object[name]) == "number"
        and type(source) == "table" then -- a name that comes twice has two values
        object[name] = source[name] or object[name]
      end
    end
  end
  return value
end

-- Whether a long text ends as a whole one, and has few values, so that they are soon
-- made.
local function is_soon_read(text)
  local values = 0
  for mark in ("{[,"):gmatch "." do
    local at = text:find(mark, 1, true)
    while at and values < MOST_VALUES do
      values, at = values + 1, text:find(mark, at + 1, true)
    end
  end
  return values < MOST_VALUES and text:find("[%]}]%s*$", -MOST_ESCAPES) ~= nil
end

-- Decode an answer. Returns the value; nil where it cannot be read, and what is wrong
-- with the text, and whether the value has only what `fields` found.
function _M.decode(body)
  local is_short = #body <= SHORT
  local value, problem, is_rounded = nil, "too long", nil
  if is_short or is_soon_read(body) then
    value, problem, is_rounded = json.decode(body)
  end
  if not problem then
    return exact(value, is_rounded, body)
  elseif is_short then
    local tokens
    value, tokens = repaired(body)
    return value and exact(value, true, table.concat(tokens)), problem
  end
  local fields, is_behind, is_list = _M.fields(body)
  return not is_behind and not is_list and next(fields) and fields or nil, problem, true
end

return _M
