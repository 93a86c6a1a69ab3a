-- This library. The answers of tasks that have ended let `wait_all` return at once.

local starvideos = require "starvideos"
local stopwatch = require "spec.bench.peers.stopwatch"

local url, key, way = arg[1], arg[2], arg[5]

local client = url and assert(starvideos.new { api_key = key,
  base_url = url:match "^(.*)/v1/", poll_rate = 1e6,
  runtime = way == "poll" and "poll" or "block" })

local function one_by_one(count)
  for _ = 1, count do
    assert(client:query "video_1")
  end
end

local function wait_all(count, at_once)
  local ids = {}
  for index = 1, at_once do
    ids[index] = "ended_" .. index
  end
  for _ = 1, count / at_once do
    for _, result in ipairs(client:wait_all(ids, { first_poll = 0 })) do
      assert(result.task, result.err)
    end
  end
end

local function coroutines(count, at_once)
  for _ = 1, at_once do
    client:async(one_by_one, count / at_once):on_done(function(handle)
      assert(not handle.err, handle.err)
    end)
  end
  client:run()
end

stopwatch {
  version = function() return "starvideos " .. starvideos._VERSION end,
  one_by_one = one_by_one,
  side_by_side = way == "poll" and coroutines or wait_all,
}
