-- Circles among files, each of which requires or includes the next. A header
-- and its source count as one.

local _M = {}

-- Goes on from the last file of a path.
local function follow(graph, path, state, found)
  local last = path[#path]
  state[last] = "open"
  for _, target in ipairs(graph[last] or {}) do
    path[#path + 1] = target
    if state[target] == "open" then
      found[#found + 1] = table.concat(path, " -> ")
    elseif not state[target] then
      follow(graph, path, state, found)
    end
    path[#path] = nil
  end
  state[last] = "done"
end

--- Find circles.
-- @tparam table graph from the name of each file a list of what it uses
-- @treturn table list of sentences
function _M.faults(graph)
  local names, state, found = {}, {}, {}
  for name in pairs(graph) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if not state[name] then
      follow(graph, { name }, state, found)
    end
  end
  return found
end

return _M
