--- The runtime of nginx: a call waits in its light thread, and the worker
-- serves others meanwhile. A thread of the engine's does the network and the
-- disk.
-- @module starvideos.runtime.ngx

local pump = require "starvideos.runtime.ngx.pump"
local sets = require "starvideos.runtime.ngx.group"
local schedulers = require "starvideos.runtime.scheduler"
local waiters = require "starvideos.runtime.ngx.waiter"
local yieldable = require "starvideos.runtime.yieldable"

local _M = {}

local Ngx = {}
Ngx.__index = Ngx

-- Between two reports of progress.
local PROGRESS_SECONDS = 0.1
-- Between looks at a request of which nobody would tell that it has ended.
local UNTOLD_SECONDS = 0.25
local LONG_SECONDS = 3600

-- The phases in which a light thread may wait. nginx's Lua module has it wait
-- in a TLS handshake too, where minutes are out of place.
local WAITS = { server_rewrite = true, rewrite = true, access = true,
  content = true, timer = true }

local IN_A_TIMER = "call it inside ngx.timer.at(0, function() ... end)"
local ADVICE = {
  init = "start a timer in init_worker, or make a client with runtime ="
    .. ' "block" for this phase',
  exit_worker = "the worker is about to end; what is open can be waited for by"
    .. " the next",
}

--- Make sure that nginx can wait here.
-- @tparam string call the name of what is about to wait
-- @tparam[opt=2] number level where a misuse is reported, as in `error`
-- @raise in a phase that cannot, and where Lua lets no light thread wait
function Ngx:check(call, level) -- luacheck: no self
  local phase = ngx.get_phase()
  if not WAITS[phase] then
    error(("%s cannot wait in nginx's phase %s: %s"):format(call,
      tostring(phase), ADVICE[phase] or IN_A_TIMER), (level or 2) + 1)
  end
  yieldable.check(call, (level or 2) + 1)
end

--- Seconds of a clock that only goes forward.
-- @treturn number
function Ngx:now()
  return self.clock()
end

-- Why what the running thread waits for is not to be waited for any more.
local function reason_to_end(self, set)
  return ngx.worker.exiting() and "the worker is exiting"
    or self.closed and "the client was closed"
    or set and set:is_orphaned() and "the caller is gone" or nil
end

local function sleep_until(self, due, let_pass)
  local set = sets.of_running()
  while true do
    local left = due - self.clock()
    if reason_to_end(self, set) then
      return nil, "cancelled"
    elseif left <= 0 then
      return true
    end
    local ok, why = let_pass(left)
    if ok == nil and why then
      return nil, why
    end
  end
end

--- Let time pass.
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string "cancelled" where the worker is exiting, or what the
--   caller's own sleep gave as the reason
function Ngx:sleep(seconds)
  local due = self.clock() + seconds
  if self.pause then
    return sleep_until(self, due, self.pause)
  end
  local waiter = waiters.new()
  local slept, why = sleep_until(self, due, function(left)
    waiter:wait(left)
  end)
  waiter:leave()
  return slept, why
end

--- Whom to rouse where the running light thread naps.
-- @treturn table waiter
function Ngx.waiter()
  return waiters.new()
end

--- Let time pass, or less of it where somebody rouses the one who waits.
-- @tparam table waiter
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string as of `sleep`
function Ngx:nap(waiter, seconds)
  local set = sets.of_running()
  if reason_to_end(self, set) then
    return nil, "cancelled"
  end
  waiter:wait(seconds)
  if reason_to_end(self, set) then
    return nil, "cancelled"
  end
  return true
end

--- End a nap, or the next one.
-- @tparam table waiter
function Ngx:rouse(waiter) -- luacheck: no self
  waiter:wake()
end

--- Whether the light thread was killed while it napped.
-- @tparam table waiter
-- @treturn boolean
function Ngx:is_gone(waiter) -- luacheck: no self
  return waiter:is_gone()
end

--- Be done with waiting.
-- @tparam table waiter
function Ngx:leave(waiter) -- luacheck: no self
  waiter:leave()
end

local function refusal(why)
  return nil, { reason = "cancelled", message = why, sent = false,
    phase = "queue", bytes_sent = 0 }
end

local function report(req, ticket)
  local ok, raised = pcall(schedulers.report, req, ticket)
  if not ok then
    ticket:cancel()
    error(raised, 0)
  end
end

-- Waits until a ticket has ended: why it was cancelled, if it was.
local function await_end(self, waiter, req)
  local ticket, set = waiter.ticket, sets.of_running()
  local cancelled
  while not ticket:done() do
    if not cancelled and not req.finish then
      cancelled = reason_to_end(self, set)
      if cancelled then
        ticket:cancel()
      end
    end
    local watched = req.on_progress or req.on_answer
    waiter:wait(watched and PROGRESS_SECONDS
      or pump.is_running() and LONG_SECONDS or UNTOLD_SECONDS)
    if watched then
      report(req, ticket)
    end
    if not pump.is_running() then
      pump.drain(self.mailbox)
    end
  end
  return cancelled
end

local function await(self, ticket, number, req)
  local waiter = waiters.new()
  waiter.ticket, waiter.finish = ticket, req.finish
  pump.expect(self.mailbox, number, waiter)
  local cancelled = await_end(self, waiter, req)
  waiter:leave()
  return cancelled
end

local function driver_of(self)
  self.mailbox = self.mailbox or pump.mailbox(self.ca_file, self.max_in_flight)
  return self.mailbox.driver
end

-- Runs a transport of the host's in a light thread that can be ended.
local function carry(self, req)
  local waiter, set, ended = waiters.new(), sets.of_running(), nil
  local ok, response, failure
  local thread = ngx.thread.spawn(function()
    ok, response, failure = pcall(self.transport, req)
    ended = true
    waiter:wake()
  end)
  local cancelled
  while not ended and not cancelled do
    cancelled = not req.finish and reason_to_end(self, set)
    if not cancelled then
      waiter:wait(LONG_SECONDS)
    end
  end
  waiter:leave()
  if not ended then
    ngx.thread.kill(thread)
    return nil, { reason = "cancelled", message = cancelled }
  end
  ngx.thread.wait(thread)
  if not ok then
    error(response, 0)
  end
  return response, failure
end

--- Send a request and wait for its answer.
-- @tparam table req as of `starvideos.runtime.block`; its listeners are called
--   in the light thread that waits. With `finish`, the end of the worker waits
--   for the answer
-- @treturn ?table response
-- @treturn ?table failure
function Ngx:request(req)
  local why = not req.finish and reason_to_end(self, sets.of_running())
  if why then
    return refusal(why)
  elseif self.transport then
    return carry(self, req)
  end
  local ticket, number = driver_of(self):submit(req)
  if not ticket then
    return nil, number
  end
  local cancelled = await(self, ticket, number, req)
  local response, failure = ticket:result()
  if failure and failure.reason == "cancelled" then
    failure.message = cancelled or reason_to_end(self, sets.of_running())
      or failure.message
  end
  return response, failure
end

-- What is under way on the disk is never torn.
local UNTORN = { finish = true }

--- Have something done on the disk, by the engine's thread for that.
-- @tparam string name see `starvideos.runtime.block`
-- @param ... its arguments
-- @return what `starvideos.curl.disk` gives
function Ngx:disk(name, ...)
  if self.transport then
    return require("starvideos.runtime.disk")[name](...)
  elseif self.closed then
    return require("starvideos.curl").disk(name, ...)
  end
  local ticket, number = driver_of(self):disk(name, ...)
  if not ticket then
    return nil, number
  end
  await(self, ticket, number, UNTORN)
  return ticket:result()
end

--- The same for who cannot wait.
-- @tparam string name
-- @param ... its arguments
function Ngx:disk_later(name, ...)
  if self.transport then
    require("starvideos.runtime.disk")[name](...)
  else
    driver_of(self):disk(name, ...)
  end
end

-- Of this worker: those who ask for the same share one thread.
local actors = {}

--- The actor of this worker for a name.
-- @tparam string name
-- @tparam function make makes it
-- @treturn table actor
function Ngx:actor(name, make) -- luacheck: no self
  actors[name] = actors[name] or make()
  return actors[name]
end

-- Why a message is not to be waited for any more.
local function reason_to_leave(self, set, wish, left)
  return not wish.finish and reason_to_end(self, set) and "cancelled"
    or left <= 0 and "timeout" or nil
end

--- Wait for the answer of a actor; the worker serves others meanwhile.
-- @tparam table actor of `starvideos.core`
-- @tparam table message
-- @tparam number number of the message
-- @tparam table wish see `starvideos.ledger.proxy`
-- @treturn ?string why it is not waited for any more
function Ngx:await(actor, message, number, wish)
  local mailbox, set = pump.mailbox_of(actor), sets.of_running()
  local waiter, why = waiters.new(), nil
  waiter.finish, waiter.ticket = wish.finish, { cancel = function()
    message:give_up()
  end }
  pump.expect(mailbox, number, waiter)
  while not message:done() and not why do
    local left = wish.left()
    why = reason_to_leave(self, set, wish, left)
    if not why then
      waiter:wait(pump.is_running() and left or math.min(left, UNTOLD_SECONDS))
    end
    if not pump.is_running() then
      pump.drain(mailbox)
    end
  end
  mailbox.waiting[number] = nil
  waiter:leave()
  return why
end

--- Run a function to its end, also where the light thread that asks for it is
-- killed, or its client goes away: in a thread that belongs to no request.
-- What it calls must not need one.
-- @tparam function body
-- @tparam[opt] function lost called after it where the one who asked is gone;
--   may return a sentence for the error log
-- @raise what the body raises
function Ngx:shield(body, lost) -- luacheck: no self
  local waiter = waiters.new()
  local ok, raised = pump.run(body, lost, waiter)
  waiter:leave()
  if not ok then
    error(raised, 0)
  end
end

--- Run functions side by side until all have returned.
-- @tparam table functions each is called with `also(fn)`, which adds one
-- @raise what one of them raises; the others are then given up
function Ngx:gather(functions) -- luacheck: no self
  sets.new(functions):run()
end

--- End this client's waits. What others of the worker use goes on.
function Ngx:close()
  self.closed = true
  waiters.wake_all()
end

-- Read where the client is made: nginx hides its environment from workers.
local function named_authorities()
  local name = os.getenv "SSL_CERT_FILE"
  return name ~= "" and name or nil
end

local function transport_of(options)
  if options.transport == "resty_http" then
    return require("starvideos.transport.resty_http").new(options)
  end
  return options.transport
end

--- Make a runtime.
-- @tparam table options `transport` (a function, or "resty_http"), `clock`,
--   `sleep` (functions), `ca_file`, `max_in_flight` (of the worker: clients
--   with the same two share an engine, which starts with the first request)
-- @treturn table runtime
function _M.new(options)
  local transport = transport_of(options)
  if not transport then
    require "starvideos.curl" -- takes long: where nginx starts, if made there
  end
  return setmetatable({
    transport = transport,
    clock = options.clock or require("starvideos.core").now,
    pause = options.sleep,
    ca_file = options.ca_file or named_authorities(),
    max_in_flight = options.max_in_flight,
  }, Ngx)
end

return _M
