--- A provider that answers at once, for what is measured in hosts: of its tasks
-- none ends, and its file outlasts the measurement.

local nginx = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"

local _M = {}

local PREFIX = "/kyyReactApiServer"

local BODY = [[
    keepalive_requests 1000000000;
    location ]] .. PREFIX .. [[/v1/ {
      default_type application/json;
      return 200 '{"id":"video_new","status":"queued"}';
    }
    location ~ ^]] .. PREFIX .. [[/v1/result/(.+)$ {
      default_type application/json;
      return 200 '{"id":"$1","object":"video","created":1760000000,
        "model":"videos","status":"processing","error":null}';
    }
    location = ]] .. PREFIX .. [[/large.mp4 {
      alias files/large.mp4;
      limit_rate 512k;
    }]]

-- What a video begins with; the rest is a hole.
local HEAD = "\0\0\0\24ftypmp42\0\0\0\0mp42isom"
  .. "\0\0\0\8moov\0\0\0\0mdat"

--- Start it.
-- @treturn table server as `nginx.start` gives it, with its `base_url`
function _M.start()
  local server = nginx.start { body = BODY, tls = true }
  server.base_url = server.tls_url .. PREFIX
  server:serve("large.mp4", HEAD)
  assert(shell.run(shell.fill("truncate -s 1G @prefix@/files/large.mp4",
    server)))
  return server
end

return _M
