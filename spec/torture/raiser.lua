-- A host whose watchdog raises an error at one instruction after an order was
-- sent, and which lives on: for each of many instructions one order under a key of
-- its own.
--
--   lua5.4 spec/torture/raiser.lua SETTINGS LEDGER WAY FIRST EVERY LAST
--
-- SETTINGS is a file of JSON with `base_url`, `api_key`, `ca_file` and `broken`
-- (see `faults`). Prints one JSON object: how many errors were `raised`, and the
-- `last` instruction that one was raised at; how many orders were `lost`: not
-- `accepted` after the host has entered the library again.

local core = require "starvideos.core"
local faults = require "spec.torture.faults"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"
local wire = require "starvideos.order.wire"

local jit = rawget(_G, "jit")
if jit then
  jit.off() -- compiled code calls no hook
end

local path, ledger, way, first, every, last = ...

local file = assert(io.open(path, "rb"))
local settings = json.decode(file:read "*a")
file:close()

-- So long its own caller has to take it, while it is updated.
wire.policy.late = 0.05

-- Seconds after which an answer that was not recorded never will be.
local LONGEST = 20

-- Instructions without an error after which all have been tried.
local ENOUGH = 3

local raised, steps, main

-- Counts on one thread, from when an order is about to be sent.
local function watch(thread)
  debug.sethook(thread, function()
    debug.sethook(thread)
    raised = true
    error(settings.raises == "table" and {} or "the watchdog", 0)
  end, "", steps)
end

-- What the host does with each step: it makes an order, and gets or is given an
-- error. `thread` says on which one the hook counts.
local ways = {
  block = { runtime = "block", order = function(client, ...)
    client:create(...)
  end },
  -- In the coroutine of the operation.
  frame = { runtime = "frame", order = function(client, ...)
    local order = client:async(client.create, client, ...)
    while not (order.done or raised) do
      client:update()
    end
  end },
  -- In what resumes it.
  update = { runtime = "poll", thread = function() return main end },
}
ways.update.order = ways.frame.order
local one = assert(ways[way])

local add = wire.add
local counting
function wire.add(flight)
  add(flight)
  if counting and not flight.response then
    counting = false
    watch(one.thread and one.thread() or coroutine.running())
  end
end

faults.bring(settings.broken)

local function new_client(runtime)
  return assert(starvideos.new { runtime = runtime, ledger = ledger,
    api_key = settings.api_key, base_url = settings.base_url,
    ca_file = settings.ca_file, timeout = 10 })
end

local looker = new_client "block"

-- The host goes on: any call of any client is an entry.
local function is_lost(key)
  local until_then = core.now() + LONGEST
  repeat
    local row = assert(looker:order(key))
    if row.state ~= "submitting" then
      return row.state == "unknown"
    end
  until core.now() > until_then
  return true
end

local function run()
  local result = { raised = 0, lost = 0, last = 0, keys = {} }
  local client, quiet = new_client(one.runtime), 0
  steps = tonumber(first)
  repeat
    raised, counting = false, true
    local key = ("%s-%d"):format(way, steps)
    pcall(function()
      one.order(client, { model = "videos", prompt = key, duration = 4 },
        { key = key })
      debug.sethook(main)
    end)
    quiet = raised and 0 or quiet + 1
    result.raised = result.raised + (raised and 1 or 0)
    result.last = raised and steps or result.last
    if is_lost(key) then
      result.lost = result.lost + 1
      result.keys[#result.keys + 1] = key
    end
    if one.runtime ~= "block" then
      client = new_client(one.runtime) -- the other is let go
    end
    steps = steps + tonumber(every)
  until quiet == ENOUGH or steps > tonumber(last)
  client:close()
  return result
end

-- In a coroutine, whose hook can be set from others in all Luas.
local done, result = coroutine.resume(coroutine.create(function()
  main = coroutine.running()
  return run()
end))
assert(done, result)
print((json.encode(result)))
