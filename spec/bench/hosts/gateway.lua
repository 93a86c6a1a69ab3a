-- What others notice whom a gateway's nginx worker serves while a thousand clients
-- listen to events and sixteen fetch a video; whether listeners cost the provider
-- polls; and what listeners learn when nginx is reloaded.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local listeners = require "spec.fixtures.listeners"
local pingers = require "spec.bench.hosts.pinger"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local KEY = "key-of-the-gateway"
-- Callers, orders of each, streams of each order.
local CALLERS, ORDERS, STREAMS, DOWNLOADS = 5, 40, 5, 16
local LISTENERS, VIDEO_SECONDS = 200, 12
local INTERVAL = 10

local engine = curl.network { inline = true, max_in_flight = LISTENERS }

local function token_of(caller)
  return ("token-of-caller-%d-which-is-long-enough"):format(caller)
end

local function callers()
  local list = {}
  for caller = 1, CALLERS do
    list[caller] = { name = "caller" .. caller,
      token_sha256 = curl.sha256(token_of(caller)) }
  end
  return { callers = list }
end

local function start(provider, interval)
  return gateways.start { base_url = provider.base_url, api_key = KEY,
    callers = callers(), workers = 1, interval = interval }
end

local function ask(gateway, caller, method, path, body)
  local response = assert(transfers.finish(assert(engine:submit {
    method = method, url = gateway.url .. path, timeout = 30, body = body,
    headers = { Authorization = "Bearer " .. token_of(caller),
      ["Content-Type"] = "application/json" } }), engine))
  return assert(json.decode(response.body))
end

local function order(gateway, caller, scenario)
  return assert(ask(gateway, caller, "POST", "/v1/videos", json.encode {
    model = "videos", duration = 4, prompt = "a kite" .. scenario }).id)
end

local function await(what, holds)
  local give_up = core.now() + 90
  while not holds() do
    assert(core.now() < give_up, what)
    core.sleep(0.2)
  end
end

local function is(gateway, caller, id, status)
  return ask(gateway, caller, "GET", "/v1/videos/" .. id).status == status
end

-- A video of 1 GB, of which most is a hole: it outlasts the measurement.
local function large_video(gateway)
  local id = order(gateway, 1, "")
  await("the video is not saved", function()
    return is(gateway, 1, id, "completed")
  end)
  assert(shell.run(shell.fill("truncate -s 1G @path@", { path = ("%s/files/%s/%s.mp4")
    :format(gateway.prefix, id:sub(13, 14), id:sub(7)) })))
  return id
end

local function waiting_orders(gateway)
  local orders = {}
  for caller = 1, CALLERS do
    orders[caller] = {}
    for index = 1, ORDERS do
      orders[caller][index] = order(gateway, caller, " [scenario:never]")
    end
  end
  for caller = 1, CALLERS do
    await("the orders are not sent", function()
      return is(gateway, caller, orders[caller][ORDERS], "in_progress")
    end)
  end
  return orders
end

-- Starts curl for all these addresses at a time; returns its process id.
local function fetch(caller, urls, more)
  local list = files.folder() .. "/urls"
  files.write(list, table.concat(urls, "\n"))
  local pid = shell.read(([[curl -sN -Z --parallel-max 300 --parallel-immediate %s \
    -H 'Authorization: Bearer %s' -K %s >/dev/null 2>&1 & echo $!]]):format(
    more or "", token_of(caller), list))
  shell.run("sleep 0.5") -- which reads the list first
  files.remove((list:gsub("/urls$", "")))
  return pid
end

local function url_of(gateway, id, what)
  return ('url = "%s/v1/videos/%s/%s"\noutput = "/dev/null"'):format(gateway.url,
    id, what)
end

local function burden(gateway, orders, video)
  local clients, fetched = {}, {}
  for caller = 1, CALLERS do
    local urls = {}
    for index = 1, ORDERS * STREAMS do
      urls[index] = url_of(gateway, orders[caller][(index - 1) % ORDERS + 1],
        "events")
    end
    clients[caller] = fetch(caller, urls)
  end
  for index = 1, DOWNLOADS do
    fetched[index] = url_of(gateway, video, "content")
  end
  clients[CALLERS + 1] = fetch(1, fetched, "--limit-rate 512k")
  return table.concat(clients, " ")
end

local function open_streams(gateway)
  local text = shell.read("curl -s " .. gateway.url .. "/metrics")
  return tonumber(text:match "open_streams ([%d.]+)") or 0
end

-- Seconds of CPU that the thread has had which serves.
local function cpu_of(gateway)
  local pid = shell.read(("ps -o pid= --ppid %d"):format(gateway.pid))
    :match "%d+"
  return tonumber(files.read(("/proc/%d/task/%d/schedstat"):format(pid, pid))
    :match "%d+") / 1e9
end

-- The same two gateways before and after the one of them gets its burden; and the
-- polls of the orders that wait meanwhile.
local function compare(provider, idle, loaded)
  local video, orders = large_video(loaded), waiting_orders(loaded)
  local pinger = pingers.new(loaded.prefix, "/healthz",
    { idle.port, loaded.port })
  local function watch()
    local polls, cpu = books.of(provider).queries, cpu_of(loaded)
    local found = pinger:ask()
    return found, books.of(provider).queries - polls, cpu_of(loaded) - cpu
  end
  shell.run(("sleep %d"):format(2 * INTERVAL)) -- until polls are spread
  local before, polls, cpu = watch()
  local clients = burden(loaded, orders, video)
  core.sleep(5)
  local streams = open_streams(loaded)
  local found, heard, busy = watch()
  shell.run("kill " .. clients)
  local beside, during = unpack(found)
  figure.print("gateway_cpu_of_burden", (busy - cpu) / pingers.SECONDS * 100,
    "%")
  figure.print("gateway_p99_unburdened", before[2].p99, "us")
  figure.print("gateway_p99_idle_beside", beside.p99, "us")
  figure.print("gateway_p99_burdened", during.p99, "us")
  figure.print("gateway_p999_burdened", during.p999, "us")
  figure.print("gateway_longest_burdened", during.longest, "us")
  figure.print("gateway_p99_to_unburdened", during.p99 / before[2].p99, "times")
  figure.print("gateway_polls_without_listeners", polls, "polls")
  local all = figure.print("gateway_streams", streams, "streams",
    ">= " .. CALLERS * ORDERS * STREAMS)
  all = figure.print("gateway_polls_ratio", heard / polls, "times", "<= 1.1")
    and all
  return figure.print("gateway_p99_ratio", during.p99 / beside.p99, "times",
    "<= 1.2") and all
end

local function sum_of(all, count)
  local sum = 0
  for _, listener in ipairs(all) do
    sum = sum + count(listener)
  end
  return sum
end

local function reload(gateway)
  local urls = {}
  for index = 1, 4 do
    local id = order(gateway, 2, "")
    for each = 1, LISTENERS / 4 do
      urls[(index - 1) * LISTENERS / 4 + each] = ("%s/v1/videos/%s/events")
        :format(gateway.url, id)
    end
  end
  local all, began = listeners.new(engine, urls, { Authorization = "Bearer "
    .. token_of(2) }), core.now()
  all:run(5, function() return core.now() > began + 4 end)
  gateway:signal "HUP"
  all:run(90)
  local fine = figure.print("gateway_ends_through_reload", sum_of(all,
    function(listener)
      return listener.ends == 1 and listener.connects > 1
        and listener.events[#listener.events] == "completed" and 1 or 0
    end), "listeners", ">= " .. LISTENERS)
  return figure.print("gateway_events_repeated", sum_of(all,
    function(listener) return listener.repeats end), "events", "<= 0") and fine
end

local provider, idle, loaded

local done, met = xpcall(function()
  provider = assert(sandbox.start { key = KEY, seconds = VIDEO_SECONDS,
    drawn = false })
  idle, loaded = start(provider, INTERVAL), start(provider, INTERVAL)
  local fine = compare(provider, idle, loaded)
  return reload(loaded) and fine
end, debug.traceback)
engine:close()
for _, server in ipairs { loaded or false, idle or false, provider } do
  if server then
    server:stop()
  end
end
if not done then
  error(met, 0)
end
os.exit(met)
