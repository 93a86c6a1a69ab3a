--- Where nginx lies, and where its Lua, a LuaJIT, looks for modules. What its own default
-- has beside these begins with the folder that it runs in, where others may have put a
-- file.
-- @module starvideos.nginx.search

local file = require "starvideos.nginx.file"
local shell = require "starvideos.nginx.shell"

local _M = {}

--- What a shell command begins with that starts nginx, which is not on the path of
-- ordinary users.
_M.PATH = 'PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"\n'

local MODULE_DIRECTORIES = {
  "/usr/lib/nginx/modules/", "/usr/share/nginx/modules/",
  "/usr/lib64/nginx/modules/", "/usr/local/lib/nginx/modules/",
}
-- The first is what the second is built on.
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

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

--- The files of nginx's Lua module, in the order to load them in.
-- @treturn ?table paths; nil where something is not installed
-- @treturn ?string what is missing
function _M.modules()
  if not shell.run(_M.PATH .. "command -v nginx >/dev/null") then
    return nil, "nginx is not installed: install the package nginx"
  end
  for _, directory in ipairs(MODULE_DIRECTORIES) do
    if file.exists(directory .. MODULES[2]) then
      local found = {}
      for _, name in ipairs(MODULES) do
        found[#found + 1] = file.exists(directory .. name)
          and directory .. name or nil
      end
      return found
    end
  end
  return nil, "nginx has no Lua module: install the package "
    .. "libnginx-mod-http-lua"
end

--- The system's.
-- @treturn string for `lua_package_path`
-- @treturn string for `lua_package_cpath`
function _M.paths()
  return templates(LUA, { "/?.lua", "/?/init.lua" }), templates(C, { "/?.so" })
end

return _M
