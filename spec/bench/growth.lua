-- What grows with a ledger in a file: 100,000 ended orders of one caller of a gateway, of
-- which there are 10,000; and a million orders of all kinds.

local contexts = require "starvideos.context"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local databases = require "starvideos.ledger.database"
local enqueue = require "starvideos.fleet.enqueue"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local http = require "socket.http"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local CALLER, CALLERS, ENDED = "ann", 10000, 100000
local ROUNDS, REQUESTS = 99, 300

local MILLION, LISTS = 1000000, 9

local PRICES = { currency = "USD", models = { videos = { per_video = 0.01 } } }

local LIMITS = [[
WITH RECURSIVE number (n) AS
  (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %d)
INSERT INTO starvideos_limits (name, kind, scope, value, cap, currency, refunds,
  updated_at)
SELECT 'spend/total account=c' || n, 'spend/total', 'account', 'c' || n, 1e15,
  'USD', 0, 1 FROM number]]

-- An order a second, until now.
local ORDERS = [[
WITH RECURSIVE number (n) AS
  (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %d)
INSERT INTO starvideos_orders (order_id, order_key, state, task_id, model, params,
  base_url, account, label, request, cost, currency, spent_in, attempts, revision,
  created_at, updated_at, closed_at, queued_at)
SELECT printf('%%08x%%024x', began + n, n), 'key-' || n, %s, 'video_' || n, model,
  params, base_url, %s, %s, %s, 1e4, 'USD', 0, 1, 1, began + n, began + n, began + n,
  began + n
FROM (SELECT model, params, base_url, created_at - 100 - %d AS began
  FROM starvideos_orders), number]]

local function params(number)
  return { model = "videos", duration = 5, ratio = "16:9",
    prompt = ("A kitten %d "):format(number or 0):rep(20):sub(1, 200) }
end

local function client_of(address, account)
  local number = 0
  return assert(starvideos.new { api_key = "key", ledger = address,
    account = account, prices = PRICES, base_url = "http://127.0.0.1:1",
    transport = function()
      number = number + 1
      return { status = 200, headers = {},
        body = ('{"id":"video_%d","status":"queued"}'):format(number) }
    end })
end

local function run(address, statements)
  local database = databases.new(address)
  assert(database:rows "PRAGMA cache_size = -500000")
  for _, sql in ipairs(statements) do
    assert(database:run(sql))
  end
  database:close()
end

-- Milliseconds of each round.
local function times(rounds, measured)
  local list = {}
  for round = 1, rounds do
    local began = core.now()
    measured(round)
    list[round] = (core.now() - began) * 1000
  end
  return list
end

local function median(rounds, measured)
  return figure.median(times(rounds, measured))
end

local function admitting(address, name, goal)
  local client = client_of(address, CALLER)
  local context = contexts.of(client)
  local met = figure.print("growth_admit" .. name, median(ROUNDS, function(round)
    assert("new" == assert(enqueue.admit(context, params(round), { terms = {
      open = 1e6, orders_per_minute = 1e6 } })).verdict)
  end), "ms", goal)
  met = figure.print("growth_account" .. name, median(ROUNDS, function()
    assert(context.ledger:usage())
  end), "ms", goal) and met
  client:close()
  return met
end

local function callers()
  local list = { { name = CALLER, token_sha256 = curl.sha256 "token-of-ann",
    limits = { open = 1e6, orders_per_minute = 1e6, spend = 1e6 } } }
  for index = 1, CALLERS - 1 do
    list[index + 1] = { name = "c" .. index, token_sha256 = curl.sha256("t" .. index) }
  end
  return { callers = list }
end

-- It ends with the gateway.
local SCRAPE = "(while curl -fsS -o @out@ @url@; do sleep 0.05; done)"
  .. " >/dev/null 2>&1 &"

local function asked(url, token)
  local _, status = http.request { url = url,
    headers = { Authorization = "Bearer " .. token } }
  return status
end

local function p99(list)
  table.sort(list)
  return list[math.ceil(#list * 0.99)]
end

-- A GET by a token, while the metrics are read all the time, or not.
local function serving(folder, address, name, goal)
  shell.run(("chmod 777 %s && chmod 666 %s*"):format(folder, address))
  local gateway = gateways.start { base_url = "http://127.0.0.1:1", api_key = "key",
    ledger = address, callers = callers(), prices = PRICES }
  if goal then
    shell.run(shell.fill(SCRAPE, { out = folder .. "/metrics",
      url = gateway.url .. "/metrics" }))
  end
  local done, met = xpcall(function()
    local url = gateway.url .. "/v1/account"
    for _ = 1, 50 do -- each nginx worker opens the ledger
      assert(asked(url, "token-of-ann") == 200)
    end
    return figure.print(name, p99(times(REQUESTS, function()
      assert(asked(url, "token-of-ann") == 200)
    end)), "ms", goal)
  end, debug.traceback)
  gateway:stop()
  return assert(done and { met = met }, met).met
end

local function gateway_figures(folder)
  local small, address = folder .. "/small.db", folder .. "/gateway.db"
  for _, path in ipairs { small, address } do
    local client = client_of(path, CALLER)
    assert(client:create(params(), { key = "first" }))
    assert(client:limits { spend = 1e6, account = CALLER, per = "total" })
    client:close()
  end
  run(address, { LIMITS:format(CALLERS - 1), ORDERS:format(ENDED,
    "'downloaded'", "'" .. CALLER .. "'", "NULL", "'r' || n", ENDED) })
  local met = admitting(small, "_first", nil)
  met = admitting(address, "_" .. ENDED, "< 1") and met
  run(address, { "UPDATE starvideos_orders SET state = 'refused', closed_at = 1"
    .. " WHERE closed_at IS NULL" })
  serving(folder, address, "growth_get_p99")
  return serving(folder, address, "growth_get_p99_scraped", "< 10") and met
end

-- Of a million orders a few have failed, and none of one account and one label.
local STATE = "CASE WHEN n % 100000 = 0 THEN 'failed' ELSE 'downloaded' END"
local ACCOUNT = "CASE WHEN n % 2 = 0 THEN 'red' ELSE 'blue' END"
local LABEL = "CASE WHEN n % 10 = 0 THEN 'act1' ELSE 'act2' END"

-- Each alone, and with each other; what is found, and what is not.
local filters = {
  { "state", { "failed", "downloaded", "queued" } },
  { "label", { "act1", "act3" } },
  { "account", { "red", "green" } },
  { "key", { "key-5" } },
  { "since", { 600, 100 * MILLION } },
  { "before", { 600, 100 * MILLION } },
}

-- The slowest list of ten orders, and which filters it has.
local function slowest(client)
  local now, worst, which = core.time(), 0, ""
  local function try(filter, name)
    local found = median(LISTS, function() assert(client:orders(filter)) end)
    if found > worst then
      worst, which = found, name
    end
  end
  local function value_of(row, value)
    return (row[1] == "since" or row[1] == "before") and now - value or value
  end
  for index, row in ipairs(filters) do
    for _, value in ipairs(row[2]) do
      try({ [row[1]] = value_of(row, value), limit = 10 }, row[1])
      for other = index + 1, #filters do
        for _, second in ipairs(filters[other][2]) do
          try({ [row[1]] = value_of(row, value), limit = 10,
            [filters[other][1]] = value_of(filters[other], second) },
            row[1] .. "_" .. filters[other][1])
        end
      end
    end
  end
  return worst, which
end

local function list_figures(folder)
  local address = folder .. "/million.db"
  local client = client_of(address)
  assert(client:create(params(), { key = "first" }))
  run(address, { ORDERS:format(MILLION, STATE, ACCOUNT, LABEL, "NULL", MILLION) })
  local worst, which = slowest(client)
  local met = figure.print("growth_list_" .. which .. "_" .. MILLION, worst, "ms",
    "< 5")
  met = figure.print("growth_limit_set_" .. MILLION, median(3, function(round)
    assert(client:limits { spend = 1e6 + round, per = "total" })
  end), "ms") and met
  figure.print("growth_status_" .. MILLION, median(1, function()
    assert(client:status().states.downloaded)
  end), "ms")
  client:close()
  return met
end

-- An order that a cap keeps back, before 100,000 others that do not fit either.
local function queue_figures(folder)
  local address = folder .. "/queue.db"
  local client = client_of(address)
  local first = params(1)
  first.key = "first"
  assert(client:enqueue { first })
  run(address, { ORDERS:format(ENDED, "'queued'", "''", "NULL", "NULL", ENDED),
    "UPDATE starvideos_orders SET closed_at = NULL, spent_in = NULL",
    "UPDATE starvideos_orders SET spent_in = 0, state = 'completed'"
      .. " WHERE order_key = 'key-1'" })
  assert(client:limits { spend = 0.015, per = "total" })
  local base_url = contexts.of(client).base_url
  local worker = assert(contexts.of(client).ledger:register { base_url = base_url })
  local wanted = { what = "queued", count = 1, base_url = base_url }
  local row = assert(worker:claim(wanted)[1])
  local met = figure.print("growth_kept_back_" .. ENDED, median(ROUNDS, function()
    local _, err = worker:submitting(row)
    assert(err.kind == "limited")
  end), "ms", "< 5")
  met = figure.print("growth_claim_kept_back_" .. ENDED, median(ROUNDS, function()
    assert(not worker:claim(wanted)[1])
  end), "ms", "< 5") and met
  met = figure.print("growth_left_" .. ENDED, median(ROUNDS, function()
    assert(worker:left({ base_url = base_url }).queued.orders == ENDED)
  end), "ms", "< 50") and met
  worker:retire()
  client:close()
  return met
end

-- What a create costs by the indexes that lists and limits are for: less one without them,
-- in turns.
local FOR_LISTS = { "by_state", "by_label", "by_account", "by_account_and_label",
  "spent", "waiting", "open_of_caller" }

local function create_figures(folder)
  local clients, costs = {}, {}
  for index, name in ipairs { "without", "with" } do
    local address = folder .. "/" .. name .. ".db"
    clients[index], costs[index] = client_of(address), {}
    assert(clients[index]:create(params(), { key = "first" }))
    for _, dropped in ipairs(index == 1 and FOR_LISTS or {}) do
      run(address, { "DROP INDEX starvideos_orders_" .. dropped })
    end
  end
  for round = 1, ROUNDS do
    for index, client in ipairs(clients) do
      local began = os.clock()
      for order = 1, 20 do
        assert(client:create(params(), { key = round .. "-" .. order }))
      end
      costs[index][round] = (os.clock() - began) / 20 * 1e6
    end
  end
  clients[1]:close()
  clients[2]:close()
  -- The best round: the others say what else the machine does.
  table.sort(costs[1])
  table.sort(costs[2])
  local before, after = costs[1][1], costs[2][1]
  figure.print("growth_create_without_indexes", before, "us")
  figure.print("growth_create", after, "us")
  return figure.print("growth_create_by_indexes", (after / before - 1) * 100, "%",
    "< 5")
end

local function all_figures(folder)
  local met = gateway_figures(folder)
  met = list_figures(folder) and met
  met = queue_figures(folder) and met
  return create_figures(folder) and met
end

return function()
  local folder = files.folder()
  local done, met = xpcall(all_figures, debug.traceback, folder)
  files.remove(folder)
  if not done then
    error(met, 0)
  end
  return met
end
