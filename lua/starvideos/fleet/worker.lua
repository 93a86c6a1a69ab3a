-- A worker: its place among those of a ledger, and the orders that it has claimed, which
-- nobody else sends, waits for or saves. If its heartbeat is late it does nothing until the
-- next one; if it was taken for dead it changes nothing any more. Its heartbeat takes
-- another place then, and wakes the coroutines that wait beside it.

local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local rate_limit = require "starvideos.wait.rate_limit"
local workers = require "starvideos.ledger.workers"

local _M = {}

-- In seconds.
_M.policy = {
  heartbeat = workers.policy.heartbeat, -- between two
  retry = 3, -- after one that failed
  late = workers.policy.lease - workers.policy.heartbeat, -- without one, after
    -- which a worker does nothing: others may soon take it for dead
  look = 2, -- between looks of one that is late whether it is still
  tell = 2, -- between two 429 that other workers are told of at once
}

local Worker = {}
Worker.__index = Worker

local function event(self, state)
  listener.event(self.context, { name = "worker", worker = self.id,
    state = state, claims = self.count })
end

-- Seconds for which it must not poll; nil where it may.
local function pause_of(self)
  if self:may_act() then
    return nil
  end
  return _M.policy.look * (0.5 + self.context.random())
end

-- After a fork the worker is the parent's.
local function notice_fork(self)
  self.is_over = self.is_over or self.context.process_id() ~= self.process
  return self.is_over
end

-- Whether it may send and poll: others cannot have taken it for dead.
function Worker:may_act()
  return not notice_fork(self)
    and self.context.boottime() < self.beat_at + _M.policy.late
end

-- Tells that a 429 of another worker has lowered the rate, and when it is whole again.
local function tell_rate(self, what, factor, rate)
  local before = self.factors[what]
  local state = factor < before and "lowered" or factor == 1 and before < 1 and "raised"
  self.factors[what] = state and factor or math.max(before, factor)
  if state then
    listener.event(self.context, { name = "rate", what = what,
      state = state, rate = rate, factor = factor })
  end
end

-- The share of a rate limit contains the factor of a 429 already.
local function obey(self, pulse)
  local limiter, now = self.limiter, self.context.runtime:now()
  local factor = pulse.factor or 1
  local rate = limiter:share(now, pulse.polls, pulse.polls and 1 or factor)
  if pulse.hold then
    limiter:hold(now, pulse.hold)
  end
  self.halted, self.workers = pulse.halted, pulse.workers
  self.suspects = pulse.suspects
  tell_rate(self, "polls", factor, rate)
  tell_rate(self, "creates", pulse.creates or 1)
end

-- A claim that reached the server late or twice gave it orders it does not know of. One
-- such count may be a coincidence of two moments.
local function compare(self, claimed)
  local has_more = claimed > self.count + #self.unreleased
  self.is_uncertain = self.is_uncertain or has_more and self.had_more
  self.had_more = has_more
end

local function release_rest(self)
  local list = self.unreleased
  self.unreleased = {}
  for _, entry in ipairs(list) do
    self:release(entry.id, entry.not_before)
  end
end

local function report_limited(self)
  local limited = self.limited
  self.limited = nil
  if limited then
    self.ledger:hold(limited.retry_after, true)
  end
end

-- Send a heartbeat, and tell the others of a 429. `is_draining`: it claims nothing more.
-- True; or nil and an err, `fenced` if the worker was taken for dead.
function Worker:beat(is_draining)
  if notice_fork(self) then
    return workers.fenced()
  end
  local began = self.context.boottime()
  report_limited(self)
  local pulse, err = self.ledger:heartbeat { claims = self.count,
    draining = is_draining, base_url = self.where.base_url,
    account = self.where.account }
  if pulse then
    self.beat_at = began
    obey(self, pulse)
    compare(self, pulse.claims)
    release_rest(self)
    return true
  elseif err.fenced and not self.is_over then
    self.is_over = true
    event(self, "fenced")
  end
  return nil, err
end

-- Forgets that orders are still to be handed back, because it claimed them again.
local function keep(self, rows)
  local claimed = {}
  for _, row in ipairs(self.unreleased[1] and rows or {}) do
    claimed[row.order_id] = true
  end
  for index = #self.unreleased, 1, -1 do
    if claimed[self.unreleased[index].id] then
      table.remove(self.unreleased, index)
    end
  end
end

-- The rows that are new to it.
local function adopt(self, rows)
  keep(self, rows)
  local list = {}
  for _, row in ipairs(rows) do
    if not self.claims[row.order_id] then
      self.claims[row.order_id], self.count = true, self.count + 1
      list[#list + 1] = row
    end
  end
  return list
end

-- The states of an order that a worker goes on with.
local is_to_do = { queued = true, accepted = true, completed = true }

-- What it has claimed though the answer was lost.
local function recover(self)
  local rows, err = self.ledger:claim { what = "mine" }
  if not rows then
    return nil, err
  end
  self.is_uncertain = false
  local list, leaving = {}, {}
  for _, entry in ipairs(self.unreleased) do
    leaving[entry.id] = true
  end
  for _, row in ipairs(rows) do
    if is_to_do[row.state] and not leaving[row.order_id] then
      list[#list + 1] = row
    end
  end
  return list
end

-- Claim at most `count` orders, `queued` ones of the account after that one. `what`: see
-- `starvideos.ledger.queue`.
function Worker:claim(what, count, after)
  local rows, err
  if notice_fork(self) then
    return workers.fenced()
  elseif self.is_uncertain then
    rows, err = recover(self)
  else
    rows, err = self.ledger:claim { what = what, count = count, after = after,
      base_url = self.where.base_url, account = self.where.account }
    self.is_uncertain = not rows and not err.fenced and not err.misplaced
  end
  return rows and adopt(self, rows), err
end

function Worker:forget(id)
  if self.claims[id] then
    self.claims[id], self.count = nil, self.count - 1
  end
end

-- Hand an order back; no worker claims it before `not_before` (Unix seconds).
function Worker:release(id, not_before)
  self:forget(id)
  if notice_fork(self) then
    return
  end
  local ok = self.ledger:unclaim({ order_id = id }, not_before)
  if ok == nil then
    self.unreleased[#self.unreleased + 1] = { id = id, not_before = not_before }
  end
end

-- End: all that it has claimed is free.
function Worker:retire()
  self.limiter:share(self.context.runtime:now(), nil)
  if not notice_fork(self) then
    self.is_over = true
    self.ledger:retire()
    event(self, "stopped")
  end
end

-- Say that it claims nothing more and finishes what is on the wire.
function Worker:drain()
  if self.is_over then
    return
  end
  event(self, "draining")
  self:beat(true)
end

-- The error of what a late worker must not do.
function _M.late()
  return errors.new { kind = "ledger", fenced = true, message = "the heartbeat of"
    .. " this worker is late, so that others may take its orders; nothing was"
    .. " sent, and nothing was bought" }
end

-- Adds a worker to those of the ledger. All it does uses its `context`; `on_limited` is
-- called when the provider answers a poll with 429.
local function new_worker(context, on_limited)
  local began = context.boottime()
  local where = { base_url = context.base_url,
    account = not context.ledger.serves_all and context.ledger.account or nil }
  local ledger, err = context.ledger:register(where)
  if not ledger then
    return nil, err
  end
  local self = setmetatable({ id = ledger.worker, ledger = ledger, where = where,
    process = context.process_id(),
    limiter = context.rate_limiter, beat_at = began, workers = 1,
    factors = { polls = 1, creates = 1 }, claims = {}, count = 0,
    unreleased = {}, is_over = false, is_uncertain = false, had_more = false }, Worker)
  self.context = setmetatable({ ledger = ledger,
    rate_limiter = rate_limit.share(context.rate_limiter, function()
      return pause_of(self)
    end, function(retry_after)
      self.limited = { retry_after = retry_after }
      on_limited(retry_after)
    end) }, { __index = context })
  event(self, "started")
  return self
end

local Heartbeat = {}
Heartbeat.__index = Heartbeat

-- Sleep until `wake`, also one that came before; the third result is whether one came. A
-- name has one sleeper.
function Heartbeat:sleep_until_woken(name, seconds)
  local runtime = self.context.runtime
  local who = runtime:waiter()
  local is_woken = self.news[name]
  if is_woken then
    seconds = 0
  end
  self.news[name] = nil
  if not who then -- nobody could wake it
    local ok, why = runtime:sleep(math.min(seconds, 1))
    return ok, why, is_woken
  end
  self.sleeping[name] = who
  local ok, why = runtime:wait(who, seconds)
  is_woken = is_woken or self.news[name]
  self.sleeping[name], self.news[name] = nil, nil
  runtime:leave(who)
  return ok, why, is_woken
end

-- Wake a sleeper, or keep it from sleeping.
function Heartbeat:wake(name)
  self.news[name] = true
  if self.sleeping[name] then
    self.context.runtime:wake(self.sleeping[name])
  end
end

-- Takes a place among the workers.
local function register(self)
  local told_at = -math.huge
  local worker, err = new_worker(self.context, function()
    local now = self.context.runtime:now()
    if now >= told_at + _M.policy.tell then
      told_at = now
      self:wake "beat"
    end
  end)
  self.worker = worker or self.worker
  return worker and true, err
end

function Heartbeat:beat()
  local worker = self.worker
  self.beaten = worker.count
  local ok = worker:beat()
  if worker.is_over and not self.is_ending and register(self) then
    self.on_fenced(worker)
    ok = self.worker:beat()
  end
  return ok
end

-- Send a heartbeat soon if the worker got many orders, for its share of the polls.
function Heartbeat:grow()
  if self.worker.count > 2 * self.beaten + 5 then
    self:wake "beat"
  end
end

-- Send heartbeats until `stop`, or until the caller's waits are to end: then why.
-- `alive`: whether the last one was sent.
function Heartbeat:run(alive, beat)
  while not self.is_ending do
    local pause = _M.policy[alive and "heartbeat" or "retry"]
    local ok, why = self:sleep_until_woken("beat", pause * (0.9
      + 0.1 * self.context.random()))
    if not ok then
      self.is_ending = true
      self.worker:drain()
      return why
    end
    alive = self.is_ending or beat()
  end
end

function Heartbeat:stop()
  self.is_ending = true
  self:wake "beat"
end

-- A heartbeat with its `worker`. `on_fenced` is called with a worker that was taken for
-- dead, once there is another one.
function _M.new(context, on_fenced)
  local self = setmetatable({ context = context, on_fenced = on_fenced,
    beaten = 0, is_ending = false, news = {}, sleeping = {} }, Heartbeat)
  local ok, err = register(self)
  return ok and self, err
end

return _M
