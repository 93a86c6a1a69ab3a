-- A long queue in a file: how long it takes to enqueue, to show and to claim.

local core = require "starvideos.core"
local contexts = require "starvideos.context"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local starvideos = require "starvideos"

local _M = {}

-- What the whole may take: seconds, and milliseconds for a claim.
local WHOLE, ENQUEUE, STATUS, CLAIM = 100000, 20, 0.3, 5

-- Claims that are measured.
local CLAIMS = 50


local function list_of(count)
  local list = {}
  for number = 1, count do
    list[number] = { model = "videos", duration = 5, ratio = "16:9",
      path = ("scenes/%06d.mp4"):format(number),
      prompt = ("scene %d, a kite over the sea "):format(number):rep(5) }
  end
  return list
end

local function seconds_of(body, ...)
  local began = core.now()
  assert(body(...))
  return core.now() - began
end

-- Milliseconds, each a single order as a worker claims it.
local function claims(client)
  local context = contexts.of(client)
  local worker = assert(context.ledger:register {
    base_url = context.base_url })
  local times = {}
  for index = 1, CLAIMS do
    times[index] = 1000 * seconds_of(function()
      return assert(worker:claim { what = "queued", count = 1,
        base_url = context.base_url })[1]
    end)
  end
  assert(worker:retire())
  return figure.median(times)
end

function _M.run(report, sizes)
  local folder = files.folder()
  local client = assert(starvideos.new { api_key = "key",
    ledger = folder .. "/ledger.db", transport = function()
      error "something was sent"
    end })
  local done, why = pcall(function()
    local function goal(most) -- a small queue is tried beside other specs
      return sizes.queue >= WHOLE and "<= " .. most or nil
    end
    assert(client:limits { open = 5, creates_per_minute = 20 })
    report:print("queue_enqueue", seconds_of(client.enqueue, client,
      list_of(sizes.queue)), "s", goal(ENQUEUE))
    report:print("queue_status", seconds_of(client.status, client), "s", goal(STATUS))
    report:print("queue_orders", client:status().states.queued, "orders",
      ">= " .. sizes.queue)
    report:print("queue_claim", claims(client), "ms", goal(CLAIM))
  end)
  client:close()
  files.remove(folder)
  assert(done, why)
end

return _M
