-- make torture: a program that orders through a ledger is killed over and over
-- again, or stopped for days; then the ledger and the files are compared with the
-- sandbox's own record.
--
--   lua5.4 spec/torture/run.lua [KILLS] [SEED] [FAULT]
--
-- Prints one JSON object a line and ends with 0 where every goal is met.
-- FAULT breaks the ledger on purpose, see `spec.torture.faults`.

local audit = require "spec.torture.audit"
local figure = require "spec.bench.figure"
local nginx = require "starvideos.sandbox.nginx"
local phases = require "spec.torture.phases"
local rounds = require "spec.torture.rounds"
local shell = require "starvideos.nginx.shell"
local stage = require "spec.torture.stage"

-- A seed that was not given is below this, so that it can be read off a figure.
local SEEDS = 10000

-- Undisturbed runs at the end of a part.
local LAST_RUNS = 3

-- Bytes that are left on the small disk, and that a file may grow by where
-- there is none.
local LEAST_ROOM, MOST_ROOM = 4096, 200000

-- Every answer takes long enough to be met by a kill.
local SANDBOX = { tls = true, drawn = false, seconds = 0.15,
  queued_seconds = 0.05, link_seconds = 36000, memory = "256m",
  scenario = "create_slow=0.03,query_slow=0.02,media_slow=0.08" }

-- One process at a time, to each kill its round.
local function alone(torture, kills)
  while torture.kills < kills do
    torture:round(1)
  end
end

local function in_pairs(torture, kills)
  while torture.kills < kills do
    torture:round(2)
  end
end

-- A disk of a few hundred kilobytes, mostly taken by a filler.
local function on_small_disk(torture, kills, folder)
  while torture.kills < kills do
    shell.run(shell.fill("left=@left@;"
      .. " room=$(df --output=avail -B1 @folder@ | tail -n 1);"
      .. " head -c $((room - left)) /dev/zero >@folder@/filler 2>&-",
      { folder = folder, left = math.random(LEAST_ROOM, MOST_ROOM) }))
    torture:round(math.random(2))
    os.remove(folder .. "/filler")
  end
end

-- Without the right to mount one: no file may grow beyond a size. A file is
-- as full then as it is on a full disk.
local function under_a_limit(torture, kills, folder)
  while torture.kills < kills do
    local size = tonumber((shell.read(shell.fill(
      "stat -c %s @folder@/ledger.db @folder@/ledger.db-wal 2>&- | sort -n"
      .. " | tail -n 1", { folder = folder })))) or 0
    torture.before = ("trap '' XFSZ; ulimit -f %d"):format(
      math.floor((size + math.random(LEAST_ROOM, MOST_ROOM)) / 512))
    torture:round(math.random(2))
  end
end

-- Stopped, and continued when its lease is over. The clocks of all processes
-- leap, those of the last runs too.
local function stopped(torture, stops, folder)
  local path = folder .. ".kernel.so"
  assert(shell.run(shell.fill("cc -shared -fPIC -O1 -o @path@"
    .. " spec/fixtures/kernel.c", { path = path })))
  torture.before = shell.fill("export LD_PRELOAD=@path@ SLEPT=@leaps@.slept"
    .. " STOPPED=@leaps@.stopped", { path = path, leaps = torture.leaps })
  while torture.stops + torture.kills < stops do
    torture:stop()
  end
end

-- Each part: its name, its share of the kills, what it does.
local PARTS = {
  { "alone", 0.45, alone },
  { "pair", 0.4, in_pairs },
  { "disk", 0.05, on_small_disk, is_small = true },
  { "limit", 0.05, under_a_limit },
  { "stopped", 0.05, stopped },
}

-- Room for the ledger, and for the video of every round.
local DISK, VIDEO = 6000000, 40000

-- Mounts need rights that not everybody has.
local function mount(folder, kills)
  return shell.run(shell.fill("mount -t tmpfs -o size=@size@ tmpfs @folder@"
    .. " 2>&-", { folder = folder, size = DISK + kills * VIDEO }))
end

local function prepare(server, part, folder, fault)
  assert(shell.run(shell.fill("mkdir @folder@ @folder@.marks"
    .. " && ln -s @folder@ @folder@.link",
    { folder = folder })))
  stage.write_settings(folder .. ".json", server, fault, {
    ledger = folder .. "/ledger.db", folder = folder,
    prefix = part[1] .. "-", marks = folder .. ".marks" })
end

-- What a part comes to: its kills, and the books once it has settled.
local function work(part, folder, kills)
  local torture = rounds.new { lua = arg[-1] or "lua5.4",
    settings = folder .. ".json", log = folder .. ".log",
    marks = folder .. ".marks", leaps = folder }
  part[3](torture, kills, folder)
  torture:finish(LAST_RUNS)
  torture.rows, torture.health = audit.rows(folder .. "/ledger.db")
  torture.digests = audit.digests(folder)
  return torture
end

local function run_part(server, part, folder, kills, fault)
  prepare(server, part, folder, fault)
  local mounted = part.is_small and mount(folder, kills)
  if part.is_small and not mounted then
    return nil
  end
  local ok, torture = xpcall(work, debug.traceback, part, folder, kills)
  if mounted then
    shell.run(shell.fill("umount @folder@", { folder = folder }))
  end
  return assert(ok and torture, torture)
end

local function run_all(server, folder, kills, fault)
  local all, share = {}, 0
  for _, part in ipairs(PARTS) do
    share = share + part[2]
    local torture = run_part(server, part, folder .. "/" .. part[1],
      math.ceil(kills * share), fault)
    if torture then
      all[#all + 1], share = torture, 0
    else
      io.stderr:write("no right to mount a small disk: its kills go to the"
        .. " next part\n")
    end
  end
  return all
end

-- The books of all parts as one; keys and paths do not overlap.
local function joined(server, all)
  local own = debug.getinfo(nginx.start, "S").source:match "^@(.*)/[^/]*$"
  local clip = audit.digests(own .. "/../clip.mp4")
  local whole = stage.books(server)
  whole.clip = select(2, next(clip))
  for _, torture in ipairs(all) do
    stage.add(whole, torture.rows, torture.health)
    for path, digest in pairs(torture.digests) do
      whole.digests[path] = digest
    end
  end
  return whole
end

-- A kill in the middle of a create came before its request had arrived, or
-- after.
local function print_phases(all, tasks)
  local arrived, count = {}, {}
  for _, task in ipairs(tasks) do
    arrived[task.prompt:match "^%S+"] = true
  end
  for _, torture in ipairs(all) do
    for _, ending in ipairs(torture.ends) do
      local phase = ending.phase
      if phase == "create" then
        phase = arrived[ending.key] and "answer" or "connect"
      end
      count[phase] = (count[phase] or 0) + 1
    end
  end
  for _, phase in ipairs(phases.names) do
    figure.print("torture_kills_in_" .. phase, count[phase] or 0, "kills")
  end
end

local function sum(all, field)
  local total = 0
  for _, torture in ipairs(all) do
    total = total + torture[field]
  end
  return total
end

-- How often the program was told that there is no room.
local function count_full(folder)
  return tonumber((shell.read(shell.fill("cd @folder@ && cat *.log | grep -c -e"
    .. " 'is full' -e 'No space left' -e 'disk I/O' -e 'File too large'",
    { folder = folder }))))
end

local function report(server, folder, all, kills)
  local whole = joined(server, all)
  local found = stage.compare(whole)
  print_phases(all, whole.tasks)
  for _, name in ipairs { "orders", "billed", "downloaded", "unknown" } do
    figure.print("torture_" .. name, found[name], "orders")
  end
  figure.print("torture_told_full", count_full(folder), "errors")
  local stops = figure.print("torture_stops", sum(all, "stops"), "stops",
    ">= 1")
  local ok = figure.print("torture_kills", sum(all, "kills") + sum(all, "stops"),
    "kills and stops", ">= " .. kills) and stops
  ok = figure.print("torture_crashed", sum(all, "crashed"), "runs", "<= 0")
    and ok
  return stage.print_none("torture_", found,
    { "unfinished", "broken", "lost", "double" }) and ok
end

local kills, seed, fault = ...
kills = tonumber(kills) or 200
seed = tonumber(seed) or os.time() % SEEDS
math.randomseed(seed)
figure.print("torture_seed", seed, "")
stage.run(SANDBOX, fault, function(server, folder)
  return report(server, folder, run_all(server, folder, kills, fault), kills)
end)
