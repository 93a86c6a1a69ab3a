-- One wait for one task, as a record that is moved on whenever it is due. It
-- never sleeps, so that ten thousand of them are ten thousand small tables.
--
--    state   | what happens                              | next
--    --------|-------------------------------------------|------------------
--    waiting | the poll is due                           | queued
--            | another process has got a newer answer    | waiting, or ended
--            | another process is polling this task      | waiting
--    queued  | the rate limiter permits the poll         | polling
--            | another process has got a newer answer    | waiting, or ended
--            | another process is polling this task      | waiting
--    polling | the task has not ended                    | waiting
--            | an error that is tolerated                | waiting
--            | the task has ended, or any other error    | ended
--    any     | the deadline is reached                   | ended: timeout
--            | the sleep or the poll is cut short        | ended: cancelled
--
-- Every step returns what its caller is to do next, one of three words, and
-- what belongs to it:
--
--    SLEEP, due        sleep until then (the runtime's seconds), and `advance`
--    POLL              `poll`
--    ENDED, task       the task is completed
--    ENDED, nil, err   the task failed, or the wait did

local c_locale = require "starvideos.base.c_locale"
local errors = require "starvideos.errors"
local fetch_task = require "starvideos.wait.fetch_task"
local intervals = require "starvideos.wait.interval"
local rate_limit = require "starvideos.wait.rate_limit"
local shared_cache = require "starvideos.wait.shared_cache"
local tasks = require "starvideos.base.task"

local SLEEP, POLL, ENDED = "sleep", "poll", "ended"

local _M = { SLEEP = SLEEP, POLL = POLL, ENDED = ENDED }

local info_mt = {
  __tostring = function(info)
    return ("after %.0f s"):format(info.elapsed)
      .. (info.error and ", the last poll failed: " .. tostring(info.error)
        or "")
  end,
}

-- What the watches of one call have in common. `context`: of the client. `beat`:
-- seconds from one moment at which watches are due to the next, where they are many.
function _M.plan(context, options, beat)
  local now = context.runtime:now()
  local timeout = options.timeout or intervals.policy.timeout
  return {
    context = context,
    began = now,
    timeout = timeout,
    deadline = now + timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    on_progress = options.on_progress,
    beat = beat,
  }
end

-- The task as last known.
local function task_of(self)
  return self.task or { id = self.id }
end

-- The same for those who look on: what they are shown always has a status.
local function shown_of(self)
  local task = task_of(self)
  if task.status then
    return task
  end
  local copy = { status = "unknown" }
  for name, value in pairs(task) do
    copy[name] = value
  end
  return copy
end

-- The result of a wait whose task has ended. `before`: as it was known before.
local function settled(plan, task, before)
  if task.status == "completed" then
    return ENDED, task
  end
  return ENDED, nil, fetch_task.failure(plan.context, task,
    before and before.status == "completed")
end

local function progress_at(plan, self, now)
  return {
    elapsed = now - plan.began,
    remaining = math.max(0, plan.deadline - now),
    polls = self.polls,
    error = self.fault,
  }
end

-- How far a watch has come. Returns with `task` as last known, `elapsed`, `remaining`
-- (seconds), `polls`, and `error` where the last poll failed.
function _M.progress(plan, self)
  local progress = progress_at(plan, self, plan.context.runtime:now())
  progress.task = shown_of(self)
  return progress
end

local function tell(plan, self, task, now)
  if plan.on_progress then
    local info = setmetatable(progress_at(plan, self, now), info_mt)
    info.id = self.id
    plan.on_progress(task or shown_of(self), info)
  end
end

-- The answer itself, which may be long, is not kept.
local function take_answer(plan, self, task, at)
  self.task = tasks.new(task)
  self.heard_at = at or self.heard_at
  if plan.context.ledger then
    self.told = task.status
  end
end

-- When to poll next, never before `earliest`. A wait that would end unseen
-- polls a last time shortly before its deadline.
local function due_after(plan, pause, now, earliest)
  local due = now + pause
  if due < plan.deadline then
    return due
  end
  local last_look = math.max(earliest or now, plan.deadline
    - math.min(intervals.policy.last_look, plan.timeout / 2))
  if now < last_look then
    return math.min(last_look, plan.deadline)
  end
  return plan.deadline
end

-- When tasks were ordered by this process (the runtime's seconds): their own time is
-- whole seconds of another clock.
local ordered_at = setmetatable({}, { __mode = "k" })

-- The provider has just accepted the order of a task.
function _M.ordered(context, task)
  ordered_at[task] = context.runtime:now()
end

-- How long a task has existed: as this process knows, as it tells, or as the ledger does.
local function age_of(context, task, id)
  local age = task and ordered_at[task] and context.runtime:now() - ordered_at[task]
  if age and age >= 0 then
    return age
  end
  local known = task
  if context.ledger and not (task and tasks.created_at(task)) then
    known = context.ledger:of_task(id)
  end
  return tasks.age(known, context.wall_clock())
end

-- Begin a watch. Returns what to do next, and what belongs to it.
function _M.begin(plan, task_or_id, options)
  local task = type(task_or_id) == "table" and task_or_id or nil
  local id = task and task.id or task_or_id
  if task and tasks.is_terminal(task)
    and (task.status ~= "completed" or task.video_url) then
    return { id = id }, settled(plan, task)
  end
  local context = plan.context
  local self = {
    id = id,
    task = task, -- as the caller gave it, or of the last answer
    age = age_of(context, task, id), -- when the wait began
    interval = intervals.first_interval(plan),
    polls = 0,
  }
  local due = due_after(plan, options.first_poll
    or intervals.first_pause(self, plan, self.age, context.random), plan.began)
  if context.shared_cache then
    -- The cache is looked at between polls, too.
    self.poll_at, due = due, plan.began
  end
  return self, SLEEP, due
end

-- Gives back what others wait for.
local function release(plan, self)
  local context = plan.context
  if self.permit then
    context.rate_limiter:release(self.permit)
    self.permit = nil
  end
  if self.claim then
    context.shared_cache:release(self.id, self.claim)
    self.claim = nil
  end
end

-- The errors with which a wait ends though its task goes on. Each says that nothing was
-- cancelled, and has the task to wait for next.

-- What was last known of the task: its status, or why there is none.
local function last_known(task, fault)
  if fault then
    return "could not be seen when it was last polled (" .. tostring(fault)
      .. ")"
  end
  return "is still running"
    .. (task.status and " (" .. task.status .. ")" or "")
end

-- The deadline was reached.
local function timeout_error(id, task, fault, seconds)
  return errors.new {
    kind = "timeout",
    message = ("task %s %s after %s s; nothing was cancelled or ordered again:"
      .. " wait for the same task once more"):format(id,
      last_known(task, fault), c_locale.number("%g", seconds)),
    task = task,
    task_id = id,
  }
end

-- The caller's sleep, or its poll, was cut short.
local function cancelled_error(id, task, interrupted)
  return errors.new {
    kind = "cancelled",
    message = ("stopped waiting for task %s; it goes on and was not"
      .. " cancelled: wait for the same task again"):format(id),
    task = task,
    task_id = id,
    interrupted = interrupted,
  }
end

-- The end of the sentence about a task that the provider does not know: the
-- caller may have named a wrong one.
local UNKNOWN_ID = "if the id is right, the task stays bought: wait for it again"

-- A poll was answered with an error that does not pass.
local function failed_error(id, task, err)
  err.message = ("stopped waiting for task %s: %s; %s"):format(id, err.message,
    err.kind == "not_found" and UNKNOWN_ID
    or "the task stays bought, and was not cancelled: wait for it again")
  err.task, err.task_id = err.task or task, id
  return err
end

-- The provider wants to be asked again only after the deadline.
local function too_late_error(id, task, err)
  return errors.new {
    kind = "rate_limited",
    message = ("stopped waiting for task %s: the provider asks to come back in"
      .. " %s s, after the end of this wait (%s); the task goes on and was"
      .. " not cancelled: wait for it again then"):format(id,
      c_locale.number("%g", err.retry_after), err.message),
    status = err.status,
    code = err.code,
    retry_after = err.retry_after,
    task = task,
    task_id = id,
  }
end

local function timed_out(plan, self)
  release(plan, self)
  return ENDED, nil, timeout_error(self.id, task_of(self), self.fault,
    plan.timeout)
end

-- End a watch that is not polling. `why`: as the runtime's `sleep` gave it. Returns
-- ENDED, nil and the err.
function _M.stop(plan, self, why)
  release(plan, self)
  return ENDED, nil, cancelled_error(self.id, task_of(self),
    why == "interrupted")
end

local function until_next_look(context)
  return shared_cache.policy.cache_look * (0.5 + context.random())
end

-- Takes what another process has found out. That one polls again at its own
-- pace; this one looks when that may be, and polls where nothing came of it.
local function take_cached(plan, self, task, at, now)
  local context, before = plan.context, self.task
  release(plan, self)
  take_answer(plan, self, task, at)
  intervals.after_answer(self, plan, context.random)
  tell(plan, self, task, now)
  if tasks.is_terminal(task) then
    return settled(plan, task, before)
  end
  local age = context.shared_cache:age(at)
  local soonest, latest = intervals.range(self, plan)
  self.poll_at = due_after(plan, math.max(0,
    latest + 2 * shared_cache.policy.cache_look - age), now)
  self.follows = true
  return SLEEP, math.min(self.poll_at, now + math.max(until_next_look(context),
    soonest - age))
end

-- What stands between a watch that is woken and its poll: each returns what to
-- do instead, or nothing where the poll may go on.

-- Another process may have an answer, or be about to get one.
local function look_in_cache(plan, self, now)
  local context = plan.context
  local cache = context.shared_cache
  local task, at = fetch_task.newer(context, self.id, self.heard_at, self.told)
  if task then
    return take_cached(plan, self, task, at, now)
  elseif now < self.poll_at then
    local look = self.follows and now + until_next_look(context)
    return SLEEP, math.min(look or self.poll_at, self.poll_at)
  elseif not self.permit and cache:is_claimed(self.id, self.claim) then
    return SLEEP, math.min(now + until_next_look(context), plan.deadline)
  end
end

-- The rate limiter may not permit another poll yet.
local function get_permit(plan, self, now)
  local limiter, pause = plan.context.rate_limiter
  if self.permit then
    pause, self.permit = limiter:check(self.permit, now, plan.beat)
  else
    pause, self.permit = limiter:reserve(now, plan.beat)
  end
  if pause > 0 then
    return SLEEP, math.min(now + pause, plan.deadline)
  end
  self.permit = nil
end

-- Another process may have claimed the task a moment ago.
local function claim(plan, self, now)
  local context = plan.context
  self.claim = context.shared_cache:claim(self.id, self.claim, shared_cache.policy.cache_look
    + math.min(context.timeout, plan.deadline - now))
  if not self.claim then
    return SLEEP, math.min(now + until_next_look(context), plan.deadline)
  end
end

-- Where no processes share what they know there is only the one.
local gates = { look_in_cache, get_permit, claim }

-- Move a watch on that is due, up to its next poll. `due`: for which was slept; a clock
-- may be a little behind it. Returns what to do next, and what belongs to it.
function _M.advance(plan, self, due)
  local now = math.max(due, plan.context.runtime:now())
  if now >= plan.deadline then
    return timed_out(plan, self)
  end
  if not plan.context.shared_cache then
    local what, value = get_permit(plan, self, now)
    return what or POLL, value
  end
  for _, gate in ipairs(gates) do
    local what, value, err = gate(plan, self, now)
    if what then
      return what, value, err
    end
  end
  return POLL
end

local function sleep_after(plan, self, pause, now, earliest)
  local due = due_after(plan, pause, now, earliest)
  if self.poll_at then
    self.poll_at, self.follows = due, nil
  end
  return SLEEP, due
end

local function answered(plan, self, task, at, now)
  local before = self.task
  take_answer(plan, self, task, at)
  intervals.answered(self)
  release(plan, self)
  tell(plan, self, task, now)
  if tasks.is_terminal(task) then
    return settled(plan, task, before)
  end
  return sleep_after(plan, self,
    intervals.after_answer(self, plan, plan.context.random), now)
end

-- The others are to hold back for as long as this watch does.
local function hold_back(plan, self, pause)
  if self.claim and pause > 0 then
    self.claim = plan.context.shared_cache:claim(self.id, self.claim, pause)
  else
    release(plan, self)
  end
end

local function tolerated(plan, self, err, pause, now)
  hold_back(plan, self, pause)
  tell(plan, self, nil, now)
  return sleep_after(plan, self, pause, now,
    err.retry_after and now + err.retry_after)
end

local function failed(plan, self, err, now)
  if err.task and err.task.status == "completed" then -- without a link
    self.task = tasks.new(err.task)
  end
  local pause = intervals.after_error(self, plan, err, self.age + now - plan.began,
    plan.context.random)
  local is_late = now >= plan.deadline
    or err.retry_after and now + err.retry_after > plan.deadline
  if pause and not is_late then
    return tolerated(plan, self, err, pause, now)
  end
  if now >= plan.deadline and err.kind ~= "cancelled" then
    return timed_out(plan, self)
  end
  release(plan, self)
  if err.kind == "cancelled" then
    err = cancelled_error(self.id, task_of(self), err.interrupted)
  elseif pause then
    err = too_late_error(self.id, task_of(self), err)
  else
    err = failed_error(self.id, task_of(self), err)
  end
  return ENDED, nil, err
end

-- Poll once, with no more time than the wait has left. Returns what to do next: SLEEP
-- or ENDED, and what belongs to it.
function _M.poll(plan, self)
  local context = plan.context
  self.polls = self.polls + 1
  local task, err, at = fetch_task.ask(context, self.id,
    plan.deadline - context.runtime:now(), self.told)
  local now = context.runtime:now()
  if err and err.kind == "rate_limited" then
    context.rate_limiter:limited(now, err.retry_after)
  else
    context.rate_limiter:answered(now)
  end
  rate_limit.tell(context)
  if task then
    return answered(plan, self, task, at, now)
  end
  return failed(plan, self, err, now)
end

return _M
