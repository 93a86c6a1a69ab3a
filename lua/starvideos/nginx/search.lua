--- Where nginx's Lua, a LuaJIT, looks for modules. What its own default has beside
-- these begins with the folder that it runs in, where others may have put a file.
-- @module starvideos.nginx.search

local shell = require "starvideos.nginx.shell"

local _M = {}

-- Of packages of the systems (Debian's lib has a folder for each architecture),
-- and of OpenResty.
local LUA = "/usr/local/share/lua/5.1 /usr/share/lua/5.1 /usr/share/lua/common"
  .. " /usr/share/luajit-2.* /usr/local/openresty/site/lualib"
  .. " /usr/local/openresty/lualib"
local C = "/usr/local/lib/lua/5.1 /usr/lib/*/lua/5.1 /usr/lib64/lua/5.1"
  .. " /usr/lib/lua/5.1 /usr/local/openresty/site/lualib"
  .. " /usr/local/openresty/lualib"

local function templates(folders, forms)
  local list = {}
  for folder in shell.read("for folder in " .. folders
    .. "; do [ ! -d $folder ] || echo $folder; done"):gmatch "[^\n]+" do
    for _, form in ipairs(forms) do
      list[#list + 1] = folder .. form
    end
  end
  return table.concat(list, ";")
end

--- The system's.
-- @treturn string for `lua_package_path`
-- @treturn string for `lua_package_cpath`
function _M.paths()
  return templates(LUA, { "/?.lua", "/?/init.lua" }), templates(C, { "/?.so" })
end

return _M
