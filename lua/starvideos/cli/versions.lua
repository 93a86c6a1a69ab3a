--- Which versions of what the library consists of are in use.
-- @module starvideos.cli.versions

local starvideos = require "starvideos"

local _M = {}

-- LuaJIT calls itself Lua 5.1 elsewhere.
local function lua_version()
  local jit = rawget(_G, "jit")
  local version = _VERSION:gsub("^Lua ", "")
  return jit and ("%s (%s)"):format(version, jit.version) or version
end

local function module_version(name, key)
  local found, module = pcall(require, name)
  return found and (type(module) == "table" and module[key]
    and tostring(module[key]) or "of unknown version") or nil
end

--- The libcurl that is in use.
-- @treturn ?string its version; nil where the part in C that needs it cannot be
--   loaded
-- @treturn ?string what does TLS for it; or why it cannot be loaded
function _M.libcurl()
  local found, curl = pcall(require, "starvideos.curl")
  if not found then
    return nil, tostring(curl):match "^[^\n]*"
  end
  local version, tls = curl.version():match "^libcurl/(%S+) (%S+)"
  return version or curl.version(), tls and not tls:find "^zlib" and tls or nil
end

--- The versions.
-- @treturn table a list of `name` and `version`; nil where it is not there, or
--   cannot be loaded
function _M.list()
  local libcurl, tls = _M.libcurl()
  return {
    { name = "starvideos", version = starvideos._VERSION },
    { name = "Lua", version = lua_version() },
    { name = "libcurl", version = libcurl and libcurl .. " with "
      .. (tls or "no TLS") },
    { name = "lua-cjson", version = module_version("cjson", "_VERSION") },
    { name = "argparse", version = module_version("argparse", "version") },
    { name = "LuaDBI", version = module_version("DBI", "_VERSION") },
  }
end

--- The same for people, a line each.
-- @treturn string
function _M.text()
  local lines = {}
  for index, row in ipairs(_M.list()) do
    lines[index] = ("%s %s"):format(row.name, row.version or "not found")
  end
  return table.concat(lines, "\n")
end

return _M
