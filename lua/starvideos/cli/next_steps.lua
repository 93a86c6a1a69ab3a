-- How to go on after an error, as lines with the commands to type.

local arguments = require "starvideos.cli.arguments"
local core = require "starvideos.core"
local locations = require "starvideos.ledger.location"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local about_tasks = { generate = true, create = true, query = true, wait = true,
  download = true }

-- As the shell of this system takes a word; cmd.exe knows no single quotes.
local function quoted(word, is_clean)
  word = is_clean and word or redact.text(word)
  if word:find("^[%w_./:-]+$") then
    return word
  elseif core.system() == "windows" then
    return '"' .. word:gsub('(\\*)"', '%1%1\\"'):gsub("(\\*)$", "%1%1") .. '"'
  elseif utf8.shown(word) ~= word then -- bash, zsh and ksh read the escapes
    local valid = utf8.valid((word:gsub("[\\']", "\\%0")))
    return "$'" .. utf8.shown(valid) .. "'"
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- A command of this program, for the same provider and the same ledger. `words`: its
-- arguments; with `output` (for -o) and `overwrite`. Returns for a shell.
function _M.command(job, name, words)
  local line = { "starvideos", name }
  for _, word in ipairs(words) do
    line[#line + 1] = quoted(word)
  end
  for _, option in ipairs(arguments.kept(job.options, name)) do
    local long, value, option_name = option[1], option[2], option[3]
    if option_name == "ledger" then
      value = locations.shown(value, true) -- without its password
    end
    line[#line + 1] = long
    line[#line + 1] = value ~= true
      and quoted(value, option_name == "ledger") or nil
  end
  if words.output then
    line[#line + 1] = "-o " .. quoted(words.output)
      .. ((words.overwrite or job.options.force) and " --overwrite" or "")
  end
  return table.concat(line, " ")
end

local of_lists = { batch = true, work = true }

-- What to do about an order of unknown outcome. A command that ordered nothing
-- does not know which take is free.
local function undecided(job, order, task_id, next_take)
  task_id = task_id or order.task_id
  local again = "dismiss it, and order again"
  if order.key and of_lists[job.options.command] then
    again = ('its line in the list, with "take": %d'):format(next_take
      or (order.take or 1) + 1)
  elseif order.key then
    again = "the command that ordered it, with "
      .. (next_take and "--take " .. next_take or "a further --take")
  end
  local lines = {
    (task_id and "look at it: " .. _M.command(job, "query", { task_id })
      or "check your account with the provider") .. "; then, if",
    "  the video is there: " .. _M.command(job, "adopt", { order.id,
      task_id or "TASK" }),
    "  it is not there: " .. again,
    "  to give it up: " .. _M.command(job, "dismiss", { order.id }),
  }
  if order.key then
    table.insert(lines, 1, ("the order: %s, key %s"):format(order.id,
      order.key))
  end
  return lines
end

-- For several orders, whose names were printed before.
local any_order = { id = "ORDER" }

local function go_on(...)
  return { "go on with: " .. _M.command(...) }
end

-- The file cannot be written, so the same command would fail again.
local function other_file(job, err, id)
  local output = job.options.output
  if err.target == "exists" then
    return { "to replace it: " .. (id and _M.command(job, "download", { id,
      output = output, overwrite = true })
      or "the same command with --overwrite") }
  end
  return id and go_on(job, "download", { id, output = "FILE" }) or nil
end

-- Where the command itself was to save a video.
local function video_of(job)
  return job.options.command ~= "create" and job.options.output or nil
end

-- The task can still be waited for, or downloaded.
local function go_on_with_task(job, err, id)
  local output = video_of(job)
  local ready = job.phase == "file" and output and not err.task
  return go_on(job, ready and "download" or "wait", { id, output = output })
end

-- The task could not be recorded, and this process ends.
local function unrecorded(job, err)
  return { "as soon as the ledger answers: " .. _M.command(job, "adopt",
    { err.order.id, err.task_id }), "until then: "
    .. _M.command(job, "wait", { err.task_id, output = video_of(job) }) }
end

-- What to do about an order of unknown outcome whose answer names a task. `task_id`:
-- default the order's. Returns lines; nil where no task is known.
function _M.adoption(job, order, task_id)
  task_id = task_id or order.task_id
  return task_id and { "if its task is there: "
    .. _M.command(job, "adopt", { order.id, task_id }) } or nil
end

-- What to do about one of many orders: a file that cannot be written stays in the way
-- of every further resume.
function _M.of_order(job, order, err)
  if err.gone then
    return { "to download it again: " .. _M.command(job, "download",
      { order.task_id, output = order.path }) }
  elseif err.target and order.task_id then
    return { "to save it elsewhere: " .. _M.command(job, "download",
      { order.task_id, output = "FILE" }) }
  elseif err.target then
    return { "it was not ordered" .. (err.target == "exists"
      and "; to replace the file: the same command with --overwrite" or "") }
  elseif err.kind == "outcome_unknown" then
    return _M.adoption(job, order, err.task_id)
  elseif err.kind == "task_failed" and not err.plain and order.key
    and of_lists[job.options.command] then
    return { ('for another video give its line "take": %d'):format(
      (order.take or 1) + 1) }
  end
end

-- What to do after an error. `err`: of a resume: `again` where a further one may save
-- more, and `undecided`, a list of the orders of unknown outcome.
function _M.of(job, err)
  local options = job.options
  local id = err.task_id or job.task_id
  if err.undecided and err.undecided[1] then
    return undecided(job, err.undecided[2] and any_order or err.undecided[1])
  elseif options.command == "resume" then
    local left = err.again or err.kind == "cancelled"
    return left and go_on(job, "resume", { output = options.output }) or nil
  elseif err.kind == "outcome_unknown" then
    return err.order and undecided(job, err.order, err.task_id, err.next_take)
      or id and { "look at it: " .. _M.command(job, "query", { id }) } or nil
  elseif err.kind == "ledger" and err.order and err.task_id then
    return unrecorded(job, err)
  elseif err.target and about_tasks[options.command] then
    return other_file(job, err, id)
  elseif id and err.kind ~= "task_failed" and about_tasks[options.command] then
    return go_on_with_task(job, err, id)
  end
end

return _M
