-- Who is let into a gateway: in a real nginx, before the body of a request is
-- sent.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local raw_http = require "spec.fixtures.raw_http"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"
local transfers = require "spec.fixtures.transfer"

describe("the guard of a gateway in nginx", function()
  local gateway

  local CALLERS = { callers = {
    { name = "ann", token_sha256 = curl.sha256 "token-of-ann" },
    { name = "bob", token_sha256 = curl.sha256 "token-of-bob",
      origins = { "https://play.example" } },
  } }

  -- Nothing is ordered here, so that no provider is asked.
  local function start(callers, trusted_proxies, before)
    gateway = gateways.start { base_url = "http://127.0.0.1:9", api_key = "key",
      callers = callers, trusted_proxies = trusted_proxies, before = before }
  end

  after_each(function()
    gateway:stop()
  end)

  local function ask(method, path, headers, body)
    headers.Host = headers.Host or "127.0.0.1:" .. gateway.port
    local status, fields, text = raw_http.ask(gateway.port,
      raw_http.head(method, path, headers) .. (body or ""))
    local is_json = text and (fields["content-type"] or ""):find "json"
    return status, is_json and json.decode(text) or text, fields
  end

  local function list(headers)
    return ask("GET", "/v1/videos", headers)
  end

  -- The body of these requests never comes.
  local function post(headers)
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = 1000
    return ask("POST", "/v1/videos", headers)
  end

  local function assert_refused(status, code, got, answer, headers)
    assert.equal(status, got)
    assert.equal(code, answer.error.code)
    assert.equal("application/json", headers["content-type"])
    assert.is_nil(headers["access-control-allow-credentials"])
    return headers
  end

  it("limits what one caller has under way in all nginx workers", function()
    start(CALLERS, nil, 'require("starvideos.gateway.access").policy.counted = 3')
    local clients = {}
    local give_up = core.now() + 30
    local function open(count)
      for _ = 1, count do
        local client = assert(socket.connect("127.0.0.1", gateway.port))
        assert(client:send(raw_http.head("POST", "/v1/videos", {
          Host = "127.0.0.1:" .. gateway.port, ["Content-Length"] = 1000,
          ["Content-Type"] = "application/json",
          Authorization = "Bearer token-of-ann" })))
        clients[#clients + 1] = client
      end
    end
    local function await(expected)
      repeat
        local status, _, headers = list { Authorization = "Bearer token-of-ann" }
        assert(core.now() < give_up, status)
      until status == expected
        and (status ~= 429 or headers["retry-after"] == "1")
    end
    open(64)
    await(429)
    for _ = 1, 20 do
      assert.equal(429, (list { Authorization = "Bearer token-of-ann" }))
    end
    assert.equal(200, (list { Authorization = "Bearer token-of-bob" }))
    shell.run("pkill -9 -P " .. gateway.pid)
    await(200)
    open(64)
    await(429)
    gateway:signal "HUP" -- the former workers go on with what they have
    local enough = core.now() + 4
    repeat
      assert.equal(429, (list { Authorization = "Bearer token-of-ann" }))
      socket.sleep(0.1)
    until core.now() > enough
    for _, client in ipairs(clients) do
      client:close()
    end
    await(200)
    -- A body that nginx refuses, too.
    for _ = 1, 70 do
      assert.equal(413, (ask("POST", "/v1/videos", { ["Content-Length"] = 70000,
        Authorization = "Bearer token-of-ann" })))
    end
    assert.equal(200, (list { Authorization = "Bearer token-of-ann" }))
  end)

  it("takes a session at a second gateway and after a restart, until it ends",
    function()
      start(CALLERS)
      local first = gateway
      local text = json.encode { token = "token-of-ann" }
      local cookie = select(3, ask("POST", "/v1/session", {
        ["Content-Type"] = "application/json", ["Content-Length"] = #text }, text))
        ["set-cookie"]:match "^[^;]+"
      local second = gateways.start { base_url = "http://127.0.0.1:9",
        api_key = "key", callers = CALLERS, ledger = first.prefix .. "/ledger.db",
        before = 'require("starvideos.gateway.access").policy.session = 0.5' }
      local function status_at(one)
        gateway = one
        return (list { Cookie = cookie })
      end
      local ok, raised = pcall(function()
        assert.equal(200, status_at(second))
        first:signal "QUIT"
        first:restart()
        assert.equal(200, status_at(first))
        assert.equal(200, (ask("DELETE", "/v1/session", { Cookie = cookie })))
        assert.equal(401, status_at(first))
        local give_up = core.now() + 10
        while status_at(second) ~= 401 do
          assert(core.now() < give_up)
        end
        first:signal "QUIT"
        first:restart()
        assert.equal(401, status_at(first))
      end)
      second:stop()
      gateway = first
      assert.is_true(ok, tostring(raised))
    end)

  local function guess(forwarded)
    return (list { Authorization = "Bearer wrong", ["X-Forwarded-For"] = forwarded })
  end

  it("counts wrong tokens by the address that a trusted proxy names", function()
    start(CALLERS, { "127.0.0.0/8", "fd00::/8", "10.0.0.7" })
    for count = 1, 11 do
      -- What stands before it may be forged.
      assert.equal(count > 10 and 429 or 401,
        guess(("192.0.2.%d, 192.0.2.1, fd00::1, 10.0.0.7"):format(100 + count)))
    end
    assert.equal(401, guess "192.0.2.2")
    assert.equal(401, guess "2001:db8::1")
    assert.equal(200, (list { Authorization = "Bearer token-of-ann",
      ["X-Forwarded-For"] = "192.0.2.1" }))
  end)

  it("believes no other address than the peer's without a trusted proxy",
    function()
      start(CALLERS, { "10.0.0.7" })
      for count = 1, 11 do
        assert.equal(count > 10 and 429 or 401, guess("192.0.2." .. count))
      end
    end)

  describe("with a file of callers", function()
    before_each(function()
      start(CALLERS)
    end)

    it("lets a caller in by the header or the cookie", function()
      assert.equal(200, (list { Authorization = "Bearer token-of-ann" }))
      assert.equal(401, (list { Cookie = "starvideos_session=token-of-ann" }))
    end)

    it("refuses others before their body comes", function()
      local headers = assert_refused(401, "missing_api_key", post {})
      assert.equal('Bearer realm="starvideos"', headers["www-authenticate"])
      assert_refused(401, "invalid_api_key",
        post { Authorization = "Bearer token-of-anna" })
    end)

    it("refuses a rebound name and foreign pages before the body comes",
      function()
        local token = "Bearer token-of-ann"
        for _, case in ipairs {
          { "host_not_allowed", Host = "evil.example" },
          { "host_not_allowed", Host = "evil.example:" .. gateway.port },
          { "origin_not_allowed", Origin = "https://evil.example" },
          { "origin_not_allowed", Origin = "null" },
          { "origin_not_allowed", ["Sec-Fetch-Site"] = "cross-site" },
          { "origin_not_allowed", Origin = "https://play.example" },
        } do
          local code = table.remove(case, 1)
          case.Authorization = token
          assert_refused(403, code, post(case))
        end
      end)

    it("lets its own page and allowed ones in", function()
      local text = json.encode { token = "token-of-ann" }
      local signed_in = select(3, ask("POST", "/v1/session", {
        ["Content-Type"] = "application/json", ["Content-Length"] = #text }, text))
      assert.equal(200, (list { Cookie = signed_in["set-cookie"]:match "^[^;]+",
        Origin = "http://127.0.0.1:" .. gateway.port,
        ["Sec-Fetch-Site"] = "same-origin" }))
      local status, _, headers = list { Authorization = "Bearer token-of-bob",
        Origin = "https://play.example", ["Sec-Fetch-Site"] = "cross-site" }
      assert.equal(200, status)
      assert.equal("https://play.example",
        headers["access-control-allow-origin"])
      assert.truthy(headers["access-control-expose-headers"]
        :find("X-Request-Id", 1, true))
    end)

    it("answers a browser that asks what a page may send", function()
      local status, _, headers = ask("OPTIONS", "/v1/videos", {
        Origin = "https://play.example",
        ["Access-Control-Request-Method"] = "POST",
        ["Access-Control-Request-Headers"] = "authorization,idempotency-key" })
      assert.equal(200, status)
      assert.equal("https://play.example",
        headers["access-control-allow-origin"])
      assert.truthy(headers["access-control-allow-headers"]
        :find("Idempotency-Key", 1, true))
      headers = assert_refused(403, "origin_not_allowed", ask("OPTIONS",
        "/v1/videos", { Origin = "https://evil.example",
          ["Access-Control-Request-Method"] = "POST" }))
      assert.is_nil(headers["access-control-allow-origin"])
    end)

    it("signs a page in by a cookie, which opens everything", function()
      local text = json.encode { token = "token-of-ann" }
      local status, answer, headers = ask("POST", "/v1/session", {
        ["Content-Type"] = "application/json", ["Content-Length"] = #text }, text)
      assert.equal(200, status)
      assert.same({ caller = "ann" }, answer)
      local cookie = headers["set-cookie"]:match "^[^;]+"
      assert.equal(200, (list { Cookie = cookie }))
      text = json.encode { token = "token-of-anna" }
      for _ = 1, 10 do
        assert_refused(401, "invalid_api_key", ask("POST", "/v1/session", {
          ["Content-Type"] = "application/json",
          ["Content-Length"] = #text }, text))
      end
      headers = assert_refused(429, "too_many_sign_ins", ask("POST",
        "/v1/session", { ["Content-Type"] = "application/json",
          ["Content-Length"] = #text }, text))
      assert.equal("60", headers["retry-after"])
      assert.equal(200, (ask("DELETE", "/v1/session", {})))
    end)

    local function until_true(condition)
      local give_up = core.now() + 20
      while not condition() do
        assert(core.now() < give_up, gateway:logs())
        socket.sleep(0.05)
      end
    end

    -- nginx takes no signal before its workers run.
    local function write_callers(text)
      assert.equal(200, (list { Authorization = "Bearer token-of-ann" }))
      files.write(gateway.prefix .. "/callers.json", text)
      gateway:signal "HUP"
    end

    it("reads the file again on HUP", function()
      write_callers(json.encode { callers = { { name = "ann",
        token_sha256 = curl.sha256 "another" } } })
      until_true(function()
        return list { Authorization = "Bearer token-of-ann" } == 401
      end)
      assert.equal(200, (list { Authorization = "Bearer another" }))
    end)

    it("keeps its callers on HUP where the file is broken, and says so",
      function()
        write_callers '{ "callers": [ { "name": "a/b" } ] }'
        until_true(function()
          return gateway:logs():find "callers%[1%] %(a/b%)%.name is no name"
        end)
        assert.truthy(gateway:logs():find(
          "callers[1] (a/b).token_sha256 is missing", 1, true))
        assert.equal(200, (list { Authorization = "Bearer token-of-ann" }))
      end)
  end)

  describe("over HTTP/2", function()
    local engine

    before_each(function()
      gateway = gateways.start { base_url = "http://127.0.0.1:9",
        api_key = "key", callers = CALLERS, tls = true }
      engine = curl.network { inline = true, ca_file = gateway.ca_file }
    end)

    after_each(function()
      engine:close()
    end)

    local function fetch(method, path, headers, body)
      local response = assert(transfers.finish(assert(engine:submit {
        method = method, url = gateway.url .. path, headers = headers,
        body = body, timeout = 20 }), engine))
      assert.equal("2", response.http_version)
      assert.equal("application/json", response.headers["content-type"])
      return response.status, json.decode(response.body), response.headers
    end

    it("lets in and refuses the same", function()
      local token = "Bearer token-of-ann"
      assert.equal(200, (fetch("GET", "/v1/videos", { Authorization = token,
        Origin = gateway.url })))
      for _, case in ipairs { { "host_not_allowed", Host = "evil.example" },
        { "origin_not_allowed", Origin = gateway.url:gsub("https", "http") } } do
        local code = table.remove(case, 1)
        case.Authorization = token
        assert_refused(403, code, fetch("GET", "/v1/videos", case))
      end
      local _, _, headers = fetch("POST", "/v1/session",
        { ["Content-Type"] = "application/json" },
        json.encode { token = "token-of-ann" })
      assert.truthy(headers["set-cookie"]:find "; Secure$")
    end)

    it("refuses what is too large, and what is not encrypted", function()
      local status, answer = fetch("POST", "/v1/videos",
        { ["Content-Type"] = "application/json" }, ("x"):rep(1000000))
      assert.equal(413, status)
      assert.equal("invalid_request_error", answer.error.type)
      status, answer = list {}
      assert.equal(400, status)
      assert.truthy(answer.error.message:find "HTTPS")
    end)
  end)

  describe("without a file of callers", function()
    it("serves this machine, but not what a proxy passes on", function()
      start()
      assert.equal(200, (list {}))
      assert.equal(200, (list { Authorization = "Bearer any" }))
      for _, name in ipairs { "X-Forwarded-For", "Forwarded", "X-Real-IP" } do
        assert_refused(403, "not_local", list { [name] = "192.0.2.7" })
      end
    end)
  end)
end)
