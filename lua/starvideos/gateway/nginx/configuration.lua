--- The text of a gateway's configuration of nginx: what stands in the block `http`,
-- and a whole nginx.conf around it. Paths are absolute, so that the first can be
-- included into any nginx.conf.
-- @module starvideos.gateway.nginx.configuration

local _M = {}

-- A variable that Lua may set, and the log may use though nobody did.
local HTTP = [[
lua_package_path "@lua_path@";
lua_package_cpath "@c_path@";
lua_shared_dict starvideos_gateway 20m;
lua_shared_dict starvideos_gateway_metrics 1m;
init_by_lua_block { require("starvideos.gateway").begin("@settings@") }
init_worker_by_lua_block { require("starvideos.gateway").begin_worker() }
map "" $gateway_route { default ""; }
map "" $gateway_caller { default ""; }
map $request_method $gateway_posts {
  default "";
  POST $binary_remote_addr;
}
limit_conn_zone $gateway_posts zone=starvideos_gateway_posts:1m;
log_format starvideos_gateway escape=json '{"time":"$time_iso8601",'
  '"request_id":"$request_id","caller":"$gateway_caller",'
  '"method":"$request_method","route":"$gateway_route","status":$status,'
  '"seconds":$request_time,"bytes":$bytes_sent}';

server {
  listen @listen@;
  server_name _;
  @tls@
  @trusted@
  access_log "@folder@/logs/access.log" starvideos_gateway;
  server_tokens off;
  default_type application/json;

  # Orders are small; a video is passed by its URL.
  client_max_body_size 64k;
  client_body_buffer_size 64k;
  client_header_buffer_size 2k;
  large_client_header_buffers 4 8k;
  client_header_timeout 10s;
  client_body_timeout 10s;
  send_timeout 30s;
  keepalive_timeout 60s;
  reset_timedout_connection on;
  lua_check_client_abort on;
  log_by_lua_block { require("starvideos.gateway").log() }

  # Slow bodies of one address; an order is answered at once.
  limit_conn starvideos_gateway_posts 256;
  limit_conn_status 429;
  limit_conn_log_level notice;

  # Not a named location: nginx enters none where it could not read the address.
  error_page 400 404 405 408 411 413 414 416 429 431 495 496 497
    500 501 502 503 504 505 /_refused;
  error_page 494 =431 /_refused;
  error_page 403 =500 /_refused;  # a file that nginx may not read
  location = /_refused {
    internal;
    client_max_body_size 0;  # which HTTP/2 would be held to once more
    content_by_lua_block { require("starvideos.gateway").refused() }
  }
  location / {
    content_by_lua_block { require("starvideos.gateway").handle() }
  }

  # A link to a video is a secret: no log may have it.
  location ~ ^(/kyyReactApiServer)?/v1/files/ {
    error_log "@folder@/logs/error.log" crit;
    content_by_lua_block { require("starvideos.gateway").handle() }
  }
  location /_files/ {
    internal;
    error_log "@folder@/logs/error.log" crit;
    alias "@folder@/files/";
    types { }
    default_type video/mp4;
  }
}
]]

-- One folder of temporary files: nginx's master gives each to the account of its
-- workers, which may not be able to put a link in its place.
local MAIN = [[
@modules@
@user@
pid "@folder@/nginx.pid";
error_log "@folder@/logs/error.log" warn;
worker_processes @workers@;
@open_files@
@environment@
worker_shutdown_timeout @patience@s;
events { worker_connections @connections@; }
http {
  client_body_temp_path "@folder@/tmp";
  proxy_temp_path "@folder@/tmp";
  fastcgi_temp_path "@folder@/tmp";
  uwsgi_temp_path "@folder@/tmp";
  scgi_temp_path "@folder@/tmp";
@http@}
]]

local TLS = [[
ssl_certificate "@cert@";
  ssl_certificate_key "@key@";
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:starvideos_gateway_tls:2m;]]

--- Variables of the environment that nginx leaves to its workers: the key, and
-- what libcurl and PostgreSQL's client read.
_M.environment = { "STARVIDEOS_API_KEY", "SSL_CERT_FILE", "PGPASSWORD",
  "PGPASSFILE", "PGUSER", "PGHOST", "PGPORT", "PGSSLMODE", "PGSSLROOTCERT",
  "PGSSLCERT", "PGSSLKEY" }

--- Connections of each worker: of a thousand listeners, and what they do beside.
_M.CONNECTIONS = 4096

--- Descriptors of each worker.
_M.OPEN_FILES = 8192

-- Seconds that requests have to end in; nginx itself is given two minutes.
local PATIENCE = 115

-- A line that is nothing but the place of a missing value is left out.
local function fill(text, values)
  return (text:gsub("([^\n]*)(\n?)", function(line, ending)
    local only = line:match "^ *@([%l_]+)@$"
    if only and not values[only] then
      return ""
    end
    return line:gsub("@([%l_]+)@", function(name)
      return values[name] and tostring(values[name])
    end) .. ending
  end))
end

-- The address is then the last one that no trusted proxy has.
local TRUSTED = "set_real_ip_from %s;"
local FORWARDED = "real_ip_header X-Forwarded-For;\n  real_ip_recursive on;"

local function trusted(proxies)
  local lines = { FORWARDED }
  for _, proxy in ipairs(proxies) do
    lines[#lines + 1] = TRUSTED:format(proxy)
  end
  return table.concat(lines, "\n  ")
end

--- What stands in the block `http`.
-- @tparam table server `folder` (its files), `settings` (the folder of
--   settings.json; nil: the same), `listen` (address and port), `tls` (`cert` and
--   `key`, paths; nil: none), `trusted_proxies` (addresses and CIDRs; nil: none),
--   `lua_path` and `c_path` (of Lua's modules)
-- @treturn string
function _M.http(server)
  return fill(HTTP, { folder = server.folder,
    settings = server.settings or server.folder,
    listen = server.listen .. (server.tls and " ssl http2" or ""),
    tls = server.tls and fill(TLS, server.tls),
    trusted = server.trusted_proxies and trusted(server.trusted_proxies),
    lua_path = server.lua_path,
    c_path = server.c_path })
end

local function lines(list, form)
  local result = {}
  for index, item in ipairs(list) do
    result[index] = form:format(item)
  end
  return table.concat(result, "\n")
end

--- A whole nginx.conf.
-- @tparam table server that of `http`, and `modules` (files to load), `workers`,
--   `user` (of the workers; nil: that of nginx), `open_files` (nil: as many as
--   it may)
-- @tparam[opt] string http what stands in that block; nil: what `http` gives
-- @treturn string
function _M.text(server, http)
  http = http or _M.http(server)
  return fill(MAIN, { folder = server.folder, workers = server.workers,
    modules = lines(server.modules, "load_module \"%s\";"),
    user = server.user and ("user %s;"):format(server.user),
    open_files = server.open_files
      and ("worker_rlimit_nofile %d;"):format(server.open_files),
    environment = lines(_M.environment, "env %s;"), patience = PATIENCE,
    connections = _M.CONNECTIONS,
    http = http:gsub("([^\n]+)", "  %1") })
end

return _M
