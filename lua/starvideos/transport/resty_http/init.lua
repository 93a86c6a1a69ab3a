--- A transport for nginx without libcurl: requests go out by lua-resty-http
-- over nginx's own cosockets and its own OpenSSL.
--
-- It keeps the promises of the engine (csrc/engine.h) as far as cosockets can.
-- What is nginx's to say: `resolver` (who looks up names),
-- `lua_ssl_trusted_certificate` and `lua_ssl_verify_depth` (whom to trust; the
-- client's ca_file is not looked at), `lua_ssl_protocols`. What differs:
--
-- - HTTP/1.1 alone.
-- - An answer that comes before a large order is read is not seen.
-- - A file whose length the server does not tell is refused over TLS, for
--   there a cut looks like an end.
-- - Writes to the disk are the worker's own, a few kilobytes at a time, and
--   nothing is synced. Two processes keep off each other's files where they
--   share a dictionary (`shared`).
-- - max_in_flight is not looked at.
-- @module starvideos.transport.resty_http

local answers = require "starvideos.transport.resty_http.answer"
local core = require "starvideos.core"
local lines = require "starvideos.transport.resty_http.line"
local message = require "starvideos.transport.resty_http.message"
local sinks = require "starvideos.transport.resty_http.sink"
local targets = require "starvideos.transport.resty_http.target"
local watch = require "starvideos.transport.resty_http.watch"

local _M = {}

local MAX_BODY = 4 * 1024 * 1024
local LONGEST_MS = 2147483000

-- Idle connections of one worker to one origin, and how long they stay.
local POOL_SIZE, IDLE_MS = 64, 30000

local PROGRESS_SECONDS = 0.1
local STALL_SECONDS, CONNECT_SECONDS = 30, 10
-- Bytes after which others get their turn: what comes fast enough is read
-- without ever waiting. A sleep of 0 seconds makes nginx complain.
local TURN_BYTES, TURN_SECONDS = 256 * 1024, 0.001

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true,
  [308] = true }

local MISSING = "the transport resty_http needs lua-resty-http, which is"
  .. " not found: opm get ledgetech/lua-resty-http, or luarocks install"
  .. " lua-resty-http, and put it on lua_package_path"

-- What cosockets say where no connection came about; else it is TLS.
local no_connection = {
  { "resolve", "resolve", "the name was not found (%s); nginx's directive"
    .. " resolver names the server to ask" },
  { "^timeout", "timeout", "no connection came about in time" },
  { "refused", "connect", "no connection came about (%s)" },
  { "unreach", "connect", "no connection came about (%s)" },
  { "no route", "connect", "no connection came about (%s)" },
  { "reset", "connect", "no connection came about (%s)" },
}
-- What lua-resty-core raises, in some versions, where a handshake ends at once
-- and the certificate is not trusted.
local HANDSHAKE_FAILED = "the certificate is not trusted"
local NO_TLS = "no secure connection (%s); nginx's directives"
  .. " lua_ssl_trusted_certificate and lua_ssl_verify_depth say whom to trust"

local TOO_LATE = "the program or the machine stood still until it was too late"
  .. " to send the request"

local Exchange = {}
Exchange.__index = Exchange

--- What a failure tells of how far the exchange came.
function Exchange:fail(failure)
  failure.phase, failure.sent = self.phase, self.sent
  failure.bytes_sent, failure.received = self.bytes_sent, self.received
  failure.status = self.seen and self.seen.status
  return nil, failure
end

--- Close the connection.
function Exchange:close()
  if self.http then
    self.http:close()
  end
end

--- Let go of the file.
function Exchange:clean()
  if self.sink then
    self.sink:close()
  end
end

-- Seconds that the next step may take.
local function left(self)
  return self.end_by and math.max(0, self.end_by - self.now()) or math.huge
end

local function limit(self, seconds)
  local ms = math.max(1, math.min(LONGEST_MS, math.ceil(seconds * 1000)))
  self.http:set_timeouts(ms, ms, ms)
end

-- Why a connection failed, in words of our own.
local function explain(target, err)
  err = tostring(err):gsub("[%c\127]", "?")
  for _, known in ipairs(no_connection) do
    if err:find(known[1]) then
      return { reason = known[2], message = known[3]:format(err) }
    end
  end
  return { reason = target.secure and "tls" or "connect",
    message = (target.secure and NO_TLS or "no connection came about (%s)")
      :format(err) }
end

-- An order never sees a used connection: it would be lost with one that the
-- server has just closed. Nothing is ever put into its pool.
local function pool_of(self, target)
  return table.concat({ "starvideos", self.fresh and "once" or "kept",
    target.scheme, target.host, target.port, target.name }, ":")
end

-- In these steps the thread may be ended from outside: it waits in a function
-- of nginx's, and in no coroutine of lua-resty-http's.
local function outright(self, step, ...)
  self.endable = true
  local first, second, third = step(...)
  self.endable = false
  return first, second, third
end

local function connect(self, target)
  local seconds = math.min(left(self), self.connect_seconds)
  self.phase, self.http = "connect", self.library.new()
  self.seen = lines.bound(self.http.sock)
  self.connect_by = self.now() + seconds
  limit(self, seconds)
  if self.sink then
    self.sink:hold()
  end
  local begun, ok, err = outright(self, pcall, self.http.connect, self.http, {
    scheme = target.scheme, host = target.host, port = target.port,
    pool = pool_of(self, target), pool_size = POOL_SIZE,
    ssl_verify = true, ssl_server_name = target.name,
  })
  self.connect_by = nil
  if not begun then
    ok, err = nil, HANDSHAKE_FAILED
  end
  if not ok then
    return self:fail(explain(target, err))
  end
  self.reused = (self.http:get_reused_times() or 0) > 0
  return true
end

-- Sends, and reads the head of the answer.
local function ask(self, target)
  local req = self.req
  if req.send_by and core.boottime() >= req.send_by then
    return self:fail { reason = "late", message = TOO_LATE }
  end
  self.phase = req.method == "POST" and "request" or "answer"
  self.sent = true
  limit(self, math.min(left(self), self.stall_seconds))
  local res, err = outright(self, self.http.request, self.http,
    message.parameters(req, target.path, function(bytes, whole)
      self.bytes_sent = self.head_bytes + bytes
      self.phase = whole and "answer" or "request"
    end))
  if not res then
    return self:fail(select(2, answers.no_head(err)))
  end
  self.bytes_sent = self.head_bytes + #(req.body or "")
  self.seen.status = res.status
  local answer, failure = answers.head(res)
  if not answer then
    return self:fail(failure)
  end
  self.answer, self.phase = answer, "body"
  return answer
end

-- A connection that the server closed while it was idle has answered nothing;
-- another one may. An order is never on a used one.
local function exchange(self, target)
  repeat
    local ok, failure = connect(self, target)
    if not ok then
      return nil, failure
    end
    local answer
    answer, failure = ask(self, target)
    if answer or not self.reused or failure.reason ~= "reset" then
      return answer, failure
    end
    self.http:close()
    self.fresh = true
  until false
end

local function report(self, at_once)
  local req, now = self.req, self.now()
  if req.on_progress and (at_once or now >= self.report_at) then
    self.report_at = now + PROGRESS_SECONDS
    req.on_progress(self.received, self.answer.length, self.bytes_sent)
  end
end

-- Before each read: false where nobody wants the rest.
local function go_on(self)
  if self.received - self.turn_at >= TURN_BYTES then
    self.turn_at = self.received
    ngx.sleep(TURN_SECONDS)
  end
  limit(self, math.min(left(self), self.stall_seconds))
  return not self.over
end

local function taker_of(self, answer)
  local sink, ok, failure = self.sink, answers.check_encoding(answer)
  if not ok then
    return nil, failure
  end
  if not sink or not answers.is_file(answer) then
    return answers.collector(answer, self.req.max_body or MAX_BODY)
  elseif answer.open_end and self.target.secure then
    return nil, { reason = "protocol", message = "the server does not tell how"
      .. " long the file is" }
  end
  ok, failure = sink:begin(answer.status, answer.headers)
  if not ok then
    return nil, failure
  end
  return function(piece)
    return sink:write(piece)
  end
end

-- Waiting for longer than the caller bears a silence is a stall.
local function stalled(self, failure)
  if failure.reason == "timeout" and left(self) > 0
    and self.req.stall_seconds then
    failure.reason = "stalled"
  end
  return failure
end

local function receive(self, answer)
  local take, pieces = taker_of(self, answer)
  if not take then
    return self:fail(pieces)
  end
  local whole, failure = answers.read(answer, function()
    return go_on(self)
  end, function(piece)
    if self.over then
      return nil
    end
    self.received = self.received + #piece
    local ok, why = take(piece)
    report(self)
    return ok, why
  end)
  if not whole then
    return self:fail(stalled(self, failure or { reason = "cancelled" }))
  end
  return pieces and table.concat(pieces) or true
end

local function leave(self, answer)
  if self.fresh or answer.open_end or answer.headers.trailer then
    self.http:close()
  else
    self.http:set_keepalive(IDLE_MS, POOL_SIZE)
  end
end

local function response_of(self, answer, body)
  local sink = self.sink
  local to_file = body == true
  return {
    status = answer.status, headers = answer.headers,
    body = not to_file and body or nil,
    file_offset = to_file and sink.offset or nil,
    file_bytes = to_file and sink.written or nil,
    bytes_sent = self.bytes_sent, http_version = "1.1",
    reused = self.reused, elapsed = self.now() - self.began,
  }
end

-- Follows redirects up to the answer that is meant.
local function final(self)
  for _ = 0, self.req.redirects or 0 do
    local answer, failure = exchange(self, self.target)
    local location = answer and REDIRECTS[answer.status]
      and answer.headers.location
    if not location or (self.req.redirects or 0) == 0 then
      return answer, failure
    end
    self.http:close()
    local target
    target, failure = targets.follow(self.target, location,
      self.req.insecure_http)
    if not target then
      return self:fail(failure)
    end
    self.target = target
  end
  return self:fail { reason = "protocol",
    message = "the server redirects without end" }
end

local function run(self)
  local answer, failure = final(self)
  if not answer then
    return nil, failure
  end
  if self.req.on_answer then
    self.req.on_answer(answer.status, answer.headers)
  end
  if self.over then
    return nil
  end
  local body
  body, failure = receive(self, answer)
  if not body then
    return nil, failure
  end
  report(self, true)
  leave(self, answer)
  if self.sink then
    local ok, problem = self.sink:close()
    if not ok then
      return self:fail(problem)
    end
  end
  return response_of(self, answer, body)
end

local function library()
  local found, http = pcall(require, "resty.http")
  if found then
    return http
  end
  local missing = tostring(http):find("module 'resty.http' not found", 1, true)
  return nil, { reason = "invalid", message = missing and MISSING
    or "lua-resty-http cannot be loaded: " .. tostring(http):match "^[^\n]*" }
end

local function new_exchange(options, req)
  local now = options.now()
  return setmetatable({
    req = req, now = options.now, began = now, phase = "queue", sent = false,
    bytes_sent = 0, received = 0, report_at = 0, turn_at = 0,
    fresh = req.fresh, head_bytes = message.head_bytes(req),
    end_by = req.timeout and now + req.timeout or nil,
    connect_seconds = req.connect_timeout or CONNECT_SECONDS,
    stall_seconds = req.stall_seconds or math.huge,
  }, Exchange)
end

-- Everything that can be said before anything is sent.
local function prepare(self, options)
  local req, problem = self.req, message.problem(self.req)
  if problem then
    return self:fail { reason = "invalid", message = problem }
  end
  local failure
  self.library, failure = library()
  if self.library then
    self.target, failure = targets.read(req.url, req.insecure_http)
  end
  if self.target and req.sink then
    self.sink, failure = sinks.open(req.sink, {
      clock = self.now, shared = options.shared,
      seconds = self.connect_seconds + (req.stall_seconds or STALL_SECONDS),
    })
  end
  if failure then
    return self:fail(failure)
  end
  return true
end

--- Make the transport.
-- @tparam[opt] table options `clock` (function), `shared` (a dictionary with
--   `add` and `set`, in which processes see each other's downloads)
-- @treturn function `(req) -> response | nil, failure`, with the fields that
--   the engine takes and gives; it waits in the caller's light thread
function _M.new(options)
  options = {
    shared = options and options.shared,
    now = options and options.clock or core.now,
  }
  return function(req)
    local self = new_exchange(options, req)
    local ready, failure = prepare(self, options)
    if not ready then
      return nil, failure
    end
    return watch.run(self, run)
  end
end

return _M
