local cjson = require("cjson").new()
local core = require "starvideos.core"
local starvideos = require "starvideos"
local worlds = require "spec.ledger.world"

local BASE = "https://zcbservice.aizfw.cn/kyyReactApiServer"
local QUEUED = '{"id":"video_1","object":"video","status":"queued","error":null}'

--- A client whose requests land in the returned array. Every request is
-- answered with `answer`: a response, or nil and a failure.
local function client_answered(answer, failure, options)
  local sent, slept = {}, {}
  local now = 1000
  local config = {
    api_key = "test-key",
    transport = function(req)
      sent[#sent + 1] = req
      if answer then return answer end
      return nil, failure
    end,
    clock = function() return now end,
    sleep = function(seconds)
      slept[#slept + 1], now = seconds, now + seconds
      return true
    end,
    random = function() return 0.5 end,
  }
  for name, value in pairs(options or {}) do config[name] = value end
  return assert(starvideos.new(config)), sent, slept
end

local function http(status, body, headers)
  return { status = status, headers = headers or {}, body = body }
end

--- Creates with the documented answer and gives back the body that was sent.
local function body_sent(params, opts, options)
  local client, sent = client_answered(http(200, QUEUED), nil, options)
  assert(client:create(params, opts))
  assert.equal(1, #sent)
  return cjson.decode(sent[1].body), sent[1]
end

local function text_order()
  return { model = "videos", prompt = "a kite over the sea", duration = 5 }
end

local function with(changes)
  local params = text_order()
  for name, value in pairs(changes) do params[name] = value end
  return params
end

describe("the request of a create", function()
  local endpoints = {
    { "starvideos_o3", "/v1/starvideos/videos" },
    { "videos", "/v1/videos/videos" },
    { "videos_fast", "/v1/videos/videos" },
    { "videos_stable", "/v1/videos/videos" },
    { "videos_stable_fast", "/v1/videos/videos" },
  }
  for _, case in ipairs(endpoints) do
    it(("goes to %s for %s"):format(case[2], case[1]), function()
      -- ten seconds: the one length against which no model advises
      local _, req = body_sent(with { model = case[1], duration = 10 })
      assert.equal("POST", req.method)
      assert.equal(BASE .. case[2], req.url)
    end)
  end

  it("carries the key, and JSON both ways", function()
    local _, req = body_sent(text_order())
    assert.equal("Bearer test-key", req.headers.Authorization)
    assert.truthy(req.headers["Content-Type"]:find("^application/json"))
    assert.truthy(req.headers.Accept:find("application/json", 1, true))
  end)

  it("says which program and version sends it", function()
    local _, req = body_sent(text_order())
    assert.equal("starvideos/" .. starvideos._VERSION, req.headers["User-Agent"])
  end)

  it("keeps the key out of the URL and the body", function()
    local _, req = body_sent(text_order())
    assert.is_nil(req.url:find("test-key", 1, true))
    assert.is_nil(req.body:find("test-key", 1, true))
  end)

  it("asks for a fresh connection and no redirect", function()
    local _, req = body_sent(text_order())
    assert.is_true(req.fresh)
    assert.is_true(req.redirects == nil or req.redirects == 0)
  end)

  it("has a time limit for connecting and for the whole", function()
    local _, req = body_sent(text_order())
    assert.equal(10, req.connect_timeout)
    assert.equal(60, req.timeout)
  end)

  it("takes the time limits of the client", function()
    local _, req = body_sent(text_order(), nil,
      { connect_timeout = 3, timeout = 20 })
    assert.equal(3, req.connect_timeout)
    assert.equal(20, req.timeout)
  end)
end)

local A, B, C = "https://a.test/1.png", "https://b.test/2.png",
  "https://c.test/3.png"

describe("the body of a create", function()
  it("has exactly what the caller gave, and no defaults", function()
    assert.same(text_order(), body_sent(text_order()))
    local minimal = { model = "starvideos_o3", prompt = "a kite" }
    assert.same(minimal, body_sent(minimal))
  end)

  local shapes = {
    { "keeps every documented field",
      { ratio = "16:9", resolution = "720p" },
      { ratio = "16:9", resolution = "720p" } },
    { "folds the legacy frames into the new names",
      { image = A, lastFrameImage = B }, { first_image = A, last_image = B } },
    { "folds a mixture of old and new frames",
      { first_image = A, lastFrameImage = B },
      { first_image = A, last_image = B } },
    { "sends the new name alone where both name the same frame",
      { first_image = A, image = A, last_image = B, lastFrameImage = B },
      { first_image = A, last_image = B } },
    { "keeps the order and the repeats of references",
      { referenceImages = { C, A, C, B } },
      { referenceImages = { C, A, C, B } } },
    { "sends the URL of a reference with facts, and no fact",
      { referenceImages = { { url = A, bytes = 1024, width = 800,
                              height = 600 }, B } },
      { referenceImages = { A, B } } },
    { "sends the URLs of videos and audios with facts, and no fact",
      { referenceVideos = { { url = A, duration = 5, bytes = 4096,
                              width = 1280, height = 720 } },
        referenceAudios = { { url = B, duration = 3 } } },
      { referenceVideos = { A }, referenceAudios = { B } } },
    { "sends the URL of a frame with facts, and no fact",
      { first_image = { url = A, bytes = 1024 }, last_image = B },
      { first_image = A, last_image = B } },
    { "leaves out arrays that are empty",
      { referenceImages = {}, referenceVideos = {}, referenceAudios = {} },
      {} },
    { "takes frames beside an empty array of references",
      { first_image = A, last_image = B, referenceImages = {} },
      { first_image = A, last_image = B } },
  }
  for _, case in ipairs(shapes) do
    it(case[1], function()
      assert.same(with(case[3]), body_sent(with(case[2])))
    end)
  end

  describe("beside a reference video that sets the output", function()
    local params = { model = "starvideos_o3", prompt = "a kite", duration = 5,
      ratio = "16:9", referenceVideos = { A } }
    local rest = { model = "starvideos_o3", prompt = "a kite",
      referenceVideos = { A } }

    it("lacks duration and ratio, and warnings say so", function()
      for _, mode in ipairs { "strict", "advisory" } do
        local client, sent = client_answered(http(200, QUEUED))
        local _, warnings = client:create(params, { validation = mode })
        assert.same(rest, cjson.decode(sent[1].body))
        for index, field in ipairs { "duration", "ratio" } do
          assert.equal(field .. " is ignored by starvideos_o3 beside"
            .. " referenceVideos, which sets it; it is not sent",
            warnings[index].message)
        end
      end
    end)

    it("is as it was given where nothing is checked", function()
      assert.same(params, body_sent(params, { validation = "off" }))
    end)

    it("has them of a model that does not take them from it", function()
      local more = { referenceVideos = { A }, ratio = "16:9" }
      assert.same(with(more), body_sent(with(more)))
    end)

    it("lacks them of a caller's own model, too", function()
      local mine = { model = "mine", prompt = "x", ratio = "5:4",
        referenceImages = { A } }
      assert.same({ model = "mine", prompt = "x", referenceImages = { A } },
        body_sent(mine, nil, { models = { { name = "mine", endpoint = "/v1/mine",
          prompt = {}, ratio = {}, referenceImages = { sets_output = true } } } }))
    end)
  end)

  it("has the prompt byte for byte", function()
    local prompt = '  「风筝」 over "the sea"\n\tby night 🎬 \\ / é'
    assert.equal(prompt, body_sent(with { prompt = prompt }).prompt)
  end)

  it("has a duration without a fraction", function()
    local _, req = body_sent(with { duration = 10 / 2 })
    assert.truthy(req.body:find('"duration":%s*5[,}%s]'))
  end)

  it("leaves the caller's table as it was", function()
    local params = with { image = A, lastFrameImage = B, referenceImages = {} }
    assert(client_answered(http(200, QUEUED)):create(params))
    assert.same(with { image = A, lastFrameImage = B, referenceImages = {} },
      params)
  end)
end)

describe("a create that is refused before the wire", function()
  local refused = {
    { "a blank prompt", { prompt = " \n " } },
    { "a prompt that is not UTF-8", { prompt = "\255\254" } },
    { "a duration of 16", { duration = 16 } },
    { "a duration as text", { duration = "8" } },
    { "a duration that is no number", { duration = 0 / 0 } },
    { "a lone frame", { first_image = A } },
    { "frames with references",
      { first_image = A, last_image = B, referenceImages = { C } } },
    { "two different first frames",
      { first_image = A, image = C, last_image = B } },
    { "javascript: as a link", { referenceImages = { "javascript:x()" } } },
    { "an unknown model", { model = "videoz" } },
    { "an unknown field", { referenceImage = A } },
  }
  for _, case in ipairs(refused) do
    it("sends nothing: " .. case[1], function()
      local client, sent = client_answered(http(200, QUEUED))
      local task, err = client:create(with(case[2]))
      assert.is_nil(task)
      assert.equal("validation", err.kind)
      assert.is_true(#err.violations > 0)
      assert.equal(0, #sent)
    end)
  end

  local large = "1234567890123456789"
  for _, case in ipairs { { "a field", { seed = tonumber(large) }, "seed" },
    { "a table", { more = { { at = tonumber(large) } } }, "more[1].at" },
    { "a number with a fraction", { seed = 1.5e19 }, "seed" } } do
    it("sends no number that may have lost digits, in " .. case[1], function()
      local client, sent = client_answered(http(200, QUEUED))
      local _, err = client:create(with(case[2]), { validation = "off" })
      assert.equal("validation", err.kind)
      assert.equal("out_of_range", err.violations[1].code)
      assert.equal(case[3], err.violations[1].field)
      assert.truthy(err.message:find("as a text", 1, true))
      assert.equal(0, #sent)
      _, err = client:validate(with(case[2]))
      assert.truthy(err.message:find("as a text", 1, true))
    end)
  end

  it("has every fault in its message", function()
    local _, err = client_answered(http(200, QUEUED)):create(
      { model = "videos", prompt = "", duration = 99, ratio = "2:1" })
    for _, field in ipairs { "prompt", "duration", "ratio" } do
      assert.truthy(tostring(err):find(field, 1, true), field)
    end
  end)

  it("accepts the models of the client's edition only", function()
    local client, sent = client_answered(http(200, QUEUED), nil,
      { edition = "xingchao" })
    local _, err = client:create(with { model = "videos_stable" })
    assert.equal("validation", err.kind)
    assert.equal("unknown_model", err.violations[1].code)
    assert.equal(0, #sent)
  end)

  it("raises when the parameters are no table", function()
    local client = client_answered(http(200, QUEUED))
    assert.has_error(function() client:create("a kite") end)
    assert.has_error(function() client:create() end)
  end)
end)

describe("looser validation", function()
  local ahead = { model = "videos", prompt = "a kite", duration = 40,
                  camera = "slow" }

  for _, mode in ipairs { "advisory", "off" } do
    it(mode .. " sends what the tables do not know yet", function()
      assert.same(ahead, body_sent(ahead, { validation = mode }))
      assert.same(ahead, body_sent(ahead, nil, { validation = mode }))
    end)
  end

  it("can be made strict again for one order", function()
    local client, sent = client_answered(http(200, QUEUED), nil,
      { validation = "off" })
    local _, err = client:create(ahead, { validation = "strict" })
    assert.equal("validation", err.kind)
    assert.equal(0, #sent)
  end)

  it("sends an unknown model to a given endpoint", function()
    local body, req = body_sent({ model = "videos_next", prompt = "a kite" },
      { validation = "off", endpoint = "/v1/next/videos" })
    assert.equal(BASE .. "/v1/next/videos", req.url)
    assert.equal("videos_next", body.model)
  end)

  it("sends and keeps every digit of a number", function()
    local _, req = body_sent({ model = "videos_next", prompt = "a kite",
      seed = 1234567890123456, strength = 0.1 + 0.2 }, { validation = "off" })
    assert.truthy(req.body:find('"seed":1234567890123456[,}]'), req.body)
    assert.truthy(req.body:find('"strength":0.30000000000000004', 1, true))
  end)

  it("is not needed for a model that the caller describes", function()
    local _, req = body_sent({ model = "videos_next", prompt = "a kite" }, nil,
      { models = { { name = "videos_next", endpoint = "/v1/next/videos" } } })
    assert.equal(BASE .. "/v1/next/videos", req.url)
  end)
end)

local function failure(reason, was_sent)
  return { reason = reason, sent = was_sent, message = "the exchange failed" }
end

-- what, answer, failure, kind, how often it is sent: once unless said
local outcomes = {
  { "a task", http(200, QUEUED) },
  { "202 and a task", http(202, QUEUED) },
  { "401", http(401, ""), nil, "auth" },
  { "a bad key at HTTP 200", http(200, '{"code":"204","msg":"登录验证失败"}'),
    nil, "auth" },
  { "400", http(400, '{"msg":"bad"}'), nil, "invalid_request" },
  { "402", http(402, '{"msg":"pay"}'), nil, "invalid_request" },
  { "a refusal with an id", http(200,
    '{"id":"a","object":"error","status":"failed","error":"no"}'),
    nil, "invalid_request" },
  { "404", http(404, ""), nil, "config" },
  { "429", http(429, ""), nil, "rate_limited", 3 },
  { "429 with Retry-After", http(429, "", { ["retry-after"] = "1" }), nil,
    "rate_limited", 3 },
  { "429 with a Retry-After of an hour",
    http(429, "", { ["retry-after"] = "3600" }), nil, "rate_limited" },
  { "429 that names a task", http(429, QUEUED), nil, "outcome_unknown" },
  { "400 that names a task", http(400, QUEUED), nil, "outcome_unknown" },
  { "402 that names a task", http(402, QUEUED), nil, "outcome_unknown" },
  { "401 that names a failed video", http(401,
    '{"id":"video_1","object":"video","status":"failed","error":"no"}'), nil,
    "outcome_unknown" },
  { "404 that names an error", http(404,
    '{"id":"video_1","object":"error","status":"failed","error":"no"}'), nil,
    "config" },
  { "400 with an id of its own", http(400,
    '{"id":"req_1","status":"BAD_REQUEST"}'), nil, "invalid_request" },
  { "500", http(500, ""), nil, "outcome_unknown" },
  { "502 with a page", http(502, "<html>"), nil, "outcome_unknown" },
  { "503 with Retry-After", http(503, "", { ["retry-after"] = "1" }), nil,
    "outcome_unknown" },
  { "504", http(504, ""), nil, "outcome_unknown" },
  { "a page at 200", http(200, "<html>"), nil, "outcome_unknown" },
  { "half an answer", http(200, '{"id":"vid'), nil, "outcome_unknown" },
  { "no id", http(200, '{"status":"queued"}'), nil, "outcome_unknown" },
  { "no name found", nil, failure("resolve", false), "network", 3 },
  { "no connection", nil, failure("connect", false), "network", 3 },
  { "no TLS", nil, failure("tls", false), "network", 3 },
  { "a time-out before anything was sent", nil, failure("timeout", false),
    "network", 3 },
  { "a reset before anything was sent", nil, failure("reset", false),
    "network", 3 },
  { "a reset", nil, failure("reset", true), "outcome_unknown" },
  { "a time-out", nil, failure("timeout", true), "outcome_unknown" },
  { "a stall", nil, failure("stalled", true), "outcome_unknown" },
  { "TLS breaking off", nil, failure("tls", true), "outcome_unknown" },
  { "something that is not HTTP", nil, failure("protocol", true),
    "outcome_unknown" },
  { "an answer of 50 MB", nil, failure("too_large", true), "outcome_unknown" },
  { "a failure that does not say whether it was sent", nil, failure "reset",
    "outcome_unknown" },
}

describe("a create", function()
  for _, case in ipairs(outcomes) do
    local times = case[5] or 1
    it(("is sent %d times and is %s after %s"):format(times, case[4] or "done",
      case[1]), function()
      local client, sent, slept = client_answered(case[2], case[3])
      local task, err = client:create(text_order())
      assert.equal(case[4], err and err.kind)
      assert.equal(case[4] == nil, task ~= nil)
      assert.equal(times, #sent)
      assert.equal(times - 1, #slept)
    end)
  end

  it("ends with the first task, however often it was sent", function()
    local answers = { false, false, http(200, QUEUED) }
    local client, sent = client_answered(nil, nil, { transport = function()
      local answer = table.remove(answers, 1)
      return answer or nil, failure("connect", false)
    end })
    assert(client:create(text_order()))
    assert.same({}, answers)
    assert.equal(0, #sent)
  end)

  it("waits as long as Retry-After asks for, and no pause is the same",
    function()
      local client, _, slept = client_answered(
        http(429, "", { ["retry-after"] = "7" }))
      client:create(text_order())
      assert.is_true(slept[1] >= 7 and slept[1] < 8.5)
      client, _, slept = client_answered(nil, failure("connect", false))
      client:create(text_order())
      assert.is_true(slept[2] > slept[1])
    end)

  it("is cancelled where the caller does not want to wait", function()
    local client, sent = client_answered(nil, failure("connect", false),
      { sleep = function() return nil, "enough" end })
    local _, err = client:create(text_order())
    assert.equal("cancelled", err.kind)
    assert.is_false(err.sent)
    assert.equal(1, #sent)
  end)

  it("is neither sent nor sent again after its time limit",
    function()
      local client, sent = client_answered(nil, { reason = "late",
        sent = false, phase = "connect", message = "the machine slept" })
      local before = core.boottime()
      local task, err = client:create(text_order())
      assert.is_nil(task)
      assert.equal("cancelled", err.kind)
      assert.is_false(err.sent)
      assert.equal("the machine slept; nothing was sent, and nothing was bought",
        err.message)
      assert.equal(1, #sent)
      assert.is_true(sent[1].send_by >= before + 60)
      assert.is_true(sent[1].send_by <= core.boottime() + 60)
    end)

  it("tells how far an order came whose outcome is unknown", function()
    local _, err = client_answered(nil, { reason = "timeout", sent = true,
      phase = "answer", bytes_sent = 321, message = "no answer" })
      :create(text_order())
    assert.same({ "answer", true, 321 },
      { err.phase, err.sent, err.bytes_sent })
    _, err = client_answered { status = 502, headers = {}, body = "<html>",
      bytes_sent = 400 }:create(text_order())
    assert.same({ "body", true, 400, 502 },
      { err.phase, err.sent, err.bytes_sent, err.status })
  end)

  describe("whose id is neither recorded nor waited for", function()
    -- The ledger breaks and an interrupt comes while it is on its way.
    local function interrupted(interrupts)
      local world = worlds.new()
      finally(function() world:close() end)
      world.before_request = function() world:run "DROP TABLE starvideos_orders" end
      world.transport = function()
        local answer = http(200, QUEUED)
        answer.interrupted = true
        return answer
      end
      return pcall(world:client({ interrupts = interrupts }).create,
        world.clients[1], text_order(), { key = "kite" })
    end

    it("returns an error that names the task", function()
      local _, task, err = interrupted "return"
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.equal("video_1", err.task_id)
      assert.is_true(err.interrupted)
    end)

    for name, interrupts in pairs { ["by default"] = false,
      ["where interrupts are raised"] = "raise" } do
      it("raises one " .. name, function()
        local returned, err = interrupted(interrupts or nil)
        assert.is_false(returned)
        assert.truthy(tostring(err):find("^ledger: task video_1 was bought"))
      end)
    end
  end)

  it("does not follow a redirect", function()
    local client, sent = client_answered(
      http(307, "", { location = BASE .. "/v2/videos/videos" }))
    local task, err = client:create(text_order())
    assert.is_nil(task)
    assert.equal(307, err.status)
    assert.equal(1, #sent)
  end)

  it("may be tried again only where nothing was bought", function()
    local function retryable(...)
      local _, err = client_answered(...):create(text_order())
      return err.retryable
    end
    assert.is_true(retryable(nil, failure("connect", false)))
    assert.is_true(retryable(http(429, "")))
    assert.is_falsy(retryable(nil, failure("reset", true)))
    assert.is_falsy(retryable(http(502, "")))
    assert.is_falsy(retryable(http(200, "")))
  end)

  it("says in its message that an order may exist", function()
    local _, err = client_answered(nil, failure("reset", true))
      :create(text_order())
    assert.truthy(err.message:find("may have been", 1, true))
  end)

  it("answers a table that prints as a sentence and has no methods", function()
    local task = assert(client_answered(http(200, QUEUED)):create(text_order()))
    assert.is_nil(getmetatable(task).__index)
    assert.truthy(tostring(task):find(task.id .. " " .. task.status, 1, true))
  end)

  it("answers the task in the provider's own names", function()
    local task = assert(client_answered(http(200, QUEUED)):create(text_order()))
    assert.equal("video_1", task.id)
    assert.equal("video", task.object)
    assert.equal("queued", task.status)
    assert.is_nil(task.error)
    assert.is_nil(task.raw.error)
  end)
end)

describe("a transport that gives what is no response", function()
  for name, gives in pairs {
    ["nothing"] = function() end,
    ["a sentence, as Lua's functions do"] = function() return nil, "timeout" end,
    ["a text"] = function() return "ok" end,
    ["a status that is no number"] = function()
      return { status = "200", headers = {}, body = "{}" }
    end,
    ["a body that is no text"] = function()
      return { status = 200, headers = {}, body = {} }
    end,
  } do
    it("leaves open whether an order was bought, and raises nothing: " .. name,
      function()
        local client = assert(starvideos.new { api_key = "key", transport = gives })
        local task, err = client:create { model = "videos", prompt = "a kite",
          duration = 5 }
        assert.is_nil(task)
        assert.equal("outcome_unknown", err.kind)
        task, err = client:query "video_1"
        assert.is_nil(task)
        assert.equal("network", err.kind)
      end)
  end

  it("has its task without headers, too", function()
    local client = assert(starvideos.new { api_key = "key", transport = function()
      return { status = 200, body = '{"id":"video_1","status":"queued"}' }
    end })
    assert.equal("video_1", assert(client:create { model = "videos",
      prompt = "a kite", duration = 5 }).id)
  end)
end)
