-- A local bears the name of the module it requires, or its plural where the
-- singular is the thing itself: so a search for the name finds all uses. What is
-- taken out of a module at once bears its own name.

local _M = {}

--- What is wrong with one file.
-- @tparam string path of a Lua file
-- @tparam string text what it holds
-- @treturn table list of sentences
function _M.faults(path, text)
  local list = {}
  local pattern = "\nlocal ([%w_]+) = require[%s(]*[\"'](starvideos[%w_.]*)"
    .. "[\"']%)?([%w_.]*)"
  for name, module, part in ("\n" .. text):gmatch(pattern) do
    local last = (module .. part):match "[^.]*$"
    if name ~= last and not (name == last .. "s" or name == last:gsub("y$", "ies")) then
      list[#list + 1] = ("%s calls %s %s, not %s"):format(path,
        module .. part, name, last)
    end
  end
  return list
end

return _M
