--- The text of a gateway's nginx.conf.
-- @module starvideos.gateway.nginx.configuration

local _M = {}

local TEXT = [[
@modules@
pid nginx.pid;
error_log logs/error.log warn;
worker_processes @workers@;
worker_shutdown_timeout 120s;
env STARVIDEOS_API_KEY; env SSL_CERT_FILE;
events { worker_connections 4096; }
http {
  client_body_temp_path tmp/body; proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi; uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  access_log logs/access.log;
  server_tokens off;
  client_max_body_size 64k;
  client_body_buffer_size 64k;
  client_header_timeout 10s; client_body_timeout 10s; send_timeout 30s;
  reset_timedout_connection on;
  @paths@
  lua_shared_dict starvideos_gateway 20m;
  lua_check_client_abort on;
  init_by_lua_block { require("starvideos.gateway").begin("@folder@") }
  init_worker_by_lua_block { require("starvideos.gateway").begin_worker() }
  server {
    listen @listen@;
    error_page 400 404 405 408 411 413 414 416 431 494 500 502 503 504 @refused;
    location @refused { content_by_lua_block {
      require("starvideos.gateway").refused() } }
    location / { content_by_lua_block {
      require("starvideos.gateway").handle() } }
    location /_files/ {
      internal; alias files/; types { } default_type video/mp4;
    }
  }
}
]]

--- Write it.
-- @tparam table server `modules` (files to load), `workers`, `listen` (address and
--   port), `folder`, `paths` (the directives that say where Lua finds modules)
-- @treturn string
function _M.text(server)
  local values = {}
  for name, value in pairs(server) do
    values[name] = value
  end
  local modules = {}
  for index, path in ipairs(server.modules) do
    modules[index] = ("load_module %s;"):format(path)
  end
  values.modules = table.concat(modules, "\n")
  return (TEXT:gsub("@(%l+)@", function(name)
    return values[name] and tostring(values[name])
  end))
end

return _M
