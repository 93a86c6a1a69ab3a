local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local guard = require "starvideos.gateway.access"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

describe("signing in to a gateway", function()
  local app, counts, now, folder, client

  before_each(function()
    counts, now, folder = {}, 1e9, files.folder()
    client = assert(starvideos.new { api_key = "key",
      ledger = folder .. "/ledger.db" })
    contexts.of(client).ledger.clock = function() return now end
    app = { client = function() return client end,
      settings = { hosts = { "127.0.0.1:8080" } },
      shared = {
        get = function(_, key) return counts[key] end,
        set = function(_, key, value) counts[key] = value end,
        add = function(_, key, value)
          if counts[key] == nil then
            counts[key] = value
          end
        end,
        incr = function(_, key, change, first, seconds)
        assert.equal(guard.policy.window, seconds)
        counts[key] = (counts[key] or first) + change
        return counts[key]
      end },
      callers = assert(callers.parse(json.encode { callers = {
        { name = "ann", token_sha256 = curl.sha256 "token-of-ann",
          origins = { "https://play.example" } } } })) }
  end)

  after_each(function()
    client:close()
    files.remove(folder)
  end)

  local function request(text, change)
    local made = { scheme = "http", host = "127.0.0.1:8080",
      remote = "192.0.2.7", body = function() return text end,
      header = function(name)
        return name == "Content-Type" and "application/json" or nil
      end }
    for name, value in pairs(change or {}) do
      made[name] = value
    end
    return made
  end

  local function sign_in(token, change)
    return guard.sign_in(app, request(json.encode { token = token }, change))
  end

  local function assert_refused(status, code, got, refusal)
    assert.is_nil(got)
    assert.same({ status, code }, { refusal.status, refusal.code })
    return refusal
  end

  it("gives the cookie, which scripts and other sites do not get", function()
    local status, answer, headers = sign_in "token-of-ann"
    assert.equal(200, status)
    assert.same({ caller = "ann" }, answer)
    local cookie = headers["Set-Cookie"]
    assert.truthy(cookie:find("^starvideos_session=%S+; Path=/; Max%-Age=2592000;"
      .. " HttpOnly; SameSite=Strict$"), cookie)
    assert.is_nil(cookie:find("token-of", 1, true))
  end)

  it("keeps the cookie to HTTPS and to its host where it has that", function()
    local function of(change)
      return select(3, sign_in("token-of-ann", change))["Set-Cookie"]
    end
    for _, host in ipairs { "127.0.0.1:8080", "localhost:8080", "[::1]:8080" } do
      assert.is_nil(of({ host = host }):find "Secure")
      assert.is_false(select(2, guard.is_secure(app, request("",
        { scheme = "https", host = host }))))
    end
    local named = of { scheme = "https", host = "videos.example" }
    assert.truthy(named:find "^__Host%-starvideos_session=.*; Path=/;.*; Secure$")
    app.settings.public_url = "https://videos.example"
    assert.truthy(of():find "^__Host%-.*; Secure$")
  end)

  local function with(cookie)
    return request("", { header = function(name)
      return name == "Cookie" and cookie or nil
    end })
  end

  -- The name of the caller that a cookie's session is of; or a refusal.
  local function caller_of(cookie)
    local caller, refusal = guard.caller(app, with(cookie))
    return caller and caller.name, refusal
  end

  local function cookie_of(token)
    return select(3, sign_in(token))["Set-Cookie"]:match "^[^;]+"
  end

  it("ends with its time, its token and the sign-out, and is not forged", function()
    local cookie, other = cookie_of "token-of-ann", cookie_of "token-of-ann"
    assert.equal("ann", caller_of(cookie))
    assert.equal(200, (guard.sign_out(app, with(cookie))))
    assert.is_nil(caller_of(cookie))
    assert.equal("ann", caller_of(other))
    assert.is_nil(caller_of((other:gsub("%x$", function(digit)
      return digit == "0" and "1" or "0"
    end))))
    assert.is_nil(caller_of(other .. "0"))
    assert.is_nil(caller_of(guard.COOKIE .. "=token-of-ann"))
    now, counts = now + 30 * 86400, {}
    assert.is_nil(caller_of(other))
    other = cookie_of "token-of-ann"
    app.callers = assert(callers.parse(json.encode { callers = {
      { name = "ann", token_sha256 = curl.sha256 "another" } } }))
    assert.is_nil(caller_of(other))
  end)

  it("is known to all gateways on the ledger, and so is its end", function()
    local cookie, here = cookie_of "token-of-ann", counts
    counts = {} -- another gateway's
    assert.equal("ann", caller_of(cookie))
    guard.sign_out(app, with(cookie))
    counts = {}
    assert.is_nil(caller_of(cookie))
    counts = here
    assert.is_nil(caller_of(cookie))
  end)

  it("opens nothing where the ledger does not answer, and does not seem to end",
    function()
      local cookie, asked = cookie_of "token-of-ann", 0
      local ledger = contexts.of(client).ledger
      local function silent()
        asked = asked + 1
        return nil, { kind = "ledger" }
      end
      ledger.has_session, ledger.begin_session, ledger.end_session = silent,
        silent, silent
      assert_refused(503, "ledger_unavailable", caller_of(cookie))
      assert_refused(503, "ledger_unavailable", guard.sign_out(app, with(cookie)))
      assert_refused(503, "ledger_unavailable", sign_in "token-of-ann")
      assert.equal(3, asked)
      ledger.has_session = nil
      assert.equal("ann", caller_of(cookie))
      assert_refused(503, "ledger_unavailable", guard.sign_out(app, with(cookie)))
      assert.equal("ann", caller_of(cookie))
    end)

  it("leaves nothing in the shared dict of what was made up", function()
    local holder = curl.sha256("token-of-ann"):sub(1, 16)
    for n = 1, 20 do
      local cookie = ("%s=%s.%064x"):format(guard.COOKIE, holder, n)
      assert.is_nil(guard.of_session(app, with(cookie)))
    end
    assert.same({}, counts)
  end)

  it("makes the ledger look for nothing that was made up", function()
    contexts.of(client).ledger.has_session = error
    for _, made_up in ipairs { "", "x", ("0"):rep(64), ("0"):rep(16) .. "."
      .. ("0"):rep(64), curl.sha256("token-of-ann"):sub(1, 15) .. ".0" } do
      assert.is_nil(caller_of(guard.COOKIE .. "=" .. made_up))
      assert.equal(200, (guard.sign_out(app, with(guard.COOKIE .. "=" .. made_up))))
    end
  end)

  it("refuses what is nobody's token", function()
    for _, token in ipairs { "token-of-an", "", "a b", "token-of-ann; a=b", 7,
      { "token-of-ann" }, json.null } do
      local refusal = assert_refused(401, "invalid_api_key", sign_in(token,
        { remote = tostring(token) }))
      assert.equal("token", refusal.param)
      assert.truthy(refusal.headers["WWW-Authenticate"])
      assert.is_nil(refusal.message:find("token-of", 1, true))
    end
    assert_refused(400, "invalid_json", guard.sign_in(app, request "{"))
  end)

  it("lets a right token in however often its address has guessed", function()
    for _ = 1, guard.policy.failures do
      assert_refused(401, "invalid_api_key", sign_in "wrong")
    end
    assert.equal(60,
      assert_refused(429, "too_many_sign_ins", sign_in "wrong").retry_after)
    assert.equal(200, (sign_in "token-of-ann"))
    assert_refused(401, "invalid_api_key", sign_in("wrong",
      { remote = "192.0.2.8" }))
  end)

  it("does not count what succeeds", function()
    for _ = 1, 3 * guard.policy.failures do
      assert.equal(200, (sign_in "token-of-ann"))
    end
  end)

  it("refuses another site's page, though a caller allows it", function()
    assert_refused(403, "origin_not_allowed", sign_in("token-of-ann", {
      header = function(name)
        return name == "Origin" and "https://play.example"
          or name == "Content-Type" and "application/json" or nil
      end }))
  end)

  it("is not needed without a file of callers", function()
    app.callers = nil
    local status, answer, headers = sign_in "any"
    assert.equal(200, status)
    assert.same({ caller = "local" }, answer)
    assert.is_nil(headers)
  end)

  it("ends with the cookie", function()
    local status, _, headers = guard.sign_out(app, request "")
    assert.equal(200, status)
    assert.equal("starvideos_session=; Path=/; Max-Age=0; HttpOnly;"
      .. " SameSite=Strict", headers["Set-Cookie"])
  end)
end)
