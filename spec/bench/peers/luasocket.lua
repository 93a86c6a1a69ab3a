-- LuaSocket. Its HTTP closes each connection; with the way "kept" it is given one
-- that does not close, by the hook that it documents for other sockets.

local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"
local socket = require "socket"
local stopwatch = require "spec.bench.peers.stopwatch"

local url, key, way = arg[1], arg[2], arg[5]

local kept

local function connect(self, ...)
  if not self.connected then
    assert(self.connection:connect(...))
    self.connection:setoption("tcp-nodelay", true) -- it sends a head in pieces
    self.connected = true
  end
  return 1
end

local function forward(_, name)
  return function(self, ...)
    return self.connection[name](self.connection, ...)
  end
end

local function keep()
  kept = kept or setmetatable({ connection = assert(socket.tcp()), connected = false,
    connect = connect, close = function() return 1 end }, { __index = forward })
  return kept
end

local function one_by_one(count)
  for _ = 1, count do
    local parts = {}
    local done, status = http.request { url = url, sink = ltn12.sink.table(parts),
      create = way == "kept" and keep or nil,
      headers = { authorization = "Bearer " .. key,
        connection = way == "kept" and "keep-alive" or nil } }
    assert(done, status)
    assert(status == 200)
    assert(cjson.decode(table.concat(parts)).id == "video_1")
  end
end

stopwatch {
  version = function() return socket._VERSION end,
  one_by_one = one_by_one,
}
