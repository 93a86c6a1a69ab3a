-- What the library adds to a query: against a C program that reuses one easy
-- handle and reads nothing, in turns, so that both meet the same machine.

local core = require "starvideos.core"
local figure = require "spec.bench.figure"
local starvideos = require "starvideos"

local ROUNDS, COUNT = 15, 2000
-- As long as a real one: a shorter one would spare the search for it in what
-- comes back.
local KEY = "sk-" .. ("0123456789abcdef"):rep(3)

local function plain(url)
  local process = assert(io.popen(("build/bench/query_plain '%s' %s %d")
    :format(url, KEY, COUNT)))
  local seconds = assert(tonumber(process:read("*a")))
  process:close()
  return seconds / COUNT * 1e6
end

local function ours(client)
  assert(client:query("video_1"))
  local start = core.now()
  for _ = 1, COUNT do
    assert(client:query("video_1"))
  end
  return (core.now() - start) / COUNT * 1e6
end

return function(server)
  local client = assert(starvideos.new { api_key = KEY,
    base_url = server.base_url })
  local url = server.base_url .. "/v1/result/video_1"
  local floor, cost, ratio = {}, {}, {}
  for round = 1, ROUNDS do
    floor[round] = plain(url)
    cost[round] = ours(client)
    ratio[round] = cost[round] / floor[round]
  end
  client:close()
  figure.print("query_plain_libcurl", figure.median(floor), "us")
  figure.print("query", figure.median(cost), "us")
  return figure.print("query_ratio", figure.median(ratio), "x", "<= 1.25")
end
