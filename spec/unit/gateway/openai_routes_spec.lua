-- What OpenAI's requests become, before orders that answer as they are told.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.openai"
local orders = require "starvideos.gateway.orders"
local requests = require "starvideos.gateway.request"

local app = { catalog = core.catalog() }
local caller = { name = "ada" }

-- A request with these headers, body and query.
local function request(given)
  given.caller = caller
  local headers, args, text = given.headers or {}, given.args or {}, given.body
  headers["Content-Type"] = headers["Content-Type"] or "application/json"
  given.header = function(name) return headers[name] end
  given.body = function() return text end
  given.args = function() return args end
  return given
end

local function entry(id)
  return { id = id, model = "videos", status = "queued", progress = 0,
    created_at = 1, params = { prompt = "Rain" } }
end

-- What a function of the orders is called with, and what it returns instead.
local function answer(name, ...)
  local results, seen = { n = select("#", ...), ... }, {}
  stub(orders, name, function(given_app, given_caller, wanted)
    assert.equal(app, given_app)
    assert.equal(caller, given_caller)
    seen[#seen + 1] = wanted
    return (table.unpack or unpack)(results, 1, results.n)
  end)
  return seen
end

local function refused(status, value, refusal)
  assert.is_nil(value)
  assert.equal(status, refusal.status)
  return refusal
end

local snapshot
before_each(function() snapshot = assert:snapshot() end)
after_each(function() snapshot:revert() end)

describe("a create", function()
  it("places the order that the fields say", function()
    local seen = answer("place", entry "video_1")
    local status, value = openai.create(app, request {
      body = '{"model":"videos","prompt":"Rain","seconds":"8"}' })
    assert.same({ 200, "video_1" }, { status, value.id })
    assert.same({ { params = { model = "videos", prompt = "Rain",
      duration = 8 } } }, seen)
  end)

  it("tells the orders its key and its attempt", function()
    local function told(headers)
      local seen = answer("place", entry "video_1")
      openai.create(app, request { headers = headers,
        body = '{"model":"videos"}' })
      orders.place:revert()
      return { seen[1].key, seen[1].attempt }
    end
    assert.same({ "k 1", 2 }, told { ["Idempotency-Key"] = "k 1",
      ["X-Stainless-Retry-Count"] = "2" })
    assert.same({ nil, 0 }, told { ["X-Stainless-Retry-Count"] = "0" })
    assert.same({}, told {})
  end)

  it("is refused with an attempt that cannot be read, which would be a new order",
    function()
      local seen = answer("place", entry "video_1")
      for _, count in ipairs { "", "-1", "1.5", "x", "1e9", "99999999999", "2 x",
        "1, 1", "1\0" } do
        assert.equal("X-Stainless-Retry-Count", refused(400, openai.create(app,
          request { body = '{"model":"videos"}', headers = {
            ["X-Stainless-Retry-Count"] = count } })).param)
      end
      assert.same({}, seen)
    end)

  it("is refused with a key that is none", function()
    local seen = answer("place", entry "video_1")
    for _, key in ipairs { "", ("k"):rep(256), "k\233", "k\n" } do
      refused(400, openai.create(app, request { body = "{}",
        headers = { ["Idempotency-Key"] = key } }))
    end
    assert.same({}, seen)
  end)

  it("is refused by the body, by OpenAI's fields and by the orders", function()
    local seen = answer("place", nil, requests.refusal { status = 400, message = "m",
      violations = { { field = "duration", code = "required",
        message = "duration is required" } } })
    assert.equal("invalid_json", refused(400, openai.create(app,
      request { body = "{" })).code)
    assert.equal("size", refused(400, openai.create(app,
      request { body = '{"model":"videos","size":"1x1"}' })).param)
    assert.same({}, seen)
    assert.equal("seconds", refused(400, openai.create(app,
      request { body = '{"model":"videos"}' })).param)
    assert.equal(1, #seen)
  end)
end)

describe("a list", function()
  it("is asked for a page", function()
    local seen = answer("list", { entry "video_1", entry "video_2" }, true)
    local status, value = openai.list(app, request { args = { limit = "2",
      after = "video_9", order = "asc" } })
    assert.same({ 200, "list", "video_1", "video_2", true, 2 }, { status,
      value.object, value.first_id, value.last_id, value.has_more, #value.data })
    openai.list(app, request {})
    assert.same({ { limit = 2, after = "video_9", order = "asc" },
      { limit = 20, order = "desc" } }, seen)
  end)

  it("may be empty", function()
    answer("list", {}, false)
    local _, value = openai.list(app, request {})
    assert.equal('{"data":[],"first_id":null,"has_more":false,"last_id":null,'
      .. '"object":"list"}', json.encode(value))
  end)

  it("is refused where the page makes no sense, or orders say no", function()
    local seen = answer("list", nil, requests.not_found())
    for _, args in ipairs { { limit = "0" }, { limit = "101" }, { limit = "x" },
      { limit = "" }, { limit = true }, { limit = "1.5" }, { order = "up" },
      { order = true }, { after = true } } do
      assert.equal((next(args)), refused(400, openai.list(app,
        request { args = args })).param)
    end
    assert.same({}, seen)
    refused(404, openai.list(app, request { args = { after = "x" } }))
  end)
end)

it("an order is shown and deleted, or refused", function()
  answer("find", entry "video_1")
  answer("delete", entry "video_1")
  local status, value = openai.retrieve(app, request {}, "video_1")
  assert.same({ 200, "video_1" }, { status, value.id })
  assert.same({ 200, { id = "video_1", object = "video.deleted",
    deleted = true } }, { openai.delete(app, request {}, "video_1") })
  answer("find", nil, requests.not_found())
  answer("delete", nil, requests.not_found())
  refused(404, openai.retrieve(app, request {}, "video_1"))
  refused(404, openai.delete(app, request {}, "video_1"))
end)

describe("a list of long orders", function()
  it("ends a page before it is too large, and says that more follow", function()
    local first, second = entry "video_1", entry "video_2"
    first.params = { prompt = ("x"):rep(600000) }
    second.params = first.params
    answer("list", { first, second }, false)
    local status, value = openai.list(app, request {})
    assert.same({ 200, 1, true, "video_1" },
      { status, #value.data, value.has_more, value.last_id })
  end)
end)
