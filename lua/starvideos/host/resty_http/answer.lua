--- The answer as lua-resty-http gives it: its head in the engine's terms, its
-- body piece by piece, and its errors as reasons.
-- @module starvideos.host.resty_http.answer

local c_locale = require "starvideos.base.c_locale"

local _M = {}

-- lua-resty-http drops the part of a piece that came before a fault.
local PIECE, SMALL = 16 * 1024, 4096

local NO_TLS = "no secure connection (%s); nginx's directives"
  .. " lua_ssl_trusted_certificate and lua_ssl_verify_depth say whom to trust"

-- What cosockets and lua-resty-http say at each step: a pattern, the reason and
-- the message. Once a server has spoken, their own words are not passed on, for
-- some quote it.
local faults = {
  connect = {
    { "resolve", "resolve", "the name was not found (%s); nginx's directive"
      .. " resolver names the server to ask" },
    { "^timeout", "timeout", "no connection was made in time" },
    { "handshake", "tls", NO_TLS },
    { "certificate", "tls", NO_TLS },
    { "^%d+: ", "tls", NO_TLS },
    { "", "connect", "no connection was made (%s)" },
  },
  head = {
    { "^timeout", "timeout", "no answer within the time allowed" },
    { "couldn't parse", "protocol", "the server does not speak HTTP" },
    { "", "reset", "the connection was closed before an answer came" },
  },
  body = {
    { "^timeout", "timeout", "the answer stalled" },
    { "", "reset", "the connection was closed in the middle of the answer" },
  },
}

--- What an error of lua-resty-http means.
-- @tparam string step connect, head or body
-- @tparam ?string err
-- @treturn table failure with `reason` and `message`
function _M.failure(step, err)
  err = tostring(err):gsub("[%c\127]", "?")
  for _, fault in ipairs(faults[step]) do
    if err:find(fault[1]) then
      return { reason = fault[2], message = fault[3]:format(err) }
    end
  end
end

-- Names lowered, repeated ones joined.
local function plain(headers)
  local fields = {}
  for name, value in pairs(headers) do
    fields[c_locale.lower(name)] = type(value) == "table" and table.concat(value, ", ")
      or value
  end
  return fields
end

-- What is wrong with a head; nil where nothing is.
local function problem(status, headers)
  local length = headers["content-length"]
  local encoding = headers["transfer-encoding"]
  if status < 200 then
    return "the server sent an interim answer, which lua-resty-http cannot"
      .. " read past"
  elseif status > 999 or length and not length:find "^%d+$" then
    return "the answer has no status, or a Content-Length that is not a number"
  elseif encoding and c_locale.lower(encoding) ~= "chunked" then
    return "the answer has a Transfer-Encoding that was not asked for"
  end
end

local function none() end

--- Read the head.
-- @tparam ?table res of lua-resty-http
-- @tparam ?string err of lua-resty-http
-- @treturn ?table answer with `status`, `headers`, `length` (of its body in
--   bytes, nil where it is not told before), `open_end` (its end is the end of
--   the connection) and `reader`
-- @treturn ?table failure; its `status` is that of a final answer
function _M.head(res, err)
  if not res then
    return nil, _M.failure("head", err)
  end
  local headers = plain(res.headers)
  local wrong = problem(res.status, headers)
  if wrong then
    return nil, { reason = "protocol", message = wrong,
      status = res.status >= 200 and res.status or nil }
  end
  local length, chunked = headers["content-length"],
    headers["transfer-encoding"]
  return { status = res.status, headers = headers,
    reader = res.has_body and res.body_reader or none,
    length = not res.has_body and 0 or not chunked and tonumber(length) or nil,
    open_end = res.has_body and not chunked and not length }
end

--- Read the body.
-- @tparam table answer
-- @tparam function take `(piece) -> true | nil, failure`
-- @tparam[opt] boolean counts whether each byte that came before a fault counts, up
--   to four thousand: that costs a microsecond for each
-- @treturn ?boolean true once all has come
-- @treturn ?table failure
function _M.read(answer, take, counts)
  -- Of a body without a length lua-resty-http says "closed" at its end, and
  -- nothing where it was cut or came too late.
  local ending = answer.open_end and "closed" or nil
  local came = counts and 0 or SMALL
  repeat
    local piece, err = answer.reader(came < SMALL and 1 or PIECE)
    came = came + 1
    local last = err or not piece
    if last and err ~= ending then
      return nil, _M.failure("body", err)
    end
    local ok, failure = take(piece or "")
    if not ok then
      return nil, failure
    end
  until last
  return true
end

return _M
