-- What each command does. A command gets a job: its options, a client, a console, and
-- the phase (`order`, `task` or `file`) that chooses the exit code of an error; it
-- returns its result, or nil, and an error, or nil.

local c_locale = require "starvideos.base.c_locale"
local consoles = require "starvideos.cli.console"
local declarations = require "starvideos.cli.declarations"
local errors = require "starvideos.errors"
local failure = require "starvideos.cli.failure"
local files = require "starvideos.base.file"
local json = require "starvideos.base.json"
local tables = require "starvideos.cli.table"
local tasks = require "starvideos.base.task"
local values = require "starvideos.cli.values"

local _M = {}

-- Without the mark that editors of Windows put before a text in UTF-8.
local function read_all(env, name)
  local file, problem = env.stdin, nil
  if name ~= "-" then
    file, problem = files.open(name)
  end
  if not file then
    return nil, problem
  end
  local text, why = file:read("*a")
  if name ~= "-" then
    file:close()
  end
  return text and text:gsub("^\239\187\191", "") or nil, why
end

local function read_params(env, name)
  if not name then
    return {}
  end
  local text, problem = read_all(env, name)
  if not text then
    return nil, problem
  end
  local params, why = json.decode(text)
  if type(params) ~= "table" then
    return nil, ("--params %s does not hold a JSON object%s"):format(name,
      why and ": " .. why or "")
  end
  return params
end

local function read_prompt(env, options)
  if options.prompt and options.prompt_file then
    return nil, "give --prompt or --prompt-file, not both"
  elseif options.prompt == "-" or options.prompt_file then
    local text, problem = read_all(env, options.prompt_file or "-")
    local nul = text and text:find("\0", 1, true)
    if nul then
      return nil, ("the prompt holds a NUL at byte %d: save it as UTF-8, one"
        .. " prompt a file; nothing was sent"):format(nul)
    end
    return text and text:gsub("[\r\n]+$", "") or nil, problem
  end
  return options.prompt
end

local function add_further(params, pairs_given)
  for _, pair in ipairs(pairs_given) do
    local name, text = pair:match("^([%w_]+)=(.*)$")
    if not name then
      return nil, ("--param %s is not of the form NAME=VALUE"):format(pair)
    end
    local value = json.decode(text)
    if value == nil then
      value = text
    end
    params[name] = value
  end
  return params
end

local function build(options, env)
  local params, unread = read_params(env, options.params)
  if not params then
    return nil, unread
  end
  local prompt, problem = read_prompt(env, options)
  if problem then
    return nil, problem
  end
  declarations.fill(params, options)
  params.prompt = prompt or params.prompt
  return add_further(params, options.param or {})
end

-- Build the parameters of a create.
function _M.params(options, env)
  local params, problem = build(options, env)
  if not params then
    return failure.usage(problem)
  end
  return params
end

-- Not `raw`: what else the provider says has no fixed names.
local function plain(task, file)
  local object = {}
  for name, value in pairs(task) do
    object[name] = name ~= "raw" and value or nil
  end
  object.file = file
  return json.encode(object)
end

local troubles = { rate_limited = "too many requests",
  auth = "the provider refuses the key", not_found = "not known to the provider" }

-- What is shown while polls fail, and since when.
local function show_trouble(job, info)
  local err = info.error
  job.trouble_since = err and (job.trouble_since or info.elapsed) or nil
  job.trouble = err and ("%s since %s, retrying"):format(
    troubles[err.kind] or "no answer",
    consoles.clock_text(job.trouble_since)) or nil
  if err and err.kind == "not_found" and not job.told_not_found then
    job.told_not_found = true
    job.console:note(("the provider does not know the task %s (yet); is this id"
      .. " right? Retrying for a while"):format(info.id),
      { event = "not_found", task_id = info.id })
  end
end

-- The options of a wait, with a listener that shows how far it is.
local function shown_wait(job)
  local found, wrong = values.waiting(job.options)
  if not found then
    return nil, wrong
  end
  function found.on_progress(task, info)
    job.seen = task
    job.began = job.began or job.now() - info.elapsed
    show_trouble(job, info)
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
    job.phase = task.status == "completed" and "file" or "task"
    job.seen, job.task_id = task, task.id
    job.began = job.now()
    if not job.sent then
      return note_known(job, task)
    end
    job.console:note("ordered " .. task.id, { event = "created",
      task_id = task.id })
  end
end

--- Order a video, wait for it, save it.
function _M.generate(job)
  local params, wrong = _M.params(job.options, job.env)
  if not params then
    return nil, wrong
  elseif not job.options.output then
    return failure.usage "generate needs -o FILE: where to save the video"
  end
  local options, err = shown_wait(job)
  if not options then
    return nil, err
  end
  options.min_free, err = values.size(job.options, "min_free")
  if err then
    return nil, err
  end
  options.path, options.overwrite = job.options.output, job.options.force
  options.key, options.take = job.options.key, job.options.take
  options.label = job.options.label
  options.on_task = note_task(job)
  options.on_download = show_download(job)
  options.accept = job.options.accept
  job.told "ordering..."
  local task, file = job.client:generate(params, options)
  if not task then
    return nil, file
  elseif not job.task_id then
    job.console:note(("already saved as %s; nothing was ordered"):format(
      file.path), { event = "saved_before", task_id = task.id, file = file })
  end
  job.saved = file.path
  job.console:warn(file.warnings)
  return plain(task, file)
end

--- Order a video.
function _M.create(job)
  local params, wrong = _M.params(job.options, job.env)
  if not params then
    return nil, wrong
  end
  job.told "ordering..."
  local task, warnings = job.client:create(params, { key = job.options.key,
    take = job.options.take, path = job.options.output,
    label = job.options.label })
  if not task then
    return nil, warnings
  end
  job.task_id = task.id
  job.console:warn(warnings)
  if not job.sent then
    note_known(job, task)
  end
  local failed = tasks.is_terminal(task) and task.status ~= "completed"
  return plain(task), failed and errors.task_failed(task) or nil
end

local function without_task(found)
  return errors.new {
    kind = found.state == "unknown" and "outcome_unknown" or "not_found",
    message = ("order %s is %s and has no task id"):format(
      found.key or found.id, found.state),
    order = found,
  }
end

-- The id of the task that the command line names: with a ledger by its order's
-- id or key, too. A ledger that cannot be read does not stop the command.
local function find_task(job)
  local id, take = job.options.id, job.options.take
  local found, err
  if job.recorded then
    found, err = job.client:order(id, { take = take })
  end
  if err and take then
    return nil, err
  elseif err and err.kind ~= "not_found" then
    job.console:note(("%s; %s is taken for the id of a task"):format(
      err.message, id), { event = "ledger", failure = err.message })
  elseif found and not found.task_id then
    return nil, without_task(found)
  end
  return found and found.task_id or id
end

--- Query a task once.
function _M.query(job)
  local task
  local id, err = find_task(job)
  if id then
    job.phase = "task"
    task, err = job.client:query(id)
  end
  if not task then
    return nil, err
  end
  return plain(task)
end

local function save(job, task)
  job.phase = "file"
  local file, err = job.client:download(task, job.options.output, {
    accept = job.options.accept,
    overwrite = job.options.force,
    on_progress = show_download(job),
  })
  job.console:warn(file and file.warnings)
  return file, err
end

--- Wait for a task, and save its video with -o.
function _M.wait(job)
  local options, wrong = shown_wait(job)
  if not options then
    return nil, wrong
  end
  local id, unknown = find_task(job)
  if not id then
    return nil, unknown
  end
  job.phase, job.task_id, job.began = "task", id, job.now()
  options.first_poll = options.first_poll or 0
  local task, err = job.client:wait(id, options)
  local file
  if task and job.options.output then
    file, err = save(job, task)
  end
  if not task or err then
    return nil, err
  end
  job.saved = file and file.path
  return plain(task, file)
end

--- Save a video.
function _M.download(job)
  if not job.options.output then
    return failure.usage "download needs -o FILE: where to save the video"
  end
  local id, unknown = find_task(job)
  if not id then
    return nil, unknown
  end
  job.task_id = id
  local file, err = save(job, id)
  if not file then
    return nil, err
  end
  job.saved = file.path
  return json.encode(file)
end

--- Check an order.
function _M.validate(job)
  local params, wrong = _M.params(job.options, job.env)
  if not params then
    return nil, wrong
  end
  local ok, found, price, _, mode = job.client:validate(params)
  if not ok then
    return nil, found
  end
  job.console:warn(found)
  return json.encode { valid = true, mode = mode,
    warnings = #found > 0 and found or nil, cost = price and price.cost,
    currency = price and price.currency }
end

-- As `3-15, else 3`, where 3 is the provider's own choice.
local function range(row)
  local duration = row.duration
  return duration and duration.min and c_locale.number("%g", duration.min)
    .. "-" .. c_locale.number("%g", duration.max or math.huge) .. (duration.default
    and ", else " .. c_locale.number("%g", duration.default) or "")
end

local function count_of(group)
  return group and tostring(group.max or "any")
end

--- List the models.
function _M.models(job)
  local models, rows = job.client:models(), {}
  if not tables.is_for_people(job) then
    return json.encode { models = models }
  end
  for index, row in ipairs(models) do
    rows[index] = { row.name, range(row),
      row.prompt and tostring(row.prompt.max or "any"),
      count_of(row.referenceImages), count_of(row.referenceVideos),
      count_of(row.referenceAudios),
      row.ratio and table.concat(row.ratio.values or {}, " "), row.best_for,
      row.billing }
  end
  return tables.text({ "model", "seconds", "prompt", "images", "videos",
    "sounds", "ratios", "best for", "billed" }, rows, { width = tables.columns(job), wraps = true })
end

return _M
