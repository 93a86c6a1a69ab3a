--- Signing in: the cookie by which a page shows whose it is. A video element and
-- an event stream can send no header, and no address holds a token.
-- @module starvideos.gateway.session

local body = require "starvideos.gateway.body"
local access = require "starvideos.gateway.access"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

local DAY = 86400
local KEPT = 30 * DAY

-- A cookie that scripts of the page cannot read, and that no other site's page
-- sends.
local function cookie(app, request, value, seconds)
  return ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"):format(
    access.cookie_name(app, request), value, seconds,
    access.is_secure(app, request) and "; Secure" or "")
end

local function refused(status, code, message, more)
  local fields = more or {}
  fields.status, fields.code, fields.message = status, code, message
  return nil, refusals.new(fields)
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
  elseif access.is_foreign(app, request) then
    return refused(403, "origin_not_allowed", "a page signs in at its own gateway"
      .. " alone: send the token as the header Authorization: Bearer TOKEN")
  end
  local fields, refusal = body.read(request)
  if not fields then
    return nil, refusal
  end
  local token = access.token(fields.token)
  local caller = token and app.callers:find(token)
  if not caller then
    refusal = access.wrong_token(app, request)
    if refusal then
      return nil, refusal
    end
    return refused(401, "invalid_api_key", "no caller has this token", {
      param = "token", headers = { ["WWW-Authenticate"] = access.CHALLENGE } })
  end
  local value
  value, refusal = access.begin_session(app, token, KEPT)
  if not value then
    return nil, refusal
  end
  return 200, { caller = caller.name },
    { ["Set-Cookie"] = cookie(app, request, value, KEPT) }
end

--- Sign out: the session ends here at once, and a few seconds later at other gateways
-- on the same ledger.
-- @tparam table app
-- @tparam table request
-- @treturn ?number status
-- @treturn table empty; or a refusal: the session goes on
-- @treturn ?table headers
function _M.delete(app, request)
  local refusal = app.callers and not access.is_foreign(app, request)
    and access.end_session(app, request)
  if refusal then
    return nil, refusal
  end
  return 200, {}, { ["Set-Cookie"] = cookie(app, request, "", 0) }
end

return _M
