--- Waits for a limit of the ledger that keeps an order back.
-- @module starvideos.order.limit_wait

local errors = require "starvideos.errors"

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
_M.policy = {
  timeout = 60, -- how long an order waits for all its limits
  look = 0.25, -- between looks at a limit of which nobody knows when it lifts
  look_growth = 1.5, -- factor from one such look to the next
  look_max = 5, -- between them in the end
  spread = 0.5, -- within which those that wait for the same moment look, at
    -- first; it grows with each look, for there may be many, and one can be sent
  renewal = 20, -- between renewals of the order's lease
}

local policy = _M.policy

local LimitWait = {}
LimitWait.__index = LimitWait

-- Seconds until the next look; nil where the limit lifts too late, if at all.
local function next_look(self, problem, left)
  local pause = problem.retry_after
  if problem.retryable == false or left <= 0 or pause and pause > left then
    return nil
  elseif pause then
    pause = pause + self.context.random() * self.spread
    self.spread = math.min(self.spread * policy.look_growth, policy.look_max)
  else
    pause = self.look * (1 + self.context.random()) / 2
    self.look = math.min(self.look * policy.look_growth, policy.look_max)
  end
  return math.min(pause, left)
end

-- Sleeps, and renews the order's lease meanwhile: true; or nil and an err.
local function sleep(self, problem, seconds)
  local runtime, order = self.context.runtime, self.order
  local ends = runtime:now() + seconds
  repeat
    local slept, why = runtime:sleep(math.min(policy.renewal,
      ends - runtime:now()))
    if not slept then
      local err = errors.new { kind = "cancelled", sent = false,
        interrupted = why == "interrupted", message = "stopped while the order"
          .. " waited for a limit; nothing was sent, and nothing was bought ("
          .. problem.message .. ")" }
      order:failed(err)
      return nil, err
    end
    if runtime:now() >= self.renewed + policy.renewal then
      local ok, err = order:renew()
      if not ok then
        return nil, err
      end
      self.renewed = runtime:now()
    end
  until runtime:now() >= ends
  return true
end

--- The order was not sent, for a limit keeps it back: wait until it may be
-- tried again.
-- @tparam table problem the error, of kind limited
-- @treturn ?boolean true
-- @treturn ?table err where the time is up, or the limit lifts later than that;
--   the order is recorded as not sent
function LimitWait:wait(problem)
  local now = self.context.runtime:now()
  self.deadline = self.deadline or now + self.timeout
  self.renewed = self.renewed or now
  if self.limit ~= problem.limit then
    self.limit, self.look, self.spread = problem.limit, policy.look,
      policy.spread
  end
  local pause = next_look(self, problem, self.deadline - now)
  if not pause then
    self.order:failed(problem)
    return nil, problem
  end
  return sleep(self, problem, pause)
end

--- Make the wait of an order.
-- @tparam table context of the client
-- @tparam table order see `starvideos.order.recorder`
-- @tparam[opt=60] number timeout seconds; 0: it does not wait
-- @treturn table wait
function _M.new(context, order, timeout)
  return setmetatable({ context = context, order = order,
    timeout = timeout or policy.timeout, look = policy.look,
    spread = policy.spread }, LimitWait)
end

return _M
