-- The video of an order: nginx serves the file, so that ranges, conditions and HEAD are
-- as of any file. A signed link to one is for programs that send no token with a
-- download: whoever has it may fetch that video until it expires, and can make no
-- other.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local order_feed = require "starvideos.gateway.order_feed"
local orders = require "starvideos.gateway.orders"
local requests = require "starvideos.gateway.request"

local _M = {}

--- For how long a signed link is good, in seconds.
_M.SIGNED_SECONDS = 3600

-- Signs nothing else that the secret is used for.
local PURPOSE = "GET "

local function signature(app, path, expires)
  return curl.hmac_sha256(app.secret, PURPOSE .. path .. "?" .. expires)
end

local function path_of(id)
  return "/v1/files/" .. id .. ".mp4"
end

-- The link to a video. Returns path and query.
function _M.signed_path(app, entry, now)
  local path = path_of(entry.id)
  local expires = ("%d"):format(math.ceil(now) + _M.SIGNED_SECONDS)
  return ("%s?expires=%s&signature=%s"):format(path, expires,
    signature(app, path, expires))
end

-- The same with the address that the caller asked at.
function _M.signed_url(app, request, entry)
  local base = app.settings.public_url
    or request.scheme .. "://" .. request.host
  return base:gsub("/+$", "") .. _M.signed_path(app, entry, app.now())
end

-- Check a link. `id`: that the path names. `args`: the query: `expires`, `signature`.
function _M.check_signed(app, id, args, now)
  local expires, given = args.expires, args.signature
  if type(expires) ~= "string" or type(given) ~= "string"
    or not curl.equal(given, signature(app, path_of(id), expires)) then
    return nil, requests.refusal { status = 403, code = "invalid_link",
      message = "this is no link of the gateway's: use the video_url of GET"
        .. " /v1/result/ID as it is" }
  elseif now >= tonumber(expires) then
    return nil, requests.refusal { status = 410, code = "link_expired",
      message = "the link has expired: GET /v1/result/ID gives a new one" }
  end
  return true
end

-- Seconds after which a client may ask again for a video that is being made.
local RETRY_AFTER = 10

-- Where nginx's configuration has the files, for requests from within alone.
local LOCATION = "/_files/"

-- Why there is no file, by the status of the order.
local not_made = {}

function not_made.queued()
  return requests.refusal { status = 409, code = "video_not_ready",
    retry_after = RETRY_AFTER, headers = { ["X-Should-Retry"] = "true" },
    message = "the video is not ready yet: ask again in a while" }
end
not_made.in_progress = not_made.queued

function not_made.failed(entry)
  return requests.refusal { status = 409, code = "video_failed", retry = false,
    message = "there will be no video, for the order failed: "
      .. entry.error.message }
end

local function removed()
  return requests.refusal { status = 410, code = "expired", retry = false,
    message = "the video was kept for a time and is removed now: order it again"
      .. " if you still need it" }
end

local function missing(entry)
  ngx.log(ngx.ERR, "the file of the order ", entry.order_id,
    " is not where the gateway saved it")
  return requests.refusal { status = 404, code = "file_missing", retry = false,
    message = "the gateway does not have the file of this video any more: ask"
      .. " whoever runs it" }
end

-- Send the file of an order. Returns refusal; it does not return where there is a file.
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

-- Send the video of an order. Returns refusal; it does not return where there is a
-- video.
function _M.run(app, request, id)
  local variant = request.args().variant
  if variant and variant ~= "video" then
    return nil, requests.refusal { status = 400, code = "invalid_value",
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
