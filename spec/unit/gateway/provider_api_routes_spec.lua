-- What the provider's requests become, before orders that answer as they are
-- told.

local content = require "starvideos.gateway.content"
local core = require "starvideos.core"
local json = require "starvideos.base.json"
local orders = require "starvideos.gateway.orders"
local provider_api = require "starvideos.gateway.provider_api"
local requests = require "starvideos.gateway.request"
local gateways = require "starvideos.gateway"

local NOW, ENDPOINT = 1700000000, "/v1/videos/videos"
local ID = "video_" .. ("0a"):rep(16)

local app = { catalog = core.catalog(), secret = ("5e"):rep(32), settings = {},
  now = function() return NOW end }
local caller = { name = "ada" }

local function request(given)
  local headers = given.headers or { ["Content-Type"] = "application/json" }
  return { caller = caller, scheme = "http", host = "localhost:8080",
    header = function(name) return headers[name] end,
    body = function() return json.encode(given.fields or {}) end,
    args = function() return given.args or {} end }
end

local function entry(status)
  return { id = ID, model = "videos", status = status or "queued", progress = 0,
    created_at = 1, params = { prompt = "Rain" } }
end

-- What a function is called with, which answers like this.
local function answer(room, name, ...)
  local results, seen = { ... }, {}
  stub(room, name, function(...)
    seen[#seen + 1] = { ... }
    return (table.unpack or unpack)(results, 1, 2)
  end)
  return seen
end

local function none()
  return requests.not_found()
end

local snapshot
before_each(function() snapshot = assert:snapshot() end)
after_each(function() snapshot:revert() end)

describe("a create of the provider's", function()
  it("has an address for every endpoint of the catalog", function()
    for _, row in ipairs(app.catalog:models()) do
      for _, prefix in ipairs { "", "/kyyReactApiServer" } do
        local route, match = gateways.find_route("POST", prefix .. row.endpoint)
        assert.equal(provider_api.create, route.run)
        assert.equal(row.endpoint, match)
      end
    end
  end)

  it("places the order that the fields say", function()
    local seen = answer(orders, "place", entry())
    local fields = { model = "videos", prompt = "Rain", duration = 4 }
    local status, task = provider_api.create(app, request { fields = fields },
      ENDPOINT)
    assert.same({ 200, ID, "queued" }, { status, task.id, task.status })
    assert.equal(json.null, task.video_url)
    assert.same({ app, caller, { params = fields } }, seen[1])
  end)

  it("tells the orders its key", function()
    local seen = answer(orders, "place", entry())
    provider_api.create(app, request { headers = { ["Idempotency-Key"] = "k",
      ["Content-Type"] = "application/json" } }, ENDPOINT)
    assert.equal("k", seen[1][3].key)
  end)

  it("places nothing that cannot be read", function()
    local seen = answer(orders, "place", entry())
    for _, case in ipairs {
      { 400, { fields = { model = "starvideos_o3" } } },
      { 400, { headers = { ["Idempotency-Key"] = "" } } },
      { 415, { headers = { ["Content-Type"] = "text/plain" } } },
    } do
      local status, refusal = provider_api.create(app, request(case[2]), ENDPOINT)
      assert.is_nil(status)
      assert.equal(case[1], refusal.status)
    end
    assert.same({}, seen)
  end)

  it("is refused as the orders refuse it", function()
    local refusal = none()
    answer(orders, "place", nil, refusal)
    local status, value = provider_api.create(app, request {}, ENDPOINT)
    assert.is_nil(status)
    assert.equal(refusal, value)
  end)
end)

describe("a query of the provider's", function()
  local function queried(status)
    local seen = answer(orders, "find", entry(status))
    local code, task = provider_api.query(app, request {}, ID)
    assert.equal(200, code)
    assert.same({ app, caller, ID }, seen[1])
    orders.find:revert()
    return task
  end

  it("has a link to a completed video, and to no other", function()
    assert.equal("http://localhost:8080" .. content.signed_path(app, entry(), NOW),
      queried("completed").video_url)
    for _, status in ipairs { "queued", "in_progress", "failed" } do
      assert.equal(json.null, queried(status).video_url)
    end
  end)

  it("finds nothing where there is nothing", function()
    local refusal = none()
    answer(orders, "find", nil, refusal)
    assert.equal(refusal, select(2, provider_api.query(app, request {}, "x")))
  end)
end)

describe("a link's video", function()
  local function args_of(link)
    local args = {}
    for name, value in link:gmatch "(%w+)=(%w+)" do
      args[name] = value
    end
    return args
  end

  it("is sent to whoever has the link", function()
    local made, sent = entry "completed", nil
    local seen = answer(orders, "find", made)
    stub(content, "send", function(given)
      sent = given
    end)
    local args = args_of(content.signed_path(app, made, NOW))
    provider_api.file(app, request { args = args }, ID)
    assert.equal(made, sent)
    assert.is_nil(seen[1][2].name)
    assert.equal(ID, seen[1][3])
  end)

  it("is not even looked for without one", function()
    local seen = answer(orders, "find", entry "completed")
    local expired = args_of(content.signed_path(app, entry(), NOW - 3600))
    for status, args in pairs { [403] = {}, [410] = expired } do
      local code, refusal = provider_api.file(app, request { args = args }, ID)
      assert.is_nil(code)
      assert.equal(status, refusal.status)
    end
    assert.same({}, seen)
  end)

  it("is not found once its order is deleted", function()
    answer(orders, "find", nil, none())
    local args = args_of(content.signed_path(app, entry(), NOW))
    local _, refusal = provider_api.file(app, request { args = args }, ID)
    assert.equal(404, refusal.status)
  end)
end)
