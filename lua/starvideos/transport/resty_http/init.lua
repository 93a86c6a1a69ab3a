--- A transport for nginx without libcurl: requests go out by lua-resty-http
-- over nginx's own cosockets and its own OpenSSL.
--
-- It keeps the promises of the engine (csrc/curl/engine.h) as far as the
-- documented calls of lua-resty-http can. What is nginx's to say: `resolver`
-- (who looks up names), `lua_ssl_trusted_certificate` and
-- `lua_ssl_verify_depth` (whom to trust; the client's ca_file is not looked
-- at), `lua_ssl_protocols`. What differs:
--
-- - HTTP/1.1 alone.
-- - The head of an answer may be as long as the server likes, and the status
--   of one that was cut is not known. Interim answers (1xx) are not understood.
-- - An answer that comes before a large order is read is not seen.
-- - A file whose length the server does not tell is refused over TLS, for
--   there a cut looks like an end.
-- - Writes to the disk are the worker's own, a few kilobytes at a time, and
--   nothing is synced. Two processes keep off each other's files where they
--   share a dictionary (`shared`).
-- - max_in_flight is not looked at.
-- @module starvideos.transport.resty_http

-- luacheck: read globals ngx

local answers = require "starvideos.transport.resty_http.answer"
local core = require "starvideos.core"
local file_head = require "starvideos.transport.file_head"
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

local TOO_LATE = "the program or the machine was suspended until it was too"
  .. " late to send the request"

local Exchange = {}
Exchange.__index = Exchange

--- What a failure tells of how far the exchange came.
function Exchange:fail(failure)
  failure.phase, failure.sent = self.phase, self.sent
  failure.bytes_sent, failure.received = self.bytes_sent, self.received
  failure.status = failure.status or self.answer and self.answer.status
  return nil, failure
end

--- Close the connection, unless a read of it is under way, and the file.
function Exchange:close()
  if self.http then
    self.http:close()
  end
  if self.sink then
    self.sink:close()
  end
end

-- Limits the next step; of one that makes progress each silence, while the
-- watch looks at the whole.
local function limit(self, seconds)
  seconds = math.min(seconds, self.end_by - self.now())
  local ms = math.max(1, math.min(LONGEST_MS, math.ceil(seconds * 1000)))
  self.http:set_timeouts(ms, ms, ms)
end

-- An order never sees a used connection: it would be lost with one that the
-- server has just closed. Nothing is ever put into the pool "once".
local function connect(self)
  local target = self.target
  self.phase, self.answer, self.http = "connect", nil, self.library.new()
  self.connect_by = self.now() + self.connect_seconds
  limit(self, self.connect_seconds)
  if self.sink then
    self.sink:hold()
  end
  -- Some versions of lua-resty-core raise where a handshake ends at once and
  -- the certificate is not trusted.
  local called, ok, err = pcall(self.http.connect, self.http, {
    scheme = target.scheme, host = target.host, port = target.port,
    pool = "starvideos:" .. (self.fresh and "once" or target.origin),
    ssl_verify = true, ssl_server_name = target.name,
  })
  self.connect_by = math.huge
  if not (called and ok) then
    return self:fail(answers.failure("connect", called and err
      or "the certificate is not trusted"))
  end
  self.reused = (self.http:get_reused_times() or 0) > 0
  return true
end

-- Sends, and reads the head of the answer.
local function ask(self)
  local send_by = self.req.send_by
  if send_by and core.boottime() >= send_by then
    return self:fail { reason = "late", message = TOO_LATE }
  end
  self.sent = true
  limit(self, self.stall_seconds)
  local res, err = self.http:request(message.parameters(self.req,
    self.target.path, function(bytes, whole)
      self.bytes_sent, self.phase = bytes, whole and "answer" or "request"
    end))
  local failure
  if res then
    self.answer, failure = answers.head(res)
  end
  if not self.answer then
    return self:fail(failure or answers.failure("head", err))
  end
  self.phase = "body"
  return self.answer
end

-- A connection that the server closed while it was idle has answered nothing;
-- another one may.
local function exchange(self)
  local answer, failure = connect(self)
  if answer then
    answer, failure = ask(self)
    if not answer and self.reused and failure.reason == "reset" then
      self.http:close()
      self.fresh = true
      return exchange(self)
    end
  end
  return answer, failure
end

-- Follows redirects up to the answer that is meant.
local function final(self)
  local allowed = self.req.redirects or 0
  for _ = 0, allowed do
    local answer, failure = exchange(self)
    local location = allowed > 0 and answer and REDIRECTS[answer.status]
      and answer.headers.location
    if not location then
      return answer, failure
    end
    self.http:close()
    self.target, failure = targets.follow(self.target, location,
      self.req.insecure_http)
    if not self.target then
      return self:fail(failure)
    end
  end
  return self:fail { reason = "protocol",
    message = "the server redirects without end" }
end

local function report(self, now)
  if self.req.on_progress and now >= self.report_at then
    self.report_at = now + PROGRESS_SECONDS
    self.req.on_progress(self.received, self.answer.length, self.bytes_sent)
  end
end

-- What takes the pieces of a body: a function; or nil and a failure.
local function to_memory(self, answer)
  local most, pieces = self.req.max_body or MAX_BODY, {}
  local failure = { reason = "too_large",
    message = ("the answer is larger than %d bytes"):format(most) }
  if (answer.length or 0) > most then
    return nil, failure
  end
  self.pieces = pieces
  return function(piece)
    pieces[#pieces + 1] = piece
    return self.received <= most, failure
  end
end

local function to_file(self, answer)
  if answer.open_end and self.target.secure then
    return nil, { reason = "protocol", message = "the server does not tell how"
      .. " long the file is" }
  end
  local ok, failure = self.sink:begin(answer.status, answer.headers)
  return ok and function(piece)
    return self.sink:write(piece)
  end, failure
end

local function receive(self, answer)
  local taker = self.sink and file_head.is_file(answer.status, answer.headers)
    and to_file or to_memory
  local take, failure = taker(self, answer)
  if not take then
    return nil, failure
  end
  limit(self, self.stall_seconds)
  return answers.read(answer, function(piece)
    self.received = self.received + #piece
    if self.received - self.turn_at >= TURN_BYTES then
      self.turn_at = self.received
      ngx.sleep(TURN_SECONDS)
    end
    if self.over then
      return nil, {}
    end
    local ok, problem = take(piece)
    report(self, self.now())
    limit(self, self.stall_seconds)
    return ok, problem
  end)
end

local function leave(self, answer)
  if self.fresh or answer.open_end
    or not self.http:set_keepalive(IDLE_MS, POOL_SIZE) then
    self.http:close()
  end
end

local function response_of(self, answer)
  local sink = not self.pieces and self.sink
  return {
    status = answer.status, headers = answer.headers,
    body = self.pieces and table.concat(self.pieces),
    file_offset = sink and sink.offset or nil,
    file_bytes = sink and sink.written or nil,
    bytes_sent = self.bytes_sent, http_version = "1.1",
    reused = self.reused, elapsed = self.now() - self.began,
  }
end

local function run(self)
  local answer, failure = final(self)
  if not answer then
    return nil, failure
  elseif self.req.on_answer then
    self.req.on_answer(answer.status, answer.headers)
  end
  local ok
  ok, failure = receive(self, answer)
  if ok then
    report(self, math.huge)
    leave(self, answer)
    if self.sink then
      ok, failure = self.sink:close()
    end
  elseif failure.reason == "timeout" and self.req.stall_seconds
    and self.now() < self.end_by then
    failure.reason = "stalled"
  end
  if not ok then
    return self:fail(failure)
  end
  return response_of(self, answer)
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

-- Everything that can be said before anything is sent.
local function prepare(self, options)
  local req, problem = self.req, message.problem(self.req)
  local failure = problem and { reason = "invalid", message = problem }
  if not failure then
    self.library, failure = library()
  end
  if not failure then
    self.target, failure = targets.read(req.url, req.insecure_http)
  end
  if not failure and req.sink then
    self.sink, failure = sinks.open(req.sink, {
      clock = self.now, shared = options.shared,
      seconds = self.connect_seconds + (req.stall_seconds or STALL_SECONDS),
    })
  end
  return failure
end

--- Make the transport.
-- @tparam[opt] table options `clock` (function), `shared` (a dictionary with
--   `add` and `set`, in which processes see each other's downloads)
-- @treturn function `(req) -> response | nil, failure`, with the fields that
--   the engine takes and gives; it waits in the caller's light thread
function _M.new(options)
  options = options or {}
  local clock = options.clock or core.now
  return function(req)
    local now = clock()
    local self = setmetatable({
      req = req, now = clock, began = now, phase = "queue", sent = false,
      bytes_sent = 0, received = 0, report_at = 0, turn_at = 0,
      fresh = req.fresh, end_by = now + (req.timeout or math.huge),
      connect_by = math.huge,
      connect_seconds = req.connect_timeout or CONNECT_SECONDS,
      stall_seconds = req.stall_seconds or math.huge,
    }, Exchange)
    local failure = prepare(self, options)
    if failure then
      return self:fail(failure)
    end
    return watch.run(self, run)
  end
end

return _M
