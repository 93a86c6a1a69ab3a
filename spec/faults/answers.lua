--- What the server answers: to each operation the right thing, and things that
-- gateways and broken servers send instead. Each holds a secret where one can
-- come: what a client prints must not.

local _M = {}

--- The key of the client, as if a server echoed it.
_M.key = "sk-Zq7rT0vKx2mW9bNf4LhD"

--- The signature in a link.
_M.signature = "Yx8Gk3PzQ1sJ6uRe5VtC0aHn"

--- The id of the only task.
_M.id = "video_0001"

--- A signed link on a server.
-- @tparam string url of the server
function _M.link(url)
  return ("%s/media/%s.mp4?expires=1&sign=%s"):format(url, _M.id, _M.signature)
end

-- A box of an MP4 file: its length, its type, what is in it.
local function box(kind, content)
  local size = #content + 8
  return string.char(math.floor(size / 16777216) % 256,
    math.floor(size / 65536) % 256, math.floor(size / 256) % 256, size % 256)
    .. kind .. content
end

--- A small file that begins and ends as a video does.
_M.video = box("ftyp", "isom\0\0\2\0isomiso2mp41") .. box("moov", ("m"):rep(64))
  .. box("mdat", ("0123456789abcdef"):rep(1250))

local TASK = [[{"id":"%s","object":"video","created":1767225600,]]
  .. [["model":"videos","status":"%s","error":%s%s}]]

local function task(status, problem, more)
  return { status = 200, body = TASK:format(_M.id, status, problem or "null",
    more or "") }
end

--- The right answer to each operation.
-- @tparam string url of the server
function _M.right(url)
  local completed = task("completed", nil,
    (',"video_url":"%s","actualDuration":4'):format(_M.link(url)))
  return {
    create = task "queued",
    query = completed,
    wait = completed,
    download = { status = 200, type = "video/mp4", body = _M.video,
      headers = { { "ETag", '"one"' }, { "Accept-Ranges", "bytes" } } },
  }
end

-- What a server may know of the request, and have the nerve to tell.
local ECHO = ("Authorization: Bearer %s, GET %s, body https:\\/\\/%s"):format(
  _M.key, _M.link "https://media.example",
  (_M.link("media.example"):gsub("/", "\\/")))

--- A page of a gateway, at a status.
function _M.page(status, headers)
  return { status = status, type = "text/html", headers = headers,
    body = "<html><body><h1>Sorry</h1>" .. ECHO .. "</body></html>" }
end

--- A task that did not come to be.
function _M.failed()
  return task("failed", '"Parameter conflict: ' .. ECHO .. '"')
end

--- An error as the provider writes them, at a status.
function _M.refusal(status, code, text, headers)
  return { status = status, headers = headers, body =
    ('{"code":%s,"data":null,"msg":"%s (%s)"}'):format(code, text, ECHO) }
end

local bomb

--- A few bytes that gzip makes 20 MB of.
function _M.bomb()
  if not bomb then
    local pipe = assert(io.popen "head -c 20000000 /dev/zero | gzip -9")
    bomb = pipe:read "*a"
    pipe:close()
  end
  return bomb
end

--- An answer with that body.
function _M.json(body)
  return { status = 200, body = body }
end

return _M
