-- What the page of a gateway asks of it, over plain HTTP in a real nginx;
-- `make test-clients` has Chromium do so.

local curl = require "starvideos.curl"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local raw_http = require "spec.fixtures.raw_http"

local TOKEN = "token-of-ann"
local PRICES = { currency = "USD", models = { videos = { per_second = 0.1 } } }
local ORDER = { model = "videos", prompt = "Rain", duration = 5 }

describe("the page of a gateway over HTTP", function()
  local gateway

  -- Nothing is sent: the provider cannot be reached.
  local function start(callers)
    gateway = gateways.start { base_url = "http://127.0.0.1:9", api_key = "key",
      callers = callers, prices = PRICES }
  end

  after_each(function()
    gateway:stop()
  end)

  local function ask(method, path, headers, fields)
    headers = headers or {}
    headers.Host = "127.0.0.1:" .. gateway.port
    local body = fields and json.encode(fields) or ""
    if fields then
      headers["Content-Type"] = "application/json"
      headers["Content-Length"] = #body
    end
    local status, answered, text = raw_http.ask(gateway.port,
      raw_http.head(method, path, headers) .. body)
    local is_json = text and (answered["content-type"] or ""):find "json"
    return status, is_json and json.decode(text) or text, answered
  end

  describe("with callers", function()
    before_each(function()
      start { callers = { { name = "ann", token_sha256 = curl.sha256(TOKEN),
        limits = { spend = 2, per = "day", open = 3 } } } }
    end)

    it("needs no token, and is not sent twice", function()
      local status, text, headers = ask("GET", "/")
      assert.equal(200, status)
      assert.equal("text/html; charset=utf-8", headers["content-type"])
      assert.matches("^default%-src 'none';", headers["content-security-policy"])
      assert.equal("nosniff", headers["x-content-type-options"])
      for address in text:gmatch '[a-z]+="(page/[^"]+)"' do
        assert.equal(200, (ask("GET", "/" .. address)))
      end
      local again = { ["If-None-Match"] = headers.etag }
      status, text = ask("GET", "/", again)
      assert.same({ 304, "" }, { status, text })
      status, text = ask("HEAD", "/")
      assert.same({ 200, "" }, { status, text or "" })
    end)

    it("has JSON for what is no file of it", function()
      for _, path in ipairs { "/page/other.js", "/page/", "/page/..%2fpage.lua",
        "/page.lua" } do
        local status, answer = ask("GET", path)
        assert.same({ 404, "not_found" }, { status, answer.error.code })
      end
      local status, _, headers = ask("POST", "/")
      assert.same({ 405, "GET, HEAD" }, { status, headers.allow })
    end)

    it("knows its caller by the cookie of a sign-in, and by nothing else",
      function()
        assert.equal(401, (ask("GET", "/v1/account")))
        assert.equal(401, (ask("GET", "/v1/account?token=" .. TOKEN)))
        local status, _, headers = ask("POST", "/v1/session", nil,
          { token = TOKEN })
        assert.equal(200, status)
        local cookie = headers["set-cookie"]
        assert.matches("HttpOnly; SameSite=Strict", cookie)
        local answer
        status, answer = ask("GET", "/v1/account",
          { Cookie = cookie:match "^[^;]+" })
        assert.same({ 200, "ann", true }, { status, answer.caller,
          answer.has_session })
      end)

    it("sees what is left after each order", function()
      local function headers()
        return { Authorization = "Bearer " .. TOKEN }
      end
      local _, answer = ask("POST", "/v1/price", headers(), ORDER)
      assert.same({ cost = 0.5, currency = "USD", violations = {} }, answer)
      assert.equal(200, (ask("POST", "/v1/videos", headers(), ORDER)))
      _, answer = ask("GET", "/v1/account", headers())
      assert.same({ cap = 2, used = 0.5, left = 1.5, per = "day",
        currency = "USD" }, answer.spend)
      assert.same({ cap = 3, used = 1 }, answer.open)
      _, answer = ask("POST", "/v1/price", headers(), { model = "videos" })
      assert.same({ "prompt", "seconds" }, { answer.violations[1].field,
        answer.violations[2].field })
    end)
  end)

  it("asks nobody to sign in where there are no callers", function()
    start()
    local status, answer = ask("GET", "/v1/account")
    assert.same({ 200, "local", false }, { status, answer.caller,
      answer.has_session })
    assert.is_nil(answer.spend)
  end)
end)
