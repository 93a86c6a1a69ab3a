-- The metrics of a gateway as a parser of Prometheus' text, of npm, reads them.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local http = require "socket.http"
local json = require "starvideos.base.json"
local ltn12 = require "ltn12"
local metrics = require "starvideos.gateway.metrics"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"

local KEY = "key-of-the-gateway"

local READ = "node spec/clients/metrics.mjs"
  .. " @here@/build/clients/node_modules/ <@text@"

describe("a parser of Prometheus' text", function()
  local provider, gateway

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      prices = { currency = "USD", models = { videos = { per_video = 0.25 } } } }
  end)

  teardown(function()
    gateway:stop()
    provider:stop()
  end)

  local function place()
    local body = json.encode { model = "videos", duration = 4,
      prompt = "a street" }
    local _, status = http.request { method = "POST",
      url = gateway.url .. "/v1/videos", source = ltn12.source.string(body),
      headers = { ["Content-Type"] = "application/json",
        ["Content-Length"] = #body } }
    assert.equal(200, status)
  end

  local function read()
    local text, folder = assert(http.request(gateway.url .. "/metrics")),
      files.folder()
    files.write(folder .. "/text", text)
    local found = json.decode((shell.read(shell.fill(READ,
      { here = shell.read "pwd", text = folder .. "/text" }))))
    files.remove(folder)
    local families = {}
    for _, family in ipairs(assert(found, text)) do
      families[family.name] = family
    end
    return families, text
  end

  local function sample(family, label, value)
    for _, one in ipairs(family.metrics) do
      if not label or one.labels and one.labels[label] == value then
        return one
      end
    end
  end

  it("reads all of them", function()
    place()
    local families, text
    local until_then = core.now() + 20
    repeat
      socket.sleep(0.1)
      families, text = read()
    until sample(families.starvideos_gateway_orders, "state", "downloaded")
      or core.now() > until_then
    for _, family in ipairs(metrics.families) do
      local found = families["starvideos_gateway_" .. family[1]]
      assert.is_table(found, family[1] .. "\n" .. text)
      assert.equal(family[2]:upper(), found.type)
      assert.equal(family[3], found.help)
      assert.is_true(#found.metrics > 0, family[1])
    end
    assert.equal("0.25", sample(families.starvideos_gateway_spend, "currency",
      "USD").value:gsub("0+$", ""))
    -- This parser takes the histograms of all operations for one.
    local seconds = families.starvideos_gateway_upstream_request_seconds
    assert.is_true(tonumber(seconds.metrics[1].buckets["+Inf"]) >= 1)
  end)
end)
