--- The table of faults: what a server, or what stands before it, does to a
-- request, and the outcome that each operation must have.
--
-- A fault has a `name`; `steps(http, right)`, what the server does on a
-- connection, in the language of http1.lua or http2.lua, where the right answer
-- would be `right`; or `handshake(offer)`, what it does instead of a handshake
-- of TLS. `create`, `query`, `wait` and `download` are the outcomes (see
-- outcomes.lua); an operation without one does not meet the fault. `http` is
-- the only version it can be had in, `tls` and `plain` say that it can be had
-- only with or without; `slow` that the client's time limit must end it;
-- `address` names where nothing answers; `order` is what is ordered. What has
-- `first` happens only to the first request of a connection, what has `heals`
-- never to it. After an answer that `refuses` an order is sent again.

local answers = require "spec.faults.answers"
local outcomes = require "spec.faults.outcomes"

local unsent, race = outcomes.unsent, outcomes.race
local unknown, unclear = outcomes.unknown, outcomes.unclear
local refused = outcomes.refused

local faults = {}

local function add(name, outcome, more)
  local fault = outcomes.merged(outcome, more)
  fault.name = name
  faults[#faults + 1] = fault
end

-- Reads the request, whatever the version of HTTP, then does so.
local function after_request(...)
  local ending = { ... }
  return function(http)
    return { http:request(), ending }
  end
end

-- Answers with a text of HTTP/1.1, then does so.
local function saying(text, ...)
  return after_request({ "send", 0, text }, { ... })
end

local function answering(answer)
  return function(http)
    return { http:request(), http:answer(answer), { "fin" } }
  end
end

-- Before there is a connection ----------------------------------------------

-- What cannot heal ends a wait at its deadline.
add("nothing listens", unsent, { address = "closed", wait = "timeout" })
-- How long the system looks for a name is its own affair.
add("the name is not found", unsent, { address = "nameless", tls = true,
  slow = true, wait = "timeout", download = "timeout" })
add("the connection is reset on arrival", race, { plain = true,
  handshake = function() return { "rst" } end })

-- Instead of a handshake ----------------------------------------------------

local ALERT_HANDSHAKE_FAILURE = "\21\3\3\0\2\2\40"
local HALF_SERVER_HELLO = "\22\3\3\0\80\2\0\0\76\3\3"

local function instead(name, ...)
  local ending = { { "wait" }, { ... } }
  add(name, unsent, { tls = true, handshake = function() return ending end })
end

instead("the handshake is reset", { "rst" })
instead("the handshake ends in an alert",
  { "raw", 0, ALERT_HANDSHAKE_FAILURE }, { "fin" })
instead("the handshake is cut", { "raw", 0, HALF_SERVER_HELLO }, { "fin" })
instead("the handshake is answered without TLS", { "raw", 0,
  "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" }, { "fin" })
add("the handshake hangs", unsent, { tls = true, slow = true,
  download = "timeout", handshake = function()
    return { { "wait" }, { "hang" } }
  end })

local function certificate(name, file)
  add(name, unsent, { tls = true, handshake = function(offer)
    return { "tls", offer, file }
  end })
end

certificate("the certificate is of another name", "other")
certificate("nobody trusts the certificate", "stranger/server")
certificate("the certificate has expired", "expired")

-- With TLS 1.3 a client learns of it after its request.
add("TLS wants a certificate of the client", race, { tls = true,
  handshake = function(offer)
    return { "tls", offer + 2, "known/server" }
  end })

-- The request ---------------------------------------------------------------

add("the request is reset unread", unknown "answer", { http = 1,
  steps = function() return { { "peek" }, { "rst" } } end })
add("the head of the request is cut by a reset", unknown "answer", { http = 1,
  steps = function() return { { "bytes", 30 }, { "rst" } } end })
add("the body of the request is cut by a reset",
  outcomes.of_order(unknown "answer"), { http = 1,
  steps = function() return { { "head" }, { "body", 10 }, { "rst" } } end })

-- Larger than what the system takes off a sender's hands.
local LARGE = { model = "starvideos_o3", prompt = ("large "):rep(1200000) }
local EARLY = "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

local function large(name, outcome, slow, ...)
  local ending = { ... }
  add(name, outcomes.of_order(outcome), { http = 1, order = LARGE, slow = slow,
    steps = function() return { { "head" }, ending } end })
end

large("a large order is reset half-way", unknown "request", false,
  { "body", 100000 }, { "rst" })
large("a large order is refused before it was read",
  refused(413, "invalid_request"), false,
  { "send", 0, EARLY:format "413 Too Large" }, { "fin" })
large("a gateway fails before it has read a large order", unclear(502), false,
  { "send", 0, EARLY:format "502 Bad Gateway" }, { "fin" })
-- Read in the end, or the client's goodbye would never come through.
large("a large order is not read on", unknown "request", true,
  { "pause", 2000 }, { "body" })

-- Silence -------------------------------------------------------------------

add("the connection is reset after the request", unknown "answer",
  { steps = after_request { "rst" } })
add("the connection is closed after the request", unknown "answer",
  { steps = after_request { "fin" } })
add("TLS is cut after the request", unknown "answer",
  { tls = true, steps = after_request { "cut" } })
add("TLS breaks after the request", unknown "answer", { tls = true,
  steps = after_request({ "raw", 0, ALERT_HANDSHAKE_FAILURE }, { "fin" }) })
add("the server hangs up, then reads the request", unknown "answer",
  { http = 1, plain = true, first = true, steps = function(http)
    return { { "shut" }, http:request() }
  end })
add("no answer ever comes", unknown("answer", "timeout"),
  { slow = true, steps = after_request { "hang" } })

-- What served once is dropped with the next request read: what may be repeated
-- is, over another connection, and an order never came that way.
local dropped = { create = { posts = 1, tries = 1 }, query = "done",
  wait = "done", download = "done" }
add("a connection is closed when it is used again", dropped,
  { http = 1, heals = true, steps = after_request { "fin" } })
add("a connection is reset when it is used again", dropped,
  { http = 1, heals = true, steps = after_request { "rst" } })
add("a connection of HTTP/2 is closed when it is used again",
  { query = "network", wait = "done", download = "done" },
  { http = 2, heals = true, steps = after_request { "fin" } })

-- The head of the answer ----------------------------------------------------

-- The status is known, and no more.
local function half_head(query)
  return unknown("answer", query, nil, 200)
end

add("half a status line, closed", unknown "answer",
  { http = 1, steps = saying("HTTP/1.1 2", { "fin" }) })
add("half a status line, reset", unknown "answer",
  { http = 1, steps = saying("HTTP/1.1 200 O", { "pause", 50 }, { "rst" }) })
add("half a status line, silence", unknown("answer", "timeout"),
  { http = 1, slow = true, steps = saying("HTTP/1.1 200 O", { "hang" }) })
add("half a head, closed", half_head(), { http = 1,
  steps = saying("HTTP/1.1 200 OK\r\nContent-Type: appl", { "fin" }) })
add("half a head, silence", half_head "timeout", { http = 1,
  slow = true, steps = saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
    { "hang" }) })
add("a head that drips", unknown("answer", "timeout"), { http = 1, slow = true,
  steps = after_request { "drip", 100, "HTTP/1.1 200 OK\r\n"
    .. "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" } })
add("a head without end", half_head "protocol", { http = 1,
  steps = saying("HTTP/1.1 200 OK\r\n",
    { "flood", 0, ("X-Filler: %s\r\n"):format(("a"):rep(1000)) }) })
add("a line without end", half_head "protocol", { http = 1,
  steps = saying("HTTP/1.1 200 OK\r\nX-Filler: ",
    { "flood", 0, ("a"):rep(4096) }) })
add("the greeting of another protocol", unknown("answer", "protocol"),
  { http = 1, steps = saying("SSH-2.0-OpenSSH_9.2p1\r\n", { "fin" }) })
add("100 Continue and no more", unknown "answer", { http = 1,
  steps = saying("HTTP/1.1 100 Continue\r\n\r\n", { "fin" }) })
add("100 Continue, silence", unknown("answer", "timeout"), { http = 1,
  slow = true, steps = saying("HTTP/1.1 100 Continue\r\n\r\n", { "hang" }) })
add("100 Continue without end", unknown("answer", "protocol"), { http = 1,
  steps = after_request { "flood", 0,
    ("HTTP/1.1 100 Continue\r\n\r\n"):rep(100) } })
add("a length that is no number", half_head "protocol", { http = 1,
  steps = saying("HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n{}",
    { "fin" }) })

-- The body of the answer ----------------------------------------------------

local function lost_body(query, download)
  return unknown("body", query, download, 200)
end

-- The right answer under a length that is wrong by so many bytes.
local function mismeasured(difference, ...)
  local ending = { ... }
  return function(http, right)
    return { http:request(), http:answer(right,
      { length = #right.body + difference }), ending }
  end
end

-- The right answer in pieces: the head as it is, then what else.
local function begun(encoding, ...)
  local ending = { ... }
  return function(http, right)
    return { http:request(), { "send", 0, ("HTTP/1.1 200 OK\r\n"
      .. "Content-Type: %s\r\n%s\r\n\r\n"):format(right.type
      or "application/json", encoding) }, ending }
  end
end

local CHUNKED = "Transfer-Encoding: chunked"

-- The object came whole: what became of the task is known.
add("a length too long, closed", outcomes.read "network",
  { http = 1, steps = mismeasured(2, { "fin" }) })
add("a length too long, reset", outcomes.read "network",
  { http = 1, steps = mismeasured(9, { "pause", 50 }, { "rst" }) })
add("a length too long, silence", outcomes.read "timeout",
  { http = 1, slow = true, steps = mismeasured(9, { "hang" }) })
-- To a download it is the length.
add("a length too short", outcomes.named("body", "protocol", nil, 200),
  { http = 1, download = false,
  steps = mismeasured(-9, { "fin" }) })
-- The right answer, or its first bytes, in one chunk, then what else.
local function in_chunk(bytes, ...)
  local ending = { ... }
  return function(http, right)
    local body = right.body:sub(1, bytes)
    return begun(CHUNKED, { "send", 0, ("%x\r\n%s\r\n"):format(#body, body) },
      ending)(http, right)
  end
end

add("a chunked answer without its end, closed", outcomes.read(),
  { http = 1, steps = in_chunk(nil, { "fin" }) })
add("a chunked answer without its end, reset", outcomes.read(),
  { http = 1, steps = in_chunk(nil, { "pause", 50 }, { "rst" }) })
add("a chunked answer without its end, silence", outcomes.read(),
  { http = 1, slow = true, steps = in_chunk(nil, { "hang" }) })
add("a chunked answer, then nonsense", outcomes.read(),
  { http = 1, steps = in_chunk(nil, { "send", 0, "nonsense\r\n" }, { "fin" }) })
add("trailers without end", outcomes.read(), { http = 1,
  steps = in_chunk(nil, { "send", 0, "0\r\n" },
    { "flood", 0, ("X-Filler: %s\r\n"):format(("a"):rep(1000)) }) })
add("an answer that TLS does not end", outcomes.read(), { http = 1, tls = true,
  steps = function(http, right)
    return begun("Connection: close", { "send", 0, right.body }, { "cut" })(http,
      right)
  end })
-- Of an answer that is cut the id alone counts.
local ID_CAME = #('{"id":"%s",'):format(answers.id)
add("a chunked answer that is cut behind the id",
  outcomes.named("body", "network", nil, 200), { http = 1, download = false,
  steps = in_chunk(ID_CAME, { "fin" }) })
add("a chunked answer that is cut within the id", lost_body(), { http = 1,
  download = false, steps = in_chunk(ID_CAME - 3, { "fin" }) })
add("a chunked body that is cut", lost_body(), { http = 1,
  steps = begun(CHUNKED, { "send", 0, "ff\r\nhalf a chunk" }, { "fin" }) })
add("a chunk without a length", lost_body(), { http = 1,
  steps = begun(CHUNKED, { "send", 0, "not hexadecimal\r\n" }, { "fin" }) })
add("a body that drips", lost_body "timeout", { http = 1, slow = true,
  steps = begun("Content-Length: 1000", { "drip", 40, ("1"):rep(1000) }) })
add("a body without end", lost_body "protocol", { http = 1, download = false,
  steps = begun("Connection: close", { "flood", 0, ("1"):rep(16384) }) })
add("a file without end", { download = "timeout" }, { http = 1, slow = true,
  steps = begun("Connection: close", { "flood", 5, ("1"):rep(16384) }) })

-- A video ------------------------------------------------------------------

local CUT = answers.video:sub(1, -1000)

local function unannounced(ending)
  return begun("Connection: close", { "send", 0, CUT }, { ending })
end

local function film(more)
  return { steps = answering(outcomes.merged({ status = 200, body = answers.video,
    type = "video/mp4" }, more)) }
end

add("a video of no known length that is cut", { download = "network" },
  { http = 1, steps = unannounced "fin" })
add("a video of no known length whose TLS is cut", { download = "network" },
  { http = 1, tls = true, steps = unannounced "cut" })
add("a video that is cut at the host", { download = "network" },
  film { body = CUT })
add("a video that ends within its description", { download = "network" },
  film { body = CUT:sub(1, 50) })
add("a video that is called a text", { download = "done" },
  film { type = "text/plain" })
add("a video that is called JSON", { download = "done" },
  film { type = "application/json" })
add("a video at 203", { download = "done" }, film { status = 203 })
add("a whole video at 206", { download = "done" }, film { status = 206 })
add("a page that is called a video", { download = "protocol" },
  film { body = "<html>Sign in</html>" })
add("a packed video", { download = "protocol" }, film {
  headers = { { "Content-Encoding", "gzip" } }, body = "\31\139\8\0\0\0\0\0" })

local function bomb(encoding)
  return function(http, right)
    return begun(encoding, { "send", 0, answers.bomb() }, { "fin" })(http,
      right)
  end
end

add("a bomb as gzip", lost_body "protocol", { http = 1, download = false,
  steps = bomb "Content-Encoding: gzip" })
-- Newer libcurls refuse such an encoding as soon as they read of it.
add("a bomb as gzip on the way",
  unknown("answer|body", "protocol", "protocol", 200), { http = 1,
  download = false, steps = bomb "Transfer-Encoding: gzip" })

-- Whole answers -------------------------------------------------------------

add("a page at 200", unclear(200, "protocol"),
  { steps = answering(answers.page(200)) })
add("nothing at 200", unclear(200, "protocol"),
  { steps = answering(answers.json "") })
add("an empty file", { download = "network" }, { steps = answering {
  status = 200, type = "video/mp4", body = "" } })
add("204 No Content", unclear(204, "protocol"), { http = 1,
  steps = saying("HTTP/1.1 204 No Content\r\n\r\n", { "fin" }) })
add("half of the JSON", outcomes.named("body", "protocol", nil, 200),
  { download = false,
  steps = function(http, right)
    return answering(answers.json(right.body:sub(1, -30)))(http)
  end })

-- The right answer, malformed.
local function malformed(name, change)
  add(name, outcomes.read(), { steps = function(http, right)
    return answering(answers.json(change(right.body)))(http)
  end })
end

-- With a text of the provider's in it.
local function saying_so(text)
  return function(body)
    return (body:gsub("}$", function() return ',"note":' .. text .. "}" end))
  end
end

malformed("half of an emoji", saying_so [["a kite \ud83d"]])
malformed("the other half of an emoji", saying_so [["\ude00 a kite"]])
malformed("two first halves of emojis", saying_so [["\ud83d\ud83d\ude00"]])
malformed("NaN", saying_so "NaN")
malformed("an infinity", saying_so "[Infinity,-Infinity,-nan(ind),inf]")
malformed("a line break within a text", saying_so '"a\nkite"')
malformed("a NUL within a text", saying_so '"a\0kite"')
malformed("an unknown escape", saying_so [["a \kite"]])
malformed("bytes that are no UTF-8, and NaN", saying_so '["\255\254",NaN]')
malformed("GBK whose second byte is a backslash", saying_so '"\149\\"')
malformed("more levels than anybody reads", saying_so(("["):rep(500)
  .. ("]"):rep(500)))
malformed("a byte order mark", function(body) return "\239\187\191" .. body end)
malformed("UTF-16", function(body)
  return "\255\254" .. body:gsub(".", "%0\0")
end)
malformed("junk behind the object", function(body)
  return body .. "<!-- served in 3 ms -->"
end)
-- What an order quotes, such as an address with this id, counts for nothing here.
add("junk before the object", outcomes.named("body", "protocol", nil, 200),
  { download = false, order = { model = "videos", prompt = "a kite",
    duration = 4 }, steps = function(http, right)
    return answering(answers.json("<br />\n" .. right.body))(http)
  end })
malformed("the object twice", function(body) return body .. body end)

add("a list for an object", unclear(200, "protocol"),
  { steps = answering(answers.json "[1,2,3]") })
add("an object that says nothing", unclear(200, "protocol"),
  { steps = answering(answers.json "{}") })
add("JSON too deep for anybody", unclear(200, "protocol"),
  { steps = answering(answers.json(("["):rep(10000))) })
add("an error within a 200", unclear(200, "server", "protocol"),
  { steps = answering(answers.refusal(200, 500, "crashed")) })
for _, status in ipairs { 500, 502, 503, 504 } do
  add(("a page at %d"):format(status), unclear(status, "server"),
    { steps = answering(answers.page(status)) })
end
add("503 with a time to come back", unclear(503, "server"),
  { steps = answering(answers.page(503, { { "Retry-After", "7" } })) })
add("a page at 408", unclear(408, "timeout"),
  { steps = answering(answers.page(408)) })
add("a page at 425", unclear(425, "server"),
  { steps = answering(answers.page(425)) })
-- By HTTP it was processed (303), or is no answer to a POST.
for _, status in ipairs { 303, 304 } do
  add(("See other, or nothing new, %d"):format(status),
    { create = unclear(status, "config").create, query = "config",
      wait = "done" },
    { steps = answering(status == 304 and { status = 304, body = "" }
      or answers.page(status, { { "Location", "/other" } })) })
end
-- An order collides with nothing but a copy of itself.
for _, status in ipairs { 409, 423, 499 } do
  add(("a page at %d"):format(status), unclear(status, "invalid_request"),
    { download = "protocol", steps = answering(answers.page(status)) })
end
add("a conflict in the provider's own words",
  refused(409, "invalid_request", "invalid_request", "done"),
  { steps = answering { status = 409, body =
    '{"id":null,"object":"error","status":"failed","error":"in conflict"}' } })
for _, status in ipairs { 201, 202, 203, 206, 207, 208, 226 } do
  add(("a task at %d"):format(status), outcomes.read(), {
    steps = function(http, right)
      return answering { status = status, body = right.body }(http)
    end })
end
for _, status in ipairs { 301, 302, 307, 308 } do
  add(("a redirect, %d"):format(status), refused(status, "config", "config",
    "done"),
    { steps = answering(answers.page(status, { { "Location", "/other" } })) })
end

-- A link may lead elsewhere, but not for ever, nor to where others listen.
local function leading(to)
  local answer = answers.page(302, { { "Location", to } })
  return function(http)
    local steps = {}
    for round = 1, 2 * 10, 2 do
      steps[round], steps[round + 1] = http:request(), http:answer(answer)
    end
    return steps
  end
end

add("a link that leads in a circle", { download = "protocol" },
  { tls = true, steps = leading "/other" })
add("a link that leads away from TLS", { download = "protocol" },
  { tls = true, steps = leading "http://192.0.2.1/other" })
add("a task that failed at once", refused(200, "task_failed", "done",
  "task_failed", "protocol"), { steps = answering(answers.failed()) })
add("a refusal at 400", refused(400, "invalid_request", "invalid_request", "done",
  "protocol"), { steps = answering(answers.refusal(400, 400, "no")) })
add("a refusal at 401", refused(401, "auth", "auth", "done", "protocol"),
  { steps = answering(answers.refusal(401, 401, "who?")) })
add("a page at 404", refused(404, "config", "not_found", "done"),
  { steps = answering(answers.page(404)) })
add("too many requests", {
  create = { kind = "rate_limited", sent = true, phase = "body", status = 429,
    posts = 3, tries = 3 },
  query = "rate_limited", wait = "done", download = "rate_limited" },
  { refuses = true, steps = answering(answers.refusal(429, 429, "slow down",
    { { "Retry-After", "2" } })) })

-- HTTP/2 --------------------------------------------------------------------

local function in_h2(name, query, ...)
  local frames = { ... }
  add(name, outcomes.of_reading(unknown("answer", query)), { http = 2,
    steps = function(http)
      local steps = { http:request() }
      for index, frame in ipairs(frames) do
        steps[index + 1] = type(frame) == "function" and frame(http) or frame
      end
      return steps
    end })
end

local function rst_stream(code)
  return function(http) return { "send", 0, http:rst_stream(code) } end
end

local NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0, 2, 7

in_h2("GOAWAY that looked at nothing", nil, function(http)
  return { "send", 0, http:goaway(NO_ERROR, 0) }
end, { "fin" })
in_h2("GOAWAY that looked at the request", nil, function(http)
  return { "send", 0, http:goaway(INTERNAL_ERROR, http.stream) }
end, { "fin" })
in_h2("RST_STREAM for an error", nil, rst_stream(INTERNAL_ERROR), { "fin" })
in_h2("RST_STREAM for a refusal", nil, rst_stream(REFUSED_STREAM), { "fin" })
in_h2("RST_STREAM within the body", nil, function(http)
  return http:answer(answers.json "{", { open = true, length = 100 })
end, rst_stream(INTERNAL_ERROR), { "fin" })
local function behind_the_data(name, ending)
  add(name, { query = "done", wait = "done" }, { http = 2,
    steps = function(http, right)
      return { http:request(), http:answer(right, { open = true,
        length = false }), { "pause", 50 }, ending(http), { "fin" } }
    end })
end

-- Older libcurls hand nothing over of a frame that ends such a stream.
add("a length too long in HTTP/2", outcomes.of_reading(lost_body "network|done"),
  { http = 2, steps = mismeasured(2, { "fin" }) })
behind_the_data("RST_STREAM behind the body", rst_stream(INTERNAL_ERROR))
behind_the_data("GOAWAY behind the body", function(http)
  return { "send", 0, http:goaway(INTERNAL_ERROR, http.stream) }
end)
behind_the_data("nothing behind the body", function() return {} end)
behind_the_data("trailers without end in HTTP/2", function(http)
  return { { "send", 0, http:open_head() },
    { "flood", 0, http:more_head():rep(10) } }
end)
in_h2("half a frame", nil, { "send", 0, "\0\0\80\1\4\0\0\0\1\136" }, { "fin" })
in_h2("bytes that are no frame", nil, { "send", 0, ("nonsense"):rep(4) },
  { "fin" })
in_h2("a head in frames without end", nil, function(http)
  return { { "send", 0, http:open_head() },
    { "flood", 0, http:more_head():rep(10) } }
end)
add("a live connection, a stream that stays silent",
  outcomes.of_reading(unknown("answer", "timeout")), { http = 2, slow = true,
  steps = function(http)
    return { http:request(), { "flood", 20, http:ping() } }
  end })

return faults
