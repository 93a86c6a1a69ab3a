--- JSON with settings of our own.
-- lua-cjson keeps its settings per instance; this one is ours, so nothing
-- here changes how the host's own cjson behaves, nor the reverse.
-- @module starvideos.json

local found, cjson = pcall(require, "cjson")
if not found then
  error("starvideos needs the Lua module cjson: luarocks install lua-cjson, or"
    .. " Debian's package lua-cjson", 0)
end

local _M = {}

-- Deeper than any answer of the provider, shallow enough that the recursion
-- below stays well inside the C stack and Lua's own limit.
local MAX_DEPTH = 100

local codec = cjson.new()
codec.decode_max_depth(MAX_DEPTH)
codec.decode_invalid_numbers(false)
codec.encode_invalid_numbers(false)
codec.encode_number_precision(14)
codec.encode_sparse_array(false, 1, 1)

--- What to put into a table so that `encode` writes null.
_M.null = cjson.null

-- What becomes of a decoded value, by its type; the others stay as they are.
-- cjson reads every number as a float, which Lua 5.3 and later print as "5.0":
-- whole ones become integers, as the sender meant them. Its null is a
-- userdata, hence true in a condition: it is taken out before anybody can trip
-- over it.
local plain = {
  number = math.tointeger and function(number)
    return math.tointeger(number) or number
  end,
  userdata = function()
    return nil
  end,
}

function plain.table(value)
  for key, item in pairs(value) do
    local change = plain[type(item)]
    if change then
      value[key] = change(item)
    end
  end
  return value
end

--- Decode a JSON text.
-- @tparam string text
-- @return the value, JSON null as nil wherever it stands; for the text
--   `null` itself just nil
-- @treturn ?string why the text could not be decoded
function _M.decode(text)
  local ok, value = pcall(codec.decode, text)
  if not ok then
    return nil, (tostring(value):gsub("^.-:%d+: ", ""))
  end
  local change = plain[type(value)]
  if change then
    return change(value)
  end
  return value
end

--- Encode a Lua value.
-- @param value an empty table becomes `{}`: leave empty lists out
-- @treturn string JSON
-- @raise where the value cannot be written as JSON (functions, cycles, NaN)
function _M.encode(value)
  -- cjson writes every slash as "\\/", which makes URLs hard to read.
  return (codec.encode(value):gsub("\\/", "/"))
end

return _M
