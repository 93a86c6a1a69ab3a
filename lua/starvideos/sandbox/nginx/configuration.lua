--- The text of nginx.conf.
-- Paths are relative to the prefix directory, or the system's own, so that no path
-- of a user has to be quoted for nginx.
-- @module starvideos.sandbox.nginx.configuration

local search = require "starvideos.nginx.search"

local _M = {}

local TEXT = [[
@modules@
pid nginx.pid;
error_log logs/error.log warn;
worker_processes @workers@;
events { worker_connections @connections@; }
http {
  access_log off;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  client_max_body_size @max_body@;
  client_body_buffer_size @max_body@;
  keepalive_requests 1000000;
  reset_timedout_connection on;
  @tls@
  lua_package_path "$prefix/lua/?.lua;$prefix/lua/?/init.lua;@lua_path@";
  lua_package_cpath "@c_path@";
  lua_shared_dict sandbox @memory@;
  lua_check_client_abort on;
  init_by_lua_block { require("starvideos.sandbox.nginx.worker").load() }
  init_worker_by_lua_block { require("starvideos.sandbox.nginx.worker").begin() }
  server {
    listen 127.0.0.1:@port@@listen@;
    location / {
      content_by_lua_block { require("starvideos.sandbox.nginx.worker").api() }
    }
  }
  server {
    listen 127.0.0.1:@media_port@@listen@;
    location / {
      content_by_lua_block { require("starvideos.sandbox.nginx.worker").media() }
    }
  }
}
]]

local TLS = [[ssl_certificate tls/server.pem;
  ssl_certificate_key tls/server.key;
  ssl_protocols TLSv1.2 TLSv1.3;]]

-- More than the descriptors that a worker can have open; see `worker`.
_M.connections = 4096

--- Write it.
-- @tparam table server `port`, `media_port`, `tls`, `workers`, `max_body` in
--   bytes, `memory` in nginx's notation, `modules`: files to load
-- @treturn string
function _M.text(server)
  local modules = {}
  local lua_path, c_path = search.paths()
  for _, path in ipairs(server.modules) do
    modules[#modules + 1] = ("load_module %s;"):format(path)
  end
  local values = {
    modules = table.concat(modules, "\n"), connections = _M.connections,
    workers = server.workers, max_body = server.max_body,
    lua_path = lua_path, c_path = c_path, memory = server.memory, port = server.port,
    media_port = server.media_port, tls = server.tls and TLS or "",
    listen = server.tls and " ssl http2" or "",
  }
  return (TEXT:gsub("@([%w_]+)@", function(name)
    return tostring(values[name])
  end))
end

return _M
