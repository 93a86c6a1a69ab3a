--- The answer of lua-resty-http: its head made plain, and its body piece by
-- piece, each fault told from an end.
-- @module starvideos.transport.resty_http.answer

local lines = require "starvideos.transport.resty_http.line"

local _M = {}

local MAX_HEAD = 64 * 1024
local PIECE = 16 * 1024

-- What cosockets and lua-resty-http say where there is no (further) answer.
-- Their own words are not passed on: some quote what the server sent.
local faults = {
  { "^timeout", "timeout", "no answer came in time" },
  { lines.too_long, "too_large", "the head of the answer is larger than "
    .. MAX_HEAD .. " bytes" },
  { "couldn't parse", "protocol", "the server does not speak HTTP" },
  { "", "reset", "the connection was closed before an answer came" },
}

local body_faults = {
  { "^timeout", "timeout", "the answer stopped coming" },
  { "", "reset", "the connection was closed within the answer" },
}

local function fault_of(list, err)
  for _, fault in ipairs(list) do
    if tostring(err):find(fault[1]) then
      return nil, { reason = fault[2], message = fault[3] }
    end
  end
end

--- Why no head came.
-- @tparam ?string err of lua-resty-http
-- @return nil
-- @treturn table failure with `reason` and `message`
function _M.no_head(err)
  return fault_of(faults, err)
end

local function protocol(message)
  return nil, { reason = "protocol", message = message }
end

local function too_large(what, limit)
  return nil, { reason = "too_large",
    message = ("%s is larger than %d bytes"):format(what, limit) }
end

-- Its names lowered, repeated ones joined; and the size of all.
local function plain(headers)
  local fields, size = {}, 0
  for name, value in pairs(headers) do
    if type(value) == "table" then
      value = table.concat(value, ", ")
    end
    fields[name:lower()] = value
    size = size + #name + #value + 4
  end
  return fields, size
end

--- Read the head.
-- @tparam table res of lua-resty-http
-- @treturn ?table answer with `status`, `headers` and `length` (of its body in
--   bytes, nil where it is not told before)
-- @treturn ?table failure
function _M.head(res)
  local headers, size = plain(res.headers)
  if res.status < 200 or res.status > 999 then
    return protocol "the answer is an interim one, or has no status"
  elseif size > MAX_HEAD then
    return too_large("the head of the answer", MAX_HEAD)
  end
  -- What lua-resty-http would take for another length, or for none.
  local length = headers["content-length"]
  if length and not length:find "^%d+$" then
    return protocol "the length of the answer is no number"
  end
  local chunked = headers["transfer-encoding"] ~= nil
  return { res = res, status = res.status, headers = headers,
    length = not res.has_body and 0
      or not chunked and tonumber(length) or nil,
    open_end = res.has_body and not chunked and not length }
end

--- Make sure that a body comes as it is, but for chunks.
-- @tparam table answer
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.check_encoding(answer)
  local encoding = answer.headers["transfer-encoding"]
  if encoding and encoding:lower() ~= "chunked" then
    return protocol "the answer has an encoding that nobody asked for"
  end
  return true
end

--- Whether the body is to be taken for a file.
-- @tparam table answer
-- @treturn boolean
function _M.is_file(answer)
  local kind = (answer.headers["content-type"] or ""):lower()
  return (answer.status == 200 or answer.status == 206)
    and not kind:find "^text/" and not kind:find "^application/json"
end

-- Of a body without a length lua-resty-http says "closed" at its end, and
-- nothing where it was cut or came too late.
local function is_end(answer, err, received)
  if answer.open_end then
    return err == "closed"
  end
  return err == nil and (not answer.length or received == answer.length)
end

--- Read the body.
-- @tparam table answer
-- @tparam function before called before each read; false ends it
-- @tparam function take `(piece) -> true | nil, failure`
-- @treturn ?boolean true once all has come
-- @treturn ?table failure; nil where `before` ended it
function _M.read(answer, before, take)
  local received = 0
  while answer.res.has_body do
    if not before() then
      return nil
    end
    local piece, err = answer.res.body_reader(PIECE)
    if piece and #piece > 0 then
      received = received + #piece
      local ok, failure = take(piece)
      if not ok then
        return nil, failure
      end
    end
    if is_end(answer, err, received) and (err or not piece) then
      return true
    elseif err or not piece then
      return fault_of(body_faults, err)
    end
  end
  return true
end

--- Collects a body in memory.
-- @tparam table answer
-- @tparam number limit in bytes
-- @treturn ?function take, for `read`
-- @treturn table pieces; or failure where the answer says that it is too large
function _M.collector(answer, limit)
  if answer.length and answer.length > limit then
    return too_large("the answer", limit)
  end
  local pieces, size = {}, 0
  return function(piece)
    size = size + #piece
    if size > limit then
      return too_large("the answer", limit)
    end
    pieces[#pieces + 1] = piece
    return true
  end, pieces
end

return _M
