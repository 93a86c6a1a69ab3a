--- Coroutines that take turns. Each runs until it has to wait: for a time, for
-- the end of a ticket (a request, a job on the disk) or for others that it has
-- started. Who may go on is resumed one at a time, so that a host can stop
-- whenever its time is up. Knows no engine; what has ended it is told.
--
-- A fiber is one coroutine. A group is what one caller has started and may
-- cancel as a whole; a set is what one `gather` waits for.
-- @module starvideos.runtime.scheduler

local deadlines = require "starvideos.deadlines"

local _M = {}

local Scheduler = {}
Scheduler.__index = Scheduler

-- How often the listeners of a request are told.
local PROGRESS_SECONDS = 0.1

-- What a fiber yields that wants to know whether it could wait.
local PROBE = {}

local ASTRAY = "yielded to nobody: inside client:async, and in listeners, only"
  .. " calls of the client can wait"

--- Tell the listeners of a request how far it has come.
-- @tparam table request with `on_answer`, told once, and `on_progress`
-- @tparam table ticket of the engine
function _M.report(request, ticket)
  if request.on_answer then
    local status, headers = ticket:answer()
    if status then
      request.on_answer(status, headers)
      request.on_answer = nil
    end
  end
  if request.on_progress then
    request.on_progress(ticket:progress())
  end
end

--- What comes of a request that nobody sends any more.
-- @treturn nil
-- @treturn table failure
function _M.refused()
  return nil, { reason = "cancelled", message = "the operation was cancelled",
    sent = false, phase = "queue", bytes_sent = 0 }
end

--- The fiber that is running.
-- @treturn ?table nil outside of all
function Scheduler:current()
  return self.fibers[coroutine.running() or false]
end

-- Queues a fiber that may go on, and what it is resumed with.
local function make_ready(self, fiber, first, second)
  self.ready_last = self.ready_last + 1
  self.ready[self.ready_last] = { fiber, first, second }
end

local function next_ready(self)
  if self.ready_first > self.ready_last then
    return nil
  end
  local entry = self.ready[self.ready_first]
  self.ready[self.ready_first] = nil
  self.ready_first = self.ready_first + 1
  return entry
end

local function forget(self, fiber)
  fiber.dead, fiber.sleeping, fiber.looking = true, nil, nil
  fiber.group.fibers[fiber] = nil
  fiber.set.fibers[fiber] = nil
  self.fibers[fiber.thread] = nil
  if fiber.key then
    self.waiting[fiber.key], self.watched[fiber] = nil, nil
  end
end

-- Ends a fiber where it stands, and those it waits for; none is resumed again.
local function kill(self, fiber)
  forget(self, fiber)
  if fiber.ticket and not fiber.request.finish then
    fiber.ticket:cancel()
  end
  if fiber.gathering then
    for other in pairs(fiber.gathering.fibers) do
      kill(self, other)
    end
  end
end

-- What the last of a set, or the first that raised, does for who waits.
local function end_set(self, set, ok, raised)
  if set.ended then
    return
  end
  set.ended, set.failed, set.raised = true, not ok, raised
  for other in pairs(set.fibers) do
    kill(self, other)
  end
  local parent = set.parent
  if parent and parent.gathering == set and not parent.dead then
    parent.gathering = nil
    make_ready(self, parent, ok, raised)
  end
end

local function leave(self, fiber, ok, ...)
  local set = fiber.set
  forget(self, fiber)
  set.count = set.count - 1
  if not ok and self.is_interrupt and self.is_interrupt((...)) then
    self:cancel(fiber.group, "interrupted")
    ok = true
  end
  if set.on_end then
    self.groups[set], set.ended = nil, true
    set.on_end(ok, ...)
  elseif not ok or set.count == 0 then
    end_set(self, set, ok, (...))
  end
end

local function after(self, fiber, ok, first, ...)
  if not ok or coroutine.status(fiber.thread) == "dead" then
    leave(self, fiber, ok, first, ...)
  elseif first == PROBE then
    after(self, fiber, coroutine.resume(fiber.thread))
  elseif not (fiber.dead or fiber.sleeping or fiber.key or fiber.gathering) then
    leave(self, fiber, false, ASTRAY)
  end
end

local function resume(self, fiber, ...)
  fiber.sleeping = nil
  after(self, fiber, coroutine.resume(fiber.thread, ...))
end

local function begin(self, group, set, body, ...)
  local fiber = { thread = coroutine.create(body), group = group, set = set }
  self.fibers[fiber.thread] = fiber
  group.fibers[fiber], set.fibers[fiber] = true, true
  set.count = set.count + 1
  return resume(self, fiber, ...)
end

--- Start a coroutine; it runs up to its first wait.
-- @tparam function on_end gets `true` and what the body returned, or `false`
--   and what it raised
-- @tparam function body
-- @param ... its arguments
-- @treturn table group, for `cancel`
function Scheduler:start(on_end, body, ...)
  local group = { fibers = {}, count = 0, on_end = on_end } -- its own set, too
  self.groups[group] = true
  begin(self, group, group, body, ...)
  return group
end

--- Run functions side by side. In a fiber this waits until all have returned.
-- For who has a group of its own to hand in, it gives the set at once, which
-- has `ended` then, `failed` and `raised`.
-- @tparam table functions each is called with `also(fn)`, which adds one
-- @tparam[opt] table group the running fiber's
-- @treturn ?table set
-- @raise what one of them raises; the others are given up
function Scheduler:gather(functions, group)
  local parent = not group and self:current() or nil
  group = group or parent.group
  local set = { count = 1, fibers = {}, parent = parent }
  local function also(body)
    local caller = self:current()
    begin(self, group, set, body, set.also)
    if caller and caller.dead then
      coroutine.yield() -- for ever: what it added raised, and ended the set
    end
  end
  set.also = also
  for _, body in ipairs(functions) do
    if not set.ended then
      also(body)
    end
  end
  set.count = set.count - 1 -- held until here, or the first would end it
  if set.count == 0 then
    set.parent = nil
    end_set(self, set, true)
  end
  if not parent then
    return set
  elseif not set.ended then
    parent.gathering = set
    coroutine.yield()
  end
  if set.failed then
    error(set.raised, 0)
  end
end

--- Make sure that the running fiber can wait, where `yieldable` may not know:
-- of a metamethod, Lua 5.1 does not tell that it is one.
-- @raise what Lua raises there
function Scheduler.probe()
  coroutine.yield(PROBE)
end

--- Let the running fiber sleep.
-- @tparam number due of the clock that `wake` is told
-- @treturn ?boolean true
-- @treturn ?string why it was woken before
function Scheduler:sleep(due)
  local fiber = self:current()
  if fiber.group.why then
    return nil, fiber.group.why
  end
  fiber.sleeping = due
  self.sleepers:push(due, fiber)
  return coroutine.yield()
end

--- Let a fiber that sleeps go on now.
-- @tparam table fiber
function Scheduler:rouse(fiber)
  if fiber.sleeping then
    fiber.sleeping = nil
    make_ready(self, fiber, true)
  end
end

-- What a group that was cancelled meanwhile must know of an answer.
local function marked(group, request, first, second)
  local outcome = first or second
  if group.why and type(outcome) == "table" then
    outcome.interrupted = request.finish or group.why == "interrupted" or nil
  end
  return first, second
end

-- When a request's listeners are next told stands among the sleepers, so that
-- telling takes its turn and its share of the time.
local function look_again(self, fiber, now)
  fiber.looking = now + PROGRESS_SECONDS
  self.sleepers:push(fiber.looking, fiber)
end

--- Let the running fiber wait for a ticket.
-- @tparam table ticket with the methods `result` and `cancel`
-- @param key under which its end will be told
-- @tparam table request with `finish`: it must not be torn; `on_answer` and
--   `on_progress`
-- @tparam[opt] number now where the scheduler tells the listeners
-- @return the results of the ticket
function Scheduler:await(ticket, key, request, now)
  local fiber = self:current()
  fiber.ticket, fiber.key, fiber.request = ticket, key, request
  self.waiting[key] = fiber
  if request.on_answer or request.on_progress then
    self.watched[fiber] = true
    if now then
      look_again(self, fiber, now)
    end
  end
  coroutine.yield()
  fiber.ticket, fiber.key, fiber.request = nil, nil, nil
  return marked(fiber.group, request, ticket:result())
end

-- Whether the listeners heard it; what one raises ends its fiber.
local function tell(self, fiber)
  local ok, raised = pcall(_M.report, fiber.request, fiber.ticket)
  if not ok and not fiber.dead then
    fiber.ticket:cancel()
    leave(self, fiber, false, raised)
  end
  return ok and not fiber.dead -- a listener may have closed the client
end

--- Tell that a ticket has ended: its fiber may go on.
-- @param key as of `await`
-- @treturn boolean whether somebody waits for it
function Scheduler:ended(key)
  local fiber = self.waiting[key]
  if not fiber then
    return false
  end
  self.waiting[key], self.watched[fiber] = nil, nil
  if not fiber.looking or tell(self, fiber) then
    fiber.key, fiber.looking = nil, nil
    resume(self, fiber)
  end
  return true
end

--- The next sleeper's time.
-- @treturn ?number
function Scheduler:due()
  local due, fiber = self.sleepers:earliest()
  while due and fiber.sleeping ~= due and fiber.looking ~= due do
    self.sleepers:pop() -- it was woken before, or is no more
    due, fiber = self.sleepers:earliest()
  end
  return due
end

--- Resume one fiber that may go on, or tell the listeners of one.
-- @tparam number now
-- @treturn boolean whether there was one
function Scheduler:turn(now)
  local entry = next_ready(self)
  while entry and entry[1].dead do
    entry = next_ready(self)
  end
  if entry then
    resume(self, entry[1], entry[2], entry[3])
    return true
  end
  local due = self:due()
  if not due or due > now then
    return false
  end
  local fiber = self.sleepers:pop()
  if fiber.sleeping then
    resume(self, fiber, true)
  elseif tell(self, fiber) then
    look_again(self, fiber, now)
  end
  return true
end

--- Whether a fiber may go on at once.
-- @treturn boolean
function Scheduler:is_ready()
  return self.ready_first <= self.ready_last
end

--- Whether any fiber will ever go on.
-- @treturn boolean
function Scheduler:is_busy()
  return self:is_ready() or next(self.waiting) ~= nil or self:due() ~= nil
end

--- Give up all fibers of a set; none is resumed again.
-- @tparam table set
function Scheduler:give_up(set)
  set.ended = true
  for fiber in pairs(set.fibers) do
    kill(self, fiber)
  end
end

--- End all waits of a group where they stand. An order on the wire is waited
-- for; whatever its fibers begin afterwards is refused.
-- @tparam table group
-- @tparam string why "cancelled" or "interrupted"
function Scheduler:cancel(group, why)
  if group.why then
    return
  end
  group.why = why
  for fiber in pairs(group.fibers) do
    if fiber.sleeping then
      fiber.sleeping = nil
      make_ready(self, fiber, nil, why)
    elseif fiber.key and not fiber.request.finish then
      fiber.ticket:cancel()
    end
  end
end

--- Why whatever the running fiber begins is to be refused.
-- @treturn ?string nil where nothing speaks against it
function Scheduler:refusal()
  local fiber = self:current()
  return fiber and fiber.group.why
end

--- Make a scheduler.
-- @tparam[opt] function is_interrupt whether what a fiber raised is Ctrl-C,
--   which is meant for its whole group
-- @treturn table scheduler
function _M.new(is_interrupt)
  return setmetatable({
    is_interrupt = is_interrupt,
    fibers = setmetatable({}, { __mode = "k" }),
    groups = {}, -- that were started and have not ended
    waiting = {}, -- fibers under the keys of their tickets
    watched = {}, -- fibers whose requests have listeners
    sleepers = deadlines(),
    ready = {}, ready_first = 1, ready_last = 0,
  }, Scheduler)
end

return _M
