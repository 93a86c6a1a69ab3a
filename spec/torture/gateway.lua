-- make torture-gateway: a gateway's nginx workers are killed, or it is reloaded,
-- quit or stopped, at random moments while callers order; then the ledger and the
-- files are compared with the sandbox's own record.
--
--   lua5.4 spec/torture/gateway.lua [KILLS] [SEED]
--
-- Prints one JSON object a line and ends with 0 where every goal is met.

local audit = require "spec.torture.audit"
local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local dbi = require "DBI"
local figure = require "spec.bench.figure"
local gateways = require "spec.fixtures.gateway"
local http = require "socket.http"
local json = require "starvideos.base.json"
local ltn12 = require "ltn12"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"

local KEY = "key-of-the-gateway"

-- Every answer takes long enough to be met by a kill.
local SANDBOX = { key = KEY, drawn = false, seconds = 0.3, queued_seconds = 0.1,
  link_seconds = 36000, memory = "256m",
  scenario = "create_slow=0.05,query_slow=0.02,media_slow=0.1" }

-- So many orders have not ended at any time.
local OPEN = 12

-- Seconds at most from new orders to a kill, and to the next round.
local SHORT, LONG = 0.1, 0.6

-- Of a hundred rounds, what is done instead of a kill.
local RELOADS, QUITS, STOPS = 8, 3, 3

-- Seconds in which all must have ended after the last kill, and others have what
-- one that was killed had: nginx starts another at once, which sees that; where it
-- does not, for the one was at its end, the next heartbeat of the others does.
local SETTLED, TAKEOVER = 60, 20

-- In which a gateway that was started answers.
local PATIENCE = 20

local torture = { orders = {}, open = {}, placed = 0, takeovers = {}, kills = 0,
  reloads = 0, quits = 0, stops = 0, retries = 0, slowest = 0 }

local function ask(method, path, headers, body)
  local parts = {}
  headers["Content-Length"] = body and #body
  local _, status = http.request { method = method, headers = headers,
    url = torture.gateway.url .. path, sink = ltn12.sink.table(parts),
    source = body and ltn12.source.string(body) }
  return tonumber(status), json.decode(table.concat(parts))
end

-- As a client does whose connection is cut, or who is told to come back.
local function place()
  torture.placed = torture.placed + 1
  local key = ("order-%05d"):format(torture.placed)
  local body = json.encode { model = "videos", duration = 4,
    prompt = key .. " a street" }
  local until_then = core.now() + PATIENCE
  repeat
    local status, value = ask("POST", "/v1/videos",
      { ["Content-Type"] = "application/json", ["Idempotency-Key"] = key }, body)
    if status == 200 then
      torture.orders[value.id], torture.open[value.id] = key, core.now()
      return
    end
    torture.retries = torture.retries + 1
    socket.sleep(0.05)
  until core.now() > until_then
  error(key .. " could not be placed: " .. torture.gateway:logs())
end

-- Looks at what has not ended: how many that is.
local function look()
  local count = 0
  for id, began in pairs(torture.open) do
    local _, value = ask("GET", "/v1/videos/" .. id, {})
    if value and (value.status == "completed" or value.status == "failed") then
      torture.open[id] = nil
      torture.slowest = math.max(torture.slowest, core.now() - began)
    else
      count = count + 1
    end
  end
  return count
end

-- Callers order until that many have not ended.
local function fill()
  for _ = look() + 1, OPEN do
    place()
  end
end

local function workers()
  local list = {}
  for pid in shell.read("pgrep -f 'worker process$' -P "
    .. torture.gateway.pid):gmatch "%d+" do
    list[#list + 1] = tonumber(pid)
  end
  return list
end

-- How many workers of a process the ledger has, and their orders.
local function claims_of(pid)
  local statement = assert(torture.database:prepare([[SELECT COUNT(*) AS workers
    FROM starvideos_workers WHERE owner LIKE ?]]))
  assert(statement:execute("% " .. pid .. " %"))
  local row = statement:fetch(true)
  statement:close()
  return tonumber(row.workers)
end

-- Until the ledger has nothing of a killed worker any more: its orders are others'.
local function await_takeover(pid)
  local began = core.now()
  repeat
    if claims_of(pid) == 0 then
      table.insert(torture.takeovers, core.now() - began)
      return
    end
    socket.sleep(0.005)
  until core.now() > began + SETTLED
  error "nobody took over"
end

-- Meanwhile callers order: some of them are cut off.
local function kill()
  local list = workers()
  local pid = list[math.random(#list)]
  if pid and claims_of(pid) > 0 then
    shell.run(("{ sleep %.3f; kill -9 %d; } &"):format(math.random() * SHORT,
      pid))
    fill()
    while core.process_exists(pid) do
      socket.sleep(0.002)
    end
    torture.kills = torture.kills + 1
    await_takeover(pid)
  end
end

local function restart(name)
  torture.gateway:signal(name)
  torture.gateway:restart()
end

local function round()
  local chance = math.random(100)
  if chance <= RELOADS then
    torture.gateway:signal "HUP"
    torture.reloads = torture.reloads + 1
  elseif chance <= RELOADS + QUITS then
    restart "QUIT"
    torture.quits = torture.quits + 1
  elseif chance <= RELOADS + QUITS + STOPS then
    restart "TERM"
    torture.stops = torture.stops + 1
  else
    kill()
  end
end

local function settle()
  local began = core.now()
  while look() > 0 and core.now() < began + SETTLED do
    socket.sleep(0.1)
  end
  return core.now() - began
end

local function audited(provider)
  local record = books.of(provider)
  local rows, health = audit.rows(torture.gateway.prefix .. "/ledger.db")
  local own = debug.getinfo(nginx.start, "S").source:match "^@(.*)/[^/]*$"
  local clip = select(2, next(audit.digests(own .. "/../clip.mp4")))
  return audit.compare { tasks = record.tasks, rows = rows, health = health,
    clip = clip, digests = audit.digests(torture.gateway.prefix .. "/files") }
end

local function measure(provider, kills)
  torture.gateway = gateways.start { base_url = provider.base_url,
    api_key = KEY }
  fill()
  torture.database = assert(dbi.Connect("SQLite3",
    torture.gateway.prefix .. "/ledger.db"))
  torture.database:autocommit(true) -- or it would see what was there at first
  while torture.kills < kills do
    fill()
    socket.sleep(math.random() * LONG)
    round()
  end
  local seconds = settle()
  local report = audited(provider)
  for index = 1, math.min(20, #report.findings) do
    io.stderr:write(report.findings[index], "\n")
  end
  local fine = true
  local function print(name, value, unit, goal)
    fine = figure.print("torture_gateway_" .. name, value, unit, goal) and fine
  end
  for _, name in ipairs { "kills", "reloads", "quits", "stops", "retries" } do
    print(name, torture[name], name)
  end
  for _, name in ipairs { "orders", "billed", "downloaded", "unknown" } do
    print(name, report[name], "orders")
  end
  for _, name in ipairs { "lost", "double", "broken", "unfinished" } do
    print(name, report[name], "orders", "<= 0")
  end
  print("misplaced", torture.placed - report.orders, "orders", "<= 0")
  table.sort(torture.takeovers)
  print("takeover_median", figure.median(torture.takeovers), "s")
  print("takeover_longest", torture.takeovers[#torture.takeovers], "s",
    "<= " .. TAKEOVER)
  print("slowest_order", torture.slowest, "s", "<= " .. SETTLED)
  print("settled", seconds, "s", "< " .. SETTLED)
  return fine
end

local kills = tonumber(arg[1]) or 200
local seed = tonumber(arg[2]) or core.now() * 1000 % 10000
math.randomseed(math.floor(seed))
figure.print("torture_gateway_seed", math.floor(seed), "seed")

figure.exit(assert(nginx.start(SANDBOX)), function(provider)
  local done, fine = xpcall(measure, debug.traceback, provider, kills)
  if torture.gateway then
    if not done or not fine then
      io.stderr:write((torture.gateway:logs()
        :gsub("[^\n]*request_id[^\n]*\n", "")))
    end
    torture.gateway:stop()
  end
  return assert(done and fine ~= nil, fine) and fine
end)
