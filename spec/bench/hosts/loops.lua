-- How late a timer of one millisecond is in luv, cqueues and copas while a
-- thousand waits, sixteen downloads and TLS connects are under way; beside how
-- late it is without them, for no machine is quiet. Exits with 0 where every
-- goal is met.

local figure = require "spec.bench.figure"
local json = require "starvideos.base.json"
local provider = require "spec.bench.hosts.provider"
local shell = require "starvideos.nginx.shell"

local LOOPS = { "luv", "cqueues", "copas" }
local ROUNDS, SECONDS = 3, 6
local GOAL = "<= 2"

-- With the system's authorities, for reading them is much of what a TLS connect
-- costs.
local LAY_OUT = [[
cd @prefix@ && mkdir copies &&
cat /etc/ssl/certs/ca-certificates.crt @ca_file@ >ca.pem]]

local RUN = [[SSL_CERT_FILE=@prefix@/ca.pem luajit \
  spec/bench/hosts/loops/main.lua @name@ @url@ @prefix@/copies @rounds@ \
  @seconds@]]

local function measure(server, name)
  local output = shell.read(shell.fill(RUN, { prefix = server.prefix,
    name = name, url = server.base_url, rounds = tostring(ROUNDS),
    seconds = tostring(SECONDS) }))
  return assert(json.decode(output), name .. " was not measured: " .. output)
end

local function show(name, found)
  local function print_one(what, value, unit, goal)
    return figure.print(("%s_%s"):format(name, what), value, unit, goal)
  end
  local updates, idle, busy = found.updates, found.idle, found.busy
  print_one("updates", updates.count, "updates")
  print_one("update_median", updates.median, "ms")
  print_one("update_p999", updates.p999, "ms")
  print_one("update_longest", updates.longest, "ms")
  print_one("update_cpu_longest", updates.cpu_longest, "ms")
  local longest = print_one("update_own_longest", updates.own_longest, "ms",
    GOAL)
  print_one("update_taken_away", updates.taken_away, "updates")
  for _, what in ipairs { "median", "p99", "p999", "longest" } do
    print_one("timer_late_idle_" .. what, idle[what], "ms")
    print_one("timer_late_busy_" .. what, busy[what], "ms")
  end
  local late = print_one("timer_late_p99_more", busy.p99 - idle.p99, "ms",
    GOAL)
  print_one("polls", found.counts.polls, "polls")
  print_one("orders", found.counts.orders, "orders")
  return print_one("failed", found.counts.failed, "operations", "<= 0")
    and longest and late
end

io.stdout:setvbuf "line"
figure.exit(provider.start(), function(server)
  assert(shell.run(shell.fill(LAY_OUT, server)))
  local all = true
  for _, name in ipairs(LOOPS) do
    all = show(name, measure(server, name)) and all
  end
  return all
end)
