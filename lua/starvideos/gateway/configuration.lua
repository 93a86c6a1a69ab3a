-- The texts of a gateway's configuration of nginx: gateway.conf is what stands in the
-- block `http` of any nginx.conf, and nginx.conf an nginx around it; where nginx, which
-- runs LuaJIT, finds this library; and a unit of systemd for it.

local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local launcher = require "starvideos.nginx.launcher"

local _M = {}

local TEMPLATES = { ["gateway.conf"] = file.beside "gateway.conf",
  ["nginx.conf"] = file.beside "nginx.conf" }

--- Descriptors of each worker.
_M.OPEN_FILES = 8192

-- Write them. `server`: `folder` (its files), `settings` (the folder of settings.json;
-- nil: the same), `listen` (address and port), `tls` (`cert` and `key`, paths; nil:
-- none), `trusted_proxies` (addresses and CIDRs; nil: none), `lua_path` and `c_path`
-- (of Lua's modules), `modules` (files to load), `workers`, `user` and `group` (of the
-- workers; nil: those of nginx), `open_files` (nil: as many as it may). Returns texts
-- by the names of files; they lie in one folder.
function _M.texts(server)
  local tls, texts = server.tls, {}
  -- Not all of `server`, which may have the provider's key as well.
  local values = { folder = server.folder, settings = server.settings or server.folder,
    listen = not tls and server.listen, tls_listen = tls and server.listen,
    cert = tls and tls.cert, cert_key = tls and tls.key,
    trusted_proxies = server.trusted_proxies, lua_path = server.lua_path,
    c_path = server.c_path, modules = server.modules, workers = server.workers,
    user = server.user, group = server.group, open_files = server.open_files }
  for name, template in pairs(TEMPLATES) do
    texts[name] = file.fill_template(template, values)
  end
  return texts
end

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
  return (path:gsub("/starvideos/gateway/[^/]*$", ""))
end

-- The first template by which a module is found.
local function found_by(templates, name)
  for _, template in ipairs(templates) do
    if file.exists((template:gsub("%?", name))) then
      return template
    end
  end
end

-- The search paths for nginx. Returns paths: `lua` and `c`, for `lua_package_path` and
-- `lua_package_cpath`; `files`: some of the library's, for its account to read, and
-- what is missing, and what to do.
function _M.search_paths()
  local own, usual_lua, usual_c = own_folder(), launcher.paths()
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

local TEMPLATE = file.beside "starvideos-gateway.service"

local STATE = "/var/lib/"

local function is_in_home(path)
  return path:find "^/home/" or path:find "^/root/"
end

-- Write it. `service`: `configuration` (the folder of nginx.conf), `folder` (of the
-- gateway's files), `ledger_folder` (nil: its ledger is no file), `nginx` (the
-- program), `user`, `port`, `files` (descriptors), `library` (a path of it).
function _M.unit(service)
  local folder, other = service.folder, service.ledger_folder
  return file.fill_template(TEMPLATE, { configuration = service.configuration,
    folder = folder, ledger_folder = other ~= folder and other,
    nginx = service.nginx, user = service.user, files = service.files,
    -- systemd makes what lies there, for the account of the unit.
    state = folder:match("^" .. STATE .. "([%w_.-]+)$"),
    is_low = service.port < 1024,
    home = is_in_home(service.library) and "read-only" or "yes" })
end

return _M
