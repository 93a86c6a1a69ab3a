-- The commands `work`, which sends what is queued, waits for it and saves it, and
-- `batch`, which does the same with a list of orders that it has enqueued.

local c_locale = require "starvideos.base.c_locale"
local consoles = require "starvideos.cli.console"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local json = require "starvideos.base.json"
local manifests = require "starvideos.fleet.manifest"
local next_steps = require "starvideos.cli.next_steps"
local outcomes = require "starvideos.cli.outcomes"
local owner = require "starvideos.ledger.owner"
local tables = require "starvideos.cli.table"
local values = require "starvideos.cli.values"
local monitors = require "starvideos.cli.monitor"

local _M = {}

-- Orders that are still open, and files that lie elsewhere, are named, up to so many.
local NAMED = 10

-- States of orders that a worker may still do something about.
local open = { "queued", "prepared", "submitting", "accepted", "completed" }

-- The options of a work, from the command line's.
local function work_options(job)
  local options, err = values.waiting(job.options)
  if not options then
    return nil, err
  end
  options.claims, err = values.count(job.options, "claims")
  if err then
    return nil, err
  end
  options.min_free, err = values.size(job.options, "min_free")
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
  local sums = { done = result.done, failed = result.failed,
    unknown = result.unknown, left = result.left }
  return monitor.outcomes.keeps and consoles.list(job.options, sums,
    consoles.each(monitor.outcomes.list)) or json.encode(sums)
end

-- The error of a run has the most severe code of all.
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

-- Works off the queue. `finish` is called before the end is told.
local function run_work(job, monitor, options, finish)
  options.on_progress, options.on_done = monitor:listeners()
  function options.on_begin(control)
    monitor:follow(control)
  end
  job.tick()
  local result, err = job.client:work(options)
  result = result or err.result
  if not result then
    return nil, err
  end
  if finish and not (err and err.kind == "cancelled") then
    finish(result)
  end
  monitor.overview:leave(result.left)
  local problem = merge(monitor, err)
  if problem then
    problem.advice = advise(job, monitor, result, problem)
  end
  job.console:clear()
  return text_of(job, result, monitor), problem
end

-- How many orders there are to be done.
local function open_count(job)
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
  local options, err = work_options(job)
  if not options then
    return nil, err
  end
  local monitor = monitors.new(job, open_count(job))
  monitor.outcomes.keeps = not job.options.follow
  return run_work(job, monitor, options, function(result)
    note_others(job, result)
  end)
end

local CHUNK_BYTES = 65536

local function read_manifest(job, see)
  local name = job.options.manifest
  if name ~= "-" then
    return manifests.load(name, see)
  end
  local list, why = manifests.read(function()
    return job.env.stdin:read(CHUNK_BYTES)
  end, see)
  return list, not list and failure.new("io", ("cannot read the list of orders"
    .. " from stdin (%s); nothing was ordered"):format(why)) or nil
end

local function note_warnings(job, warnings)
  for _, warning in ipairs(warnings or {}) do
    job.console:note(("warning: line %s: %s"):format(tostring(warning.line),
      warning.message), { warning = warning })
  end
end

local function number_of(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

-- Every line with its price, for `--dry-run`.
local function priced_lines(checked)
  local rows = {}
  for index, entry in ipairs(checked.entries) do
    local price = entry.price
    rows[index] = { tostring(entry.line),
      outcomes.full_key { key = entry.key, take = entry.take },
      price and values.money(price.cost, price.currency) or entry.unpriced }
  end
  return rows
end

local function total_of(checked)
  local count = number_of(#checked.entries, "order")
  if not checked.price then
    return count .. ", no prices given"
  end
  local total = values.money(checked.price.cost, checked.price.currency)
  return checked.unpriced > 0 and ("%s, at least %s: %d without a price"):format(
    count, total, checked.unpriced) or ("%s for %s"):format(count, total)
end

local function dry_table(job, checked)
  local text = tables.text({ "line", "key", "cost" }, priced_lines(checked),
    { width = tables.columns(job), flexible = { [2] = true, [3] = true },
      numbers = { [1] = true } })
  return text .. "\n" .. total_of(checked) .. "; nothing was ordered"
end

local function dry_json(job, checked)
  return consoles.list(job.options, { valid = true, count = #checked.entries,
    cost = checked.price and checked.price.cost,
    currency = checked.price and checked.price.currency,
    unpriced = checked.unpriced }, function(see)
    return consoles.each(checked.entries)(function(entry)
      return see { line = entry.line, key = entry.key,
        take = entry.take, path = entry.path, label = entry.label,
        cost = entry.price and entry.price.cost,
        currency = entry.price and entry.price.currency,
        unpriced = entry.unpriced }
    end)
  end)
end

local function dry_run(job)
  local checked, err = job.client:validate_all { lines = {}, each = function(see)
    return read_manifest(job, see)
  end }
  if not checked then
    return nil, err
  end
  note_warnings(job, checked.warnings)
  return tables.is_for_people(job) and dry_table(job, checked)
    or dry_json(job, checked)
end

-- What is ordered, in words: `28 for 56.00 USD`.
local function purchase(summary)
  if not summary.price then
    return ("%d (no prices given)"):format(summary.new)
  end
  local total = values.money(summary.price.cost, summary.price.currency)
  if summary.unpriced > 0 then
    return ("%d for at least %s (%d without a price)"):format(summary.new, total,
      summary.unpriced)
  end
  return ("%d for %s"):format(summary.new, total)
end

-- The question that is asked before anything is ordered.
function _M.question(summary)
  local before = summary.known > 0 and ("%s, %d of them ordered before; "):format(
    number_of(summary.new + summary.known, "order"), summary.known) or ""
  return ("%sorder %s?"):format(before, purchase(summary))
end

-- What has no price is never sent where a spend is limited.
local function unpayable(job, summary)
  local count = not summary.price and summary.new or summary.unpriced
  return job.options.spend and count > 0 and ("%s no price, and would never be"
    .. " sent while --spend limits what is spent: give it in --prices; nothing"
    .. " was ordered"):format(count == 1 and "1 order has"
    or count .. " orders have") or nil
end

-- Whether the new orders are wanted; nil and an err where they are not.
local function ask(job, summary)
  local wrong = unpayable(job, summary)
  if wrong then
    return failure.usage(wrong)
  elseif summary.new == 0 then
    job.console:note(("%s, all of them ordered before"):format(
      number_of(summary.known, "order")), { event = "known",
      count = summary.known })
    return true
  elseif job.options.yes then
    job.console:note("ordering " .. purchase(summary), { event = "ordering",
      count = summary.new, known = summary.known,
      cost = summary.price and summary.price.cost,
      currency = summary.price and summary.price.currency })
    return true
  end
  local question = _M.question(summary)
  if not job.env.can_ask(job.options.manifest == "-") then
    return failure.usage(question .. " There is no terminal to ask on; give"
      .. " --yes to order without being asked. Nothing was ordered")
  end
  job.console:clear()
  local answer = job.env.ask(question .. " [y/N] ")
  if answer and c_locale.lower(answer):find "^%s*y" then
    return true
  end
  return nil, failure.new("cancelled", "nothing was ordered",
    { exit = failure.REFUSED })
end

-- The limits that the command line sets, one call for each.
local function limits_of(job)
  local at_most, err = values.count(job.options, "at_most")
  local spend
  if not err then
    spend, err = values.spend(job.options)
  end
  local list = { at_most and { open = at_most } }
  list[#list + 1] = spend
  return not err and list or nil, err
end

-- Without a client's prices, and without a former limit, an amount has no currency.
local function set_limits(job, list)
  for _, limit in ipairs(list) do
    local ok, err = job.client:limits(limit)
    if not ok then
      err.message = err.message .. "; nothing was ordered"
      return nil, err
    end
  end
  return true
end

-- Enqueues the list, once that is wanted and its limits hold.
local function enqueue(job, list, wanted_limits)
  local why
  local orders, err = job.client:enqueue(list, { label = job.options.label,
    directory = job.options.output or ".", confirm = function(summary)
      note_warnings(job, summary.warnings)
      local ok
      ok, why = ask(job, summary)
      if ok then
        ok, why = set_limits(job, wanted_limits)
      end
      return ok
    end })
  return orders, why or err
end

local how_ended = { downloaded = "done", failed = "failed",
  cancelled = "failed", refused = "failed", abandoned = "failed",
  unknown = "unknown" }

-- Whether the file of an order that was saved is not there any more. That of
-- another machine cannot be looked at.
local function is_gone(order)
  return order.state == "downloaded" and (order.removed_at
    or order.machine == owner.host() and not core.kind(order.path)) and true
end

-- Whether it lies elsewhere than this command would save it: in a line without a
-- path anywhere in the folder is right.
local function is_elsewhere(job, order, line)
  local folder = job.options.output or "."
  local place = core.real(line.path and folder .. "/" .. line.path or folder)
    or ""
  return order.machine ~= owner.host() or order.path ~= place
    and (line.path or order.path:sub(1, #place + 1) ~= place .. "/") and true
end

-- What was known of an order without its being made here.
local function err_of(order)
  if is_gone(order) then
    return failure.new("io", ("it was saved as %s before, and is not there any"
      .. " more; the video stays bought"):format(order.path),
      { exit = failure.NOT_SAVED, gone = true })
  elseif order.state == "unknown" then
    return failure.new("outcome_unknown", "it was sent before, and its outcome is"
      .. " unknown: it may have been bought")
  elseif how_ended[order.state] then
    local why = order.error and ": " .. order.error:gsub("%.$", "") or ""
    return failure.new("task_failed", ("it %s before%s; for another video give"
      .. " its line \"take\": %d"):format(order.state == "failed" and "failed"
      or "was " .. order.state, why, (order.take or 1) + 1))
  end
  -- What the whole run ended with is told once.
  return failure.new("ledger", ("it is %s"):format(order.state),
    { order = order, untold = true })
end

-- Counts an order that had ended, or is left.
local function count(monitor, order)
  local how = how_ended[order.state]
  if how and not is_gone(order) then
    monitor.overview:finish(order.id, how)
  else
    monitor.overview:stop(order.id, outcomes.is_bought(order))
  end
  monitor.ended[order.id] = how and true or nil
end

-- The orders that there are, and what had ended before this run.
local function expect(monitor, orders)
  local ids = {}
  for index, order in ipairs(orders) do
    ids[index] = order.id
  end
  monitor.overview:expect(ids)
  for _, order in ipairs(orders) do
    if order.known and how_ended[order.state] then
      count(monitor, order)
    end
  end
end

-- Says where files are that an earlier run saved elsewhere.
local function tell_places(job, list)
  for index = 1, math.min(#list, NAMED) do
    local order = list[index]
    job.console:note(("%s: saved before, as %s%s"):format(
      outcomes.name_of(order), order.path, order.machine ~= owner.host()
      and " on the machine " .. tostring(order.machine) or ""),
      { event = "saved_before", order_id = order.id, key = order.key,
        take = order.take, task_id = order.task_id, machine = order.machine,
        file = { path = order.path, bytes = order.bytes } })
  end
  if #list > NAMED then
    job.console:note(("\226\128\166 and %d more that lie elsewhere: see"
      .. " starvideos orders --all"):format(#list - NAMED),
      { event = "saved_before", count = #list - NAMED })
  end
end

-- What has become of an order; what was known of it, and an err, where the ledger
-- does not say. Then nothing tells whether it was bought, and by whom.
local function state_now(job, order)
  if how_ended[order.state] then
    return order
  end
  local now, err = job.client:order(order.id)
  if now then
    return now
  end
  return order, failure.new("ledger", ("it is not known what became of it: %s;"
    .. " it may have been bought: see your account before you order it again")
    :format(err.message), { untold = err.kind ~= "not_found" })
end

-- Tells and counts the end of orders that were not made here: of an earlier run, or
-- by another worker.
local function tell_others(job, monitor, list, orders, result)
  local elsewhere = {}
  for index, order in ipairs(orders) do
    if not monitor.outcomes:knows(order.id) then
      local now, unread = state_now(job, order)
      local how, gone = how_ended[now.state], is_gone(now)
      if gone or unread and not unread.untold then
        result.left, monitor.gone = result.left + 1, monitor.gone + 1
      elseif how then
        result[how] = result[how] + 1
      end
      if not monitor.ended[now.id] then
        count(monitor, now)
      end
      if how == "done" and not gone then
        monitor.outcomes:add(now, { path = now.path, bytes = now.bytes })
        elsewhere[#elsewhere + 1] = is_elsewhere(job, now, list[index]) and now
          or nil
      else
        monitor.outcomes:add(now, nil, unread or err_of(now))
      end
    end
  end
  tell_places(job, elsewhere)
end

local function no_key()
  return nil, failure.new("config", "no API key, so nothing was ordered: set"
    .. " STARVIDEOS_API_KEY or give --api-key-file")
end

local function run(job, list, wanted_limits, options)
  local orders, err = enqueue(job, list, wanted_limits)
  if not orders then
    return nil, err
  end
  job.enqueued = true
  local monitor = monitors.new(job)
  expect(monitor, orders)
  return run_work(job, monitor, options, function(result)
    tell_others(job, monitor, list, orders, result)
  end)
end

--- Order a list of videos, wait for them and save them.
function _M.batch(job)
  local wanted_limits, wrong = limits_of(job)
  local options
  if wanted_limits then
    options, wrong = work_options(job)
  end
  if wrong then
    return nil, wrong
  end
  if job.options.dry_run then
    return dry_run(job)
  end
  local list, err = read_manifest(job)
  if not list then
    return nil, err
  elseif not job.has_key then
    return no_key()
  elseif not list[1] and not list.violations[1] then
    return nil, failure.new("validation", "the list has no orders; nothing was"
      .. " ordered")
  end
  return run(job, list, wanted_limits, options)
end

return _M
