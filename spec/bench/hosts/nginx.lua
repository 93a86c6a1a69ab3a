-- What others notice whom an nginx worker serves while it holds a thousand
-- waits and sixteen downloads; and whether a thousand waits end on time.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local host = require "spec.fixtures.nginx_host"
local json = require "starvideos.base.json"
local nginx = require "spec.fixtures.nginx"
local pingers = require "spec.bench.hosts.pinger"
local shell = require "starvideos.nginx.shell"

local WAITS, DOWNLOADS, POLL_RATE = 1000, 16, 5000

-- The files outlast the measurement.
local PROVIDER = [[
    keepalive_requests 1000000000;
    location ~ ^/kyyReactApiServer/v1/result/(.+)$ {
      default_type application/json;
      return 200 '{"id":"$1","object":"video","created":1760000000,
        "model":"videos","status":"processing","error":null}';
    }
    location ~ ^/done/v1/result/(.+)$ {
      default_type application/json;
      return 200 '{"id":"$1","object":"video","created":1760000000,
        "model":"videos","status":"completed","error":null,
        "video_url":"https://127.0.0.1:@tls_port@/large.mp4"}';
    }
    location = /large.mp4 { limit_rate 512k; }]]

-- What a video begins with; the rest is a hole.
local HEAD = "\0\0\0\24ftypmp42\0\0\0\0mp42isom"
  .. "\0\0\0\8moov\0\0\0\0mdat"

local SERVER = [[
    keepalive_requests 1000000000;
    location = /ping { return 200 "pong"; }
    location = /burden { content_by_lua_block { require("app").burden() } }
    location = /time_up { content_by_lua_block { require("app").time_up() } }
    location = /completed {
      content_by_lua_block { require("app").completed() }
    }]]

local function start_provider()
  local provider = nginx.start { tls = true, body = PROVIDER }
  provider:serve("large.mp4", HEAD)
  assert(shell.run(shell.fill("truncate -s 1G @prefix@/files/large.mp4",
    provider)))
  return provider
end

local function start_host(provider)
  return host.start { app = "spec/bench/hosts/nginx/app.lua",
    server = SERVER, ca_file = provider.ca_file, settings = {
      base_url = provider.tls_url .. "/kyyReactApiServer",
      done_url = provider.tls_url .. "/done",
      video_url = provider.tls_url .. "/large.mp4",
      waits = WAITS, downloads = DOWNLOADS, poll_rate = POLL_RATE } }
end

-- Seconds of CPU that the thread has had which serves.
local function cpu_of(server)
  local pid = server:workers()[1]
  return tonumber(files.read(("/proc/%d/task/%d/schedstat"):format(pid, pid))
    :match "%d+") / 1e9
end

-- The same two servers before and after the one of them gets its burden, so
-- that what the machine is doing counts for both.
local function compare(provider, idle, loaded)
  local pinger = pingers.new(provider.prefix, "/ping",
    { idle.port, loaded.port })
  local before = pinger:ask()[2]
  os.execute(("curl -s -m 600 %s/burden >/dev/null 2>&1 &")
    :format(loaded.url))
  core.sleep(3)
  local own, other = cpu_of(loaded), cpu_of(idle)
  local beside, during = unpack(pinger:ask())
  own, other = cpu_of(loaded) - own, cpu_of(idle) - other
  figure.print("nginx_cpu_of_burden", (own - other) / pingers.SECONDS * 100,
    "%")
  figure.print("nginx_p99_unburdened", before.p99, "us")
  figure.print("nginx_p99_idle_beside", beside.p99, "us")
  figure.print("nginx_p99_burdened", during.p99, "us")
  figure.print("nginx_p999_unburdened", before.p999, "us")
  figure.print("nginx_p999_burdened", during.p999, "us")
  figure.print("nginx_longest_unburdened", before.longest, "us")
  figure.print("nginx_longest_burdened", during.longest, "us")
  figure.print("nginx_p99_to_unburdened", during.p99 / before.p99, "times")
  return figure.print("nginx_p99_ratio", during.p99 / beside.p99, "times",
    "<= 1.2")
end

local function on_time(server, action, how)
  local found = assert(json.decode((server:get("/" .. action))))
  local all = figure.print(("nginx_waits_%s"):format(action),
    found.ends[how] or 0, "waits", ">= " .. WAITS)
  return figure.print(("nginx_seconds_%s"):format(action), found.seconds, "s",
    "< 2.5") and all
end

local provider, idle, loaded

local done, met = xpcall(function()
  provider = start_provider()
  idle, loaded = start_host(provider), start_host(provider)
  local timely = on_time(loaded, "time_up", "timeout")
  timely = on_time(loaded, "completed", "completed") and timely
  timely = compare(provider, idle, loaded) and timely
  assert(loaded:complaints() == "", loaded:complaints())
  return timely
end, debug.traceback)
for _, server in ipairs { loaded or false, idle or false, provider } do
  if server then
    server:stop()
  end
end
if not done then
  error(met, 0)
end
os.exit(met)
