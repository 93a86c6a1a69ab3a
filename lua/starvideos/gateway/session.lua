--- Signing in: the cookie by which a page shows whose it is. A video element and
-- an event stream can send no header, and no address holds a token.
-- @module starvideos.gateway.session

local body = require "starvideos.gateway.body"
local guard = require "starvideos.gateway.guard"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

--- How many sign-ins of one address may fail, in how many seconds.
-- @table policy
_M.policy = { failures = 10, window = 60 }

local DAY = 86400
local KEPT = 30 * DAY

-- A cookie that scripts of the page cannot read, and that no other site's page
-- sends.
local function cookie(app, request, value, seconds)
  local is_secure = request.scheme == "https"
    or (app.settings.public_url or ""):find "^https:" ~= nil
  return ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"):format(
    guard.COOKIE, value, seconds, is_secure and "; Secure" or "")
end

local function refused(status, code, message, more)
  local fields = more or {}
  fields.status, fields.code, fields.message = status, code, message
  return nil, refusals.new(fields)
end

-- Each attempt counts as a failure until it has succeeded, so that many at the
-- same time are no way around.
local function attempts(app, request, change)
  return app.shared:incr("sign_in " .. request.remote, change, 0,
    _M.policy.window) or 0
end

--- Sign in: `{"token": "…"}` gives the cookie.
-- @tparam table app
-- @tparam table request
-- @treturn ?number status
-- @treturn table `caller`, its name; or a refusal
-- @treturn ?table headers
function _M.create(app, request)
  if not app.callers then
    return 200, { caller = "local" }
  elseif guard.is_foreign(app, request) then
    return refused(403, "origin_not_allowed", "a page signs in at its own gateway"
      .. " alone: send the token as the header Authorization: Bearer TOKEN")
  elseif attempts(app, request, 1) > _M.policy.failures then
    return refused(429, "too_many_sign_ins", "too many sign-ins of this address"
      .. " have failed: try again in a minute", { retry_after = _M.policy.window })
  end
  local fields, refusal = body.read(request)
  if not fields then
    return nil, refusal
  end
  local token = guard.token(fields.token)
  local caller = token and app.callers:find(token)
  if not caller then
    return refused(401, "invalid_api_key", "no caller has this token", {
      param = "token", headers = { ["WWW-Authenticate"] = guard.CHALLENGE } })
  end
  attempts(app, request, -1)
  return 200, { caller = caller.name },
    { ["Set-Cookie"] = cookie(app, request, token, KEPT) }
end

--- Sign out: the cookie goes.
-- @tparam table app
-- @tparam table request
-- @treturn number status
-- @treturn table empty
-- @treturn table headers
function _M.delete(app, request)
  return 200, {}, { ["Set-Cookie"] = cookie(app, request, "", 0) }
end

return _M
