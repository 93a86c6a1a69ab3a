--- The texts of a gateway's configuration of nginx: gateway.conf is what stands in
-- the block `http` of any nginx.conf, and nginx.conf an nginx around it.
-- @module starvideos.gateway.nginx.configuration

local file = require "starvideos.nginx.file"
local syntax = require "starvideos.nginx.syntax"

local _M = {}

local TEMPLATES = { ["gateway.conf"] = file.beside "gateway.conf",
  ["nginx.conf"] = file.beside "nginx.conf" }

--- Descriptors of each worker.
_M.OPEN_FILES = 8192

--- Write them.
-- @tparam table server `folder` (its files), `settings` (the folder of
--   settings.json; nil: the same), `listen` (address and port), `tls` (`cert` and
--   `key`, paths; nil: none), `trusted_proxies` (addresses and CIDRs; nil: none),
--   `lua_path` and `c_path` (of Lua's modules), `modules` (files to load), `workers`,
--   `user` and `group` (of the workers; nil: those of nginx), `open_files` (nil: as
--   many as it may)
-- @treturn table texts by the names of files; they lie in one folder
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
    texts[name] = syntax.fill(template, values)
  end
  return texts
end

return _M
