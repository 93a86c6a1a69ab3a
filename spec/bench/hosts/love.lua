-- How long a game's `update` takes while a thousand waits, downloads and TLS
-- connects are under way; in LÖVE, on a display that nobody sees.

local c_locale = require "starvideos.base.c_locale"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local love = require "spec.fixtures.love"
local provider = require "spec.bench.hosts.provider"
local shell = require "starvideos.nginx.shell"

-- At 60 frames a second so long that there are ten thousand of them.
local SECONDS, LONG_SECONDS = 60, 170

-- With the system's authorities, for reading them is much of what a TLS connect
-- costs. A provider does not run on the player's machine, so the server is to
-- stand back.
local LAY_OUT = [[
renice -n 19 -g @pid@ >/dev/null && mkdir @folder@ @folder@/copies &&
cd @folder@ &&
cat /etc/ssl/certs/ca-certificates.crt @own@ >ca.pem]]

-- What counts is time that the game loses, whoever takes it: where another
-- program takes its processor away, the undisturbed updates tell ours from that.
local goals = { longest = "< 0.5", failed = "<= 0" }

-- A frame that was slept for finds nothing in the processor's caches: what the thread
-- itself takes then is what making a hundred tables takes in the same run, and so much.
local MORE = 0.15

-- A rate of 0: as fast as LÖVE's own loop goes where no screen holds it up.
local runs = {
  { name = "love_update", load = "ours", waits = "each", rate = 0,
    goals = goals },
  { name = "love_update_wait_all", load = "ours", waits = "all", rate = 0,
    goals = goals },
  { name = "love_60_hundred_tables", load = "tables", rate = 60,
    seconds = LONG_SECONDS, is_floor = true },
  { name = "love_60_update", load = "ours", waits = "each", rate = 60,
    seconds = LONG_SECONDS, beside_floor = true },
  { name = "love_60_update_wait_all", load = "ours", waits = "all",
    rate = 60, seconds = LONG_SECONDS, beside_floor = true },
  { name = "love_60_libcurl_inline", load = "inline", rate = 60 },
}

local function play(server, run)
  local seconds = run.seconds or SECONDS
  local well, printed = love.run(server.folder, "spec/bench/hosts/love", {
    arguments = { run.load, run.rate, seconds, server.folder .. "/result" },
    environment = { BENCH_URL = server.base_url,
      BENCH_FOLDER = server.folder .. "/copies",
      BENCH_WAITS = run.waits, SSL_CERT_FILE = server.folder .. "/ca.pem" },
    limit = seconds + 60,
  })
  assert(well, printed)
  shell.run(shell.fill("rm -f -- @folder@/copies/*", server))
  return json.decode(files.read(server.folder .. "/result"))
end

local rows = {
  { "count", "updates" }, { "median", "ms" }, { "p999", "ms" },
  { "longest", "ms" }, { "start_longest", "ms" },
  { "undisturbed_p999", "ms" }, { "undisturbed_longest", "ms" },
  { "cpu_p999", "ms" }, { "cpu_p9999", "ms" }, { "cpu_longest", "ms" },
  { "taken_away", "updates" }, { "waited", "updates" },
  { "polls", "polls" }, { "orders", "orders" }, { "failed", "operations" },
}

local function show(run, found)
  local met = true
  for _, row in ipairs(rows) do
    local name, unit = row[1], row[2]
    if found[name] then
      met = figure.print(run.name .. "_" .. name, found[name], unit,
        run.goals and run.goals[name]) and met
    end
  end
  return met
end

local function prepare(server)
  server.folder = server.prefix .. "/game"
  assert(shell.run(shell.fill(LAY_OUT, {
    folder = server.folder, own = server.ca_file, pid = server.pid })))
end

local function measure(server)
  prepare(server)
  local met, floor = true, nil
  for _, run in ipairs(runs) do
    local found = play(server, run)
    floor = run.is_floor and found or floor
    if run.beside_floor then
      run.goals = { failed = "<= 0",
        cpu_p999 = "<= " .. c_locale.number("%.4g", floor.cpu_p999 + MORE) }
    end
    met = show(run, found) and met
  end
  return met
end

io.stdout:setvbuf "line"
figure.exit(provider.start(), measure)
