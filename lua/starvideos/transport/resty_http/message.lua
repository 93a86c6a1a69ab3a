--- A request before it leaves: held against what an engine takes, and handed
-- over piece by piece, so that it is known how much of it has left.
-- @module starvideos.transport.resty_http.message

local _M = {}

local BODY_PIECE = 64 * 1024

local function has_control(text)
  return text:find "[%c\127]" ~= nil
end

local function problem_of_headers(req)
  for name, value in pairs(req.headers or {}) do
    if has_control(value) or not name:find "^[^:%s%c\127]+$" then
      return "a header holds a control character or has no proper name"
    elseif name:lower() == "authorization" and (req.redirects or 0) > 0 then
      return "a request with a key must not follow redirects"
    end
  end
end

--- What is wrong with a request.
-- @tparam table req
-- @treturn ?string nil where nothing is
function _M.problem(req)
  local method = req.method or "GET"
  if method ~= "GET" and method ~= "POST" then
    return "the method is neither GET nor POST"
  elseif method == "POST" and (req.redirects or 0) > 0 then
    return "a POST must not follow redirects"
  end
  return problem_of_headers(req)
end

--- The bytes of its head, or somewhat fewer: the library that sends it adds
-- lines of its own.
-- @tparam table req
-- @treturn number
function _M.head_bytes(req)
  local size = #(req.method or "GET") + #req.url
  for name, value in pairs(req.headers or {}) do
    size = size + #name + #value + 4
  end
  return size
end

local function headers_of(req)
  local headers = {}
  for name, value in pairs(req.headers or {}) do
    headers[name] = value
  end
  if req.method == "POST" then
    headers["Content-Length"] = tostring(#(req.body or ""))
  end
  return headers
end

-- Who asks for the next piece has handed over the last one.
local function pieces_of(body, on_handed)
  local at = 1
  return function()
    on_handed(at - 1, at > #body)
    if at > #body then
      return nil
    end
    local piece = body:sub(at, at + BODY_PIECE - 1)
    at = at + #piece
    return piece
  end
end

--- The parameters of lua-resty-http for a request.
-- @tparam table req
-- @tparam string path with its query
-- @tparam function on_handed `(bytes, whole)`: so much of the body has been
--   handed over
-- @treturn table
function _M.parameters(req, path, on_handed)
  return {
    method = req.method or "GET", path = path, version = 1.1,
    headers = headers_of(req),
    body = req.method == "POST" and pieces_of(req.body or "", on_handed) or nil,
  }
end

return _M
