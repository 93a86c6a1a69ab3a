-- How heavy the house is: files, lines a folder, modules with one user and short
-- ones. A file of more than 600 lines has two subjects, and is a fault.

local _M = {}

local LONGEST, SHORT = 600, 60

local function folder_of(path)
  return path:match "^(lua/starvideos/[^/]+)/" or path:match "^(csrc/[^/]+)/"
    or path:match "^(.*)/"
end

--- What is wrong with one file.
-- @tparam string path
-- @tparam string text what it holds
-- @treturn table list of sentences
function _M.faults(path, text)
  local _, lines = text:gsub("\n", "")
  return lines > LONGEST
    and { ("%s has %d lines, more than %d"):format(path, lines, LONGEST) } or {}
end

--- The totals of a tree.
-- @tparam table texts by path
-- @tparam table graph from each file, endings of C taken away, a list of what it uses
-- @treturn table list of lines to print
function _M.totals(texts, graph)
  local folders, users, report = {}, {}, {}
  local sums = { lua = { files = 0, lines = 0 }, c = { files = 0, lines = 0 } }
  local alone, short = 0, 0
  for path, text in pairs(texts) do
    local _, lines = text:gsub("\n", "")
    local sum = sums[path:find "%.lua$" and "lua" or "c"]
    local folder = folder_of(path)
    folders[folder] = folders[folder] or { files = 0, lines = 0 }
    for _, entry in ipairs { sum, folders[folder] } do
      entry.files, entry.lines = entry.files + 1, entry.lines + lines
    end
    if sum == sums.lua and lines < SHORT then
      short = short + 1
    end
  end
  for user, list in pairs(graph) do
    local seen = { [user] = true }
    for _, used in ipairs(list) do
      if not seen[used] then
        seen[used], users[used] = true, (users[used] or 0) + 1
      end
    end
  end
  for path in pairs(texts) do
    alone = alone + (path:find "%.lua$" and users[path] == 1 and 1 or 0)
  end
  for folder, entry in pairs(folders) do
    report[#report + 1] = ("%-26s%4d files%7d lines"):format(folder, entry.files,
      entry.lines)
  end
  table.sort(report)
  for _, name in ipairs { "lua", "c" } do
    report[#report + 1] = ("%-26s%4d files%7d lines"):format("all of " .. name,
      sums[name].files, sums[name].lines)
  end
  report[#report + 1] = ("modules with one user: %d; of fewer than %d lines: %d")
    :format(alone, SHORT, short)
  return report
end

return _M
