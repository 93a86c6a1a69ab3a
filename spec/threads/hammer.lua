-- The life of one Lua state among several: a driver of its own, tickets that
-- are kept, dropped, cancelled, and what is under way at the end left to
-- lua_close. Gives how many tickets have ended.

local curl = require "starvideos.curl"

local url, tls_url, ca_file, seed = ...
math.randomseed(seed)

local PATHS = { "/hello", "/hello", "/slow", "/drip" }
local TURNS, HELD = 60, 12

local driver = curl.driver { ca_file = ca_file, max_in_flight = 4 }
local held, ended = {}, 0

local function any() return math.random(HELD) end

local deeds = {
  function()
    local origin = math.random(3) == 1 and tls_url or url
    held[any()] = assert(driver:submit { timeout = 10,
      url = origin .. PATHS[math.random(#PATHS)] })
  end,
  function() held[any()] = assert(driver:errand("size", ca_file)) end,
  function()
    local ticket = held[any()]
    if ticket then ticket:cancel() end
  end,
  function()
    local ticket = held[any()]
    if ticket then
      ticket:answer()
      ticket:progress()
      if ticket:done() then ticket:result() end
    end
  end,
  function() held[any()] = nil end,
  function() collectgarbage "step" end,
  function()
    driver:calm()
    while driver:ready() do
      ended = ended + (driver:take() and 1 or 0)
    end
  end,
  function() driver:wake() end,
}

for _ = 1, TURNS do
  deeds[math.random(#deeds)]()
end
if math.random(3) == 1 then
  driver:close()
elseif math.random(2) == 1 then
  driver = nil
  collectgarbage()
end
return ended
