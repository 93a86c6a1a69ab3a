-- How long small answers of some servers take, asked in turn, so that what the
-- machine is doing counts for all of them.

local figure = require "spec.bench.figure"
local shell = require "starvideos.nginx.shell"

local _M = {}

local ROUNDS, SECONDS, MICROSECONDS = 9, 2, 500

local BUILD = [[
cc -std=gnu99 -O2 -o @folder@/pinger spec/bench/hosts/nginx/pinger.c]]

local Pinger = {}
Pinger.__index = Pinger

-- Percentiles of the answers of each server.
local function ping(self)
  local text = shell.read(("%s/pinger %s %g %g %s"):format(self.folder,
    self.path, SECONDS, MICROSECONDS, table.concat(self.ports, " ")))
  local found = {}
  for middle, p99, p999, longest in
    text:gmatch "(%S+) (%S+) (%S+) (%S+) %d+" do
    found[#found + 1] = { middle = tonumber(middle), p99 = tonumber(p99),
      p999 = tonumber(p999), longest = tonumber(longest) }
  end
  assert(#found == #self.ports, "a server did not answer")
  return found
end

--- Ask for a while.
-- @treturn table of each server, in their order, the medians of `middle`, `p99` and
--   `p999`, and the `longest` of all; microseconds
function Pinger:ask()
  local columns = {}
  for server = 1, #self.ports do
    columns[server] = { middle = {}, p99 = {}, p999 = {}, longest = {} }
  end
  for round = 1, ROUNDS do
    for server, found in ipairs(ping(self)) do
      for name, value in pairs(found) do
        columns[server][name][round] = value
      end
    end
  end
  for _, column in ipairs(columns) do
    column.longest = math.max(unpack(column.longest))
    for _, name in ipairs { "middle", "p99", "p999" } do
      column[name] = figure.median(column[name])
    end
  end
  return columns
end

--- For how many seconds `ask` does.
_M.SECONDS = ROUNDS * SECONDS

--- Make one.
-- @tparam string folder for the program
-- @tparam string path that the servers answer with 200
-- @tparam table ports of 127.0.0.1
-- @treturn table pinger
function _M.new(folder, path, ports)
  assert(shell.run(shell.fill(BUILD, { folder = folder })))
  return setmetatable({ folder = folder, path = path, ports = ports }, Pinger)
end

return _M
