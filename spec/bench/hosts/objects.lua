-- How many objects a poll makes in Lua 5.4, which tells of each: half of what
-- it made when this was first counted.

local figure = require "spec.bench.figure"
local json = require "starvideos.base.json"
local provider = require "spec.bench.hosts.provider"
local shell = require "starvideos.nginx.shell"

local COMMAND = [[
eval "$(MAKEFLAGS= make -s env LUA=lua5.4)"
exec build/bench/objects spec/bench/hosts/objects_once.lua @url@ @ca_file@ @how@]]

local runs = {
  { how = "all", name = "poll_objects_wait_all", before = 21.9 },
  { how = "each", name = "poll_objects", before = 18.9 },
}

local function measure(server, run)
  local output = shell.read(shell.fill(COMMAND, { url = server.base_url,
    ca_file = server.ca_file, how = run.how }))
  local found = assert(json.decode(output), output)
  for _, kind in ipairs { "table", "string", "function", "userdata",
    "thread" } do
    figure.print(run.name .. "_" .. kind, found[kind], "objects")
  end
  return figure.print(run.name, found.all, "objects",
    ("<= %.4g"):format(run.before / 2))
end

io.stdout:setvbuf "line"
figure.exit(provider.start(), function(server)
  local met = true
  for _, run in ipairs(runs) do
    met = measure(server, run) and met
  end
  return met
end)
