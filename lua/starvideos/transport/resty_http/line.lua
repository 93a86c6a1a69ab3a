--- Between lua-resty-http and its cosocket: bounds the lines that are read. It
-- reads the head of an answer line by line without a limit, and a server that
-- never ends it would fill the memory of the worker and, where it is fast
-- enough, hold it for ever.
-- @module starvideos.transport.resty_http.line

local _M = {}

-- In bytes, of all lines in a row: a whole head, or one that says how long the
-- next chunk is.
local MOST = 64 * 1024

--- What a read of too many lines fails with.
_M.too_long = "too many lines"

local function read_line(sock, most)
  local reader, err = sock:receiveuntil "\n"
  if not reader then
    return nil, err
  end
  local line, partial
  line, err, partial = reader(most)
  if line and #line >= most then
    return nil, _M.too_long
  end
  return line and (line:gsub("\r", "")), err, partial
end

-- Interim answers, which lua-resty-http would take for the final one.
local function skip_interim(line, next_line)
  local err, partial
  while line and line:find "^HTTP/%d%.%d 1%d%d" do
    repeat
      line, err, partial = next_line()
    until not line or line == ""
    if line then
      line, err, partial = next_line()
    end
  end
  return line, err, partial
end

--- Bound a cosocket over which one request goes. lua-resty-http has one as
-- `sock`, which its documentation does not name: where there is none, nothing
-- is bounded but by time, and interim answers are not understood.
-- @tparam ?table sock
-- @treturn table seen; once the first line of the answer has come, with its
--   `status`
function _M.bound(sock)
  local seen = {}
  if type(sock) ~= "table" or not sock.receiveuntil then
    return seen
  end
  local receive, left = sock.receive, MOST
  local function next_line()
    local line, err, partial = read_line(sock, left)
    left = left - #(line or "") - 1
    return line, err, partial
  end
  function sock.receive(self, size, ...)
    if size ~= "*l" then
      left = MOST
      return receive(self, size, ...)
    end
    local line, err, partial = next_line()
    if line and not seen.status then
      line, err, partial = skip_interim(line, next_line)
      seen.status = tonumber((line or ""):match "^HTTP/%d%.%d (%d%d%d)")
    end
    return line, err, partial
  end
  return seen
end

return _M
