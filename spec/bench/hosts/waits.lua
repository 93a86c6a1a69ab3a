-- What ten thousand waits cost a process, against the sandbox over TLS: as one
-- list, and each in a coroutine of its own; under LuaJIT and Lua 5.4. Exits
-- with 0 where every goal is met.

local curl = require "starvideos.curl"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.json"
local sandbox = require "starvideos.sandbox.nginx"

local COUNT = 10000
local AT_A_TIME = 64

local LUAS = { "luajit", "lua5.4" }

-- A list is held to the goals. Ten thousand coroutines of the host's cost what
-- those cost, and are there to compare with.
local RUNS = {
  { how = "all", name = "waits", bytes = "< 2048", late = "< 1",
    processor = "< 5" },
  { how = "each", name = "waits_each" },
}

local COMMAND = [[
eval "$(MAKEFLAGS= make -s env LUA=%s BUILD=%s)"
exec timeout 300 %s spec/bench/hosts/waits_once.lua '%s' '%s' '%s' %s]]

local ORDER = '{"model":"starvideos_o3","prompt":"A quiet lake","duration":5}'

local function take_id(transfer)
  local response, failure = transfer:result()
  assert(response and response.status == 200,
    response and response.body or failure and failure.message)
  return assert(json.decode(response.body)).id
end

-- Orders so many videos over a few connections, as no client would.
local function order_all(server)
  local engine = curl.engine { ca_file = server.ca_file,
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

local function begin(server, ids_file, lua, run)
  local build = os.getenv("BUILD") or "build"
  return assert(io.popen(COMMAND:format(lua, build .. "/" .. lua, lua,
    server.base_url, server.ca_file, ids_file, run.how)))
end

local function show(name, found, run)
  local met = figure.print(name .. "_bytes", found.bytes, "bytes", run.bytes)
  figure.print(name .. "_lua_bytes", found.lua_bytes, "bytes")
  figure.print(name .. "_polls", found.polls, "polls")
  met = figure.print(name .. "_late_p999", found.late_p999, "s", run.late)
    and met
  met = figure.print(name .. "_late_most", found.late_most, "s", run.late)
    and met
  return figure.print(name .. "_processor", found.processor, "%",
    run.processor)
    and met
end

-- Both Luas side by side: neither needs much of the machine.
local function measure(server, ids_file, run)
  local processes = {}
  for index, lua in ipairs(LUAS) do
    processes[index] = begin(server, ids_file, lua, run)
  end
  local met = true
  for index, lua in ipairs(LUAS) do
    local line = processes[index]:read("*a")
    processes[index]:close()
    local found = assert(json.decode(line), lua .. " printed " .. line)
    met = show(("%s_%s"):format(run.name, lua), found, run) and met
  end
  return met
end

local server = assert(sandbox.start { tls = true, seconds = 1e6,
  drawn = false, memory = "256m" })
figure.exit(server, function()
  local ids_file = server.prefix .. "/ids"
  files.write(ids_file, table.concat(order_all(server), "\n"))
  local all = true
  for _, run in ipairs(RUNS) do
    all = measure(server, ids_file, run) and all
  end
  return all
end)
