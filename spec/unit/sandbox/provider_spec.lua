-- The sandbox as the provider: who may ask, what is answered, what becomes of
-- a task, and what its books say.

local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"

local BASE = "/kyyReactApiServer"
local CREATE = BASE .. "/v1/videos/videos"

describe("the sandbox as the provider", function()
  local provider, now

  local function request(method, path, body, headers)
    local response = provider:handle{ method = method, path = path, body = body,
      headers = headers or { authorization = "Bearer sandbox-key" } }
    return json.decode(response.body), response
  end

  local function create(more, path)
    local params = { model = "videos", prompt = "a kite", duration = 5 }
    for name, value in pairs(more or {}) do
      params[name] = value ~= json.null and value or nil
    end
    return request("POST", path or CREATE, json.encode(params))
  end

  local function query(id)
    return request("GET", BASE .. "/v1/result/" .. id)
  end

  before_each(function()
    now = 1760000000.25
    provider = sandbox.new{ clock = function() return now end, seconds = 10,
      queued_seconds = 3 }
  end)

  it("answers HTTP 200 and code 204 to a wrong or missing key", function()
    for _, header in ipairs{ "", "Bearer wrong", "sandbox-key",
      "Basic sandbox-key", "Bearer sandbox-key2" } do
      for _, ask in ipairs{ { "POST", CREATE, "{}" },
        { "GET", BASE .. "/v1/result/x" } } do
        local body, response = request(ask[1], ask[2], ask[3],
          { authorization = header ~= "" and header or nil })
        assert.equal(200, response.status)
        assert.same({ code = "204", msg = "登录验证失败" }, body)
      end
    end
    assert.equal(0, provider:tasks().billed)
  end)

  it("names a path without a handler, at HTTP 200", function()
    for _, ask in ipairs{ { "POST", "/v1/videos/videos" },
      { "POST", BASE .. CREATE }, { "GET", CREATE }, { "GET", "/" },
      { "POST", BASE .. "/v1/result/x" }, { "GET", BASE .. "/v1/result/" },
      { "POST", BASE .. "/v1/videos/videos/" }, { "POST", BASE .. "x" } } do
      local body, response = request(ask[1], ask[2], "{}")
      assert.equal(200, response.status)
      assert.same({ code = 500,
        msg = "No handler found for " .. ask[1] .. " " .. ask[2] }, body)
    end
  end)

  it("answers a create with exactly the documented fields", function()
    local body, response = create()
    assert.equal(200, response.status)
    assert.truthy(response.headers["content-type"]:find "^application/json")
    assert.truthy(body.id:find "^video_%d+$")
    assert.truthy(response.body:find('"error":null', 1, true))
    assert.same({ id = body.id, object = "video", created = 1760000000,
      model = "videos", status = "queued" }, body)
  end)

  it("gives every task its own id, and the other endpoint its own prefix", function()
    local body = create({ model = "starvideos_o3" },
      BASE .. "/v1/starvideos/videos")
    assert.truthy(body.id:find "^video_starvideos_o3_%d+$")
    assert.not_equal(create().id, create().id)
  end)

  it("names the first parameter that is missing, at HTTP 200", function()
    for _, field in ipairs{ "model", "prompt", "duration" } do
      local body, response = create{ [field] = json.null }
      assert.equal(200, response.status)
      assert.same({ msg = "缺少必填参数: " .. field }, body)
    end
  end)

  it("refuses a conflict in the provider's shape", function()
    local body, response = create{ referenceImages = { "https://a.example" },
      first_image = "https://a.example", last_image = "https://a.example" }
    assert.equal(200, response.status)
    assert.truthy(response.body:find('"id":null', 1, true))
    assert.equal("error", body.object)
    assert.equal("failed", body.status)
    assert.truthy(body.error:find "^Parameter conflict: ")
  end)

  it("refuses a body that is not a JSON object", function()
    for _, text in ipairs{ "", "{", "null", "7", '"x"', "\255",
      '{"model":"videos"}}', ("["):rep(10000) } do
      local _, response = request("POST", CREATE, text)
      assert.equal(400, response.status)
    end
  end)

  it("refuses a body of more than a megabyte unread", function()
    local _, response = request("POST", CREATE, ("x"):rep(1048577))
    assert.equal(413, response.status)
    assert.equal("too_large", provider:tasks().creates[1].outcome)
  end)

  it("takes a task from queued to completed", function()
    local id = create().id
    now = now + 2.9
    assert.equal("queued", query(id).status)
    now = now + 0.2
    local body, response = query(id)
    assert.equal("processing", body.status)
    assert.truthy(response.body:find('"video_url":null', 1, true))
    assert.truthy(response.body:find('"error":null', 1, true))
    assert.is_nil(body.actualDuration)
    now = now + 7
    local done = query(id)
    assert.truthy(done.video_url:find("/media/" .. id .. ".mp4?expires=", 1,
      true))
    done.video_url = nil
    assert.same({ id = id, object = "video", created = 1760000000,
      model = "videos", status = "completed", actualDuration = 3 }, done)
  end)

  it("tells why a task failed", function()
    local id = create{ prompt = "[scenario:failed]" }.id
    now = now + 9
    assert.equal("processing", query(id).status)
    now = now + 2
    local body = query(id)
    assert.equal("failed", body.status)
    assert.is_string(body.error)
    assert.is_nil(body.video_url)
  end)

  it("returns a new link at every query", function()
    local id = create().id
    now = now + 20
    local first = query(id).video_url
    now = now + 5
    assert.not_equal(first, query(id).video_url)
  end)

  it("decodes the id of a query", function()
    local id = create().id
    local encoded = id:gsub("_", "%%5f")
    assert.equal(id, query(encoded).id)
  end)

  it("answers 404 to an unknown id", function()
    for _, id in ipairs{ "x", "%2e%2e%2f", "../x", "%00", "a/b" } do
      local body, response = query(id)
      assert.equal(404, response.status)
      assert.equal(404, body.code)
    end
  end)

  it("logs what arrived, was made and was billed", function()
    local id = create().id
    create()
    create{ duration = 99 }
    create{ prompt = "[scenario:create_reset]" }
    create{ prompt = "[scenario:create_500]" }
    request("POST", CREATE, "{}", {})
    request("POST", CREATE, "{")
    query(id)
    local books = provider:tasks()
    assert.equal(7, books.posts)
    assert.equal(3, books.billed)
    assert.equal(1, books.queries)
    assert.equal(2, books.tasks[1].posts)
    assert.equal(1, books.tasks[1].queries)
    assert.equal(1, books.tasks[1].billed)
    assert.same({ model = "videos", prompt = "a kite", duration = 5 },
      books.tasks[1].params)
    assert.equal("create_reset", books.tasks[3].scenario)
    local outcomes = {}
    for index, post in ipairs(books.creates) do
      outcomes[index] = post.outcome
    end
    assert.same({ "created", "created", "refused", "created", "fault", "auth",
      "unreadable" }, outcomes)
  end)

  it("shows its log without a key, and never the key", function()
    create()
    local body, response = request("GET", "/__sandbox/tasks", nil, {})
    assert.equal(1, body.billed)
    assert.is_nil(response.body:find("sandbox-key", 1, true))
    assert.equal(body.tasks[1].id, provider:tasks().tasks[1].id)
  end)

  it("forgets everything at a reset, and gives no id twice", function()
    local id = create().id
    provider:scenario "create_500"
    request("POST", "/__sandbox/reset", nil, {})
    assert.equal(0, provider:tasks().posts)
    assert.equal(404, select(2, query(id)).status)
    assert.not_equal(id, create().id)
  end)

  it("has no other paths of its own", function()
    assert.equal(500, request("GET", "/__sandbox/secrets", nil, {}).code)
    assert.equal(500, request("GET", "/__sandbox/reset", nil, {}).code)
  end)
end)
