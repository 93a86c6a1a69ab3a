-- The command `batch` is killed over and over again, alone or beside another one
-- of the same list, and started again: each line is bought at most once, what
-- nobody knows of is marked as unknown, and all others are saved whole.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local stages = require "spec.fleet.stage"

local _M = {}

local SIGKILL = 9

-- Of all rounds, so many have two commands.
local PAIRS = 0.2

-- Seconds that a command lives at the longest beyond its start.
local LIFE = 1.2

local INTERVAL = 0.2

-- Its last runs: what was stopped in one is found by the next.
local LAST_RUNS, LAST_SECONDS = 2, 600

local COMMAND = "starvideos batch @list@ -o @videos@ --ledger @ledger@"
  .. " --yes --claims 3 --interval @interval@ --max-interval @interval@"

-- What happens to some of the lines, by the last digits of their numbers.
local MISHAPS, CYCLE = { [3] = "failed", [5] = "media_truncated",
  [7] = "create_project_id", [13] = "link_expired" }, 20

local function write_list(path, count)
  local lines = {}
  for number = 1, count do
    local mishap = MISHAPS[number % CYCLE]
    local name = ("scene-%04d"):format(number)
    lines[number] = (json.encode { model = "videos", duration = 4,
      path = name .. ".mp4", key = name,
      prompt = name .. (mishap and " [scenario:" .. mishap .. "]" or "") })
  end
  files.write(path, table.concat(lines, "\n") .. "\n")
end

local Batch = {}
Batch.__index = Batch

local function start(self)
  self.count = self.count + 1
  return self.stage:start(COMMAND, { name = "batch-" .. self.count,
    list = self.list, ledger = self.stage.ledger, interval = INTERVAL,
    videos = self.stage.folder .. "/videos" })
end

local function pause(self, seconds)
  self.stage:wait(seconds, function() return false end)
end

local function round(self)
  local commands = { start(self) }
  if math.random() < PAIRS then
    commands[2] = start(self)
  end
  pause(self, self.startup * math.random() + LIFE * math.random() ^ 2)
  for _, command in ipairs(commands) do
    if not self.stage:ended(command) then
      self.stage:signal(command, SIGKILL)
    end
  end
  self.stage:join(commands, 10)
  for _, command in ipairs(commands) do
    local was_killed = command.status == 128 + SIGKILL
    self.kills = self.kills + (was_killed and 1 or 0)
    self.ended = self.ended + (was_killed and 0 or 1)
  end
end

-- Seconds until the first order of a new list arrives.
local function measure_startup(self)
  local began, command = core.now(), start(self)
  self.stage:wait(60, function()
    return self.stage:record().creates > 0
  end)
  self.startup = core.now() - began
  self.stage:signal(command, SIGKILL)
  self.stage:join({ command }, 10)
end

-- 0, or the code that says that of some orders nobody knows the outcome.
local function finish(self)
  local command
  for _ = 1, LAST_RUNS do
    command = start(self)
    self.stage:join({ command }, LAST_SECONDS)
  end
  return command.status
end

local function report_on(self, report, sizes, status)
  local found = self.stage:compare()
  report:print("batch_kills", self.kills, "kills", ">= " .. sizes.batch_kills)
  report:print("batch_startup", self.startup, "s")
  report:print("batch_last_status", status, "")
  for _, name in ipairs { "billed", "downloaded", "unknown" } do
    report:print("batch_" .. name, found[name], "orders")
  end
  report:print("batch_orders", found.orders, "orders", "<= " .. sizes.lines)
  report:print("batch_all_orders", found.orders, "orders",
    ">= " .. sizes.lines)
  report:print_none("batch_", found, { "lost", "double", "broken",
    "unfinished" }, "orders")
end

local function environment(stage)
  local process = require "spec.fixtures.process"
  process.set("STARVIDEOS_API_KEY", stage.sandbox.key)
  process.set("STARVIDEOS_BASE_URL", stage.sandbox.base_url)
end

function _M.run(report, sizes)
  local stage = stages.new { sandbox = { seconds = 1, queued_seconds = 0.2,
    link_seconds = 36000, memory = "128m",
    scenario = "create_slow=0.03,query_slow=0.01,media_slow=0.1" } }
  return stages.use(stage, function()
    local self = setmetatable({ stage = stage, count = 0, kills = 0, ended = 0,
      list = stage.folder .. "/list.jsonl" }, Batch)
    environment(stage)
    write_list(self.list, sizes.lines)
    measure_startup(self)
    -- A run of a list that is done ends soon, but can still be killed.
    while self.kills < sizes.batch_kills and self.ended < 5 * sizes.lines do
      round(self)
    end
    report_on(self, report, sizes, finish(self))
  end)
end

return _M
