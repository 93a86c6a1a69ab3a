-- The part in C, which must be found before all else: where it is not, the error says
-- what to do.

local c_locale = require "starvideos.base.c_locale"

-- The files that a failed require has looked for, of those a system can load.
local function files_in(problem)
  local files = {}
  for name in problem:gmatch "no file '([^'\n]*core%.%a+)'" do
    files[#files + 1] = not name:find "%.lua$" and name or nil
  end
  return files
end

-- LÖVE's games are often archives, from which no system loads a library.
local function sentence(problem)
  local lua = rawget(_G, "jit") and "luajit" or c_locale.lower(_VERSION):gsub(" ", "")
  local files = files_in(problem)
  local looked = files[1] and "; looked for " .. table.concat(files, ", ") or ""
  local archive = rawget(_G, "love") and "; a library inside a .love file"
    .. " cannot be loaded: put it into one of these places" or ""
  return ("starvideos.core was not found for this Lua (%s%s%s): make LUA=%s"
    .. ' builds it, eval "$(make -s env LUA=%s)" lets it be found'):format(
    problem:match "^[^\n]*", looked, archive, lua, lua)
end

local found, core = pcall(require, "starvideos.core")
if not found then
  error(sentence(tostring(core)), 0)
end

return core
