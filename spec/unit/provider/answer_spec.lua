local responses = require "starvideos.sandbox.response"
local errors = require "starvideos.errors"
local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"

local function read_create(response)
  return task_reader.read(operations.create, response)
end

local function read_query(response)
  return task_reader.read(operations.query, response)
end

local HTML = "<html><head><title>502 Bad Gateway</title></head></html>"

local function http(status, body, headers)
  return { status = status, headers = headers or {}, body = body }
end

local function holds_userdata(value)
  if type(value) == "userdata" then return true end
  if type(value) ~= "table" then return false end
  for key, item in pairs(value) do
    if holds_userdata(key) or holds_userdata(item) then return true end
  end
  return false
end

--- The provider writes one code as 204 and as "204".
local function assert_code(expected, actual)
  if tonumber(expected) then
    assert.equal(tonumber(expected), tonumber(actual))
  else
    assert.equal(expected, actual)
  end
end

--- Runs one row through one reading and looks at the error.
local function assert_refused(read, row, kind)
  local task, err = read(http(row[2], row[3], row.headers))
  assert.is_nil(task)
  assert.is_true(errors.is(err))
  assert.equal(kind, err.kind)
  assert.equal(row[2], err.status)
  if row.code then assert_code(row.code, err.code) end
  if row.text then assert.truthy(err.message:find(row.text, 1, true)) end
end

-- what, HTTP status, body, kind at create, kind at query (nil: not decided)
local refusals = {
  { "a bad key at HTTP 200", 200, '{"code":"204","msg":"登录验证失败"}',
    "auth", "auth", code = "204", text = "登录验证失败" },
  { "a bad key with a whole number as code", 200,
    '{"code":204,"msg":"登录验证失败"}', "auth", "auth", code = 204 },
  { "code 401 in the body", 200, '{"code":401,"msg":"token expired"}',
    "auth", "auth", code = 401, text = "token expired" },
  { "code \"403\" in the body", 200, '{"code":"403","msg":"forbidden"}',
    "auth", "auth", code = "403", text = "forbidden" },
  { "401 with an error object", 401,
    '{"error":{"code":"AuthenticationError","message":"the key is unknown"}}',
    "auth", "auth", code = "AuthenticationError", text = "the key is unknown" },
  { "401 without a body", 401, "", "auth", "auth" },
  { "401 with a plain text", 401, "the key < is unknown", "auth", "auth" },
  { "403 with a page", 403, "<html>Forbidden</html>", "config", "config",
    text = "a proxy or firewall in front of the provider refused the " },
  { "401 with a page", 401, "\r\n<!DOCTYPE html>Sign in", "config", "config",
    text = "(HTTP 401:  <!DOCTYPE html>Sign in)" },
  { "a proxy that wants a login", 407, "", "config", "config",
    text = "(HTTP 407: an empty body)" },
  { "a proxy that wants a login in JSON", 407, '{"msg":"log in"}', "config",
    "config", text = "a proxy or firewall" },

  { "a missing parameter at HTTP 200", 200,
    '{"msg":"缺少必填参数: prompt"}', "invalid_request", "invalid_request",
    text = "缺少必填参数: prompt" },
  { "a missing parameter in English", 200,
    '{"msg":"Missing required parameter: duration"}', "invalid_request",
    "invalid_request", text = "Missing required parameter: duration" },
  { "a parameter that is not supported", 200,
    '{"code":"1002","msg":"Unsupported parameter: ratio"}', "invalid_request",
    "invalid_request", code = "1002", text = "Unsupported parameter: ratio" },
  { "a conflict of parameters", 200,
    '{"code":1003,"msg":"Parameter conflict: image"}', "invalid_request",
    "invalid_request", code = 1003, text = "Parameter conflict: image" },
  { "400", 400, '{"error":{"code":"BadParam","message":"duration: 4 to 15"}}',
    "invalid_request", "invalid_request", code = "BadParam",
    text = "duration: 4 to 15" },
  { "400 with a text as error", 400, '{"error":"no such ratio"}',
    "invalid_request", "invalid_request", text = "no such ratio" },
  { "400 with a page", 400, "<html>Bad Request</html>", "invalid_request",
    "invalid_request", text = "Bad Request" },
  { "413", 413, "", "invalid_request", "invalid_request" },
  { "422", 422, '{"msg":"prompt is not allowed"}', "invalid_request",
    "invalid_request", text = "prompt is not allowed" },
  { "code 400 in the body", 200, '{"code":400,"msg":"bad ratio"}',
    "invalid_request", "invalid_request", code = 400, text = "bad ratio" },
  { "code \"422\" in the body", 200, '{"code":"422","msg":"bad frames"}',
    "invalid_request", "invalid_request", code = "422", text = "bad frames" },

  { "no handler, at HTTP 200", 200, '{"code":500,"data":null,'
    .. '"msg":"No handler found for POST /kyyReactApiServer/x"}',
    "config", "config", code = 500 },
  { "no handler, at HTTP 404", 404,
    '{"code":404,"msg":"No handler found for GET /v1/result/a"}',
    "config", "config" },
  { "404", 404, '{"msg":"task does not exist"}', "config", "not_found",
    text = "task does not exist" },
  { "404 with a page", 404, "<html>Not Found</html>", "config", "not_found" },
  { "code 404 in the body", 200, '{"code":404,"msg":"no such task"}',
    "config", "not_found", code = 404, text = "no such task" },

  { "402", 402, '{"error":{"code":"NoMoney","message":"top up first"}}',
    "invalid_request", "invalid_request", code = "NoMoney",
    text = "top up first" },
  { "a balance that is used up", 200, '{"code":"5001","msg":"余额不足"}',
    "invalid_request", "invalid_request", code = "5001", text = "余额不足" },
  { "a balance that is used up, in English", 200,
    '{"code":5001,"msg":"Insufficient balance"}', "invalid_request",
    "invalid_request", code = 5001, text = "Insufficient balance" },
  { "a quota that is used up", 200,
    '{"code":"5002","msg":"Quota exceeded for this account"}',
    "invalid_request", "invalid_request", code = "5002" },

  { "429", 429, "", "rate_limited", "rate_limited" },
  { "429 with a text", 429, '{"msg":"too many requests"}', "rate_limited",
    "rate_limited", text = "too many requests" },
  { "429 with a page", 429, "<html>slow down</html>", "rate_limited",
    "rate_limited" },
  { "code 429 in the body", 200, '{"code":429,"msg":"too many requests"}',
    "rate_limited", "rate_limited", code = 429 },

  { "500", 500, '{"error":{"code":"Internal","message":"it broke"}}',
    "outcome_unknown", "server", code = "Internal", text = "it broke" },
  { "500 without a body", 500, "", "outcome_unknown", "server" },
  { "502 with a page", 502, HTML, "outcome_unknown", "server",
    text = "Bad Gateway" },
  { "503", 503, '{"msg":"busy"}', "outcome_unknown", "server", text = "busy" },
  { "504", 504, "upstream timed out", "outcome_unknown", "server" },
  { "code 500 in the body", 200, '{"code":500,"data":null,"msg":"it broke"}',
    "outcome_unknown", "server", code = 500, text = "it broke" },

  { "a crash at a load balancer", 200,
    '{"code":500,"data":null,"msg":"load balancer: upstream timed out"}',
    "outcome_unknown", "server", text = "load balancer" },
  { "a crash by an exception", 200,
    '{"code":500,"msg":"java.lang.UnsupportedOperationException"}',
    "outcome_unknown", "server", text = "UnsupportedOperationException" },
  { "a crash on a full disk", 200,
    '{"code":500,"msg":"write failed: Disk quota exceeded"}',
    "outcome_unknown", "server", text = "Disk quota exceeded" },
  { "a crash in a system call", 200,
    '{"code":500,"msg":"sendfile: Operation not supported"}',
    "outcome_unknown", "server", text = "Operation not supported" },
  { "code 500 over a balance", 200,
    '{"code":500,"msg":"Insufficient balance"}', "invalid_request",
    "invalid_request", code = 500, text = "Insufficient balance" },
  { "code 500 over a quota", 200, '{"code":500,"msg":"quota exceeded"}',
    "invalid_request", "invalid_request", code = 500, text = "quota" },
  { "code 500 over what is not supported", 200,
    '{"code":500,"msg":"unsupported duration: 99"}', "invalid_request",
    "invalid_request", code = 500, text = "unsupported duration" },
  { "code 500 over a key", 200, '{"code":500,"msg":"unauthorized"}', "auth",
    "auth", code = 500, text = "unauthorized" },

  { "a page at HTTP 200", 200, "<html>Welcome to the gateway</html>",
    "outcome_unknown", "protocol", text = "Welcome to the gateway" },
  { "an answer cut short", 200, '{"id":"video_1","object":"vid',
    "outcome_unknown", "protocol" },
  { "nothing at HTTP 200", 200, "", "outcome_unknown", "protocol" },
  { "no body at all", 200, nil, "outcome_unknown", "protocol" },
  { "204 without a body", 204, "", "outcome_unknown", "protocol" },
  { "an empty object", 200, "{}", "outcome_unknown", "protocol" },
  { "an array", 200, '[{"id":"video_1"}]', "outcome_unknown", "protocol" },
  { "a text", 200, '"video_1"', "outcome_unknown", "protocol" },
  { "a number", 200, "42", "outcome_unknown", "protocol" },
  { "true", 200, "true", "outcome_unknown", "protocol" },
  { "null", 200, "null", "outcome_unknown", "protocol" },
  { "an envelope with nothing in it", 200, '{"code":0,"msg":null,"data":null}',
    "outcome_unknown", "protocol" },
  { "an envelope around an array", 200, '{"code":0,"data":[]}',
    "outcome_unknown", "protocol" },
  { "an envelope around an empty object", 200, '{"code":200,"data":{}}',
    "outcome_unknown", "protocol" },
  { "10,000 nested arrays", 200, ("["):rep(10000) .. ("]"):rep(10000),
    "outcome_unknown", "protocol" },
  { "an object nested 10,000 deep", 200,
    ('{"data":'):rep(10000) .. "1" .. ("}"):rep(10000),
    "outcome_unknown", "protocol" },

  -- said by one of the two operations alone
  { "a refused create", 200, '{"id":null,"object":"error","status":"failed",'
    .. '"error":"Parameter conflict: first_image and image"}',
    "invalid_request", nil,
    text = "Parameter conflict: first_image and image" },
  { "a refused create that has an id", 200,
    '{"id":"video_9","object":"error","status":"failed","error":"no such mode"}',
    "invalid_request", nil, text = "no such mode" },
  { "a refusal by content policy in Chinese", 200,
    '{"id":"video_9","object":"error","status":"failed","error":"内容违规"}',
    "invalid_request", nil, text = "内容违规" },
  { "a task that failed at once", 200,
    '{"id":"video_9","object":"video","status":"failed","error":"内容违规"}',
    "task_failed", nil, text = "内容违规" },
  { "a task that was cancelled at once", 200,
    '{"id":"video_9","object":"video","status":"cancelled"}',
    "task_failed", nil, text = "video_9" },
  { "a task in an envelope that failed at once", 200,
    '{"code":0,"data":{"id":"video_9","status":"FAILED","error":"no"}}',
    "task_failed", nil, text = "no" },
  { "a failure without an id", 200,
    '{"id":null,"object":"video","status":"failed","error":"no"}',
    "invalid_request", nil, text = "no" },
  { "an id that is null", 200, '{"id":null,"status":"queued"}',
    "outcome_unknown", nil },
  { "an id that is empty", 200, '{"id":"","status":"queued"}',
    "outcome_unknown", nil },
  { "an id that is blank", 200, '{"id":" ","status":"queued"}',
    "outcome_unknown", nil },
  { "a success under names that nobody knows", 200,
    '{"code":0,"msg":"success","data":{"ticket":"T-1"}}', "outcome_unknown",
    nil, text = '"ticket":"T-1"' },
  { "no status", 200, '{"id":"video_1","object":"video"}', nil, "protocol" },
  { "a status that is null", 200, '{"id":"video_1","status":null}', nil,
    "protocol" },
  { "no status in an envelope", 200, '{"code":0,"data":{"id":"video_1"}}', nil,
    "protocol" },
}

describe("an answer that is no task", function()
  for _, row in ipairs(refusals) do
    if row[4] then
      it(("(%s) is %s to a create"):format(row[1], row[4]), function()
        assert_refused(read_create, row, row[4])
      end)
    end
    if row[5] then
      it(("(%s) is %s to a query"):format(row[1], row[5]), function()
        assert_refused(read_query, row, row[5])
      end)
    end
  end
end)

describe("whether to try again", function()
  local function retryable(read, status, body)
    local _, err = read(http(status, body or ""))
    return err.retryable
  end

  for _, status in ipairs { 408, 425, 429, 500, 502, 503, 504 } do
    it("is yes for a query answered " .. status, function()
      assert.is_true(retryable(read_query, status))
    end)
  end

  it("is yes for a create answered 429", function()
    assert.is_true(retryable(read_create, 429))
  end)

  for _, status in ipairs { 200, 400, 401, 402, 404, 408, 422, 425, 500, 502,
                            503, 504 } do
    it("is no for a create answered " .. status .. " and no task", function()
      assert.is_falsy(retryable(read_create, status))
    end)
  end

  it("comes with the seconds that Retry-After names", function()
    for _, read in ipairs { read_create, read_query } do
      local _, err = read(http(429, "", { ["retry-after"] = "7" }))
      assert.equal(7, err.retry_after)
    end
  end)

  it("comes with the seconds until the date that Retry-After names", function()
    local date = responses.date(os.time() + 120)
    local _, err = read_query(http(429, "", { ["retry-after"] = date }))
    assert.is_near(120, err.retry_after, 2)
  end)

  for _, value in ipairs { "soon", "-5", "", "nan", "7 bananas" } do
    it(("comes without seconds for Retry-After: %q"):format(value), function()
      local _, err = read_query(http(429, "", { ["retry-after"] = value }))
      assert.equal("rate_limited", err.kind)
      assert.is_nil(err.retry_after)
    end)
  end
end)

describe("a create that is accepted", function()
  local accepted = {
    { "the documented answer", 200, '{"id":"video_1","object":"video",'
      .. '"created":1700000000,"model":"videos","status":"queued",'
      .. '"error":null}', "video_1", "queued" },
    { "201", 201, '{"id":"video_1","status":"queued"}', "video_1", "queued" },
    { "202", 202, '{"id":"video_1","status":"queued"}', "video_1", "queued" },
    { "an empty text as error", 200,
      '{"id":"video_1","status":"queued","error":""}', "video_1", "queued" },
    { "another word for queued", 200,
      '{"id":"video_1","status":"Pending"}', "video_1", "queued" },
    { "the older answer", 200,
      '{"code":"0","msg":null,"data":{"projectId":"proj_1"}}', "proj_1" },
    { "the older answer with a number as code", 200,
      '{"code":0,"msg":"","data":{"projectId":"proj_1"}}', "proj_1" },
    { "the older answer with a kind word", 200,
      '{"code":"0","msg":"success","data":{"projectId":"proj_1"}}', "proj_1" },
    { "an id with a kind word", 200, '{"id":"video_1","message":"ok"}',
      "video_1" },
    { "an envelope called data", 200,
      '{"code":200,"data":{"id":"videos_1","status":"queued"}}', "videos_1",
      "queued" },
    { "an envelope called result", 200,
      '{"result":{"id":"video_1","status":"queued"}}', "video_1", "queued" },
    { "code \"200\" beside the task", 200,
      '{"code":"200","id":"video_1","status":"queued"}', "video_1", "queued" },
    { "no status", 200, '{"id":"video_1","object":"video"}', "video_1" },
    { "an unknown status", 200, '{"id":"video_1","status":"dreaming"}',
      "video_1" },
    { "an id with odd letters", 200, '{"id":"a/../视频 1","status":"queued"}',
      "a/../视频 1", "queued" },
  }
  for _, row in ipairs(accepted) do
    it("is a task: " .. row[1], function()
      local task, err = read_create(http(row[2], row[3]))
      assert.is_nil(err)
      assert.equal(row[4], task.id)
      if row[5] then assert.equal(row[5], task.status) end
      assert.is_nil(task.error)
      assert.is_table(task.raw)
      assert.is_false(holds_userdata(task))
    end)
  end

  it("keeps the provider's own field names", function()
    local task = assert(read_create(http(200, accepted[1][3])))
    assert.equal("video", task.object)
    assert.equal(1700000000, task.created)
    assert.equal("videos", task.model)
    assert.is_nil(task.video_url)
  end)
end)

describe("a task that a query answers", function()
  local function query(body)
    return read_query(http(200, body))
  end

  local words = {
    { "queued", "QUEUED", "Queued", "pending", "PENDING" },
    { "processing", "Processing", "running", "in_progress", "IN_PROGRESS" },
    { "completed", "COMPLETED", "succeeded", "success", "SUCCESS", "done",
      "Done" },
    { "failed", "FAILED", "Failed" },
    { "cancelled", "CANCELLED", "Cancelled" },
  }
  for _, spellings in ipairs(words) do
    local word = spellings[1]
    for _, spelling in ipairs(spellings) do
      it(("is %s where the status is %q"):format(word, spelling), function()
        local task = assert(query('{"id":"video_1","status":"' .. spelling
          .. '","video_url":"https://media.test/1.mp4"}'))
        assert.equal(word, task.status)
        assert.equal(spelling, task.raw.status)
      end)
    end
  end

  it("passes an unrecognised status through", function()
    local task = assert(query '{"id":"video_1","status":"dreaming"}')
    assert.equal("dreaming", task.status)
    assert.equal("dreaming", task.raw.status)
  end)

  it("has its link, its length and no userdata", function()
    local task = assert(query [[{"id":"video_1","object":"video",
      "created":1700000000,"model":"videos","status":"completed","error":null,
      "video_url":"https://media.test/1.mp4?sign=abc","actualDuration":5.04,
      "usage":{"cost":null,"list":[null,1]}}]])
    assert.equal("https://media.test/1.mp4?sign=abc", task.video_url)
    assert.equal(5.04, task.actualDuration)
    assert.is_false(holds_userdata(task))
  end)

  local envelopes = {
    '{"code":0,"data":%s}', '{"code":"0","msg":null,"data":%s}',
    '{"code":200,"data":%s}', '{"code":"200","data":%s}', '{"data":%s}',
    '{"result":%s}', '{"code":0,"result":%s}',
  }
  for _, envelope in ipairs(envelopes) do
    it("is taken out of " .. envelope, function()
      local task = assert(query(envelope:format
        '{"status":"SUCCESS","video_url":"https://media.test/1.mp4"}'))
      assert.equal("completed", task.status)
      assert.equal("https://media.test/1.mp4", task.video_url)
    end)
  end

  it("reads url where there is no video_url", function()
    for _, before in ipairs { "", '"video_url":null,', '"video_url":"",' } do
      local task = assert(query('{"status":"completed",' .. before
        .. '"url":"https://media.test/2.mp4"}'))
      assert.equal("https://media.test/2.mp4", task.video_url)
    end
  end)

  it("prefers video_url to url", function()
    local task = assert(query [[{"status":"completed",
      "url":"https://media.test/2.mp4","video_url":"https://media.test/1.mp4"}]])
    assert.equal("https://media.test/1.mp4", task.video_url)
  end)

  it("has numbers where the provider wrote texts", function()
    local task = assert(query [[{"id":"video_1","status":"completed",
      "video_url":"https://media.test/1.mp4","actualDuration":"10",
      "created":"1700000000"}]])
    assert.equal(10, task.actualDuration)
    assert.equal("number", type(task.actualDuration))
    assert.equal(1700000000, task.created)
    assert.equal("number", type(task.created))
  end)

  for _, case in ipairs { { "45", 45 }, { '"45%"', 45 }, { '"45"', 45 },
                          { "0", 0 }, { '"100%"', 100 }, { "null", nil },
                          { '"soon"', nil }, { "{}", nil },
                          { "1e308", 100 }, { "-5", 0 }, { '"150%"', 100 },
                          { "100.5", 100 }, { '"NaN"', nil }, { "[50]", nil },
                          { '"-5"', nil }, { "true", nil },
                          { "1e999", nil }, { "-1e999", nil } } do
    it("reads a progress of " .. case[1], function()
      local task = assert(query('{"status":"processing","progress":'
        .. case[1] .. "}"))
      assert.equal(case[2], task.progress)
    end)
  end

  it("keeps unknown fields in raw", function()
    local task = assert(query [[{"status":"completed","amount":"0.80",
      "video_url":"https://media.test/1.mp4","totalTokens":1200,
      "last_frame_url":"https://media.test/last.png"}]])
    assert.equal("0.80", task.raw.amount)
    assert.equal(1200, task.raw.totalTokens)
    assert.equal("https://media.test/last.png", task.raw.last_frame_url)
  end)

  for _, text in ipairs { "null", '""', '"an old warning"' } do
    it("is completed whatever error says: " .. text, function()
      local task = assert(query('{"id":"video_1","status":"completed",'
        .. '"video_url":"https://media.test/1.mp4","error":' .. text .. "}"))
      assert.equal("completed", task.status)
    end)
  end

  it("has no error where the provider wrote an empty one", function()
    local task = assert(query '{"status":"processing","error":""}')
    assert.is_nil(task.error)
  end)

  it("is returned when it failed, with the provider's text", function()
    local task, err = query
      '{"id":"video_1","status":"failed","error":"画面违规, try another prompt"}'
    assert.is_nil(err)
    assert.equal("failed", task.status)
    assert.equal("画面违规, try another prompt", task.error)
  end)

  for _, url in ipairs { "", ',"video_url":null', ',"video_url":""' } do
    it(("is a protocol error when completed without a link (%s)"):format(url),
      function()
        local task, err = query('{"id":"video_1","status":"completed"' .. url
          .. "}")
        assert.is_nil(task)
        assert.equal("protocol", err.kind)
        assert.equal("video_1", err.task.id)
        assert.equal("completed", err.task.status)
      end)
  end
end)

describe("a message", function()
  it("shows a page only in part", function()
    local page = "upstream connect error " .. ("x"):rep(100000)
    for _, read in ipairs { read_create, read_query } do
      local _, err = read(http(200, page))
      assert.truthy(err.message:find("upstream connect error", 1, true))
      assert.is_true(#err.message < 600)
    end
  end)

  it("never shows the query of a signed link", function()
    local bodies = {
      "see https://media.test/1.mp4?sign=SESAME for more",
      '{"code":400,"msg":"cannot read https://media.test/1.mp4?sign=SESAME"}',
      '{"id":"a","status":"failed","error":"https://m.test/1?sign=SESAME"}',
    }
    for _, body in ipairs(bodies) do
      local _, err = read_create(http(200, body))
      assert.is_nil(tostring(err):find("SESAME", 1, true))
    end
  end)
end)

describe("words that the order has itself", function()
  local function read(body, ordered)
    return select(2, task_reader.read(operations.create, { status = 400,
      headers = {}, body = body, ordered = ordered }))
  end

  local YOGA = [[{"prompt":"A yoga teacher\n in perfect Balance, \"seen\" from the sea",
    "referenceImages":["https://a.test/No handler/quota-board.png"]}]]
  local quotations = {
    { "whole", [[{"msg":"no: A yoga teacher\n in perfect Balance, \"seen\" from the sea"}]] },
    { "cut at its end", '{"msg":"not allowed: A yoga teacher in perfect balance, …"}' },
    { "cut at its beginning", '{"msg":"not allowed: … Balance, \"seen\""}' },
    { "in capitals", '{"msg":"NOT ALLOWED: IN PERFECT BALANCE"}' },
    { "escaped twice", [[{"msg":"not allowed: teacher\\n in perfect Balance, \\\"seen\\\""}]] },
    { "as HTML", '{"msg":"not allowed: perfect Balance, &quot;seen&quot; from"}' },
    { "in a page", "<p>not allowed: <b>in perfect Balance</b>, seen</p>" },
    { "in a link", '{"msg":"cannot read https://a.test/No handler/quota-board.png"}' },
    { "in an encoded link", '{"msg":"cannot read https://a.test/No%20handler/quota-board.png"}' },
  }
  for _, case in ipairs(quotations) do
    it("mean nothing where they are quoted " .. case[1], function()
      local err = read(case[2], YOGA)
      assert.same({ "invalid_request" }, { err.kind, err.unpaid })
      assert.equal(true, read(case[2]:gsub("[Bb]alance", "of %0", 1), "{}").unpaid
        or read(case[2], "{}").kind == "config" or nil)
    end)
  end

  it("mean nothing as a single word, or in Chinese", function()
    assert.is_nil(read('{"msg":"banned: \"balance\""}', '{"prompt":"balance"}').unpaid)
    local prompt = '{"prompt":"他查看余额，然后离开"}'
    assert.is_nil(read('{"msg":"提示词“他查看余额”违规"}', prompt).unpaid)
    assert.is_nil(read('{"msg":"违规：余额，然后离开"}', prompt).unpaid)
    assert.is_true(read('{"msg":"账户余额不足"}', prompt).unpaid)
  end)

  it("mean what they say where the provider says them as well", function()
    for _, msg in ipairs { "insufficient balance", "insufficient balance for: a yoga"
      .. " teacher in perfect balance", "in perfect balance: your balance is 0" } do
      assert.is_true(read(('{"msg":"%s"}'):format(msg), YOGA).unpaid, msg)
    end
  end)

  it("do not hide a status or a code that means money", function()
    assert.is_true(read('{"code":402,"msg":"in perfect balance"}', YOGA).unpaid)
    assert.is_true(read('{"error":{"code":"insufficient_quota","message":"no"}}',
      YOGA).unpaid)
    assert.is_true(read('{"error":{"code":"InsufficientBalance","message":"no"}}',
      YOGA).unpaid)
  end)

  it("do not make an unknown outcome a refusal", function()
    local function kind(msg, prompt)
      return select(2, task_reader.read(operations.create, { status = 200,
        headers = {}, body = ('{"code":500,"msg":"%s"}'):format(msg),
        ordered = ('{"prompt":"%s"}'):format(prompt) })).kind
    end
    assert.equal("outcome_unknown", kind("crashed on: a sign that says unsupported,"
      .. " in red", "A sign that says unsupported, in red"))
    assert.equal("outcome_unknown", kind("crashed on: a door, unauthorized", "a door,"
      .. " unauthorized"))
    assert.equal("auth", kind("unauthorized", "a door"))
  end)
end)

describe("fields of the wrong type", function()
  local odd = { "null", "true", "5", '"x"', "[]", "{}", '[["x"]]',
                '{"message":{}}', '{"code":[]}' }
  local names = { "id", "status", "error", "msg", "message", "code", "data",
                  "result", "video_url", "url", "created", "actualDuration",
                  "progress", "object", "model" }
  for _, name in ipairs(names) do
    it("never make a reading raise: " .. name, function()
      for _, value in ipairs(odd) do
        local body = ('{"%s":%s}'):format(name, value)
        local with_task = ('{"id":"video_1","status":"queued","%s":%s}')
          :format(name, value)
        for _, text in ipairs { body, with_task } do
          for _, read in ipairs { read_create, read_query } do
            local task, err = read(http(200, text))
            assert.is_true(type(task) == "table" or errors.is(err), text)
            assert.is_false(holds_userdata(task), text)
          end
        end
      end
    end)
  end
end)
