-- The load on a client with the runtime of games.

local starvideos = require "starvideos"

local WAITS, DOWNLOADS = 1000, 16

-- Seconds: as often as the provider allows at most.
local INTERVAL = 30

local client, counts = nil, { polls = 0, orders = 0, failed = 0 }

local function note(handle)
  if handle.err and handle.err.kind ~= "cancelled" then
    counts.failed = counts.failed + 1
    io.stderr:write(tostring(handle.err), "\n")
  end
end

local function options(first_poll)
  return { interval = INTERVAL, max_interval = INTERVAL, timeout = 3600,
    first_poll = first_poll, on_progress = function()
      counts.polls = counts.polls + 1
    end }
end

local function ids()
  local list = {}
  for index = 1, WAITS do
    list[index] = "video_" .. index
  end
  return list
end

local begin_waits = {}

-- Begun at all times, as by the players of a game.
function begin_waits.each()
  for index, id in ipairs(ids()) do
    client:async(function()
      return client:wait(id, options(INTERVAL * index / WAITS))
    end):on_done(note)
  end
end

function begin_waits.all()
  client:async(function()
    return client:wait_all(ids(), options())
  end):on_done(note)
end

local _M = {}

function _M.begin(url, folder)
  client = assert(starvideos.new { runtime = "frame", api_key = "key",
    base_url = url })
  begin_waits[os.getenv "BENCH_WAITS"]()
  for index = 1, DOWNLOADS do
    client:async(function()
      return client:download({ id = "video_" .. index, status = "completed",
        video_url = url .. "/large.mp4" }, ("%s/%d.mp4"):format(folder, index))
    end):on_done(note)
  end
end

function _M.each_second()
  client:async(function()
    local task, err = client:create { model = "videos", duration = 5,
      prompt = "A kite" }
    counts.orders = counts.orders + (task and 1 or 0)
    return task, err
  end):on_done(note)
end

function _M.update()
  client:update()
end

function _M.finish(summary)
  client:close()
  for name, count in pairs(counts) do
    summary[name] = count
  end
end

return _M
