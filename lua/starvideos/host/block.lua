-- The runtime of scripts: a call returns when its work is done. The engine is driven on
-- the calling thread; no other thread exists. What the methods of a runtime promise
-- stands in `docs/contracts.md`.

local core = require "starvideos.core"
local schedulers = require "starvideos.host.scheduler"

local _M = {}

local Block = {}
Block.__index = Block

-- For runtimes that share some of the methods.
_M.methods = Block

-- How long the engine may wait before listeners are told again how far it is.
local PROGRESS_SECONDS = 0.1
-- The same if none listens: a finalizer of the host's may have driven the engine to the
-- very end that is waited for.
local LOOK_SECONDS = 1
local LONG_SECONDS = 3600

-- Fibers that are resumed before the engine has a turn: if thousands are due, the first
-- requests leave at once.
local TURNS = 16

-- What the stand-alone interpreter raises at Ctrl-C, between any two instructions.
local function is_interrupt(raised)
  return type(raised) == "string" and raised:find("interrupted!$") ~= nil
end

Block.is_interrupt = is_interrupt

function Block:now()
  return self.clock()
end

-- Whether a fiber runs that can let others go on while it waits: there are some only
-- while others are gathered. If Lua does not let it, the call works all the same, but
-- the others stand still meanwhile.
local function is_fiber(self)
  return self.driving > 0 and self.scheduler:current() and schedulers.can_yield()
end

-- Raises in a metamethod of Lua 5.1 while other calls are under way, and if libcurl
-- cannot be loaded.
function Block:check()
  if is_fiber(self) then
    self.scheduler.probe()
  end
  if not (self.transport or self.made) then
    require "starvideos.curl"
  end
end

local function is_watched(req)
  return req.on_progress ~= nil or req.on_answer ~= nil
end

-- A listener may close the client while the engine is driven: the engine is closed when
-- the last drive has ended.
local function begin_drive(self)
  self.driving = self.driving + 1
end

local function end_drive(self)
  self.driving = self.driving - 1
  if self.closed then
    self:close()
  end
end

local function drive(self, req, ticket)
  local watched = is_watched(req)
  local seconds = watched and PROGRESS_SECONDS or LOOK_SECONDS
  repeat
    self.network():step(seconds)
    if watched then
      schedulers.report(req, ticket)
    end
    if self.closed and not req.finish then
      ticket:cancel()
    end
  until ticket:done()
end

-- What has ended and nobody waits for; what others wait for is told by `collect`.
local function take_out(self)
  if not next(self.scheduler.waiting) then
    while self.made and self.made:take() do
    end
  end
end

-- Drives one request to its end. An interrupt or an error cancels it, but with `finish`
-- (an order on the wire) an error leaves it under way.
local function drive_through(self, req, ticket)
  local interrupted, raised
  local ok = ticket:done() -- a finalizer may have driven it
  begin_drive(self)
  while not ok do
    ok, raised = pcall(drive, self, req, ticket)
    if not ok and not is_interrupt(raised) then
      if not req.finish then
        ticket:cancel()
      end
      end_drive(self)
      error(raised, 0)
    elseif not ok then
      local first = not interrupted
      interrupted = true
      if not req.finish then
        ticket:cancel()
      elseif first and req.on_interrupt then
        req.on_interrupt()
      end
    end
    ok = ok or ticket:done()
  end
  take_out(self)
  end_drive(self)
  local response, failure = ticket:result(req.guard ~= nil)
  if interrupted then
    (response or failure).interrupted = true
  end
  return response, failure
end

function Block:request(req)
  if self.closed then
    return schedulers.refused()
  elseif self.transport then
    return self.transport(req)
  end
  local ticket, number = self.network():submit(req)
  if not ticket then
    return nil, number
  elseif is_fiber(self) then
    return self.scheduler:await(ticket, number, req)
  end
  return drive_through(self, req, ticket)
end

local function sleep_until(self, due)
  while true do
    local left = due - self.clock()
    if left <= 0 then
      return true
    end
    local ok, why = self.pause(left)
    if ok == nil and why then
      return nil, why
    end
  end
end

function Block:sleep(seconds)
  local due = self.clock() + seconds
  if self.closed then
    return nil, "cancelled"
  elseif is_fiber(self) then
    return self.scheduler:sleep(due)
  end
  local ok, raised, why = pcall(sleep_until, self, due)
  if ok then
    return raised, why
  elseif is_interrupt(raised) then
    return nil, "interrupted"
  end
  error(raised, 0)
end

-- Nil if nobody else goes on while one waits.
function Block:waiter()
  return is_fiber(self) and self.scheduler:current() or nil
end

function Block:wait(waiter, seconds) -- luacheck: no unused args
  return self:sleep(seconds)
end

function Block:wake(waiter)
  self.scheduler:wake(waiter)
end

function Block:has_ended(waiter) -- luacheck: no self
  return waiter.ended == true
end

function Block.leave() end

-- Lua 5.1 and LuaJIT would say of a second try only that the first has failed.
local function load_curl()
  local ok, curl = pcall(require, "starvideos.curl")
  if not ok then
    package.loaded["starvideos.curl"] = nil
  end
  return ok and curl
end

function Block:disk(name, ...)
  self.do_job = self.do_job or (load_curl() or core).disk -- that has no digest
  return self.do_job(name, ...)
end

Block.disk_later = Block.disk

local function collect(self)
  local scheduler = self.scheduler
  local number = next(scheduler.waiting) and self.made:take()
  while number do
    scheduler:ended(number)
    number = self.made:take()
  end
end

-- Lets time pass until something may have happened: true, or nil and why the waits are
-- to end.
local function idle(self, left)
  local scheduler = self.scheduler
  if next(scheduler.waiting) then
    local look = next(scheduler.watched) and PROGRESS_SECONDS or LOOK_SECONDS
    self.network():step(math.min(left, look))
  elseif left > 0 then
    return self.pause(left)
  end
  return true
end

local function turn(self, operation)
  local scheduler = self.scheduler
  collect(self) -- what a cancel has ended: the engine does not tell
  if not scheduler:is_busy() then
    return
  end
  local due = scheduler:due()
  local left = due and math.max(0, due - self.clock()) or LONG_SECONDS
  local ok, why = idle(self, scheduler:is_ready() and 0 or left)
  if ok == nil and why then
    scheduler:cancel(operation, why)
  end
  for fiber in pairs(scheduler.watched) do
    schedulers.report(fiber.request, fiber.ticket)
  end
  collect(self)
  local now, turns = self.clock(), TURNS
  while turns > 0 and scheduler:turn(now) do
    turns = turns - 1
  end
end

local function run(self, group, operation)
  while not group.ended and self.scheduler:is_busy() do
    turn(self, operation)
  end
end

-- The actor's wait does not end for what was taken before: so the message is looked at
-- behind the takes, which may have met its very answer.
local function wait_for(actor, message, patience)
  while true do
    while actor:take() do
    end
    local left = patience.left()
    if message:done() then
      return
    elseif left <= 0 then
      return "timeout"
    end
    actor:wait(left)
  end
end

-- What runs side by side stands still meanwhile.
function Block:await(actor, message, _, patience)
  local ok, raised = pcall(wait_for, actor, message, patience)
  if ok then
    return raised
  elseif not is_interrupt(raised) then
    error(raised, 0)
  end
  self:interrupt()
  return "interrupted"
end

-- Ctrl-C came in the running fiber, and was caught there: it ends the waits of the
-- others as well. LuaJIT raises it in whichever fiber runs.
function Block:interrupt()
  local fiber = self.scheduler:current()
  if fiber then
    self.scheduler:cancel(fiber.operation, "interrupted")
  end
end

-- While one sleeps or waits for an answer the others go on.
function Block:gather(functions)
  local scheduler = self.scheduler
  if is_fiber(self) then
    return scheduler:gather(functions)
  end
  local operation = { fibers = {} }
  begin_drive(self)
  self.operations[operation] = true
  local group = scheduler:gather(functions, operation)
  local ok, raised = pcall(run, self, group, operation)
  while not ok and is_interrupt(raised) do
    scheduler:cancel(operation, "interrupted")
    ok, raised = pcall(run, self, group, operation)
  end
  self.operations[operation] = nil
  end_drive(self)
  scheduler:abandon(group) -- an interrupt may have ended one in its turn
  if not ok or group.failed then
    error(not ok and raised or group.raised, 0)
  end
end

-- Called by a listener, it ends the waits around it as cancelled.
function Block:close()
  self.closed = true
  for operation in pairs(self.operations) do
    self.scheduler:cancel(operation, "cancelled")
  end
  if self.made and self.driving == 0 then
    self.made:close()
  end
end

-- The engine starts with the first request that needs it.
function _M.new(options)
  load_curl() -- later it may not be found
  local self = setmetatable({
    transport = options.transport,
    scheduler = schedulers.new(is_interrupt),
    operations = {}, -- one for each `gather` under way
    driving = 0, -- requests and gathers under way
  }, Block)
  function self.network()
    self.made = self.made or require("starvideos.curl").network {
      inline = true,
      ca_file = options.ca_file,
      max_in_flight = options.max_in_flight,
    }
    return self.made
  end
  self.clock = options.clock or require("starvideos.core").now
  self.pause = options.sleep or function(seconds)
    self.network():step(math.min(seconds, LONG_SECONDS))
  end
  return self
end

return _M
