-- A queue of 100,000 orders in a file: how long it takes to fill, to tell what is
-- in it, and to claim its first order. Nothing is sent.

local context = require "starvideos.context"
local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
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
  return met
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
