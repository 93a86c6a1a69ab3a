-- A timer of one millisecond in each loop: `run(seconds, on_tick)` runs the
-- loop for so long and tells of each tick how late it came, in seconds.

local core = require "starvideos.core"

local TICK = 0.001

local _M = {}

function _M.luv()
  local uv = require "luv"
  local host = {}
  function host.attach(client)
    require "starvideos.loop.luv"(client)
  end
  function host.run(seconds, on_tick)
    local timer, ends = uv.new_timer(), core.now() + seconds
    local armed
    local function tick()
      local now = core.now()
      on_tick(now - armed - TICK)
      if now < ends then
        uv.update_time()
        armed = core.now()
        timer:start(TICK * 1000, 0, tick)
      else
        timer:close()
        uv.stop()
      end
    end
    armed = core.now()
    timer:start(TICK * 1000, 0, tick)
    uv.run()
  end
  return host
end

function _M.cqueues()
  local cqueues = require "cqueues"
  local cq = cqueues.new()
  local host = {}
  function host.attach(client)
    require "starvideos.loop.cqueues"(client, cq)
  end
  function host.run(seconds, on_tick)
    local now, ended = core.now(), false
    local ends = now + seconds
    cq:wrap(function()
      while now < ends do
        local armed = core.now()
        cqueues.sleep(TICK)
        now = core.now()
        on_tick(now - armed - TICK)
      end
      ended = true
    end)
    while not ended do
      assert(cq:step())
    end
  end
  return host
end

function _M.copas()
  local copas = require "copas"
  local host = {}
  function host.attach(client)
    require "starvideos.loop.copas"(client)
  end
  function host.run(seconds, on_tick)
    local now = core.now()
    local due, ends = now + TICK, now + seconds
    while now < ends do
      copas.step(math.max(0, due - now))
      now = core.now()
      if now >= due then
        on_tick(now - due)
        now = core.now()
        due = now + TICK
      end
    end
  end
  return host
end

return _M
