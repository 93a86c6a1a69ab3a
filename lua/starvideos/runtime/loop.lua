--- The runtime of hosts with a loop of their own: operations run in coroutines
-- and go on when the host calls `update`. A thread of the engine's does the
-- network and the disk.
-- @module starvideos.runtime.loop

local block = require "starvideos.runtime.block"
local own_loop = require "starvideos.runtime.own_loop"
local schedulers = require "starvideos.runtime.scheduler"
local yieldable = require "starvideos.runtime.yieldable"

local _M = {}

local Loop = {}
Loop.__index = Loop

--- The methods, for runtimes that have more.
_M.methods = Loop

-- Updates after which a queue that does not drain has twice the time.
local PATIENCE = 16

-- Between looks at what is still under way when the runtime is closed.
local CLOSING_SECONDS = 0.001

--- Seconds of a clock that only goes forward.
-- @treturn number
function Loop:now()
  return self.clock()
end

--- Make sure that this host can wait here: in a coroutine of `start`.
-- @tparam string call the name of what is about to wait
-- @tparam[opt=2] number level where a misuse is reported, as in `error`
-- @raise anywhere else, and where Lua lets no coroutine wait
function Loop:check(call, level)
  if not self.scheduler:current() then
    error(("%s would block the loop: call it inside client:async(function()"
      .. " ... end) of the same client"):format(call), (level or 2) + 1)
  end
  yieldable.check(call, (level or 2) + 1)
  self.scheduler.probe()
end

--- Send a request and wait for its answer while the host goes on.
-- @tparam table req as of `starvideos.runtime.block`; its listeners are called
--   from `update` and must not wait
-- @treturn ?table response
-- @treturn ?table failure
function Loop:request(req)
  self:check "a request"
  if self.scheduler:refusal() or self.closed then
    return schedulers.refused()
  elseif self.transport then
    return self.transport(req)
  end
  local ticket, number = self.driver():submit(req)
  if not ticket then
    return nil, number
  end
  return self.scheduler:await(ticket, number, req, self.clock())
end

--- Let time pass.
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string "cancelled"
function Loop:sleep(seconds)
  self:check "a pause"
  if self.closed then
    return nil, "cancelled"
  end
  return self.scheduler:sleep(self.clock() + seconds)
end

--- Whom to rouse where the running coroutine naps.
function Loop:waiter()
  return self.scheduler:current()
end

Loop.nap, Loop.rouse = block.methods.nap, block.methods.rouse
Loop.is_gone, Loop.leave = block.methods.is_gone, block.methods.leave

-- Whether the engine has gone; until then its disk keeps the order of jobs.
local function is_over(self)
  return self.closed and not self.made
end

-- What is under way on the disk is never torn.
local UNTORN = { finish = true }

--- Have something done on the disk, by the engine's thread for that.
-- @tparam string name see `starvideos.runtime.block`
-- @param ... its arguments
-- @return what `starvideos.curl.disk` gives
function Loop:disk(name, ...)
  if is_over(self) or not self.scheduler:current() then
    return self.inline:disk(name, ...)
  end
  local ticket, number = self.driver():disk(name, ...)
  if not ticket then
    return nil, number
  end
  return self.scheduler:await(ticket, number, UNTORN)
end

--- The same for who cannot wait.
-- @tparam string name
-- @param ... its arguments
function Loop:disk_later(name, ...)
  if is_over(self) then
    self.inline:disk(name, ...)
  else
    self.driver():disk(name, ...)
  end
end

-- A message that a coroutine waits for, in the shape of a ticket.
local Post = {}
Post.__index = Post

function Post.result() end

function Post.progress() end

-- It is told like one that has been answered.
local function give_up(self, why)
  if not self.why and self.message:give_up() then
    self.why = why
    self.unheard[#self.unheard + 1] = self.number
  end
end

function Post:cancel()
  give_up(self, "cancelled")
end

--- Wait for the answer of a actor while the host goes on.
-- @tparam table actor of `starvideos.core`, always the same one
-- @tparam table message
-- @tparam number number of the message
-- @tparam table wish see `starvideos.ledger.proxy`
-- @treturn ?string why it is not waited for any more
function Loop:await(actor, message, number, wish)
  if not self.scheduler:current() then
    self:check "the ledger"
  end
  local post = setmetatable({ message = message, number = number,
    unheard = self.unheard }, Post)
  self.actor, self.posts[number] = actor, post
  self.scheduler:await(post, post, { finish = wish.finish,
    on_progress = function()
      if wish.left(self.closed) <= 0 then
        give_up(post, "timeout")
      end
    end }, self.clock())
  return post.why
end

-- The next message that is waited for no longer.
local function next_post(self)
  local actor = self.actor
  local number = table.remove(self.unheard, 1)
    or actor and actor:ready() and actor:take()
  local post = number and self.posts[number]
  if post then
    self.posts[number] = nil
  end
  return number, post
end

--- Run functions side by side until all have returned.
-- @tparam table functions each is called with `also(fn)`, which adds one
-- @raise what one of them raises; the others are then given up
function Loop:gather(functions)
  self:check "a gathering"
  self.scheduler:gather(functions)
end

--- Told when there is work that a sleeping host knows nothing of.
function Loop.notify() end

local function changed(self)
  if not self.updating and not self.closed then
    self:notify()
  end
end

--- Start a coroutine; it runs up to its first wait.
-- @tparam function on_end see `starvideos.runtime.scheduler`
-- @tparam function body
-- @param ... its arguments
-- @treturn table group, for `cancel`
function Loop:start(on_end, body, ...)
  local group = self.scheduler:start(on_end, body, ...)
  changed(self)
  return group
end

--- End the waits of a coroutine and of all it has started.
-- @tparam table group
function Loop:cancel(group)
  self.scheduler:cancel(group, "cancelled")
  changed(self)
end

--- The same for all coroutines that were started.
-- @tparam[opt="cancelled"] string why
function Loop:cancel_all(why)
  for group in pairs(self.scheduler.groups) do
    self.scheduler:cancel(group, why or "cancelled")
  end
  changed(self)
end

--- Whether any coroutine that was started has not ended.
-- @treturn boolean
function Loop:is_busy()
  return next(self.scheduler.groups) ~= nil
end

--- What the running coroutine was started as.
-- @treturn ?table group
function Loop:current()
  local fiber = self.scheduler:current()
  return fiber and fiber.group
end

-- Resumes one coroutine: false where none may go on. Those whose time has
-- come and those whose answer has take turns, or the one would starve the
-- other.
local function step(self, now)
  local scheduler = self.scheduler
  self.timers_first = not self.timers_first
  if self.timers_first and scheduler:turn(now) then
    return true
  end
  local number = self.made and self.made:ready() and self.made:take()
  if number then
    scheduler:ended(number)
    return true
  end
  local message, post = next_post(self)
  if message then
    scheduler:ended(post)
    return true
  end
  return scheduler:turn(now)
end

-- Resumes no further one that would not end in time, going by the one before.
-- A queue that does not drain is given more time with every update.
local function look(self, seconds)
  local now = self.clock()
  local until_then = now + seconds * (1 + self.behind / PATIENCE)
  while step(self, now) do
    local before = now
    now = self.clock()
    if 2 * now - before >= until_then then
      self.behind = self.behind + 1
      return
    end
  end
  self.behind = 0
end

-- One who closed the runtime from within goes on after that, and so do those
-- that wait for it; no update comes any more.
local function drain(self)
  while self.closed and self.scheduler:turn(self.clock()) do
  end
end

--- Let go on who may, until the time is up; at least one.
-- @tparam[opt] number seconds
function Loop:update(seconds)
  if self.updating then
    return -- by one of those that are resumed
  end
  self.updating = true
  local ok, raised = pcall(look, self, seconds or self.budget)
  self.updating = false
  drain(self)
  if not ok then
    error(raised, 0)
  end
end

--- How long the host may sleep before it calls `update`, where nothing ends
-- meanwhile.
-- @treturn ?number seconds; nil where there is nothing to come
function Loop:timeout()
  local scheduler = self.scheduler
  if scheduler:is_ready() or self.made and self.made:ready()
    or self.unheard[1] or self.actor and self.actor:ready() then
    return 0
  end
  local due = scheduler:due()
  return due and math.max(0, due - self.clock())
end

--- What tells that something has ended; others may raise it, too.
-- @return notifier of the driver, nil where there is none
function Loop:notifier()
  return self.made and self.made:notifier()
end

--- Make sure that this is called around all coroutines: the host itself is to
-- wait.
-- @tparam string call the name of what is about to wait
-- @raise in a coroutine, and within an update
function Loop:check_around(call)
  local thread, is_main = coroutine.running()
  if self.updating or thread and not is_main then
    error(("%s would block the loop: it is for a program that has none, outside"
      .. " of client:async and of listeners"):format(call), 3)
  end
end

--- Let operations go on until none is under way; see
-- `starvideos.runtime.own_loop`.
-- @function Loop:run
Loop.run = own_loop.run

--- Let time pass, and operations go on meanwhile.
-- @function Loop:linger
Loop.linger = own_loop.sleep

--- End what is under way, and the engine. Orders on the wire are waited for,
-- for as long as an exchange may take: what they became must not be lost.
function Loop:close()
  local scheduler = self.scheduler
  self.closed = true
  self:cancel_all()
  while next(scheduler.waiting) or scheduler:is_ready() do
    if not step(self, self.clock()) then
      self.inline.pause(CLOSING_SECONDS)
    end
  end
  if self.made then
    self.made:close()
    self.made = nil -- an update may be under way
  end
  self.inline:close()
end

--- Make a runtime.
-- @tparam table options `transport` (function), `clock` (function), `ca_file`,
--   `max_in_flight`; the engine's threads start with the first request
-- @tparam number budget seconds that an update may take where it is told
--   nothing else
-- @tparam[opt] table methods further ones
-- @treturn table runtime
function _M.new(options, budget, methods)
  local self = setmetatable({
    budget = budget,
    behind = 0, -- updates in a row that left something to do
    transport = options.transport,
    pause = options.sleep,
    clock = options.clock or require("starvideos.core").now,
    scheduler = schedulers.new(),
    inline = block.new(options),
    posts = {}, -- messages that are waited for, by their numbers
    unheard = {}, -- the numbers of those that were given up
  }, methods or Loop)
  function self.driver()
    self.made = self.made or require("starvideos.curl").driver {
      ca_file = options.ca_file,
      max_in_flight = options.max_in_flight,
    }
    return self.made
  end
  if not options.transport then
    self.driver() -- to load libcurl takes longer than a frame
  end
  return self
end

return _M
