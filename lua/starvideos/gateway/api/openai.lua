--- OpenAI's `/v1/videos`.
-- @module starvideos.gateway.api.openai

local json = require "starvideos.json"
local openai = require "starvideos.gateway.dialect.openai"
local orders = require "starvideos.gateway.orders"

local _M = {}

function _M.create(app, request)
  ngx.req.read_body()
  local entry, refusal = orders.place(app, request.caller, {
    params = json.decode(ngx.req.get_body_data() or "") or {},
    key = request.header "Idempotency-Key" })
  return entry and 200, entry and openai.object(entry) or refusal
end

function _M.retrieve(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  return entry and 200, entry and openai.object(entry) or refusal
end

function _M.list(app, request)
  local list, more = orders.list(app, request.caller, { limit = 20 })
  local data = {}
  for index, entry in ipairs(list or {}) do
    data[index] = openai.object(entry)
  end
  return list and 200, list and { object = "list", data = data,
    has_more = more } or more
end

function _M.delete(app, request, id)
  local entry, refusal = orders.delete(app, request.caller, id)
  return entry and 200, entry and { id = entry.id, object = "video.deleted",
    deleted = true } or refusal
end

return _M
