-- Work off the queue of the ledger: claim orders, send them, wait for them and
-- save their videos, beside any number of other workers.
--
-- One coroutine sends heartbeats, one claims; each order has one while it is sent;
-- all waits are one heap, and a few coroutines save what is completed.

local claimed_order = require "starvideos.fleet.claimed_order"
local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local workers = require "starvideos.fleet.worker"

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  claims = 64, -- orders at a time
  page = 1000, -- accepted orders taken over at a time
  look = 5, -- between looks at the queue where there is nothing to do
  look_longest = 30, -- the same where many workers look
  look_share = 0.1, -- of a worker in that
  last_look = 0.75, -- between looks whether all has ended, at least
  last_look_worker = 0.01, -- the same for each worker,
  last_look_order = 0.001, -- and for each order that is left
}

-- The worker was taken for dead: its orders are another's now.
local function start_over(self)
  if self.pool then
    self.pool:stop()
  end
  self.waits, self.owed = {}, {}
  self.pool = claimed_order.new_pool(self)
  self.heartbeat:wake "claim"
end

local function beat(self)
  if self.unwritten then
    claimed_order.write_halt(self)
  end
  local ok = self.heartbeat:beat()
  if ok then
    self.halted = self.unwritten or self.heartbeat.worker.halted
  end
  return ok
end

local function begin_all(self, rows)
  local open = {}
  for _, row in ipairs(rows) do
    if row.state == "queued" then
      claimed_order.send(self, row)
    else
      open[#open + 1] = row
    end
  end
  self.heartbeat:grow()
  claimed_order.take_over(self, open)
  return #rows
end

-- Takes over what dead workers have left, however much that is; at first what could not be
-- saved, though another worker gave it up for a while.
local function claim_open(self)
  local now = self.context.runtime:now()
  if now < self.open_at then
    return 0
  end
  local what = self.has_begun and "open" or "unsaved"
  local rows = self.heartbeat.worker:claim(what, _M.policy.page)
  if rows and what == "unsaved" then
    self.has_begun = #rows < _M.policy.page
    return begin_all(self, rows) + claim_open(self)
  elseif not rows or #rows < _M.policy.page then
    self.open_at = now + _M.policy.look * (0.5 + self.context.random())
  end
  return rows and begin_all(self, rows)
end

-- As many orders are on their way to the provider as `window` allows, which grows with each
-- that it accepts: so where it fails, few are sent before the queue stops. A worker for all
-- accounts claims for one at a time half of what is free, so that the next finds a place.
-- None is claimed while what is completed cannot be saved.
local function claim_queued(self)
  local worker = self.heartbeat.worker
  local free = math.min((self.options.claims or _M.policy.claims) - worker.count,
    self.window - self.sending)
  if self.halted or free <= 0 or self.unsaved > 0 or next(self.owed) ~= nil
    or self.context.runtime:now() < self.send_at then
    return 0
  end
  local rows, err = worker:claim("queued", worker.where.account and free
    or math.ceil(free / 2), self.last_account)
  self.misplaced = err and err.misplaced and err or nil
  self.last_account = rows and rows[1] and rows[1].account or self.last_account
  return rows and begin_all(self, rows)
end

local function sum_of(left)
  local sum = 0
  for _, row in pairs(left) do
    sum = sum + row.orders
  end
  return sum
end

-- Whether there is nothing more to do, and why not all is done.
local function is_done(self, left)
  local sum = sum_of(left)
  if sum <= self.gave_up_count then
    return true, sum > 0 and (self.stuck or self.suspect and self.suspect.err)
      or nil
  end
  local queued = left.queued and left.queued.orders or 0
  if queued < sum - self.gave_up_count then
    return false -- others have the rest, and may die
  elseif self.halted then
    return true, self.halted
  end
  local why = self.misplaced or self.stuck
  return why ~= nil, why
end

-- Seconds until the next look whether others have ended what is left, which only counts that:
-- the more there is, and the more workers look, the less often each does. It
-- never looks if no worker has an order of it.
local function until_last_look(self, left)
  local limits = _M.policy
  for _, row in pairs(left) do
    if row.claimed > 0 then
      return math.max(limits.last_look, limits.last_look_worker
        * self.heartbeat.worker.workers, limits.last_look_order * sum_of(left))
    end
  end
  return math.huge
end

-- Whether this run ends; sets its `failure`, and `last_look`.
local function is_over(self)
  if self.failure then
    return true
  elseif self.heartbeat.worker.is_over or self.heartbeat.worker.count > 0 then
    return false
  elseif self.misplaced and (self.misplaced.orphaned or self.options.follow) then
    self.failure = self.misplaced
    return true
  elseif self.options.follow then
    return false
  end
  local left = self.heartbeat.worker.ledger:left(self.heartbeat.worker.where)
  local done, err = false, nil
  self.last_look = left and until_last_look(self, left)
  self.left = left and sum_of(left)
  if left then
    done, err = is_done(self, left)
  end
  if done and err then
    self.failure = errors.is(err) and err or errors.new { kind = err.kind,
      message = err.reason }
  end
  return done
end

-- Seconds until the next look at the queue: the more workers look, the less often each
-- does.
local function until_next_look(self)
  local limits = _M.policy
  local look = math.min(math.max(limits.look,
    self.heartbeat.worker.workers * limits.look_share * limits.look),
    limits.look_longest) * (0.5 + self.context.random())
  local left = self.send_at - self.context.runtime:now()
  if left > 0 and left < look then
    return left
  end
  return look
end

local function claim_all(self)
  local runtime, look_at, is_woken = self.context.runtime, -math.huge, true
  repeat
    local found = 0
    if is_woken or runtime:now() >= look_at then
      if self.heartbeat.worker:may_act() then
        found = (claim_open(self) or 0) + (claim_queued(self) or 0)
      end
      look_at = runtime:now() + until_next_look(self)
    end
    local ok, why = true, nil
    if found == 0 and not is_over(self) then
      ok, why, is_woken = self.heartbeat:sleep_until_woken("claim", math.max(0,
        math.min(look_at - runtime:now(), self.last_look or math.huge)))
    elseif found == 0 then
      self.is_ending = true
    else
      is_woken = true
    end
    if not ok then
      self.why = why
    end
  until self.why or self.is_ending
  if self.failure then
    self.pool:stop()
  end
  self.heartbeat:stop()
end

-- What `on_begin` gets.
local function control_of(self)
  return {
    wake = function()
      self.open_at = -math.huge
      self.heartbeat:wake "claim"
    end,
    left = function()
      return self.left
    end,
    is_alive = function()
      return self.heartbeat.worker:may_act()
    end,
  }
end

local function run(self)
  if self.options.on_begin then
    local left = self.heartbeat.worker.ledger:left(self.heartbeat.worker.where)
    self.left = left and sum_of(left)
    self.options.on_begin(control_of(self))
  end
  self.context.runtime:gather {
    function(also)
      claimed_order.begin(self, also)
      local alive = beat(self)
      also(function()
        claim_all(self)
      end)
      self.why = self.heartbeat:run(alive, function()
        return beat(self)
      end) or self.why
    end,
  }
end

local function stopped(self)
  local result = self.result
  return errors.new {
    kind = "cancelled",
    message = ("%s; %d saved, %d failed, %d left; %s"):format(
      self.why == "interrupted" and "interrupted" or "cancelled", result.done,
      result.failed, result.left, self.lost and self.lost.message
        or "nothing is lost: work again for the rest"),
    interrupted = self.why == "interrupted" or nil,
  }
end

local function conclude(self)
  local left = self.heartbeat.worker.ledger:left(self.heartbeat.worker.where)
  self.result.left = left and sum_of(left) or self.result.left
  self.heartbeat.worker:retire()
  claimed_order.tell_unrecorded(self)
  local err = self.why and stopped(self) or self.failure
  if err then
    err.result = self.result
    return nil, err
  end
  return self.result
end

-- The result, or nil and an err with the `result` so far.
function _M.run(context, options)
  context = setmetatable({ ledger = context.ledger:with {
    serves_all = options.accounts == "any",
    tolerates = options.failures == false,
  } }, { __index = context })
  local self = claimed_order.new_job(context, options)
  self.open_at = -math.huge -- before which nothing is taken over
  if options.resume then
    local done, err = context.ledger:continue()
    if not done then
      return nil, err
    elseif done.was_halted then
      listener.event(context, { name = "queue", state = "continued" })
    end
  end
  local heartbeat, err = workers.new(context, function()
    start_over(self)
  end)
  if not heartbeat then
    return nil, err
  end
  self.heartbeat = heartbeat
  run(self)
  return conclude(self)
end

return _M
