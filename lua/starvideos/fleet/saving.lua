-- Where the video of an order goes, and saving it there: for `work` and `resume`.

local core = require "starvideos.core"
local download = require "starvideos.order.download"
local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local part_file = require "starvideos.order.part_file"
local paths = require "starvideos.base.path"
local targets = require "starvideos.order.target"

local _M = {}

-- Videos that are downloaded at a time: more would only slow each other down, and take
-- connections from the waits.
local DOWNLOADS = 16

-- Orders that are looked at side by side.
local SIDE_BY_SIDE = 64

-- Seconds between looks at a file that another process is writing.
local FIRST_LOOK, LAST_LOOK = 0.5, 8

-- The longest name that most file systems take, less what a download appends
-- (.part.json); and the end that tells two shortened names apart.
local NAME_BYTES = 255 - #".part.json" - #".mp4"
local END_BYTES = 33

-- A name that no other order of its folder has: a task's id may be that of several.
local function name_of(order)
  if not order.key then
    return order.id
  end
  return order.key
    .. ((order.take or 1) > 1 and (".take-%d"):format(order.take) or "")
    .. (order.account and "." .. order.account or "")
end

-- The path of a video whose order has none: its name, as far as a file name may hold it.
local function default_path(order, directory)
  local name = name_of(order)
  local safe = targets.safe(name)
  if safe ~= name or #safe > NAME_BYTES then
    safe = safe:sub(1, NAME_BYTES - END_BYTES) .. "-" .. order.id:sub(-32)
  end
  return directory .. "/" .. safe .. ".mp4"
end

-- What of a path of another machine is kept: the order's key, if an order of the queue
-- was saved under it, or the file's name.
local function name_below(order)
  local ending = "/" .. (order.key or "")
  if order.queued_at and #ending > 1
    and core.folded(order.path):sub(-#ending) == ending then
    return order.path:sub(-#order.key)
  end
  return order.path:match "[^/]*$"
end

-- The path at which the video of an order is to be saved. `options.path(order)` decides
-- first. A relative path leads to `options.directory`; so does one of another machine, if
-- the caller names a directory.
function _M.path_of(context, order, options)
  local path = options.path and options.path(order)
  local directory = options.directory or "."
  if path ~= nil and path ~= "" then
    return path
  elseif not order.path then
    return default_path(order, directory)
  elseif not paths.is_rooted(order.path) then
    return directory .. "/" .. order.path
  elseif options.directory and order.machine
    and order.machine ~= context.ledger.machine() then
    return directory .. "/" .. name_below(order)
  end
  return order.path
end

-- Make the folder of a path; or nil and an err of kind io or cancelled.
function _M.make_folder(runtime, path)
  local folder = paths.folder(path)
  if not folder then
    return true
  end
  local ok, failure = runtime:disk("make_directory", folder)
  if ok then
    return true
  end
  return nil, errors.new {
    kind = failure.reason == "cancelled" and "cancelled" or "io",
    target = "blocked",
    message = ("cannot make the folder %s: %s"):format(folder,
      tostring(failure.message)),
  }
end

-- The error of an order of the queue, which others may have written, whose path leads out
-- of the caller's folder, if only through a link.
local function outside(context, order, path, options)
  local directory = options.directory
  if not order.queued_at or options.any_path or options.path
    or not directory and paths.is_rooted(path) then
    return nil
  end
  local runtime = context.runtime
  local folder, err = targets.find(runtime, directory or ".")
  local file
  if folder then
    file, err = targets.find(runtime, path)
  end
  if not file then
    return err
  end
  folder = core.folded(folder):gsub("/$", "") .. "/"
  if core.folded(file):sub(1, #folder) == folder then
    return nil
  end
  return errors.new { kind = "io", target = "outside", message = ("%s is not below"
    .. " the folder %s, but %s: pass another folder, or allow any path"
    .. " (any_path, --any-path)"):format(path, directory or ".", file) }
end

-- Make the folder of a video, if its order may be saved there.
function _M.prepare(context, order, path, options)
  local err = outside(context, order, path, options)
  if err then
    return nil, err
  end
  return _M.make_folder(context.runtime, path)
end

-- The video, where another process has saved it meanwhile.
local function saved_meanwhile(context, order, path, err)
  return err.kind == "io"
    and part_file.saved(context, context.ledger:of_task(order.task_id, path,
      order.id), path) or nil
end

-- Explains a path that is one of another machine.
local function name_machine(context, order, path, err)
  if path == order.path and order.machine
    and order.machine ~= context.ledger.machine() then
    err.message = ("%s; that is a path of the machine %s: pass a folder of this"
      .. " one (directory, -o)"):format(err.message, order.machine)
  end
  return err
end

-- The file of an order if it is there already; nil and why it cannot be written; or
-- nil, nil and the path of the file itself.
function _M.look(context, order, path, options)
  local file = part_file.saved(context, order, path)
  if file then
    return file
  end
  local target, err = targets.check(context, path, options.overwrite)
  if not target then
    return order.task_id and saved_meanwhile(context, order, path, err),
      name_machine(context, order, path, err)
  end
  return nil, nil, target
end

local function save(context, order, path, task, options)
  local problem = outside(context, order, path, options) -- by now
  if problem then
    return nil, problem
  end
  local file, err = download.save(context, task, path, {
    overwrite = options.overwrite,
    stall_timeout = options.stall_timeout,
    accept = options.accept,
    order = order.id,
  })
  file = file or saved_meanwhile(context, order, path, err)
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

-- Save a video. If another process is saving it, wait for that one until `deadline` (the
-- runtime's seconds), and save it here if that one ends before.
function _M.save(context, order, path, task, options, deadline)
  local runtime, pause = context.runtime, FIRST_LOOK
  local file, err = save(context, order, path, task, options)
  while err and err.reason == "busy" and runtime:now() < deadline do
    local slept, why = runtime:sleep(pause)
    pause = math.min(pause * 2, LAST_LOOK)
    if slept then
      file, err = save(context, order, path, task, options)
    else
      err = stopped_waiting(order, task, why)
    end
  end
  if err and err.reason == "busy" then
    err = not_saved_yet(order, task)
  end
  return file, err
end

-- The error of an order whose task another order has, too.
function _M.shared(order, other)
  return errors.new { kind = "protocol", task_id = order.task_id,
    message = ("the provider gave the task %s to the order %s, and to %s before:"
      .. " nothing is lost, but look what was bought"):format(order.task_id,
      order.key or order.id, other.key or other.id) }
end

-- Record that the provider does not know a task any more, if a wait ended with that.
function _M.note_missing(context, err)
  if err.kind ~= "not_found" then
    return
  end
  local ok, problem = context.ledger:missing(err.task_id)
  if not ok then
    listener.event(context, { name = "ledger", failure = tostring(problem) })
  end
end

-- Call a function with each of a list, at most so many side by side.
function _M.each(runtime, list, body, at_most)
  local position = 0
  local function worker()
    while position < #list do
      position = position + 1
      body(list[position])
    end
  end
  local workers = {}
  for index = 1, math.min(at_most or SIDE_BY_SIDE, #list) do
    workers[index] = worker
  end
  runtime:gather(workers)
end

local function save_all(queue)
  while queue.first <= queue.last do
    local ended = queue[queue.first]
    queue[queue.first] = nil
    queue.first = queue.first + 1
    queue.save(ended)
  end
  queue.running = queue.running - 1
end

-- A function that queues what `save_one` is to save, a few at a time; `also` starts a
-- coroutine beside the caller.
function _M.queue(also, save_one)
  local queue = { first = 1, last = 0, running = 0, save = save_one }
  return function(ended)
    queue.last = queue.last + 1
    queue[queue.last] = ended
    if queue.running < DOWNLOADS then
      queue.running = queue.running + 1
      also(function()
        save_all(queue)
      end)
    end
  end
end

-- The options of `starvideos.wait` for many orders; `find` has the `order` of a task's id
-- as long as it is waited for.
function _M.wait_options(options, find)
  local progress = options.on_progress
  return {
    timeout = options.timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    on_progress = progress and function(seen, info)
      local one = find(info.id)
      if one then
        progress(one.order, seen, info)
      end
    end,
  }
end

return _M
