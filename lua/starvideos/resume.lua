--- Take up what earlier runs left: wait for every open order of the ledger and
-- save its video. Nothing is ordered here.
-- @module starvideos.resume

local download = require "starvideos.download"
local errors = require "starvideos.errors"
local pending = require "starvideos.pending"
local saved = require "starvideos.saved"
local wait = require "starvideos.wait"

local _M = {}

-- Orders read from the ledger at a time.
local PAGE = 1000

-- Targets looked at, and videos fetched, at a time: what more of them take
-- from each other, and connections from the waits, is gained by nobody.
local TARGETS, DOWNLOADS = 64, 16

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

local failures = { task_failed = true, expired = true }

local function settle(self, order, file, err)
  local result = self.result
  local count = file and "done" or failures[err.kind] and "failed" or "left"
  result[count] = result[count] + 1
  result.orders[#result.orders + 1] = { order = order, file = file, err = err }
  if err and err.kind == "cancelled" then
    self.stopped = true
    self.interrupted = self.interrupted or err.interrupted or nil
  end
  if self.options.on_done then
    self.options.on_done(order, file, err)
  end
end

-- A video that another process saves meanwhile is as good as one's own.
local function saved_meanwhile(self, order, path, err)
  local context = self.context
  return err.kind == "io"
    and saved(context, context.ledger:of_task(order.task_id), path) or nil
end

-- What is there already, or stands against it, before anybody is asked.
local function look(self, order, path)
  local context = self.context
  local file = saved(context, order, path)
  if file then
    return file
  end
  local ok, err = download.check_target(context.runtime, path,
    self.options.overwrite)
  if not ok then
    return saved_meanwhile(self, order, path, err), err
  end
end

-- Ends an order at once, or puts it down to be waited for.
local function begin(self, order)
  local file
  local err = obstacle(self.context, order)
  local path = not err and path_of(order, self.options)
  if path then
    file, err = look(self, order, path)
  end
  if file or err then
    settle(self, order, file, not file and err or nil)
  else
    self.open[order.task_id] = { order = order, path = path }
    self.tasks[#self.tasks + 1] = { id = order.task_id,
      created = order.state == "accepted" and order.updated_at
        or order.created_at } -- it may have been sent long after it was noted
  end
end

-- Calls a function with each of a list, a few of them side by side.
local function each(runtime, list, body)
  local position = 0
  local function worker()
    while position < #list do
      position = position + 1
      body(list[position])
    end
  end
  local workers = {}
  for index = 1, math.min(TARGETS, #list) do
    workers[index] = worker
  end
  runtime:gather(workers)
end

local function fetch(self, order, path, task)
  local file, err = download.save(self.context, task, path, {
    overwrite = self.options.overwrite,
    stall_timeout = self.options.stall_timeout,
  })
  file = file or saved_meanwhile(self, order, path, err)
  settle(self, order, file, not file and err or nil)
end

-- Saves what is completed until nothing is left of it.
local function fetch_all(self)
  local completed = self.completed
  while completed.first <= completed.last do
    local ended = completed[completed.first]
    completed[completed.first] = nil
    completed.first = completed.first + 1
    local one = self.open[ended.id]
    fetch(self, one.order, one.path, ended.task)
  end
  self.downloads = self.downloads - 1
end

-- Takes the end of a wait; `also` starts what is to go on beside the others.
local function take(self, ended, also)
  local completed = self.completed
  if not ended.task then
    return settle(self, self.open[ended.id].order, nil, ended.err)
  end
  completed.last = completed.last + 1
  completed[completed.last] = ended
  if self.downloads < DOWNLOADS then
    self.downloads = self.downloads + 1
    also(function()
      fetch_all(self)
    end)
  end
end

local function wait_for_all(self)
  local options = self.options
  local progress = options.on_progress
  wait.all(self.context, self.tasks, {
    timeout = options.timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    first_poll = options.first_poll or 0,
    on_progress = progress and function(seen, info)
      progress(self.open[info.id].order, seen, info)
    end,
  }, {}, function(ended, also)
    take(self, ended, also)
  end)
end

-- All open orders.
local function list_of(context)
  local list, after = {}, nil
  repeat
    local page
    page, after = pending.list(context.ledger, PAGE, after)
    if not page then
      return nil, after
    end
    for _, order in ipairs(page) do
      list[#list + 1] = order
    end
  until not after
  return list
end

local function stopped(self)
  local result = self.result
  return errors.new {
    kind = "cancelled",
    message = ("%s; %d saved, %d failed; what is left can be resumed"):format(
      self.interrupted and "interrupted" or "cancelled", result.done,
      result.failed),
    result = result,
    interrupted = self.interrupted,
  }
end

--- Wait for all that is open and save it.
-- @tparam table context of the client
-- @tparam table options see `client:resume`
-- @treturn ?table result
-- @treturn ?table err; of kind cancelled with `result`, as far as it came
function _M.all(context, options)
  local list, err = list_of(context)
  if not list then
    return nil, err
  end
  local self = {
    context = context,
    options = options,
    result = { done = 0, failed = 0, left = 0, orders = {} },
    open = {}, -- orders and their paths under the ids of their tasks
    tasks = {}, -- to be waited for
    completed = { first = 1, last = 0 }, -- to be saved
    downloads = 0, -- under way
  }
  each(context.runtime, list, function(order)
    begin(self, order)
  end)
  wait_for_all(self)
  if self.stopped then
    return nil, stopped(self)
  end
  return self.result
end

return _M
