-- Put orders into the queue of the ledger: a list, all of it or nothing, or one
-- order of a gateway's caller. Nothing is sent; workers do that.

local bodies = require "starvideos.provider.body"
local errors = require "starvideos.errors"
local json = require "starvideos.base.json"
local order_lists = require "starvideos.fleet.order_list"
local paths = require "starvideos.base.path"
local validate = require "starvideos.order.validate"

local _M = {}

-- Orders that are staged in one transaction, at first and at most, and the seconds it
-- should take: others wait for it, and a server may be far away.
local FIRST, MOST = 50, 500
local SHORT, LONG = 0.25, 1

-- Tries while another program enqueues some of the same orders, and the seconds between
-- the first two.
local TRIES, PAUSE = 6, 0.5

-- What the ledger is to hold of an order. A relative path leads to a folder of the worker
-- that saves the video.
local function wanted_of(context, entry, request)
  local ledger = context.ledger
  local is_here = entry.path ~= nil and paths.is_absolute(entry.path)
  local key, other_key = entry.key, entry.other_key
  if is_here and not entry.order.key then
    key, other_key = ledger:key_of { path = entry.path, given = entry.given }
  end
  return {
    key = key,
    other_key = other_key,
    take = entry.take,
    path = entry.path,
    machine = is_here and ledger.machine() or nil,
    label = entry.label,
    model = type(request.fields.model) == "string" and request.fields.model
      or nil,
    mode = bodies.mode(request.fields),
    base_url = context.base_url,
    params = ledger.text_of(request.fields, context.api_key),
    body = request.body,
    endpoint = request.endpoint,
    cost = entry.price and entry.price.millionths,
    currency = entry.price and entry.price.currency,
  }
end

-- Code and message, by the verdicts under which an order is not the one that is there
-- under its key and take.
local refusals = {}

-- Whether the video of an order of the queue is to be saved elsewhere now. The path of a
-- saved video is one of the machine that saved it.
local function has_moved(row, wanted)
  local before = row.path or ""
  return row.queued_at ~= nil and row.state ~= "downloaded"
    and not paths.is_rooted(before) and before ~= (wanted.path or "")
end

local function fields_of(params)
  local fields = json.decode(params)
  return type(fields) == "table" and fields or {}
end

-- The fields in which two orders differ.
local function difference(row, wanted)
  if row.base_url ~= wanted.base_url then
    return "the base URL"
  end
  local before, now = fields_of(row.params), fields_of(wanted.params)
  if next(before) == nil then
    return "its parameters" -- they were archived
  end
  local names, seen = { has_moved(row, wanted) and "path" or nil }, {}
  for _, fields in ipairs { before, now } do
    for name in pairs(fields) do
      local differs = json.encode { before[name] } ~= json.encode { now[name] }
      names[#names + 1] = differs and not seen[name] and name or nil
      seen[name] = true
    end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or "its parameters"
end

function refusals.conflict(row, wanted)
  return "conflict", ("the key %s, take %d, names an order that is there, and"
    .. " differs in %s; that one is %s%s: for another video give another key, or"
    .. " take %d"):format(wanted.key, wanted.take, difference(row, wanted),
    row.state, row.task_id and " as task " .. row.task_id or "",
    row.next_take or wanted.take + 1)
end

function refusals.unlabelled(row, wanted)
  return "account", ("the order with the key %s has no account, and this client"
    .. " has one: say whose order it is with `starvideos label %s ACCOUNT`, or"
    .. " client:label"):format(wanted.key, row.order_id)
end

function refusals.no_account(row, wanted)
  return "account", ("the order with the key %s is of the account %s, and this"
    .. " client has none: pass it (account, --account)"):format(wanted.key,
    row.account)
end

local function take_results(self, entries, results, first)
  for index, result in ipairs(results) do
    local entry = entries[first + index - 1]
    local verdict = result.verdict
    local refusal = refusals[verdict] or verdict ~= "new"
      and has_moved(result.row, entry.wanted) and refusals.conflict
    if refusal then
      local code, message = refusal(result.row, entry.wanted)
      self.violations[#self.violations + 1] = { index = entry.index,
        line = entry.line, field = "key", code = code, message = message,
        next_take = result.row.next_take }
    end
    entry.is_new, entry.row = verdict == "new", result.row
    entry.wanted = nil
  end
end

-- How many to stage next, after `count` took so many seconds.
local function adapted(count, seconds)
  if seconds < SHORT then
    return math.min(count * 2, MOST)
  end
  return seconds > LONG and math.max(1, math.floor(count / 2)) or count
end

local function stage(self, entries)
  local ledger, runtime = self.context.ledger, self.context.runtime
  local first, count = 1, FIRST
  while first <= #entries do
    local list, began = {}, runtime:now()
    for index = first, math.min(first + count - 1, #entries) do
      list[#list + 1] = entries[index].wanted
    end
    local results, batch = ledger:stage(self.batch, list)
    if not results then
      return nil, batch
    end
    self.batch = batch
    take_results(self, entries, results, first)
    first = first + #list
    count = adapted(count, runtime:now() - began)
  end
  return true
end

-- What the caller's `confirm` is told.
local function summary_of(context, checked)
  local summary = { new = 0, known = 0, unpriced = 0 }
  local millionths = 0.0
  for _, entry in ipairs(checked.entries) do
    local what = entry.is_new and "new" or "known"
    summary[what] = summary[what] + 1
    if entry.is_new and entry.price then
      millionths = millionths + entry.price.millionths
    elseif entry.is_new then
      summary.unpriced = summary.unpriced + 1
    end
  end
  local prices = context.prices
  summary.price = prices and prices:money(millionths) or nil
  summary.warnings = checked.warnings
  return summary
end

local function undo(self, err)
  if self.batch then
    self.context.ledger:unstage(self.batch)
  end
  return nil, err
end

-- Asks whether to go on. What `ask` raises is raised again once all is taken back.
local function confirm(self, checked, ask)
  local called, answer = true, true
  if ask then
    called, answer = pcall(ask, summary_of(self.context, checked))
  end
  if called and answer then
    return true
  end
  undo(self)
  if not called then
    error(answer, 0)
  end
  return nil, errors.new { kind = "cancelled",
    message = "not confirmed; nothing was enqueued" }
end

-- If the first try did enqueue the orders before it failed, the second finds them taken.
local function commit(self, entries)
  local ledger, expected = self.context.ledger, 0
  for _, entry in ipairs(entries) do
    expected = expected + (entry.is_new and 1 or 0)
  end
  local count, err = ledger:enqueue_staged(self.batch, expected)
  if not count and not err.taken and not err.misplaced then
    count, err = ledger:enqueue_staged(self.batch, expected)
  end
  if not count and not err.taken and not err.misplaced then
    err.message = err.message .. "; whether the orders were enqueued is not"
      .. " known: enqueue them again, which makes none of them twice"
  end
  return count, err
end

local function stage_all(self, entries)
  local ok, err = stage(self, entries)
  if not ok then
    err.message = err.message .. "; nothing was enqueued"
  elseif self.violations[1] then
    ok, err = nil, order_lists.refused(self.violations, "nothing was enqueued")
  end
  if not ok then
    return undo(self, err)
  end
  return true
end

local function orders_of(context, entries)
  local orders = {}
  for index, entry in ipairs(entries) do
    local order = context.ledger.order_of(entry.row)
    if entry.is_new then
      order.state = "queued"
    else
      order.known = true
    end
    orders[index], entry.row = order, nil
  end
  return orders
end

-- One try: the orders; or nil, an err, and whether another program has taken some
-- of the orders meanwhile.
local function try(context, list, options, ask)
  local checked, err = order_lists.check(context, list, options,
    function(entry, request)
      entry.wanted = wanted_of(context, entry, request)
      entry.params = nil -- a list may be long
    end)
  if not checked or not checked.entries[1] then
    return checked and {}, err
  end
  local self = { context = context, violations = {} }
  local ok
  ok, err = stage_all(self, checked.entries)
  if ok then
    ok, err = confirm(self, checked, ask)
  end
  if ok then
    ok, err = commit(self, checked.entries)
  end
  if not ok then
    return nil, err, err.taken
  end
  return orders_of(context, checked.entries)
end

-- Lets the other program finish.
local function pause(context, tries)
  return context.runtime:sleep(PAUSE * tries * (0.5 + context.random()))
end

-- Enqueue a list of orders, or a manifest. If another program enqueues some of the same,
-- the list is checked once more: they are known then, or conflicts.
function _M.run(context, list, options)
  local ask, orders, err, is_taken = options.confirm, nil, nil, nil
  for tries = 1, TRIES do
    orders, err, is_taken = try(context, list, options, ask)
    ask = nil -- what was confirmed is not asked again
    if not is_taken or tries < TRIES and not pause(context, tries) then
      break
    end
  end
  if is_taken then
    err.message = err.message .. "; nothing was enqueued: try again"
  end
  return orders, err
end

-- Admit one order of a gateway's caller, who is the account of the context. `options`:
-- `key`, `attempt` (nil: not numbered), `began` (of the attempt; nil: now) and `terms`;
-- `starvideos.ledger.requests` describes these and the result.
function _M.admit(context, params, options)
  local model = type(params.model) == "string" and params.model or nil
  local row = model and context.catalog:model(model)
  local warnings, err = validate.before_sending(context, params, context.validation)
  local request
  if not err then
    request, err = bodies.build(params, row, warnings)
  end
  if err then
    return nil, err
  end
  local wanted = wanted_of(context, { order = options, take = 1,
    key = options.key, price = validate.price(context, params, row) }, request)
  wanted.attempt = options.attempt or 0
  wanted.began = options.attempt and (options.began or context.ledger.clock())
  return context.ledger:admit(wanted, options.terms or {})
end

return _M
