-- The provider's own API: its fields, tasks and errors. What this library makes of them
-- is what it would make of the provider's.

local body = require "starvideos.gateway.body"
local content = require "starvideos.gateway.content"
local json = require "starvideos.base.json"
local orders = require "starvideos.gateway.orders"
local requests = require "starvideos.gateway.request"

local _M = {}

-- The order that a body asks for. Its fields are the catalog's, which checks them where
-- it is placed; here, whether the model is served at the address. `fields`: of the
-- body. `endpoint`: the path below the base URL that it was sent to.
function _M.params_of(fields, catalog, endpoint)
  local model = fields.model
  local row = type(model) == "string" and catalog:model(model)
  if row and row.endpoint ~= endpoint then
    return nil, requests.refusal { status = 400, code = "wrong_endpoint",
      param = "model", message = ("model %s is ordered by POST %s, not by POST"
        .. " %s; nothing was ordered"):format(model, row.endpoint, endpoint) }
  end
  return fields
end

local statuses = { queued = "queued", in_progress = "processing",
  completed = "completed", failed = "failed" }

-- An order as the provider shows a task. `link`: to its video, where it is completed.
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

-- A refusal as the provider shows it. Returns status of HTTP.
function _M.error(refusal)
  local status = status_of[refusal.code] or refusal.status
  return { id = json.null, object = "error", status = "failed",
    error = refusal.message, code = status, violations = refusal.violations },
    status
end

-- Who has a link needs no name.
local BEARER = {}

local function shown(app, request, entry)
  local link = entry.status == "completed"
    and content.signed_url(app, request, entry) or nil
  return 200, _M.object(entry, link)
end

-- Order a video. `endpoint`: the path, below the provider's prefix. Returns task; or a
-- refusal.
function _M.create(app, request, endpoint)
  local wanted, refusal = orders.idempotency(request)
  local fields, entry
  if wanted then
    fields, refusal = body.read(request)
  end
  if fields then
    wanted.params, refusal = _M.params_of(fields, app.catalog, endpoint)
  end
  if wanted and wanted.params then
    entry, refusal = orders.place(app, request.caller, wanted)
  end
  if not entry then
    return nil, refusal
  end
  return shown(app, request, entry)
end

-- Look at an order. Returns task; or a refusal.
function _M.query(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return shown(app, request, entry)
end

-- Send the video that a link is for. Returns refusal; it does not return where there is
-- a file.
function _M.file(app, request, id)
  local ok, refusal = content.check_signed(app, id, request.args(), app.now())
  local entry
  if ok then
    entry, refusal = orders.find(app, BEARER, id)
  end
  if not entry then
    return nil, refusal
  end
  return content.send(entry)
end

return _M
