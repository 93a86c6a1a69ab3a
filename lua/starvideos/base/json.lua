-- JSON with settings of our own. lua-cjson keeps its settings per instance. This
-- instance is ours: the settings of the host's own cjson and ours do not affect each
-- other.

local c_locale = require "starvideos.base.c_locale"

local found, cjson = pcall(require, "cjson")
if not found then
  error("starvideos needs the Lua module cjson: luarocks install lua-cjson, or"
    .. " Debian's package lua-cjson", 0)
end

local _M = {}

-- Deeper than any answer of the provider, shallow enough that the recursion
-- below stays well inside the C stack and Lua's own limit.
local MAX_DEPTH = 100

local codec
local function renew_codec()
  codec = cjson.new()
  codec.decode_max_depth(MAX_DEPTH)
  codec.decode_invalid_numbers(false)
end
renew_codec()

-- A locale with a decimal comma makes one number of `1,2`. The sandbox in nginx
-- has no core, and no such locale.
local function call(fn, ...)
  local core = package.loaded["starvideos.core"]
  return (core and core.call_in_c_locale or pcall)(fn, ...)
end

local function decode_anew(text)
  renew_codec()
  return codec.decode(text)
end

-- cjson notes the decimal point when anybody in the process makes an instance: it
-- cannot read a fraction, and stops at its point, where that was done in another
-- locale.
local function decode(text)
  local ok, value = call(codec.decode, text)
  local at = not ok and tonumber(tostring(value):match "at character (%d+)$")
  if at and text:sub(math.max(1, at - 2), at + 1):find "%d%.%d" then
    ok, value = call(decode_anew, text)
    cjson.new() -- as the host's own instances need it
  end
  return ok, value
end

--- What to put into a table so that `encode` writes null.
_M.null = cjson.null

--- What to put into a table so that `encode` writes an empty list, `[]`.
_M.empty_list = setmetatable({}, { __newindex = function()
  error("the empty list stays empty", 2)
end })

local tointeger, null = math.tointeger, cjson.null

-- Where a float may not be the number that was written.
local MANY_DIGITS = 1e15

-- Makes plain Lua of a decoded table. cjson reads every number as a float, which
-- Lua 5.3 and later print as "5.0": whole ones become integers, as the sender
-- meant them. Its null is a userdata, which is true in a condition: it becomes
-- nil. Whether a number has many digits.
local function make_plain(decoded)
  local is_rounded = false
  for key, item in next, decoded do
    local kind = type(item)
    if kind == "number" then
      is_rounded = is_rounded or item >= MANY_DIGITS or item <= -MANY_DIGITS
      if tointeger then
        decoded[key] = tointeger(item) or item
      end
    elseif kind == "table" then
      is_rounded = make_plain(item) or is_rounded
    elseif item == null then
      decoded[key] = nil
    end
  end
  return is_rounded
end

local function plain(value)
  if type(value) == "table" then
    return value, nil, make_plain(value)
  elseif type(value) == "number" and tointeger then
    return tointeger(value) or value
  elseif value == null then
    return nil
  end
  return value
end

-- cjson counts bytes from the beginning, which nobody finds in a text of lines.
local function with_line(why, text)
  return (why:gsub("at character (%d+)$", function(at)
    local before = text:sub(1, at - 1)
    local lines = before:find("\n", 1, true) and before:match "^.*\n"
    return lines and ("at line %d, column %d"):format(
      select(2, lines:gsub("\n", "")) + 1, at - #lines) or nil
  end))
end

-- Decode a JSON text: one value, with nothing but blanks around it. Returns the value,
-- JSON null as nil wherever it stands; for the text `null` itself just nil, and why the
-- text could not be decoded, and where, and whether a number in a list or object has
-- more than 15 digits: it may have been rounded.
function _M.decode(text)
  local ok, value = decode(text)
  local nul = ok and type(text) == "string" and text:find("\0", 1, true)
  if ok and not nul then
    return plain(value)
  end
  -- To cjson a NUL is the end, whatever follows.
  local why = nul and "Expected the end but found a NUL at character " .. nul
    or tostring(value):gsub("^.-:%d+: ", "")
  return nil, with_line(why, text)
end

-- Up to this number a float can tell each whole number from the next one.
local LARGEST = 9007199254740991

local function fail(message, ...)
  error(message:format(...), 0)
end

local function is_list_index(key)
  return type(key) == "number" and key >= 1 and key % 1 == 0
end

-- Whether a number is certainly the one that the caller wrote: a whole number beyond
-- 2^53 - 1 may have been rounded.
function _M.is_exact(number)
  return number % 1 ~= 0 or number <= LARGEST and number >= -LARGEST
end

-- As many digits as are needed to read the same number back: cjson of many
-- systems writes 14 at most.
local function number_text(number)
  local integer = math.tointeger and math.tointeger(number)
  if integer then
    return ("%d"):format(integer)
  elseif number ~= number or number == math.huge or number == -math.huge then
    fail("JSON has no NaN and no infinity")
  elseif number % 1 == 0 and _M.is_exact(number) then
    return ("%.0f"):format(number)
  end
  for digits = 15, 17 do
    local text = c_locale.number("%." .. digits .. "g", number)
    if c_locale.tonumber(text) == number then
      return text
    end
  end
end

-- cjson writes every slash as "\\/", which makes URLs hard to read.
local function string_text(text)
  local json = codec.encode(text)
  return json:find("/", 1, true) and json:gsub("\\/", "/") or json
end

local write

local function write_list(list, count, depth)
  local items = {}
  for index = 1, count do
    items[index] = write(list[index], depth)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

-- Most names are words, which JSON writes as they are.
local function name_text(key)
  if type(key) == "string" and not key:find "[^%w_]" then
    return '"' .. key .. '"'
  elseif type(key) ~= "string" and type(key) ~= "number" then
    fail("the name of a field is a %s, not a text", type(key))
  end
  return string_text(type(key) == "number" and number_text(key) or key)
end

local function write_object(object, depth)
  local items = {}
  for key, value in pairs(object) do
    items[#items + 1] = name_text(key) .. ":" .. write(value, depth)
  end
  table.sort(items)
  return "{" .. table.concat(items, ",") .. "}"
end

-- How many items a list has; nil for what is not a list.
local function length_of(value)
  local count, largest = 0, 0
  for key in pairs(value) do
    if not is_list_index(key) then
      return nil
    end
    count, largest = count + 1, math.max(largest, key)
  end
  if largest > count then
    fail("a list has a hole: it has %d items, and the last one is number %.0f",
      count, largest)
  end
  return count > 0 and count or nil
end

local writers = {
  string = string_text,
  number = number_text,
  boolean = tostring,
  table = function(value, depth)
    if depth > MAX_DEPTH then
      fail("it is nested deeper than %d tables, or contains itself", MAX_DEPTH)
    end
    local count = length_of(value)
    return count and write_list(value, count, depth + 1)
      or write_object(value, depth + 1)
  end,
}

function write(value, depth)
  local writer = writers[type(value)]
  if value == _M.null then
    return "null"
  elseif value == _M.empty_list then
    return "[]"
  elseif not writer then
    fail("a %s cannot be written as JSON", type(value))
  end
  return writer(value, depth)
end

-- What to encode for a list: the list, or `empty_list` where it is empty.
function _M.list(list)
  return list[1] ~= nil and list or _M.empty_list
end

-- The name of a field. Raises where it is neither.
_M.name = name_text

-- Encode a Lua value. Objects have their names in order; numbers read back as the same
-- float. `value`: an empty table becomes `{}`: leave empty lists out, or put
-- `empty_list` in their place. Raises where the value cannot be written as JSON
-- (functions, cycles, NaN, lists with holes).
function _M.encode(value)
  return write(value, 1)
end

return _M
