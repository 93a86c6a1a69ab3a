--- Looks for the secrets of answers.lua in whatever a program can get at. Half
-- of one gives it away too.

local answers = require "spec.faults.answers"

local _M = {}

local PIECE = 8

local pieces = {}
for _, secret in ipairs { answers.key, answers.signature } do
  for start = 1, #secret - PIECE + 1, PIECE do
    pieces[#pieces + 1] = secret:sub(start, start + PIECE - 1)
  end
end

local function in_text(text, place, found)
  for _, piece in ipairs(pieces) do
    if text:find(piece, 1, true) then
      found[#found + 1] = place
      return
    end
  end
end

local look

local function in_table(value, place, found, seen)
  if seen[value] then
    return
  end
  seen[value] = true
  for key, item in pairs(value) do
    look(key, place .. " (a key)", found, seen)
    look(item, place .. "." .. tostring(key), found, seen)
  end
end

function look(value, place, found, seen)
  if type(value) == "table" then
    in_table(value, place, found, seen)
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and type(value) ~= "string" then
    in_table(meta, place .. " (its metatable)", found, seen)
  end
  in_text(tostring(value), place, found)
end

--- The places in a value, however deep, where a secret can be read.
-- @param value anything
-- @tparam[opt="it"] string place what to call the value
-- @treturn table list of texts
function _M.places(value, place)
  local found = {}
  look(value, place or "it", found, {})
  return found
end

return _M
