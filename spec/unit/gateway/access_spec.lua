local callers = require "starvideos.gateway.callers"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local guard = require "starvideos.gateway.access"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

describe("the guard of a gateway", function()
  local app, client, folder

  setup(function()
    folder = files.folder()
    client = assert(starvideos.new { api_key = "key",
      ledger = folder .. "/ledger.db" })
  end)

  teardown(function()
    client:close()
    files.remove(folder)
  end)

  before_each(function()
    local counts = {}
    app = { client = function() return client end,
      settings = { hosts = { "127.0.0.1:8080", "Videos.example" } },
      shared = { get = function() end, add = function() end,
        incr = function(_, key, change, first)
        counts[key] = (counts[key] or first) + change
        return counts[key]
      end },
      callers = assert(callers.parse(json.encode { callers = {
        { name = "ann", token_sha256 = curl.sha256 "token-of-ann" },
        { name = "bob", token_sha256 = curl.sha256 "token-of-bob",
          origins = { "https://play.example" } },
      } })) }
  end)

  local function request(headers, change)
    local made = { method = "POST", path = "/v1/videos", scheme = "http",
      host = "127.0.0.1:8080", remote = "192.0.2.7",
      header = function(name) return (headers or {})[name] end }
    for name, value in pairs(change or {}) do
      made[name] = value
    end
    return made
  end

  local function signed_in(token)
    return guard.COOKIE .. "=" .. guard.begin_session(app, token, 60)
  end

  local function assert_refused(status, code, ok, refusal)
    assert.is_nil(ok)
    assert.same({ status, code }, { refusal.status, refusal.code })
    assert.truthy(refusal.message:find("nothing was ordered", 1, true))
    return refusal
  end

  local function assert_checked(code, headers, change)
    if code then
      assert_refused(403, code, guard.check(app, request(headers, change)))
    else
      assert.is_true(guard.check(app, request(headers, change)))
    end
  end

  describe("of requests", function()
    it("lets those in that are for a host of its own", function()
      assert_checked(nil)
      assert_checked(nil, nil, { host = "videos.EXAMPLE" })
    end)

    it("refuses those for other hosts, as a rebound name is", function()
      for _, host in ipairs { "evil.example", "127.0.0.1", "127.0.0.1:8081",
        "127.0.0.1:8080.evil.example", "videos.example:80", "" } do
        assert_checked("host_not_allowed", nil, { host = host })
      end
      local without = request { Origin = "https://evil.example" }
      without.host = nil
      assert_refused(403, "host_not_allowed", guard.check(app, without))
      assert.same({}, guard.headers(app, without))
    end)

    it("lets its own pages in", function()
      assert_checked(nil, { Origin = "http://127.0.0.1:8080",
        ["Sec-Fetch-Site"] = "same-origin" })
      assert_checked(nil, { ["Sec-Fetch-Site"] = "none" })
      assert_checked(nil, { Origin = "https://videos.example" },
        { host = "videos.example", scheme = "https" })
    end)

    it("lets its own pages in where a proxy ends TLS", function()
      local headers = { Origin = "https://videos.example" }
      assert_checked("origin_not_allowed", headers, { host = "videos.example" })
      app.settings.public_url = "https://Videos.example/base"
      assert_checked(nil, headers, { host = "videos.example" })
    end)

    it("lets a person in who follows a link to the page, and to nothing else",
      function()
        local link = { ["Sec-Fetch-Site"] = "cross-site",
          ["Sec-Fetch-Mode"] = "navigate", ["Sec-Fetch-Dest"] = "document" }
        local page = { method = "GET", path = "/" }
        assert_checked(nil, link, page)
        assert_checked("origin_not_allowed", link, { method = "GET" })
        assert_checked("origin_not_allowed", link, { path = "/" })
        link["Sec-Fetch-Dest"] = "iframe"
        assert_checked("origin_not_allowed", link, page)
        link["Sec-Fetch-Mode"], link["Sec-Fetch-Dest"] = "no-cors", "document"
        assert_checked("origin_not_allowed", link, page)
      end)

    it("refuses pages of other origins", function()
      for _, origin in ipairs { "https://evil.example", "null", "",
        "https://127.0.0.1:8080", "http://127.0.0.1:8081", "http://127.0.0.1",
        "https://play.example.evil.example", "http://play.example" } do
        assert_checked("origin_not_allowed", { Origin = origin })
      end
      for _, site in ipairs { "cross-site", "same-site", "" , "other" } do
        assert_checked("origin_not_allowed", { ["Sec-Fetch-Site"] = site })
        assert_checked("origin_not_allowed", { ["Sec-Fetch-Site"] = site,
          Origin = "http://127.0.0.1:8080" })
      end
    end)

    it("lets pages in that a caller allows", function()
      assert_checked(nil, { Origin = "https://play.example",
        ["Sec-Fetch-Site"] = "cross-site" })
      app.callers = nil
      assert_checked("origin_not_allowed", { Origin = "https://play.example" },
        { remote = "127.0.0.1" })
    end)

    it("lets its own machine alone in, without a file of callers", function()
      app.callers = nil
      for _, remote in ipairs { "127.0.0.1", "127.8.8.8", "::1",
        "::ffff:127.0.0.1", "unix:" } do
        assert_checked(nil, nil, { remote = remote })
      end
      for _, remote in ipairs { "192.0.2.7", "::2", "1::1", "12.7.0.1",
        "::ffff:192.0.2.7", "" } do
        assert_checked("not_local", nil, { remote = remote })
      end
      for _, name in ipairs { "X-Forwarded-For", "Forwarded", "X-Real-IP", "Via" } do
        assert_checked("not_local", { [name] = "192.0.2.7" },
          { remote = "127.0.0.1" })
      end
    end)
  end)

  describe("of callers", function()
    local function caller(headers, change)
      return guard.caller(app, request(headers, change))
    end

    it("knows them by the header", function()
      for _, scheme in ipairs { "Bearer ", "bearer ", "BEARER   " } do
        assert.equal("ann",
          assert(caller { Authorization = scheme .. "token-of-ann" }).name)
      end
    end)

    it("knows them by the cookie", function()
      assert.equal("ann",
        assert(caller { Cookie = "" .. signed_in "token-of-ann" .. "" }).name)
      assert.equal("bob", assert(caller {
        Cookie = "a=b; " .. signed_in "token-of-bob" .. "; c=d" }).name)
      assert_refused(401, "missing_api_key", caller {
        Cookie = "my_starvideos_session=token-of-bob" })
    end)

    it("goes by the header where there is a cookie too", function()
      assert_refused(401, "invalid_api_key", caller {
        Authorization = "Bearer wrong",
        Cookie = "" .. signed_in "token-of-ann" .. "" })
    end)

    it("refuses others, and says how to send a token", function()
      local refusal = assert_refused(401, "missing_api_key", caller())
      assert.equal('Bearer realm="starvideos"',
        refusal.headers["WWW-Authenticate"])
      for _, text in ipairs { "Bearer token-of-an", "Bearer ",
        "Bearer token-of-ann token-of-ann", "Bearer " .. ("a"):rep(300),
        "Bearer \255" } do
        refusal = assert_refused(401, "invalid_api_key",
          caller { Authorization = text })
        assert.equal('Bearer realm="starvideos", error="invalid_token"',
          refusal.headers["WWW-Authenticate"])
        assert.is_nil(refusal.message:find("token-of", 1, true))
      end
      assert_refused(401, "missing_api_key",
        caller { Authorization = "Basic token-of-ann" })
    end)

    it("ignores the cookie for another origin's page", function()
      local headers = { Origin = "https://play.example",
        Cookie = "" .. signed_in "token-of-bob" .. "" }
      assert_refused(401, "missing_api_key", caller(headers))
      headers.Authorization = "Bearer token-of-bob"
      assert.equal("bob", assert(caller(headers)).name)
    end)

    it("refuses one whose pages are of other origins", function()
      assert_refused(403, "origin_not_allowed", caller {
        Origin = "https://play.example", Authorization = "Bearer token-of-ann" })
    end)

    it("has one, without a file of callers", function()
      app.callers = nil
      assert.same({ name = "local", limits = {}, origins = {} }, caller())
      assert.equal("local", caller { Authorization = "Bearer any" }.name)
    end)
  end)

  describe("of browsers", function()
    it("shows answers to pages of allowed origins alone", function()
      local headers = guard.headers(app, request {
        Origin = "https://play.example" })
      assert.equal("https://play.example",
        headers["Access-Control-Allow-Origin"])
      assert.equal("Origin", headers.Vary)
      assert.truthy(headers["Access-Control-Expose-Headers"]
        :find("Retry-After", 1, true))
      assert.is_nil(headers["Access-Control-Allow-Credentials"])
      for _, origin in ipairs { "https://evil.example", "null",
        "http://127.0.0.1:8080" } do
        assert.same({}, guard.headers(app, request { Origin = origin }))
      end
      assert.same({}, guard.headers(app, request()))
    end)

    it("tells what a page may send", function()
      local headers = guard.preflight(request({
        Origin = "https://play.example",
        ["Access-Control-Request-Method"] = "POST" }, { method = "OPTIONS" }))
      assert.truthy(headers["Access-Control-Allow-Headers"]
        :find("Idempotency-Key", 1, true))
      assert.truthy(headers["Access-Control-Allow-Methods"]:find "DELETE")
      assert.is_nil(guard.preflight(request(nil, { method = "OPTIONS" })))
      assert.is_nil(guard.preflight(request {
        ["Access-Control-Request-Method"] = "POST" }))
    end)
  end)

  it("counts wrong tokens of headers and cookies, and lets right ones in",
    function()
      local wrong = { { Authorization = "Bearer wrong" },
        { Cookie = guard.COOKIE .. "=wrong" }, { Authorization = "Bearer a b" } }
      for count = 1, guard.policy.failures + 3 do
        local _, refusal = guard.caller(app, request(wrong[count % 3 + 1]))
        assert.equal(count > guard.policy.failures and 429 or 401, refusal.status)
      end
      assert.equal("ann", guard.caller(app,
        request { Authorization = "Bearer token-of-ann" }).name)
      assert.equal(401, select(2, guard.caller(app, request {})).status)
    end)

  it("reads headers in a time that grows with their length", function()
    local shapes = { Cookie = { "a", " ", "a ", "=", "a=", ";", "\t", "a;" },
      Authorization = { " ", " a", "  a", "\t" } }
    local function seconds(header, shape, bytes)
      local text = (header == "Authorization" and "Bearer a" or "")
        .. shape:rep(math.floor(bytes / #shape)) .. "\t"
      local asked, began = request { [header] = text }, os.clock()
      guard.caller(app, asked)
      return os.clock() - began
    end
    -- Each at its best; 20 ms of the processor are quick enough.
    local function is_steep(header, shape)
      local little, much = math.huge, math.huge
      for _ = 1, 30 do
        little = math.min(little, seconds(header, shape, 16384))
        much = math.min(much, seconds(header, shape, 65536))
        if much < 0.02 or much <= 6 * little then
          return false
        end
      end
      return true
    end
    for header, list in pairs(shapes) do
      for _, shape in ipairs(list) do
        assert.is_false(is_steep(header, shape), header .. shape)
      end
    end
  end)

  describe("of nginx workers", function()
    local NAME = "starvideos.gateway.access"
    local now, values, ends

    -- What all of them share, on a clock of this spec's.
    local function get(_, key)
      return (ends[key] or 0) > now and values[key] or nil
    end

    local function set(_, key, value, seconds)
      values[key], ends[key] = value, now + (seconds or 1e9)
    end

    before_each(function()
      now, values, ends = 100, {}, {}
      app.shared = { get = get, set = set, add = function(_, key, ...)
        if get(nil, key) then
          return false, "exists"
        end
        set(nil, key, ...)
        return true
      end }
    end)

    after_each(function()
      package.loaded[NAME] = guard
    end)

    local function worker()
      package.loaded[NAME] = nil
      return require(NAME)
    end

    local function begin(one, count)
      for _ = 1, count do
        assert.is_nil(one.begin(app, { name = "ann" }))
      end
    end

    local function assert_full(one)
      local refusal = one.begin(app, { name = "ann" })
      assert.same({ 429, "rate_limit_exceeded" }, { refusal.status, refusal.code })
      one.count(app, "ann", -1)
    end

    it("counts what a caller has under way in all of them", function()
      local one, other = worker(), worker()
      begin(one, 40)
      begin(other, 24)
      assert_full(one)
      assert_full(other)
      assert.is_nil(other.begin(app, { name = "bob" }))
      one.count(app, "ann", -1)
      begin(other, 1)
      assert_full(one)
    end)

    it("forgets what a killed one had, and not what goes on for long", function()
      local killed, one = worker(), worker()
      begin(killed, 40)
      begin(one, 24)
      for _ = 1, 20 do
        now = now + 1
        one.tick(app)
      end
      local started = worker()
      begin(started, 40)
      assert_full(one)
      assert_full(started)
      assert.equal(2, get(nil, "places"))
    end)

    it("counts again what the shared dict has lost", function()
      local one, other = worker(), worker()
      begin(one, 40)
      begin(other, 24)
      values = {}
      one.tick(app)
      other.tick(app)
      assert_full(one)
    end)
  end)
end)
