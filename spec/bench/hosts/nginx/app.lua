-- What nginx runs in the benchmark.

-- luacheck: read globals ngx
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local _M = {}

local INTERVAL = 30

local function settings()
  local file = assert(io.open(ngx.config.prefix() .. "settings.json"))
  local known = json.decode(file:read "*a")
  file:close()
  return known
end

local function new_client(base_url, poll_rate)
  return assert(starvideos.new { api_key = "key", base_url = base_url,
    ca_file = ngx.config.prefix() .. "ca.pem", poll_rate = poll_rate })
end

local function spawn(count, body)
  local threads = {}
  for index = 1, count do
    threads[index] = ngx.thread.spawn(body, index)
  end
  return threads
end

--- Waits that have been on for long, so that their polls are spread, and
-- downloads, for as long as the request that asked for them.
function _M.burden()
  local known = settings()
  local client = new_client(known.base_url)
  spawn(known.waits, function(index)
    client:wait("video_" .. index, { interval = INTERVAL, timeout = 3600,
      first_poll = INTERVAL * index / known.waits })
  end)
  spawn(known.downloads, function(index)
    local task = { id = "video_" .. index, status = "completed",
      video_url = known.video_url }
    assert(client:download(task, ("%sfiles/%d.mp4"):format(
      ngx.config.prefix(), index)))
  end)
end

local function measure(client, options)
  local now = require("starvideos.core").now
  local began, ends = now(), {}
  local threads = spawn(settings().waits, function(index)
    local task, err = client:wait("video_" .. index, options)
    ends[task and task.status or err.kind] =
      (ends[task and task.status or err.kind] or 0) + 1
  end)
  for _, thread in ipairs(threads) do
    ngx.thread.wait(thread)
  end
  ngx.say(json.encode { seconds = now() - began, ends = ends })
end

--- Waits that last two seconds, for their time is up then.
function _M.time_up()
  measure(new_client(settings().base_url, settings().poll_rate),
    { timeout = 2, first_poll = 2 })
end

--- Waits that last two seconds, for their tasks are completed then.
function _M.completed()
  measure(new_client(settings().done_url, settings().poll_rate),
    { timeout = 60, first_poll = 2 })
end

return _M
