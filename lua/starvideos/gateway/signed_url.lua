--- Links to videos, for programs that send no token with a download: whoever
-- has one may fetch that video until it expires, and can make no other.
-- @module starvideos.gateway.signed_url

local curl = require "starvideos.curl"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

--- For how long a link is good, in seconds.
_M.SECONDS = 3600

-- Signs nothing else that the secret is used for.
local PURPOSE = "GET "

local function signature(app, path, expires)
  return curl.hmac_sha256(app.secret, PURPOSE .. path .. "?" .. expires)
end

local function path_of(id)
  return "/v1/files/" .. id .. ".mp4"
end

--- The link to a video.
-- @tparam table app its `secret`
-- @tparam table entry see `starvideos.gateway.orders`
-- @tparam number now Unix seconds
-- @treturn string path and query
function _M.sign(app, entry, now)
  local path = path_of(entry.id)
  local expires = ("%d"):format(math.ceil(now) + _M.SECONDS)
  return ("%s?expires=%s&signature=%s"):format(path, expires,
    signature(app, path, expires))
end

--- The same with the address that the caller asked at.
-- @tparam table app
-- @tparam table request `scheme`, `host`
-- @tparam table entry
-- @treturn string URL
function _M.url(app, request, entry)
  local base = app.settings.public_url
    or request.scheme .. "://" .. request.host
  return base:gsub("/+$", "") .. _M.sign(app, entry, app.now())
end

--- Check a link.
-- @tparam table app its `secret`
-- @tparam string id that the path names
-- @tparam table args the query: `expires`, `signature`
-- @tparam number now Unix seconds
-- @treturn ?boolean true
-- @treturn ?table refusal
function _M.check(app, id, args, now)
  local expires, given = args.expires, args.signature
  if type(expires) ~= "string" or type(given) ~= "string"
    or not curl.equal(given, signature(app, path_of(id), expires)) then
    return nil, refusals.new { status = 403, code = "invalid_link",
      message = "this is no link of the gateway's: use the video_url of GET"
        .. " /v1/result/ID as it is" }
  elseif now >= tonumber(expires) then
    return nil, refusals.new { status = 410, code = "link_expired",
      message = "the link has expired: GET /v1/result/ID gives a new one" }
  end
  return true
end

return _M
