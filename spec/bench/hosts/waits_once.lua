-- A process with a wait for each line of a file; prints what they cost it as
-- JSON.
--
--   luajit spec/bench/hosts/waits_once.lua BASE_URL CA_FILE IDS all|each
--
-- It lives like a game: 60 times a second it looks at its waits.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"
local watch = require "starvideos.wait.watch"

local base_url, ca_file, ids_file, how = arg[1], arg[2], arg[3], arg[4]

local INTERVAL = 45
local FRAME, BUDGET_MS = 1 / 60, 4

-- A few that are in a hurry first: what a process has anyway once it polls,
-- connections, machine code and garbage, is no part of what many cost.
local FEW, HURRY, WARM = 200, 1, 15

-- All start together, which the budget and the rate spread over the first
-- interval; one whole interval and a third are measured after that.
local FROM, UNTIL = INTERVAL, INTERVAL + 60

-- Polls a second that are allowed for each that is needed.
local ROOM = 1.3

local ids, dues, late = {}, {}, {}
for id in io.lines(ids_file) do
  ids[#ids + 1], dues[id] = id, 0
end

local function resident()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmRSS:%s*(%d+)")
    if kilobytes then
      return tonumber(kilobytes) * 1024
    end
  end
end

-- Processor seconds of all threads of this process: user and system, in
-- hundredths, are the 14th and 15th field (proc(5)).
local function processor()
  local file = assert(io.open("/proc/self/stat"))
  local user, system = file:read("*a"):match("%) %S"
    .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  file:close()
  return (tonumber(user) + tonumber(system)) / 100
end

local function live()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") * 1024
end

-- How long after it was due each poll leaves.
local function observe()
  local poll = watch.poll
  function watch.poll(plan, self)
    late[#late + 1] = dues[self.id] > 0 and core.now() - dues[self.id] or nil
    local what, value, err = poll(plan, self)
    dues[self.id] = what == watch.SLEEP and value or 0
    return what, value, err
  end
end

local function begin(client, list, options)
  options.first_poll = 0
  options.max_interval = options.interval
  if how == "all" then
    client:async(client.wait_all, client, list, options)
    return
  end
  for _, id in ipairs(list) do
    client:async(client.wait, client, id, options)
  end
end

local function percentile(values, share)
  table.sort(values)
  return values[math.ceil(#values * share)]
end

local engine = curl.network { inline = true }
local client = assert(starvideos.new { api_key = "sandbox-key",
  base_url = base_url, ca_file = ca_file, runtime = "frame",
  poll_rate = math.max(250, ROOM * #ids / INTERVAL) })

local function live_for(seconds)
  local until_then = core.now() + seconds
  while core.now() < until_then do
    client:update(BUDGET_MS)
    engine:step(FRAME)
  end
end

observe()
local few = {}
for index = 1, FEW do
  few[index] = ids[index]
end
begin(client, few, { interval = HURRY, timeout = WARM })
live_for(WARM + 1)
assert(#late > FEW, "the polls of the first few do not leave")

local lua, resident_before = live(), resident()
begin(client, ids, { interval = INTERVAL, timeout = 3600 })
live_for(FROM)
late = {}
local used, from = processor(), core.now()
live_for(UNTIL - FROM)
local share = (processor() - used) / (core.now() - from)
local grown = resident() - resident_before
local polls, late_p999 = #late, percentile(late, 0.999)
local late_most = math.max(late[#late], -late[1])
late = {}
io.write(json.encode {
  polls = polls,
  bytes = grown / #ids,
  lua_bytes = (live() - lua) / #ids,
  late_p999 = late_p999,
  late_most = late_most,
  processor = share * 100,
}, "\n")
os.exit(0)
