--- What must hold of every answer.

local answer_json = require "starvideos.provider.answer_json"
local errors = require "starvideos.errors"
local json = require "starvideos.base.json"
local mutation = require "spec.fixtures.mutation"
local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"

local CASES = 2000

local answers = {
  '{"id":"video_1","object":"video","created":1700000000,"model":"videos",'
    .. '"status":"queued","error":null}',
  '{"id":"video_1","status":"processing","progress":"45%","amount":1.5}',
  '{"id":"video_1","object":"video","created":"1700000000","status":"completed"'
    .. ',"video_url":"https://cdn.test/1.mp4?sig=a","actualDuration":"5.04"}',
  '{"id":"video_1","status":"completed","url":"https://cdn.test/1.mp4"}',
  '{"id":"video_1","status":"failed","error":"the prompt was refused"}',
  '{"id":"video_1","status":"cancelled","error":{"message":"by the user"}}',
  '{"id":null,"object":"error","status":"failed","error":"Parameter conflict"}',
  '{"id":"video_1","object":"error","status":"failed","error":"内容违规"}',
  '{"code":"0","msg":null,"data":{"projectId":"proj_1"}}',
  '{"code":0,"data":{"id":"video_1","status":"queued"}}',
  '{"result":{"id":"video_1","status":"completed","video_url":"https://a/b"}}',
  '{"code":"204","msg":"登录验证失败"}',
  '{"code":500,"data":null,"msg":"No handler found for POST /a"}',
  '{"msg":"缺少必填参数: prompt"}',
  '{"error":{"code":"AuthenticationError","message":"the key is unknown"}}',
}

local statuses = { 200, 200, 200, 200, 201, 202, 204, 301, 400, 401, 402, 403,
  404, 408, 422, 425, 429, 500, 502, 503, 504, 599 }

local pauses = { "7", "0", "-5", "soon", "1e999", "0x10", "7 bananas", "",
  ("9"):rep(30), "Sat, 21 Nov 2026 07:00:00 GMT", "Sat, 99 Nov 0 99:99:99 GMT" }

local kinds = {
  create = { auth = true, config = true, invalid_request = true,
    rate_limited = true, outcome_unknown = true, task_failed = true },
  query = { auth = true, config = true, invalid_request = true,
    rate_limited = true, not_found = true, server = true, timeout = true,
    protocol = true },
}

local function answer()
  local pause = mutation.choose(3) == 1 and mutation.one_of(pauses) or nil
  return {
    status = mutation.one_of(statuses),
    headers = { ["retry-after"] = pause and mutation.choose(4) == 1
      and mutation.cut(pause) or pause },
    body = mutation.json(mutation.one_of(answers)),
  }
end

local function clock()
  return 1795000000
end

local function is_finite(value)
  return type(value) == "number" and value - value == 0
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local fields = {
  id = is_text, object = is_text, model = is_text, status = is_text,
  video_url = is_text, error = is_text, created = is_finite,
  actualDuration = is_finite, progress = is_finite,
  amount = function(value)
    return is_finite(value) or is_text(value)
  end,
  raw = function(value)
    return type(value) == "table"
  end,
}

local function check_task(task)
  assert(type(task) == "table" and type(tostring(task)) == "string")
  for name, value in pairs(task) do
    assert(fields[name], "a task has no field " .. name)
    assert(fields[name](value), ("%s is %s"):format(name, tostring(value)))
  end
end

local function check_err(err, call, http)
  assert(errors.is(err), "no error of the library's")
  assert(kinds[call][err.kind], "kind " .. tostring(err.kind))
  assert(is_text(err.message) and is_text(tostring(err)))
  assert(err.status == http.status)
  assert(err.retry_after == nil or is_finite(err.retry_after)
    and err.retry_after >= 0, "retry_after")
  assert(err.code == nil or is_text(err.code), "code")
  assert(err.task_id == nil or is_text(err.task_id), "task_id")
  if err.task then
    check_task(err.task)
  end
end

local function is_id(value)
  return is_text(value) and not value:find "%c" or is_finite(value)
end

-- Of what cannot be decoded any id in its text may be named.
local function add_texts(ids, body)
  for _, name in ipairs { "id", "projectId" } do
    for id in body:gmatch('"' .. name .. '"%s*:%s*"?(.-)["},%]]') do
      ids[id] = true
    end
  end
end

-- The same reading again, in other words: every id that the answer, or what
-- it wraps, has.
local function ids_of(body)
  local ids, answered = {}, json.decode(body)
  answered = type(answered) == "table" and answered or {}
  for _, object in ipairs { answered, answered.data or false,
    answered.result or false } do
    for _, name in ipairs { "id", "projectId" } do
      local id = type(object) == "table" and object[name]
      if is_id(id) then
        ids[#ids + 1] = id
        ids[type(id) == "number" and ("%.0f"):format(id) or id] = true
      end
    end
  end
  add_texts(ids, body)
  return ids
end

local function check_create(http)
  local task, err = task_reader.read(operations.create, http, clock)
  assert((task == nil) ~= (err == nil), "not either a task or an error")
  local ids = ids_of(http.body)
  local known = task and task.id or err and err.task_id
  assert(known == nil or ids[known], "an id that the answer does not have")
  if task then
    check_task(task)
    assert(task.id and task.status, "a task without id or status")
    assert(http.status >= 200 and http.status < 300)
    return
  end
  check_err(err, "create", http)
  assert(err.kind ~= "task_failed" or err.task.id, "ended without a task")
  assert(#ids == 0 or err.task_id or http.status >= 300, "an id was dropped")
  assert(type(answer_json.decode(http.body)) == "table" or http.status >= 300
    or err.kind == "outcome_unknown", "taken for a refusal: " .. err.kind)
  assert(http.status < 500 or err.kind == "outcome_unknown"
    or err.kind == "config", "a failure taken for a refusal: " .. err.kind)
end

local function check_query(http)
  local task, err = task_reader.read(operations.query, http, clock,
    "video_9")
  assert((task == nil) ~= (err == nil), "not either a task or an error")
  if task then
    check_task(task)
    assert(task.id and task.status, "a task without id or status")
    assert(task.status ~= "completed" or task.video_url, "no link")
  else
    check_err(err, "query", http)
  end
end

-- One failing case says all that is needed to repeat it.
local function check_all(check)
  for case = 1, CASES do
    local http = answer()
    local ok, why = pcall(check, http)
    if not ok then
      error(("SEED=%d, case %d: %s\nHTTP %d, Retry-After %s\n%s"):format(
        mutation.seed, case, tostring(why), http.status,
        tostring(http.headers["retry-after"]), http.body), 0)
    end
  end
end

describe(("of %d answers gone wrong (SEED=%d)"):format(CASES, mutation.seed),
  function()
    it("each is a task or an error to a create, and no id is lost", function()
      check_all(check_create)
    end)

    it("each is a task or an error to a query", function()
      check_all(check_query)
    end)
  end)
