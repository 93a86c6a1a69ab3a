--- The sandbox on real sockets: an nginx of its own, unprivileged, on loopback, in its own
-- directory. It ends with the process that started it.
-- @module starvideos.sandbox.nginx

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local json = require "starvideos.base.json"
local launcher = require "starvideos.nginx.launcher"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"

local _M = {}

local TEMPLATE = file.beside "sandbox.conf"

-- Videos drawn in a minute: one of 5 seconds takes about one of a processor.
local DRAWN = 20

-- More than the descriptors that a worker can have open; see `worker`.
local CONNECTIONS = 4096

local function configuration(server)
  local lua_path, c_path = launcher.paths()
  return file.fill_template(TEMPLATE, { port = server.port, media_port = server.media_port,
    plain = not server.tls, tls = server.tls, workers = server.workers,
    max_body = server.max_body, memory = server.memory, modules = server.modules,
    connections = CONNECTIONS, lua_path = lua_path, c_path = c_path })
end

-- The authority's key is deleted at once, so that it signs nothing else.
-- nginx's cosockets look for an address among the names.
local COMMANDS = [[
mkdir -p @directory@ && cd @directory@ && exec 2>openssl.log >&2 &&
printf '%s\n' \
  'subjectAltName = DNS:localhost, DNS:127.0.0.1, IP:127.0.0.1' \
  'extendedKeyUsage = serverAuth' >server.ext &&
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -days 2 -subj '/CN=starvideos sandbox authority' -keyout ca.key \
  -out ca.pem &&
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -subj '/CN=localhost' -keyout server.key -out server.csr &&
openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key \
  -CAcreateserial -extfile server.ext -out server.pem &&
rm ca.key]]

-- Make a temporary authority, and a certificate for the loopback address: `ca.pem`,
-- `server.pem`, `server.key`. True; or nil and what is wrong.
function _M.certificate(directory)
  if shell.run(shell.fill(COMMANDS, { directory = directory })) then
    return true
  end
  return nil, "openssl made no certificate: is the package openssl installed?"
    .. " See " .. directory .. "/openssl.log"
end

---A sandbox on sockets.
---@class starvideos.SandboxServer
---@field base_url string of its API
---@field media_url string origin of its media
---@field key string the API key it knows
---@field port integer
---@field media_port integer
---@field prefix string its directory
---@field ca_file? string with `tls`
---@field pid integer
local Server = {}
Server.__index = Server

local PROVIDER_OPTIONS = { "key", "seconds", "queued_seconds", "link_seconds",
  "edition", "scenario", "max_body", "open", "creates_per_minute",
  "polls_per_second", "price", "balance", "poll_interval", "accounts" }

-- Options that are written into nginx.conf.
local CONFIGURED = { "port", "media_port", "workers", "memory", "max_body" }

local function unfit(options)
  for _, name in ipairs(CONFIGURED) do
    local value = options[name]
    if value ~= nil and not file.takes(tostring(value), true) then
      return ("nginx cannot be told the option %s: it has a character of nginx's"
        .. " own"):format(name)
    end
  end
end

local function random_secret()
  return (assert(core.random_bytes(16)):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- Copied, because the account of the server may not be allowed to read the originals,
-- such as those in root's home.
local LAY_OUT = [[
mkdir -p @prefix@/logs @prefix@/tmp @prefix@/media @prefix@/lua/starvideos/base &&
cp -R @own@/.. @prefix@/lua/starvideos/sandbox &&
cp -R @own@/../../nginx @prefix@/lua/starvideos/ &&
(cd @own@/../../base && cp c_locale.lua json.lua utf8.lua @prefix@/lua/starvideos/base/) ]]

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
    return _M.certificate(server.prefix .. "/tls")
  end
  return true
end

-- Root writes there: nobody else may have put a link in its way.
local FOREIGN = [[
[ "$(id -u)" = 0 ] && find @p@/ -type l -o ! -uid 0 -o -type d -perm -2]]

local function make_prefix(options)
  if options.prefix then
    local prefix = shell.read(shell.fill(
      "{ mkdir -p @p@ && cd @p@; } 2>/dev/null && pwd -P",
      { p = options.prefix }))
    local foreign = prefix ~= ""
      and shell.read(shell.fill(FOREIGN, { p = prefix })):match "[^\n]+"
    return not foreign and prefix or "", foreign
  end
  return shell.read('cd "$(mktemp -d '
    .. '"${TMPDIR:-/tmp}/starvideos-sandbox.XXXXXX")" && pwd')
end

local function write_settings(server, options, modules)
  local scheme = options.tls and "https" or "http"
  server.port = options.port or launcher.port()
  server.media_port = options.media_port or launcher.port()
  local origin = scheme .. "://127.0.0.1:"
  server.base_url = origin .. server.port .. "/kyyReactApiServer"
  server.media_url = origin .. server.media_port
  local provider = { media_url = server.media_url, secret = random_secret() }
  for _, name in ipairs(PROVIDER_OPTIONS) do
    provider[name] = options[name]
  end
  local drawn = options.drawn == nil and DRAWN or options.drawn
  local settings = { provider = provider, temporary = server.temporary,
    drawn = drawn and drawn > 0 and shell.run "command -v ffmpeg >/dev/null"
      and drawn,
    clip = options.clip and "clip.mp4",
    parent = options.parent, connections = CONNECTIONS }
  local text = configuration{ port = server.port,
    media_port = server.media_port, tls = options.tls, modules = modules,
    workers = options.workers or 2, memory = options.memory or "64m",
    max_body = options.max_body or 1048576 }
  local conf, data = server.prefix .. "/nginx.conf",
    server.prefix .. "/settings.json"
  os.remove(data)
  os.remove(conf)
  local done, why = file.write(data, json.encode(settings))
  if done then
    done, why = file.write(conf, text)
  end
  return done, why
end

local function build(server, options, modules)
  local done, why = lay_out(server, options)
  if not done then
    return nil, why
  end
  server.nginx, why = launcher.start { prefix = server.prefix,
    attempts = options.port and 1, configure = function()
      return write_settings(server, options, modules)
    end }
  if server.nginx then
    server.pid = server.nginx:pid()
    return true
  end
  return nil, "nginx did not start: " .. why
end

---Options of `start` of `starvideos.sandbox.nginx`: those of `starvideos.sandbox.new` but
---`clock`, `sleep`, `random`, `store` and `clips`, and:
---@class starvideos.SandboxServerOptions: starvideos.SandboxOptions
---@field tls? boolean HTTPS and HTTP/2, with a throw-away authority
---its directory, which then stays after the end; default a temporary one. If root starts it
---the directory must be new, or root's with all that is in it
---@field prefix? string
---@field port? integer of the API; default a free one
---@field media_port? integer of the media; default a free one
---@field workers? integer default 2
---@field memory? string for tasks, in nginx's notation; default "64m"
---of so many tasks a minute ffmpeg, if installed, draws the prompt; the others, and all with
---0 or false, have the bundled clip; default 20
---@field drawn? number|false
---process id: the server ends within a second or two of that process; default the calling
---one; false: it stays until stopped
---@field parent? integer|false

---Start a server.
---```lua
---local server = assert(require("starvideos.sandbox.nginx").start{ seconds = 2 })
---print(server.base_url, server.key)
---server:stop()
---```
---@param options? starvideos.SandboxServerOptions
---@return starvideos.SandboxServer? server
---@return string? problem what is wrong
function _M.start(options)
  local refusal = shell.refusal(core.system(), "this sandbox", "give starvideos.new the"
    .. " transport of starvideos.sandbox, which needs no server, or start it in"
    .. " WSL") or unfit(options or {})
  if refusal then
    return nil, refusal
  end
  local given = {}
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  if given.parent == nil then
    given.parent = tonumber((shell.read "echo $PPID"))
  end
  given.parent = given.parent or nil
  given.key = sandbox.new(given).key
  local modules, missing = launcher.modules()
  if not modules then
    return nil, missing
  end
  local prefix, foreign = make_prefix(given)
  if prefix == "" then
    return nil, foreign and ("root starts no sandbox where others could have put"
      .. " files (%s): name a new directory"):format(foreign)
      or "the sandbox has no directory to write to"
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

---End the server, wait until it has ended, and remove its temporary files.
---@return boolean ended
function Server:stop()
  local gone = not self.nginx or self.nginx:stop()
  if gone then
    self.nginx, self.pid = nil, nil
  end
  if self.temporary then
    shell.run(shell.fill("rm -rf -- @prefix@", { prefix = self.prefix }))
  end
  return gone
end

-- os.execute ignores Ctrl-C in this process and only reports that it ended the command.
local function sleep(seconds)
  local _, interrupted = shell.run("sleep "
    .. c_locale.number("%g", seconds))
  if interrupted then
    error("interrupted", 0)
  end
end

---Stay in the foreground until Ctrl-C or the end of the server, then stop.
---@param wait? fun(seconds: number) sleeps, and raises when interrupted
function Server:run(wait)
  wait = wait or sleep
  pcall(function()
    while self.nginx:pid() do
      wait(0.5)
    end
  end)
  self:stop()
end

return _M
