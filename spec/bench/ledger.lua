-- What a ledger adds to an order, and how fast 100,000 open orders are read.
-- The provider answers at once from this process, so that nothing else is
-- measured.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local starvideos = require "starvideos"

local ROUNDS, COUNT = 9, 1000
local ORDERS, PAGE = 100000, 1000

local function client_of(ledger)
  local number = 0
  return assert(starvideos.new {
    api_key = "key",
    ledger = ledger,
    transport = function()
      number = number + 1
      return { status = 200, headers = {},
        body = ('{"id":"video_%d","status":"queued"}'):format(number) }
    end,
  })
end

local function params()
  return { model = "videos", duration = 5, ratio = "16:9",
    prompt = ("A kitten "):rep(25):sub(1, 200) }
end

-- Microseconds of the wall clock and of the processor for one order.
local function cost(client, prefix)
  local order = params()
  local wall, cpu = core.now(), os.clock()
  for index = 1, COUNT do
    assert(client:create(order, prefix and { key = prefix .. index } or nil))
  end
  return (core.now() - wall) / COUNT * 1e6, (os.clock() - cpu) / COUNT * 1e6
end

-- With a ledger less without one, in turns.
local function order_cost(folder)
  local without, with = client_of(nil), client_of(folder .. "/orders.db")
  cost(without)
  cost(with, "warm-")
  local wall, cpu = {}, {}
  for round = 1, ROUNDS do
    local bare_wall, bare_cpu = cost(without)
    local full_wall, full_cpu = cost(with, "scene-" .. round .. "-")
    wall[round], cpu[round] = full_wall - bare_wall, full_cpu - bare_cpu
  end
  with:close()
  local light = figure.print("ledger_order_cpu", figure.median(cpu), "us",
    "<= 150")
  return figure.print("ledger_order", figure.median(wall), "us", "< 200")
    and light
end

local FILL = [[
WITH RECURSIVE number (n) AS
  (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %d)
INSERT INTO starvideos_orders (order_id, order_key, state, task_id, model, params,
  base_url, attempts, revision, created_at, updated_at)
SELECT printf('%%032x', n), 'key-' || n, 'accepted', 'video_' || n, model,
  params, base_url, 1, 1, created_at + n, updated_at + n
FROM starvideos_orders, number]]

local function fill(address)
  local client = client_of(address)
  assert(client:create(params()))
  client:close()
  local database = require("starvideos.ledger.database").new(address)
  assert(database:run(FILL:format(ORDERS - 1)))
  database:close()
end

local function read_all(client)
  local began, count, after = core.now(), 0, nil
  repeat
    local page, more = client:pending { limit = PAGE, after = after }
    count, after = count + #assert(page, more), more
  until not after
  assert(count == ORDERS)
  return core.now() - began
end

local function reading_cost(folder)
  local address = folder .. "/many.db"
  fill(address)
  local seconds = {}
  for round = 1, ROUNDS do
    local client = client_of(address)
    seconds[round] = read_all(client)
    client:close()
  end
  return figure.print("ledger_pending_100000", figure.median(seconds), "s",
    "< 1")
end

return function()
  local folder = files.folder()
  local done, met = xpcall(function()
    local cheap = order_cost(folder)
    return reading_cost(folder) and cheap
  end, debug.traceback)
  files.remove(folder)
  if not done then
    error(met, 0)
  end
  return met
end
