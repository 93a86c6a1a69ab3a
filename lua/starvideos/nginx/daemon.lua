--- nginx in the background: on free ports, as an unprivileged account; `stop`
-- returns when its last child has ended.
-- Its directory, the prefix, must hold `nginx.conf` and a folder `logs` before
-- it starts.
-- @module starvideos.nginx.daemon

local accounts = require "starvideos.nginx.account"
local file = require "starvideos.nginx.file"
local shell = require "starvideos.nginx.shell"

local _M = {}

--- What a shell command begins with that starts nginx, which is not on the path of
-- ordinary users.
_M.SEARCH = 'PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"\n'

local MODULE_DIRECTORIES = {
  "/usr/lib/nginx/modules/", "/usr/share/nginx/modules/",
  "/usr/lib64/nginx/modules/", "/usr/local/lib/nginx/modules/",
}
-- The first is what the second is built on.
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

-- Below the ports that outgoing connections are given.
local LOWEST_PORT, PORTS = 10240, 22000
local ATTEMPTS = 10

-- Who a sandbox runs as where root starts it: it has no secret to keep from others.
local ACCOUNTS = { "nobody", "www-data" }

--- Under this descriptor every process of the server, with the programs that it
-- starts, holds the lock on the prefix's file `alive`. The system releases the
-- lock when the last of them ends, even where ended processes stay zombies.
_M.LOCK = 9

--- The files of nginx's Lua module, in the order to load them in.
-- @treturn ?table paths; nil where something is not installed
-- @treturn ?string what is missing
function _M.modules()
  if not shell.run(_M.SEARCH .. "command -v nginx >/dev/null") then
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

--- A port that is probably free; nginx finds out when it binds it.
-- @treturn number
function _M.port()
  local core = require "starvideos.core" -- which nginx itself has not got
  local high, low = assert(core.random_bytes(2)):byte(1, 2)
  return LOWEST_PORT + (256 * high + low) % PORTS
end

-- How to start a program as another account: with nothing if this is not root.
local function demotion()
  if shell.read "id -u" ~= "0" then
    return ""
  end
  for _, name in ipairs(ACCOUNTS) do
    local account = accounts.find(name)
    if account then
      return account.as, account.user .. ":" .. account.gid
    end
  end
  return nil, "nginx is not run as root here: make an account named nobody"
end

-- Another Lua's search paths would send nginx's Lua to the wrong modules.
local START = _M.SEARCH .. [[
exec >@prefix@/logs/start.log 2>&1 </dev/null @lock@>@prefix@/alive &&
flock -n @lock@ || { echo "a server runs there already"; exit 1; }
unset LUA_PATH LUA_CPATH LUA_INIT
cd / && rm -f @prefix@/nginx.pid || exit 1
exec nginx -p @prefix@/ -c @prefix@/nginx.conf -e @prefix@/logs/error.log]]

-- Another program of the account may put a link where a file of the prefix was: root
-- opens none of them.
local function as_account(before, command, words)
  command = shell.fill(command:gsub("@lock@", _M.LOCK), words)
  return before .. "sh -c " .. shell.quote(command)
end

-- The account may have no access to a folder above the prefix.
local function hand_over(prefix, before, owner)
  local places = { prefix = prefix, owner = owner }
  if not owner or shell.run(shell.fill("chown -hR @owner@ @prefix@ && cd / && "
    .. before .. "test -w @prefix@", places)) then
    return true
  end
  return nil, ("the account %s cannot write to %s: give others access to the"
    .. " folders above it (chmod o+x), or choose another"):format(
    owner:match "^[^:]+", prefix)
end

local function launch(prefix, before, owner)
  local reachable, obstacle = hand_over(prefix, before, owner)
  if not reachable then
    return nil, obstacle
  end
  if shell.run(as_account(before, START, { prefix = prefix })) then
    return true
  end
  return nil, file.read(prefix .. "/logs/start.log")
end

-- nginx is ready once it has written its pid; it binds its sockets before that.
local function await_pid(prefix)
  for _ = 1, 250 do
    local pid = file.read(prefix .. "/nginx.pid"):match("^(%d+)\n")
    if pid then
      return tonumber(pid)
    end
    shell.run "sleep 0.02"
  end
  return nil, file.read(prefix .. "/logs/error.log")
end

--- Start nginx.
-- @tparam string prefix
-- @tparam function configure `() -> true | nil, what is wrong`: chooses the
--   ports and writes `nginx.conf`, which it removes before; called again where a
--   port was taken
-- @tparam[opt=10] number attempts
-- @treturn ?number its process id, which is that of its process group too
-- @treturn ?string what is wrong
function _M.start(prefix, configure, attempts)
  local before, owner = demotion()
  if not before then
    return nil, owner
  end
  local done, why
  for _ = 1, attempts or ATTEMPTS do
    if owner then -- what configure writes is root's
      shell.run(shell.fill("chown -h 0:0 @prefix@", { prefix = prefix }))
    end
    done, why = configure()
    if done then
      done, why = launch(prefix, before, owner)
    end
    if done then
      done, why = await_pid(prefix)
    end
    if done or not why:find("in use", 1, true) then
      break
    end
  end
  return done, why and "nginx did not start: " .. why
end

-- SIGTERM to all, then SIGKILL. While a process of the group holds the lock, no
-- other group can have its number.
local STOP = [[
all_gone() { flock -w "$1" @prefix@/alive true; }
[ -e @prefix@/alive ] && ! all_gone 0 || exit 0
kill -TERM -@pid@ 2>/dev/null
all_gone 1 && exit 0
kill -KILL -@pid@ 2>/dev/null
all_gone 2]]

--- The shell command that ends a server and waits until it is gone.
-- @tparam string prefix
-- @tparam number pid
-- @treturn string
function _M.ending(prefix, pid)
  return as_account(demotion() or "", STOP, { prefix = prefix, pid = pid })
end

--- End a server and wait until the last of its processes is gone.
-- Does nothing where it is gone already.
-- @tparam string prefix
-- @tparam number pid
-- @treturn boolean whether it is gone
function _M.stop(prefix, pid)
  return (shell.run(_M.ending(prefix, pid)))
end

return _M
