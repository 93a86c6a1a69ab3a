-- A light thread of nginx that waits for a time or until it is woken. The end of the
-- worker wakes all that wait.

local _M = {}

local Waiter = {}
Waiter.__index = Waiter

-- nginx takes 0 for no wait at all. A timer tells of the worker's end; nginx
-- runs no more timers at a time than configured, so this one may be lost.
local SHORTEST, LONGEST = 0.001, 60

-- The longest wait where nginx has no timer left that would tell of the end.
local LONGEST_UNTOLD = 1

-- A timer keeps the Lua VM alive, and where the code cache is off each request
-- has a VM of its own: so the timer that tells of the end is a short one.
local NOTICE_SECONDS = 5

-- Weak: a light thread that was killed takes its waiter along.
local waiters = setmetatable({}, { __mode = "k" })
local is_noticed, has_timed = false, false

-- Whether the timer was started. Once the worker is exiting no first one is: nginx
-- would complain that it is not closed any more. `body` gets whether it was ended
-- early.
function _M.start_timer(seconds, body, ...)
  if not has_timed and ngx.worker.exiting() then
    return false
  end
  has_timed = true
  return ngx.timer.at(seconds, body, ...) ~= nil
end

-- Each looks whether to go on.
function _M.wake_all()
  for waiter in pairs(waiters) do
    waiter:wake()
  end
end

local function are_any_left()
  for waiter in pairs(waiters) do
    if not waiter:has_ended() then
      return true
    end
    waiters[waiter] = nil
  end
  return false
end

local expect_end

-- nginx ends its timers early when the worker is to exit. That is between two
-- rounds of events: a thread that is woken there sleeps on until the next
-- event, maybe for an hour; a timer makes one.
local function notice(premature)
  is_noticed = false
  if premature or ngx.worker.exiting() then
    if not _M.start_timer(0, _M.wake_all) then
      _M.wake_all()
    end
  elseif are_any_left() then
    expect_end()
  end
end

function expect_end()
  if not is_noticed and not ngx.worker.exiting() then
    is_noticed = _M.start_timer(NOTICE_SECONDS, notice)
  end
  return is_noticed or ngx.worker.exiting()
end

-- May end early, without a reason given: the caller looks.
function Waiter:wait(seconds)
  local longest = expect_end() and LONGEST or LONGEST_UNTOLD
  self.waiting = true
  local woken, why = self.semaphore:wait(
    math.max(SHORTEST, math.min(seconds, longest)))
  self.waiting = false
  if woken then
    self.posted = false
  elseif why ~= "timeout" then
    error(why, 0)
  end
end

-- Ends the wait, or the next one if there is none.
function Waiter:wake()
  if not self.posted then
    self.posted = true
    self.semaphore:post(1)
  end
end

-- Whether the thread was killed while it waited. nginx does not tell, but takes it off
-- the semaphore.
function Waiter:has_ended()
  return self.waiting
    and self.semaphore:count() ~= (self.posted and 0 or -1)
end

function Waiter:leave()
  waiters[self] = nil
end

function _M.new()
  local self = setmetatable({
    semaphore = assert(require("ngx.semaphore").new()),
    waiting = false,
    posted = false,
  }, Waiter)
  waiters[self] = true
  return self
end

return _M
