-- lua-http. Its request opens a connection each time; with the way "kept" there is
-- one, or one a coroutine, and each request is a stream of it.

local cjson = require "cjson"
local client = require "http.client"
local cqueues = require "cqueues"
local request = require "http.request"
local stopwatch = require "spec.bench.peers.stopwatch"
local version = require "http.version"

local url, key, way = arg[1], arg[2], arg[5]

local function prepare()
  local order = request.new_from_uri(url)
  order.headers:upsert("authorization", "Bearer " .. key)
  return order
end

local function read(headers, stream)
  assert(assert(headers, stream):get ":status" == "200")
  assert(cjson.decode(assert(stream:get_body_as_string())).id == "video_1")
end

local function fresh(count)
  for _ = 1, count do
    read(prepare():go())
  end
end

local function kept(count)
  local first = prepare()
  local connection = assert(client.connect { host = first.host, port = first.port,
    tls = first.tls, version = 1.1 })
  for _ = 1, count do
    local stream = assert(connection:new_stream())
    assert(stream:write_headers(prepare().headers, true))
    read(stream:get_headers(), stream)
  end
  connection:close()
end

local one_by_one = way == "kept" and kept or fresh

stopwatch {
  version = function() return version.name .. " " .. version.version end,
  one_by_one = one_by_one,
  side_by_side = function(count, at_once)
    local queue = cqueues.new()
    for _ = 1, at_once do
      queue:wrap(one_by_one, count / at_once)
    end
    assert(queue:loop())
  end,
}
