-- What nginx runs: the sandbox over a shared dict, called by `sandbox.conf`.

local c_locale = require "starvideos.base.c_locale"
local clips = require "starvideos.sandbox.clips"
local ffi = require "ffi"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local stores = require "starvideos.sandbox.store"
local transport = require "starvideos.sandbox.transport"

-- luacheck: globals ngx
local ngx = ngx

ffi.cdef [[
int kill(int pid, int signal);
int fcntl(int descriptor, int command, ...);
]]

local _M = {}

-- The same on every system that nginx and LuaJIT run on.
local F_SETFD, FD_CLOEXEC, ESRCH, SIGTERM = 2, 1, 3, 15

-- See `nginx/supervise.sh`.
local LOCK = 9

-- Seconds after which a connection that hangs on purpose is closed.
local PATIENCE = 3600

local DRAW_EVERY, LOOK_EVERY = 0.1, 1

local provider, settings

-- nginx leaves its sockets open across an exec: a child with a copy of a
-- client's connection would keep it open. The child inherits only the lock,
-- which shows that it still runs.
local function start(command)
  local flag = ffi.new("int", FD_CLOEXEC)
  for descriptor = 3, settings.connections + 256 do
    if descriptor ~= LOCK then
      ffi.C.fcntl(descriptor, F_SETFD, flag)
    end
  end
  os.execute("{ " .. command .. "} >/dev/null 2>&1 &")
end

local function new_clips(prefix, store)
  local fallback = settings.clip and prefix .. settings.clip
    or clips.bundled_path()
  if not settings.drawn then
    return clips.same(fallback)
  end
  return clips.drawn{ store = store, directory = prefix .. "media",
    fallback = fallback, per_minute = settings.drawn, clock = ngx.now, run = start }
end

-- Read the settings and make the provider, before nginx forks the workers.
function _M.load()
  local prefix = ngx.config.prefix()
  local file = assert(io.open(prefix .. "settings.json", "rb"))
  settings = assert(json.decode(file:read "*a"))
  file:close()
  local options = settings.provider
  options.clock = ngx.now
  options.store = stores.shared(ngx.shared.sandbox)
  options.clips = new_clips(prefix, options.store)
  provider = sandbox.new(options)
end

-- A process that ended but was not waited for still answers to signal 0.
local function is_gone(pid)
  if ffi.C.kill(pid, 0) ~= 0 and ffi.errno() == ESRCH then
    return true
  end
  local file = io.open(("/proc/%d/stat"):format(pid), "rb")
  if not file then
    return false
  end
  local state = (file:read "*a" or ""):match("%) (%a)")
  file:close()
  return state == "Z"
end

-- The master made its own process group when it went into the background: this
-- reaches only the master, its workers and their drawings.
local function end_with_parent()
  if not is_gone(settings.parent) then
    return
  end
  if settings.temporary then
    os.execute("rm -rf -- " .. shell.quote(ngx.config.prefix()))
  end
  ffi.C.kill(0, SIGTERM)
end

-- Each worker seeds its own random numbers; the first runs the timers.
function _M.begin()
  math.randomseed(ngx.worker.pid() + ngx.now() * 1000)
  if ngx.worker.id() ~= 0 then
    return
  end
  if settings.drawn then
    assert(ngx.timer.every(DRAW_EVERY, function()
      provider.clips:step()
    end))
  end
  if settings.parent then
    assert(ngx.timer.every(LOOK_EVERY, end_with_parent))
  end
end

-- Of a header sent twice, the first.
local function read_headers()
  return {
    authorization = ngx.var.http_authorization,
    range = ngx.var.http_range,
    ["if-range"] = ngx.var.http_if_range,
  }
end

local function read_request()
  ngx.req.read_body()
  return {
    method = ngx.req.get_method(),
    path = ngx.var.request_uri,
    headers = read_headers(),
    body = ngx.req.get_body_data(),
    protocol = ngx.var.server_protocol,
    connection = { number = tonumber(ngx.var.connection),
      requests = tonumber(ngx.var.connection_requests) },
  }
end

local function send_head(response)
  ngx.status = response.status
  for name, value in pairs(response.headers) do
    ngx.header[name] = value
  end
  if not response.unsized then
    ngx.header["content-length"] = transport.length(response)
  end
end

local function send_body(response)
  local total = math.max(1, transport.length(response))
  for piece in transport.pieces(response) do
    if not ngx.print(piece) or not ngx.flush(true) then
      return
    end
    if response.pace then
      ngx.sleep(response.pace * #piece / total)
    end
  end
end

-- A page whose name suddenly leads to this machine (DNS rebinding) names its own host.
-- A tunnel may have another port than the sandbox.
local OWN_HOSTS = { ["127.0.0.1"] = true, localhost = true, ["[::1]"] = true }

local function refuse_host()
  ngx.status = 403
  ngx.header.content_type = "application/json"
  ngx.print('{"code":403,"msg":"the sandbox is for this machine alone: use the'
    .. ' address that it printed"}')
end

local function answer(handle)
  local name = (ngx.var.http_host or ""):gsub(":%d+$", "")
  if not OWN_HOSTS[c_locale.lower(name)] then
    return refuse_host()
  end
  local request = read_request()
  local response = handle(provider, request)
  if response.delay then
    ngx.sleep(response.delay)
  end
  if response.abort == "hang" then
    ngx.sleep(PATIENCE)
  end
  if response.abort == "reset" or response.abort == "hang" then
    return ngx.exit(444)
  end
  send_head(response)
  if request.method == "HEAD" then
    return ngx.send_headers()
  end
  send_body(response)
  if response.abort == "stall" then
    ngx.sleep(PATIENCE)
  end
  if response.abort then
    return ngx.exit(444)
  end
end

function _M.api()
  answer(provider.handle)
end

function _M.media()
  answer(provider.media)
end

return _M
