--- The bytes of a response, for the host that sends them.
-- A response has a `body` (a string, sent `repeats` times), or a `file`:
-- `{ path =, offset =, length =, other = true where another file's bytes are
-- to stand in }`.
-- @module starvideos.sandbox.body

local _M = {}

local PIECE = 65536

--- How long the whole body is, in bytes.
-- @tparam table response
-- @treturn number
function _M.length(response)
  if response.file then
    return response.file.length
  end
  return #(response.body or "") * (response.repeats or 1)
end

-- Cut in the middle where the response says so.
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

--- The bytes to send before the end, or before the fault.
-- @tparam table response
-- @treturn function an iterator over strings
function _M.pieces(response)
  local left = sent_length(response)
  if response.file then
    return file_pieces(response.file, left)
  end
  return text_pieces(response.body or "", left)
end

return _M
