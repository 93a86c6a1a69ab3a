--- Faults that a create and a query can have alike.
-- Each row becomes two scenarios, `create_NAME` and `query_NAME`. Fields:
--
--   * `name`, `what`;
--   * `made`: on a create, the order was accepted and billed although its
--     answer is lost;
--   * `status`, `headers`, `body`: the answer. The body may be a string, a
--     table (sent as JSON) or a function of the provider; without one the
--     regular answer is sent;
--   * `delay`: "all" = the answer waits for the scenario's N seconds, "some" =
--     for a random part of them;
--   * `abort`: "reset" = closed without an answer, "hang" = left without
--     one, "cut" = closed after half of the body;
--   * `repeats`: how many times the body is sent.
-- @module starvideos.sandbox.scenario.faults

local date = require "starvideos.sandbox.date"
local json = require "starvideos.base.json"

local null = json.null

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
  return { ["retry-after"] = date.http(provider.clock() + 2) }
end

local HTML_TYPE = "text/html; charset=utf-8"
local PAGE = { ["content-type"] = HTML_TYPE }

return {
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
