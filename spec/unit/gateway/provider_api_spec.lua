-- What a gateway says in the provider's dialect, read as this library reads the
-- provider.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local operations = require "starvideos.provider.operations"
local provider = require "starvideos.gateway.provider_api"
local requests = require "starvideos.gateway.request"
local task_reader = require "starvideos.provider.answer"

local ID = "video_00000199000000000000000000000001"

local function entry(fields)
  local made = { id = ID, model = "videos", status = "queued", progress = 0,
    created_at = 1700000000, params = { model = "videos", prompt = "a kite" } }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function read(name, status, value, headers)
  return task_reader.read(operations[name], { status = status,
    headers = headers or {}, body = json.encode(value) })
end

describe("params_of", function()
  local catalog = core.catalog()

  it("leaves the fields as they are", function()
    local fields = { model = "videos", prompt = "a kite", duration = 4,
      referenceImages = { "https://example.com/a.png" } }
    assert.equal(fields,
      provider.params_of(fields, catalog, "/v1/videos/videos"))
  end)

  it("refuses a model at the address of another", function()
    local params, refusal = provider.params_of({ model = "starvideos_o3" },
      catalog, "/v1/videos/videos")
    assert.is_nil(params)
    assert.equal(400, refusal.status)
    assert.equal("model", refusal.param)
    assert.truthy(refusal.message:find("POST /v1/starvideos/videos", 1, true))
  end)

  it("leaves to the catalog a model that is none", function()
    for _, model in ipairs { "another", 7, false, {} } do
      assert.truthy(provider.params_of({ model = model }, catalog,
        "/v1/videos/videos"))
    end
    assert.truthy(provider.params_of({}, catalog, "/v1/videos/videos"))
  end)
end)

describe("object", function()
  it("is the task that was created", function()
    local task = assert(read("create", 200, provider.object(entry())))
    assert.equal(ID, task.id)
    assert.equal("video", task.object)
    assert.equal("queued", task.status)
    assert.equal("videos", task.model)
    assert.equal(1700000000, task.created)
    assert.is_nil(task.error)
    assert.is_nil(task.video_url)
  end)

  it("shows how far a task is", function()
    local task = assert(read("query", 200, provider.object(
      entry { status = "in_progress", progress = 40 })))
    assert.equal("processing", task.status)
    assert.equal(40, task.progress)
  end)

  it("has the link of a completed task", function()
    local task = assert(read("query", 200, provider.object(
      entry { status = "completed", progress = 100 }, "https://gw/x.mp4?a=b")))
    assert.equal("completed", task.status)
    assert.equal("https://gw/x.mp4?a=b", task.video_url)
  end)

  it("has the reason of a failed task", function()
    local task = assert(read("query", 200, provider.object(entry {
      status = "failed", error = { code = "task_failed", message = "no" } })))
    assert.equal("failed", task.status)
    assert.equal("no", task.error)
  end)

  it("tells a cancelled task from a failed one", function()
    local task = assert(read("query", 200, provider.object(entry {
      status = "failed", error = { code = "cancelled", message = "no" } })))
    assert.equal("cancelled", task.status)
  end)

  it("writes what is not known as null, as the provider does", function()
    local text = json.encode(provider.object(entry()))
    assert.truthy(text:find('"video_url":null', 1, true))
    assert.truthy(text:find('"error":null', 1, true))
  end)
end)

describe("error", function()
  local function reading(name, fields, headers)
    fields.message = fields.message or "a reason"
    local value, status = provider.error(requests.refusal(fields))
    local task, err = read(name, status, value, headers)
    assert.is_nil(task)
    assert.is_nil(err.task_id)
    return err.kind, err
  end

  it("is of the kind that it would be at the provider", function()
    for _, case in ipairs {
      { "create", 400, "invalid_request" }, { "create", 401, "auth" },
      { "create", 403, "auth" }, { "create", 404, "config" },
      { "create", 409, "invalid_request" }, { "create", 413, "invalid_request" },
      { "create", 415, "invalid_request" }, { "create", 429, "rate_limited" },
      { "create", 500, "outcome_unknown" }, { "create", 503, "outcome_unknown" },
      { "query", 401, "auth" }, { "query", 404, "not_found" },
      { "query", 429, "rate_limited" }, { "query", 500, "server" },
      { "query", 503, "server" },
    } do
      assert.equal(case[3], (reading(case[1], { status = case[2] })))
    end
  end)

  it("keeps its sentence", function()
    local _, err = reading("create", { status = 400,
      message = "duration is 99: 4 to 15 is taken" })
    assert.truthy(err.message:find("duration is 99: 4 to 15", 1, true))
    assert.truthy(err.message:find("nothing was bought", 1, true))
  end)

  it("says when to come back", function()
    local kind, err = reading("create", { status = 429,
      code = "rate_limit_exceeded" }, { ["retry-after"] = "7" })
    assert.equal("rate_limited", kind)
    assert.equal(7, err.retry_after)
  end)

  it("takes no money left for no rate, which a client would retry", function()
    local kind, err = reading("create", { status = 429, retry = false,
      code = "insufficient_quota" })
    assert.equal("invalid_request", kind)
    assert.is_true(err.unpaid)
  end)

  it("says of a halted queue that it has accepted nothing", function()
    local kind, err = reading("create", { status = 503, retry_after = 60,
      code = "upstream_unavailable" }, { ["retry-after"] = "60" })
    assert.equal("rate_limited", kind)
    assert.truthy(err.message:find("nothing was bought", 1, true))
  end)

  it("shows each field that is wrong", function()
    local violations = { { field = "prompt", code = "required",
      message = "prompt is missing" } }
    local value = provider.error(requests.refusal { status = 400,
      message = "prompt is missing", violations = violations })
    assert.same(violations, value.violations)
  end)
end)
