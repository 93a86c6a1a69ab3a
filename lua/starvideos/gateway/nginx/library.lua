--- Where nginx, which runs LuaJIT, finds this library and what it needs: beside
-- what the Lua that asks has found.
-- @module starvideos.gateway.nginx.library

local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local search = require "starvideos.nginx.search"

local _M = {}

local MISSING = "nginx runs LuaJIT, for which the C part of this library is not"
  .. " there (looked for %s): make LUA=luajit builds it in a checkout, make"
  .. " install LUA=luajit installs it"

-- Of what lies in a folder for one Lua, the same in that for LuaJIT beside it: in
-- the build of a checkout, and where modules are installed.
local function for_luajit(path)
  if rawget(_G, "jit") then
    return path
  end
  local built, in_build = path:gsub("/lua5%.%d/", "/luajit/")
  local installed, is_installed = path:gsub("/lua/5%.%d/", "/lua/5.1/")
  return in_build > 0 and built or is_installed > 0 and installed or nil
end

-- The folders of a search path that are LuaJIT's too, and the system's. Not those
-- that depend on where a program is called: nginx's master runs as root.
local function folders(own, usual)
  local list, known = {}, {}
  local function add(folder)
    list[#list + 1] = not known[folder] and folder or nil
    known[folder] = true
  end
  for template in own:gmatch "[^;]+" do
    local folder = template:find "^/" and for_luajit(template)
    if folder then
      add(folder)
    end
  end
  for folder in usual:gmatch "[^;]+" do
    add(folder)
  end
  return list
end

local function own_folder()
  local source = debug.getinfo(1, "S").source:gsub("^@", "")
  local path = source:find "^/" and source
    or core.directory() .. "/" .. source:gsub("^%./", "")
  return (path:gsub("/starvideos/gateway/nginx/[^/]*$", ""))
end

-- The first template by which a module is found.
local function found_by(templates, name)
  for _, template in ipairs(templates) do
    if file.exists((template:gsub("%?", name))) then
      return template
    end
  end
end

--- The search paths for nginx.
-- @treturn ?table paths: `lua` and `c`, for `lua_package_path` and
--   `lua_package_cpath`; `files`: some of the library's, for its account to read
-- @treturn ?string what is missing, and what to do
function _M.paths()
  local own, usual_lua, usual_c = own_folder(), search.paths()
  local c = folders(package.cpath, usual_c)
  local template = found_by(c, "starvideos/core")
  local files = { own .. "/starvideos/init.lua" }
  for _, name in ipairs { "core", "curl" } do
    local path = (template or c[1] or "?.so"):gsub("%?", "starvideos/" .. name)
    if not file.exists(path) then
      return nil, MISSING:format(path)
    end
    files[#files + 1] = path
  end
  local lua = folders(package.path, usual_lua)
  table.insert(lua, 1, own .. "/?.lua;" .. own .. "/?/init.lua")
  return { lua = table.concat(lua, ";"), c = table.concat(c, ";"),
    files = files }
end

return _M
