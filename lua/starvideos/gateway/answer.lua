--- What is sent back to a caller.
-- @module starvideos.gateway.answer

local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.dialect.openai"
local provider = require "starvideos.gateway.dialect.provider"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local dialects = { openai = openai, provider = provider }

--- Send JSON.
-- @tparam number status of HTTP
-- @tparam table value
-- @tparam ?table headers by name
function _M.json(status, value, headers)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["X-Content-Type-Options"] = "nosniff"
  for name, content in pairs(headers or {}) do
    ngx.header[name] = content
  end
  local text = utf8.repaired(json.encode(value)) -- the provider's words may not be
  ngx.header["Content-Length"] = #text
  ngx.print(text)
end

--- Send a refusal in the words of a dialect.
-- @tparam string dialect `openai` or `provider`
-- @tparam table refusal see `starvideos.gateway.refusal`; with `headers` for
--   more of them
function _M.refuse(dialect, refusal)
  local headers = { ["Retry-After"] = refusal.retry_after,
    ["X-Should-Retry"] = refusal.retry == false and "false" or nil }
  for name, content in pairs(refusal.headers or {}) do
    headers[name] = content
  end
  local value, status = dialects[dialect].error(refusal)
  _M.json(status or refusal.status, value, headers)
end

return _M
