-- The commands that tell what a ledger holds, `status` and `orders`, and the one that
-- sets its limits, `limits`. Tables for people, JSON for programs.

local consoles = require "starvideos.cli.console"
local json = require "starvideos.base.json"
local next_steps = require "starvideos.cli.next_steps"
local c_locale = require "starvideos.base.c_locale"
local failure = require "starvideos.cli.failure"
local outcomes = require "starvideos.cli.outcomes"
local states = require "starvideos.ledger.states"
local tables = require "starvideos.cli.table"
local utf8 = require "starvideos.base.utf8"
local values = require "starvideos.cli.values"

local _M = {}

local function amount(limit, number)
  if number == nil then
    return nil
  end
  return limit.kind == "spend" and values.money(number, limit.currency)
    or c_locale.number("%.10g", number)
end

local function limit_row(limit)
  return { limit.name, amount(limit, limit.cap), amount(limit, limit.used),
    amount(limit, limit.left),
    limit.until_ and values.time_text(limit.until_),
    limit.refund_failed and "failed tasks" or nil }
end

local function limits_text(job, list)
  local headings, rows = { "limit", "cap", "used", "left", "until (UTC)" }, {}
  for index, limit in ipairs(list) do
    rows[index] = limit_row(limit)
    headings[6] = headings[6] or rows[index][6] and "refunds"
  end
  return rows[1] and tables.text(headings, rows, { width = tables.columns(job),
    flexible = { [1] = true, [6] = true },
    numbers = { [2] = true, [3] = true, [4] = true } }) or "no limits"
end

-- How the beginning of a limit's name reads as an option of `client:limits`.
local removed = {
  open = { open = false },
  creates = { creates_per_minute = false },
  ["creates-per-minute"] = { creates_per_minute = false },
  polls = { polls_per_second = false },
  ["polls-per-second"] = { polls_per_second = false },
  ["spend/day"] = { spend = false, per = "day" },
  ["spend/total"] = { spend = false, per = "total" },
}

-- The options that remove a limit, by its name in the list.
local function removal_of(job, name)
  local first, scope, value = name:match "^(%S+) (%l+)=(.+)$"
  local found = removed[first or name]
  if not found or scope and scope ~= "account" and scope ~= "label" then
    return failure.usage(("there is no limit %s: limits lists them, as open,"
      .. " creates, polls, spend/day or spend/total; nothing was changed")
      :format(name))
  end
  local options = { label = job.options.for_label,
    account = job.options.for_account }
  for key, setting in pairs(found) do
    options[key] = setting
  end
  if scope then
    options.label, options.account = nil, nil
    options[scope] = value
  end
  return options
end

-- The options that set limits; nil where none is set.
local function setting_of(job)
  local given = job.options
  local spend, err = values.spend(given)
  local set = spend or {}
  if not err then
    set.open, err = values.count(given, "open", 0)
  end
  for _, name in ipairs { "creates_per_minute", "polls_per_second" } do
    if not err then
      set[name], err = values.number(given, name, "a number, 0 or more",
        function(number) return number >= 0 end)
    end
  end
  if err then
    return nil, err
  elseif next(set) == nil then
    return nil
  end
  set.currency = spend and given.currency or nil
  set.refund_failed = spend and given.refund_failed or nil
  set.label, set.account = given.for_label, given.for_account
  return set
end

local function misuse(options)
  local without_spend = options.spend == nil
    and (options.currency and "--currency"
      or options.refund_failed and "--refund-failed")
  return options.for_label and options.for_account
    and "a limit is for one label or for one account: give --for-label or"
      .. " --for-account, not both"
    or without_spend and without_spend .. " needs --spend" or nil
end

-- All calls that the command line asks for, before the first is made.
local function calls_of(job)
  local wrong = misuse(job.options)
  if wrong then
    return failure.usage(wrong)
  end
  local calls = {}
  for _, name in ipairs(job.options.remove or {}) do
    local removal, err = removal_of(job, name)
    if not removal then
      return nil, err
    end
    calls[#calls + 1] = removal
  end
  local setting, err = setting_of(job)
  calls[#calls + 1] = setting
  return not err and calls or nil, err
end

--- Set limits, remove limits, and list them.
function _M.limits(job)
  local calls, err = calls_of(job)
  if not calls then
    return nil, err
  end
  local list
  calls[#calls + 1] = {}
  for _, options in ipairs(calls) do
    list, err = job.client:limits(options)
    if not list then
      return nil, err
    end
  end
  if tables.is_for_people(job) then
    return limits_text(job, list)
  end
  return json.encode { limits = json.list(list) }
end

local function ago(seconds)
  if seconds < 120 then
    return ("%.0f s"):format(seconds)
  elseif seconds < 7200 then
    return ("%.0f min"):format(seconds / 60)
  end
  return ("%.0f h"):format(seconds / 3600)
end

local function spend_lines(status)
  local lines = {}
  for currency, spend in pairs(status.spend) do
    lines[#lines + 1] = ("%s today (UTC), %s in all"):format(
      values.money(spend.today, currency), values.money(spend.total, currency))
  end
  table.sort(lines)
  if status.unpriced > 0 then
    lines[#lines + 1] = status.unpriced .. " sent without a price"
  end
  return lines[1] and lines or { "nothing that has a price" }
end

local function states_lines(status)
  local parts = {}
  for _, state in ipairs(states.names) do
    local count = status.states[state]
    parts[#parts + 1] = count and count > 0 and count .. " " .. state or nil
  end
  local lines = { parts[1] and table.concat(parts, ", ") or "none" }
  if status.unattended > 0 then
    lines[#lines + 1] = status.unattended .. " at the provider that no worker"
      .. " has had for two minutes"
  end
  if status.overdue > 0 then
    lines[#lines + 1] = status.overdue .. " at the provider for more than half"
      .. " an hour"
  end
  return lines
end

local function workers_table(job, status)
  local rows = {}
  for index, worker in ipairs(status.workers) do
    rows[index] = { worker.id:sub(1, 12), worker.machine, worker.account,
      worker.is_dead and "dead" or worker.draining and "draining" or "working",
      worker.claims, worker.polls and worker.polls > 0
        and c_locale.number("%.3g", worker.polls) .. "/s" or nil,
      ago(worker.silence) .. " ago" }
  end
  return rows[1] and tables.text({ "worker", "machine", "account", "is",
    "orders", "polls", "heartbeat" }, rows, { width = tables.columns(job),
    flexible = { [2] = true, [3] = true }, numbers = { [5] = true } })
    or "none"
end

local function rate_lines(status)
  local lines = {}
  for _, rate in ipairs(status.rates) do
    lines[#lines + 1] = ("lowered to %d%%%s: the provider said that there were"
      .. " too many requests"):format(math.floor(rate.factor * 100 + 0.5),
      rate.until_ and ", nothing before " .. values.time_text(rate.until_)
        .. " UTC" or "")
  end
  return lines[1] and lines or { "not lowered" }
end

local function unknown_lines(status)
  local lines = {}
  for _, one in ipairs(status.unknown) do
    lines[#lines + 1] = ("the %s %s is in no document: the provider may have changed its"
      .. " API"):format(one.what, one.word)
  end
  return lines[1] and lines or { "as documented" }
end

local function queue_lines(job, status)
  local lines = {}
  for _, halt in ipairs(status.halted) do
    lines[#lines + 1] = "stopped"
      .. (halt.account and " for the account " .. halt.account or "")
      .. (halt.since and ", " .. values.time_text(halt.since) .. " UTC" or "")
      .. ": " .. utf8.shown(halt.reason) -- in one line
    lines[#lines + 1] = "let it go on with: " .. next_steps.command(job, "work",
      { "--resume" })
  end
  return lines[1] and lines or { "not stopped" }
end

local function paragraph(title, lines)
  return ("%-8s"):format(title) .. "  "
    .. table.concat(lines, "\n" .. (" "):rep(10))
end

local function for_people(job, status)
  local parts = {
    paragraph("orders", states_lines(status)),
    paragraph("spent", spend_lines(status)),
    paragraph("queue", queue_lines(job, status)),
    paragraph("rates", rate_lines(status)),
    paragraph("answers", unknown_lines(status)),
    "",
    limits_text(job, status.limits),
    "",
    workers_table(job, status),
  }
  if status.workers[1] == nil then
    parts[#parts] = "no workers"
  end
  return table.concat(parts, "\n")
end

--- What the ledger holds, in sums.
function _M.status(job)
  local status, err = job.client:status()
  if not status then
    return nil, err
  elseif tables.is_for_people(job) then
    return for_people(job, status)
  end
  for _, name in ipairs { "halted", "rates", "unknown", "limits", "workers" } do
    status[name] = json.list(status[name])
  end
  return json.encode(status)
end

local function check_states(list)
  for _, state in ipairs(list or {}) do
    if not states.is_state(state) then
      return failure.usage(("there is no state %s; there are: %s"):format(state,
        table.concat(states.names, ", ")))
    end
  end
  return true
end

-- Orders that are read at a time, and held.
local PAGE = 500

local function filter_of(job)
  local options = job.options
  local limit, err = values.count(options, "limit")
  local now, filter = os.time(), nil
  err = err or select(2, check_states(options.state))
  if not err then
    filter = { label = options.label, account = options.account, limit = limit,
      state = options.state and options.state[1] and options.state or nil }
    filter.since, err = values.time(options, "since", now)
  end
  if not err then
    filter.before, err = values.time(options, "before", now)
  end
  return not err and filter or nil, err
end

-- Hands every order to a function until that returns false; without a limit all pages.
local function each_order(job, filter, see)
  local left = filter.limit or math.huge
  repeat
    filter.limit = math.min(left, PAGE)
    local list, after = job.client:orders(filter)
    if not list then
      return nil, after
    end
    for _, order in ipairs(list) do
      if see(order) == false then
        return true
      end
    end
    left, filter.after = left - #list, after
  until not after or left <= 0
  return true
end

local function row_of(order)
  return { order.missing_since and "missing" or order.state,
    outcomes.full_key(order) or order.path or order.id, order.label,
    order.task_id, order.cost and values.money(order.cost, order.currency),
    values.time_text(order.created_at), order.error, order.amount }
end

local function table_of(job, orders)
  local rows, charged = {}, nil
  for index, order in ipairs(orders) do
    rows[index] = row_of(order)
    charged = charged or order.amount and "amount"
  end
  return tables.text({ "state", "key", "label", "task", "cost", "placed (UTC)",
    "error", charged }, rows, { width = tables.columns(job),
    flexible = { [2] = true, [3] = true, [4] = true, [7] = true },
    numbers = { [5] = true } })
end

--- List orders, whatever became of them.
function _M.orders(job)
  local filter, wrong = filter_of(job)
  if not filter then
    return nil, wrong
  end
  local orders = {}
  if not tables.is_for_people(job) then
    return consoles.list(job.options, {}, function(see)
      return each_order(job, filter, see)
    end)
  end
  local ok, err = each_order(job, filter, function(order)
    orders[#orders + 1] = order
  end)
  if not ok then
    return nil, err
  end
  return orders[1] and table_of(job, orders) or "no orders"
end

return _M
