--- Work off the queue of the ledger: claim orders, send them, wait for them and
-- save their videos, beside any number of other workers.
--
-- One coroutine sends heartbeats, one claims; each order has one while it is sent;
-- all waits are one heap, and a few coroutines save what is completed.
-- @module starvideos.operation.work

local errors = require "starvideos.errors"
local hearts = require "starvideos.operation.heart"
local listener = require "starvideos.listener"
local policy = require "starvideos.polling.policy"
local queued_order = require "starvideos.operation.queued_order"
local retry = require "starvideos.api.retry"
local saving = require "starvideos.operation.saving"
local tasks = require "starvideos.api.task"
local wait = require "starvideos.operation.wait"
local workers = require "starvideos.operation.worker"

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
_M.policy = {
  claims = 64, -- orders at a time
  page = 1000, -- accepted orders taken over at a time
  look = 5, -- between looks at the queue where there is nothing to do
  look_longest = 30, -- the same where many workers look
  look_share = 0.1, -- of a worker in that
  spread = 0.05, -- of a worker, in the time in which all try again when a limit is
    -- lifted
  later = 60, -- after which an order is claimed again that failed here
  later_longest = 900, -- the same after many failures
  in_a_row = 5, -- orders of unknown outcome after which the queue stops, and
    -- videos that could not be saved after which the worker ends
}

-- Of what a worker does after it was taken for dead, nothing counts.
local function is_lost(self, one)
  return one.worker ~= self.heart.worker or one.worker.is_over
end

-- An order has ended, or this run has: `count` is the field of the result.
local function finish(self, one, count, file, err)
  self.result[count] = self.result[count] + 1
  local id = one.order.id
  if count ~= "left" then
    one.worker:forget(id)
    self.gave_up_count = self.gave_up_count - (self.gave_up[id] and 1 or 0)
    self.gave_up[id] = nil
  end
  if self.options.on_done then
    self.options.on_done(one.order, file, err)
  end
  self.heart:wake "claim"
end

local function later(self, tries)
  local seconds = math.min(_M.policy.later * 2 ^ math.min(tries, 10),
    _M.policy.later_longest)
  return self.context.ledger.clock() + seconds
end

-- Hands an order back that another run, or a later one, may do better with.
local function give_up(self, one, err)
  local id = one.order.id
  local tries = self.gave_up[id]
  self.gave_up_count = self.gave_up_count + (tries and 0 or 1)
  self.gave_up[id] = (tries or -1) + 1
  one.worker:release(id, later(self, self.gave_up[id]))
  finish(self, one, "left", nil, err)
end

-- Hands an order back that is to be sent as soon as that is possible.
local function hand_back(self, one, seconds)
  one.worker:release(one.order.id,
    seconds and self.context.ledger.clock() + seconds)
  self.heart:wake "claim"
end

-- Claims nothing to be sent for so long.
local function hold_back(self, seconds)
  self.batch = 1
  self.send_at = math.max(self.send_at,
    self.context.runtime:now() + seconds)
end

local function spread(self)
  return self.context.random() * _M.policy.spread * self.heart.worker.workers
end

-- Stops the queue for all workers: with the next heartbeat where the ledger cannot
-- be written now.
local function write_halt(self)
  local halted = self.unwritten
  local ok = self.heart.worker.ledger:halt(halted.reason, halted.kind)
  self.unwritten = not ok and halted or nil
end

local function halt(self, err)
  self.halted = { kind = err.kind, reason = err.message }
  self.unwritten = self.halted
  write_halt(self)
  listener.event(self.context, { name = "queue", state = "halted",
    reason = err.message })
end

local function note_saved(self, err)
  self.unsaved = err and err.kind == "io" and err.target ~= "exists"
    and self.unsaved + 1 or 0
  if self.unsaved >= _M.policy.in_a_row then
    self.failure = err
  end
end

-- Waits for a task, and has its video saved then.
local function watch(self, one, task, first_poll)
  one.task_id = task.id
  self.waits[task.id] = one
  self.pool:add(task, first_poll)
end

-- What becomes of an order whose sending ended with an error, by its kind.
local after_error = {}

function after_error.limited(self, one, err)
  if err.never then
    self.stuck = self.stuck or err
    return give_up(self, one, err)
  end
  self.stuck = err.retryable == false and err or nil
  if err.others then -- which cost less
    return hand_back(self, one, _M.policy.later)
  end
  -- It may be for some orders alone, or be raised meanwhile; a claim leaves
  -- alone what it keeps back.
  local seconds = math.min(err.retry_after or 0, _M.policy.look_longest)
  hold_back(self, seconds + spread(self))
  hand_back(self, one)
end

function after_error.rate_limited(self, one, err)
  hold_back(self, err.retry_after or retry.backoff(1, self.context.random))
  hand_back(self, one)
end

function after_error.network(self, one)
  self.faults = self.faults + 1
  local pause = retry.backoff(self.faults, self.context.random)
  hold_back(self, pause)
  hand_back(self, one, pause)
end

-- Ctrl-C hands everything back in the end.
function after_error.cancelled(self, one, err)
  if not (self.why or err.interrupted) then
    hand_back(self, one)
  end
end

function after_error.ledger(self, one, err)
  if err.task then -- which the ledger will know as soon as it can be written
    return watch(self, one, err.task)
  end
  hold_back(self, retry.backoff(1, self.context.random))
  hand_back(self, one)
end

function after_error.io(self, one, err)
  note_saved(self, err)
  give_up(self, one, err)
end

function after_error.outcome_unknown(self, one, err)
  self.unknowns = self.unknowns + 1
  if self.unknowns >= _M.policy.in_a_row then
    halt(self, errors.new { kind = "outcome_unknown", message = ("of %d"
      .. " orders in a row nobody knows whether they were bought; the last one"
      .. " said: %s"):format(self.unknowns, err.message) })
  end
  finish(self, one, "unknown", nil, err)
end

local function fail(self, one, err)
  finish(self, one, "failed", nil, err)
end

local function take_error(self, one, err)
  if queued_order.stops_queue(err) then
    halt(self, err)
    hand_back(self, one)
  else
    (after_error[err.kind] or fail)(self, one, err)
  end
end

-- Whether its video can be saved is looked at before anything is bought.
local function send(self, one, row)
  local context = one.worker.context
  local order, task = one.order, nil
  if not row.body then
    return give_up(self, one, queued_order.no_body(row))
  end
  local ok, err = saving.make_folder(context.runtime, one.path)
  if ok then
    ok, err = saving.look(context, order, one.path, self.options)
    ok = ok or not err
  end
  if ok and one.worker:may_act() then
    task, err = queued_order.send(one.worker, row)
  end
  if is_lost(self, one) then
    return
  elseif task then
    self.faults, self.unknowns, self.stuck = 0, 0, nil
    order.task_id, order.state = task.id, "accepted"
    watch(self, one, task)
  else
    take_error(self, one, err or workers.late())
  end
end

-- Waits for what was bought before, by whomever.
local function take_over(self, one)
  local context = one.worker.context
  local order, file = one.order, nil
  local ok, err = saving.make_folder(context.runtime, one.path)
  if ok then
    file, err = saving.look(context, order, one.path, self.options)
  end
  if is_lost(self, one) then
    return
  elseif file then
    finish(self, one, "done", file)
  elseif err then
    take_error(self, one, err)
  else
    watch(self, one, { id = order.task_id, created = tasks.created_at(order) },
      0)
  end
end

local function save(self, ended)
  local one = self.waits[ended.id]
  self.waits[ended.id] = nil
  if not one or is_lost(self, one) then
    return
  end
  local file, err = saving.save(one.worker.context, one.order, one.path,
    ended.task, self.options, self.context.runtime:now()
      + (self.options.timeout or policy.timeout))
  if is_lost(self, one) then
    return
  end
  note_saved(self, err)
  if file then
    finish(self, one, "done", file)
  elseif err.kind == "task_failed" then
    fail(self, one, err)
  elseif err.kind ~= "cancelled" then
    give_up(self, one, err)
  end
end

-- Saves what is completed, until all of it is.
local function save_all(self)
  local completed = self.completed
  while completed.first <= completed.last do
    local ended = completed[completed.first]
    completed[completed.first] = nil
    completed.first = completed.first + 1
    save(self, ended)
  end
  self.downloads = self.downloads - 1
end

-- The wait for an order has ended without a video.
local function not_made(self, ended)
  local one, err = self.waits[ended.id], ended.err
  self.waits[ended.id] = nil
  if not one or is_lost(self, one) then
    return
  elseif err.kind == "task_failed" then
    fail(self, one, err)
  elseif err.kind == "auth" then
    halt(self, err)
    give_up(self, one, err)
  elseif err.kind ~= "cancelled" then
    saving.note_missing(one.worker.context, err)
    give_up(self, one, err)
  end
end

local function on_end(self, ended)
  local completed = self.completed
  if not ended.task then
    self.also(function()
      not_made(self, ended)
    end)
    return
  end
  completed.last = completed.last + 1
  completed[completed.last] = ended
  if self.downloads < saving.downloads then
    self.downloads = self.downloads + 1
    self.also(function()
      save_all(self)
    end)
  end
end

local function new_pool(self)
  local options, progress = self.options, self.options.on_progress
  return wait.pool(self.heart.worker.context, {
    timeout = options.timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    on_progress = progress and function(seen, info)
      local one = self.waits[info.id]
      if one then
        progress(one.order, seen, info)
      end
    end,
  }, self.also, function(ended)
    on_end(self, ended)
  end)
end

-- It was taken for dead: what it had is another's.
local function start_over(self)
  if self.pool then
    self.pool:stop()
  end
  self.waits = {}
  self.pool = new_pool(self)
  self.heart:wake "claim"
end

local function beat(self)
  if self.unwritten then
    write_halt(self)
  end
  local ok = self.heart:beat()
  if ok then
    self.halted = self.unwritten or self.heart.worker.halted
  end
  return ok
end

local function new_one(self, row)
  local order = self.context.ledger.order_of(row)
  return { worker = self.heart.worker, order = order,
    path = saving.path_of(self.context, order, self.options) }
end

local function begin_all(self, rows)
  local open = {}
  for _, row in ipairs(rows) do
    if row.state == "queued" then
      self.also(function()
        send(self, new_one(self, row), row)
      end)
    else
      open[#open + 1] = row
    end
  end
  self.heart:grow()
  saving.each(self.context.runtime, open, function(row)
    take_over(self, new_one(self, row))
  end)
  return #rows
end

-- Takes over what dead workers have left, however much that is.
local function claim_open(self)
  local now = self.context.runtime:now()
  if now < self.open_at then
    return 0
  end
  local rows = self.heart.worker:claim("open", _M.policy.page)
  if not rows or #rows < _M.policy.page then
    self.open_at = now + _M.policy.look * (0.5 + self.context.random())
  end
  return rows and begin_all(self, rows)
end

-- More with every claim of which everything could be sent.
local function claim_queued(self)
  local free = (self.options.claims or _M.policy.claims) - self.heart.worker.count
  if self.halted or free <= 0
    or self.context.runtime:now() < self.send_at then
    return 0
  end
  local rows = self.heart.worker:claim("queued", math.min(free, self.batch))
  if rows and #rows == self.batch then
    self.batch = self.batch * 2
  end
  return rows and begin_all(self, rows)
end

local function sum_of(left)
  local sum = 0
  for _, row in pairs(left) do
    sum = sum + row.orders
  end
  return sum
end

-- Whether there is nothing more to do, and the error why not all is done.
local function is_done(self, left)
  local sum = sum_of(left)
  if sum <= self.gave_up_count then
    return true, sum > 0 and self.stuck or nil
  end
  local queued = left.queued and left.queued.orders or 0
  if queued < sum - self.gave_up_count then
    return false -- others have the rest, and may die
  elseif self.halted then
    return true, self.halted
  elseif self.stuck then
    return true, self.stuck
  end
  return false
end

-- Whether this run ends; sets why.
local function is_over(self)
  if self.failure then
    return true
  elseif self.options.follow or self.heart.worker.is_over or self.heart.worker.count > 0 then
    return false
  end
  local left = self.heart.worker.ledger:left(self.heart.worker.where)
  local done, err = false, nil
  if left then
    done, err = is_done(self, left)
  end
  if done and err then
    self.failure = errors.is(err) and err or errors.new { kind = err.kind,
      message = err.reason }
  end
  return done
end

-- Seconds until the next look: when a limit may be lifted, or now and then. The
-- more workers look, the less often each does.
local function until_next_look(self)
  local limits = _M.policy
  local look = math.min(math.max(limits.look,
    self.heart.worker.workers * limits.look_share * limits.look),
    limits.look_longest) * (0.5 + self.context.random())
  local left = self.send_at - self.context.runtime:now()
  if left > 0 and left < look then
    return left
  end
  return look
end

local function claim_all(self)
  repeat
    local found = 0
    if self.heart.worker:may_act() then
      found = (claim_open(self) or 0) + (claim_queued(self) or 0)
    end
    local ok, why = true, nil
    if found == 0 and not is_over(self) then
      ok, why = self.heart:doze("claim", until_next_look(self))
    elseif found == 0 then
      self.is_ending = true
    end
    if not ok then
      self.why = why
    end
  until self.why or self.is_ending
  if self.failure then
    self.pool:stop()
  end
  self.heart:stop()
end

local function run(self)
  self.context.runtime:gather {
    function(also)
      self.also = also
      self.pool = new_pool(self)
      local alive = beat(self)
      also(function()
        claim_all(self)
      end)
      self.why = self.heart:run(alive, function()
        return beat(self)
      end) or self.why
    end,
  }
end

local function stopped(self)
  local result = self.result
  return errors.new {
    kind = "cancelled",
    message = ("%s; %d saved, %d failed, %d left; nothing is lost: work again for"
      .. " the rest"):format(
      self.why == "interrupted" and "interrupted" or "cancelled", result.done,
      result.failed, result.left),
    interrupted = self.why == "interrupted" or nil,
  }
end

-- Counts what is left, and ends.
local function conclude(self)
  local left = self.heart.worker.ledger:left(self.heart.worker.where)
  self.result.left = left and sum_of(left) or self.result.left
  self.heart.worker:retire()
  local err = self.why and stopped(self) or self.failure
  if err then
    err.result = self.result
    return nil, err
  end
  return self.result
end

--- Work off the queue.
-- @tparam table context of a client with a ledger
-- @tparam table options see `client:work`
-- @treturn ?table result
-- @treturn ?table err; with `result`, as far as it came
function _M.run(context, options)
  local self = {
    context = context,
    options = options,
    result = { done = 0, failed = 0, unknown = 0, left = 0 },
    completed = { first = 1, last = 0 }, -- to be saved
    downloads = 0, -- under way
    gave_up = {}, gave_up_count = 0, -- by order, how often
    batch = 1, -- orders to be sent, claimed at once
    send_at = -math.huge, -- before which nothing is claimed to be sent
    faults = 0, unknowns = 0, unsaved = 0, -- in a row
    open_at = -math.huge, -- before which nothing is taken over
    waits = {}, -- by the ids of their tasks
  }
  if options.resume then
    local ok, err = context.ledger:continue()
    if not ok then
      return nil, err
    end
    listener.event(context, { name = "queue", state = "continued" })
  end
  local heart, err = hearts.new(context, function()
    start_over(self)
  end)
  if not heart then
    return nil, err
  end
  self.heart = heart
  run(self)
  return conclude(self)
end

return _M
