--- The text of nginx.conf.
-- @module starvideos.sandbox.nginx.configuration

local file = require "starvideos.nginx.file"
local search = require "starvideos.nginx.search"
local syntax = require "starvideos.nginx.syntax"

local _M = {}

local TEMPLATE = file.beside "sandbox.conf"

-- More than the descriptors that a worker can have open; see `worker`.
_M.connections = 4096

--- Write it.
-- @tparam table server `port`, `media_port`, `tls`, `workers`, `max_body` in
--   bytes, `memory` in nginx's notation, `modules`: files to load
-- @treturn string
function _M.text(server)
  local lua_path, c_path = search.paths()
  return syntax.fill(TEMPLATE, { port = server.port, media_port = server.media_port,
    plain = not server.tls, tls = server.tls, workers = server.workers,
    max_body = server.max_body, memory = server.memory, modules = server.modules,
    connections = _M.connections, lua_path = lua_path, c_path = c_path })
end

return _M
