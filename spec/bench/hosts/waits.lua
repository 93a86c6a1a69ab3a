-- What ten thousand waits cost a process, against the sandbox over TLS: as one
-- list, and each in an operation of its own; under LuaJIT and Lua 5.4. Exits
-- with 0 where every goal is met.

local curl = require "starvideos.curl"
local figure = require "spec.bench.figure"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local waiters = require "spec.bench.hosts.waiters"

local COUNT = 10000
local AT_A_TIME = 64

-- Only a list is held to the pace and the processor's part. Of the memory of operations
-- Lua's own is held to a limit: the process has up to as much again, of garbage.
local RUNS = {
  { how = "all", name = "waits", bytes = "<= 6144", lua_bytes = "<= 6144", late = "<= 1",
    processor = "<= 5" },
  { how = "each", name = "waits_each", lua_bytes = "<= 6144" },
}

local ORDER = '{"model":"starvideos_o3","prompt":"A quiet lake","duration":5}'

local function take_id(transfer)
  local response, failure = transfer:result()
  assert(response and response.status == 200,
    response and response.body or failure and failure.message)
  return assert(json.decode(response.body)).id
end

-- Orders so many videos over a few connections, as no client would.
local function order_all(server)
  local engine = curl.network { inline = true, ca_file = server.ca_file,
    max_in_flight = AT_A_TIME }
  local request = { method = "POST", body = ORDER, timeout = 60,
    url = server.base_url .. "/v1/starvideos/videos",
    headers = { Authorization = "Bearer " .. server.key,
      ["Content-Type"] = "application/json" } }
  local ids, transfers = {}, {}
  for _ = 1, COUNT do
    transfers[#transfers + 1] = assert(engine:submit(request))
    while #transfers == AT_A_TIME do
      engine:step(1)
      for index = #transfers, 1, -1 do
        if transfers[index]:done() then
          ids[#ids + 1] = take_id(table.remove(transfers, index))
        end
      end
    end
  end
  for _, transfer in ipairs(transfers) do
    while not transfer:done() do
      engine:step(1)
    end
    ids[#ids + 1] = take_id(transfer)
  end
  engine:close()
  return ids
end

local server = assert(sandbox.start { tls = true, seconds = 1e6,
  drawn = false, memory = "256m" })
figure.exit(server, function()
  local ids, all = order_all(server), true
  for _, run in ipairs(RUNS) do
    all = waiters.measure(server, ids, run) and all
  end
  return all
end)
