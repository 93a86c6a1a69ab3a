-- What a worker does with one order that it has claimed: sends it, waits for it,
-- saves its video, and decides what becomes of it where one of these fails.
--
-- `job` is what the orders of one run have in common: `context`, `options`,
-- `heartbeat` (see `starvideos.fleet.worker`), `also` (starts a coroutine), `pool`
-- (see `starvideos.wait`), `keep` (has a video saved), `result`, and what
-- a run learns:
--
-- * `halted`: why the queue has stopped, as `kind` and `reason`; `unwritten` the
--   same, where the ledger does not know it yet
-- * `failure`: the error with which this run is to end
-- * `stuck`: the error of a limit that will not lift
-- * `why`: why all waits are to end
-- * `suspect`: the last order that was refused as others may be, its `id` and `err`,
--   until another is `accepted`
-- * `sending`, `window`: how many orders are being sent, and may be at a time; `send_at`:
--   before when none are claimed for that (the runtime's seconds)
-- * `gave_up`, `gave_up_count`: how often an order failed here, by its id

local errors = require "starvideos.errors"
local intervals = require "starvideos.wait.interval"
local listener = require "starvideos.base.listener"
local queue_stops = require "starvideos.ledger.queue_stops"
local recorder = require "starvideos.order.recorder"
local retry = require "starvideos.provider.retry"
local room = require "starvideos.order.room"
local saving = require "starvideos.fleet.saving"
local send = require "starvideos.order.send"
local tasks = require "starvideos.base.task"
local wait = require "starvideos.wait"
local workers = require "starvideos.fleet.worker"

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  spread = 0.05, -- of a worker, in the time in which all try again when a limit is
    -- lifted
  hold_min = 0.05, -- between two tries at a limit
  hold_max = 30, -- after which a limit is looked at again though it holds longer:
    -- somebody may have raised it
  unrecorded = 10, -- after which a video is saved whose place could not be
    -- recorded
  window = 5, -- orders that are sent side by side before one is accepted, and after one
    -- whose end may be that of all
  in_a_row = 5, -- videos that could not be saved after which the worker ends
  full = 5, -- between looks at a disk that has no room
  later = 60, -- after which an order is claimed again that failed here
  later_longest = 900, -- the same after many failures
}

-- Other orders of the queue may be refused, too: the key or the base URL is wrong, or the
-- account has no money left.
local stops = { auth = true, config = true }

local function stops_queue(err)
  return stops[err.kind] or err.unpaid or false
end

local function no_body(row)
  return errors.new { kind = "ledger", sent = false, message = ("the ledger holds"
    .. " no request for the order %s; nothing was sent: dismiss it, and enqueue it"
    .. " with another take"):format(row.order_key or row.order_id) }
end

-- Sends an order, once, as it was stored; `stays(err)` tells whether a refused order stays
-- in the queue.
local function send_once(job, one, row, stays)
  local worker = one.worker
  local context = worker.context
  local function check(order)
    if worker:may_act() then
      return room.check(context, order, one.path, job.options)
    end
    return nil, workers.late()
  end
  local order = recorder.claimed(context, row, check, stays)
  local task, err = send(context, order, { endpoint = row.endpoint, body = row.body,
    process = context.process_id(), limit_timeout = 0, tries = 1 })
  room.done(order)
  return task, err
end

-- Nothing counts that a worker does after it was taken for dead.
local function is_lost(job, one)
  return one.worker ~= job.heartbeat.worker or one.worker.is_over
end

-- Whether another order of this run makes the same file; if not, this one does.
local function is_made(job, one, file)
  local other = job.files[file]
  if other and not is_lost(job, other) then
    return true
  end
  job.files[file], one.file = one, file
end

local function leave_file(job, one)
  job.owed[one] = nil
  if one.file and job.files[one.file] == one then
    job.files[one.file] = nil
  end
end

-- An order has ended, or this run has; `count` names the field of the result.
local function finish(job, one, count, file, err)
  job.result[count] = job.result[count] + 1
  leave_file(job, one)
  local id = one.order.id
  if count ~= "left" then
    one.worker:forget(id)
    job.gave_up_count = job.gave_up_count - (job.gave_up[id] and 1 or 0)
    job.gave_up[id] = nil
  end
  if job.options.on_done then
    job.options.on_done(one.order, file, err)
  end
  job.heartbeat:wake "claim"
end

local function later(job, tries)
  local seconds = math.min(_M.policy.later * 2 ^ math.min(tries, 10),
    _M.policy.later_longest)
  return job.context.ledger.clock() + seconds
end

-- Hands an order back for another run, or for a later try.
local function give_up(job, one, err)
  local id = one.order.id
  if err.fenced then -- it is another's already
    leave_file(job, one)
    return one.worker:forget(id)
  end
  local tries = job.gave_up[id]
  job.gave_up_count = job.gave_up_count + (tries and 0 or 1)
  job.gave_up[id] = (tries or -1) + 1
  one.worker:release(id, later(job, job.gave_up[id]))
  finish(job, one, "left", nil, err)
end

-- Hands an order back to be sent as soon as possible, or after so many seconds.
local function hand_back(job, one, seconds)
  leave_file(job, one)
  one.worker:release(one.order.id,
    seconds and job.context.ledger.clock() + seconds)
  job.heartbeat:wake "claim"
end

local function hold_back(job, seconds)
  job.window = 1
  job.send_at = math.max(job.send_at, job.context.runtime:now()
    + math.min(math.max(seconds, _M.policy.hold_min), _M.policy.hold_max))
end

local function spread(job)
  return job.context.random() * _M.policy.spread * job.heartbeat.worker.workers
end

-- Stop the queue for all workers; the next heartbeat calls it again if the ledger cannot
-- be written now.
function _M.write_halt(job)
  local halted = job.unwritten
  local ok = job.heartbeat.worker.ledger:halt(halted.reason, halted.kind)
  job.unwritten = not ok and halted or nil
end

local function halt(job, err)
  job.halted = { kind = err.kind, reason = err.message }
  job.unwritten = job.halted
  _M.write_halt(job)
  listener.event(job.context, { name = "queue", state = "halted",
    reason = err.message })
end

-- Whether a refused order stays in the queue because others may be refused, too. It does
-- not if it was refused so before and others were accepted since: then the order is to
-- blame. What the provider adds in brackets may differ each time.
local function stays(job, one, err)
  if one.stays == nil then
    local before = (one.order.error or ""):match "^[^(]+"
    local again = before and err.message:sub(1, #before) == before
    one.stays = stops_queue(err)
      and not (again and job.accepted and not job.suspect)
  end
  return one.stays
end

-- An order ended as all others may: the error for which the queue has to stop, if those in
-- a row are enough, by whichever workers. Where the ledger cannot be asked this one's count.
local function suspect(job, one, err)
  local id, last = one.order.id, job.suspect
  local is_unknown = err.kind == "outcome_unknown"
  job.window = math.min(job.window, _M.policy.window)
  job.unknowns = job.unknowns + (is_unknown and 1 or 0)
  job.suspect = not is_unknown and { id = id, err = err } or last
  return one.worker.ledger:suspect(id, is_unknown)
    or { is_second = last and last.id ~= id, unknowns = job.unknowns }
end

-- Two such refusals in a row stop the queue: one order alone may be to blame itself. Both
-- wait until others had their turn.
local function refused(job, one, err)
  if suspect(job, one, err).is_second and not job.halted then
    halt(job, err)
  end
  give_up(job, one, err)
end

-- The provider has accepted an order.
local function clear(job)
  local worker = job.heartbeat.worker
  job.accepted, job.window = true, job.window + 1
  if job.suspect or job.unknowns > 0 or worker.suspects then
    job.suspect, job.unknowns, worker.suspects = nil, 0, nil
    worker.ledger:suspect(nil)
  end
end

local function note_saved(job, err)
  if not err and job.stuck and job.stuck.target == "full" then
    job.stuck = nil -- there may be room for another now
  end
  local is_order = err and (err.target == "exists" or err.target == "outside")
  job.unsaved = err and err.kind == "io" and not is_order
    and job.unsaved + 1 or 0
  if job.unsaved >= _M.policy.in_a_row then
    job.failure = err
  end
end

local function watch(job, one, task, first_poll)
  local other = job.waits[task.id]
  if other and other.order.id ~= one.order.id then
    return give_up(job, one, saving.shared(one.order, other.order))
  end
  one.task_id = task.id
  job.waits[task.id] = one
  job.pool:add(task, first_poll)
end

-- What becomes of an order whose sending ended with an error, by its kind.
local after_error = {}

function after_error.limited(job, one, err)
  if err.never then
    job.stuck = job.stuck or err
    return give_up(job, one, err)
  end
  job.stuck = err.retryable == false and err or nil
  if err.others then -- which cost less
    return hand_back(job, one, _M.policy.later)
  end
  local seconds = err.retry_after or 0
  hold_back(job, seconds + spread(job))
  hand_back(job, one)
end

function after_error.rate_limited(job, one, err)
  hold_back(job, err.retry_after or retry.backoff(1, job.context.random))
  hand_back(job, one)
end

function after_error.network(job, one)
  job.faults = job.faults + 1
  local pause = retry.backoff(job.faults, job.context.random)
  hold_back(job, pause)
  hand_back(job, one, pause)
end

-- After Ctrl-C the end of the run hands everything back.
function after_error.cancelled(job, one, err)
  if not (job.why or err.interrupted) then
    hand_back(job, one)
  end
end

function after_error.ledger(job, one, err)
  if err.task then -- which the ledger will know as soon as it can be written
    one.order.task_id = err.task.id
    job.unrecorded[#job.unrecorded + 1] = { order = one.order, err = err }
    return watch(job, one, err.task)
  end
  hold_back(job, retry.backoff(1, job.context.random))
  hand_back(job, one)
end

function after_error.io(job, one, err)
  if err.target == "full" then -- what is open may be saved, and removed by somebody
    job.stuck = err
    hold_back(job, _M.policy.full)
    return hand_back(job, one)
  end
  note_saved(job, err)
  give_up(job, one, err)
end

function after_error.outcome_unknown(job, one, err)
  local unknowns = suspect(job, one, err).unknowns
  if unknowns >= queue_stops.policy.failures then
    if job.options.failures == false then
      hold_back(job, _M.policy.hold_max)
    elseif not job.halted then
      halt(job, errors.new { kind = "outcome_unknown", message = ("of %d"
        .. " orders in a row nobody knows whether they were bought; the last one"
        .. " said: %s"):format(unknowns, err.message) })
    end
  end
  finish(job, one, "unknown", nil, err)
end

local function fail(job, one, err)
  job.window = math.min(job.window, _M.policy.window)
  finish(job, one, "failed", nil, err)
end

local function take_error(job, one, err)
  if stays(job, one, err) then
    refused(job, one, err)
  else
    (after_error[err.kind] or fail)(job, one, err)
  end
end

-- Looks whether the video can be saved before anything is bought.
local function send_order(job, one, row)
  local context = one.worker.context
  local order, task = one.order, nil
  if not row.body then
    return give_up(job, one, no_body(row))
  end
  local ok, err = saving.prepare(context, order, one.path, job.options)
  local file
  if ok then
    ok, err, file = saving.look(context, order, one.path, job.options)
    ok = ok or not err
  end
  if file and is_made(job, one, file) then
    return hand_back(job, one, _M.policy.later)
  elseif ok and one.worker:may_act() then
    task, err = send_once(job, one, row, function(problem)
      return stays(job, one, problem)
    end)
  end
  if is_lost(job, one) then
    return
  elseif task then
    job.faults, job.stuck = 0, nil
    order.task_id, order.state = task.id, "accepted"
    watch(job, one, task)
    clear(job)
  else
    take_error(job, one, err or workers.late())
  end
end

local function take_over(job, one)
  local context = one.worker.context
  local order, file = one.order, nil
  local ok, err = saving.prepare(context, order, one.path, job.options)
  if ok then
    file, err = saving.look(context, order, one.path, job.options)
  end
  if is_lost(job, one) then
    return
  elseif file then
    finish(job, one, "done", file)
  elseif err then
    take_error(job, one, err)
  else
    job.owed[one] = order.state == "completed" or nil
    watch(job, one, { id = order.task_id, created = tasks.created_at(order) },
      0)
  end
end

local function save(job, ended)
  local one = job.waits[ended.id]
  job.waits[ended.id] = nil
  if not one or is_lost(job, one) then
    return
  end
  local file, err = saving.save(one.worker.context, one.order, one.path,
    ended.task, job.options, job.context.runtime:now()
      + (job.options.timeout or intervals.policy.timeout))
  if is_lost(job, one) then
    return -- by now the job may wait for it again
  end
  job.waits[ended.id] = err and err.kind == "cancelled" and one or nil
  note_saved(job, err)
  if file then
    finish(job, one, "done", file)
  elseif err.kind == "task_failed" then
    fail(job, one, err)
  elseif err.kind == "ledger" and not err.fenced then
    hand_back(job, one, _M.policy.unrecorded) -- all of it is in the part file
  elseif err.kind ~= "cancelled" then
    give_up(job, one, err)
  end
end

local function not_made(job, ended)
  local one, err = job.waits[ended.id], ended.err
  if err.kind == "cancelled" then
    return -- it is still waited for, by whoever works next
  end
  job.waits[ended.id] = nil
  if not one or is_lost(job, one) then
    return
  elseif err.kind == "task_failed" then
    fail(job, one, err)
  elseif err.kind == "auth" then
    refused(job, one, err)
  else
    saving.note_missing(one.worker.context, err)
    give_up(job, one, err)
  end
end

local function on_end(job, ended)
  if ended.task then
    job.heartbeat:wake "claim" -- another task may be open now
    job.keep(ended)
  else
    job.also(function()
      not_made(job, ended)
    end)
  end
end

function _M.new_pool(job)
  local options = saving.wait_options(job.options, function(id)
    return job.waits[id]
  end)
  return wait.pool(job.heartbeat.worker.context, options, job.also,
    function(ended)
      on_end(job, ended)
    end)
end

-- Begin the run; `also` starts a coroutine beside the caller.
function _M.begin(job, also)
  job.also = also
  job.keep = saving.queue(also, function(ended)
    save(job, ended)
  end)
  job.pool = _M.new_pool(job)
end

local function new_one(job, row)
  local order = job.context.ledger.order_of(row)
  return { worker = job.heartbeat.worker, order = order,
    path = saving.path_of(job.context, order, job.options) }
end

function _M.send(job, row)
  job.sending = job.sending + 1
  job.also(function()
    send_order(job, new_one(job, row), row)
    job.sending = job.sending - 1
    job.heartbeat:wake "claim"
  end)
end

-- Wait for what was bought before.
function _M.take_over(job, rows)
  saving.each(job.context.runtime, rows, function(row)
    take_over(job, new_one(job, row))
  end)
end

local function tell_task(job, one, err)
  job.failure = job.failure or err
  if job.options.on_done then
    job.options.on_done(one.order, nil, err)
  end
end

-- Report the tasks that the ledger does not know, or that nobody else finds in its file:
-- when this process ends nobody knows their outcome.
function _M.tell_unrecorded(job)
  local ledger = job.context.ledger
  local lost = ledger:lost()
  for _, one in ipairs(job.unrecorded) do
    if not lost and not ledger:of_task(one.err.task_id, nil, one.order.id) then
      job.result.unknown = job.result.unknown + 1
      tell_task(job, one, one.err)
    end
  end
  for id, one in pairs(lost and job.waits or {}) do
    tell_task(job, one, errors.new { kind = "ledger", task_id = id,
      message = recorder.orphaned(id, lost) })
  end
  job.lost = lost
end

-- A job without its `heartbeat`, and without what `begin` adds.
function _M.new_job(context, options)
  return {
    context = context,
    options = options,
    result = { done = 0, failed = 0, unknown = 0, left = 0 },
    waits = {}, -- by the ids of their tasks
    owed = {}, -- what others had completed and not saved, until it is tried here
    files = {}, -- what is being made, by the paths of the files themselves
    gave_up = {}, gave_up_count = 0,
    unrecorded = {}, -- tasks that the ledger could not be told of
    sending = 0, window = _M.policy.window, send_at = -math.huge,
    faults = 0, unknowns = 0, unsaved = 0, -- in a row
  }
end

return _M
