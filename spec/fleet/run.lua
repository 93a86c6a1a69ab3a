-- make fleet: many processes on one ledger, against a sandbox that keeps its own
-- record of what was bought, polled and broken.
--
--   lua5.4 spec/fleet/run.lua [SCALE] [SEED] [PART ...]
--
-- SCALE is the number of orders that the workers share; 10,000 makes it the whole
-- of every part. Prints one JSON object a line, then "N passed, N failed"; ends
-- with 0 where every goal is met.

local reports = require "spec.fleet.report"

-- A seed that was not given is below this, so that it can be read off a figure.
local SEEDS = 10000

local FULL = 10000

-- As much of a whole as of all orders, but not less than `least`.
local function part_of(scale, whole, least)
  return math.max(least, math.min(whole,
    math.floor(whole * scale / FULL + 0.5)))
end

local scale, seed = tonumber(arg[1]) or FULL, tonumber(arg[2])
seed = seed or os.time() % SEEDS

local sizes = {
  seed = seed,
  orders = scale,
  kills = part_of(scale, 1000, 8),
  apart = scale >= FULL / 10,
  processes = part_of(scale, 50, 8),
  cap = part_of(scale, 500, 20),
  lines = part_of(scale, 1000, 12),
  batch_kills = part_of(scale, 500, 6),
  queue = part_of(scale, 100000, 2000),
  restored = part_of(scale, 200, 8),
  calls = part_of(scale, 1000000, 12000),
  pooled = part_of(scale, 500, 20),
}

local wanted = { select(3, (table.unpack or unpack)(arg)) }
if not wanted[1] then
  wanted = { "queue", "crowd", "kills", "cap", "batch", "stops", "calls", "pooler" }
end

math.randomseed(seed)
io.stdout:setvbuf "line"
local report = reports.new "fleet_"
report:print("seed", seed, "")
for _, name in ipairs(wanted) do
  local done, why = xpcall(require("spec.fleet." .. name).run,
    debug.traceback, report, sizes)
  if not done then
    report:fail(name, why)
  end
end
print(("%d passed, %d failed"):format(report.passed, report.failed))
os.exit(report.failed == 0 and report.passed > 0, true)
