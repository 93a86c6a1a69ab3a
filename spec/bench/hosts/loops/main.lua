-- How late a timer of a loop is, in turns without us and with us under way,
-- and what our calls take: each `update`, and each order that is begun. Prints
-- JSON.
--
--   luajit spec/bench/hosts/loops/main.lua LOOP URL FOLDER ROUNDS SECONDS

local burden = require "spec.bench.hosts.loops.burden"
local clocks = require "spec.bench.hosts.love.clocks"
local core = require "starvideos.core"
local ffi = require "ffi"
local json = require "starvideos.base.json"
local timers = require "spec.bench.hosts.loops.timers"

local name, url, folder, rounds, seconds = arg[1], arg[2], arg[3],
  tonumber(arg[4]), tonumber(arg[5])

-- Before the measurement all is under way and compiled.
local WARM_UP = 4

-- Seconds from one order, and its TLS connect, to the next.
local ORDERS = 0.25

local MOST = 500000

local host = timers[name]()
local updates = clocks.series(MOST)
local counts = { polls = 0, orders = 0, failed = 0 }

-- Milliseconds; nothing is allocated while they are taken, or the collector
-- would be measured too.
local function lateness()
  return { count = 0, values = ffi.new("double[?]", MOST) }
end

local idle, busy = lateness(), lateness()

local function add(series, seconds_late)
  if series.count < MOST then
    series.values[series.count] = seconds_late * 1e3
    series.count = series.count + 1
  end
end

local function sorted(series)
  local list = {}
  for index = 1, series.count do
    list[index] = series.values[index - 1]
  end
  table.sort(list)
  return list
end

local function summary(series)
  local list = sorted(series)
  return { median = list[math.ceil(#list / 2)],
    p99 = list[math.ceil(#list * 0.99)],
    p999 = list[math.ceil(#list * 0.999)], longest = list[#list] }
end

-- What a call took of the host's time alone: where the thread was taken
-- off the processor for others, only what it had of that.
local function own_longest()
  local longest = 0
  for at = 0, updates.count - 1 do
    local taken = updates.taken_away[at] > 0 and updates.waited[at] == 0
    longest = math.max(longest, (taken and updates.cpu or updates.wall)[at])
  end
  return longest * 1e3
end

local function run_idle()
  host.run(seconds, function(late)
    add(idle, late)
  end)
end

-- Has the calls of `update` measured from now on.
local function measure(client)
  local update = client.update
  local function body()
    update(client)
  end
  function client.update()
    updates:measure(body)
  end
end

local function run_busy()
  local client, order = burden.take(url, folder, counts)
  host.attach(client)
  local next_order = core.now()
  host.run(WARM_UP, function() end)
  measure(client)
  host.run(seconds, function(late)
    add(busy, late)
    if core.now() >= next_order then
      next_order = core.now() + ORDERS
      updates:measure(order)
    end
  end)
  client:close()
end

for _ = 1, rounds do
  run_idle()
  run_busy()
  collectgarbage()
  os.execute(("rm -f -- '%s'/*"):format(folder))
end
local found = updates:summary()
found.own_longest = own_longest()
print(json.encode { idle = summary(idle), busy = summary(busy),
  updates = found, counts = counts })
