-- The rows of all scenarios. A row that is added here works in prompts and in the
-- command, and spec/unit/sandbox/scenario_spec.lua tries it. It has a `name`; `what`, one
-- line for the list; where wanted `counts` ("seconds") and `default` (N); and an effect
-- under the place it has it in:
--
--   * `life`: `ends`, the last status; `error`; `varies`: the task takes a random part
--     of N seconds;
--   * `create`, `query`:
--     * `made`: the order was accepted and billed although its answer is lost;
--     * `status`, `headers`, `body`: the answer. The body may be a string, a table (sent
--       as JSON) or a function of the provider; without one the regular answer is sent;
--     * `delay`: the answer waits for "all" of the N seconds, or a random part ("some");
--     * `abort`: "reset" closes without an answer, "hang" gives none, "cut" closes after
--       half of the body;
--     * `repeats`: how many times the body is sent;
--     * `alter(body, provider)` changes the regular answer before it is encoded;
--     * `only`: the one status of the task in which a query is affected;
--     * `id_prefix` of a created task; `expired`: a query answers with an expired link;
--   * `media`: `refuse` (a status), `body` with `type`, `abort` (also "stall"),
--     `other_file`, `pace` (the file takes N seconds), `delay`, `no_range`, `unsized` (no
--     Content-Length), `half` (all that the host has of the file), `type`, `redirect`.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local responses = require "starvideos.sandbox.response"

local null = json.null

local function refused(text, id)
  return { id = id or null, object = "error", status = "failed",
    error = text }
end

local POLICY = "The prompt violates the content policy."
local POLICY_CHINESE = "提示词包含违规内容,请修改后重试"

local function spelled(words)
  return { alter = function(body)
    body.status = words[body.status] or body.status
    return body
  end }
end

local function in_data(body)
  return { code = 0, msg = "success", data = body }
end

local function merged(fields)
  return function(body)
    for name, value in pairs(fields) do
      body[name] = value
    end
    return body
  end
end

local LIVES = {
  { name = "failed", what = "the task fails, with a text",
    life = { ends = "failed", error = "The reference could not be read." } },
  { name = "failed_policy", what = "the task fails for its content",
    life = { ends = "failed", error = POLICY } },
  { name = "failed_policy_chinese", what = "as before, told in Chinese",
    life = { ends = "failed", error = POLICY_CHINESE } },
  { name = "cancelled", what = "the task ends as cancelled",
    life = { ends = "cancelled" } },
  { name = "expired", what = "the task ends as expired, a status of no document",
    life = { ends = "expired" } },
  { name = "never", what = "the task stays processing for ever",
    life = { ends = "processing" } },
  { name = "takes", what = "the task takes N seconds", default = 30,
    life = { ends = "completed" } },
  { name = "jitter", what = "the task takes up to N seconds", default = 0.2,
    life = { ends = "completed", varies = true } },
}

local CREATES = {
  { name = "create_missing", what = "a parameter is missing",
    create = { body = { msg = "缺少必填参数: prompt" } } },
  { name = "create_refused", what = "refused for a conflict, id is null",
    create = { body = refused "Parameter conflict: image and first_image" } },
  { name = "create_refused_id", what = "refused for a conflict, with an id",
    create = { body = refused("Parameter conflict: image and first_image",
      "video_refused_1") } },
  { name = "create_policy", what = "refused for its content",
    create = { body = refused(POLICY) } },
  { name = "create_policy_chinese", what = "as before, told in Chinese",
    create = { body = refused(POLICY_CHINESE) } },
  { name = "create_quoted", what = "refused with a prompt quoted that says balance",
    create = { status = 400, body = { error = { code = "InvalidParameter",
      message = "prompt not allowed: a yoga teacher in perfect balance" } } } },
  { name = "create_quota", what = "no quota left, told at HTTP 200",
    create = { body = { code = 500, data = null, msg = "余额不足" } } },
  { name = "create_project_id", what = "the older answer, data.projectId",
    create = { made = true, id_prefix = "proj_", alter = function(body)
      return { code = "0", msg = null, data = { projectId = body.id } }
    end } },
  { name = "create_data", what = "the answer inside data, code 0",
    create = { made = true, alter = in_data } },
  { name = "create_coded", what = "code \"200\" beside the task",
    create = { made = true, alter = merged{ code = "200", msg = "ok" } } },
  { name = "create_202", what = "accepted with HTTP 202",
    create = { made = true, status = 202 } },
  { name = "create_no_id", what = "an object without an id",
    create = { made = true, alter = function(body)
      body.id = nil
      return body
    end } },
}

local RESULTS = {
  { name = "result_data", what = "the result inside data, code 0",
    query = { alter = in_data } },
  { name = "result_result", what = "the result inside result",
    query = { alter = function(body)
      return { result = body }
    end } },
  { name = "result_coded", what = "code 200 beside the result",
    query = { alter = merged{ code = 200, msg = "ok" } } },
  { name = "result_error_empty", what = "error is an empty string",
    query = { only = "completed", alter = merged{ error = "" } } },
  { name = "result_upper", what = "status in capitals",
    query = { alter = function(body)
      body.status = c_locale.upper(body.status)
      return body
    end } },
  { name = "result_succeeded", what = "pending, in_progress, succeeded",
    query = spelled{ queued = "pending", processing = "in_progress",
      completed = "succeeded", failed = "failure" } },
  { name = "result_success", what = "submitted, running, success",
    query = spelled{ queued = "submitted", processing = "running",
      completed = "success", failed = "error" } },
  { name = "result_done", what = "Pending, Generating, Done",
    query = spelled{ queued = "Pending", processing = "Generating",
      completed = "Done", failed = "Failed" } },
  { name = "result_unknown", what = "an unrecognised status",
    query = { alter = merged{ status = "contemplating" } } },
  { name = "result_no_status", what = "no status at all",
    query = { alter = function(body)
      body.status = nil
      return body
    end } },
  { name = "result_no_url", what = "completed without a URL",
    query = { only = "completed", alter = merged{ video_url = null } } },
  { name = "result_url", what = "url in place of video_url",
    query = { alter = function(body)
      body.url, body.video_url = body.video_url, nil
      return body
    end } },
  { name = "result_strings", what = "numbers as strings",
    query = { alter = function(body)
      body.created = tostring(body.created)
      body.actualDuration = body.actualDuration
        and c_locale.number("%g", body.actualDuration)
      return body
    end } },
  { name = "result_extras", what = "amount, totalTokens, progress \"45%\"",
    query = { alter = merged{ amount = 1.5, totalTokens = 10800,
      progress = "45%", last_frame_url = "https://cdn.example.com/l.png" } } },
  { name = "result_progress", what = "progress as a number",
    query = { alter = merged{ progress = 45 } } },
  { name = "result_model", what = "a model that was not asked for",
    query = { alter = merged{ model = "videos_historical" } } },
}

local MEDIA = {
  { name = "link_expired", what = "a link that has expired already",
    default = 1, query = { only = "completed", expired = true } },
  { name = "media_403", what = "HTTP 403", media = { refuse = 403 } },
  { name = "media_404", what = "HTTP 404", media = { refuse = 404 } },
  { name = "media_410", what = "HTTP 410", media = { refuse = 410 } },
  { name = "media_500", what = "HTTP 500", media = { refuse = 500 } },
  { name = "media_503", what = "HTTP 503", media = { refuse = 503 } },
  { name = "media_html", what = "an HTML page at HTTP 200",
    media = { type = "text/html", body = "<html>Sign in first</html>\n" } },
  { name = "media_json", what = "a JSON error at HTTP 200",
    media = { type = "application/json",
      body = '{"code":"AccessDenied","message":"no"}' } },
  { name = "media_not_mp4", what = "called video/mp4, but is not an MP4 file",
    media = { type = "video/mp4", body = ("not a video "):rep(1000) } },
  { name = "media_empty", what = "HTTP 200 with no bytes",
    media = { type = "video/mp4", body = "" } },
  { name = "media_truncated", what = "cut half-way, can be resumed",
    default = 1, media = { abort = "cut" } },
  { name = "media_half", what = "the host itself has no more than half of the file",
    default = 1, media = { half = true } },
  { name = "media_text", what = "the file is called text/plain",
    media = { type = "text/plain" } },
  { name = "media_stall", what = "half of the file, then nothing",
    default = 1, media = { abort = "stall" } },
  { name = "media_reset", what = "reset without an answer",
    default = 1, media = { abort = "reset" } },
  { name = "media_changed", what = "cut half-way, then another file",
    default = 1, media = { abort = "cut", other_file = true } },
  { name = "media_slow", what = "the file takes N seconds",
    counts = "seconds", default = 5, media = { pace = true } },
  { name = "media_jitter", what = "begins up to N seconds late",
    counts = "seconds", default = 0.05, media = { delay = "some" } },
  { name = "media_no_range", what = "Range is ignored, always the whole file",
    media = { no_range = true } },
  { name = "media_no_length", what = "no Content-Length",
    media = { unsized = true } },
  { name = "media_redirect", what = "HTTP 302 to the same link",
    default = 1, media = { redirect = true } },
}

local HTML = "<!DOCTYPE html>\n<html><head><title>%s</title></head>"
  .. "<body><h1>%s</h1></body></html>\n"

local function html(title)
  return HTML:format(title, title)
end

local function coded(code, message)
  return { error = { code = code, message = message } }
end

-- Deeper than any decoder should follow.
local function nested()
  return ('{"data":'):rep(10000) .. "null" .. ("}"):rep(10000)
end

local function elsewhere(provider)
  return { location = provider.media_url .. "/elsewhere" }
end

local function in_two_seconds(provider)
  return { ["retry-after"] = responses.date(provider.clock() + 2) }
end

local HTML_TYPE = "text/html; charset=utf-8"
local PAGE = { ["content-type"] = HTML_TYPE }

-- What a create and a query can have alike: each row becomes two scenarios,
-- `create_NAME` and `query_NAME`.
local FAULTS = {
  { name = "no_handler", what = "the answer to a wrong path, at HTTP 200",
    body = { code = 500, data = null,
      msg = "No handler found for POST /kyyReactApiServer/kyyReactApiServer"
        .. "/v1/videos/videos" } },
  { name = "auth", what = "bad key at HTTP 200, code is the string 204",
    body = { code = "204", msg = "登录验证失败" } },
  { name = "auth_number", what = "bad key at HTTP 200, code is the number 204",
    body = { code = 204, msg = "登录验证失败" } },
  { name = "error_code", what = "an error at HTTP 200, code a number",
    body = { code = 1001, data = null, msg = "系统繁忙" } },
  { name = "400", what = "HTTP 400, error as an object", status = 400,
    body = coded("InvalidParameter", "the request is invalid") },
  { name = "401", what = "HTTP 401, error as an object", status = 401,
    body = coded("AuthenticationError", "the key is not known") },
  { name = "402", what = "HTTP 402, no balance left", status = 402,
    body = coded("InsufficientBalance", "the balance is used up") },
  { name = "403", what = "HTTP 403, error as an object", status = 403,
    body = coded("AccessDenied", "this key may not do that") },
  { name = "404", what = "HTTP 404", status = 404,
    body = { code = 404, data = null, msg = "not found" } },
  { name = "429", what = "HTTP 429, Retry-After of one second", status = 429,
    headers = { ["retry-after"] = "1" },
    body = coded("TooManyRequests", "slow down") },
  { name = "429_date", what = "HTTP 429, Retry-After as a date in 2 seconds",
    status = 429, headers = in_two_seconds,
    body = coded("TooManyRequests", "slow down") },
  { name = "429_long", what = "HTTP 429, Retry-After of an hour",
    status = 429, headers = { ["retry-after"] = "3600" },
    body = coded("TooManyRequests", "slow down") },
  { name = "429_bare", what = "HTTP 429 without Retry-After", status = 429,
    body = coded("TooManyRequests", "slow down") },
  { name = "500", what = "HTTP 500 with JSON", status = 500,
    body = { code = 500, data = null, msg = "internal error" } },
  { name = "502", what = "HTTP 502 of a gateway, the request itself succeeded",
    made = true, status = 502, headers = PAGE, body = html "502 Bad Gateway" },
  { name = "503", what = "HTTP 503 with Retry-After of one second",
    status = 503,
    headers = { ["content-type"] = HTML_TYPE, ["retry-after"] = "1" },
    body = html "503 Service Unavailable" },
  { name = "504", what = "HTTP 504 of a gateway, the request itself succeeded",
    made = true, status = 504, headers = PAGE,
    body = html "504 Gateway Time-out" },
  { name = "html", what = "an HTML page at HTTP 200", made = true,
    headers = PAGE, body = html "Welcome" },
  { name = "not_json", what = "HTTP 200, called JSON, but plain text",
    made = true, body = "OK, thank you" },
  { name = "empty", what = "HTTP 200 with an empty body", made = true,
    body = "" },
  { name = "redirect", what = "HTTP 302 to another host", status = 302,
    headers = elsewhere, body = "" },
  { name = "slow", what = "the regular answer, N seconds late", made = true,
    counts = "seconds", default = 3, delay = "all" },
  { name = "jitter", what = "the regular answer, up to N seconds late",
    made = true, counts = "seconds", default = 0.05, delay = "some" },
  { name = "hang", what = "no answer, the connection stays open",
    made = true, abort = "hang" },
  { name = "reset", what = "connection reset after the request was read",
    made = true, abort = "reset" },
  { name = "truncated", what = "half of the body, then the connection closes",
    made = true, abort = "cut" },
  { name = "huge", what = "a body of 50 MB", made = true,
    body = ("0123456789abcdef"):rep(4096), repeats = 800 },
  { name = "nested", what = "JSON nested 10,000 deep", made = true,
    body = nested },
}

-- In the order in which they are listed.
local rows = {}
for _, group in ipairs{ LIVES, CREATES, RESULTS, MEDIA } do
  for _, row in ipairs(group) do
    rows[#rows + 1] = row
  end
end
for _, fault in ipairs(FAULTS) do
  for _, place in ipairs{ "create", "query" } do
    rows[#rows + 1] = { name = place .. "_" .. fault.name, what = fault.what,
      counts = fault.counts, default = fault.default, [place] = fault }
  end
end

return rows
