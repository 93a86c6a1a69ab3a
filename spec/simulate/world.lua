-- Virtual time: programs side by side that wait in one heap of deadlines, so that
-- hours take as long as what is done in them. It stands in the place of the runtime
-- `block` for every client that is made after `install`.

local deadlines = require "starvideos.base.deadlines"

local _M = {}

--- Seconds that a way to the provider takes.
_M.latency = 0.1

local world = { now = 0, sleepers = deadlines() }

-- Goes on with a fiber until it waits again.
local function resume(fiber, ...)
  local before = world.current
  world.current = fiber
  local ok, why = coroutine.resume(fiber.thread, ...)
  world.current = before
  if not ok then
    why = debug.traceback(fiber.thread, tostring(why))
  end
  if coroutine.status(fiber.thread) == "dead" then
    fiber.has_ended = true
    fiber.on_end(not ok and why or nil)
  end
end

-- A sleep that was ended before is still in the heap, under its old number.
local function sleep(fiber, seconds)
  fiber.sleeps = fiber.sleeps + 1
  world.sleepers:push(world.now + math.max(0, seconds),
    { fiber = fiber, number = fiber.sleeps })
  return coroutine.yield()
end

local function wake(fiber)
  if fiber.waits then
    fiber.waits = false
    fiber.sleeps = fiber.sleeps + 1
    world.sleepers:push(world.now, { fiber = fiber, number = fiber.sleeps })
  end
end

local function start(body, on_end, ...)
  local fiber = { thread = coroutine.create(body), sleeps = 0,
    on_end = on_end }
  resume(fiber, ...)
  return fiber
end

local Runtime = {}
Runtime.__index = Runtime

function Runtime:check() end -- luacheck: no self

function Runtime:now() -- luacheck: no self
  return world.now
end

function Runtime:sleep(seconds) -- luacheck: no self
  sleep(world.current, seconds)
  return true
end

function Runtime:request(req)
  sleep(world.current, _M.latency / 2)
  local response, failure = self.transport(req)
  sleep(world.current, _M.latency / 2)
  return response, failure
end

function Runtime:gather(functions) -- luacheck: no self
  local parent, running, failure = world.current, 0, nil
  local function also(fn)
    running = running + 1
    start(fn, function(why)
      running, failure = running - 1, failure or why
      if running == 0 or failure then
        wake(parent)
      end
    end, also)
  end
  for _, fn in ipairs(functions) do
    also(fn)
  end
  while running > 0 and not failure do
    parent.waits = true
    coroutine.yield()
  end
  if failure then
    error(failure, 0)
  end
end

function Runtime:disk() -- luacheck: no self
  return true
end

Runtime.disk_later = Runtime.disk

function Runtime:waiter() -- luacheck: no self
  return world.current
end

function Runtime:wait(fiber, seconds) -- luacheck: no self
  fiber.waits = true
  sleep(fiber, seconds)
  fiber.waits = false
  return true
end

function Runtime:wake(fiber) -- luacheck: no self
  wake(fiber)
end

function Runtime:has_ended(fiber) -- luacheck: no self
  return fiber.has_ended or false
end

function Runtime:leave() end -- luacheck: no self

function Runtime:close() end -- luacheck: no self

--- Seconds since the world began.
-- @treturn number
function _M.now()
  return world.now
end

--- Put the world's time and its runtime in the place of the real ones, before the
-- library is loaded.
-- @tparam number epoch Unix seconds at which it begins
function _M.install(epoch)
  local core = require "starvideos.core"
  local block = require "starvideos.host.block"
  core.now = _M.now
  core.boottime = _M.now
  core.time = function() return epoch + world.now end
  block.new = function(options)
    return setmetatable({ transport = options.transport,
      is_interrupt = block.methods.is_interrupt }, Runtime)
  end
end

--- Start a program.
-- @tparam function body
-- @param ... its arguments
function _M.start(body, ...)
  start(body, function(why)
    if why then
      error(why, 0)
    end
  end, ...)
end

--- Let time pass until nobody waits any more.
-- @tparam[opt] function on_second called after each second
function _M.run(on_second)
  local following = math.floor(world.now) + 1
  while world.sleepers.count > 0 do
    local sleeper, due = world.sleepers:pop()
    local fiber = sleeper.fiber
    if not fiber.has_ended and fiber.sleeps == sleeper.number then
      while on_second and following <= due do
        world.now = following
        on_second(following)
        following = following + 1
      end
      world.now = due
      resume(fiber)
    end
  end
end

--- Let time pass for a program.
-- @tparam number seconds
function _M.sleep(seconds)
  sleep(world.current, seconds)
end

return _M
