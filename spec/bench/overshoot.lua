-- How late a wait ends: after its deadline, and after Ctrl-C, with requests
-- under way at a server that never answers.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local figure = require "spec.bench.figure"
local nginx = require "spec.fixtures.nginx"
local random = require("starvideos.base.fingerprint").random
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local GOAL = "< 50"

-- Waits that end one by one, and sets of as many tasks as the engine sends at
-- a time and of three times as many.
local SINGLE, SETS, SIZES = 150, 12, { 64, 192 }

local INTERRUPTS = 100

local SILENCE = [[
    lua_check_client_abort on;
    location / { content_by_lua_block { ngx.sleep(3600) } }]]

local ONCE = "lua5.4 spec/bench/overshoot_once.lua '%s' %d"

local next_number = random(1)

local function percentile(values, share)
  table.sort(values)
  return values[math.ceil(#values * share)]
end

local function sleep(seconds)
  local engine = curl.network { inline = true }
  local due = core.now() + seconds
  while core.now() < due do
    engine:step(due - core.now())
  end
  engine:close()
end

-- Milliseconds by which a set of waits outlasts its deadline.
local function after_deadline(client, count, timeout)
  local ids = {}
  for index = 1, count do
    ids[index] = "video_" .. index
  end
  local start = core.now()
  local results = client:wait_all(ids, { first_poll = 0, timeout = timeout })
  local elapsed = core.now() - start
  for _, result in ipairs(results) do
    assert(result.err.kind == "timeout", tostring(result.err))
  end
  assert(elapsed >= timeout)
  return (elapsed - timeout) * 1e3
end

local function deadlines(base_url)
  local client = assert(starvideos.new { api_key = "key",
    base_url = base_url })
  local late = {}
  for round = 1, SINGLE do
    late[round] = after_deadline(client, 1, 0.03 + 0.07 * next_number())
  end
  for round = 1, SETS do
    late[#late + 1] = after_deadline(client, SIZES[round % #SIZES + 1],
      0.3 + next_number())
  end
  client:close()
  return late
end

-- Milliseconds from the signal, and what it takes to send one, to the end of
-- the waits.
local function after_interrupt(base_url, count)
  local process = assert(io.popen(ONCE:format(base_url, count)))
  local pid = assert(process:read("*n"))
  sleep(0.05 + 0.1 * next_number())
  local start = core.now()
  assert(shell.run(("kill -INT %d"):format(pid)))
  local ended = assert(process:read("*n"), "the wait did not end in order")
  process:close()
  return (ended - start) * 1e3
end

local function interrupts(base_url)
  local late = {}
  for round = 1, INTERRUPTS do
    late[round] = after_interrupt(base_url, round % 4 == 0 and 100 or 1)
  end
  return late
end

return function()
  local server = nginx.start { body = SILENCE }
  local done, deadline, interrupt = xpcall(function()
    return percentile(deadlines(server.url), 0.99),
      percentile(interrupts(server.url), 0.99)
  end, debug.traceback)
  server:stop()
  if not done then
    error(deadline, 0)
  end
  local in_time = figure.print("deadline_overshoot_p99", deadline, "ms", GOAL)
  return figure.print("interrupt_overshoot_p99", interrupt, "ms", GOAL)
    and in_time
end
