--- Take up what earlier runs left: wait for every open order of the ledger and
-- save its video. Nothing is ordered here.
-- @module starvideos.resume

local download = require "starvideos.download"
local errors = require "starvideos.errors"
local pending = require "starvideos.pending"
local saved = require "starvideos.saved"
local wait = require "starvideos.wait"

local _M = {}

-- Orders in hand at a time, and read from the ledger at a time.
local AT_A_TIME = 1000

-- The path a video gets whose order names none: the key or the id, as far as
-- a file name may hold it.
local function default_path(order, directory)
  local name = order.key or order.task_id
  local safe = name:gsub("[^%w._-]", "_"):gsub("^%.", "_")
  if safe ~= name then
    safe = safe .. "-" .. order.id:sub(-8)
  end
  return (directory or ".") .. "/" .. safe .. ".mp4"
end

local function path_of(order, options)
  local path = options.path and options.path(order)
  if path == nil or path == "" then
    path = order.path or default_path(order, options.directory)
  end
  return path
end

local advice = {
  prepared = "it was never sent; order it again under its key",
  submitting = "a process is sending it right now",
  unknown = "nobody knows what became of it; look at your account with the"
    .. " provider, then adopt the task you find there, or order again with"
    .. " resubmit, or dismiss it",
  elsewhere = "it was ordered at %s, and this client asks another address",
}

-- What keeps an order from being waited for; nil where nothing does.
local function obstacle(context, order)
  local what = order.base_url ~= context.base_url and "elsewhere"
    or not order.task_id and order.state
  if not what then
    return nil
  end
  return errors.new {
    kind = what == "unknown" and "outcome_unknown" or "ledger",
    message = ("order %s is %s: %s"):format(order.key or order.id, order.state,
      (advice[what] or "its task is not known"):format(order.base_url)),
    order = order,
  }
end

-- Waits where there is something to wait for, and saves.
local function fetch(context, order, path, options)
  local progress = options.on_progress
  local ok, err = download.check_target(path, options.overwrite)
  if not ok then
    return nil, err
  end
  local task
  task, err = wait.one(context, order.task_id, {
    timeout = options.timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    first_poll = options.first_poll or 0,
    on_progress = progress and function(seen, info)
      progress(order, seen, info)
    end,
  })
  if not task then
    return nil, err
  end
  return download.save(context, task, path, {
    overwrite = options.overwrite,
    stall_timeout = options.stall_timeout,
  })
end

-- The file of an order: one that is there, or one that another process saves
-- meanwhile, is as good as one's own.
local function bring(context, order, options)
  local path = path_of(order, options)
  local file = saved(context, order, path)
  if file then
    return file
  end
  local err
  file, err = fetch(context, order, path, options)
  if not file and err.kind == "io" then
    file = saved(context, context.ledger:of_task(order.task_id), path)
  end
  return file, err
end

local failures = { task_failed = true, expired = true }

local function settle(result, order, file, err, options)
  local count = file and "done" or failures[err.kind] and "failed" or "left"
  result[count] = result[count] + 1
  result.interrupted = result.interrupted or err and err.interrupted or nil
  result.orders[#result.orders + 1] = { order = order, file = file, err = err }
  if options.on_done then
    options.on_done(order, file, err)
  end
end

local function work(context, order, options, result)
  local file
  local err = obstacle(context, order)
  if not err then
    file, err = bring(context, order, options)
  end
  err = not file and err or nil
  settle(result, order, file, err, options)
end

-- Gives out the open orders one by one.
local function giver(context)
  local list, position, after = {}, 0, nil
  local ended = false
  return function()
    position = position + 1
    while not list[position] and not ended do
      local page, more = pending.list(context.ledger, AT_A_TIME, after)
      if not page then
        ended = true
        return nil, more
      end
      list, position, after = page, 1, more
      ended = after == nil
    end
    return list[position]
  end
end

--- The error of a resume that was interrupted.
-- @tparam table result
-- @treturn table err
function _M.interrupted(result)
  return errors.new {
    kind = "cancelled",
    message = ("interrupted; %d saved, %d failed; what is left can be resumed")
      :format(result.done, result.failed),
    result = result,
    interrupted = true,
  }
end

--- Wait for all that is open and save it.
-- @tparam table context of the client
-- @tparam table options see `client:resume`
-- @treturn ?table result
-- @treturn ?table err
function _M.all(context, options)
  local result = { done = 0, failed = 0, left = 0, orders = {} }
  local take, failed = giver(context), nil
  local function worker()
    while not failed and not result.interrupted do
      local order, err = take()
      failed = failed or err
      if not order then
        return
      end
      work(context, order, options, result)
    end
  end
  local first, err = pending.list(context.ledger, AT_A_TIME)
  if not first then
    return nil, err
  end
  local workers = {}
  for index in ipairs(first) do
    workers[index] = worker
  end
  context.runtime:gather(workers)
  if failed then
    return nil, failed
  end
  return result
end

return _M
