-- Whether a request may come in, and whose it is; told from its head, before its body
-- is read.
--
-- A browser sends what any page asks of it, and a name of the page's own can lead to
-- this machine. So a request must be for a host that the gateway was started for, and
-- from a page of the gateway's own, from one that a caller allows, or from no page at
-- all.

local body = require "starvideos.gateway.body"
local c_locale = require "starvideos.base.c_locale"
local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local curl = require "starvideos.curl"
local requests = require "starvideos.gateway.request"

local _M = {}

--- The name of the cookie of a session; over HTTPS `__Host-` stands before it.
_M.COOKIE = "starvideos_session"

--- What every 401 says of how to send one.
_M.CHALLENGE = 'Bearer realm="starvideos"'

local TOKEN_BYTES = 256

-- How many wrong tokens of one address are answered, in how many seconds; more get HTTP
-- 429. A right token is let in all the same.
_M.policy = {
  failures = 10, window = 60,
  under_way = 64, -- requests of a caller, in all nginx workers
  counted = 10, -- seconds for which the counts of an nginx worker stand that does
    -- not repeat them
  ending = 120, -- the same of one that ends, which has so long for its requests
  session = 5, -- seconds for which the ledger is not asked again for a session
}

-- Of a gateway without a file of callers.
local LOCAL = { name = "local", limits = {}, origins = {} }

local function refused(code, message)
  return nil, requests.refusal { status = 403, code = code, message = message }
end

-- Where a proxy on this machine passes requests on, all the world is on it.
local FORWARDED = { "Forwarded", "X-Forwarded-For", "X-Real-IP", "Via" }

-- Whether a request comes from this machine, and not through a proxy on it.
function _M.is_of_this_machine(request)
  for _, name in ipairs(FORWARDED) do
    if request.header(name) then
      return false
    end
  end
  local remote = request.remote or ""
  return remote:find "^127%." ~= nil or remote:find "^::ffff:127%." ~= nil
    or remote == "::1" or remote == "unix:"
end

-- The origin of a request that another site's page sends; nil for all others.
local function foreign_origin(app, request)
  local origin = request.header "Origin"
  local own = ("%s://%s"):format(request.scheme,
    c_locale.lower(request.host or ""))
  local public = (app.settings.public_url or ""):match "^%a+://[^/]+"
  if origin and origin ~= own and origin ~= c_locale.lower(public or own) then
    return origin
  end
end

-- Whether another site's page sends a request.
function _M.is_foreign(app, request)
  return foreign_origin(app, request) ~= nil
end

-- What a browser says of a request of the gateway's own page, or of one that a
-- person typed.
local own_sites = { ["same-origin"] = true, none = true }

local function is_foreign_site(request)
  local site = request.header "Sec-Fetch-Site"
  return site ~= nil and not own_sites[site]
end

-- A link on another site's page leads a person to the gateway's own page, which
-- shows nothing of anybody's and which nobody may frame.
local function follows_link(request)
  return request.method == "GET" and request.path == "/"
    and request.header "Sec-Fetch-Mode" == "navigate"
    and request.header "Sec-Fetch-Dest" == "document"
end

-- A page whose name suddenly leads to this machine (DNS rebinding) names its own host.
local function is_own_host(host, names)
  for _, name in ipairs(names) do
    if host and c_locale.lower(host) == c_locale.lower(name) then
      return true
    end
  end
  return false
end

-- Whether a request may come in at all; before its body is read.
function _M.check(app, request)
  if not is_own_host(request.host, app.settings.hosts) then
    return refused("host_not_allowed", "this gateway is not for the host that"
      .. " the request names; nothing was ordered: whoever runs it adds a host"
      .. " by --host")
  elseif not app.callers and not _M.is_of_this_machine(request) then
    return refused("not_local", "this gateway has no callers and serves its own"
      .. " machine alone, not requests that a proxy passes on; nothing was"
      .. " ordered: whoever runs it lets others in by --callers")
  end
  local origin = foreign_origin(app, request)
  local is_allowed = origin and app.callers and app.callers:allow(origin)
  if origin and not is_allowed
    or is_foreign_site(request) and not is_allowed
    and not follows_link(request) then
    return refused("origin_not_allowed", "pages of another origin may not use"
      .. " this gateway; nothing was ordered: whoever runs it allows an origin"
      .. " in the file of callers")
  end
  return true
end

-- What a caller connects to by HTTPS, with its port.
local function secure_host(app, request)
  local address = app.settings.public_url or request.scheme .. "://"
    .. c_locale.lower(request.host or "")
  return address:match "^https://(.*)$"
end

-- Whether a caller comes by HTTPS. Returns whether by a public name, whose other ports
-- are HTTPS, too.
function _M.is_secure(app, request)
  local host = secure_host(app, request)
  return host ~= nil, host and not host:find "^localhost:?%d*$"
    and not host:find "^127%." and not host:find "^%["
end

-- The cookie's name for a request.
function _M.cookie_name(app, request)
  return ((_M.is_secure(app, request)) and "__Host-" or "") .. _M.COOKIE
end

local function cookie_of(app, request)
  local wanted = _M.cookie_name(app, request)
  for pair in (request.header "Cookie" or ""):gmatch "[^;]+" do
    local name, value = pair:match "^%s*([^%s=]+)=(%S*)"
    if name == wanted then
      return value
    end
  end
end

local function ledger_of(app)
  return contexts.of(app.client()).ledger
end

-- Begin a session of a caller: the ledger has its digest, so that all gateways on that
-- know it, and also when it has ended. `token`: a right one. Returns what the cookie
-- has: the beginning of the token's digest, and a word that nobody can guess.
function _M.begin_session(app, token, seconds)
  local holder = curl.sha256(token):sub(1, 16)
  local text = holder .. "." .. callers.new_token()
  local ok, err = ledger_of(app):begin_session(curl.sha256(text), holder, seconds)
  return ok and text, err and requests.refusal_of(err)
end

local function session_key(text)
  return "session " .. curl.sha256(text)
end

-- The caller of the session that a request's cookie has. It has none where the ledger
-- does not answer: somebody may have signed out.
function _M.of_session(app, request)
  local text = cookie_of(app, request) or ""
  local prefix = text:match "^(%x+)%.%x+$"
  -- Whoever knows no token's digest makes the ledger do nothing.
  local caller = prefix and #prefix == 16 and app.callers:named(prefix)
  if not caller then
    return nil
  end
  local goes_on, err = app.shared:get(session_key(text)), nil
  if goes_on == nil then
    goes_on, err = ledger_of(app):has_session(curl.sha256(text))
  end
  if err then
    return nil, requests.refusal_of(err)
  end
  if goes_on then -- nobody fills the dict with what was made up
    app.shared:add(session_key(text), true, _M.policy.session)
  end
  return goes_on and caller or nil
end

-- End the session that a request's cookie has, if it has one.
function _M.end_session(app, request)
  local caller, refusal = _M.of_session(app, request)
  if not caller then
    return refusal
  end
  local text = cookie_of(app, request)
  local ok, err = ledger_of(app):end_session(curl.sha256(text))
  if not ok then
    return requests.refusal_of(err)
  end
  app.shared:set(session_key(text), false, _M.policy.session)
end

-- A token as it may be sent. Returns token; nil for what is none.
function _M.token(token)
  if type(token) == "string" and #token <= TOKEN_BYTES
    and token:find "^[%w._~+/-]+=*$" then
    return token
  end
end

-- What was sent as a token, if anything was. Another site's page sends its
-- caller's token itself: a browser adds cookies to what pages of a neighbouring
-- site send.
local function sent_token(app, request, is_foreign)
  local scheme, token = (request.header "Authorization" or "")
    :match "^(%a+) +(.*)$"
  if scheme and c_locale.lower(scheme) == "bearer" then
    return token:match "^.*[^ ]" or ""
  end
  if not is_foreign then
    return cookie_of(app, request), true
  end
end

-- Count a wrong token. Returns refusal; nil while the address may try again.
function _M.wrong_token(app, request)
  -- Addresses share 4096 counts, so that many of them do not fill the memory.
  local key = "wrong " .. curl.sha256(request.remote or ""):sub(1, 3)
  local count = app.shared:incr(key, 1, 0, _M.policy.window) or 0
  return count > _M.policy.failures and requests.refusal { status = 429,
    code = "too_many_sign_ins", retry_after = _M.policy.window, message = "too many"
      .. " wrong tokens came from this address; nothing was ordered: try again in"
      .. " a minute, with a right one at once" } or nil
end

local function unknown_caller(app, request, was_sent)
  local refusal = was_sent and _M.wrong_token(app, request)
  if refusal then
    return nil, refusal
  end
  return nil, requests.refusal { status = 401,
    code = was_sent and "invalid_api_key" or "missing_api_key",
    message = (was_sent and "no caller has this token"
      or "the request has no token") .. "; nothing was ordered: send yours as"
      .. " the header Authorization: Bearer TOKEN",
    headers = { ["WWW-Authenticate"] = _M.CHALLENGE
      .. (was_sent and ', error="invalid_token"' or "") } }
end

-- Who asks. `request`: that `check` let in. Returns caller `name`, `limits`, `origins`.
function _M.caller(app, request)
  if not app.callers then
    return LOCAL
  end
  local origin = foreign_origin(app, request)
  local sent, is_session = sent_token(app, request, origin ~= nil)
  local token = not is_session and _M.token(sent)
  local caller, refusal = token and app.callers:find(token) or nil, nil
  if is_session then
    caller, refusal = _M.of_session(app, request)
  end
  if refusal then
    return nil, refusal
  elseif not caller then
    return unknown_caller(app, request, sent ~= nil)
  elseif origin and not callers.allows(caller, origin) then
    return refused("origin_not_allowed", "this caller may not be used by pages of"
      .. " this origin; nothing was ordered: whoever runs the gateway allows an"
      .. " origin in the file of callers")
  end
  return caller
end

-- What is under way in this nginx worker, by whose it is; and the number under which the
-- others find that in the shared dict, for so many seconds.
local under_way, place, kept = {}, nil, nil

local function key_of(index, name)
  return ("under way %d %s"):format(index, name)
end

local function tell(app, name)
  app.shared:set(key_of(place, name), under_way[name] or 0, kept)
end

-- Say that what this nginx worker has under way still is; to be called about every
-- second. Those of a killed one end with its place. `is_last`: whether nginx ends this
-- worker: it ticks no more.
function _M.tick(app, is_last)
  local shared, is_taken = app.shared, place ~= nil
  kept = is_last and _M.policy.ending or _M.policy.counted
  place = place or 0
  while not is_taken do
    place = place + 1
    local _, why = shared:add("place " .. place, true, kept)
    is_taken = why ~= "exists"
  end
  shared:set("place " .. place, true, kept)
  if place > (shared:get "places" or 0) then
    shared:set("places", place)
  end
  for name in pairs(under_way) do
    tell(app, name)
  end
end

-- Count what a caller has under way, in all nginx workers. `name`: of the caller;
-- before it, and a blank, what else than requests. `by`: 1 where one begins, -1 where
-- one ends, or 0. Returns how many there are then.
function _M.count(app, name, by)
  local count = (under_way[name] or 0) + by
  under_way[name] = count > 0 and count or nil
  if not place then
    _M.tick(app)
  end
  tell(app, name)
  for index = 1, app.shared:get "places" or 0 do
    count = count + (index ~= place and app.shared:get(key_of(index, name)) or 0)
  end
  return count
end

-- Begin a request of a caller, whose end must be counted, also of a refused one.
function _M.begin(app, caller)
  return _M.count(app, caller.name, 1) > _M.policy.under_way and requests.refusal {
    status = 429, code = "rate_limit_exceeded", retry_after = 1, message = ("%d of"
      .. " your requests are under way, and that is the most; nothing was ordered:"
      .. " wait for their answers"):format(_M.policy.under_way) } or nil
end

-- What a page may see of an answer beyond its body and its type.
local EXPOSED = "Accept-Ranges, Allow, Content-Length, Content-Range, ETag,"
  .. " Location, Retry-After, WWW-Authenticate, X-Request-Id, X-Should-Retry"

-- The headers by which a browser shows an answer to a page of an allowed origin.
-- Returns headers by name; empty for all other requests.
function _M.headers(app, request)
  local origin = foreign_origin(app, request)
  if not origin or not app.callers or not app.callers:allow(origin) then
    return {}
  end
  return { ["Access-Control-Allow-Origin"] = origin, Vary = "Origin",
    ["Access-Control-Expose-Headers"] = EXPOSED }
end

-- The answer to a browser that asks on behalf of a page what it may send. The star
-- stands for every header but Authorization. `request`: that `check` let in. Returns
-- headers by name; nil where it does not ask that.
function _M.preflight(request)
  if request.method == "OPTIONS"
    and request.header "Access-Control-Request-Method" then
    return { ["Access-Control-Allow-Methods"] = "GET, HEAD, POST, DELETE",
      ["Access-Control-Allow-Headers"] = "Authorization, Content-Type,"
        .. " Idempotency-Key, Last-Event-ID, Range, *",
      ["Access-Control-Max-Age"] = "600" }
  end
end

-- For how long a session goes on: 30 days.
local SESSION = 30 * 86400

-- The cookie by which a page shows whose it is: a video element and an event stream
-- can send no header, and no address holds a token. Scripts of the page cannot read it,
-- and no other site's page sends it.
local function cookie(app, request, value, seconds)
  return ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"):format(
    _M.cookie_name(app, request), value, seconds,
    _M.is_secure(app, request) and "; Secure" or "")
end

-- Sign in: `{"token": "…"}` gives the cookie. Returns `caller`, its name; or a refusal.
function _M.sign_in(app, request)
  if not app.callers then
    return 200, { caller = "local" }
  elseif _M.is_foreign(app, request) then
    return refused("origin_not_allowed", "a page signs in at its own gateway"
      .. " alone: send the token as the header Authorization: Bearer TOKEN")
  end
  local fields, refusal = body.read(request)
  if not fields then
    return nil, refusal
  end
  local token = _M.token(fields.token)
  local caller = token and app.callers:find(token)
  if not caller then
    refusal = _M.wrong_token(app, request)
    if refusal then
      return nil, refusal
    end
    return nil, requests.refusal { status = 401, code = "invalid_api_key",
      param = "token", message = "no caller has this token",
      headers = { ["WWW-Authenticate"] = _M.CHALLENGE } }
  end
  local value
  value, refusal = _M.begin_session(app, token, SESSION)
  if not value then
    return nil, refusal
  end
  return 200, { caller = caller.name },
    { ["Set-Cookie"] = cookie(app, request, value, SESSION) }
end

-- Sign out: the session ends here at once, and a few seconds later at other gateways on
-- the same ledger. Returns empty; or a refusal: the session goes on.
function _M.sign_out(app, request)
  local refusal = app.callers and not _M.is_foreign(app, request)
    and _M.end_session(app, request)
  if refusal then
    return nil, refusal
  end
  return 200, {}, { ["Set-Cookie"] = cookie(app, request, "", 0) }
end

return _M
