local errors = require "starvideos.errors"
local fetch_task = require "starvideos.wait.fetch_task"
local starvideos = require "starvideos"

local RESULT = "https://zcbservice.aizfw.cn/kyyReactApiServer/v1/result/"
local RUNNING = '{"id":"video_1","object":"video","status":"processing"}'
local COMPLETED = '{"id":"video_1","status":"completed",'
  .. '"video_url":"https://media.test/1.mp4"}'

--- A client whose requests land in the returned array. Every request is
-- answered with `answer`: a response, or nil and a failure.
local function client_answered(answer, failure)
  local sent, slept = {}, {}
  local client = assert(starvideos.new {
    api_key = "test-key",
    transport = function(req)
      sent[#sent + 1] = req
      if answer then return answer end
      return nil, failure
    end,
    clock = function() return 1000 end,
    sleep = function(seconds) slept[#slept + 1] = seconds return true end,
    random = function() return 0.5 end,
  })
  return client, sent, slept
end

local function http(status, body, headers)
  return { status = status, headers = headers or {}, body = body }
end

local function failure(reason, was_sent)
  return { reason = reason, sent = was_sent, message = "the exchange failed" }
end

describe("the request of a query", function()
  it("is a GET with the key, without a body", function()
    local client, sent = client_answered(http(200, RUNNING))
    assert(client:query "video_1")
    local req = sent[1]
    assert.equal("GET", req.method)
    assert.equal(RESULT .. "video_1", req.url)
    assert.equal("Bearer test-key", req.headers.Authorization)
    assert.truthy(req.headers.Accept:find("application/json", 1, true))
    assert.equal("starvideos/" .. starvideos._VERSION, req.headers["User-Agent"])
    assert.is_nil(req.body)
    assert.is_falsy(req.fresh)
    assert.equal(10, req.connect_timeout)
    assert.equal(60, req.timeout)
  end)

  it("takes a task in place of an id", function()
    local client, sent = client_answered(http(200, RUNNING))
    assert(client:query { id = "proj_7", status = "queued" })
    assert.equal(RESULT .. "proj_7", sent[1].url)
  end)

  local ids = {
    { "video_starvideos_o3_1234", "video_starvideos_o3_1234" },
    { "proj_a-b.c~d", "proj_a-b.c~d" },
    { "a/../b", "a%2f..%2fb" },
    { "/../", "%2f..%2f" },
    { "/etc/passwd", "%2fetc%2fpasswd" },
    { "a b", "a%20b" },
    { "a+b", "a%2bb" },
    { "a?key=1#x", "a%3fkey%3d1%23x" },
    { "100%", "100%25" },
    { "a%2Fb", "a%252fb" },
    { "视频", "%e8%a7%86%e9%a2%91" },
    { "a\r\nX: y", "a%0d%0ax%3a%20y" },
    { "a\0b", "a%00b" },
    { "\255", "%ff" },
  }
  for _, case in ipairs(ids) do
    it("carries an id percent-encoded: " .. case[2], function()
      local client, sent = client_answered(http(200, RUNNING))
      assert(client:query(case[1]))
      assert.equal((RESULT .. case[2]):lower(), sent[1].url:lower())
    end)
  end

  for _, id in ipairs { ".", ".." } do
    it(("never climbs out of its path: %q"):format(id), function()
      local client, sent = client_answered(http(200, RUNNING))
      local _, err = client:query(id)
      if err then
        assert.equal("validation", err.kind)
        assert.equal(0, #sent)
      else
        local last = sent[1].url:match("/([^/]*)$")
        assert.equal(id:gsub("%.", "%%2e"), last:lower())
      end
    end)
  end

  it("is not sent for an empty id", function()
    for _, id in ipairs { "", { id = "" } } do
      local client, sent = client_answered(http(200, RUNNING))
      local task, err = client:query(id)
      assert.is_nil(task)
      assert.equal("validation", err.kind)
      assert.equal(0, #sent)
    end
  end)

  it("raises for what is neither an id nor a task", function()
    local client = client_answered(http(200, RUNNING))
    assert.has_error(function() client:query() end)
    assert.has_error(function() client:query(true) end)
    assert.has_error(function() client:query(print) end)
  end)
end)

describe("a query that finds its task", function()
  it("answers it in the provider's own names", function()
    local client = client_answered(http(200, [[{"id":"video_1",
      "object":"video","created":1700000000,"model":"videos",
      "status":"completed","error":null,"actualDuration":"10",
      "video_url":"https://media.test/1.mp4"}]]))
    local task = assert(client:query "video_1")
    local raw = task.raw
    task.raw = nil
    assert.same({ id = "video_1", object = "video", created = 1700000000,
                  model = "videos", status = "completed", actualDuration = 10,
                  video_url = "https://media.test/1.mp4" }, task)
    assert.is_nil(raw.error)
    assert.equal("10", raw.actualDuration)
  end)

  it("answers a table that prints as a sentence and has no methods", function()
    local client = client_answered(http(200, RUNNING))
    local task = assert(client:query "video_1")
    assert.is_nil(getmetatable(task).__index)
    assert.truthy(tostring(task):find("video_1 processing", 1, true))
  end)

  it("gives the task the id that was asked for, where the answer has none",
    function()
      local client = client_answered(http(200,
        '{"code":0,"data":{"status":"processing"}}'))
      assert.equal("proj_1", assert(client:query "proj_1").id)
    end)

  it("gives the task the id that was asked for, where the answer has another",
    function()
      local client = client_answered(http(200,
        '{"id":"internal_7","status":"processing"}'))
      local task = assert(client:query "proj_1")
      assert.equal("proj_1", task.id)
      assert.equal("internal_7", task.raw.id)
    end)

  it("does not compare the model", function()
    local client = client_answered(http(200,
      '{"id":"video_1","model":"videos_older","status":"queued"}'))
    local task = assert(client:query { id = "video_1", model = "videos" })
    assert.equal("videos_older", task.model)
  end)

  for _, status in ipairs { "queued", "processing", "failed", "cancelled",
                            "dreaming" } do
    it("answers one that is " .. status .. " without an error", function()
      local client = client_answered(http(200,
        '{"id":"video_1","status":"' .. status .. '"}'))
      local task, err = client:query "video_1"
      assert.is_nil(err)
      assert.equal(status, task.status)
    end)
  end

  it("answers a failed one with the provider's text", function()
    local client = client_answered(http(200,
      '{"id":"video_1","status":"failed","error":"内容违规"}'))
    local task = assert(client:query "video_1")
    assert.equal("内容违规", task.error)
  end)
end)

-- what, answer, failure, kind
local outcomes = {
  { "401", http(401, ""), nil, "auth" },
  { "a bad key at HTTP 200", http(200, '{"code":"204","msg":"登录验证失败"}'),
    nil, "auth" },
  { "400", http(400, '{"msg":"bad"}'), nil, "invalid_request" },
  { "404", http(404, ""), nil, "not_found" },
  { "no handler", http(200, '{"code":500,"data":null,'
    .. '"msg":"No handler found for GET /kyyReactApiServer/x"}'), nil,
    "config" },
  { "429", http(429, ""), nil, "rate_limited" },
  { "500", http(500, ""), nil, "server" },
  { "502 with a page", http(502, "<html>Bad Gateway</html>"), nil, "server" },
  { "a page at 200", http(200, "<html>"), nil, "protocol" },
  { "no status", http(200, '{"id":"video_1"}'), nil, "protocol" },
  { "completed without a link",
    http(200, '{"id":"video_1","status":"completed"}'), nil, "protocol" },
  { "no name found", nil, failure("resolve", false), "network" },
  { "no connection", nil, failure("connect", false), "network" },
  { "no TLS", nil, failure("tls", false), "network" },
  { "a time-out before anything was sent", nil, failure("timeout", false),
    "network" },
  { "a reset before anything was sent", nil, failure("reset", false),
    "network" },
  { "a reset", nil, failure("reset", true), "network" },
  { "TLS breaking off", nil, failure("tls", true), "network" },
  { "a time-out", nil, failure("timeout", true), "timeout" },
}

describe("a query", function()
  for _, case in ipairs(outcomes) do
    it(("is sent once and is %s after %s"):format(case[4], case[1]), function()
      local client, sent, slept = client_answered(case[2], case[3])
      local task, err = client:query "video_1"
      assert.is_nil(task)
      assert.equal(case[4], err.kind)
      assert.equal("video_1", err.task_id)
      assert.equal(1, #sent)
      assert.equal(0, #slept)
    end)
  end

  it("names the HTTP status and the seconds of Retry-After", function()
    local client = client_answered(http(429, "", { ["retry-after"] = "40" }))
    local _, err = client:query "video_1"
    assert.equal(429, err.status)
    assert.equal(40, err.retry_after)
  end)

  it("may be tried again after a passing fault", function()
    local passing = { { nil, failure("connect", false) },
                      { nil, failure("reset", true) },
                      { nil, failure("timeout", true) } }
    for _, status in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
      passing[#passing + 1] = { http(status, "") }
    end
    for _, case in ipairs(passing) do
      local _, err = client_answered(case[1], case[2]):query "video_1"
      assert.is_true(err.retryable)
    end
  end)

  it("is an error, not a task still queued, when no handler was found",
    function()
      local client = client_answered(http(200,
        '{"code":500,"data":null,"msg":"No handler found for GET /x"}'))
      local task, err = client:query "video_1"
      assert.is_nil(task)
      assert.truthy(err.message:find("base", 1, true))
    end)

  it("gives the next one its turn after an error", function()
    local answers = { http(500, ""), http(200, COMPLETED) }
    local client = assert(starvideos.new {
      api_key = "test-key",
      transport = function() return table.remove(answers, 1) end,
    })
    assert.equal("server", select(2, client:query "video_1").kind)
    assert.equal("completed", client:query "video_1".status)
  end)
end)

describe("a query with a ledger", function()
  --- What a context with this ledger answers; its events land in the second
  -- result.
  local function ask(ledger, answer)
    local events = {}
    local context = {
      api_key = "test-key", base_url = "https://api.test", timeout = 60,
      wall_clock = os.time, ledger = ledger,
      runtime = { request = function() return answer end },
      on_event = function(event)
        if event.name == "ledger" then events[#events + 1] = event end
      end,
    }
    local task, err = fetch_task.query(context, "video_1")
    return task or err, events, context
  end

  local function noting(seen, ...)
    local results = { ... }
    return {
      seen = function(_, task)
        seen[#seen + 1] = assert(task)
        return results[1], results[2]
      end,
      order_of_task = function() end,
    }
  end

  it("shows it every task that was read", function()
    local seen = {}
    local task, events = ask(noting(seen, true), http(200, COMPLETED))
    assert.equal(1, #seen)
    assert.equal(task, seen[1])
    assert.equal(0, #events)
  end)

  it("shows it nothing where no task was read", function()
    local seen = {}
    local err = ask(noting(seen, true), http(500, ""))
    assert.equal("server", err.kind)
    assert.equal(0, #seen)
  end)

  it("answers though the ledger cannot write, and tells the listener",
    function()
      local failing = noting({}, nil, errors.new { kind = "ledger",
        message = "disk full" })
      local task, events, context = ask(failing, http(200, COMPLETED))
      assert.equal("completed", task.status)
      events[1].at = type(events[1].at)
      assert.same({ { name = "ledger", at = "number",
        failure = "ledger: disk full" } }, events)
      context.on_event = nil
      assert.equal("completed", fetch_task.query(context, "video_1").status)
    end)
end)

describe("the answer's null", function()
  local function assert_no_userdata(value, path)
    assert.not_equal("userdata", type(value), path)
    if type(value) ~= "table" then return end
    for key, item in pairs(value) do
      assert_no_userdata(item, path .. "." .. tostring(key))
    end
  end

  it("is nowhere userdata", function()
    local client = client_answered(http(200, [[{"code":0,"msg":null,"data":{
      "id":"video_1","status":"processing","error":null,"video_url":null,
      "steps":[null,{"at":null}],"usage":{"cost":null}}}]]))
    assert_no_userdata(assert(client:query "video_1"), "task")
  end)
end)
