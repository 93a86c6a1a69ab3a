-- The sandbox in the caller's own process, in place of a network.

local c_locale = require "starvideos.base.c_locale"
local url = require "starvideos.sandbox.url"

local _M = {}

local PIECE = 65536

-- How many bytes the whole body has.
function _M.length(response)
  if response.file then
    return response.file.length
  end
  return #(response.body or "") * (response.repeats or 1)
end

local function sent_length(response)
  local length = _M.length(response)
  if response.abort == "cut" or response.abort == "stall" then
    return math.floor(length / 2)
  end
  return length
end

-- The head of the MP4 stays, so that only its content shows that a file was
-- spliced wrongly.
local function disguised(piece, at)
  local kept = math.max(0, math.min(#piece, 64 - at))
  return piece:sub(1, kept) .. ("\170"):rep(#piece - kept)
end

local function file_pieces(file, left)
  local handle = io.open(file.path, "rb")
  if handle then
    handle:seek("set", file.offset)
  end
  local at = file.offset
  return function()
    local wanted = math.min(left, PIECE)
    local piece = handle and wanted > 0 and handle:read(wanted)
    if not piece then
      return handle and handle:close() and nil
    end
    left, at = left - #piece, at + #piece
    return file.other and disguised(piece, at - #piece) or piece
  end
end

-- The same text again and again, until there is enough.
local function text_pieces(text, left)
  return function()
    if left <= 0 or text == "" then
      return nil
    end
    local piece = text:sub(1, left)
    left = left - #piece
    return piece
  end
end

-- An iterator over the pieces to send before the end, or before the fault.
function _M.pieces(response)
  local left = sent_length(response)
  if response.file then
    return file_pieces(response.file, left)
  end
  return text_pieces(response.body or "", left)
end

local MAX_BODY = 4 * 1024 * 1024

-- What the engine would report for each way of not answering.
local ABORTS = {
  reset = { "reset", "the connection was closed before an answer came" },
  hang = { "timeout", "no answer within the time allowed" },
  cut = { "reset", "the connection was closed in the middle of the answer" },
  stall = { "stalled", "the answer stalled" },
}

local function lowered(headers)
  local names = {}
  for name, value in pairs(headers or {}) do
    names[c_locale.lower(name)] = value
  end
  return names
end

local function failure(kind, req, response, received)
  return {
    reason = kind[1], message = kind[2], sent = true,
    status = received and response.status or nil,
    bytes_sent = #(req.body or ""), received = received or 0,
  }
end

-- At most so many bytes of a body, and how many there are.
local function collected(response, most)
  local pieces, total = {}, 0
  for piece in _M.pieces(response) do
    local is_over = total + #piece > most
    pieces[#pieces + 1] = is_over and piece:sub(1, most - total) or piece
    total = total + #piece
    if is_over then
      break
    end
  end
  return table.concat(pieces), total
end

-- The seconds an exchange takes; false when that is past its time limit.
local function spend(provider, req, response)
  local seconds = (response.delay or 0) + (response.pace or 0)
  if response.abort == "hang" or response.abort == "stall" then
    seconds = req.timeout or req.stall_seconds or 0
  end
  local limit = req.timeout or math.huge
  if provider.sleep and seconds > 0 then
    provider.sleep(math.min(seconds, limit))
  end
  return seconds <= limit and seconds
end

local function answered(req, response, elapsed)
  local most = req.sink and math.huge or req.max_body or MAX_BODY
  local text, received = collected(response, most)
  local headers = lowered(response.headers)
  if received > most then
    local lost = failure({ "too_large", ("the answer is larger than %d bytes")
      :format(most) }, req, response, received)
    lost.body, lost.headers = text, headers
    return nil, lost
  end
  if not response.unsized then
    headers["content-length"] = tostring(#text)
  end
  return { status = response.status, headers = headers, body = text,
    http_version = "1.1", reused = false, elapsed = elapsed,
    bytes_sent = #(req.body or "") }
end

local function exchange(provider, client, req)
  local request = { method = req.method, headers = lowered(req.headers),
    body = req.body, client = client }
  local origin, path, query = url.split(req.url)
  request.path = query == "" and path or path .. "?" .. query
  local response = origin == url.split(provider.media_url)
    and provider:media(request) or provider:handle(request)
  local elapsed = spend(provider, req, response)
  if not elapsed then
    return nil, failure(ABORTS.hang, req, response)
  end
  local abort = ABORTS[response.abort]
  if abort then
    local has_head = response.abort == "cut" or response.abort == "stall"
    local received = has_head and select(2, collected(response, math.huge)) or nil
    return nil, failure(abort, req, response, received)
  end
  return answered(req, response, elapsed)
end

-- A request to the provider's `media_url` goes to the media, every other one to
-- the API whatever its host, so that a client's default base URL will do. No
-- redirect is followed, and `sink` is ignored.
function _M.of(provider)
  provider.clients = (provider.clients or 0) + 1
  local client = provider.clients
  return function(req)
    return exchange(provider, client, req)
  end
end

return _M
