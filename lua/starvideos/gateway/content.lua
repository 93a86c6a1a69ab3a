--- The video of an order: nginx serves the file, so that ranges, conditions and
-- HEAD are as of any file.
-- @module starvideos.gateway.content

local core = require "starvideos.core"
local order_feed = require "starvideos.gateway.order_feed"
local orders = require "starvideos.gateway.orders"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

-- Seconds after which a client may ask again for a video that is being made.
local RETRY_AFTER = 10

-- Where nginx's configuration has the files, for requests from within alone.
local LOCATION = "/_files/"

-- Why there is no file, by the status of the order.
local not_made = {}

function not_made.queued()
  return refusals.new { status = 409, code = "video_not_ready",
    retry_after = RETRY_AFTER, headers = { ["X-Should-Retry"] = "true" },
    message = "the video is not ready yet: ask again in a while" }
end
not_made.in_progress = not_made.queued

function not_made.failed(entry)
  return refusals.new { status = 409, code = "video_failed", retry = false,
    message = "there will be no video, for the order failed: "
      .. entry.error.message }
end

local function removed()
  return refusals.new { status = 410, code = "expired", retry = false,
    message = "the video was kept for a time and is removed now: order it again"
      .. " if you still need it" }
end

local function missing(entry)
  ngx.log(ngx.ERR, "the file of the order ", entry.order_id,
    " is not where the gateway saved it")
  return refusals.new { status = 404, code = "file_missing", retry = false,
    message = "the gateway does not have the file of this video any more: ask"
      .. " whoever runs it" }
end

--- Send the file of an order.
-- @tparam table entry see `starvideos.gateway.orders`
-- @treturn nil
-- @treturn table refusal; it does not return where there is a file
function _M.send(entry)
  local refuse = not_made[entry.status]
  if refuse then
    return nil, refuse(entry)
  elseif entry.is_removed then
    return nil, removed()
  elseif core.kind(entry.file) ~= "file" then
    return nil, order_feed.is_removed(entry.order_id) and removed() or missing(entry)
  end
  ngx.header["Content-Disposition"] = ('inline; filename="%s.mp4"'):format(
    entry.id)
  ngx.header["Cache-Control"] = "private, no-cache"
  ngx.header["X-Content-Type-Options"] = "nosniff"
  return ngx.exec(LOCATION .. orders.name_of(entry.order_id))
end

--- Send the video of an order.
-- @tparam table app
-- @tparam table request
-- @tparam string id
-- @treturn nil
-- @treturn table refusal; it does not return where there is a video
function _M.run(app, request, id)
  local variant = request.args().variant
  if variant and variant ~= "video" then
    return nil, refusals.new { status = 400, code = "invalid_value",
      param = "variant", message = "there is only the video itself: leave"
        .. " `variant` out" }
  end
  local entry, refusal = orders.find(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return _M.send(entry)
end

return _M
