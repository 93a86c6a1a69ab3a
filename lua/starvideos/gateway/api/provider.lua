--- The provider's own API, by which programs that were written for the provider
-- order through the gateway.
-- @module starvideos.gateway.api.provider

local idempotency = require "starvideos.gateway.idempotency"
local body = require "starvideos.gateway.body"
local content = require "starvideos.gateway.content"
local signed_url = require "starvideos.gateway.signed_url"
local orders = require "starvideos.gateway.orders"
local provider = require "starvideos.gateway.dialect.provider"

local _M = {}

-- Who has a link needs no name.
local BEARER = {}

local function shown(app, request, entry)
  local link = entry.status == "completed"
    and signed_url.url(app, request, entry) or nil
  return 200, provider.object(entry, link)
end

--- Order a video.
-- @tparam table app
-- @tparam table request
-- @tparam string endpoint the path, below the provider's prefix
-- @treturn ?number status
-- @treturn table task; or a refusal
function _M.create(app, request, endpoint)
  local wanted, refusal = idempotency.of(request)
  local fields, entry
  if wanted then
    fields, refusal = body.read(request)
  end
  if fields then
    wanted.params, refusal = provider.params_of(fields, app.catalog, endpoint)
  end
  if wanted and wanted.params then
    entry, refusal = orders.place(app, request.caller, wanted)
  end
  if not entry then
    return nil, refusal
  end
  return shown(app, request, entry)
end

--- Look at an order.
-- @tparam table app
-- @tparam table request
-- @tparam string id
-- @treturn ?number status
-- @treturn table task; or a refusal
function _M.query(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return shown(app, request, entry)
end

--- Send the video that a link is for.
-- @tparam table app
-- @tparam table request
-- @tparam string id
-- @treturn nil
-- @treturn table refusal; it does not return where there is a file
function _M.file(app, request, id)
  local ok, refusal = signed_url.check(app, id, request.args(), app.now())
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
