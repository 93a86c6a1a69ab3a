-- OpenAI's fields and objects, against what the catalog has.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.openai"
local requests = require "starvideos.gateway.request"

local catalog = core.catalog()

local function params(fields)
  return openai.params_of(fields, catalog)
end

-- The refusal of one field.
local function refused(fields, name, code)
  fields.model, fields.prompt = fields.model or "videos", "Rain"
  local found, refusal = params(fields)
  assert.is_nil(found)
  assert.same({ 400, "invalid_request_error", code, name },
    { refusal.status, refusal.type, refusal.code, refusal.param })
  return refusal.message
end

describe("OpenAI's fields", function()
  it("become the provider's", function()
    local given = { model = "videos", prompt = "Rain", seconds = "8",
      size = "720x1280", input_reference = "https://a.example/b.png" }
    assert.same({ model = "videos", prompt = "Rain", duration = 8,
      resolution = "720p", ratio = "9:16",
      referenceImages = { "https://a.example/b.png" } }, params(given))
    assert.equal("720x1280", given.size)
  end)

  it("may be what the catalog takes as it is", function()
    for _, model in ipairs(catalog:models()) do
      local found = params { model = model.name, prompt = "Rain", seconds = 8,
        size = model.resolution and "1280x720" or nil,
        input_reference = { image_url = "https://a.example/b.png" } }
      assert.is_true((catalog:validate(found)))
    end
  end)

  it("leave the provider's own as they are, beside them", function()
    local given = { model = "videos", prompt = "Rain", duration = 5,
      ratio = "21:9", resolution = "720p", first_image = "https://a/1",
      last_image = "https://a/2", referenceAudios = { "https://a/3" },
      other = { 1 } }
    assert.same(given, params(given))
    assert.equal(5, params { model = "videos", duration = "5" }.duration)
  end)

  it("take a whole number of seconds, as a text or a number", function()
    assert.equal(8, params { model = "videos", seconds = "8" }.duration)
    assert.equal(8, params { model = "videos", seconds = 8 }.duration)
    for _, seconds in ipairs { "", "8s", "8.0", "-8", "eight", "1e1", true, {},
      ("8"):rep(500) } do
      assert.truthy(refused({ seconds = seconds }, "seconds", "type")
        :find "whole number")
    end
  end)

  it("take the sizes of the model and tell of them", function()
    local message = refused({ size = "1792x1024" }, "size", "unsupported_value")
    assert.truthy(message:find("1680x720, 1280x720, 960x720, 720x720, 720x960,"
      .. " 720x1280", 1, true))
    assert.truthy(message:find('"1792x1024"', 1, true))
    assert.truthy(refused({ size = "1280x720", model = "starvideos_o3" }, "size",
      "not_supported"):find("ratio, one of 9:16, 1:1, 16:9", 1, true))
    refused({ size = 720 }, "size", "unsupported_value")
    refused({ size = {} }, "size", "unsupported_value")
  end)

  it("take one reference, as a URL", function()
    assert.same({ "https://a/b" }, params { model = "videos",
      input_reference = { image_url = "https://a/b" } }.referenceImages)
    for _, reference in ipairs { { file_id = "file-1" }, {}, { "https://a/b" }, 7,
      { image_url = "https://a/b", file_id = "file-1" }, { image_url = {} } } do
      assert.truthy(refused({ input_reference = reference }, "input_reference",
        "not_supported"):find("referenceImages", 1, true))
    end
  end)

  it("are refused beside the fields that they stand for", function()
    refused({ seconds = "8", duration = 8 }, "seconds", "conflict")
    refused({ size = "1280x720", ratio = "16:9" }, "size", "conflict")
    refused({ size = "1280x720", resolution = "720p" }, "size", "conflict")
    refused({ input_reference = "https://a/b", referenceImages = { "https://a/b" } },
      "input_reference", "conflict")
  end)

  it("are all named where several are wrong", function()
    local _, refusal = params { model = "videos", seconds = "x", size = "y" }
    assert.equal(2, #refusal.violations)
    assert.equal("seconds", refusal.param)
    assert.truthy(refusal.message:find "seconds.*\nsize.*nothing was ordered$")
  end)

  it("of an unknown model are the catalog's to refuse", function()
    for _, model in ipairs { "sora-2", 7 } do
      local found = params { model = model, size = "1280x720", seconds = "8" }
      assert.is_false((catalog:validate(found)))
      assert.is_nil(found.size)
    end
  end)
end)

describe("a refusal of the catalog", function()
  local function retold(fields)
    local _, violations = catalog:validate(assert(params(fields)))
    return openai.retold(requests.refusal { status = 400, message = "",
      violations = violations }, fields)
  end

  it("names the field that the caller gave", function()
    local refusal = retold { model = "videos", prompt = "x", seconds = "99" }
    assert.equal("seconds", refusal.param)
    assert.truthy(refusal.message:find "^seconds ")
    assert.is_nil(refusal.message:find "duration")
    refusal = retold { model = "videos", prompt = "x", duration = 99 }
    assert.equal("duration", refusal.param)
    refusal = retold { model = "videos", prompt = "x", seconds = 5,
      input_reference = "ftp://a/b" }
    assert.equal("input_reference", refusal.param)
    assert.truthy(refusal.message:find "^input_reference must be an http")
  end)

  it("has a line for each fault", function()
    local refusal = retold { model = "videos", seconds = 99, foo = 1 }
    assert.same({ "prompt", "seconds", "foo" }, { refusal.violations[1].field,
      refusal.violations[2].field, refusal.violations[3].field })
    local _, lines = refusal.message:gsub("\n", "")
    assert.equal(2, lines)
  end)

  it("without fields is left as it is", function()
    local refusal = requests.not_found()
    assert.equal(refusal, openai.retold(refusal, {}))
  end)
end)

describe("an order", function()
  local entry = { id = "video_1", model = "videos", status = "completed",
    progress = 100, created_at = 1, completed_at = 2, expires_at = 3,
    params = { prompt = "Rain", duration = 8, ratio = "9:16" },
    file = "/secret/path", order_id = "1", bytes = 5, cost = 7 }

  local function shown(changes)
    local changed = setmetatable(changes or {}, { __index = entry })
    return json.decode(json.encode(openai.object(changed, catalog)))
  end

  it("is shown with OpenAI's fields and nothing else", function()
    assert.same({ id = "video_1", object = "video", model = "videos",
      status = "completed", progress = 100, created_at = 1, completed_at = 2,
      expires_at = 3, prompt = "Rain", seconds = "8", size = "720x1280" }, shown())
  end)

  it("has every field, also where it is null", function()
    local text = json.encode(openai.object({ id = "video_1", model = "gone",
      status = "queued", progress = 0, created_at = 1, params = {} }, catalog))
    for _, name in ipairs { "completed_at", "expires_at", "error", "prompt",
      "seconds", "size", "remixed_from_video_id" } do
      assert.truthy(text:find('"' .. name .. '":null', 1, true), name)
    end
  end)

  it("tells why it failed", function()
    assert.same({ code = "task_failed", message = "no" },
      shown { status = "failed", error = { code = "task_failed",
        message = "no" } }.error)
  end)

  it("has the seconds that the provider documents, or none", function()
    local function seconds(model, params_of)
      return shown { model = model, params = params_of }.seconds
    end
    assert.equal("3", seconds("starvideos_o3", {}))
    assert.equal("9", seconds("starvideos_o3", { duration = 9 }))
    assert.is_nil(seconds("starvideos_o3", { duration = 9,
      referenceVideos = { "https://a/b" } }))
    assert.is_nil(seconds("videos", {}))
  end)
end)

it("a refusal is shown as OpenAI's error, with its nulls", function()
  local text = json.encode(openai.error(requests.not_found()))
  assert.same({ error = { message = "there is no video of this id",
    type = "invalid_request_error", code = "not_found" } }, json.decode(text))
  assert.truthy(text:find('"param":null', 1, true))
  local shown = openai.error(requests.refusal { status = 400, code = "type",
    param = "a", message = "m", violations = { { field = "a" } } })
  assert.same({ { field = "a" } }, shown.error.violations)
end)
