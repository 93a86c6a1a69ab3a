-- make bench-peers: queries by this library and by others, against the server of
-- the benchmarks. One JSON object a line; writes them and the machine's to
-- docs/performance.jsonl, and the page that tells of them. The exit code is 0
-- where every goal is met.
--
--   lua5.4 spec/bench/peers/run.lua [FILE ...]
--
-- with files of lines that other benchmarks have printed.

local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local list = require "spec.bench.peers.list"
local machine = require "spec.bench.peers.machine"
local page = require "spec.bench.peers.page"
local one_core = require "spec.bench.one_core"
local server = require "spec.bench.server"
local shell = require "starvideos.nginx.shell"

local ROUNDS, COUNT, AT_ONCE = 7, 2560, { one = 1, many = 64 }

local KEY = "sk-" .. ("0123456789abcdef"):rep(3)

local function versions()
  local known = {}
  for index = 2, #list do
    local peer = list[index]
    local version = shell.read(peer.command .. " 2>/dev/null")
    known[peer.name] = version ~= "" and version or nil
    if version == "" then
      io.stderr:write(peer.name, " is not here and left out\n")
    end
  end
  return known
end

-- Microseconds of the wall clock and of the processor, each for one request.
local function measure(peer, way, url)
  local text = shell.read(("%s '%s' %s %d %d %s"):format(peer.command, url, KEY,
    COUNT, AT_ONCE[way], peer.way or ""):gsub("%s+$", ""))
  local wall, cpu = text:match "^(%S+) (%S+)$"
  assert(wall, peer.name .. " did not finish")
  return wall / COUNT * 1e6, cpu / COUNT * 1e6
end

-- All in turns, so that they meet the same machine.
local function rounds_of(way, peers, url)
  local rounds = {}
  for _, peer in ipairs(peers) do
    rounds[peer] = { wall = {}, cpu = {}, ratio = {}, cpu_ratio = {} }
  end
  for round = 1, ROUNDS do
    local plain
    for _, peer in ipairs(peers) do
      local row, wall, cpu = rounds[peer], measure(peer, way, url)
      plain = plain or { wall = wall, cpu = cpu }
      row.wall[round], row.cpu[round] = wall, cpu
      row.ratio[round], row.cpu_ratio[round] = wall / plain.wall, cpu / plain.cpu
    end
  end
  return rounds
end

-- How many times what another takes, in each round.
local function compared(row, other)
  local ratios = {}
  for round = 1, ROUNDS do
    ratios[round] = row.wall[round] / other.wall[round]
  end
  return ratios
end

-- The lines of one way, and whether their goals are met.
local function lines_of(way, peers, rounds, lines)
  local all = true
  local function add(name, value, unit, goal)
    local line, met = figure.line(name, value, unit, goal)
    print(line)
    lines[#lines + 1] = line
    all = met and all
  end
  local best
  for _, peer in ipairs(peers) do
    best = peer.name == "lua_curl" and peer or best
  end
  for _, peer in ipairs(peers) do
    local row = rounds[peer]
    local name = ("peers_%s_%s"):format(way, peer.name)
    add(name, figure.median(row.wall), "us")
    add(name .. "_cpu", figure.median(row.cpu), "us")
    add(name .. "_ratio", figure.median(row.ratio), "x")
    add(name .. "_cpu_ratio", figure.median(row.cpu_ratio), "x")
    if peer.goals and peer.goals[way] and best then
      add(name .. "_to_lua_curl", figure.median(compared(row, rounds[best])), "x",
        peer.goals[way])
    end
  end
  return all
end

local function measure_way(way, known, lines, running)
  local peers = {}
  for index, peer in ipairs(list) do
    if peer[way] and (index == 1 or known[peer.name]) then
      peers[#peers + 1] = peer
    end
  end
  local rounds = rounds_of(way, peers, running.base_url .. "/v1/result/video_1")
  return lines_of(way, peers, rounds, lines)
end

local function write(lines)
  for _, path in ipairs(arg) do
    for line in assert(files.read(path), path):gmatch "[^\n]+" do
      if line:find '^{"name"' then
        lines[#lines + 1] = line
      end
    end
  end
  local text = table.concat(lines, "\n") .. "\n"
  files.write("docs/performance.jsonl", text)
  files.write("docs/performance.md", page.render(text))
end

local known = versions()
local lines = { json.encode { machine = machine(known) } }
local one = one_core(function(running)
  return measure_way("one", known, lines, running)
end)
local many = server.with(function(running)
  return measure_way("many", known, lines, running)
end)
write(lines)
os.exit(one and many, true)
