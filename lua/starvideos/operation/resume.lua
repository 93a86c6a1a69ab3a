--- Take up what earlier runs left: wait for every open order of the ledger and
-- save its video. Nothing is ordered here.
-- @module starvideos.operation.resume

local download = require "starvideos.operation.download"
local errors = require "starvideos.errors"
local listener = require "starvideos.listener"
local pending = require "starvideos.operation.pending"
local policy = require "starvideos.polling.policy"
local saved_file = require "starvideos.ledger.saved_file"
local tasks = require "starvideos.api.task"
local wait = require "starvideos.operation.wait"

local _M = {}

-- Orders read from the ledger at a time.
local PAGE = 1000

-- Targets looked at, and videos fetched, at a time: what more of them take
-- from each other, and connections from the waits, is gained by nobody.
local TARGETS, DOWNLOADS = 64, 16

-- For how long a task may be unknown to the provider and is yet asked for.
local MISSING_SECONDS = 24 * 3600

-- Seconds between looks at a file that another process is writing.
local FIRST_LOOK, LAST_LOOK = 0.5, 8

-- The longest name most file systems take, less what a download appends to it
-- (.part.json) and the end that tells two names apart which would be one.
local NAME_BYTES = 255 - #".part.json" - #".mp4"
local END_BYTES = 33

-- What tells an order from all others of its folder.
local function name_of(order)
  if not order.key then
    return order.task_id
  end
  return order.key
    .. ((order.take or 1) > 1 and (".take-%d"):format(order.take) or "")
    .. (order.account and "." .. order.account or "")
end

-- The path a video gets whose order names none: the key with its take and
-- account, or the id, as far as a file name may hold it.
local function default_path(order, directory)
  local name = name_of(order)
  local safe = name:gsub("[^%w._-]", "_"):gsub("^%.", "_")
  if safe ~= name or #safe > NAME_BYTES then
    safe = safe:sub(1, NAME_BYTES - END_BYTES) .. "-" .. order.id:sub(-32)
  end
  return (directory or ".") .. "/" .. safe .. ".mp4"
end

-- A path of another machine may lead nowhere on this one: the folder that the
-- caller named takes its file.
local function path_of(context, order, options)
  local path = options.path and options.path(order)
  if path ~= nil and path ~= "" then
    return path
  elseif not order.path then
    return default_path(order, options.directory)
  elseif options.directory and order.machine
    and order.machine ~= context.ledger.machine() then
    return options.directory .. "/" .. order.path:match "[^/]*$"
  end
  return order.path
end

local advice = {
  prepared = "nothing was bought; the same order, given again, sends it",
  submitting = "a process is sending it right now",
  unknown = "nobody knows what became of it; look at your account with the"
    .. " provider, then adopt the task you find there, or order again with"
    .. " another take, or dismiss it",
  elsewhere = "it was ordered at %s, and this client asks another address",
  account = "it is of %s, and this client is of %s: resume it with the account"
    .. " (--account) and the API key that it was ordered with, or label it where"
    .. " it has none",
  late = "a task came late for it, and was bought too (%s): download that, then"
    .. " dismiss the order",
}

local open = { prepared = true, submitting = true, accepted = true,
  completed = true, unknown = true }

local function account_name(account)
  return account and "the account " .. account or "no account"
end

-- What keeps an order from being waited for; nil where nothing does.
local function obstacle(context, order)
  local what, fact, other = not order.task_id and order.state, nil, nil
  if order.base_url ~= context.base_url then
    what, fact = "elsewhere", order.base_url
  elseif order.account ~= context.account then
    what, fact, other = "account", account_name(order.account),
      account_name(context.account)
  elseif order.late_tasks and not open[order.state] then
    what, fact = "late", table.concat(order.late_tasks, ", ")
  end
  if not what then
    return nil
  end
  return errors.new {
    kind = what == "unknown" and "outcome_unknown" or "ledger",
    message = ("order %s is %s: %s"):format(order.key or order.id, order.state,
      (advice[what] or "its task is not known"):format(fact, other)),
    order = order,
  }
end

-- A wrong key looks the same as a task that is gone: no such order is closed,
-- but neither is it asked for by every resume for ever.
local function given_up_on(context, order, options)
  local since = order.missing_since
  local seconds = since and context.wall_clock() - since or 0
  if options.missing or seconds < MISSING_SECONDS then
    return nil
  end
  return errors.new {
    kind = "not_found",
    message = ("the provider has not known task %s for %.0f h, and was not asked"
      .. " for it now: resume with missing (--missing) asks, and force"
      .. " (dismiss --force) gives the order up"):format(order.task_id,
      seconds / 3600),
    order = order,
    task_id = order.task_id,
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
    and saved_file(context, context.ledger:of_task(order.task_id), path) or nil
end

-- A path that may never have been one of this machine's.
local function of_elsewhere(self, order, path, err)
  if path == order.path and order.machine
    and order.machine ~= self.context.ledger.machine() then
    err.message = ("%s; that is a path of the machine %s: name a folder of this"
      .. " one (directory, -o)"):format(err.message, order.machine)
  end
  return err
end

-- What is there already, or stands against it, before anybody is asked.
local function look(self, order, path)
  local context = self.context
  local file = saved_file(context, order, path)
  if file then
    return file
  end
  local ok, err = download.check_target(context.runtime, path,
    self.options.overwrite)
  if not ok then
    return saved_meanwhile(self, order, path, err), of_elsewhere(self, order,
      path, err)
  end
end

-- Ends an order at once, or puts it down to be waited for.
local function begin(self, order)
  local file
  local err = obstacle(self.context, order)
    or given_up_on(self.context, order, self.options)
  local path = not err and path_of(self.context, order, self.options)
  if path then
    file, err = look(self, order, path)
  end
  if file or err then
    settle(self, order, file, not file and err or nil)
  else
    self.open[order.task_id] = { order = order, path = path }
    self.tasks[#self.tasks + 1] = { id = order.task_id,
      created = tasks.created_at(order) }
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

local function save(self, order, path, task)
  local file, err = download.save(self.context, task, path, {
    overwrite = self.options.overwrite,
    stall_timeout = self.options.stall_timeout,
  })
  file = file or saved_meanwhile(self, order, path, err)
  return file, not file and err or nil
end

local function stopped_waiting(order, task, why)
  return errors.new {
    kind = "cancelled",
    message = ("stopped waiting for the process that saves the video of order"
      .. " %s"):format(order.key or order.id),
    task = task,
    task_id = task.id,
    interrupted = why == "interrupted" or nil,
  }
end

local function not_saved_yet(order, task)
  return errors.new {
    kind = "timeout",
    message = ("another process is still saving the video of order %s; nothing"
      .. " is lost"):format(order.key or order.id),
    task = task,
    task_id = task.id,
  }
end

-- What another process is saving is waited for, and taken over where that one
-- ends without it.
local function fetch(self, order, path, task)
  local runtime, pause = self.context.runtime, FIRST_LOOK
  local file, err = save(self, order, path, task)
  while err and err.reason == "busy" and runtime:now() < self.deadline do
    local slept, why = runtime:sleep(pause)
    pause = math.min(pause * 2, LAST_LOOK)
    if slept then
      file, err = save(self, order, path, task)
    else
      err = stopped_waiting(order, task, why)
    end
  end
  if err and err.reason == "busy" then
    err = not_saved_yet(order, task)
  end
  settle(self, order, file, err)
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

local function note_missing(context, err)
  if err.kind ~= "not_found" then
    return
  end
  local ok, problem = context.ledger:missing(err.task_id)
  if not ok then
    listener.event(context, { name = "ledger", failure = tostring(problem) })
  end
end

-- Takes the end of a wait; `also` starts what is to go on beside the others.
local function take(self, ended, also)
  local completed = self.completed
  if not ended.task then
    note_missing(self.context, ended.err)
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
    deadline = context.runtime:now()
      + (options.timeout or policy.timeout),
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
