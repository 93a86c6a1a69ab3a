--- A request before it is sent: checked, and handed over piece by piece, so
-- that it is known how much of it has left.
-- @module starvideos.host.resty_http.message

local c_locale = require "starvideos.base.c_locale"

local _M = {}

local BODY_PIECE = 64 * 1024

--- What is wrong with a request.
-- @tparam table req
-- @treturn ?string nil where nothing is
function _M.problem(req)
  local redirects = (req.redirects or 0) > 0
  if req.method and req.method ~= "GET" and req.method ~= "POST" then
    return "the method is neither GET nor POST"
  elseif req.method == "POST" and redirects then
    return "a POST must not follow redirects"
  end
  for name, value in pairs(req.headers or {}) do
    if value:find "[%c\127]" or not name:find "^[^:%s%c\127]+$" then
      return "a header holds a control character or has no proper name"
    elseif c_locale.lower(name) == "authorization" and redirects then
      return "a request with a key must not follow redirects"
    end
  end
end

--- The parameters of lua-resty-http for a request.
-- @tparam table req
-- @tparam string path with its query
-- @tparam function on_handed `(bytes, whole)`: so many bytes of the request have
--   been handed over, without the headers that the library adds
-- @treturn table
function _M.parameters(req, path, on_handed)
  local parameters = { method = req.method or "GET", path = path, headers = {} }
  local head = #parameters.method + #path
  for name, value in pairs(req.headers or {}) do
    parameters.headers[name] = value
    head = head + #name + #value + 4
  end
  if req.method == "POST" then
    local body, at = req.body or "", 1
    parameters.headers["Content-Length"] = tostring(#body)
    -- To ask for the next piece is to have sent the last one.
    function parameters.body()
      on_handed(head + at - 1, at > #body)
      local piece = body:sub(at, at + BODY_PIECE - 1)
      at = at + #piece
      return piece ~= "" and piece or nil
    end
  end
  on_handed(head, req.method ~= "POST")
  return parameters
end

return _M
