--- The commands about what a ledger holds: `pending`, `resume`, `adopt`,
-- `dismiss`, `label`. As in `starvideos.cli.commands` each gets a job and
-- returns its result and an error.
-- @module starvideos.cli.ledger

local advice = require "starvideos.cli.advice"
local consoles = require "starvideos.cli.console"
local exit_codes = require "starvideos.cli.exit_codes"
local failure = require "starvideos.cli.failure"
local json = require "starvideos.json"
local tasks = require "starvideos.api.task"
local wait_options = require "starvideos.cli.wait_options"

local _M = {}

-- A list that may be empty, which an encoder takes for an object.
local function list_text(texts)
  return "[" .. table.concat(texts, ",") .. "]"
end

-- Hands every order to a function.
local function each_order(job, see)
  local after, list
  repeat
    list, after = job.client:pending { after = after, all = job.options.all }
    if not list then
      return nil, after
    end
    for _, order in ipairs(list) do
      see(order)
    end
  until not after
  return true
end

local COLUMNS = "%-10s  %-32s  %-24s  %s"

-- A key with what else belongs to the name of its order, where there is more.
local function full_key(order)
  local take = (order.take or 1) > 1 and (", take %d"):format(order.take) or ""
  local account = order.account and ", account " .. order.account or ""
  return order.key and order.key .. take .. account
end

-- An order for people; one whose task the provider does not know any more is
-- `missing`.
local function row_of(order)
  local state = order.missing_since and "missing" or order.state
  return COLUMNS:format(state, order.id, order.task_id or "-",
    full_key(order) or order.path or "-")
end

--- List the open orders, or all.
function _M.pending(job)
  local for_people = not job.options.json and job.env.stdout_terminal()
  local texts = {}
  local ok, err = each_order(job, function(order)
    texts[#texts + 1] = for_people and row_of(order) or json.encode(order)
  end)
  if not ok then
    return nil, err
  elseif for_people then
    table.insert(texts, 1, COLUMNS:format("state", "order", "task", "key"))
    return table.concat(texts, "\n")
  end
  return '{"orders":' .. list_text(texts) .. "}"
end

local function name_of(order)
  return full_key(order) or order.task_id or order.id
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

-- An order that could not be queried has the code of its own state.
local code_of_state = { prepared = exit_codes.REFUSED,
  submitting = exit_codes.RUNNING, accepted = exit_codes.RUNNING,
  completed = exit_codes.NOT_SAVED, unknown = exit_codes.UNKNOWN }

-- After these a further resume may save more.
local worth_resuming = { exit_codes.AUTH, exit_codes.RUNNING,
  exit_codes.NOT_SAVED }

local function code_of(order, err, phase)
  return err.order and code_of_state[order.state]
    or exit_codes.code(err, phase)
end

local function tell_saved(job, order, file)
  job.console:note(("%s saved as %s, %d bytes"):format(name_of(order),
    file.path, file.bytes), { event = "saved", order_id = order.id,
    key = order.key, take = order.take, task_id = order.task_id, file = file })
end

local function tell_left(job, seen, order, err)
  local code = code_of(order, err, seen.phases[order.id] or "task")
  seen.kinds[code] = seen.kinds[code] or err.kind
  seen.undecided[#seen.undecided + 1] = code == exit_codes.UNKNOWN
    and order or nil
  job.console:failure(err, advice.of_order(job, order, err), name_of(order))
end

local function line_of(order, file, err)
  local fault = err and consoles.error_object(err)
  if fault then
    fault.order = nil
  end
  return json.encode { id = order.id, key = order.key, take = order.take,
    account = order.account, task_id = order.task_id, model = order.model,
    file = file, error = fault }
end

-- What is seen while all is waited for, and shown.
local function watch(job)
  local seen = { states = {}, phases = {}, kinds = {}, texts = {},
    undecided = {}, done = 0 }

  function job.describe()
    return summary(seen.states, seen)
  end

  function seen.on_progress(order, task, info)
    local completed = task.status == "completed"
    seen.phases[order.id] = completed and "file" or "task"
    seen.states[order.id] = completed and "downloading"
      or info.error and "without an answer, retrying"
      or not tasks.is_terminal(task) and tostring(task.status or "waiting")
      or nil
    job.tick()
  end

  function seen.on_done(order, file, err)
    seen.states[order.id] = nil
    seen.texts[#seen.texts + 1] = line_of(order, file, err)
    if file then
      seen.done = seen.done + 1
      tell_saved(job, order, file)
    elseif err.kind ~= "cancelled" then
      tell_left(job, seen, order, err)
    end
  end

  return seen
end

local function open_folder(name)
  local folder, problem = io.open(name .. "/.", "rb")
  if not folder then
    return nil, failure.new("io", ("cannot use the folder for the videos (%s);"
      .. " nothing is lost: make it first"):format(problem))
  end
  return folder:close()
end

local function first_of(codes, kinds)
  for _, code in ipairs(codes) do
    if kinds[code] then
      return code
    end
  end
end

local function text_of(result, seen)
  return ('{"done":%d,"failed":%d,"left":%d,"orders":%s}'):format(result.done,
    result.failed, result.left, list_text(seen.texts))
end

local function shortfall(result, seen)
  local code = first_of(exit_codes.by_severity, seen.kinds)
  return code and failure.new(seen.kinds[code],
    ("%d saved, %d failed, %d left"):format(result.done, result.failed,
      result.left), {
      again = first_of(worth_resuming, seen.kinds) ~= nil,
      undecided = seen.undecided,
      exit = code,
    })
end

--- Wait for all that is open and save it.
function _M.resume(job)
  local options, wrong = wait_options.read(job.options)
  if not options then
    return nil, wrong
  end
  local directory = job.options.output
  local ok, err = open_folder(directory or ".")
  if not ok then
    return nil, err
  end
  local seen = watch(job)
  options.directory, options.overwrite = directory, job.options.force
  options.missing = job.options.missing
  options.on_progress, options.on_done = seen.on_progress, seen.on_done
  job.phase, job.began = "task", job.now()
  local result
  result, err = job.client:resume(options)
  if not result then
    return err.result and text_of(err.result, seen) or nil, err
  end
  return text_of(result, seen), shortfall(result, seen)
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

return _M
