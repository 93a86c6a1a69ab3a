-- What the library adds to queries: to what a C program takes that reuses
-- libcurl's handles and reads nothing, in turns, so that both meet the same machine.
-- One after the other, on the server's core and wherever the system likes; and
-- 64 at once: by lists of waits, and by coroutines on the runtime of loops.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local one_core = require "spec.bench.one_core"
local starvideos = require "starvideos"

local ROUNDS, AT_ONCE = 15, 64

-- Games and nginx have LuaJIT: its figures are their own.
local LUA = rawget(_G, "jit") and "_luajit" or ""

-- As long as a real one: a shorter one would spare the search for it in what
-- comes back.
local KEY = "sk-" .. ("0123456789abcdef"):rep(3)

-- Microseconds of the wall clock and of the processor, each for one request.
local function plain(part, url)
  local process = assert(io.popen(("build/bench/query_plain '%s' %s %d %d")
    :format(url, KEY, part.count, part.at_once)))
  local wall, cpu = process:read("*n", "*n")
  process:close()
  return assert(wall) / part.count * 1e6, assert(cpu) / part.count * 1e6
end

local function ours(part, client)
  local wall, cpu = core.now(), os.clock()
  part.body(client, part.count)
  return (core.now() - wall) / part.count * 1e6,
    (os.clock() - cpu) / part.count * 1e6
end

local function one_by_one(client, count)
  for _ = 1, count do
    assert(client:query("video_1"))
  end
end

local function wait_all(client, count)
  local ids = {}
  for index = 1, AT_ONCE do
    ids[index] = "ended_" .. index
  end
  for _ = 1, count / AT_ONCE do
    for _, result in ipairs(client:wait_all(ids, { first_poll = 0 })) do
      assert(result.task, result.err)
    end
  end
end

local function coroutines(client, count)
  for _ = 1, AT_ONCE do
    client:async(function()
      for _ = 1, count / AT_ONCE do
        assert(client:query("video_1"))
      end
    end):on_done(function(handle)
      assert(not handle.err, handle.err)
    end)
  end
  client:run()
end

local parts = {
  { name = "query_one_core", runtime = "block", body = one_by_one, count = 2560,
    at_once = 1, goal = "<= 10", server = one_core },
  { name = "query", runtime = "block", body = one_by_one, count = 2560,
    at_once = 1, goal = "<= 10" },
  { name = "wait_all_64", runtime = "block", body = wait_all, count = 2560,
    at_once = AT_ONCE, goal = "<= 20" },
  { name = "poll_64", runtime = "poll", body = coroutines, count = 2560,
    at_once = AT_ONCE, goal = "<= 20" },
}

local function show(part, rounds)
  local median, what = {}, part.name .. LUA
  for name, values in pairs(rounds) do
    median[name] = figure.median(values)
  end
  figure.print(what .. "_plain", median.plain, "us")
  figure.print(what .. "_plain_cpu", median.plain_cpu, "us")
  figure.print(what, median.ours, "us")
  figure.print(what .. "_cpu", median.ours_cpu, "us")
  local met = figure.print(what .. "_added", median.added, "us", part.goal)
  return figure.print(what .. "_added_cpu", median.added_cpu, "us", part.goal) and met
end

local function run(part, server)
  local client = assert(starvideos.new { api_key = KEY, poll_rate = 1e6,
    base_url = server.base_url, runtime = part.runtime })
  local url = server.base_url .. "/v1/result/video_1"
  local rounds = { plain = {}, plain_cpu = {}, ours = {}, ours_cpu = {},
    added = {}, added_cpu = {} }
  part.body(client, part.count)
  for round = 1, ROUNDS do
    local wall, cpu = plain(part, url)
    local our_wall, our_cpu = ours(part, client)
    rounds.plain[round], rounds.plain_cpu[round] = wall, cpu
    rounds.ours[round], rounds.ours_cpu[round] = our_wall, our_cpu
    rounds.added[round], rounds.added_cpu[round] = our_wall - wall, our_cpu - cpu
  end
  client:close()
  return show(part, rounds)
end

return function(server)
  local met = true
  for _, part in ipairs(parts) do
    local with = part.server or function(body) return body(server) end
    met = with(function(running) return run(part, running) end) and met
  end
  return met
end
