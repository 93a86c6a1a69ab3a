-- The orders of this Lua state that are on the wire. Each stays here, with its client,
-- its request and its record, until what came of it is recorded and listeners learn of
-- it: neither the collector nor an error that ends its call loses an answer.
--
-- The call that sends an order records the answer itself. Where an error ended that
-- call, or nobody updates its client, the next call of any client does it, and at the
-- latest the end of the Lua state, which waits for the answer as `close` does. To
-- record an answer twice changes nothing.

local core = require "starvideos.core"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- In seconds.
_M.policy = {
  look = 0.05, -- between looks at an answer that is waited for
  late = 1, -- for which a caller that waits may leave its answer alone
}

-- An order on the wire, a flight, is made by `starvideos.order.send`:
--
-- - `context` of its client, `id` of its order in the ledger (nil without one),
--   `process` that sends it, `fiber` that does where its runtime has a scheduler;
-- - `request` of the transport: its `guard` is called right before it is sent, and from
--   then on its `ticket` tells of the answer. With `revoked` it is not sent: it is on
--   record as not sent, though its caller may go on;
-- - `response` or `failure` that its caller has got, `outcome` of its attempt, recorded;
-- - `settle(self, response, failure, is_late)` records its outcome; `is_late`: its
--   caller does not go on, nothing waits and is retried;
-- - `lost(self)` tells listeners, and gives a sentence about what was bought;
-- - `raised`: whether an error ended its caller in nginx.

local flights = {}

-- The collector calls `on_end` with each that was replaced, and with the last at
-- the end of the Lua state: before it ends what is older, such as the ticket.
local sentinel
local newproxy = rawget(_G, "newproxy") -- Lua 5.1: tables have no finalizers
local proxy = newproxy and newproxy(true)

local function on_end(self)
  if self == sentinel then
    _M.finish()
  end
end

local mt = proxy and getmetatable(proxy) or {}
mt.__gc = on_end

local function guard()
  sentinel = newproxy and newproxy(proxy) or setmetatable({}, mt)
end

-- Whether its call goes on, and records the answer.
local function is_attended(flight)
  local fiber = flight.fiber
  if fiber then
    return not fiber.ended and coroutine.status(fiber.thread) ~= "dead"
  end
  return flight.context.runtime.shield ~= nil and not flight.raised
end

-- Whether a caller that still waits does not get the answer that is there:
-- nobody updates its client.
local function is_late(flight, now)
  local ticket = flight.request.ticket
  if not flight.id or not flight.fiber or flight.response or flight.failure
    or not (ticket and ticket:done()) then
    return false
  end
  flight.done_at = flight.done_at or now
  return now >= flight.done_at + _M.policy.late
end

-- What came: a response, or nil and a failure; nothing while it is under way.
local function result_of(flight, seconds)
  if flight.response or flight.failure then
    return flight.response, flight.failure
  end
  local ticket = flight.request.ticket
  local done = ticket and ticket:wait(seconds)
  if done then
    return ticket:result(true)
  elseif done == nil then
    -- A finalizer or a hook of the host's may have called while the caller of
    -- this is about to send it.
    flight.request.revoked = true
    return nil, { reason = "cancelled", sent = false, phase = "queue",
      bytes_sent = 0, message = "its call ended before it was sent" }
  end
end

-- The ledger has it, or a listener does; else nobody but the reader of stderr.
local function tell(flight)
  local context, err = flight.context, flight.outcome.err
  local sentence = flight:lost()
  local is_recorded = context.ledger and not (err and err.kind == "ledger")
  if sentence and not is_recorded and not context.on_event then
    io.stderr:write("starvideos: ", utf8.shown(sentence), "\n")
  end
end

local function settle(flight, seconds)
  if not flight.outcome then
    local response, failure = result_of(flight, seconds)
    if not response and not failure then
      return false
    end
    flight:settle(response, failure, true)
  end
  tell(flight)
  flights[flight] = nil
  return true
end

-- In a coroutine of its own, which is no fiber of a client: nothing in it waits for an
-- update. Gives whether it was recorded. Raises Ctrl-C.
local function settle_apart(flight, seconds)
  local ok, done = coroutine.resume(coroutine.create(settle), flight, seconds)
  local is_interrupt = flight.context.runtime.is_interrupt
  if not ok and is_interrupt and is_interrupt(done) then
    error(done, 0)
  end
  return ok and done
end

-- Those of this process that `wanted` gives true for. LuaJIT before September 2023
-- never leaves a compiled loop over pairs() in a finalizer, and the last one ends
-- here.
local function select_flights(wanted)
  local list, flight = {}, next(flights)
  while flight do
    local following = next(flights, flight)
    if flight.process ~= core.process_id() then
      flights[flight] = nil -- the parent has it
    elseif wanted(flight) then
      list[#list + 1] = flight
    end
    flight = following
  end
  return list
end

-- An order is about to be sent.
function _M.add(flight)
  local scheduler = flight.context.runtime.scheduler
  flight.fiber, flight.done_at = scheduler and scheduler:current(), nil
  flight.request.guard = guard
  flights[flight] = true
end

-- What came of an order is recorded, and listeners learn of it now.
function _M.remove(flight)
  flights[flight] = nil
end

-- Record the answers that nobody else records; called by every call of a client. Raises
-- Ctrl-C.
function _M.collect()
  if next(flights) == nil then
    return
  end
  local now = core.now()
  local list = select_flights(function(flight)
    return not is_attended(flight) or is_late(flight, now)
  end)
  for _, flight in ipairs(list) do
    settle_apart(flight, 0)
  end
end

-- Wait for the answer to an order, and record it, though its own caller still waits: it
-- cannot go on while the caller of this does. `id`: of the order. `seconds`: for which
-- this waits at most. Raises Ctrl-C. Returns whether the order is on the wire.
function _M.look(id, seconds)
  local flight = select_flights(function(flight)
    return id ~= nil and flight.id == id
  end)[1]
  if flight then
    settle_apart(flight, seconds)
  end
  return flight ~= nil
end

local function finish(flight)
  repeat
    local before = flight.outcome
    local done = settle_apart(flight, _M.policy.look)
  until done or before or not flight.request.ticket
    or flight.request.ticket:done()
end

-- Wait for answers, and record them. `context`: of the client that is closed; all, at
-- the end of the Lua state. `all`: also those whose callers wait: they will not go on.
-- Raises Ctrl-C.
function _M.finish(context, all)
  local list = select_flights(function(flight)
    local is_wanted = not context or context == flight.context
    return is_wanted and not (is_attended(flight)
      and (context and not all or flight.context.runtime.shield))
  end)
  for _, flight in ipairs(list) do
    finish(flight)
  end
end

return _M
