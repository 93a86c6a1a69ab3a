--- One wait for one task, as a record that is moved on whenever it is due: it
-- looks at what others know, queues for its turn, polls. It never sleeps, so
-- that ten thousand are ten thousand small tables and no more.
--
-- A step gives when the watch is next due; or nil, where it has ended, and the
-- task, or nil and an err.
-- @module starvideos.polling.watch

local shared_cache = require "starvideos.polling.shared_cache"
local rate_limiter = require "starvideos.polling.rate_limiter"
local errors = require "starvideos.errors"
local operations = require "starvideos.api.operations"
local pace = require "starvideos.polling.pace"
local policy = require "starvideos.polling.policy"
local query = require "starvideos.operation.query"
local task_reader = require "starvideos.api.task_reader"
local tasks = require "starvideos.api.task"

local _M = {}

local info_mt = {
  __tostring = function(info)
    return ("after %.0f s"):format(info.elapsed)
      .. (info.error and ", no news: " .. tostring(info.error) or "")
  end,
}

--- What the watches of one call have in common.
-- @tparam table context of the client
-- @tparam table options see `client:wait`
-- @tparam[opt] number beat seconds from one moment at which watches are due to
--   the next, where they are many
-- @treturn table plan
function _M.plan(context, options, beat)
  context.rate_limiter = context.rate_limiter
    or rate_limiter.new(context.random, context.poll_rate)
  local now = context.runtime:now()
  local timeout = options.timeout or policy.timeout
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

-- The result of a wait whose task has ended.
local function settle(task)
  if task.status == "completed" then
    return nil, task
  end
  return nil, nil, errors.task_failed(task)
end

-- LuaJIT finds a string among all there are by its length and a few of its
-- bytes, the first four of them. Ten thousand answers that differ in an id
-- somewhere in between would be one to it, so each begins with the end of its.
local MARK = 4

local function marked(self, text)
  return self.id:sub(-MARK) .. text
end

-- What was answered last, as JSON: a third of what it is as tables.
local function text_of(self)
  return type(self.known) == "string"
    and self.known:sub(math.min(MARK, #self.id) + 1) or nil
end

-- The task as last seen.
local function task_of(self)
  local text = text_of(self)
  if text then
    return task_reader.read(operations.query, { status = 200, headers = {},
      body = text }, nil, self.id)
  end
  return self.known or { id = self.id }
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

-- What was last known of the task: its status, or why there is none.
local function last_known(self, task)
  if self.fault then
    return "was last answered by " .. tostring(self.fault)
  end
  return "is still running" .. (task.status
    and " (" .. task.status .. ")" or "")
end

local function time_is_up(plan, self)
  local task = task_of(self)
  return nil, nil, errors.new {
    kind = "timeout",
    message = ("task %s %s after %g s; nothing was cancelled or sent again:"
      .. " wait for it once more"):format(self.id, last_known(self, task),
      plan.timeout),
    task = task,
    task_id = self.id,
  }
end

local function cancelled(self, interrupted)
  return nil, nil, errors.new {
    kind = "cancelled",
    message = ("stopped waiting for task %s; it goes on and can be waited for"
      .. " again"):format(self.id),
    task = task_of(self),
    task_id = self.id,
    interrupted = interrupted,
  }
end

-- The provider wants to be asked no more before the wait is over.
local function too_late(self, err)
  return nil, nil, errors.new {
    kind = "rate_limited",
    message = ("task %s: the provider asks to come back in %g s, which is past"
      .. " the end of this wait (%s)"):format(self.id, err.retry_after,
      err.message),
    status = err.status,
    code = err.code,
    retry_after = err.retry_after,
    task = task_of(self),
    task_id = self.id,
  }
end

-- When to poll next, never before `earliest`. A wait that would end unseen
-- takes a last look shortly before its deadline.
local function due_after(plan, pause, now, earliest)
  local due = now + pause
  local last_look = math.max(earliest or now, plan.deadline
    - math.min(policy.last_look, plan.timeout / 2))
  if due < plan.deadline then
    return due
  elseif now < last_look then
    return math.min(last_look, plan.deadline)
  end
  return plan.deadline
end

local function tell(plan, self, task, now)
  if plan.on_progress then
    task = type(task) == "table" and task or shown_of(self)
    plan.on_progress(task, setmetatable({
      id = self.id,
      elapsed = now - plan.began,
      remaining = math.max(0, plan.deadline - now),
      polls = self.polls,
      error = self.fault,
    }, info_mt))
  end
end

--- How far a watch has come.
-- @tparam table plan
-- @tparam table self the watch
-- @treturn table with `task`, `elapsed`, `remaining` (seconds), `polls`, and
--   `error` where the last poll brought none
function _M.progress(plan, self)
  local now = plan.context.runtime:now()
  if self.shown == nil or self.shown_of ~= self.known then
    self.shown, self.shown_of = shown_of(self), self.known
  end
  return {
    task = self.shown,
    elapsed = now - plan.began,
    remaining = math.max(0, plan.deadline - now),
    polls = self.polls,
    error = self.fault,
  }
end

-- When a task was created: as it tells, or as the ledger does. An order may
-- have been written down long before it was sent.
local function created_at(context, task, id)
  local created = task and tonumber(task.created)
  if created or not context.ledger then
    return created
  end
  local row = context.ledger:of_task(id)
  return row and tonumber(row.accepted_at or row.created_at)
end

-- How long a task has existed. A bare id may be a second old.
local function age_of(context, task, id)
  local created = created_at(context, task, id)
  return created and math.max(0, context.wall_clock() - created) or 0
end

--- Begin a watch.
-- @tparam table plan
-- @tparam table|string task_or_id
-- @tparam table options with `first_poll`
-- @treturn ?number when it is due
-- @treturn ?table the watch; or the task, where it has ended
-- @treturn ?table err
function _M.begin(plan, task_or_id, options)
  local task = type(task_or_id) == "table" and task_or_id or nil
  if task and tasks.is_terminal(task)
    and (task.status ~= "completed" or task.video_url) then
    return settle(task)
  end
  local context = plan.context
  local id = task and task.id or task_or_id
  -- Eight fields fill a table, the fault among them that most never see.
  local self = {
    id = id,
    known = task, -- as it was given, or as marked JSON
    age = age_of(context, task, id), -- when the wait began
    interval = pace.first_interval(plan),
    polls = 0,
    permit = nil, -- reserved at the rate limiter
    fault = nil, -- the error that the last poll came back with
    faults = nil,
  }
  local due = due_after(plan, pace.first_pause(self, options, self.age,
    context.random), plan.began)
  if shared_cache.of(context) then
    self.poll_at, due = due, plan.began
  end
  return due, self
end

-- Gives back what others wait for.
local function let_go(plan, self)
  local context = plan.context
  if self.permit then
    context.rate_limiter:release(self.permit)
    self.permit = nil
  end
  if self.claim then
    shared_cache.of(context):release(self.id, self.claim)
    self.claim = nil
  end
end

--- End a watch that is not polling.
-- @tparam table plan
-- @tparam table self the watch
-- @tparam string why as `sleep` gave it
-- @treturn nil
-- @treturn nil
-- @treturn table err
function _M.give_up(plan, self, why)
  let_go(plan, self)
  return cancelled(self, why == "interrupted")
end

-- Reads one answer, true for the one before: seconds until the next poll, or
-- nil and the result.
local function judge(plan, self, seen, err, now)
  if seen then
    local pause = pace.after_answer(self, plan, plan.context.random)
    if seen ~= true and tasks.is_terminal(seen) then
      return settle(seen)
    end
    return pause
  elseif err.kind == "cancelled" then
    return cancelled(self, err.interrupted)
  elseif now >= plan.deadline then
    return 0
  end
  local pause = pace.after_error(self, plan, err,
    self.age + now - plan.began, plan.context.random)
  if not pause then
    err.task = err.task or task_of(self)
    return nil, nil, err
  elseif err.retry_after and now + err.retry_after > plan.deadline then
    return too_late(self, err)
  end
  return pause
end

-- Books what was answered.
local function book(self, text, at, fault)
  if text then
    self.known = marked(self, text)
  end
  if at then
    self.heard_at = at
  end
  if fault or self.fault then
    self.fault = fault
  end
end

local function until_next_look(context)
  return policy.cache_look * (0.5 + context.random())
end

-- Takes what another wait has found out. That one asks again at its own pace;
-- this one looks when that may be, and asks itself where nothing came of it.
local function take_news(plan, self, seen, age, now)
  let_go(plan, self)
  local pause, task, err = judge(plan, self, seen, nil, now)
  tell(plan, self, seen, now)
  if not pause then
    return nil, task, err
  end
  local context = plan.context
  self.poll_at = due_after(plan, math.max(0,
    self.interval * (1 + policy.jitter) + 2 * policy.cache_look - age), now)
  self.reads = true
  return math.min(self.poll_at, now + math.max(until_next_look(context),
    self.interval * (1 - policy.jitter) - age))
end

-- What the cache says to a watch: when to look again, or nil and the result;
-- true where it is to ask by itself.
local function consult(plan, self, cache, now)
  local seen, text, at = cache:news(self.id, self.heard_at)
  if seen then
    book(self, text, at)
    return take_news(plan, self, seen, cache:age(at), now)
  elseif now < self.poll_at then
    local look = self.reads and now + until_next_look(plan.context)
    return math.min(look or self.poll_at, self.poll_at)
  elseif not self.permit and cache:is_claimed(self.id, self.claim) then
    return math.min(now + until_next_look(plan.context), plan.deadline)
  end
  return true
end

-- Queues for a turn: nil, or when to look again.
local function queue(plan, self, now)
  local limiter, pause = plan.context.rate_limiter
  if self.permit then
    pause, self.permit = limiter:check(self.permit, now, plan.beat)
  else
    pause, self.permit = limiter:reserve(now, plan.beat)
  end
  if pause > 0 then
    return math.min(now + pause, plan.deadline)
  end
  self.permit = nil
end

-- Lays claim to the task for as long as a poll may take.
local function claim(plan, self, cache, now)
  self.claim = cache:claim(self.id, self.claim, policy.cache_look
    + math.min(plan.context.timeout, plan.deadline - now))
  return self.claim ~= nil
end

--- Move a watch on that is due, up to its next poll.
-- @tparam table plan
-- @tparam table self the watch
-- @tparam number due for which was slept; a clock may be a little behind it
-- @return when it is next due; true: `poll` it now; nil: it has ended
-- @treturn ?table task
-- @treturn ?table err
function _M.approach(plan, self, due)
  local context = plan.context
  local now = math.max(due, context.runtime:now())
  if now >= plan.deadline then
    let_go(plan, self)
    return time_is_up(plan, self)
  end
  local cache = shared_cache.of(context)
  if cache then
    local look, task, err = consult(plan, self, cache, now)
    if look ~= true then
      return look, task, err
    end
  end
  local turn = queue(plan, self, now)
  if turn then
    return turn
  elseif cache and not claim(plan, self, cache, now) then
    return math.min(now + until_next_look(context), plan.deadline)
  end
  return true
end

-- An answer is there for all. After a fault the others are to hold back for as
-- long as this one does.
local function keep_claim(plan, self, pause)
  if not self.claim then
    return
  elseif self.fault and pause and pause > 0 then
    self.claim = shared_cache.of(plan.context):claim(self.id, self.claim, pause)
  else
    let_go(plan, self)
  end
end

--- Poll once, with no more time than the wait has left.
-- @tparam table plan
-- @tparam table self the watch
-- @treturn ?number when it is next due
-- @treturn ?table task
-- @treturn ?table err
function _M.poll(plan, self)
  local context = plan.context
  self.polls = self.polls + 1
  local seen, err, text, at = query(context, self.id,
    plan.deadline - context.runtime:now(), nil, text_of(self))
  local now = context.runtime:now()
  if err and err.kind == "rate_limited" then
    context.rate_limiter:limited(now, err.retry_after)
  else
    context.rate_limiter:answered(now)
  end
  book(self, text, at, err)
  local pause, task, failed = judge(plan, self, seen, err, now)
  keep_claim(plan, self, pause)
  if seen or pause and now < plan.deadline then
    tell(plan, self, seen, now)
  end
  if not pause then
    return nil, task, failed
  end
  local due = due_after(plan, pause, now,
    err and err.retry_after and now + err.retry_after)
  if self.poll_at then
    self.poll_at, self.reads = due, nil
  end
  return due
end

return _M
