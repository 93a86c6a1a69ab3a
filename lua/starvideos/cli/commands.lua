--- What each command does. A command gets a job: its options, a client, a
-- console, and the phase that its errors are judged by; it returns its result,
-- nil where there is none, and an error, nil where all is well.
-- @module starvideos.cli.commands

local errors = require "starvideos.errors"
local json = require "starvideos.json"
local order = require "starvideos.cli.order"
local tasks = require "starvideos.task"
local waiting = require "starvideos.cli.waiting"

local _M = {}

local task_fields = { "id", "object", "created", "model", "status",
  "video_url", "actualDuration", "error", "progress" }

local function plain(task, file)
  local object = { file = file }
  for _, name in ipairs(task_fields) do
    object[name] = task[name]
  end
  return json.encode(object)
end

local function usage(message)
  return nil, { kind = "validation", message = message, usage = true }
end

local function wait_options(job)
  local found, problem = waiting(job.options)
  if not found then
    return usage(problem)
  end
  function found.on_progress(task, info)
    job.seen = task
    job.began = job.began or job.now() - info.elapsed
    job.tick()
    if task.status == "completed" then
      job.phase = "file"
    end
  end
  return found
end

local function show_download(job)
  return function(received, total)
    job.console:progress("downloading", total and total > 0
      and received / total or nil)
  end
end

local function note_known(job, task)
  job.console:note(("task %s was ordered before; nothing was sent"):format(
    task.id), { event = "known", task_id = task.id })
end

local function note_task(job)
  return function(task)
    job.phase, job.seen = "task", task
    job.task_id = task.id
    job.began = job.now()
    if not job.sent then
      return note_known(job, task)
    end
    job.console:note("ordered " .. task.id, { event = "created",
      task_id = task.id })
  end
end

local function note_warnings(job, warnings)
  for _, warning in ipairs(type(warnings) == "table" and warnings or {}) do
    job.console:note("warning: " .. warning.message, { warning = warning })
  end
end

local function params_of(job)
  local params, problem = order.params(job.options, job.env)
  if not params then
    return usage(problem)
  end
  return params
end

--- Order, wait, save.
function _M.generate(job)
  local params, wrong = params_of(job)
  if not params then
    return nil, wrong
  elseif not job.options.output then
    return usage "generate needs -o FILE: where to save the video"
  end
  local options, err = wait_options(job)
  if not options then
    return nil, err
  end
  options.path, options.overwrite = job.options.output, job.options.force
  options.key, options.resubmit = job.options.key, job.options.resubmit
  options.on_task = note_task(job)
  options.on_download = show_download(job)
  local task, file = job.client:generate(params, options)
  if not task then
    return nil, file
  end
  return plain(task, file)
end

--- Order.
function _M.create(job)
  local params, wrong = params_of(job)
  if not params then
    return nil, wrong
  end
  local task, warnings = job.client:create(params, { key = job.options.key,
    resubmit = job.options.resubmit, path = job.options.output })
  if not task then
    return nil, warnings
  end
  note_warnings(job, warnings)
  if not job.sent then
    note_known(job, task)
  end
  local failed = tasks.is_terminal(task) and task.status ~= "completed"
  return plain(task), failed and errors.task_failed(task) or nil
end

--- Look once.
function _M.query(job)
  job.phase = "task"
  local task, err = job.client:query(job.options.id)
  if not task then
    return nil, err
  end
  return plain(task)
end

local function save(job, task)
  job.phase = "file"
  return job.client:download(task, job.options.output, {
    overwrite = job.options.force,
    on_progress = show_download(job),
  })
end

--- Wait, and save where asked to.
function _M.wait(job)
  job.phase, job.task_id = "task", job.options.id
  local options, wrong = wait_options(job)
  if not options then
    return nil, wrong
  end
  options.first_poll = options.first_poll or 0
  job.began = job.now()
  local task, err = job.client:wait(job.options.id, options)
  local file
  if task and job.options.output then
    file, err = save(job, task)
  end
  if not task or err then
    return nil, err
  end
  return plain(task, file)
end

--- Save.
function _M.download(job)
  job.task_id = job.options.id
  if not job.options.output then
    return usage "download needs -o FILE: where to save the video"
  end
  local file, err = save(job, job.options.id)
  if not file then
    return nil, err
  end
  return json.encode(file)
end

--- Check.
function _M.validate(job)
  local params, wrong = params_of(job)
  if not params then
    return nil, wrong
  end
  local ok, found = job.client:validate(params)
  if not ok then
    return nil, found
  end
  note_warnings(job, found)
  return json.encode { valid = true, warnings = #found > 0 and found or nil }
end

local function range(row)
  local duration = row.duration or {}
  if not duration.min then
    return "-"
  end
  return ("%g-%g%s"):format(duration.min, duration.max or math.huge,
    duration.required and "" or "?")
end

local function count_of(group)
  return group and tostring(group.max or "any") or "-"
end

local COLUMNS = "%-20s %-9s %-8s %-6s %-6s %-6s %s"

--- List the models.
function _M.models(job)
  local rows = job.client:models()
  if job.options.json or not job.env.stdout_terminal() then
    return json.encode { models = rows }
  end
  local lines = { COLUMNS:format("model", "seconds", "prompt", "images",
    "videos", "sounds", "ratios") }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = COLUMNS:format(row.name, range(row),
      row.prompt and row.prompt.max or "any", count_of(row.referenceImages),
      count_of(row.referenceVideos), count_of(row.referenceAudios),
      row.ratio and table.concat(row.ratio.values or {}, " ") or "-")
  end
  return table.concat(lines, "\n")
end

return _M
