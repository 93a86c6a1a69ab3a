-- make faults: how many POSTs an order came to under each fault of the table,
-- in each state of the connections; one JSON object a line. The exit code is 0
-- where every goal is met.

local faults = require "spec.faults.table"
local figure = require "spec.bench.figure"
local servers = require "spec.faults.server"
local trials = require "spec.faults.trial"

local function posts_of(server, cell)
  local trial = trials.begin(server, cell)
  local _, err = trials.operate(trial)
  trials.finish(server, trial)
  return #trials.posts(trial), not err or err.sent ~= false
end

local function measure(server)
  local seen = { orders = 0, sent = 0, unsent = 0, refused = 0 }
  for _, cell in ipairs(trials.cells(faults)) do
    if cell.operation == "create" then
      local posts, sent = posts_of(server, cell)
      local group = not sent and "unsent" or cell.fault.refuses and "refused"
        or "sent"
      seen.orders = seen.orders + 1
      seen[group] = math.max(seen[group], posts)
    end
  end
  return seen
end

local server = servers.start()
local done, seen = xpcall(measure, debug.traceback, server)
server:stop()
if not done then
  error(seen, 0)
end
figure.print("orders placed under a fault", seen.orders, "orders")
local met = figure.print("POSTs of one order, most under any fault", seen.sent,
  "POSTs", "<= 1")
met = figure.print("POSTs of one order that was not sent", seen.unsent, "POSTs",
  "<= 0") and met
figure.print("POSTs of one order that was refused with 429 each time",
  seen.refused, "POSTs")
os.exit(met, true)
