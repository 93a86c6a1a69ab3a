-- What a client makes of answers that came in part, or are malformed: a task that
-- can be read is never thrown away.

local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"
local starvideos = require "starvideos"

local ORDER = { model = "videos", prompt = "a kite", duration = 4 }
local QUEUED = '{"id":"video_1","object":"video","status":"queued"}'
local FAILED = [[{"id":"video_1","object":"video","status":"failed",]]
  .. [["error":"the prompt was refused: \ud83d"}]]

local function broken(body, more)
  local failure = { reason = "reset", sent = true, status = 200, phase = "body",
    message = "the connection broke", body = body }
  for name, value in pairs(more or {}) do
    failure[name] = value
  end
  return failure
end

local function http(body, status)
  return { status = status or 200, headers = {}, body = body }
end

describe("an answer in part", function()
  local folder, ledger, world

  before_each(function()
    folder = files.folder()
    ledger = folder .. "/videos.db"
    world = { posts = 0, gets = 0, now = 1000, events = {} }
  end)

  after_each(function()
    files.remove(folder)
  end)

  -- A client whose provider gives that answer: a failure has a reason.
  local function client_of(answer, options)
    options = options or {}
    options.api_key = "sk-Zq7rT0vKx2mW9b"
    options.clock = function() return world.now end
    options.sleep = function(seconds)
      world.now = world.now + seconds
      return true
    end
    options.on_event = function(event)
      world.events[#world.events + 1] = event
    end
    function options.transport(req)
      local count = req.method == "POST" and "posts" or "gets"
      world[count] = world[count] + 1
      if answer.reason then
        return nil, answer
      end
      return answer
    end
    return assert(starvideos.new(options))
  end

  local function create(answer, options)
    local client = client_of(answer, options)
    local task, err = client:create(ORDER, options and { key = "kite" })
    assert.equal(1, world.posts)
    return task, err, client
  end

  local function exchange()
    for _, event in ipairs(world.events) do
      if event.name == "exchange" then
        return event
      end
    end
  end

  for _, reason in ipairs { "reset", "timeout", "stalled", "protocol",
    "too_large", "tls", "cancelled", "io" } do
    it("is the task once its object is whole: " .. reason, function()
      local task = assert(create(broken(QUEUED, { reason = reason }),
        { ledger = ledger }))
      assert.equal("video_1", task.id)
      assert.equal(reason, exchange().failure)
      assert.equal(200, exchange().status)
    end)
  end

  it("is the end of a task that failed at once", function()
    local _, err = create(broken(FAILED))
    assert.equal("task_failed", err.kind)
    assert.equal("video_1", err.task_id)
  end)

  it("is recorded like any other", function()
    local _, _, client = create(broken(QUEUED), { ledger = ledger })
    assert.equal("accepted", client:order("kite").state)
    client:close()
  end)

  local unknown = {
    { "cut behind the id", broken(QUEUED:sub(1, -5)), "video_1" },
    { "cut within the id", broken(QUEUED:sub(1, 10)) },
    { "with a refusal", broken '{"code":"204","msg":"登录验证失败"}' },
    { "at another status", broken(QUEUED, { status = 502 }), "video_1" },
    { "at a refusal", broken(QUEUED, { status = 400 }), "video_1" },
    { "at 429", broken('{"id":"video_1"}', { status = 429 }), "video_1" },
    { "at a redirect", broken(QUEUED, { status = 303 }), "video_1" },
    { "at a refusal with the id of a request",
      broken('{"id":"video_1","error":"no"}', { status = 400 }) },
    { "at no status", broken(QUEUED, { status = false }) },
    { "whose body is no text", broken({}) },
    { "without a body", broken() },
  }
  for _, case in ipairs(unknown) do
    it("leaves the outcome open " .. case[1], function()
      local task, err = create(case[2])
      assert.is_nil(task)
      assert.equal("outcome_unknown", err.kind)
      assert.equal(case[3], err.task_id)
      assert.is_true(err.sent)
    end)
  end

  it("shows the key of no client", function()
    local _, err = create(broken('{"id":"sk-Zq7rT0vKx2mW9b","status":'))
    assert.is_nil(err.message:find("sk-Zq7rT0vKx2mW9b", 1, true))
    assert.equal("[key]", err.task_id)
  end)

  it("gives its id to the ledger, to pending and to adopt", function()
    local _, err, client = create(broken(QUEUED:sub(1, -5)),
      { ledger = ledger })
    assert.truthy(err.message:find("names task video_1", 1, true))
    assert.truthy(err.message:find("adopt it for the order " .. err.order.id, 1,
      true))
    client:close()
    client = client_of(http(QUEUED), { ledger = ledger })
    local order = client:pending()[1]
    assert.equal("unknown", order.state)
    assert.equal("video_1", order.task_id)
    assert.truthy(order.error:find("adopt it for the order " .. order.id, 1, true))
    local again
    again, err = client:create(ORDER, { key = "kite" })
    assert.is_nil(again)
    assert.equal("video_1", err.task_id)
    assert.equal(1, world.posts)
    assert.equal("accepted", assert(client:adopt(order.id, order.task_id)).state)
    assert.equal("video_1", assert(client:create(ORDER, { key = "kite" })).id)
    client:close()
  end)

  -- What stands before an object, and how it is told from a quotation.
  local before = { ["a warning of PHP"] = "<br />\n<b>Warning</b>: x\n",
    ["words against other pages"] = ")]}',\n", ["a call"] = "callback(",
    ["an event"] = "data: ", ["a named event"] = "event: done\ndata:",
    ["a size"] = "34\r\n" }
  for name, junk in pairs(before) do
    it("behind something else names its task: " .. name, function()
      for _, body in ipairs { QUEUED .. ")", QUEUED:sub(1, -3) } do
        for _, answer in ipairs { http(junk .. body), broken(junk .. body) } do
          world.posts = 0
          local _, err = create(answer)
          assert.equal("outcome_unknown", err.kind)
          assert.equal("video_1", err.task_id)
        end
      end
    end)
  end

  it("names no task that the order quotes, or that is none", function()
    local prompt = "draw\n" .. QUEUED
    local client = client_of(http("cannot make: " .. prompt))
    local _, err = client:create { model = "videos", prompt = prompt,
      duration = 4 }
    assert.equal("outcome_unknown", err.kind)
    assert.is_nil(err.task_id)
    for _, body in ipairs { 'error\n{"id":"video_1"}', "prompt: " .. QUEUED,
      'error\n{"id":"video_1","object":"error","status":"queued"}' } do
      world.posts = 0
      assert.is_nil(select(2, create(http(body))).task_id)
    end
    world.posts = 0
    _, err = create(http("no\n" .. QUEUED, 400))
    assert.equal("invalid_request", err.kind)
    assert.is_nil(err.task_id)
  end)

  it("is a query's task once it is whole, and a fault before", function()
    local client = client_of(broken(QUEUED))
    assert.equal("queued", assert(client:query "video_1").status)
    client = client_of(broken(QUEUED:sub(1, -5)))
    local _, err = client:query "video_1"
    assert.equal("network", err.kind)
    client = client_of(broken(QUEUED, { reason = "cancelled" }))
    _, err = client:query "video_1"
    assert.equal("cancelled", err.kind)
  end)

  for name, answer in pairs { ["with half an emoji"] = http(FAILED),
    ["cut off behind it"] = broken(FAILED),
    ["with a mark, NaN and junk"] = http("\239\187\191"
      .. FAILED:gsub("}", ',"x":NaN} junk')) } do
    it("ends a wait where it says so " .. name, function()
      local client = client_of(answer)
      local _, err = client:wait("video_1", { first_poll = 0 })
      assert.equal("task_failed", err.kind)
      assert.equal(1, world.gets)
    end)
  end

  it("tells of a flaw, and of none where there is none", function()
    create(http(QUEUED .. "junk"))
    assert.is_string(exchange().flaw)
    world.events, world.posts = {}, 0
    create(http(QUEUED))
    assert.is_nil(exchange().flaw)
  end)

  for _, status in ipairs { 200, 201, 202, 204, 301, 302, 307, 308, 429 } do
    it(("names the task to whose result %d leads"):format(status), function()
      for _, to in ipairs { "/v1/result/video_1", "../result/video%5f1",
        "https://api.example/v1/result/video_1?wait=1#top" } do
        world.posts = 0
        local answer = http("", status)
        answer.headers.location = to
        local _, err = create(answer)
        assert.equal("outcome_unknown", err.kind)
        assert.equal("video_1", err.task_id)
        assert.equal(1, world.posts)
      end
    end)
  end

  it("is the wrong address where a redirect leads elsewhere", function()
    for _, to in ipairs { "https://api.example/v1/videos/videos", "/login",
      "/login?next=/v1/result/video_1", "/v1/result/" } do
      world.posts = 0
      local answer = http("", 302)
      answer.headers.location = to
      local _, err = create(answer)
      assert.equal("config", err.kind)
      assert.is_nil(err.task_id)
    end
  end)

  it("is sent once where a refusal names a task in a list or an event", function()
    for _, body in ipairs { "[" .. QUEUED .. "]", "data: " .. QUEUED .. "\n\n",
      '[{"id":"video_1"}]' } do
      world.posts = 0
      local _, err = create(http(body, 429))
      assert.equal("outcome_unknown", err.kind)
      assert.equal("video_1", err.task_id)
      assert.equal(1, world.posts)
    end
    world.posts = 0
    local _, err = create(http("[" .. QUEUED .. "]", 400))
    assert.equal("video_1", err.task_id)
  end)

  it("is sent once where a 429 names a task in words or on a page", function()
    for _, body in ipairs { "Too many; task video_9f8e7d6c5b4a was created",
      "<html><p>queued as <b>video_9f8e7d6c5b4a</b></p></html>",
      '{"error":{"message":"slow down: video_9f8e7d6c5b4a waits"}}' } do
      world.posts = 0
      local _, err = create(http(body, 429))
      assert.equal("outcome_unknown", err.kind)
      assert.equal("video_9f8e7d6c5b4a", err.task_id)
      assert.equal(1, world.posts)
    end
  end)

  it("is limited where a 429 has a limit, tasks under way or the order's own words",
    function()
      for _, words in ipairs { "", "2 videos_per_60_seconds", "videos_per_10s",
        "video_9f8e7d6c5b4a and video_00112233aabb are under way",
        "of videos_stable_fast", "request req_9f8e7d6c5b4a", "as in video_7a7a7a7a",
        "video_" .. ("1a"):rep(100) } do
        local _, err = task_reader.read(operations.create, { status = 429,
          body = "Too many: " .. words, headers = {},
          ordered = '{"prompt":"as in video_7a7a7a7a"}' })
        assert.equal("rate_limited", err.kind, words)
      end
    end)

  for _, status in ipairs { 303, 304, 408, 409, 423, 425, 499, 500, 503 } do
    it(("leaves the outcome open at %d"):format(status), function()
      for _, body in ipairs { "", "<html>", '{"msg":"no"}' } do
        world.posts = 0
        local _, err = create(http(body, status))
        assert.equal("outcome_unknown", err.kind)
        assert.truthy(err.message:find("may have been bought", 1, true))
      end
    end)
  end

  it("is a refusal in the provider's own form at 409 and 423 alone", function()
    local body = '{"id":null,"object":"error","error":"in conflict"}'
    for status, kind in pairs { [409] = "invalid_request",
      [423] = "invalid_request", [303] = "outcome_unknown",
      [499] = "outcome_unknown", [500] = "outcome_unknown" } do
      world.posts = 0
      local _, err = create(http(body, status))
      assert.equal(kind, err.kind, status)
    end
  end)

  for _, status in ipairs { 201, 202, 203, 204, 205, 206, 207, 208, 226 } do
    it(("is a task at %d where it names one"):format(status), function()
      assert.equal("video_1", assert(create(http(QUEUED, status))).id)
      world.posts = 0
      local _, err = create(http("", status))
      assert.equal("outcome_unknown", err.kind)
    end)
  end

  describe("longer than max_answer", function()
    local quoted = ([[the prompt \"a kite\nat sea\" ]]):rep(40000)

    -- What the engine keeps of a body.
    local function long(body, more)
      more = more or {}
      more.reason = "too_large"
      more.message = "the answer is larger than 262144 bytes"
      return broken(body:sub(1, 262144), more)
    end

    local function wait(body, more)
      return client_of(long(body, more)):wait("video_1", { timeout = 100 })
    end

    for shape, format in pairs {
      ["a text"] = '{"id":"video_1","status":"failed","error":"%s"}',
      ["an object"] = '{"id":"video_1","status":"failed",'
        .. '"error":{"code":"bad_prompt","message":"%s"}}',
      ["an object with its code behind"] = '{"id":"video_1","status":"failed",'
        .. '"error":{"message":"%s","code":"bad_prompt"}}',
      ["an envelope"] = '{"code":0,"data":{"id":"video_1","status":"failed",'
        .. '"error":{"message":"%s"}}}',
    } do
      it("is a failed task that quotes a megabyte, in " .. shape, function()
        local task, err = wait(format:format(quoted))
        assert.is_nil(task)
        assert.equal("task_failed", err.kind)
        assert.equal("video_1", err.task_id)
        assert.truthy(err.message:find('the prompt "a kite', 1, true))
        assert.is_true(#err.message < 8000)
        assert.equal(1, world.gets)
      end)
    end

    it("is a completed task with its link", function()
      local task = assert(wait('{"id":"video_1","status":"completed",'
        .. '"video_url":"https://media.example/1.mp4","progress":100,"x":"'
        .. quoted))
      assert.equal("https://media.example/1.mp4", task.video_url)
      assert.equal(100, task.progress)
    end)

    it("is an order that was accepted, once", function()
      local task, _, client = create(long('{"id":"video_1","status":"queued",'
        .. '"prompt":"' .. quoted), { ledger = ledger })
      assert.equal("video_1", task.id)
      assert.equal("accepted", client:order("kite").state)
      client:close()
    end)

    it("is a refusal where the status says so", function()
      local _, err = create(long('{"error":{"message":"' .. quoted,
        { status = 400 }))
      assert.equal("invalid_request", err.kind)
      assert.truthy(err.message:find("the prompt", 1, true), err.message)
    end)

    it("is waited for as its head says", function()
      local client = client_of(long("<html>" .. quoted, { status = 429,
        headers = { ["retry-after"] = "70" } }))
      local _, err = client:query "video_1"
      assert.equal("rate_limited", err.kind)
      assert.equal(70, err.retry_after)
    end)

    it("names the limit where it tells nothing", function()
      for _, body in ipairs { quoted, "[" .. quoted, '{"prompt":"' .. quoted,
        '{"x":"' .. quoted .. '","id":"video_1"}' } do
        local _, err = client_of(long(body)):query "video_1"
        assert.equal("protocol", err.kind)
        assert.truthy(tostring(err.message):find("max_answer", 1, true),
          err.message)
      end
    end)

    it("leaves an order open where it tells nothing", function()
      local _, err = create(long('{"prompt":"' .. quoted))
      assert.equal("outcome_unknown", err.kind)
      assert.truthy(err.message:find("max_answer", 1, true), err.message)
    end)

    it("is no refusal where the id may stand behind its end", function()
      for body, status in pairs {
        ['{"message":"unsupported: ' .. quoted] = 200,
        ['{"code":400,"msg":"' .. quoted] = 200,
        ['{"status":"failed","error":"' .. quoted] = 200,
        ['{"error":{"message":"too many, not: ' .. quoted] = 429,
      } do
        world.posts = 0
        local _, err = create(long(body, { status = status }))
        assert.equal("outcome_unknown", err.kind, body:sub(1, 40))
        assert.is_nil(err.task_id)
      end
    end)

    it("is no purchase where its id may be a request's", function()
      for body, id in pairs {
        ['{"id":"req-1","message":"' .. quoted] = "req-1",
        ['[{"id":"video_7","status":"completed","video_url":"https://a/b"},"'
          .. quoted] = "video_7",
      } do
        world.posts = 0
        local task, err = create(long(body))
        assert.is_nil(task)
        assert.equal("outcome_unknown", err.kind)
        assert.equal(id, err.task_id)
      end
    end)

    it("is no state of a task where it is a list", function()
      local _, err = client_of(long('[{"id":"video_7","status":"failed"},"'
        .. quoted)):query "video_1"
      assert.equal("protocol", err.kind)
    end)

    it("has no id, status or link of which the end is missing", function()
      for _, field in ipairs { "id", "status", "video_url" } do
        world.posts = 0
        local _, err = create(long('{"' .. field .. '":"' .. ("v"):rep(300000)))
        assert.equal("outcome_unknown", err.kind)
        assert.is_nil(err.task_id)
      end
    end)

    it("has 256 KiB, or what the client was told", function()
      for _, most in ipairs { false, 1000 } do
        local seen
        local client = assert(starvideos.new { api_key = "key",
          max_answer = most or nil, transport = function(req)
            seen = req.max_body
            return http(QUEUED)
          end })
        assert(client:query "video_1")
        assert.equal(most or 262144, seen)
        assert(client:create(ORDER))
        assert.equal(most or 262144, seen)
      end
    end)
  end)

  it("has a reason of 4 KiB at most, however much it quotes", function()
    local body = '{"id":"video_1","status":"failed","error":"%s"}'
    local _, err = client_of(http(body:format(("http://aa "):rep(9000))))
      :wait("video_1", { timeout = 100 })
    assert.equal("task_failed", err.kind)
    assert.is_true(#err.task.error < 8192)
  end)

  -- Whole answers that are not decoded: they have too many values.
  for name, echoed in pairs { ["values"] = "[" .. ("1,"):rep(20000) .. "1]",
    ["quotes"] = '"' .. ('\\"a\\":1,'):rep(9000) .. '"' } do
    for _, status in ipairs { 200, 429 } do
      it(("names its task behind many %s at %d"):format(name, status), function()
        local _, err = create(http('{"message":"unsupported","prompt":' .. echoed
          .. ',"id":"task/1","status":"queued"}', status))
        assert.equal("outcome_unknown", err.kind)
        assert.equal("task/1", err.task_id)
      end)
    end
  end

  for _, case in ipairs { { 429, QUEUED }, { 429, '{"id":"video_1"}' },
    { 429, QUEUED:sub(1, -5) }, { 200, '{"code":429,"id":"video_1"}' },
    { 429, '{"data":{"id":"video_1"}}' } } do
    it(("at %d that names a task is unknown in the summary: %s"):format(
      case[1], case[2]), function()
      local list = folder .. "/list.jsonl"
      files.write(list, ('{"path":"a.mp4",%s\n'):format(
        json.encode(ORDER):sub(2)))
      local posts = 0
      local code, out, err = command.run({ "batch", list, "--yes", "-o",
        folder, "--json" }, { ledger = ledger, transport = function(req)
          posts = posts + (req.method == "POST" and 1 or 0)
          assert(posts < 3, "sent again and again")
          return http(case[2], case[1])
        end })
      local summary = json.decode(out)
      assert.equal(1, posts)
      assert.equal(6, code, err)
      assert.equal(1, summary.unknown)
      assert.truthy(err:find("video_1", 1, true))
    end)
  end

  for name, answer in pairs { ["a 429"] = http(QUEUED, 429),
    ["a body that was cut"] = broken(QUEUED:sub(1, -5)),
    ["a conflict"] = http(QUEUED, 409), ["an odd number"] = http(
      '{"id":video_9,"projectId":"video_1","status":queued}') } do
    it("of a list is offered to adopt each time it is shown: " .. name,
      function()
        local list = folder .. "/list.jsonl"
        files.write(list, ('{"path":"a.mp4",%s\n'):format(
          json.encode(ORDER):sub(2)))
        local posts = 0
        local function transport(req)
          posts = posts + (req.method == "POST" and 1 or 0)
          return not answer.reason and answer or nil, answer
        end
        local given = { ledger = ledger, terminal = true,
          transport = transport }
        local words = { "batch", list, "--yes", "-o", folder }
        local _, _, err = command.run(words, given)
        local id = err:match "starvideos adopt (%x+) video_1"
        assert.truthy(id, err)
        local adopt = ("adopt %s video_1"):format(id)
        local code
        code, _, err = command.run(words, given)
        assert.equal(6, code)
        assert.truthy(err:find("a.mp4: it was sent before", 1, true), err)
        assert.truthy(err:find("if its task is there: starvideos " .. adopt, 1,
          true), err)
        local _, out = command.run({ "pending" }, given)
        assert.truthy(out:find("starvideos " .. adopt, 1, true), out)
        given.terminal = nil
        _, out = command.run({ "pending" }, given)
        assert.equal("video_1", json.decode(out).orders[1].task_id)
        assert.equal(1, posts)
      end)
  end
end)
