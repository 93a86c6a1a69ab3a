--- Wait for tasks: poll at the provider's pace until they end.
-- @module starvideos.wait

local budget = require "starvideos.budget"
local errors = require "starvideos.errors"
local query = require "starvideos.query"
local retry = require "starvideos.retry"
local tasks = require "starvideos.task"

local _M = {}

local info_mt = {
  __tostring = function(info)
    return ("after %.0f s"):format(info.elapsed)
  end,
}

-- The result of a wait whose task has ended.
local function settle(task)
  if task.status == "completed" then
    return task
  end
  return nil, errors.task_failed(task)
end

-- What was last known of the task: its status, or why there is none.
local function last_known(self)
  if self.fault then
    return "was last answered by " .. tostring(self.fault)
  end
  return "is still running" .. (self.task.status
    and " (" .. self.task.status .. ")" or "")
end

local function time_is_up(self)
  return nil, errors.new {
    kind = "timeout",
    message = ("task %s %s after %g s; nothing was cancelled or sent again:"
      .. " wait for it once more"):format(self.id, last_known(self),
      self.timeout),
    task = self.task,
    task_id = self.id,
  }
end

local function cancelled(self, interrupted)
  return nil, errors.new {
    kind = "cancelled",
    message = ("stopped waiting for task %s; it goes on and can be waited for"
      .. " again"):format(self.id),
    task = self.task,
    task_id = self.id,
    interrupted = interrupted,
  }
end

-- The provider wants to be asked no more before the wait is over.
local function too_late(self, err)
  return nil, errors.new {
    kind = "rate_limited",
    message = ("task %s: the provider asks to come back in %g s, which is past"
      .. " the end of this wait (%s)"):format(self.id, err.retry_after,
      err.message),
    status = err.status,
    code = err.code,
    retry_after = err.retry_after,
    task = self.task,
    task_id = self.id,
  }
end

-- When to look next, never before `earliest`. A wait that would end unseen
-- takes a last look shortly before its deadline.
local function due_after(self, pause, now, earliest)
  local due = now + pause
  local last_look = math.max(earliest or now, self.deadline
    - math.min(retry.policy.last_look, self.timeout / 2))
  if due < self.deadline then
    return due
  elseif now < last_look then
    return math.min(last_look, self.deadline)
  end
  return self.deadline
end

local function tell(self, now)
  if self.on_progress then
    self.on_progress(self.task, setmetatable({
      elapsed = now - self.began,
      remaining = math.max(0, self.deadline - now),
      polls = self.polls,
    }, info_mt))
  end
end

-- Reads one poll: seconds until the next, or nil and the wait's result.
local function take(self, seen, err, now)
  self.fault = err
  if seen then
    self.task = seen
    tell(self, now)
    if tasks.is_terminal(seen) then
      return nil, settle(seen)
    end
    return self.pace:after_answer()
  elseif err.kind == "cancelled" then
    return nil, cancelled(self, err.interrupted)
  elseif now >= self.deadline then
    return 0
  elseif err.task then
    return nil, nil, err
  end
  local pause = self.pace:after_error(err, self.age + now - self.began)
  err.task = self.task
  if not pause then
    return nil, nil, err
  elseif err.retry_after and now + err.retry_after > self.deadline then
    return nil, too_late(self, err)
  end
  tell(self, now)
  return pause
end

local function sleep(self, seconds)
  local ok, why = self.runtime:sleep(math.max(0, seconds))
  if ok then
    return true
  end
  return cancelled(self, why == "interrupted")
end

-- Queues until a poll that is due may leave: true, or nil and the wait's
-- result.
local function await_turn(self)
  local now = self.runtime:now()
  if now >= self.deadline then
    return time_is_up(self)
  end
  local pause, number = self.budget:reserve(now)
  while pause > 0 do
    local _, err = sleep(self, math.min(pause, self.deadline - now))
    now = self.runtime:now()
    if not err and now >= self.deadline then
      _, err = time_is_up(self)
    end
    if err then
      self.budget:give_up(number)
      return nil, err
    end
    pause = self.budget:left(number, now)
  end
  return true
end

-- Polls once, with no more time than the wait has left.
local function poll(self, context)
  self.polls = self.polls + 1
  local seen, err = query(context, self.id,
    self.deadline - self.runtime:now())
  local now = self.runtime:now()
  if err and err.kind == "rate_limited" then
    self.budget:limited(now, err.retry_after)
  else
    self.budget:answered(now)
  end
  return seen, err, now
end

local function run(context, self)
  local due = due_after(self, self.pace:first(self.age), self.began)
  while true do
    local ok, failed = sleep(self, due - self.runtime:now())
    if not ok then
      return nil, failed
    end
    ok, failed = await_turn(self)
    if not ok then
      return nil, failed
    end
    local seen, err, now = poll(self, context)
    local pause, task
    pause, task, failed = take(self, seen, err, now)
    if not pause then
      return task, failed
    end
    due = due_after(self, pause, now,
      err and err.retry_after and now + err.retry_after)
  end
end

-- When a task was created: as it tells, or as the ledger does. An order may
-- have been written down long before it was sent.
local function created_at(context, task, id)
  local created = task and tonumber(task.created)
  if created or not context.ledger then
    return created
  end
  local row = context.ledger:of_task(id)
  return row and tonumber(row.state == "accepted" and row.updated_at
    or row.created_at)
end

-- How long a task has existed. A bare id may be a second old.
local function age_of(context, task, id)
  local created = created_at(context, task, id)
  return created and math.max(0, context.wall_clock() - created) or 0
end

--- Wait for one task.
-- @tparam table context of the client
-- @tparam table|string task_or_id
-- @tparam table options see `client:wait`
-- @treturn ?table task, completed
-- @treturn ?table err
function _M.one(context, task_or_id, options)
  local task = type(task_or_id) == "table" and task_or_id or nil
  if task and tasks.is_terminal(task)
    and (task.status ~= "completed" or task.video_url) then
    return settle(task)
  end
  local id = task and task.id or task_or_id
  local now = context.runtime:now()
  local timeout = options.timeout or retry.policy.timeout
  return run(context, {
    runtime = context.runtime,
    budget = context.budget or budget.new(context.random),
    id = id,
    task = task or { id = id },
    age = age_of(context, task, id),
    began = now,
    timeout = timeout,
    deadline = now + timeout,
    pace = retry.pace(options, context.random),
    polls = 0,
    on_progress = options.on_progress,
  })
end

--- Wait for many tasks at the same time.
-- @tparam table context of the client
-- @tparam table list tasks or ids
-- @tparam table options see `client:wait`
-- @tparam table faults by id: errors of those that cannot be waited for
-- @treturn table results in the order of the list, each with `id` and `task`
--   or `err`; the same id twice is polled once
function _M.all(context, list, options, faults)
  local results, by_id, waits = {}, {}, {}
  for index, item in ipairs(list) do
    local id = type(item) == "table" and item.id or item
    if not by_id[id] then
      local result = { id = id }
      by_id[id] = result
      waits[#waits + 1] = function()
        result.err = faults[id]
        if not result.err then
          result.task, result.err = _M.one(context, item, options)
        end
      end
    end
    results[index] = by_id[id]
  end
  context.runtime:gather(waits)
  for id, result in pairs(by_id) do
    if not result.task and not result.err then
      result.err = select(2, cancelled({ id = id }, true))
    end
  end
  return results
end

return _M
