--- OpenAI's `/v1/videos`: its fields and objects.
-- @module starvideos.gateway.dialect.openai

local _M = {}

--- An order as OpenAI's API shows it.
-- @tparam table entry see `starvideos.gateway.orders`
-- @treturn table
function _M.object(entry)
  return { id = entry.id, object = "video", model = entry.model,
    status = entry.status, progress = entry.progress,
    created_at = entry.created_at, completed_at = entry.completed_at,
    expires_at = entry.expires_at, error = entry.error,
    prompt = entry.params.prompt }
end

--- A refusal as OpenAI's API shows it.
-- @tparam table refusal see `starvideos.gateway.refusal`
-- @treturn table
function _M.error(refusal)
  return { error = { message = refusal.message, type = refusal.type,
    code = refusal.code, param = refusal.param } }
end

return _M
