-- A process whose orders live by chance under the limits of its ledger, as
-- spec/integration/limits_spec.lua starts two at a time:
--
--   lua5.4 spec/ledger/limited_lives.lua LEDGER FOLDER NAME COUNT
--
-- It leaves a line in FOLDER/ready, waits until somebody opens the pipe FOLDER/go,
-- and takes COUNT steps. It writes what was sent to FOLDER/outcomes.

local core = require "starvideos.core"
local ledgers = require "starvideos.ledger"

local address, folder, name, count = ...
math.randomseed(os.time() + name * 1009)

local function note(file, text)
  local handle = assert(io.open(folder .. "/" .. file, "ab"))
  handle:write(text, "\n")
  handle:close()
end

local ledger = assert(ledgers.new { address = address, clock = core.time,
  random = math.random, timeout = 60, account = name == "1" and "blue" or nil,
  base_url = "here" })

local orders = {}

local function place(index)
  local verdict, row = ledger:begin({ key = name .. " " .. index, take = 1,
    params = "{}", base_url = "here", cost = math.random(0, 3), currency = "USD",
    label = math.random(2) == 1 and "draft" or nil }, {})
  assert(verdict == "send", verdict)
  orders[#orders + 1] = row
end

local steps = {}

function steps.prepared(row)
  local after, err = ledger:submitting(row)
  assert(after or err.kind == "limited", tostring(err and err.message))
  note("outcomes", after and "sent" or "limited")
  return after or row
end

function steps.submitting(row)
  local chance = math.random(6)
  if chance == 1 then
    return assert(ledger:unsent(row, "refused"))
  end
  local state = chance == 2 and "refused" or chance == 3 and "unknown" or "accepted"
  return assert(ledger:resolve(row, state, { task_id = state == "accepted"
    and "task of " .. row.order_id or nil }))
end

function steps.accepted(row)
  assert(ledger:seen { id = row.task_id,
    status = math.random(3) == 1 and "failed" or "completed" })
end

function steps.unknown(row)
  assert(ledger:dismiss(row.order_id))
end

note("ready", name)
assert(io.open(folder .. "/go", "rb")):close()
for index = 1, tonumber(count) do
  if math.random(3) == 1 or not orders[1] then
    place(index)
  else
    local which = math.random(#orders)
    local row = orders[which]
    local after = steps[row.state] and steps[row.state](row)
    if after then
      orders[which] = after
    else
      table.remove(orders, which)
    end
  end
end
ledger:close()
