--- What must hold of a ledger, whatever stands in its rows and whatever is
-- told to it.

local schema = require "starvideos.ledger.schema"
local errors = require "starvideos.errors"
local json = require "starvideos.base.json"
local ledgers = require "starvideos.ledger"
local mutation = require "spec.fixtures.mutation"
local operations = require "starvideos.provider.operations"
local record = require "starvideos.ledger.record"
local task_reader = require "starvideos.provider.answer"
local tasks = require "starvideos.base.task"

local CASES = 2000

local choose, one_of = mutation.choose, mutation.one_of

local params = '{"model":"videos","prompt":"a city","duration":5}'

local answers = {
  '{"id":"%s","status":"queued"}', '{"id":"%s","status":"failed","error":"no"}',
  '{"id":"%s","status":"completed","video_url":"https://cdn.test/1.mp4"}',
  '{"code":0,"data":{"id":"%s","status":"processing"}}',
}

-- The orders of these specs are found by these.
local names = { order_id = true, order_key = true, task_id = true }

local spoilt = schema.columns_where(function(column)
  return not names[column.name]
end)

local values = { "", " ", "text", "accepted", "unknown", "submitting",
  "dreaming", "null", "[]", "{", '{"prompt":7}', "[1,2]", "7", "-1", "1e999",
  "0x10", "host boot 1 2 3", "a b c d e f", "\255\254", ("x"):rep(5000), 0, 1,
  -1, 0.5, 2 ^ 53, 2 ^ 63, 1e300, 1 / 0, -1 / 0, 1700000000, true, false }

-- How far an order comes before anything goes wrong.
local lives = {
  {}, { "submitting" }, { "submitting", "unknown" },
  { "submitting", "refused" },
  { "submitting", "accepted" }, { "submitting", "accepted" },
  { "submitting", "accepted", "seen" },
  { "submitting", "accepted", "seen", "downloaded" },
}

local steps = {
  submitting = function(case)
    return case.ledger:submitting(case.row)
  end,
  unknown = function(case)
    return case.ledger:resolve(case.row, "unknown", { error = "?",
      task_id = case.id })
  end,
  refused = function(case)
    return case.ledger:resolve(case.row, "refused", { error = "no",
      task_id = case.id })
  end,
  accepted = function(case)
    return case.ledger:resolve(case.row, "accepted", { task_id = case.id })
  end,
  seen = function(case)
    assert(case.ledger:seen { id = case.id, status = "completed" })
    return case.ledger:of_task(case.id)
  end,
  downloaded = function(case)
    assert(case.ledger:downloaded(case.id, { path = "a.mp4", bytes = 7,
      sha256 = ("0"):rep(64) }))
    return case.ledger:of_task(case.id)
  end,
}

local function wanted(case)
  return { key = case.key, model = "videos", params = params,
    base_url = "https://api.test", take = choose(2), waited = choose(4) == 1 }
end

local function live(case)
  local verdict
  case.holder = {}
  verdict, case.row = case.ledger:begin(wanted(case), case.holder)
  assert(verdict == "send")
  for _, name in ipairs(one_of(lives)) do
    case.row = assert(steps[name](case))
    case.recorded = case.recorded or case.row.task_id ~= nil
  end
end

-- As no program of ours would; what the database itself refuses stays.
local function spoil(case)
  for _ = 1, choose(3) do
    local value = choose(6) > 1 and one_of(values) or nil
    case.ledger.orders.store.database:run("UPDATE starvideos_orders SET " .. one_of(spoilt).name
      .. " = ? WHERE order_id = ?", value, case.row.order_id)
  end
end

local function odd_task(case)
  local body = mutation.json(one_of(answers):format(case.id))
  local task = task_reader.read(operations.query, { status = 200,
    body = body }, case.ledger.clock, case.id)
  return task or tasks.new({ id = case.id }, {})
end

local verdicts = { send = true, known = true, busy = true, unknown = true,
  conflict = true, spent = true, unsent = true, unlabelled = true,
  no_account = true }

-- Each returns what a caller would get.
local uses = {
  function(case)
    local verdict, row = case.ledger:begin(wanted(case), {})
    assert(verdict == nil or verdicts[verdict], verdict)
    return verdict and row, row
  end,
  function(case)
    return case.ledger:seen(odd_task(case))
  end,
  function(case)
    return case.ledger:placing(case.id, { path = "a.mp4", bytes = choose(99),
      sha256 = "0" })
  end,
  function(case)
    return case.ledger:downloaded(case.id, { path = one_of { "/a.mp4", "b" },
      bytes = choose(99) })
  end,
  function(case)
    return case.ledger:resolve(case.row, one_of { "accepted", "refused",
      "unknown" }, { task_id = case.recorded and case.id or nil })
  end,
  function(case)
    return case.ledger:submitting(case.row)
  end,
  function(case)
    return case.ledger:unsent(case.row, "refused", choose(2) == 1 and 1 or nil)
  end,
  function(case)
    return case.ledger:dismiss(case.row.order_id)
  end,
  function(case)
    return case.ledger:adopt(case.row.order_id, case.id)
  end,
  function(case)
    return case.ledger:pending(10)
  end,
}

local kinds = { ledger = true, validation = true, not_found = true }

local function check_use(case, use)
  local result, err = use(case)
  assert(result ~= nil or errors.is(err) and kinds[err.kind],
    "neither a result nor an error of the ledger's: " .. tostring(err))
end

-- Every order of the task can be shown, and one of them is there.
local function check_kept(case)
  local rows = assert(case.ledger.orders.store:all("task", case.id))
  assert(#rows > 0 or not case.recorded, "the task is lost")
  for _, row in ipairs(rows) do
    local order = case.ledger.order_of(row)
    assert(order.task_id == case.id and type(order.params) == "table")
    assert(type(json.encode(order.params)) == "string")
    assert(record.task(row).id == case.id)
  end
end

local function check_case(case)
  live(case)
  spoil(case)
  check_kept(case)
  for _ = 1, choose(4) do
    check_use(case, one_of(uses))
    check_kept(case)
  end
end

local function check_all()
  local now = 1795000000
  local ledger = ledgers.new { address = ":memory:", timeout = 60,
    clock = function()
      now = now + 1
      return now
    end, random = function()
      return 0.5
    end }
  for number = 1, CASES do
    local case = { ledger = ledger, key = "key-" .. number,
      id = "video_" .. number }
    local ok, why = pcall(check_case, case)
    if not ok then
      error(("SEED=%d, case %d: %s"):format(mutation.seed, number,
        tostring(why)), 0)
    end
    assert(ledger.orders.store.database:run "DELETE FROM starvideos_orders")
  end
  ledger:close()
end

describe(("with %d rows gone wrong (SEED=%d), a ledger"):format(CASES,
  mutation.seed), function()
  it("raises nothing and loses no task", check_all)
end)
