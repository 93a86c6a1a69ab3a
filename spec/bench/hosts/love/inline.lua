-- The same load by a libcurl that is stepped once a frame, on the thread that
-- draws.

local curl = require "starvideos.curl"

local DOWNLOADS, POLLS_A_SECOND = 16, 100

local engine, base, orders = nil, nil, 0

local function submit(request)
  return assert(engine:submit(request))
end

local _M = {}

function _M.begin(url, folder)
  engine, base = curl.network { inline = true }, url
  for index = 1, DOWNLOADS do
    submit { method = "GET", url = url .. "/large.mp4",
      sink = { path = ("%s/%d.mp4"):format(folder, index) } }
  end
end

function _M.each_second()
  orders = orders + 1
  submit { method = "POST", url = base .. "/v1/videos/videos", body = "{}",
    fresh = true }
  for index = 1, POLLS_A_SECOND do
    submit { method = "GET",
      url = base .. "/v1/result/video_" .. index }
  end
end

function _M.update()
  engine:step(0)
end

function _M.finish(summary)
  engine:close()
  summary.orders = orders
end

return _M
