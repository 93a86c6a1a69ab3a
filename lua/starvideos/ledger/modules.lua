--- What another Lua state of this process needs to have the modules that ours
-- has: their code, wherever the host has it from (a file, the archive of a game),
-- and its paths for the rest. The other state opens no file of Lua's: when it is
-- made the host may be in another root, or have no descriptor left.
-- @module starvideos.ledger.modules

local core = require "starvideos.core"
local paths = require "starvideos.base.path"

local _M = {}

-- The modules that an actor requires and that are written in Lua.
_M.names = { "DBI", "starvideos.provider.address", "starvideos.base.c_locale",
  "starvideos.base.json", "starvideos.base.redact", "starvideos.base.utf8" }
for name in (
  "changes database executor history lease"
  .. " limit_kinds limit_rows limit_settings limits location manual_changes methods"
  .. " orders owner queue queue_stops requests restoration schema sessions states"
  .. " store tasks"
  .. " transitions untold workers"
  ):gmatch "%S+" do
  _M.names[#_M.names + 1] = "starvideos.ledger." .. name
end

-- Upvalues that the chunk of a module may have: from Lua 5.2 on its environment.
local UPVALUES = _VERSION == "Lua 5.1" and 0 or 1

-- For a program that changes its directory before they are loaded. Lua opens a
-- module by the code page on Windows: there a name that is not ASCII stays away.
local function absolute(path)
  local here = core.directory()
  local is_safe = here and (core.system() == "posix"
    or not here:find "[\128-\255]")
  return is_safe and (path:gsub("[^;]+", function(template)
    return not paths.is_absolute(template) and here .. "/" .. template or nil
  end)) or path
end

local function file_of(name, path)
  for template in path:gmatch "[^;]+" do
    local file_name = template:gsub("%?", (name:gsub("%.", "/")))
    local file = io.open(file_name, "rb")
    if file then
      file:close()
      return file_name
    end
  end
end

-- The code that `require` would load; nil where it is none of Lua. A host may have
-- taken `debug` away.
local function code_of(name)
  for _, searcher in ipairs(package.searchers or package.loaders) do
    local found, loader = pcall(searcher, name)
    if found and type(loader) == "function" then
      local info = debug and debug.getinfo(loader, "Su")
      local ours = not info or info.what ~= "C" and info.nups <= UPVALUES
      local dumped, code = pcall(string.dump, loader)
      return ours and dumped and code or nil
    end
  end
end

-- What the other state looks for later it finds in no folder that the host has only
-- entered.
local function without_relative(path)
  return (path:gsub("[^;]+", function(template)
    return not paths.is_absolute(template) and "" or nil
  end))
end

-- The modules in C, where the host finds them.
local libraries = { "cjson", "starvideos.core", "dbd.sqlite3",
  "dbd.postgresql" }

--- What the other state needs.
-- @treturn table plain data for `starvideos.ledger.modules.source`
function _M.here()
  local cpath = absolute(package.cpath)
  local code, files = {}, {}
  for _, name in ipairs(_M.names) do
    code[name] = code_of(name)
  end
  for _, name in ipairs(libraries) do
    files[name] = file_of(name, cpath)
  end
  return { path = without_relative(package.path),
    cpath = without_relative(package.cpath), code = code, files = files }
end

--- The first chunk of the other state: takes a table with `modules`, of `here`,
-- and the arguments of `starvideos.ledger.executor`.
_M.source = [[
local setup = ...
local modules = setup.modules
package.path, package.cpath = modules.path, modules.cpath
for name, code in pairs(modules.code) do
  package.preload[name] = assert((loadstring or load)(code, "=" .. name))
end
for name, file in pairs(modules.files) do
  package.preload[name] = function(...)
    return assert(package.loadlib(file, "luaopen_" .. name:gsub("%.", "_")))(...)
  end
end
return require "starvideos.ledger.executor" (setup.options, setup.retry)
]]

return _M
