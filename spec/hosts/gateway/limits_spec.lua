-- What a file of callers lets each of them order, in a real nginx.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local raw_http = require "spec.fixtures.raw_http"
local socket = require "socket"

describe("the limits of a gateway's callers", function()
  local gateway

  local function callers(limits, more)
    return { callers = { { name = "ann", limits = limits,
      token_sha256 = curl.sha256 "token-of-ann" },
      { name = more or "bob", token_sha256 = curl.sha256 "token-of-bob" } } }
  end

  -- Nothing is sent: nobody listens where the provider should be.
  local function start(limits)
    gateway = gateways.start { base_url = "http://127.0.0.1:9", api_key = "key",
      callers = callers(limits), prices = { currency = "USD",
        models = { videos = { per_second = 0.25 } } } }
  end

  after_each(function()
    gateway:stop()
  end)

  local function post(fields, token)
    local body = json.encode(fields)
    local status, headers, text = raw_http.ask(gateway.port,
      raw_http.head("POST", "/v1/videos", {
        Host = "127.0.0.1:" .. gateway.port,
        Authorization = "Bearer " .. (token or "token-of-ann"),
        ["Content-Type"] = "application/json",
        ["Content-Length"] = #body }) .. body)
    return status, json.decode(text), headers
  end

  local function order(token)
    return post({ model = "videos", prompt = "a kite", seconds = "4" }, token)
  end

  local function assert_refused(code, status, answer, headers)
    assert.equal(429, status)
    assert.equal(code, answer.error.code)
    return headers
  end

  it("bound the orders that have not ended", function()
    start { open = 2 }
    assert.equal(200, (order()))
    assert.equal(200, (order()))
    local headers = assert_refused("rate_limit_exceeded", order())
    assert.is_true(tonumber(headers["retry-after"]) >= 1)
    assert.equal(200, (order "token-of-bob"))
  end)

  it("bound the orders of a minute, and do not count refused ones", function()
    start { orders_per_minute = 2 }
    for _ = 1, 5 do
      assert.equal(400, (post { model = "videos", prompt = "" }))
    end
    assert.equal(200, (order()))
    assert.equal(200, (order()))
    local headers = assert_refused("rate_limit_exceeded", order())
    local seconds = tonumber(headers["retry-after"])
    assert.is_true(seconds >= 1 and seconds <= 60)
    assert.equal(200, (order "token-of-bob"))
  end)

  it("bound what is spent, and follow the file on HUP", function()
    start { spend = 2.5, per = "total" }
    assert.equal(200, (order()))
    assert.equal(200, (order()))
    local headers = assert_refused("insufficient_quota", order())
    assert.equal("false", headers["x-should-retry"])
    assert.equal(200, (order "token-of-bob"))
    files.write(gateway.prefix .. "/callers.json",
      json.encode(callers({ spend = 3, per = "day" }, "rob")))
    gateway:signal "HUP"
    local give_up = core.now() + 20
    while order() ~= 200 do
      assert.is_true(core.now() < give_up)
      socket.sleep(0.05)
    end
    assert_refused("insufficient_quota", order())
  end)
end)

describe("a gateway with wrong prices", function()
  it("does not start, and names the place", function()
    local started, why = pcall(gateways.start, { api_key = "key",
      base_url = "http://127.0.0.1:9", prices = { rates = {} } })
    assert.is_false(started)
    assert.truthy(why:find("rates is no field of prices", 1, true), why)
  end)
end)
