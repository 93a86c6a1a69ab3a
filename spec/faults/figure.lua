-- make faults: how many POSTs an order came to under each fault of the table,
-- in each state of the connections; one JSON object a line. The exit code is 0
-- where every goal is met.

local crowd = require "spec.faults.crowd"
local faults = require "spec.faults.table"
local figure = require "spec.bench.figure"
local servers = require "spec.faults.server"
local suspend = require "spec.faults.suspend"
local trials = require "spec.faults.trial"

local POSTS = "POSTs"

-- Of those that wait for a slot.
local CANCELLED = 8

local rows = {
  { "orders placed under a fault", "orders", "orders" },
  { "POSTs of one order, most under any fault", "sent", POSTS, "<= 1" },
  { "POSTs of one order after a refused stream or GOAWAY", "after", POSTS,
    "<= 1" },
  { "POSTs of one order that was not sent", "unsent", POSTS, "<= 0" },
  { "orders that waited for a slot: of unknown outcome", "unknown", "orders",
    "<= 0" },
  { "POSTs beyond one of each of them that was not cancelled", "more", POSTS,
    "<= 0" },
  { "POSTs of one order whose machine slept past its lease", "slept", POSTS,
    "<= 0" },
  { "POSTs of one order that was refused with 429 each time", "refused",
    POSTS },
}

local function posts_of(server, cell)
  local trial = trials.begin(server, cell)
  local _, err = trials.operate(trial)
  trials.finish(server, trial)
  return #trials.posts(trial), not err or err.sent ~= false
end

local function measure(server)
  local seen = { orders = 0, sent = 0, after = 0, unsent = 0, refused = 0 }
  for _, cell in ipairs(trials.cells(faults)) do
    if cell.operation == "create" then
      local posts, sent = posts_of(server, cell)
      local group = not sent and "unsent" or cell.fault.refuses and "refused"
        or cell.state.refuses and "after" or "sent"
      seen.orders = seen.orders + 1
      seen[group] = math.max(seen[group], posts)
    end
  end
  local came_to, record = crowd.order(server, CANCELLED)
  seen.unknown = came_to.outcome_unknown or 0
  seen.more = #record - (crowd.orders - CANCELLED)
  local _, slept = suspend.order(server)
  seen.slept = #slept
  return seen
end

local server = servers.start()
local done, seen = xpcall(measure, debug.traceback, server)
server:stop()
if not done then
  error(seen, 0)
end
local met = true
for _, row in ipairs(rows) do
  met = figure.print(row[1], seen[row[2]], row[3], row[4]) and met
end
os.exit(met, true)
