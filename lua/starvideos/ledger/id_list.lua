--- A list of task ids in one column, a line each: no id has a line break.
-- @module starvideos.ledger.id_list

local _M = {}

--- The ids of a column.
-- @param text
-- @treturn table list, empty where the column holds none
function _M.read(text)
  local ids = {}
  for id in (type(text) == "string" and text or ""):gmatch "[^\n]+" do
    ids[#ids + 1] = id
  end
  return ids
end

--- The column with one more id.
-- @param text
-- @tparam string id
-- @treturn string
function _M.with(text, id)
  local ids = _M.read(text)
  for _, known in ipairs(ids) do
    if known == id then
      return text
    end
  end
  ids[#ids + 1] = id
  return table.concat(ids, "\n")
end

return _M
