-- A gigabyte, against the curl program, in turns. A download of ours is on
-- the disk when it returns, so curl's is synced before its time is taken.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"

local ROUNDS = 5
local MEGABYTES = 1024

local CURL = "curl --silent --fail --output '%s' '%s' && sync -d '%s'"
local OURS = "lua5.4 spec/bench/download_once.lua '%s' '%s' '%s'"

local function speed(run, path)
  os.remove(path)
  local start = core.now()
  local result = run()
  return MEGABYTES / (core.now() - start), result
end

local function by_curl(server, path)
  return speed(function()
    assert(os.execute(CURL:format(path, server.file_url, path)))
  end, path)
end

local function by_us(server, path)
  return speed(function()
    local process = assert(io.popen(OURS:format(server.file_url,
      server.small_url, path)))
    local growth = assert(tonumber(process:read("*a")))
    process:close()
    return growth
  end, path)
end

return function(server)
  local path = server.folder .. "/copy.mp4"
  local theirs, ours, ratio, growth = {}, {}, {}, {}
  for round = 1, ROUNDS do
    theirs[round] = by_curl(server, path)
    ours[round], growth[round] = by_us(server, path)
    ratio[round] = ours[round] / theirs[round]
  end
  figure.print("download_1gb_curl_program", figure.median(theirs), "MB/s")
  figure.print("download_1gb", figure.median(ours), "MB/s")
  local fast = figure.print("download_1gb_ratio", figure.median(ratio), "x",
    ">= 0.9")
  local small = figure.print("download_1gb_memory_growth",
    math.max(table.unpack(growth)), "MB", "< 2")
  return fast and small
end
