-- The metrics of a gateway in a real nginx, whose workers count together.
-- `make test-clients` reads them with a parser of Prometheus' text from npm.

local gateways = require "spec.fixtures.gateway"
local core = require "starvideos.core"
local http = require "socket.http"
local json = require "starvideos.base.json"
local ltn12 = require "ltn12"
local sandbox = require "starvideos.sandbox.nginx"
local socket = require "socket"

local KEY = "key-of-the-gateway"

describe("the metrics of a gateway", function()
  local provider, gateway

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      prices = { currency = "USD", models = { videos = { per_video = 0.5 } } } }
  end)

  teardown(function()
    gateway:stop()
    provider:stop()
  end)

  local function ask(method, path, body, headers)
    local parts = {}
    headers = headers or {}
    headers["Content-Type"] = "application/json"
    headers["Content-Length"] = body and #body
    local _, status, answered = assert(http.request { method = method,
      url = gateway.url .. path, sink = ltn12.sink.table(parts),
      headers = headers, source = body and ltn12.source.string(body) })
    return status, table.concat(parts), answered
  end

  local function value_of(series)
    local _, text = ask("GET", "/metrics")
    local _, at = text:find("\nstarvideos_gateway_" .. series .. " ", 1, true)
    return tonumber(at and text:match("^%S+", at + 1))
  end

  -- A request is counted when its answer is sent.
  local function await(series, expected)
    local until_then = core.now() + 20
    while value_of(series) ~= expected and core.now() < until_then do
      socket.sleep(0.05)
    end
    assert.equal(expected, value_of(series), series)
  end

  it("count orders, requests on both sides, polls and money", function()
    for index = 1, 4 do
      local status, text = ask("POST", "/v1/videos", json.encode { model = "videos",
        duration = 4, prompt = "street " .. index })
      assert.equal(200, status, text)
    end
    await('orders{state="downloaded"}', 4)
    assert.equal(0, value_of "queue_depth")
    assert.equal(2, value_of 'spend{currency="USD"}')
    assert.equal(4,
      value_of 'upstream_requests_total{operation="create",status="200"}')
    assert.equal(4, value_of 'upstream_request_seconds_count{operation="create"}')
    assert.equal(4,
      value_of 'upstream_request_seconds_bucket{operation="create",le="+Inf"}')
    assert.is_true(value_of "polls_total" >= 4)
    await('http_requests_total{route="POST /v1/videos",status="200"}', 4)
    assert.equal(0, value_of "open_streams")
    assert.equal(2, value_of "workers")
    assert.equal(1, value_of "ledger_up")
  end)

  it("count what has no route, and what is refused, without the address", function()
    ask("GET", "/nothing/here?key=secret")
    ask("PUT", "/v1/videos")
    await('http_requests_total{route="other",status="404"}', 1)
    await('http_requests_total{route="other",status="405"}', 1)
    assert.is_nil(select(2, ask("GET", "/metrics")):find("secret", 1, true))
  end)

  it("are for this machine alone", function()
    local status, text = ask("GET", "/metrics", nil, { Via = "1.1 proxy" })
    assert.is_true(status >= 400)
    assert.is_nil(text:find("starvideos_gateway_", 1, true))
    local _, _, headers = ask("GET", "/metrics")
    assert.truthy(headers["content-type"]:find("text/plain; version=0.0.4", 1,
      true))
  end)
end)
