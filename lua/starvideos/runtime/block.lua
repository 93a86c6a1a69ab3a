--- The runtime of scripts: a call returns when its work is done. The engine
-- is driven on the calling thread; no other thread exists.
-- @module starvideos.runtime.block

local deadlines = require "starvideos.runtime.deadlines"

local _M = {}

local Block = {}
Block.__index = Block

-- How long the engine may wait before the caller's progress function gets
-- another look.
local PROGRESS_SECONDS = 0.1
local LONG_SECONDS = 3600

-- What the stand-alone interpreter raises at Ctrl-C, from whatever
-- instruction comes next.
local function is_interrupt(raised)
  return type(raised) == "string" and raised:find("interrupted!$") ~= nil
end

--- Seconds of a clock that only goes forward.
-- @treturn number
function Block:now()
  return self.clock()
end

local function report(req, transfer)
  if req.on_answer then
    local status, headers = transfer:answer()
    if status then
      req.on_answer(status, headers)
      req.on_answer = nil
    end
  end
  if req.on_progress then
    req.on_progress(transfer:progress())
  end
end

local function is_watched(req)
  return req.on_progress ~= nil or req.on_answer ~= nil
end

local function drive(self, req, transfer)
  local watched = is_watched(req)
  local seconds = watched and PROGRESS_SECONDS or LONG_SECONDS
  while not transfer:done() do
    self.engine():step(seconds)
    if watched then
      report(req, transfer)
    end
  end
end

-- Drives one transfer to its end, through interrupts where it must not be
-- torn (`finish`: an order on the wire), else up to the first.
local function drive_through(self, req, transfer)
  local interrupted
  while not transfer:done() do
    local ok, raised = pcall(drive, self, req, transfer)
    if not ok and not is_interrupt(raised) then
      transfer:cancel()
      error(raised, 0)
    elseif not ok then
      local first = not interrupted
      interrupted = true
      if not req.finish then
        transfer:cancel()
      elseif first and req.on_interrupt then
        req.on_interrupt()
      end
    end
  end
  local response, failure = transfer:result()
  local outcome = response or failure
  outcome.interrupted = interrupted
  return response, failure
end

--- Send a request and wait for its answer.
-- @tparam table req see the transports, and for this runtime `finish`: an
--   interrupt waits for the answer, which then carries `interrupted`, and
--   `on_interrupt` is called at the first;
--   `on_answer(status, headers)` once these are known, before the body;
--   `on_progress(received, total, sent)` in bytes
-- @treturn ?table response
-- @treturn ?table failure
function Block:request(req)
  if self.transport then
    return self.transport(req)
  end
  local transfer, failure = self.engine():submit(req)
  if not transfer then
    return nil, failure
  elseif self.scheduled[coroutine.running() or false] then
    return coroutine.yield(transfer, req)
  end
  return drive_through(self, req, transfer)
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

--- Let time pass.
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string "interrupted" where Ctrl-C ended the sleep, or what the
--   caller's own sleep gave as the reason
function Block:sleep(seconds)
  if self.scheduled[coroutine.running() or false] then
    return coroutine.yield(self.clock() + seconds)
  end
  local ok, raised, why = pcall(sleep_until, self, self.clock() + seconds)
  if ok then
    return raised, why
  elseif is_interrupt(raised) then
    return nil, "interrupted"
  end
  error(raised, 0)
end

local resume

-- Books what a coroutine waits for: a time, or the transfer of a request.
local function book(self, set, thread, alive, wish, req)
  if not alive then
    error(wish, 0)
  elseif coroutine.status(thread) == "dead" then
    self.scheduled[thread] = nil
    set.count = set.count - 1
  elseif type(wish) == "number" then
    set.sleepers:push(wish, thread)
  else
    set.transfers[wish] = thread
    set.watched[wish] = is_watched(req) and req or nil
  end
end

function resume(self, set, thread, ...)
  return book(self, set, thread, coroutine.resume(thread, ...))
end

local function wake_sleepers(self, set)
  local now = self.clock()
  local due = set.sleepers:earliest()
  while due and due <= now do
    resume(self, set, set.sleepers:pop(), true)
    due = set.sleepers:earliest()
  end
end

local function report_all(set)
  for transfer, req in pairs(set.watched) do
    report(req, transfer)
    set.watched[transfer] = is_watched(req) and req or nil
  end
end

local function collect(self, set)
  local done = {}
  for transfer, thread in pairs(set.transfers) do
    if transfer:done() then
      done[transfer] = thread
    end
  end
  for transfer, thread in pairs(done) do
    set.transfers[transfer], set.watched[transfer] = nil, nil
    resume(self, set, thread, transfer:result())
  end
end

-- Ends every wait of a set where it stands.
local function end_all(self, set, why)
  local transfers = set.transfers
  set.transfers, set.watched = {}, {}
  for transfer, thread in pairs(transfers) do
    transfer:cancel()
    local failure = select(2, transfer:result())
    failure.interrupted = why == "interrupted"
    resume(self, set, thread, nil, failure)
  end
  while set.sleepers:earliest() do
    resume(self, set, set.sleepers:pop(), nil, why)
  end
end

local function turn(self, set)
  local due = set.sleepers:earliest()
  local left = due and math.max(0, due - self.clock()) or LONG_SECONDS
  if next(set.transfers) then
    local look = next(set.watched) and PROGRESS_SECONDS or LONG_SECONDS
    self.engine():step(math.min(left, look))
    report_all(set)
    collect(self, set)
  elseif left > 0 then
    local ok, why = self.pause(left)
    if ok == nil and why then
      return end_all(self, set, why)
    end
  end
  wake_sleepers(self, set)
end

local function abandon(self, set)
  for transfer in pairs(set.transfers) do
    transfer:cancel()
  end
  for _, thread in ipairs(set.threads) do
    self.scheduled[thread] = nil
  end
end

local function run(self, set)
  for _, thread in ipairs(set.threads) do
    resume(self, set, thread)
  end
  while set.count > 0 do
    turn(self, set)
  end
end

--- Run functions side by side until all have returned; while one sleeps or
-- waits for an answer the others go on.
-- @tparam table functions
-- @raise what one of them raises; the others are then given up
function Block:gather(functions)
  local set = { count = #functions, sleepers = deadlines(), transfers = {},
    watched = {}, threads = {} }
  for index, body in ipairs(functions) do
    set.threads[index] = coroutine.create(body)
    self.scheduled[set.threads[index]] = true
  end
  local ok, raised = pcall(run, self, set)
  if not ok and is_interrupt(raised) then
    ok, raised = pcall(end_all, self, set, "interrupted")
  end
  abandon(self, set)
  if not ok then
    error(raised, 0)
  end
end

--- Give up connections and whatever is under way.
function Block:close()
  if self.made then
    self.made:close()
  end
end

--- Make a block runtime.
-- @tparam table options `transport` (function), `clock`, `sleep` (functions),
--   `ca_file`, `max_in_flight`; the engine starts with the first request that
--   needs it
-- @treturn table runtime
function _M.new(options)
  local self = setmetatable({
    transport = options.transport,
    scheduled = setmetatable({}, { __mode = "k" }),
  }, Block)
  function self.engine()
    self.made = self.made or require("starvideos.curl").engine {
      ca_file = options.ca_file,
      max_in_flight = options.max_in_flight,
    }
    return self.made
  end
  self.clock = options.clock or function()
    return require("starvideos.curl").now()
  end
  self.pause = options.sleep or function(seconds)
    self.engine():step(math.min(seconds, LONG_SECONDS))
  end
  return self
end

return _M
