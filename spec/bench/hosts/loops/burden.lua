-- A client with a thousand waits and sixteen downloads under way, that orders
-- a video over a connection of its own whenever it is told to.

local starvideos = require "starvideos"

local WAITS, DOWNLOADS = 1000, 16

-- Seconds; the provider asks for three times as many at least.
local INTERVAL = 10

local _M = {}

local function note(counts)
  return function(handle)
    if handle.err and handle.err.kind ~= "cancelled" then
      counts.failed = counts.failed + 1
      io.stderr:write(tostring(handle.err), "\n")
    end
  end
end

local function begin_waits(client, counts)
  local function polled()
    counts.polls = counts.polls + 1
  end
  for index = 1, WAITS do
    client:async(function()
      return client:wait("video_" .. index, { interval = INTERVAL,
        max_interval = INTERVAL, timeout = 3600, on_progress = polled,
        first_poll = INTERVAL * index / WAITS })
    end):on_done(note(counts))
  end
end

local function begin_downloads(client, url, folder, counts)
  for index = 1, DOWNLOADS do
    client:async(function()
      return client:download({ id = "video_" .. index, status = "completed",
        video_url = url .. "/large.mp4" }, ("%s/%d.mp4"):format(folder, index))
    end):on_done(note(counts))
  end
end

--- Take up the burden.
-- @tparam string url of the provider
-- @tparam string folder for what is downloaded
-- @tparam table counts in which `polls`, `orders` and `failed` are counted
-- @treturn table client, under way once a loop looks after it
-- @treturn function that orders a video
function _M.take(url, folder, counts)
  local client = assert(starvideos.new { runtime = "poll", api_key = "key",
    base_url = url })
  begin_waits(client, counts)
  begin_downloads(client, url, folder, counts)
  return client, function()
    client:async(function()
      local task, err = client:create { model = "videos", duration = 5,
        prompt = "A kite" }
      counts.orders = counts.orders + (task and 1 or 0)
      return task, err
    end):on_done(note(counts))
  end
end

return _M
