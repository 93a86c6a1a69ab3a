-- Coroutines that take turns. Each runs until it has to wait: for a time, for the end
-- of a ticket (a request, a job on the disk) or for others that it has started. Those
-- that may go on are resumed one at a time, so that a host can stop whenever its time
-- is up. Knows no engine: it is told what has ended.
--
-- A fiber is one coroutine. An operation is what one caller has started and may cancel
-- as a whole; a group is what one `gather` waits for. An operation is the group of its
-- first fiber.

local deadlines = require "starvideos.base.deadlines"
local errors = require "starvideos.errors"

local resume_thread, running = coroutine.resume, coroutine.running
local yield, state_of = coroutine.yield, coroutine.status

local _M = {}

local Scheduler = {}
Scheduler.__index = Scheduler

-- How often the listeners of a request are told.
local PROGRESS_SECONDS = 0.1

-- What a fiber yields that wants to know whether it could wait.
local PROBE = {}

local FOREIGN_YIELD = "this coroutine.yield would never return: inside"
  .. " client:async, and in listeners, only calls of the client can wait"

-- Functions written in C through which a coroutine can wait all the same.
local is_puc_51 = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil
local passable = is_puc_51 and {} or { [pcall] = true, [xpcall] = true }

-- For Lua 5.2 and older, and nginx, which takes the function away. Without `debug` only
-- a try shows it.
local function is_above_lua_alone()
  local level = 2
  local info = debug and debug.getinfo(level, "Sf")
  while info do
    if info.what == "C" and not passable[info.func] then
      return false
    end
    level = level + 1
    info = debug.getinfo(level, "Sf")
  end
  return true
end

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143

-- Whether the running coroutine can wait here. Lua lets none wait inside some of its
-- own functions: string.gsub, table.sort, require, in 5.1 also pcall. That is asked
-- before an order is sent, or its answer would be lost.
_M.can_yield = isyieldable or is_above_lua_alone

-- Whether that is all there is to know: in PUC Lua 5.1 nothing tells that a metamethod
-- is running, in which none can wait either, and without `debug` nothing tells of C.
_M.is_certain = not is_puc_51 and (isyieldable ~= nil or debug ~= nil)

function _M.check(call)
  if not _M.can_yield() then
    errors.misuse(call .. " cannot wait here, and nothing was sent: Lua lets no"
      .. " coroutine wait inside a function written in C, such as string.gsub,"
      .. " table.sort or require, nor, in Lua 5.1, inside pcall or a listener;"
      .. " call it outside of that function")
  end
end

-- In the place of a request, for `await`: the wait for a job on the disk goes on until
-- the job has ended, also if the operation was cancelled.
_M.uncancelled = { finish = true }

-- Tells the listeners of a request how far it is; `on_answer` is told once.
function _M.report(request, ticket)
  if request.on_answer then
    local status, headers, in_memory = ticket:answer()
    if status then
      request.on_answer(status, headers, in_memory)
      request.on_answer = nil
    end
  end
  if request.on_progress then
    request.on_progress(ticket:progress())
  end
end

-- The failure of a request that is not sent because its operation was cancelled.
function _M.refused(why)
  return nil, { reason = "cancelled", sent = false, phase = "queue",
    bytes_sent = 0, message = why or "the operation was cancelled" }
end

function Scheduler:current()
  return self.fibers[running() or false]
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
  fiber.ended, fiber.sleeping, fiber.reports_at = true, nil, nil
  fiber.operation.fibers[fiber] = nil
  fiber.group.fibers[fiber] = nil
  self.fibers[fiber.thread] = nil
  if fiber.key then
    self.waiting[fiber.key], self.watched[fiber] = nil, nil
  end
end

-- Ends a fiber where it waits, and those it waits for; none is resumed again.
local function kill(self, fiber)
  forget(self, fiber)
  if fiber.ticket and not fiber.request.finish then
    fiber.ticket:cancel()
  end
  if fiber.waits_for then
    for other in pairs(fiber.waits_for.fibers) do
      kill(self, other)
    end
  end
end

-- Called for the last of a group, and for the first that raised: resumes the fiber that
-- waits for the group.
local function end_group(self, group, ok, raised)
  if group.ended then
    return
  end
  group.ended, group.failed, group.raised = true, not ok, raised
  for other in pairs(group.fibers) do
    kill(self, other)
  end
  local parent = group.parent
  if parent and parent.waits_for == group and not parent.ended then
    parent.waits_for = nil
    make_ready(self, parent, ok, raised)
  end
end

local function leave(self, fiber, ok, ...)
  local group = fiber.group
  forget(self, fiber)
  if not ok and self.is_interrupt and self.is_interrupt((...)) then
    self:cancel(fiber.operation, "interrupted")
    ok = true
  end
  if group.on_end then
    self.operations[group] = nil
    group.on_end(group, ok, ...)
    return
  end
  group.count = group.count - 1
  if not ok or group.count == 0 then
    end_group(self, group, ok, (...))
  end
end

local function after(self, fiber, ok, first, ...)
  if not ok or state_of(fiber.thread) == "dead" then
    leave(self, fiber, ok, first, ...)
  elseif first == PROBE then
    after(self, fiber, resume_thread(fiber.thread))
  elseif not (fiber.sleeping or fiber.key or fiber.waits_for
    or fiber.ended) then
    leave(self, fiber, false, FOREIGN_YIELD)
  end
end

local function resume(self, fiber, ...)
  fiber.sleeping = nil
  return after(self, fiber, resume_thread(fiber.thread, ...))
end

local function begin(self, operation, group, body, ...)
  local fiber = { thread = coroutine.create(body), operation = operation,
    group = group }
  self.fibers[fiber.thread] = fiber
  operation.fibers[fiber], group.fibers[fiber] = true, true
  group.count = group.count + 1
  return resume(self, fiber, ...)
end

-- Starts a coroutine, which runs up to its first wait. `on_end` gets the operation,
-- then true and what the body returned, or false and what it raised.
function Scheduler:start(on_end, body, ...)
  local operation = { count = 0, fibers = {}, on_end = on_end }
  self.operations[operation] = true
  begin(self, operation, operation, body, ...)
  return operation
end

-- Runs functions side by side, each called with `also(fn)`, which adds one. In a fiber
-- this waits until all have returned, and raises what one of them raises; the others
-- are abandoned. A caller that hands in an operation gets the group at once, which has
-- `ended`, and `failed` and `raised` if one has raised.
function Scheduler:gather(functions, operation)
  local parent = not operation and self:current() or nil
  operation = operation or parent.operation
  local group = { count = 1, fibers = {}, parent = parent }
  local function also(body)
    local caller = self:current()
    begin(self, operation, group, body, group.also)
    if caller and caller.ended then
      yield() -- for ever: what it added raised, which ended it too
    end
  end
  group.also = also
  for _, body in ipairs(functions) do
    if not group.ended then
      also(body)
    end
  end
  group.count = group.count - 1 -- held until here, or the first would end it
  if group.count == 0 then
    group.parent = nil
    end_group(self, group, true)
  end
  if not parent then
    return group
  elseif not group.ended then
    parent.waits_for = group
    yield()
  end
  if group.failed then
    error(group.raised, 0)
  end
end

-- Raises if the running fiber cannot wait where `can_yield` may not know: in a
-- metamethod of Lua 5.1.
function Scheduler.probe()
  if not _M.is_certain then
    yield(PROBE)
  end
end

-- True if the time is up or `wake` was called; nil and "cancelled" or "interrupted".
function Scheduler:sleep(due)
  local fiber = self:current()
  if fiber.operation.why then
    return nil, fiber.operation.why
  end
  fiber.sleeping = due
  self.sleepers:push(due, fiber)
  return yield()
end

function Scheduler:wake(fiber)
  if fiber.sleeping then
    fiber.sleeping = nil
    make_ready(self, fiber, true)
  end
end

-- Marks the outcome of a request whose operation was cancelled meanwhile.
local function marked(operation, request, first, second)
  local outcome, why = first or second, operation.why
  if why and type(outcome) == "table" then
    outcome.interrupted = request.finish or why == "interrupted" or nil
  end
  return first, second
end

-- When a request's listeners are next told stands among the sleepers, so that telling
-- takes its turn and its share of the time.
local function report_later(self, fiber, now)
  fiber.reports_at = now + PROGRESS_SECONDS
  self.sleepers:push(fiber.reports_at, fiber)
end

-- Lets the running fiber wait until `ended(key)`, and gives the results of the ticket.
-- With `finish` the wait goes on if the operation is cancelled. With `now` the
-- scheduler tells the listeners.
function Scheduler:await(ticket, key, request, now)
  local fiber = self:current()
  fiber.ticket, fiber.key, fiber.request = ticket, key, request
  self.waiting[key] = fiber
  if request.on_answer or request.on_progress then
    self.watched[fiber] = true
    if now then
      report_later(self, fiber, now)
    end
  end
  yield()
  fiber.ticket, fiber.key, fiber.request = nil, nil, nil
  return marked(fiber.operation, request, ticket:result(request.guard ~= nil))
end

-- Tells the listeners: whether the fiber goes on. What one raises ends it.
local function tell(self, fiber)
  local ok, raised = pcall(_M.report, fiber.request, fiber.ticket)
  if not ok and not fiber.ended then
    fiber.ticket:cancel()
    leave(self, fiber, false, raised)
  end
  return ok and not fiber.ended -- a listener may have closed the client
end

-- A ticket has ended: its fiber goes on. False if nobody waits for it.
function Scheduler:ended(key)
  local fiber = self.waiting[key]
  if not fiber then
    return false
  end
  self.waiting[key], self.watched[fiber] = nil, nil
  if not fiber.reports_at then
    fiber.key = nil
    resume(self, fiber)
  elseif tell(self, fiber) then
    fiber.key, fiber.reports_at = nil, nil
    resume(self, fiber)
  end
  return true
end

-- Lets a fiber go on whose ticket has ended though nobody told so: an error came
-- between the engine and the scheduler. Whether there was one.
function Scheduler:recover()
  for key, fiber in pairs(self.waiting) do
    if fiber.ticket:done() then
      return self:ended(key)
    end
  end
  return false
end

-- When the next sleeper is due.
function Scheduler:due()
  local due, fiber = self.sleepers:earliest()
  while due and fiber.sleeping ~= due and fiber.reports_at ~= due do
    self.sleepers:pop() -- it was woken before, or has ended
    due, fiber = self.sleepers:earliest()
  end
  return due
end

-- Resumes one fiber that may go on, or tells the listeners of one: whether there was
-- one.
function Scheduler:turn(now)
  local entry = next_ready(self)
  while entry and entry[1].ended do
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
    report_later(self, fiber, now)
  end
  return true
end

function Scheduler:is_ready()
  return self.ready_first <= self.ready_last
end

-- Whether any fiber may still go on.
function Scheduler:is_busy()
  return self:is_ready() or next(self.waiting) ~= nil or self:due() ~= nil
end

-- Ends all fibers of a group; none is resumed again.
function Scheduler:abandon(group)
  group.ended = true
  for fiber in pairs(group.fibers) do
    kill(self, fiber)
  end
end

local function cut_short(self, fiber, why)
  if fiber.sleeping then
    fiber.sleeping = nil
    make_ready(self, fiber, nil, why)
  elseif fiber.key and not fiber.request.finish and not fiber.ended then
    fiber.ticket:cancel()
  end
end

-- Ends all waits of an operation, but for an order on the wire: that gets its answer.
-- What its fibers begin afterwards is refused.
function Scheduler:cancel(operation, why)
  if operation.why then
    return
  end
  operation.why = why
  for fiber in pairs(operation.fibers) do
    cut_short(self, fiber, why)
  end
end

-- Why the running fiber may begin nothing any more; nil if it may.
function Scheduler:refusal()
  local fiber = self:current()
  return fiber and fiber.operation.why
end

-- `is_interrupt` says whether what a fiber raised is Ctrl-C, which cancels its
-- operation.
function _M.new(is_interrupt)
  return setmetatable({
    is_interrupt = is_interrupt,
    fibers = setmetatable({}, { __mode = "k" }),
    operations = {}, -- that were started and have not ended
    waiting = {}, -- fibers under the keys of their tickets
    watched = {}, -- fibers whose requests have listeners
    sleepers = deadlines(),
    ready = {}, ready_first = 1, ready_last = 0,
  }, Scheduler)
end

return _M
