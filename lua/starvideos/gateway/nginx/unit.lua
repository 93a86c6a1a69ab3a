--- The text of a systemd unit for a gateway whose configuration was printed.
-- @module starvideos.gateway.nginx.unit

local _M = {}

-- LuaJIT writes the code that it runs: MemoryDenyWriteExecute would end it.
local TEXT = [[
[Unit]
Description=Gateway to the video API (starvideos)
After=network-online.target
Wants=network-online.target

[Service]
Type=simple
User=@user@
# STARVIDEOS_API_KEY=..., and for PostgreSQL PGPASSWORD=...
EnvironmentFile=@configuration@/environment
ExecStart=@nginx@ -p @folder@/ -c @configuration@/nginx.conf \
  -e @folder@/logs/error.log -g "daemon off;"
ExecReload=/bin/kill -HUP $MAINPID
# QUIT lets what is under way end, and hands orders to the next start.
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=2min
Restart=on-failure
RestartSec=5s
LimitNOFILE=@files@
UMask=0027
@state@

NoNewPrivileges=yes
CapabilityBoundingSet=@capability@
AmbientCapabilities=@capability@
ProtectSystem=strict
ReadWritePaths=@writable@
ProtectHome=@home@
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
]]

local STATE = "/var/lib/"

-- systemd makes what lies there, for the account of the unit.
local function state_of(folder)
  local name = folder:match("^" .. STATE .. "([%w_.-]+)$")
  return name and ("StateDirectory=%s %s/logs %s/tmp %s/files\n"
    .. "StateDirectoryMode=0750"):format(name, name, name, name) or ""
end

local function is_in_home(path)
  return path:find "^/home/" or path:find "^/root/"
end

--- Write it.
-- @tparam table service `configuration` (the folder of nginx.conf), `folder` (of
--   the gateway's files), `ledger_folder` (nil: its ledger is no file), `nginx`
--   (the program), `user`, `port`, `files` (descriptors), `library` (a path of it)
-- @treturn string
function _M.text(service)
  local values = {}
  for name, value in pairs(service) do
    values[name] = tostring(value)
  end
  local other = service.ledger_folder
  values.state = state_of(service.folder)
  values.writable = service.folder
    .. (other and other ~= service.folder and " " .. other or "")
  values.capability = service.port < 1024 and "CAP_NET_BIND_SERVICE" or ""
  values.home = is_in_home(service.library) and "read-only" or "yes"
  return (TEXT:gsub("@([%l_]+)@", values))
end

return _M
