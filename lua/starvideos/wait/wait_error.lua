--- The errors with which a wait ends though its task goes on. Each says that
-- nothing was cancelled, and has the task to wait for next.
-- @module starvideos.wait.wait_error

local c_locale = require "starvideos.base.c_locale"
local errors = require "starvideos.errors"

local _M = {}

-- What was last known of the task: its status, or why there is none.
local function last_known(task, fault)
  if fault then
    return "could not be seen when it was last polled (" .. tostring(fault)
      .. ")"
  end
  return "is still running"
    .. (task.status and " (" .. task.status .. ")" or "")
end

--- The deadline was reached.
-- @tparam string id
-- @tparam table task as last known
-- @tparam ?table fault the error of the last poll
-- @tparam number seconds the wait's timeout
-- @treturn table err
function _M.timeout(id, task, fault, seconds)
  return errors.new {
    kind = "timeout",
    message = ("task %s %s after %s s; nothing was cancelled or ordered again:"
      .. " wait for the same task once more"):format(id,
      last_known(task, fault), c_locale.number("%g", seconds)),
    task = task,
    task_id = id,
  }
end

--- The caller's sleep, or its poll, was cut short.
-- @tparam string id
-- @tparam table task as last known
-- @tparam ?boolean interrupted by Ctrl-C
-- @treturn table err
function _M.cancelled(id, task, interrupted)
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

--- A poll was answered with an error that does not pass.
-- @tparam string id
-- @tparam table task as last known
-- @tparam table err of the last poll, which is changed
-- @treturn table err
function _M.failed(id, task, err)
  err.message = ("stopped waiting for task %s: %s; %s"):format(id, err.message,
    err.kind == "not_found" and UNKNOWN_ID
    or "the task stays bought, and was not cancelled: wait for it again")
  err.task, err.task_id = err.task or task, id
  return err
end

--- The provider wants to be asked again only after the deadline.
-- @tparam string id
-- @tparam table task as last known
-- @tparam table err of the last poll, with `retry_after`
-- @treturn table err
function _M.too_late(id, task, err)
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

return _M
