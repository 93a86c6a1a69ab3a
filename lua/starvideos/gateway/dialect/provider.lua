--- The provider's own API: its fields, tasks and errors. What this library
-- makes of them is what it would make of the provider's.
-- @module starvideos.gateway.dialect.provider

local json = require "starvideos.base.json"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

--- The order that a body asks for. Its fields are the catalog's, which checks
-- them where it is placed; here, whether the model is served at the address.
-- @tparam table fields of the body
-- @tparam userdata catalog of `starvideos.core`
-- @tparam string endpoint the path below the base URL that it was sent to
-- @treturn ?table params
-- @treturn ?table refusal
function _M.params_of(fields, catalog, endpoint)
  local model = fields.model
  local row = type(model) == "string" and catalog:model(model)
  if row and row.endpoint ~= endpoint then
    return nil, refusals.new { status = 400, code = "wrong_endpoint",
      param = "model", message = ("model %s is ordered by POST %s, not by POST"
        .. " %s; nothing was ordered"):format(model, row.endpoint, endpoint) }
  end
  return fields
end

local statuses = { queued = "queued", in_progress = "processing",
  completed = "completed", failed = "failed" }

--- An order as the provider shows a task.
-- @tparam table entry see `starvideos.gateway.orders`
-- @tparam ?string link to its video, where it is completed
-- @treturn table
function _M.object(entry, link)
  local failure = entry.error
  local is_cancelled = failure and failure.code == "cancelled"
  return {
    id = entry.id,
    object = "video",
    created = entry.created_at,
    model = entry.model,
    status = is_cancelled and "cancelled" or statuses[entry.status],
    progress = entry.progress,
    video_url = link or json.null,
    error = failure and failure.message or json.null,
  }
end

-- Where OpenAI's status would be misread. Clients of the provider retry a 429,
-- and a lack of money is none. They take any 5xx for an order that may have been
-- accepted, and a queue that is halted accepts none.
local status_of = { insufficient_quota = 402, upstream_unavailable = 429 }

--- A refusal as the provider shows it.
-- @tparam table refusal see `starvideos.gateway.refusal`
-- @treturn table
-- @treturn number status of HTTP
function _M.error(refusal)
  local status = status_of[refusal.code] or refusal.status
  return { id = json.null, object = "error", status = "failed",
    error = refusal.message, code = status, violations = refusal.violations },
    status
end

return _M
