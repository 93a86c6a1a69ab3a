--- Wait for every open order of the ledger and save its video, whichever run
-- placed it. Nothing is ordered here.
-- @module starvideos.operation.resume

local download = require "starvideos.operation.download"
local errors = require "starvideos.errors"
local listener = require "starvideos.listener"
local pending = require "starvideos.operation.pending"
local policy = require "starvideos.polling.policy"
local saved_file = require "starvideos.ledger.saved_file"
local states = require "starvideos.ledger.states"
local tasks = require "starvideos.api.task"
local wait = require "starvideos.operation.wait"

local _M = {}

-- Orders read from the ledger at a time.
local PAGE = 1000

-- Targets looked at, and videos downloaded, at a time: more of them would only
-- slow each other down, and take connections from the waits.
local TARGETS, DOWNLOADS = 64, 16

-- For how long a task that the provider does not know is still queried.
local MISSING_SECONDS = 24 * 3600

-- Seconds between looks at a file that another process is writing.
local FIRST_LOOK, LAST_LOOK = 0.5, 8

-- The longest name that most file systems take, without what a download appends
-- (.part.json) and without the end that tells two shortened names apart.
local NAME_BYTES = 255 - #".part.json" - #".mp4"
local END_BYTES = 33

-- A name that no other order of its folder has.
local function name_of(order)
  if not order.key then
    return order.task_id
  end
  return order.key
    .. ((order.take or 1) > 1 and (".take-%d"):format(order.take) or "")
    .. (order.account and "." .. order.account or "")
end

-- The path of a video whose order has none: the key with its take and account, or
-- the id, as far as a file name may hold it.
local function default_path(order, directory)
  local name = name_of(order)
  local safe = name:gsub("[^%w._-]", "_"):gsub("^%.", "_")
  if safe ~= name or #safe > NAME_BYTES then
    safe = safe:sub(1, NAME_BYTES - END_BYTES) .. "-" .. order.id:sub(-32)
  end
  return (directory or ".") .. "/" .. safe .. ".mp4"
end

-- A path of another machine may lead nowhere on this one: its file goes to the
-- caller's folder.
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
  prepared = "nothing was bought; order it again under its key to send it",
  submitting = "a process is sending it right now, and may buy it; resume again"
    .. " later",
  unknown = "it was sent, and may have been bought; check your account with"
    .. " the provider, then adopt the task you find there, or order again with"
    .. " another take, or dismiss it",
  elsewhere = "it was ordered at %s, and this client has another base URL:"
    .. " resume it with that one",
  account = "it is of %s, and this client is of %s: resume it with the account"
    .. " (--account) and the API key that it was ordered with, or label it where"
    .. " it has none",
  late = "another task was bought for it, whose answer came late (%s): download"
    .. " that, then dismiss the order",
}

local function account_name(account)
  return account and "the account " .. account or "no account"
end

-- Why an order cannot be waited for; nil where it can.
local function obstacle(context, order)
  local what, fact, other = not order.task_id and order.state, nil, nil
  if order.base_url ~= context.base_url then
    what, fact = "elsewhere", order.base_url
  elseif order.account ~= context.account then
    what, fact, other = "account", account_name(order.account),
      account_name(context.account)
  elseif order.late_tasks and not states.is_open(order.state) then
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

-- With a wrong key every task looks unknown: such an order stays open, but not
-- every resume queries it for ever.
local function missing_for_long(context, order, options)
  local since = order.missing_since
  local seconds = since and context.wall_clock() - since or 0
  if options.missing or seconds < MISSING_SECONDS then
    return nil
  end
  return errors.new {
    kind = "not_found",
    message = ("the provider has not known task %s for %.0f h, so it was not"
      .. " queried now; it was bought: resume with missing (--missing) queries it,"
      .. " dismiss with force (--force) dismisses the order"):format(order.task_id,
      seconds / 3600),
    order = order,
    task_id = order.task_id,
  }
end

local failures = { task_failed = true, expired = true }

local function finish(self, order, file, err)
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

-- The video, where another process has saved it meanwhile.
local function saved_meanwhile(self, order, path, err)
  local context = self.context
  return err.kind == "io"
    and saved_file(context, context.ledger:of_task(order.task_id), path) or nil
end

-- Explains a path that is one of another machine.
local function name_machine(self, order, path, err)
  if path == order.path and order.machine
    and order.machine ~= self.context.ledger.machine() then
    err.message = ("%s; that is a path of the machine %s: pass a folder of this"
      .. " one (directory, -o)"):format(err.message, order.machine)
  end
  return err
end

-- The file that is there already, or why it cannot be written.
local function look(self, order, path)
  local context = self.context
  local file = saved_file(context, order, path)
  if file then
    return file
  end
  local ok, err = download.check_target(context.runtime, path,
    self.options.overwrite)
  if not ok then
    return saved_meanwhile(self, order, path, err), name_machine(self, order,
      path, err)
  end
end

-- Finishes an order at once, or adds it to those to wait for.
local function begin(self, order)
  local file
  local err = obstacle(self.context, order)
    or missing_for_long(self.context, order, self.options)
  local path = not err and path_of(self.context, order, self.options)
  if path then
    file, err = look(self, order, path)
  end
  if file or err then
    finish(self, order, file, not file and err or nil)
  else
    self.open[order.task_id] = { order = order, path = path }
    self.tasks[#self.tasks + 1] = { id = order.task_id,
      created = tasks.created_at(order) }
  end
end

-- Calls a function with each of a list, some of them side by side.
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
    message = ("stopped waiting for another process that is saving the video of"
      .. " order %s; nothing is lost: resume again"):format(order.key or order.id),
    task = task,
    task_id = task.id,
    interrupted = why == "interrupted" or nil,
  }
end

local function not_saved_yet(order, task)
  return errors.new {
    kind = "timeout",
    message = ("timed out waiting for another process that is saving the video"
      .. " of order %s; nothing is lost: resume again"):format(order.key or order.id),
    task = task,
    task_id = task.id,
  }
end

-- Saves a video. Where another process is saving it, waits for that one, and
-- saves it here if that one ends before.
local function save_or_wait(self, order, path, task)
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
  finish(self, order, file, err)
end

-- Saves what is completed, until all of it is.
local function save_all(self)
  local completed = self.completed
  while completed.first <= completed.last do
    local ended = completed[completed.first]
    completed[completed.first] = nil
    completed.first = completed.first + 1
    local one = self.open[ended.id]
    save_or_wait(self, one.order, one.path, ended.task)
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

-- A wait has ended; `also` starts a function beside the others.
local function take(self, ended, also)
  local completed = self.completed
  if not ended.task then
    note_missing(self.context, ended.err)
    return finish(self, self.open[ended.id].order, nil, ended.err)
  end
  completed.last = completed.last + 1
  completed[completed.last] = ended
  if self.downloads < DOWNLOADS then
    self.downloads = self.downloads + 1
    also(function()
      save_all(self)
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
    message = ("%s; %d saved, %d failed; nothing is lost: resume again for the"
      .. " rest"):format(
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
