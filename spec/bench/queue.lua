-- A queue of 100,000 orders in a file: how long it takes to fill, to tell what is
-- in it, and to claim its first order; and how much memory it takes to read all of them,
-- and to check such a list. Nothing is sent.

local context = require "starvideos.context"
local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local ROUNDS, ORDERS = 9, 100000

local function orders()
  local list = {}
  for index = 1, ORDERS do
    list[index] = { model = "videos", duration = 5, ratio = "16:9",
      prompt = ("A kitten %d "):format(index):rep(20):sub(1, 200),
      path = ("act-%d/scene-%d.mp4"):format(index % 10, index) }
  end
  return list
end

local function median_of(measured)
  local seconds = {}
  for round = 1, ROUNDS do
    local began = core.now()
    measured()
    seconds[round] = core.now() - began
  end
  return figure.median(seconds)
end

local ONCE = "lua5.4 spec/bench/orders_once.lua %s 2>&1 >/dev/null | tail -n 1"

-- The peak of memory of a process, in megabytes.
local function peak_of(words)
  return assert(tonumber(shell.read(ONCE:format(words))))
end

local function measure_memory(folder, list)
  local lines = {}
  for index, order in ipairs(list) do
    lines[index] = json.encode(order)
  end
  files.write(folder .. "/list.jsonl", table.concat(lines, "\n"))
  local ledger = folder .. "/queue.db"
  local met = figure.print("orders_100000_peak", peak_of(ledger), "MB", "< 50")
  for _, option in ipairs { "--json", "--json-lines" } do
    met = figure.print("orders" .. option .. "_100000_peak",
      peak_of(("orders %s --ledger %s"):format(option, ledger)), "MB", "< 50") and met
  end
  return figure.print("batch--dry-run_100000_peak", peak_of(
    ("batch %s/list.jsonl --dry-run --json --ledger %s"):format(folder, ledger)),
    "MB", "< 200") and met
end

local function measure(folder)
  local client = assert(starvideos.new { api_key = "key",
    ledger = folder .. "/queue.db" })
  local list, began = orders(), core.now()
  assert(client:enqueue(list))
  local met = figure.print("queue_enqueue_100000", core.now() - began, "s",
    "< 20")
  met = figure.print("queue_status_100000", median_of(function()
    assert(client:status().states.queued == ORDERS)
  end), "s", "< 0.3") and met
  local base_url = context.of(client).base_url
  local worker = assert(context.of(client).ledger:register {
    base_url = base_url })
  met = figure.print("queue_claim", median_of(function()
    assert(worker:claim { what = "queued", count = 1, base_url = base_url }[1])
  end) * 1000, "ms", "< 5") and met
  worker:retire()
  client:close()
  return measure_memory(folder, list) and met
end

return function()
  local folder = files.folder()
  local done, met = xpcall(measure, debug.traceback, folder)
  files.remove(folder)
  if not done then
    error(met, 0)
  end
  return met
end
