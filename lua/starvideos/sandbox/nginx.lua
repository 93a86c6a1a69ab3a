--- The sandbox on real sockets: an nginx of its own.
-- Unprivileged, on loopback, under a directory of its own, with its state
-- shared by all workers. It ends with the process that started it.
-- @module starvideos.sandbox.nginx
-- @usage
-- local server = assert(require("starvideos.sandbox.nginx").start{
--   seconds = 2 })
-- print(server.base_url, server.key)
-- server:stop()

local certificate = require "starvideos.sandbox.certificate"
local configuration = require "starvideos.sandbox.configuration"
local json = require "starvideos.json"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.sandbox.shell"

local _M = {}

local Server = {}
Server.__index = Server

-- nginx is not on the path of ordinary users.
local SEARCH = 'PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"; '

local MODULE_DIRECTORIES = {
  "/usr/lib/nginx/modules/", "/usr/share/nginx/modules/",
  "/usr/lib64/nginx/modules/", "/usr/local/lib/nginx/modules/",
}
-- The first is what the second is built on.
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

-- Below the ports that outgoing connections are given.
local LOWEST_PORT, PORTS = 10240, 22000
local ATTEMPTS = 10

-- Whose rights the server has when root starts it.
local ACCOUNTS = { "nobody", "www-data" }

local BOX_OPTIONS = { "key", "seconds", "queued_seconds", "link_seconds",
  "edition", "scenario", "max_body" }

local function exists(path)
  local file = io.open(path, "rb")
  return file and file:close() and true
end

local function write(path, text)
  local file, why = io.open(path, "wb")
  if not file then
    return nil, why
  end
  file:write(text)
  return file:close()
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

local function random_bytes(count)
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(count)
  file:close()
  return bytes
end

local function random_port()
  local high, low = random_bytes(2):byte(1, 2)
  return LOWEST_PORT + (high * 256 + low) % PORTS
end

local function random_secret()
  return (random_bytes(16):gsub(".", function(character)
    return ("%02x"):format(character:byte())
  end))
end

local function find_modules()
  if not shell.run(SEARCH .. "command -v nginx >/dev/null") then
    return nil, "the sandbox needs nginx: install the package nginx"
  end
  for _, directory in ipairs(MODULE_DIRECTORIES) do
    if exists(directory .. MODULES[2]) then
      local found = {}
      for _, name in ipairs(MODULES) do
        found[#found + 1] = exists(directory .. name) and directory .. name
          or nil
      end
      return found
    end
  end
  return nil, "the sandbox needs nginx's Lua module: install the package "
    .. "libnginx-mod-http-lua"
end

-- Copied, for the account of the server may not be allowed to read the
-- originals, such as those in root's home.
local LAY_OUT = [[
mkdir -p @prefix@/logs @prefix@/tmp @prefix@/media \
  @prefix@/lua/starvideos/sandbox &&
cp @own@/*.lua @own@/clip.mp4 @prefix@/lua/starvideos/sandbox/ &&
cp @own@/../json.lua @prefix@/lua/starvideos/ ]]

local function lay_out(server, options)
  local own = debug.getinfo(1, "S").source:gsub("^@", "")
  own = own:match("^(.*)/[^/]*$") or "."
  local command = LAY_OUT
  if options.clip then
    command = command .. " && cp @clip@ @prefix@/clip.mp4"
  end
  if not shell.run(shell.fill(command, { prefix = server.prefix, own = own,
    clip = options.clip })) then
    return nil, "the sandbox cannot write to " .. server.prefix
  end
  if options.tls then
    server.ca_file = server.prefix .. "/tls/ca.pem"
    return certificate.make(server.prefix .. "/tls")
  end
  return true
end

local function make_prefix(options)
  if options.prefix then
    return shell.read(shell.fill("mkdir -p @p@ && cd @p@ && pwd",
      { p = options.prefix }))
  end
  return shell.read('cd "$(mktemp -d '
    .. '"${TMPDIR:-/tmp}/starvideos-sandbox.XXXXXX")" && pwd')
end

local function drawn(options)
  return options.drawn ~= false
    and shell.run "command -v ffmpeg >/dev/null"
end

local function write_settings(server, options, modules)
  local scheme = options.tls and "https" or "http"
  server.port = options.port or random_port()
  server.media_port = options.media_port or random_port()
  local origin = scheme .. "://127.0.0.1:"
  server.base_url = origin .. server.port .. "/kyyReactApiServer"
  server.media_url = origin .. server.media_port
  local box = { media_url = server.media_url, secret = random_secret() }
  for _, name in ipairs(BOX_OPTIONS) do
    box[name] = options[name]
  end
  local settings = { box = box, temporary = server.temporary,
    drawn = drawn(options), clip = options.clip and "clip.mp4",
    parent = options.parent }
  local text = configuration.text{ port = server.port,
    media_port = server.media_port, tls = options.tls, modules = modules,
    workers = options.workers or 2, memory = options.memory or "64m",
    max_body = options.max_body or 1048576 }
  local done, why = write(server.prefix .. "/settings.json",
    json.encode(settings))
  if done then
    done, why = write(server.prefix .. "/nginx.conf", text)
  end
  return done, why
end

-- How to start a program with fewer rights: nothing where we have few.
local function demotion()
  if shell.read "id -u" ~= "0" then
    return ""
  end
  for _, account in ipairs(ACCOUNTS) do
    if shell.run(("id %s >/dev/null 2>&1"):format(account)) then
      local group = shell.read(("id -g %s"):format(account))
      return ("setpriv --reuid=%s --regid=%s --clear-groups "):format(account,
        group), account, group
    end
  end
  return nil, "the sandbox is not run as root: make an account named nobody"
end

-- Another Lua's search paths would send nginx's Lua to the wrong modules.
local START = [[
unset LUA_PATH LUA_CPATH LUA_INIT
cd / && rm -f @prefix@/nginx.pid && exec ]]
local NGINX = [[nginx -p @prefix@/ -c @prefix@/nginx.conf \
  -e @prefix@/logs/error.log >@prefix@/logs/start.log 2>&1 </dev/null]]

local function launch(server)
  local before, account, group = demotion()
  if not before then
    return nil, account
  end
  local places = { prefix = server.prefix,
    owner = account and account .. ":" .. group }
  if account then
    shell.run(shell.fill("chown -R @owner@ @prefix@", places))
  end
  if shell.run(SEARCH .. shell.fill(START .. before .. NGINX, places)) then
    return true
  end
  return nil, read(server.prefix .. "/logs/start.log")
end

-- nginx is there once it has left its number; its sockets were bound before.
local function await_pid(server)
  for _ = 1, 100 do
    local pid = read(server.prefix .. "/nginx.pid"):match("^(%d+)\n")
    if pid then
      server.pid = tonumber(pid)
      return server
    end
    shell.run "sleep 0.02"
  end
  return nil, "nginx did not come up: "
    .. read(server.prefix .. "/logs/error.log")
end

-- Whether a port is free shows only when it is bound.
local function launch_on_free_ports(server, options, modules)
  local done, why
  for _ = 1, ATTEMPTS do
    done, why = write_settings(server, options, modules)
    if done then
      done, why = launch(server)
    end
    if done then
      return await_pid(server)
    end
    if options.port or not why:find("in use", 1, true) then
      break
    end
  end
  return nil, "nginx did not start: " .. why
end

local function own_pid()
  return tonumber((shell.read "echo $PPID"))
end

local function build(server, options, modules)
  local done, why = lay_out(server, options)
  if not done then
    return nil, why
  end
  return launch_on_free_ports(server, options, modules)
end

--- Start a server.
-- @tparam ?table options those of `starvideos.sandbox.new` but `clock`,
--   `sleep`, `store` and `clips`, and:
-- @tparam[opt=false] boolean options.tls HTTPS and HTTP/2, with a throw-away
--   authority
-- @tparam ?string options.prefix its directory, which then stays after the
--   end; nil = a temporary one
-- @tparam ?number options.port of the API; nil = a free one
-- @tparam ?number options.media_port of the media; nil = a free one
-- @tparam[opt=2] number options.workers
-- @tparam[opt="64m"] string options.memory for tasks, in nginx's notation
-- @tparam[opt=true] boolean options.drawn let ffmpeg draw the clips where it
--   is installed; false = always the bundled clip
-- @param options.parent process id; the server ends within a second or two of
--   that process; nil = the calling one, false = it stays until stopped
-- @treturn ?table server: `base_url`, `media_url`, `key`, `port`,
--   `media_port`, `prefix`, `ca_file` (with `tls`), `pid`, and the methods
--   `stop` and `run`
-- @treturn ?string what is wrong
function _M.start(options)
  local given = {}
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  if given.parent == nil then
    given.parent = own_pid()
  end
  given.parent = given.parent or nil
  given.key = sandbox.new(given).key
  local modules, missing = find_modules()
  if not modules then
    return nil, missing
  end
  local prefix = make_prefix(given)
  if prefix == "" then
    return nil, "the sandbox has no directory to write to"
  end
  local server = setmetatable({ prefix = prefix, key = given.key,
    temporary = given.prefix == nil }, Server)
  local started, why = build(server, given, modules)
  if not started then
    server:stop()
    return nil, why
  end
  return server
end

-- The whole group is asked to end, then made to; gone is gone, to the last
-- drawing.
local STOP = [[
kill -TERM -@pid@ 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  for j in 1 2 3 4 5; do
    kill -0 -@pid@ 2>/dev/null || exit 0
    sleep 0.02
  done
  [ $i = 10 ] && kill -KILL -@pid@ 2>/dev/null
done
exit 1]]

--- End the server, wait until it is gone, and remove its temporary files.
-- A second time does nothing.
-- @treturn boolean
function Server:stop()
  local gone = true
  -- nginx removes this file itself when it ends.
  local pid = read(self.prefix .. "/nginx.pid"):match("^(%d+)\n")
  if pid then
    gone = shell.run((STOP:gsub("@pid@", pid)))
  end
  if self.temporary then
    shell.run(shell.fill("rm -rf -- @prefix@", { prefix = self.prefix }))
  end
  return gone
end

local function is_running(self)
  return exists(self.prefix .. "/nginx.pid")
end

-- Ends early on a signal; os.execute keeps Ctrl-C from the calling process
-- meanwhile and only tells that the command was ended by it.
local function sleep(seconds)
  local _, interrupted = shell.run(("sleep %g"):format(seconds))
  if interrupted then
    error("interrupted", 0)
  end
end

--- Stay in the foreground until Ctrl-C or the end of the server, then stop.
-- @tparam ?function wait sleeps for the seconds it is given, and raises when
--   interrupted; default: by the program sleep
function Server:run(wait)
  wait = wait or sleep
  pcall(function()
    while is_running(self) do
      wait(0.5)
    end
  end)
  self:stop()
end

return _M
