--- Orders that live by chance under limits that come and go: what the limits let
-- through, and what they have used, against a model that knows no SQL.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local ledgers = require "starvideos.ledger"
local mutation = require "spec.fixtures.mutation"

local HISTORIES, STEPS = 15, 150

local DAY, SLOT = 86400, 1800

local choose, one_of = mutation.choose, mutation.one_of

local scopes = { { "", "" }, { "account", "blue" }, { "label", "draft" } }
local kinds = { "open", "spend/day", "spend/total" }
local currencies = { "USD", "USD", "USD", "EUR" }

local holding = { submitting = true, accepted = true, unknown = true }

-- What may happen to an order in each state, as the ledger's callers know it.
local lives = {
  queued = { "again", "again", "abandoned", "deleted" },
  prepared = { "submitting" },
  submitting = { "accepted", "accepted", "unknown", "refused", "unsent" },
  accepted = { "completed", "failed", "cancelled" },
  unknown = { "accepted", "abandoned" },
  refused = { "accepted" },
}

local function applies(limit, order)
  return limit.scope == "" or order[limit.scope] == limit.value
end

local function day(now)
  return now - now % DAY
end

-- The model: an order is a table, a limit another; nothing is counted in advance.
local Model = {}
Model.__index = Model

function Model:window(now)
  self.latest = math.max(self.latest, day(now))
  return self.latest
end

function Model:used(limit, now)
  local sum = 0
  for _, order in ipairs(self.orders) do
    local counts = applies(limit, order)
    if limit.kind == "open" then
      sum = sum + (counts and order.slot_until and 1 or 0)
    elseif counts and order.spent_in and order.currency == limit.currency
      and (limit.kind == "spend/total"
        or order.spent_in == self:window(now)) then
      sum = sum + order.cost
    end
  end
  return sum
end

local waits = { queued = true, prepared = true }

-- What orders of the queue will cost that are not sent yet.
function Model:waiting(limit)
  local sum = 0
  for _, order in ipairs(self.orders) do
    sum = sum + (applies(limit, order) and order.in_queue and waits[order.state]
      and order.currency == limit.currency and order.cost or 0)
  end
  return sum
end

-- Whether a gateway admits an order to the queue, whose limits of labels it leaves to
-- the worker.
function Model:admits(order, now)
  for _, limit in pairs(self.limits) do
    local counts = limit.kind ~= "open" and limit.scope ~= "label"
      and applies(limit, order)
    if counts and (limit.currency ~= order.currency or self:used(limit, now)
      + self:waiting(limit) + order.cost > limit.cap) then
      return false
    end
  end
  return true
end

function Model:fits(order, now)
  for _, limit in pairs(self.limits) do
    local costs = limit.kind == "open" and 1
      or limit.currency == order.currency and order.cost or math.huge
    if applies(limit, order) and self:used(limit, now) + costs > limit.cap then
      return false
    end
  end
  return true
end

-- Slots of orders of unknown outcome that are overdue are freed when somebody
-- needs one.
function Model:free_overdue(now)
  for _, order in ipairs(self.orders) do
    if order.slot_until and order.slot_until <= now then
      order.slot_until = nil
    end
  end
end

function Model:has_open(order)
  for _, limit in pairs(self.limits) do
    if limit.kind == "open" and applies(limit, order) then
      return true
    end
  end
end

function Model:refunds(order)
  for _, limit in pairs(self.limits) do
    if limit.kind ~= "open" and limit.refunds == 1 and applies(limit, order)
    then
      return true
    end
  end
end

-- Where an order is now, and what it holds in that state.
function Model:move(order, state, now)
  local from = order.state
  order.state = state
  local has_slot = order.slot_until or self:has_open(order)
    and (state == "submitting" or state == "accepted" and from ~= "submitting")
  if state == "abandoned" then
    order.slot_until = from ~= "unknown" and order.slot_until or nil
    return
  elseif not holding[state] or not has_slot then
    order.slot_until = nil
  else
    order.slot_until = state == "unknown" and now + SLOT or math.huge
  end
  if waits[state] or state == "refused"
    or (state == "failed" or state == "cancelled") and self:refunds(order) then
    order.spent_in = nil
  elseif state == "submitting" or from == "refused" and state == "accepted" then
    order.spent_in = self:window(now)
  end
end

-- A new limit asks all orders that are open tasks.
function Model:count_open(limit, now)
  for _, order in ipairs(self.orders) do
    if limit.kind == "open" and applies(limit, order) and not order.slot_until
      and holding[order.state] then
      local ends = order.state == "unknown" and order.changed + SLOT
        or math.huge
      order.slot_until = ends > now and ends or nil
    end
  end
end

local function key_of(limit)
  return limit.scope == "" and limit.kind
    or ("%s %s=%s"):format(limit.kind, limit.scope, limit.value)
end

describe("limits", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function new_case(number)
    local case = { now = 1000000000 + choose(DAY), count = 0 }
    case.model = setmetatable({ orders = {}, limits = {}, latest = 0 }, Model)
    case.ledgers = {}
    for _, account in ipairs { "", "blue" } do
      case.ledgers[account] = assert(ledgers.new {
        address = ("%s/%d.db"):format(folder, number),
        account = account ~= "" and account or nil, random = math.random,
        clock = function() return case.now end, timeout = 60,
        boottime = core.boottime, base_url = "here" })
    end
    return case
  end

  local function wanted(order, changes)
    local fields = { key = order.key, take = 1, params = "{}", base_url = "here",
      cost = order.cost, currency = order.currency, label = order.label,
      endpoint = "/v1/videos", body = "{}", attempt = 0 }
    for name, value in pairs(changes or {}) do
      fields[name] = value
    end
    return fields
  end

  -- Each way in; true where the order is there then.
  local ways = {}

  function ways.begin(_, order)
    local verdict
    verdict, order.row = order.ledger:begin(wanted(order), {})
    assert.equal("send", verdict)
    order.state = "prepared"
    return true
  end

  function ways.batch(_, order)
    local results, batch = order.ledger:stage(nil, { wanted(order) })
    assert.equal("new", assert(results, batch)[1].verdict)
    assert.equal(1, order.ledger:enqueue_staged(batch, 1))
    order.row, order.in_queue = results[1].row, true
    return true
  end

  function ways.admit(case, order)
    local found = assert(order.ledger:admit(wanted(order), {}))
    assert.equal(case.model:admits(order, case.now) and "new" or "barred",
      found.verdict)
    order.row, order.in_queue, order.is_caller = found.row, true, true
    return found.row ~= nil
  end

  local function place(case)
    case.count = case.count + 1
    local order = { account = one_of { "", "blue" }, state = "queued",
      key = "key " .. case.count, label = one_of { "draft", "final" },
      currency = one_of(currencies), cost = choose(5) - 1, changed = case.now }
    order.ledger = case.ledgers[order.account]
    local way = one_of { "begin", "begin", "batch", "admit" }
    if ways[way](case, order) then
      table.insert(case.model.orders, order)
    end
  end

  local function set_limit(case)
    local scope = one_of(scopes)
    local limit = { kind = one_of(kinds), scope = scope[1], value = scope[2],
      cap = choose(8) > 1 and choose(20) - 1 or nil, currency = "USD",
      refunds = choose(2) - 1 }
    assert(case.ledgers[""]:set_limits { limit })
    case.model.limits[key_of(limit)] = limit.cap and limit or nil
    for _, other in pairs(case.model.limits) do
      case.model:count_open(other, case.now)
    end
  end

  local function submit(case, order)
    local fits = case.model:fits(order, case.now)
    if not fits then
      case.model:free_overdue(case.now)
      fits = case.model:fits(order, case.now)
    end
    local row, err = order.ledger:submitting(order.row)
    assert.equal(fits, row ~= nil, tostring(err))
    if row then
      order.row = row
      case.model:move(order, "submitting", case.now)
    else
      assert.equal("limited", err.kind)
    end
  end

  local steps = {}

  function steps.unsent(_, order)
    order.row = assert(order.ledger:unsent(order.row, "refused"))
    order.ledger:release(order.row)
    return order.in_queue and "queued" or "prepared"
  end

  -- Somebody sends it by its key, with another label, and may wait for it himself.
  function steps.again(_, order)
    order.label = one_of { "draft", "final" }
    order.in_queue = choose(2) == 1
    local verdict
    verdict, order.row = order.ledger:begin(wanted(order,
      { keeps = not order.in_queue }), {})
    assert.equal("send", verdict)
    return "prepared"
  end

  function steps.deleted(case, order)
    if not order.is_caller then
      return steps.abandoned(case, order)
    end
    assert.is_true(order.ledger:delete_request(order.row.order_id))
    return "abandoned"
  end

  function steps.abandoned(_, order)
    order.row = assert(order.ledger:dismiss(order.row.order_id))
    return "abandoned"
  end

  local function resolve(state)
    return function(case, order)
      order.task_id = state == "accepted" and "task " .. tostring(order)
        .. case.count or nil
      order.row = assert(order.ledger:resolve(order.row, state,
        { task_id = order.task_id }))
      return state
    end
  end

  local function see(state)
    return function(_, order)
      assert(order.ledger:seen { id = order.task_id, status = state })
      return state
    end
  end

  for _, state in ipairs { "accepted", "unknown", "refused" } do
    steps[state] = resolve(state)
  end
  for _, state in ipairs { "completed", "failed", "cancelled" } do
    steps[state] = see(state)
  end

  local function live(case)
    local order = one_of(case.model.orders)
    local next_state = order and lives[order.state]
      and one_of(lives[order.state])
    if next_state == "submitting" then
      submit(case, order)
    elseif next_state then
      case.model:move(order, steps[next_state](case, order), case.now)
      order.changed = case.now
    end
  end

  local function compare(case)
    local found = 0
    for _, row in ipairs(assert(case.ledgers[""]:limits())) do
      local limit = case.model.limits[row.name]
      assert.truthy(limit, row.name)
      assert.equal(case.model:used(limit, case.now), row.used, row.name)
      assert.equal(limit.kind == "open" and 0 or case.model:waiting(limit),
        row.waiting, row.name)
      found = found + 1
    end
    for _ in pairs(case.model.limits) do
      found = found - 1
    end
    assert.equal(0, found)
  end

  it("let through, and have used, what a simple model says", function()
    for number = 1, HISTORIES do
      local case = new_case(number)
      place(case)
      for _ = 1, STEPS do
        local chance = choose(20)
        if chance <= 4 then
          place(case)
        elseif chance == 5 then
          set_limit(case)
        elseif chance == 6 then
          case.now = case.now + one_of { 60, 900, 1800, DAY / 2 }
        else
          live(case)
        end
        compare(case)
      end
      for _, ledger in pairs(case.ledgers) do
        ledger:close()
      end
    end
  end)
end)
