-- Order a video, wait for it and save it, in one call.

local create = require "starvideos.order.create"
local download = require "starvideos.order.download"
local errors = require "starvideos.errors"
local part_file = require "starvideos.order.part_file"
local recorder = require "starvideos.order.recorder"
local targets = require "starvideos.order.target"
local wait = require "starvideos.wait"

-- The file that an earlier run saved under the same key, if it is still there.
local function saved_before(context, order)
  local ledger = context.ledger
  if not ledger or order.overwrite then
    return nil
  end
  return part_file.saved(context, ledger:placed(order), order.path)
end

local function cannot_write(order, why, target)
  return errors.new { kind = "io", target = target, message = ("cannot write"
    .. " %s: %s; nothing was ordered"):format(order.path, why) }
end

-- A generate holds a lock beside its file, so that two for the same file do not
-- both buy it. The system releases the lock of a process that ended.
local function take_lock(context, order)
  local runtime, name = context.runtime, order.path .. ".lock"
  local lock, failure = runtime:disk("lock", name)
  if not lock and failure.reason == "busy" and context.blocks then
    collectgarbage() -- a call that an error ended may hold it in this process
    lock, failure = runtime:disk("lock", name)
  end
  if lock then
    return lock
  elseif failure.reason == "cancelled" then
    return nil, errors.new { kind = "cancelled",
      message = "stopped; nothing was ordered" }
  elseif failure.reason == "busy" then
    return nil, cannot_write(order, "another generate is making it right now",
      "busy")
  end
  return nil, cannot_write(order, name .. ": " .. tostring(failure.message),
    "blocked")
end

-- The file of an earlier run, or whether this one may write its own.
local function look(context, order, unlocked)
  local before = saved_before(context, order)
  if before or unlocked then
    return before, unlocked
  end
  local ok, err = targets.check(context, order.path, order.overwrite)
  if not ok then
    err.message = err.message .. "; nothing was ordered"
  end
  return nil, err
end

-- `order` has the options, with the path of the file itself.
local function make(context, params, options, order, unlocked)
  local before, err = look(context, order, unlocked)
  if err then
    return nil, err
  end
  local task
  task, err = create(context, params, order, true)
  if not task then
    return nil, err
  elseif before then
    return task, before
  end
  if options.on_task and not pcall(options.on_task, task) then
    return nil, errors.interrupted(task) -- nothing else comes out of it
  end
  task, err = wait.one(context, task, options)
  if not task then
    local ledger = context.ledger
    return nil, ledger
      and recorder.name_next_take(context, order, err) or err
  end
  local file
  file, err = download.save(context, task, order.path, {
    overwrite = options.overwrite,
    stall_timeout = options.stall_timeout,
    accept = options.accept,
    on_progress = options.on_download,
  })
  return file and task, file or err
end

-- Order a video, wait for it and save it. `context`: of the client. Returns file, or
-- err.
return function(context, params, options)
  local order, err = targets.resolved(context, options)
  if not order then
    return nil, err
  end
  local lock, unlocked = take_lock(context, order)
  local task, file = make(context, params, options, order, unlocked)
  if lock then
    context.runtime:disk_later("unlock", lock)
  end
  if task then
    file.path = options.path
  end
  return task, file
end
