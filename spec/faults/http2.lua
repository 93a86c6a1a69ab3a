--- HTTP/2 as a server speaks it (RFC 9113), in steps of a script. Headers go
-- without compression (RFC 7541, 6.2.2).

local _M = {}

local Speech = {}
Speech.__index = Speech

-- Types of frames, and flags.
local DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION =
  0, 1, 3, 4, 6, 7, 9
local END_STREAM, END_HEADERS = 1, 4

local PREFACE_BYTES, LARGEST_FRAME = 24, 16384

--- The speech of one connection.
function _M.new()
  return setmetatable({ version = 2, stream = -1 }, Speech)
end

local function number(value, bytes)
  local text = ""
  for _ = 1, bytes do
    text = string.char(value % 256) .. text
    value = math.floor(value / 256)
  end
  return text
end

local function frame(kind, flags, stream, payload)
  return number(#payload, 3) .. number(kind, 1) .. number(flags, 1)
    .. number(stream, 4) .. payload
end

local function literal(name, value)
  return "\0" .. string.char(#name) .. name .. string.char(#value) .. value
end

local function head_of(answer, length)
  -- 8 stands for :status.
  local parts = { "\8\3" .. answer.status,
    literal("content-type", answer.type or "application/json") }
  if length then
    parts[3] = literal("content-length", tostring(length))
  end
  for _, header in ipairs(answer.headers or {}) do
    parts[#parts + 1] = literal(header[1]:lower(), header[2])
  end
  return table.concat(parts)
end

local function data_of(stream, body, ends)
  local frames = {}
  for start = 1, math.max(1, #body), LARGEST_FRAME do
    local last = start + LARGEST_FRAME > #body
    frames[#frames + 1] = frame(DATA, last and ends and END_STREAM or 0, stream,
      body:sub(start, start + LARGEST_FRAME - 1))
  end
  return table.concat(frames)
end

--- What comes before the first request.
function Speech.begin()
  return { { "skip", PREFACE_BYTES },
    { "send", 0, frame(SETTINGS, 0, 0, "") } }
end

--- Read a request.
function Speech:request()
  self.stream = self.stream + 2
  return { { "frames" } }
end

--- The bytes of an answer.
-- @tparam table answer see http1.lua
-- @tparam[opt] table changes `length` as there; `open`: do not end the stream
function Speech:text(answer, changes)
  changes = changes or {}
  local length = changes.length
  if length == nil then
    length = #answer.body
  end
  return frame(HEADERS, END_HEADERS, self.stream, head_of(answer, length))
    .. data_of(self.stream, answer.body, not changes.open)
end

--- Send an answer.
function Speech:answer(answer, changes)
  return { { "send", 0, self:text(answer, changes) } }
end

--- The bytes of a frame that ends the stream.
-- @tparam number code of the error (RFC 9113, 7)
function Speech:rst_stream(code)
  return frame(RST_STREAM, 0, self.stream, number(code, 4))
end

--- The bytes of a frame that announces the end of the connection.
-- @tparam number code of the error
-- @tparam number last the last stream that was looked at
function Speech.goaway(_, code, last)
  return frame(GOAWAY, 0, 0, number(last, 4) .. number(code, 4))
end

--- The bytes of a head that goes on in further frames.
function Speech:open_head()
  return frame(HEADERS, 0, self.stream, head_of({ status = 200 }))
end

--- The bytes of a frame with more of a head.
function Speech:more_head()
  return frame(CONTINUATION, 0, self.stream, literal("x-filler",
    ("a"):rep(100)))
end

--- The bytes of a frame that wants to be answered.
function Speech.ping()
  return frame(PING, 0, 0, ("p"):rep(8))
end

return _M
