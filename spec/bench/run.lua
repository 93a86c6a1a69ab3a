-- make bench: one JSON object a line; the exit code is 0 where every goal is
-- met.

local server = require "spec.bench.server"

local parts = {
  require "spec.bench.load", require "spec.bench.validate",
  require "spec.bench.query", require "spec.bench.create",
  require "spec.bench.overshoot",
  require "spec.bench.ledger", require "spec.bench.queue",
  (require "spec.bench.download"),
}

local running = server.start()
local done, met = xpcall(function()
  local all = true
  for _, part in ipairs(parts) do
    all = part(running) and all
  end
  return all
end, debug.traceback)
running:stop()
if not done then
  error(met, 0)
end
os.exit(met, true)
