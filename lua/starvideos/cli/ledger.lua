-- The commands about what a ledger holds: `pending`, `resume`, `adopt`, `dismiss`,
-- `label`, `archive`, `ledger`. As in `starvideos.cli.commands` each gets a job and
-- returns its result and an error.

local consoles = require "starvideos.cli.console"
local json = require "starvideos.base.json"
local next_steps = require "starvideos.cli.next_steps"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local outcomes = require "starvideos.cli.outcomes"
local tables = require "starvideos.cli.table"
local tasks = require "starvideos.base.task"
local values = require "starvideos.cli.values"

local _M = {}

-- Hands every order to a function until that returns false.
local function each_order(job, see)
  local after, list
  repeat
    list, after = job.client:pending { after = after, all = job.options.all }
    if not list then
      return nil, after
    end
    for _, order in ipairs(list) do
      if see(order) == false then
        return true
      end
    end
  until not after
  return true
end

-- An order for people; one whose task the provider does not know any more is
-- `missing`. Ids are there to be copied: no table cuts them.
local function row_of(order)
  return { order.missing_since and "missing" or order.state, order.id,
    order.task_id, outcomes.full_key(order) or order.path }
end

--- List the open orders, or all.
function _M.pending(job)
  local list, offers = {}, {}
  if not tables.is_for_people(job) then
    return consoles.list(job.options, {}, function(see)
      return each_order(job, see)
    end)
  end
  local ok, err = each_order(job, function(order)
    list[#list + 1] = row_of(order)
    local offer = order.state == "unknown" and next_steps.adoption(job, order)
    offers[#offers + 1] = offer and offer[1] or nil
  end)
  if not ok then
    return nil, err
  elseif not list[1] then
    return job.options.all and "no orders" or "no open orders"
  end
  table.insert(offers, 1, tables.text({ "state", "order", "task", "key" }, list,
    { width = tables.columns(job), flexible = { [4] = true } }))
  return table.concat(offers, "\n")
end

-- What is being waited for, in one line.
local function summary(states, result)
  local counts, words = {}, {}
  for _, state in pairs(states) do
    counts[state] = (counts[state] or 0) + 1
  end
  for state, count in pairs(counts) do
    words[#words + 1] = count .. " " .. state
  end
  table.sort(words)
  words[#words + 1] = result.done > 0 and result.done .. " saved" or nil
  return table.concat(words, ", ")
end

local function tell_saved(job, order, file)
  job.console:note(("%s saved as %s, %d bytes"):format(outcomes.name_of(order),
    file.path, file.bytes), { event = "saved", order_id = order.id,
    key = order.key, take = order.take, task_id = order.task_id, file = file })
  job.console:warn(file.warnings)
end

-- What is seen while all is waited for, and shown.
local function watch(job)
  local seen = outcomes.new(job)
  local states = {}

  function job.describe()
    return summary(states, seen)
  end

  function seen.on_progress(order, task, info)
    local completed = task.status == "completed"
    seen.phases[order.id] = completed and "file" or "task"
    states[order.id] = completed and "downloading"
      or info.error and "without an answer, retrying"
      or not tasks.is_terminal(task) and tostring(task.status or "waiting")
      or nil
    job.tick()
  end

  function seen.on_done(order, file, err)
    states[order.id] = nil
    seen:add(order, file, err)
    if file then
      tell_saved(job, order, file)
    end
  end

  return seen
end

local function find_folder(name)
  local kind = core.kind(name)
  if kind ~= "directory" then
    return nil, failure.new("io", ("cannot use the folder for the videos (%s: %s);"
      .. " nothing is lost: make it first"):format(name,
      kind and "it is no folder" or "there is none"))
  end
  return true
end

-- An order that ended, for people: its file, or why there is none.
local function ended_row(outcome)
  local file, fault = outcome.file, outcome.error
  return { file and "saved" or fault.kind,
    outcomes.full_key(outcome) or outcome.task_id or outcome.id,
    outcome.task_id, file and file.path or fault.message }
end

local function counts_of(result)
  return ("%d saved, %d failed, %d left"):format(result.done, result.failed,
    result.left)
end

local function text_of(job, result, seen)
  if not tables.is_for_people(job) then
    return consoles.list(job.options, { done = result.done, failed = result.failed,
      left = result.left }, consoles.each(seen.list))
  end
  local rows = {}
  for index, outcome in ipairs(seen.list) do
    rows[index] = ended_row(outcome)
  end
  return rows[1] and tables.text({ "is", "key", "task", "file, or why not" },
    rows, { width = tables.columns(job), flexible = { [2] = true },
      wraps = true }) .. "\n" .. counts_of(result)
    or "no order is open"
end

local function shortfall(result, seen)
  return seen:shortfall(counts_of(result))
end

--- Wait for all that is open and save it.
function _M.resume(job)
  local options, wrong = values.waiting(job.options)
  if not options then
    return nil, wrong
  end
  local directory = job.options.output
  local ok, err = find_folder(directory or ".")
  if not ok then
    return nil, err
  end
  local seen = watch(job)
  options.directory, options.overwrite = directory, job.options.force
  options.missing, options.accept = job.options.missing, job.options.accept
  options.any_path = job.options.any_path
  options.on_progress, options.on_done = seen.on_progress, seen.on_done
  job.phase, job.began = "task", job.now()
  local result
  result, err = job.client:resume(options)
  if not result then
    return err.result and text_of(job, err.result, seen) or nil, err
  end
  return text_of(job, result, seen), shortfall(result, seen)
end

local function changed(order, err)
  if not order then
    return nil, err
  end
  return json.encode(order)
end

--- Record the task that an order of unknown fate became.
function _M.adopt(job)
  job.phase = "task"
  local options = job.options
  return changed(job.client:adopt(options.order, options.id,
    { take = options.take }))
end

--- Give an order up.
function _M.dismiss(job)
  local options = job.options
  return changed(job.client:dismiss(options.order,
    { force = options.force, take = options.take }))
end

--- Record the account of an order that has none; the client's own account does
-- not matter for it.
function _M.label(job)
  local options = job.options
  return changed(job.client:label(options.order, options.label,
    { take = options.take }))
end

-- Days from which on an order is old.
local OLD_DAYS = 30

--- Drop what is private of old orders.
function _M.archive(job)
  local days, wrong = values.number(job.options, "before",
    "a number of days, 0 or more", function(number) return number >= 0 end)
  if wrong then
    return nil, wrong
  end
  local count, err = job.client:archive { before = os.time()
    - (days or OLD_DAYS) * 86400 }
  return count and json.encode { archived = count }, err
end

--- Copy the ledger.
function _M.ledger(job)
  local options = job.options
  if options.action ~= "backup" then
    return failure.usage(("ledger takes backup FILE, not %s"):format(
      options.action))
  end
  local copy, err = job.client:backup(options.file)
  return copy and json.encode(copy), err
end

return _M
