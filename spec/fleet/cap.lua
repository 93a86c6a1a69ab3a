-- Many processes order against a cap: as many orders are bought as it allows, and
-- where the database is cut off at random never more.

local stages = require "spec.fleet.stage"

local _M = {}

-- Cents, so that the millionths must be right.
local PRICE = 0.07

local PRICES = { currency = "USD", models = {
  videos = { per_video = PRICE } } }

local LONGEST = 240

-- Of each piece of data that goes to the database or comes from it.
local STORM = { cut = 0.004, swallow = 0.0005, held = 4, delay = 0.02,
  seconds = 0.1 }

local function settings_of(stage, ledger, count)
  return stage:write_settings({
    client = stage:client_options { ledger = ledger, prices = stage.prices,
      timeout = 5 },
    count = count, patience = 3, start = stage.folder .. "/start" }, "buyer")
end

local function start_all(stage, processes, settings)
  local children = {}
  for index = 1, processes do
    children[index] = stage:start(
      "@lua@ spec/fleet/buyer.lua @settings@ @name@",
      { settings = settings, name = "buyer-" .. index })
  end
  return children
end

local function set_cap(stage, orders)
  local client = stage:client { prices = PRICES }
  assert(client:limits { spend = orders * PRICE, per = "total",
    currency = "USD" })
  client:close()
end

local function buy(stage, sizes, ledger)
  -- Twice as many as there is money for.
  local each = math.ceil(2 * sizes.cap / sizes.processes)
  local children = start_all(stage, sizes.processes,
    settings_of(stage, ledger, each))
  assert(stage:wait(1, function() return true end))
  assert(io.open(stage.folder .. "/start", "w")):close()
  return stage:join(children, LONGEST)
end

-- What the ledger takes for spent: never less than what was billed.
local function spent(stage)
  local rows = assert(stage:database():rows [[SELECT used FROM
    starvideos_limits WHERE name LIKE 'spend/total%']])
  return tonumber(rows[1].used) / 1e6
end

local function run(report, sizes, name, seed)
  local stage = stages.new { seed = seed,
    postgres = { connections = sizes.processes + 60 },
    sandbox = { seconds = 1000, price = PRICE, memory = "64m" } }
  stage.prices = PRICES
  return stages.use(stage, function()
    set_cap(stage, sizes.cap)
    if seed then
      stage.tunnel.storm(STORM)
    end
    local bad = buy(stage, sizes, seed and stage:far_ledger()
      or stage.server.url)
    report:print(name .. "_failed", bad, "processes", "<= 0")
    local billed = stage:record().billed
    report:print(name .. "_bought", billed, "orders", "<= " .. sizes.cap)
    report:print(name .. "_unaccounted", math.max(0, billed * PRICE
      - spent(stage)), "USD", "<= 1e-6")
    if seed then
      local told = stage.tunnel.told()
      report:print(name .. "_cuts", told.cut + told.swallow, "connections",
        ">= 1")
    else
      report:print(name .. "_all_bought", billed, "orders",
        ">= " .. sizes.cap)
    end
    report:print_none(name .. "_", stage:compare "unfinished", { "lost", "double" },
      "orders")
  end)
end

function _M.run(report, sizes)
  run(report, sizes, "cap")
  run(report, sizes, "cap_in_storm", sizes.seed)
end

return _M
