local response = require "starvideos.sandbox.response"
local starvideos = require "starvideos"

local START = 1000

local function http(status, body, headers)
  return { status = status, headers = headers or {}, body = body or "" }
end

local function status(word, more)
  return http(200, ('{"id":"video_1","status":"%s"%s}'):format(word, more or ""))
end

local QUEUED = status "queued"
local RUNNING = status("processing", ',"progress":"45%"')
local DONE = status("completed", ',"video_url":"https://media.test/1.mp4"')
local PAGE = http(200, "<html>Welcome</html>")

--- A client in a world where time passes only while it sleeps. `answers` is
-- a list, whose last entry repeats, or a function of the number of the poll,
-- the request and the world. An entry with a reason is a failure.
local function stage(answers, random)
  local world = { now = START, sent = {}, at = {} }
  local function answer(n, req)
    if type(answers) == "function" then return answers(n, req, world) end
    return answers[math.min(n, #answers)]
  end
  local client = assert(starvideos.new {
    api_key = "test-key",
    transport = function(req)
      local n = #world.sent + 1
      assert(n < 5000, "polls without end")
      world.sent[n], world.at[n] = req, world.now - START
      local found = answer(n, req)
      if found.reason then return nil, found end
      return found
    end,
    clock = function() return world.now end,
    sleep = function(seconds)
      assert(seconds >= 0, "slept backwards")
      world.now = world.now + seconds
      return true
    end,
    random = function() return random or 0.5 end,
  })
  return client, world
end

local function elapsed(world)
  return world.now - START
end

local function gaps(world)
  local list = {}
  for i, at in ipairs(world.at) do list[i] = at - (world.at[i - 1] or 0) end
  return list
end

local function times(n, answer, ...)
  local list = {}
  for i = 1, n do list[i] = answer end
  for _, last in ipairs { ... } do list[#list + 1] = last end
  return list
end

describe("the polls of a wait", function()
  it("begin after one interval and end with the task", function()
    local client, world = stage { QUEUED, RUNNING, DONE }
    local task = assert(client:wait "video_1")
    assert.equal("completed", task.status)
    assert.equal("https://media.test/1.mp4", task.video_url)
    assert.equal(3, #world.sent)
    assert.equal(33, world.at[1])
  end)

  it("begin at 30 s apart and grow to 60 s", function()
    local client, world = stage({ QUEUED }, 0.9999)
    client:wait "video_1"
    local list = gaps(world)
    assert.is_near(36, list[1], 0.1)
    for i = 2, #list - 1 do assert.is_true(list[i] >= list[i - 1] - 1e-6) end
    for i = 1, #list do assert.is_true(list[i] <= 60) end
    assert.is_near(60, list[#list - 1], 0.1)
  end)

  it("keep to the intervals that the caller sets", function()
    local client, world = stage { QUEUED, QUEUED, QUEUED, DONE }
    assert(client:wait("video_1",
      { first_poll = 5, interval = 10, max_interval = 10 }))
    assert.same({ 5, 15, 25, 35 }, world.at)
  end)

  it("are asked for with the id of the task, percent-encoded", function()
    local client, world = stage { DONE }
    assert(client:wait { id = "a/../b", status = "queued" })
    assert.truthy(world.sent[1].url:lower():find("/v1/result/a%2f..%2fb", 1, true))
  end)

  it("go on while the status is unrecognised", function()
    local client, world = stage { status "dreaming" }
    local _, err = client:wait "video_1"
    assert.equal("timeout", err.kind)
    assert.equal("dreaming", err.task.status)
    assert.is_near(1800, elapsed(world), 0.05)
  end)

  it("never outlast the deadline", function()
    local client, world = stage { QUEUED }
    client:wait("video_1", { timeout = 70 })
    for i, req in ipairs(world.sent) do
      assert.is_true(req.timeout > 0)
      assert.is_true(req.timeout <= 70 - world.at[i])
    end
    assert.equal(37, world.sent[1].timeout)
    client, world = stage { DONE }
    assert(client:wait "video_1")
    assert.equal(60, world.sent[1].timeout, "the client's own limit")
  end)
end)

describe("the deadline of a wait", function()
  for _, case in ipairs { { "1800 s by default", nil, 1800 },
                          { "the caller's", 95, 95 },
                          { "the caller's when shorter than an interval", 10, 10 },
                          { "the caller's when longer than usual", 7200, 7200 } } do
    it("is " .. case[1], function()
      local client, world = stage { QUEUED }
      local task, err = client:wait("video_1", { timeout = case[2] })
      assert.is_nil(task)
      assert.equal("timeout", err.kind)
      assert.is_near(case[3], elapsed(world), 0.05)
    end)
  end

  it("leaves a task to wait for next, and says that it still runs", function()
    local client = stage { QUEUED, RUNNING }
    local _, err = client:wait("video_1", { timeout = 300 })
    assert.equal("video_1", err.task_id)
    assert.equal("processing", err.task.status)
    assert.truthy(err.message:find("still running", 1, true))
    assert.truthy(err.message:find("cancel", 1, true))
    assert.truthy(err.message:find("video_1", 1, true))
    assert.equal("completed", assert(stage { DONE }:wait(err.task)).status)
  end)

  it("leaves a task with all that the last answer said, but raw", function()
    local client = stage { QUEUED, status("processing", ',"progress":"45%",'
      .. '"object":"video","created":1700000000,"model":"videos",'
      .. '"video_url":"https://media.test/1.mp4","actualDuration":"5"') }
    local _, err = client:wait("video_1", { timeout = 300 })
    assert.equal("video_1 processing 45%", tostring(err.task))
    assert.same({ id = "video_1", object = "video", created = 1700000000,
      model = "videos", status = "processing", progress = 45,
      video_url = "https://media.test/1.mp4", actualDuration = 5 },
      setmetatable(err.task, nil))
  end)

  it("leaves the task or the id that was handed in when no poll was answered",
    function()
      for _, given in ipairs { "video_1", { id = "video_1", status = "queued" } } do
        local _, err = stage { http(503) }:wait(given, { timeout = 300 })
        assert.equal("timeout", err.kind)
        assert.equal("video_1", err.task.id)
        assert.equal("video_1", err.task_id)
      end
    end)

  it("takes effect with a request in flight", function()
    local client, world = stage(function(_, req, world)
      world.now = world.now + req.timeout
      return { reason = "timeout", sent = true, message = "timed out" }
    end)
    local _, err = client:wait("video_1", { timeout = 200 })
    assert.equal("timeout", err.kind)
    assert.is_near(200, elapsed(world), 0.05)
  end)
end)

describe("a passing fault", function()
  local faults = {
    { "no name found", { reason = "resolve", sent = false, message = "x" } },
    { "no connection", { reason = "connect", sent = false, message = "x" } },
    { "a reset", { reason = "reset", sent = true, message = "x" } },
    { "a time-out", { reason = "timeout", sent = true, message = "x" } },
    { "code 500 at HTTP 200", http(200, '{"code":500,"msg":"it broke"}') },
    { "code 429 at HTTP 200", http(200, '{"code":"429","msg":"slow"}') },
    { "502 with a page", http(502, "<html>Bad Gateway</html>") },
  }
  for _, code in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
    faults[#faults + 1] = { tostring(code), http(code) }
  end
  for _, case in ipairs(faults) do
    it("is tolerated: " .. case[1], function()
      local client, world = stage(times(8, case[2], RUNNING, case[2], DONE))
      assert.equal("completed", assert(client:wait "video_1").status)
      assert.equal(11, #world.sent)
    end)
  end

  it("does not end a wait before its deadline", function()
    local client, world = stage { http(503) }
    assert.equal("timeout", select(2, client:wait "video_1").kind)
    assert.is_near(1800, elapsed(world), 0.05)
  end)
end)

describe("Retry-After", function()
  local function slow(value, code)
    return http(code or 429, "", { ["retry-after"] = value })
  end

  for _, random in ipairs { 0, 0.5, 0.999 } do
    for _, code in ipairs { 429, 503 } do
      it(("of a %d is waited for, random %s"):format(code, random), function()
        local client, world = stage({ slow("90", code), DONE }, random)
        assert(client:wait "video_1")
        assert.is_true(world.at[2] - world.at[1] >= 90)
      end)
    end
  end

  it("may be a date", function()
    local client, world = stage(function(n)
      if n > 1 then return DONE end
      return slow(response.date(os.time() + 200))
    end)
    assert(client:wait "video_1")
    assert.is_true(world.at[2] - world.at[1] >= 198)
    assert.is_true(world.at[2] - world.at[1] <= 290)
  end)

  for _, value in ipairs { "soon", "-30", "", "nan", "inf", "0",
                           "Mon, 01 Jan 2001 00:00:00 GMT" } do
    it(("that asks for nothing does no harm: %q"):format(value), function()
      local client, world = stage { slow(value), DONE }
      assert(client:wait "video_1")
      assert.equal(2, #world.sent)
      assert.is_true(elapsed(world) < 200)
    end)
  end

  for _, code in ipairs { 429, 503 } do
    it(("of a %d past the deadline ends the wait there"):format(code), function()
      local client, world = stage { slow("71", code) }
      local _, err = client:wait({ id = "video_1", status = "queued" },
        { timeout = 100 })
      assert.equal("rate_limited", err.kind)
      assert.equal(71, err.retry_after)
      assert.equal("video_1", err.task_id)
      assert.equal("video_1", err.task.id)
      assert.equal(33, elapsed(world))
    end)
  end

  for _, case in ipairs { { "60", 100 }, { "60", 90.2 }, { "45", 76 } } do
    it(("of %s s is kept to before a deadline of %s s"):format(case[1], case[2]),
      function()
        local client, world = stage({ slow(case[1]), QUEUED }, 0.999)
        client:wait("video_1", { first_poll = 30, timeout = case[2] })
        assert.is_true((world.at[2] or math.huge) >= 30 + tonumber(case[1]))
      end)
  end
end)

describe("an answer that is tolerated for a while", function()
  local function ends(answers, kind, polls, task)
    local client, world = stage(answers)
    local _, err = client:wait(task or "video_1")
    assert.equal(kind, err and err.kind)
    assert.equal(polls, #world.sent)
    if err then assert.equal("video_1", err.task_id) end
    return world
  end

  local cases = {
    { "401 three times in a row", http(401), 3, "auth" },
    { "a page five times in a row", PAGE, 5, "protocol" },
    { "half an answer five times in a row", http(200, '{"id":"vid'), 5,
      "protocol" },
    { "completed without a link five times in a row", status "completed", 5,
      "protocol" },
    { "a redirect five times in a row", http(302), 5, "config" },
    { "an unknown route five times in a row", http(200,
      '{"code":500,"data":null,"msg":"No handler found for GET"}'), 5,
      "config" },
    { "400 five times in a row", http(400, '{"msg":"bad id"}'), 5,
      "invalid_request" },
    { "409 five times in a row", http(409, "<html>"), 5, "invalid_request" },
  }
  for _, case in ipairs(cases) do
    local answer, limit, kind = case[2], case[3], case[4]

    it("is " .. case[1], function()
      ends(times(limit, answer, DONE), nil, limit + 1)
    end)

    it("is " .. case[1] .. ", and no more", function()
      ends(times(limit + 1, answer, DONE), kind, limit + 1)
    end)

    it("is " .. case[1] .. ", whatever passes in between", function()
      local answers = {}
      for _ = 1, limit + 1 do
        answers[#answers + 1] = http(503)
        answers[#answers + 1] = answer
      end
      ends(answers, kind, 2 * limit + 2)
    end)

    it("is " .. case[1] .. ", again after a good one", function()
      local n = 0
      ends(function()
        n = n + 1
        return n == limit + 1 and RUNNING or n == 2 * limit + 2 and DONE or answer
      end, nil, 2 * limit + 2)
    end)
  end

  it("is 404 for two minutes after creation", function()
    local task = { id = "video_1", status = "queued", created = os.time() }
    ends({ http(404), http(404), DONE }, nil, 3, task)
    local client, world = stage { http(404) }
    local _, err = client:wait(task)
    assert.equal("not_found", err.kind)
    assert.is_true(world.at[#world.at] >= 118)
    assert.is_true(world.at[#world.at - 1] <= 121)
  end)

  it("is 404 where only an id is known, as just after a create", function()
    ends({ http(404), http(404), DONE }, nil, 3)
  end)

  it("is 404 three times in a row for a task of an hour ago", function()
    local task = { id = "video_1", status = "queued",
      created = os.time() - 3600 }
    ends(times(3, http(404), DONE), nil, 4, task)
    ends(times(4, http(404), DONE), "not_found", 4, task)
  end)

  it("is no fault of this machine", function()
    ends({ { reason = "invalid", message = "x", sent = false } }, "config", 1)
  end)
end)

describe("the end of a task", function()
  it("is an error with the provider's text when it failed", function()
    local client, world = stage { RUNNING,
      status("failed", ',"error":"画面违规: try another prompt"') }
    local task, err = client:wait "video_1"
    assert.is_nil(task)
    assert.equal("task_failed", err.kind)
    assert.truthy(err.message:find("画面违规: try another prompt", 1, true))
    assert.equal("failed", err.task.status)
    assert.equal("video_1", err.task_id)
    assert.equal(2, #world.sent)
  end)

  it("keeps message and code of an error object", function()
    local client = stage { status("failed",
      ',"error":{"code":"ContentPolicy","message":"not allowed"}') }
    local _, err = client:wait "video_1"
    assert.equal("task_failed", err.kind)
    assert.equal("ContentPolicy", err.code)
    assert.truthy(err.message:find("not allowed", 1, true))
  end)

  it("is an error with a reason even when the provider gave none", function()
    local _, err = stage { status "failed" }:wait "video_1"
    assert.equal("task_failed", err.kind)
    assert.is_true(#err.message > 0)
  end)

  it("is an error when it was cancelled", function()
    local client, world = stage { status "cancelled" }
    local _, err = client:wait "video_1"
    assert.is_true(err.kind == "task_failed" or err.kind == "cancelled")
    assert.equal("cancelled", err.task.status)
    assert.equal(1, #world.sent)
  end)

  it("is a protocol error with the task when there is no link", function()
    local client = stage { status "completed" }
    local _, err = client:wait "video_1"
    assert.equal("protocol", err.kind)
    assert.equal("completed", err.task.status)
    assert.equal("video_1", err.task_id)
  end)

  it("is told without a request when the task that is handed in has it",
    function()
      local client, world = stage { DONE }
      local done = { id = "video_1", status = "completed",
                     video_url = "https://media.test/1.mp4" }
      assert.same(done, (client:wait(done)))
      local _, err = client:wait { id = "video_1", status = "failed",
                                   error = "not allowed" }
      assert.equal("task_failed", err.kind)
      assert.truthy(err.message:find("not allowed", 1, true))
      assert.equal("failed", err.task.status)
      assert.equal(0, #world.sent + elapsed(world))
    end)
end)

describe("on_progress", function()
  it("gets the task as last seen after every poll", function()
    local seen = {}
    local client, world = stage { QUEUED, http(503), RUNNING, DONE }
    assert(client:wait("video_1", { timeout = 900,
      on_progress = function(task, info)
        seen[#seen + 1] = { task.status, task.progress, info.polls }
        assert.equal(elapsed(world), info.elapsed)
        assert.equal(900 - elapsed(world), info.remaining)
      end }))
    assert.same({ { "queued", nil, 1 }, { "queued", nil, 2 },
                  { "processing", 45, 3 }, { "completed", nil, 4 } }, seen)
  end)

  it("is told why a poll failed, with a task that has a status",
    function()
      local seen = {}
      local down = { reason = "resolve", sent = false, message = "x" }
      local client = stage { down, PAGE, RUNNING, http(503), RUNNING, down,
        DONE }
      local given = { id = "video_1" }
      assert(client:wait(given, { on_progress = function(task, info)
        seen[#seen + 1] = ("%s %s %s"):format(task.id, task.status,
          tostring(info.error and info.error.kind))
        assert.equal(info.error ~= nil,
          tostring(info):find("the last poll failed: ", 1, true) ~= nil)
      end }))
      assert.same({
        "video_1 unknown network", "video_1 unknown protocol",
        "video_1 processing nil", "video_1 processing server",
        "video_1 processing nil", "video_1 processing network",
        "video_1 completed nil",
      }, seen)
      assert.same({ id = "video_1" }, given)
    end)

  it("is not called with the error that ends the wait", function()
    local calls = 0
    local client = stage { http(401) }
    local _, err = client:wait("video_1", { on_progress = function()
      calls = calls + 1
    end })
    assert.equal("auth", err.kind)
    assert.equal(3, calls)
  end)

end)

describe("a wait that cannot begin or go on", function()
  it("is a validation error for an empty id, at once", function()
    local client, world = stage { DONE }
    assert.equal("validation", select(2, client:wait "").kind)
    assert.equal(0, #world.sent + elapsed(world))
  end)

  it("raises for wrong arguments", function()
    local client = stage { DONE }
    assert.has_error(function() client:wait() end)
    assert.has_error(function() client:wait(true) end)
    assert.has_error(function() client:wait("video_1", "soon") end)
    assert.has_error(function() client:wait("video_1", { timeout = "x" }) end)
    assert.has_error(function() client:wait("video_1", { on_progress = 1 }) end)
  end)

  it("ends as cancelled, with the task, when the sleep was", function()
    local naps = 0
    local client = assert(starvideos.new { api_key = "test-key",
      transport = function() return DONE end,
      clock = function() return START end,
      sleep = function()
        naps = naps + 1
        assert(naps < 10, "slept on after it was cancelled")
        return nil, "cancelled"
      end })
    local _, err = client:wait { id = "video_1", status = "queued" }
    assert.equal("cancelled", err.kind)
    assert.equal("video_1", err.task_id)
    assert.equal("video_1", err.task.id)
  end)
end)

describe("wait_all", function()
  local due = { slow = 200, quick = 40, bad = 100, never = math.huge }

  --- Waits for tasks that end each at its own second.
  local function all(list, opts)
    local client, world = stage(function(_, req, world)
      local id = req.url:match("[^/]+$")
      local word = elapsed(world) < due[id] and "queued"
        or id == "bad" and "failed" or "completed"
      return http(200, ('{"id":"%s","status":"%s","video_url":"https://m.test/%s"}')
        :format(id, word, id))
    end)
    return client:wait_all(list, opts), world
  end

  it("answers in the order of the list, good and bad, repeats too", function()
    local results, world = all { "slow", { id = "bad" }, "quick", "slow" }
    assert.equal(4, #results)
    for i, id in ipairs { "slow", "bad", "quick", "slow" } do
      assert.equal(id, results[i].id)
      assert.equal(id == "bad", results[i].task == nil)
      assert.equal(id == "bad" and "task_failed" or nil,
        results[i].err and results[i].err.kind)
    end
    assert.equal("https://m.test/quick", results[3].task.video_url)
    assert.equal("https://m.test/slow", results[4].task.video_url)
    assert.is_true(elapsed(world) < 300, "waited for one after the other")
  end)

  it("has one deadline for all", function()
    local results, world = all({ "never", "quick", "never" }, { timeout = 500 })
    assert.equal("timeout", results[1].err.kind)
    assert.equal("queued", results[1].err.task.status)
    assert.equal("completed", results[2].task.status)
    assert.equal("timeout", results[3].err.kind)
    assert.is_near(500, elapsed(world), 0.05)
  end)

  it("sends nothing where there is nothing to wait for", function()
    local done = { id = "quick", status = "completed", video_url = "https://m/1" }
    for _, list in ipairs { {}, { done }, { "" } } do
      local results, world = all(list)
      assert.equal(#list, #results)
      assert.equal(0, #world.sent)
      if list[1] == "" then assert.equal("validation", results[1].err.kind) end
      if list[1] == done then assert.same(done, results[1].task) end
    end
  end)

  it("raises for what is no list of ids and tasks", function()
    assert.has_error(function() all "video_1" end)
    assert.has_error(function() all { "quick", true } end)
    assert.has_error(function() all { nil, "quick" } end)
  end)
end)
