-- A local bears the name of the module it requires, or its plural where the
-- singular is the thing itself: so a search for the name finds all uses.

local _M = {}

--- What is wrong with one file.
-- @tparam string path of a Lua file
-- @tparam string text what it holds
-- @treturn table list of sentences
function _M.faults(path, text)
  local list = {}
  local pattern = "local ([%w_]+) = require[%s(]*[\"'](starvideos[%w_.]*)[\"']"
  for name, module in ("\n" .. text):gmatch("\n" .. pattern) do
    local last = module:match "[^.]*$"
    if name ~= last and name ~= last .. "s" then
      list[#list + 1] = ("%s calls %s %s, not %s"):format(path, module, name,
        last)
    end
  end
  return list
end

return _M
