--- Which order a create repeats, as its head says.
-- @module starvideos.gateway.idempotency

local refusals = require "starvideos.gateway.refusal"

local _M = {}

local MAX_KEY = 255

--- Read it.
-- @tparam table request
-- @treturn ?table `key` (the caller's own of the order, or nil), `attempt` (how
--   often the client has tried before, or nil), `began` (Unix seconds, of the
--   request)
-- @treturn ?table refusal
function _M.of(request)
  local key = request.header "Idempotency-Key"
  if key and (key == "" or #key > MAX_KEY or key:find "[^\32-\126]") then
    return nil, refusals.new { status = 400, code = "invalid_value",
      param = "Idempotency-Key", message = ("Idempotency-Key must be 1 to %d"
        .. " characters of ASCII; nothing was ordered"):format(MAX_KEY) }
  end
  local attempt = request.header "X-Stainless-Retry-Count"
  if attempt and not attempt:find "^%d%d?%d?$" then -- else it were a new order
    return nil, refusals.new { status = 400, code = "invalid_value",
      param = "X-Stainless-Retry-Count", message = "X-Stainless-Retry-Count must"
        .. " be a whole number of 3 digits at most; nothing was ordered" }
  end
  return { key = key, attempt = tonumber(attempt), began = request.began }
end

return _M
