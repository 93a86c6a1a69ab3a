--- The command `limits`: set limits of a ledger, and list them.
-- @module starvideos.cli.limits

local c_locale = require "starvideos.base.c_locale"
local failure = require "starvideos.cli.failure"
local records = require "starvideos.cli.records"
local tables = require "starvideos.cli.table"
local values = require "starvideos.cli.values"

local _M = {}

local function amount(limit, number)
  if number == nil then
    return nil
  end
  return limit.kind == "spend" and values.money(number, limit.currency)
    or c_locale.number("%.10g", number)
end

local function row_of(limit)
  return { limit.name, amount(limit, limit.cap), amount(limit, limit.used),
    amount(limit, limit.left),
    limit.until_ and values.time_text(limit.until_),
    limit.refund_failed and "failed tasks" or nil }
end

--- Limits as a table.
-- @tparam table job
-- @tparam table list see `client:limits`
-- @treturn string
function _M.text(job, list)
  local headings, rows = { "limit", "cap", "used", "left", "until (UTC)" }, {}
  for index, limit in ipairs(list) do
    rows[index] = row_of(limit)
    headings[6] = headings[6] or rows[index][6] and "refunds"
  end
  return rows[1] and tables.text(headings, rows, { width = tables.width(job),
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
    return _M.text(job, list)
  end
  return records.text("limits", { limits = list })
end

return _M
