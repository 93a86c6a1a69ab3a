-- The other end of the benchmarks, on loopback: one worker that answers a query
-- from memory, and serves a sparse file of a gigabyte.

local nginx = require "spec.fixtures.nginx"

local _M = {}

local PREFIX = "/kyyReactApiServer"

local BODY = [[
    sendfile on;
    keepalive_requests 1000000000;
    types { video/mp4 mp4; }
    location ]] .. PREFIX .. [[/v1/videos/ {
      default_type application/json;
      return 200 '{"id":"video_$request_id","status":"queued"}';
    }
    location = ]] .. PREFIX .. [[/v1/result/video_1 {
      default_type application/json;
      return 200 '{"id":"video_1","object":"video","created":1760000000,
        "model":"videos","status":"processing","error":null}';
    }
    location ]] .. PREFIX .. [[/v1/result/ended_ {
      default_type application/json;
      return 200 '{"id":"video_1","object":"video","created":1760000000,
        "model":"videos","status":"completed",
        "video_url":"http://127.0.0.1/"}';
    }]]

-- What a video begins with; the rest is a hole.
local HEAD = "\0\0\0\24ftypmp42\0\0\0\0mp42isom"
  .. "\0\0\0\8moov\0\0\0\0mdat"

--- Start a server.
-- @treturn table `base_url`, `tls_base_url`, `ca_file`, `file_url` (1 GB),
--   `small_url` (1 MB), `folder` for what is downloaded, and `stop`, which removes
--   it all
function _M.start()
  local server = nginx.start { body = BODY, tls = true }
  server.folder = server.prefix .. "/files"
  server:serve("small.mp4", HEAD)
  server:serve("large.mp4", HEAD)
  assert(os.execute(("cd '%s' && truncate -s 1M small.mp4 &&"
    .. " truncate -s 1G large.mp4"):format(server.folder)))
  server.base_url = server.url .. PREFIX
  server.tls_base_url = server.tls_url .. PREFIX
  server.small_url = server.url .. "/small.mp4"
  server.file_url = server.url .. "/large.mp4"
  return server
end

--- Start a server, measure something at it and stop it.
-- @tparam function body `(server) -> ...`
-- @return what that returned first
function _M.with(body)
  local running = _M.start()
  local done, result = xpcall(body, debug.traceback, running)
  running:stop()
  if not done then
    error(result, 0)
  end
  return result
end

return _M
