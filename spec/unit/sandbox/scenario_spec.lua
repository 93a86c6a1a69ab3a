-- Scenarios, in process: what each sends, how often, and what the transport
-- makes of the faults.

local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"

local HOST = "https://zcbservice.aizfw.cn/kyyReactApiServer"

describe("a scenario", function()
  local provider, now, send, slept

  before_each(function()
    now, slept = 1760000000, 0
    provider = sandbox.new{ clock = function() return now end, seconds = 5,
      queued_seconds = 2, sleep = function(seconds)
        slept = slept + seconds
      end }
    send = provider:transport()
  end)

  local function create(prompt, more)
    local req = { method = "POST", url = HOST .. "/v1/videos/videos",
      headers = { Authorization = "Bearer sandbox-key" },
      body = json.encode{ model = "videos", prompt = prompt, duration = 5 } }
    for name, value in pairs(more or {}) do
      req[name] = value
    end
    return send(req)
  end

  local function query(id, more)
    local req = { method = "GET", url = HOST .. "/v1/result/" .. id,
      headers = { authorization = "Bearer sandbox-key" } }
    for name, value in pairs(more or {}) do
      req[name] = value
    end
    return send(req)
  end

  local function made(name)
    assert(create("[scenario:" .. name .. "] a kite"))
    local tasks = provider:tasks().tasks
    return tasks[#tasks].id
  end

  local function completed(name)
    local id = made(name)
    now = now + 6
    return id
  end

  it("has a unique name, and says what it does and where", function()
    local seen = {}
    for _, row in ipairs(sandbox.scenarios()) do
      assert.is_nil(seen[row.name])
      seen[row.name] = true
      assert.is_true(#row.what > 5)
      assert.truthy(({ life = 1, create = 1, query = 1, media = 1 })
        [row.place])
      assert.truthy(({ requests = 1, seconds = 1 })[row.counts])
    end
  end)

  it("ends in an answer or a failure", function()
    local reasons = { reset = 1, timeout = 1, too_large = 1, stalled = 1 }
    local function check(response, failure)
      if response then
        assert.is_number(response.status)
        assert.is_string(response.body)
      else
        assert.truthy(reasons[failure.reason], failure.reason)
        assert.is_true(failure.sent)
      end
    end
    for _, row in ipairs(sandbox.scenarios()) do
      provider:reset()
      check(create("[scenario:" .. row.name .. "]"))
      local id = json.decode(create("plain").body).id
      provider:scenario(row.name)
      now = now + 10
      check(query(id))
      local link = require("starvideos.sandbox.tasks").link(provider, provider:task(id))
      check(send{ method = "GET", url = link, sink = {} })
    end
  end)

  it("affects the first N requests, then all is regular", function()
    local id = completed "query_401=2"
    assert.equal(401, query(id).status)
    assert.equal(401, query(id).status)
    assert.equal(200, query(id).status)
    assert.equal("completed", json.decode(query(id).body).status)
    local other = completed "query_404"
    for _ = 1, 5 do
      assert.equal(404, query(other).status)
    end
  end)

  it("counts creates by their body", function()
    assert.equal(429, create("[scenario:create_429=1] a").status)
    assert.equal(429, create("[scenario:create_429=1] b").status)
    assert.equal(200, create("[scenario:create_429=1] a").status)
    assert.equal(2, provider:tasks().tasks[1].posts)
    assert.equal(1, provider:tasks().billed)
  end)

  it("affects each place of which a prompt names one", function()
    local id = made "create_202][scenario:query_500=1][scenario:result_url"
    assert.equal(500, query(id).status)
    now = now + 6
    local body = json.decode(query(id).body)
    assert.is_nil(body.video_url)
    assert.is_string(body.url)
  end)

  it("of a prompt goes before that of the sandbox", function()
    provider:scenario "query_500"
    local id = made "query_404"
    assert.equal(404, query(id).status)
    assert.equal(500, query(made "create_202").status)
    provider:scenario(nil)
    assert.equal(404, query(id).status)
    assert.equal(200, query(made "create_202").status)
  end)

  it("can be set from the start, and is restored at a reset", function()
    provider = sandbox.new{ scenario = "query_500=1,create_202" }
    send = provider:transport()
    assert.equal(202, create("a").status)
    assert.equal(500, query("x").status)
    assert.equal(404, query("x").status)
    provider:scenario(nil)
    assert.equal(200, create("a").status)
    provider:reset()
    assert.equal(202, create("a").status)
  end)

  it("of an unknown name is refused in a prompt and as the default", function()
    local response = create "[scenario:querty_500]"
    assert.equal(400, response.status)
    assert.truthy(response.body:find("querty_500", 1, true))
    assert.has_error(function() provider:scenario "x" end, "unknown scenario: x")
    assert.has_error(function() sandbox.new{ scenario = "x=" } end)
  end)

  it("can be set over the wire", function()
    local function set(body)
      return provider:handle{ method = "POST", path = "/__sandbox/scenario",
        headers = {}, body = body }
    end
    assert.equal(200, set('{"scenario":"create_503"}').status)
    assert.equal(503, create("a").status)
    assert.equal(400, set('{"scenario":"nonsense"}').status)
    assert.equal(400, set('{"scenario":7}').status)
    assert.equal(400, set("").status)
    assert.equal(503, create("a").status)
    assert.equal(200, set("{}").status)
    assert.equal(200, create("a").status)
  end)

  -- Whether the order was made and billed although no answer says so.
  local lost = { create_reset = 1, create_hang = 1, create_truncated = 1,
    create_502 = 1, create_504 = 1, create_html = 1, create_not_json = 1,
    create_empty = 1, create_nested = 1, create_huge = 1, create_no_id = 1,
    create_slow = 1, create_500 = 0, create_503 = 0, create_429 = 0,
    create_401 = 0, create_auth = 0, create_no_handler = 0,
    create_redirect = 0, create_missing = 0, create_refused = 0,
    create_refused_id = 0, create_policy = 0, create_quota = 0 }
  for name, billed in pairs(lost) do
    it(("%s bills %d"):format(name, billed), function()
      create("[scenario:" .. name .. "]")
      assert.equal(billed, provider:tasks().billed)
      assert.equal(1, provider:tasks().posts)
    end)
  end

  it("never bills an order that the provider refuses", function()
    local body = json.encode{ model = "videos", duration = 99,
      prompt = "[scenario:create_reset]" }
    local response = create(nil, { body = body })
    assert.equal("failed", json.decode(response.body).status)
    assert.equal(0, provider:tasks().billed)
  end)

  local faults = {
    create_reset = "reset", create_hang = "timeout",
    create_truncated = "reset", create_huge = "too_large",
  }
  for name, reason in pairs(faults) do
    it(name .. " fails in the transport as " .. reason, function()
      local response, failure = create("[scenario:" .. name .. "]",
        { timeout = 60 })
      assert.is_nil(response)
      assert.equal(reason, failure.reason)
      assert.is_true(failure.sent)
      assert.is_true(failure.bytes_sent > 50)
      assert.is_string(failure.message)
    end)
  end

  it("delays an answer, at most for the time that the client has", function()
    assert(create("[scenario:create_slow=7]", { timeout = 10 }))
    assert.equal(7, slept)
    local _, failure = create("[scenario:create_slow=70]", { timeout = 10 })
    assert.equal("timeout", failure.reason)
    assert.equal(17, slept)
  end)

  it("delays an answer for a random part of its time", function()
    local luck = { 0.25, 0.5, 0.75 }
    provider = sandbox.new{ clock = function() return now end, seconds = 5,
      queued_seconds = 0, sleep = function(seconds)
        slept = slept + seconds
      end, random = function() return table.remove(luck, 1) end }
    send = provider:transport()
    local id = made "create_jitter=8,jitter=100,media_jitter=4"
    assert.equal(0.5 * 8, slept)
    now = now + 24
    assert.equal("processing", json.decode(query(id).body).status)
    now = now + 1
    local task = json.decode(query(id).body)
    assert.equal("completed", task.status)
    assert(send{ method = "GET", url = task.video_url, sink = {} })
    assert.equal(4 + 0.75 * 4, slept)
  end)

  it("sends Retry-After as seconds and as a date", function()
    assert.equal("1", create("[scenario:create_429]").headers["retry-after"])
    assert.equal("Thu, 09 Oct 2025 08:53:22 GMT",
      create("[scenario:create_429_date]").headers["retry-after"])
    assert.is_nil(create("[scenario:create_429_bare]").headers["retry-after"])
  end)

  it("sends 50 MB if the client accepts them", function()
    local response = create("[scenario:create_huge]",
      { max_body = 64 * 1024 * 1024 })
    assert.equal(52428800, #response.body)
    assert.equal("52428800", response.headers["content-length"])
  end)

  it("nests 10,000 deep", function()
    local body = create("[scenario:create_nested]").body
    assert.equal(10000, select(2, body:gsub("{", "")))
    assert.is_nil((json.decode(body)))
  end)

  it("returns a project id that a query accepts", function()
    local body = json.decode(create("[scenario:create_project_id]").body)
    assert.equal("0", body.code)
    assert.truthy(body.data.projectId:find "^proj_%d+$")
    assert.equal("queued",
      json.decode(query(body.data.projectId).body).status)
  end)

  local words = {
    result_upper = { "QUEUED", "PROCESSING", "COMPLETED" },
    result_succeeded = { "pending", "in_progress", "succeeded" },
    result_success = { "submitted", "running", "success" },
    result_done = { "Pending", "Generating", "Done" },
    result_unknown = { "contemplating", "contemplating", "contemplating" },
    cancelled = { "queued", "processing", "cancelled" },
    expired = { "queued", "processing", "expired" },
    failed = { "queued", "processing", "failed" },
    never = { "queued", "processing", "processing" },
    ["takes=3"] = { "queued", "completed", "completed" },
  }
  for name, wanted in pairs(words) do
    it(name .. " goes " .. table.concat(wanted, ", "), function()
      local id, seen = made(name), {}
      for index, pause in ipairs{ 0, 3, 3 } do
        now = now + pause
        seen[index] = json.decode(query(id).body).status
      end
      assert.same(wanted, seen)
    end)
  end

  local shapes = {
    result_data = { "code", 0 }, result_error_empty = { "error", "" },
    result_strings = { "actualDuration", "3" },
    result_extras = { "progress", "45%" },
    result_progress = { "progress", 45 },
    result_model = { "model", "videos_historical" },
    result_coded = { "code", 200 },
    query_auth = { "code", "204" }, query_auth_number = { "code", 204 },
  }
  for name, shape in pairs(shapes) do
    it(("%s has %s as %s"):format(name, shape[1], tostring(shape[2])),
      function()
        local body = json.decode(query(completed(name)).body)
        assert.equal(shape[2], body[shape[1]])
      end)
  end

  it("leaves out required fields", function()
    assert.is_nil(json.decode(query(completed "result_no_status").body)
      .status)
    local body = json.decode(query(completed "result_no_url").body)
    assert.equal("completed", body.status)
    assert.is_nil(body.video_url)
  end)

  it("redirects to the media host", function()
    local response = create "[scenario:create_redirect]"
    assert.equal(302, response.status)
    assert.equal("https://media.sandbox.invalid/elsewhere",
      response.headers.location)
    send{ method = "POST", url = response.headers.location,
      headers = { Authorization = "Bearer sandbox-key" } }
    assert.equal(1, provider:tasks().media.with_authorization)
  end)
end)
