--- The command `work`: send what is queued, wait for it and save it. `batch` does
-- the same with what it has enqueued.
-- @module starvideos.cli.work

local next_steps = require "starvideos.cli.next_steps"
local records = require "starvideos.cli.records"
local tables = require "starvideos.cli.table"
local values = require "starvideos.cli.values"
local monitors = require "starvideos.cli.monitor"

local _M = {}

-- Orders that are still open are named, up to so many.
local NAMED = 10

-- States of orders that a worker may still do something about.
local open = { "queued", "prepared", "submitting", "accepted", "completed" }

--- The options of a work, from the command line's.
-- @tparam table job
-- @treturn ?table options of `client:work`
-- @treturn ?table err
function _M.options(job)
  local options, err = values.waiting(job.options)
  if not options then
    return nil, err
  end
  options.claims, err = values.count(job.options, "claims")
  if err then
    return nil, err
  end
  options.directory, options.overwrite = job.options.output, job.options.force
  options.accept, options.any_path = job.options.accept, job.options.any_path
  options.follow, options.resume = job.options.follow, job.options.resume
  return options
end

local function text_of(job, result, monitor)
  if tables.is_for_people(job) then
    return monitor:summary()
  end
  return records.text("run", { done = result.done, failed = result.failed,
    unknown = result.unknown, left = result.left,
    orders = monitor.outcomes.keeps and monitor.outcomes.list or nil })
end

-- The code of the error of a whole run is none but the most severe of all.
local function merge(monitor, err)
  local shortfall = monitor.outcomes:shortfall(monitor:summary(), err)
  if not err then
    return shortfall
  elseif shortfall and err.kind ~= "cancelled" then
    err.exit = shortfall.exit
  end
  err.undecided = shortfall and shortfall.undecided
  return err
end

-- What was running, and what was not even begun.
local function open_lines(job, monitor, result)
  local lines, entries = {}, monitor.overview.order
  for index = 1, math.min(#entries, NAMED) do
    lines[index] = ("  %s: %s"):format(entries[index].name, entries[index].what)
  end
  if #entries > NAMED then
    lines[#lines + 1] = ("  \226\128\166 and %d more"):format(#entries - NAMED)
  end
  local count = math.max(result.left, #entries)
  if count == 0 then
    return lines
  end
  table.insert(lines, 1, count .. " still open" .. (lines[1] and ", among them:"
    or ""))
  lines[#lines + 1] = "go on with: " .. next_steps.command(job, "work", {
    job.options.follow and "--follow" or nil, output = job.options.output })
  return lines
end

-- Where the queue has stopped itself, this account's or all.
local function is_halted(job)
  local status = job.client:status()
  return status and status.halted[1] ~= nil
end

local function advise(job, monitor, result, err)
  local lines
  if err.kind == "cancelled" then
    lines = open_lines(job, monitor, result)
  elseif is_halted(job) then
    lines = { "when that is put right, go on with: " .. next_steps.command(job,
      "work", { "--resume", output = job.options.output }) }
  elseif result.left > monitor.gone then
    lines = { "go on with: " .. next_steps.command(job, "work",
      { output = job.options.output }) }
  end
  for _, line in ipairs(next_steps.of(job, err) or {}) do
    lines = lines or {}
    lines[#lines + 1] = line
  end
  return lines
end

--- Work off the queue.
-- @tparam table job
-- @tparam table monitor
-- @tparam table options of `client:work`
-- @tparam ?function finish called before the end is told
-- @treturn ?string result, for people or as JSON
-- @treturn ?table err
function _M.run(job, monitor, options, finish)
  options.on_progress, options.on_done = monitor:listeners()
  job.tick()
  local result, err = job.client:work(options)
  result = result or err.result
  if not result then
    return nil, err
  elseif finish and not (err and err.kind == "cancelled") then
    finish(result)
  end
  local problem = merge(monitor, err)
  if problem then
    problem.advice = advise(job, monitor, result, problem)
  end
  job.console:clear()
  return text_of(job, result, monitor), problem
end

-- How many orders there are to be done.
local function total(job)
  local status = not job.options.follow and job.client:status()
  local sum = 0
  for _, state in ipairs(open) do
    sum = sum + (status and status.states[state] or 0)
  end
  return status and sum or nil
end

-- What is still queued, though nothing is left for this worker, is not its own.
local function note_others(job, result)
  local status = result.left == 0 and job.client:status()
  local count = status and status.states.queued or 0
  if count > 0 then
    job.console:note(("%d queued, with another base URL or account than this"
      .. " worker's; it leaves them alone: see starvideos orders --state queued")
      :format(count), { event = "others", count = count })
  end
end

--- Send what is queued, wait for it and save it.
function _M.work(job)
  local options, err = _M.options(job)
  if not options then
    return nil, err
  end
  local monitor = monitors.new(job, total(job))
  monitor.outcomes.keeps = not job.options.follow
  return _M.run(job, monitor, options, function(result)
    note_others(job, result)
  end)
end

return _M
