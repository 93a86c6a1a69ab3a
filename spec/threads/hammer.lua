-- The life of one Lua state among several: a driver and an actor of its own,
-- tickets and messages that are kept, dropped, given up, and what is under way
-- at the end left to lua_close. Gives how many have ended.

local core = require "starvideos.core"
local curl = require "starvideos.curl"

local url, tls_url, ca_file, seed = ...
math.randomseed(seed)

local PATHS = { "/hello", "/hello", "/slow", "/drip" }
local TURNS, HELD = 60, 12

local driver = curl.network { ca_file = ca_file, max_in_flight = 4 }
local held, messages, ended = {}, {}, 0

-- Rests often, and sees to it that there is something to end.
local SOURCE = [[
local core = require "starvideos.core"
local pause = ...
local function answer(seconds, ...)
  local done = core.now() + seconds
  while core.now() < done do core.heartbeat() end
  core.socket_mark()
  return ...
end
return answer, function() end, function() return pause end, function() end]]

local actor = core.actor { source = SOURCE, setup = 0.002, fork_seconds = 0.05,
  notifier = math.random(2) == 1 and driver:notifier() or nil }

local function any() return math.random(HELD) end

local actions = {
  function()
    local origin = math.random(3) == 1 and tls_url or url
    held[any()] = assert(driver:submit { timeout = 10,
      url = origin .. PATHS[math.random(#PATHS)] })
  end,
  function() held[any()] = assert(driver:disk("size", ca_file)) end,
  function()
    local ticket = held[any()]
    if ticket then ticket:cancel() end
  end,
  function()
    local number = any()
    local ticket = held[number]
    if ticket then
      ticket:answer()
      ticket:progress()
      if ticket:done() then
        held[number] = nil
        ticket:result()
      end
    end
  end,
  function() held[any()] = nil end,
  function() collectgarbage "step" end,
  function()
    driver:clear()
    while driver:ready() do
      ended = ended + (driver:take() and 1 or 0)
    end
  end,
  function() driver:wake() end,
  function()
    messages[any()] = assert(actor:post(math.random(2) == 1,
      math.random(3) * 0.001, { "word", list = { 1, 2 } }))
  end,
  function()
    local message = messages[any()]
    if message then
      if message:done() then message:result() else message:give_up() end
    end
  end,
  function() messages[any()] = nil end,
  function()
    actor:wait(0.001)
    while actor:ready() do
      ended = ended + (actor:take() and 1 or 0)
    end
  end,
  function()
    if actor:busy_seconds() > 0 then actor:disconnect(0.001) end
  end,
}

for _ = 1, TURNS do
  actions[math.random(#actions)]()
end
if math.random(3) == 1 then
  actor:close(math.random(0, 1) * 0.1)
end
if math.random(3) == 1 then
  driver:close()
elseif math.random(2) == 1 then
  driver = nil
  collectgarbage()
end
return ended
