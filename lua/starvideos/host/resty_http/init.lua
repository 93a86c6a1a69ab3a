-- A transport for nginx without libcurl: requests go out by lua-resty-http over nginx's
-- own cosockets and its own OpenSSL.
--
-- It keeps the promises of the engine (csrc/http/engine.h) as far as the documented
-- calls of lua-resty-http can; docs/hosts.md says where an answer's head is beyond
-- them, and what is nginx's to say. Also:
--
-- - HTTP/1.1 alone, and max_in_flight and ca_file are not looked at.
-- - An answer that comes before a large order is read is not seen.
-- - A file whose length the server does not tell is refused over TLS, for there a cut
--   looks like an end.
-- - Nothing that is written is synced. Two processes keep off each other's files if they
--   share a dictionary (`shared`).

-- luacheck: read globals ngx

local core = require "starvideos.core"
local exchange = require "starvideos.host.resty_http.exchange"
local http = require "starvideos.base.http"
local sinks = require "starvideos.host.resty_http.sink"

local _M = {}

local MAX_BODY = 4 * 1024 * 1024
local LONGEST_MS = 2147483000

-- Idle connections of one worker to one origin, and how long they stay.
local POOL_SIZE, IDLE_MS = 64, 30000

local PROGRESS_SECONDS = 0.1
-- Between looks whether the caller is still there.
local LOOK_SECONDS = 0.5
local STALL_SECONDS, CONNECT_SECONDS = 30, 10
-- Bytes after which others get their turn: what comes fast enough is read
-- without ever waiting. A sleep of 0 seconds makes nginx complain.
local TURN_BYTES, TURN_SECONDS = 256 * 1024, 0.001

local MISSING = "the transport resty_http needs lua-resty-http, which cannot be"
  .. " loaded (%s): opm get ledgetech/lua-resty-http, or luarocks install"
  .. " lua-resty-http, and put it on lua_package_path"

local TOO_LATE = "the program or the machine was suspended until it was too"
  .. " late to send the request"

-- Closes the connection, unless a read of it is under way, and the file.
local function close(self)
  if self.http then
    self.http:close()
  end
  if self.sink then
    self.sink:close()
  end
end

-- Limits the next step, while the watch looks at the whole, and keeps the claim on the
-- file.
local function limit(self, seconds)
  seconds = math.min(seconds, self.deadline - self.now())
  local ms = math.max(1, math.min(LONGEST_MS, math.ceil(seconds * 1000)))
  self.http:set_timeouts(ms, ms, ms)
  if self.sink then
    self.sink:hold()
  end
end

-- An order never sees a used connection: it would be lost with one that the server has
-- just closed. Nothing is ever put into the pool "once". The time for the whole is the
-- watch's: a look-up knows only nginx's own limit, and a handshake begins the step's
-- limit again.
local function connect(self)
  local target = self.target
  self.phase, self.answer, self.http = "connect", nil, self.library.new()
  self.deadline = math.min(self.end_by, self.now() + self.connect_seconds)
  limit(self, self.connect_seconds)
  -- Some versions of lua-resty-core raise where a handshake ends at once and
  -- the certificate is not trusted.
  local called, ok, err = pcall(self.http.connect, self.http, {
    scheme = target.scheme, host = target.host, port = target.port,
    pool = "starvideos:" .. (self.fresh and "once" or target.origin),
    ssl_verify = true, ssl_server_name = target.name,
  })
  self.deadline = self.end_by
  if not (called and ok) then
    return nil, exchange.failure("connect", called and err
      or "the certificate is not trusted")
  end
  self.reused = (self.http:get_reused_times() or 0) > 0
  return true
end

local function ask(self)
  local connected, failure = connect(self)
  local send_by = self.req.send_by
  if not connected then
    return nil, failure
  elseif send_by and core.boottime() >= send_by then
    return nil, { reason = "late", message = TOO_LATE }
  end
  self.sent = true
  limit(self, self.stall_seconds)
  self.answer, failure = exchange.head(self.http:request(
    exchange.parameters(self.req, self.target.path, function(bytes, whole)
      self.bytes_sent, self.phase = bytes, whole and "answer" or "request"
    end)))
  self.phase = self.answer and "body" or self.phase
  return self.answer, failure
end

-- A connection that the server closed while it was idle has answered nothing; another
-- one may.
local function get_answer(self)
  local answer, failure = ask(self)
  if answer or not self.reused or failure.reason ~= "reset" then
    return answer, failure
  end
  self.http:close()
  self.fresh = true
  return ask(self)
end

-- Follows redirects up to the answer that is meant.
local function final(self)
  local allowed = self.req.redirects or 0
  for _ = 0, allowed do
    local answer, failure = get_answer(self)
    local location = allowed > 0 and answer
      and math.floor(answer.status / 100) == 3 and answer.headers.location
    if not location then
      return answer, failure
    end
    self.http:close()
    self.target, failure = exchange.follow(self.target, location,
      self.req.insecure_http, self.req.public_only)
    if not self.target then
      return nil, failure
    end
  end
  return nil, { reason = "protocol",
    message = "the server redirects without end" }
end

local function report(self, now)
  if self.req.on_progress and now >= self.report_at then
    self.report_at = now + PROGRESS_SECONDS
    self.req.on_progress(self.received, self.answer.length, self.bytes_sent)
  end
end

-- Of a body that is too long the beginning is kept. What is announced beyond that is
-- not waited for.
local function to_memory(self, piece)
  local most = self.req.max_body or MAX_BODY
  local over = self.received - most
  self.pieces[#self.pieces + 1] = over > 0 and piece:sub(1, -1 - over) or piece
  if over > 0 or over == 0 and (self.answer.length or 0) > most then
    return nil, { reason = "too_large",
      message = ("the answer is larger than %d bytes"):format(most) }
  end
  return true
end

local function to_file(self, piece)
  return self.sink:write(piece)
end

local function tell_answer(self, take)
  if self.req.on_answer then
    self.req.on_answer(self.answer.status, self.answer.headers,
      take == to_memory)
  end
  self.take = take
  return true
end

local function begin_file(self)
  local answer = self.answer
  if answer.open_end and self.target.secure then
    return nil, { reason = "protocol", message = "the server does not tell how"
      .. " long the file is" }
  end
  local ok, failure = self.sink:begin(answer.status, answer.headers,
    answer.length)
  self.pieces = nil
  return ok and tell_answer(self, to_file), failure
end

-- Keeps what comes until it shows whether it is a video.
local function to_either(self, piece)
  self.pieces[#self.pieces + 1] = piece
  local beginning = table.concat(self.pieces)
  if core.container(beginning) then
    local ok, failure = begin_file(self)
    return ok and to_file(self, beginning), failure
  end
  return #beginning < core.BEGINNING or tell_answer(self, to_memory)
end

-- Finds what takes the pieces of the body.
local function begin(self)
  local status, headers = self.answer.status, self.answer.headers
  local is_file = self.sink and http.may_be_file(status)
  if is_file and self.sink:takes(status, headers) then
    return begin_file(self)
  end
  self.pieces = {}
  if not is_file then
    return tell_answer(self, to_memory)
  end
  self.take = to_either
  return true
end

local function receive(self, answer)
  local begun, failure = begin(self)
  if not begun then
    return nil, failure
  end
  limit(self, self.stall_seconds)
  return exchange.read(answer, function(piece)
    self.received = self.received + #piece
    if self.received - self.turn_at >= TURN_BYTES then
      self.turn_at = self.received
      ngx.sleep(TURN_SECONDS)
    end
    if self.over then
      return nil, {}
    end
    limit(self, self.stall_seconds)
    local ok, problem = self:take(piece)
    report(self, self.now())
    return ok, problem
  end, self.req.fresh)
end

local function response_of(self, answer)
  local file = self.pieces and {} or self.sink
  return {
    status = answer.status, headers = answer.headers,
    body = self.pieces and table.concat(self.pieces),
    file_offset = file.offset, file_bytes = file.written,
    bytes_sent = self.bytes_sent, http_version = "1.1",
    reused = self.reused, elapsed = self.now() - self.began,
  }
end

-- Everything that can be said before anything is sent.
local function prepare(self)
  local req = self.req
  local found, library = pcall(require, "resty.http")
  local problem = exchange.problem(req) or not found
    and MISSING:format(tostring(library):match "^[^\n]*")
  if problem then
    return nil, { reason = "invalid", message = problem }
  end
  local target, failure = exchange.target(req.url, req.insecure_http,
    req.public_only)
  self.library, self.target = library, target
  if target and req.sink then
    self.sink, failure = sinks.open(req.sink, {
      clock = self.now, shared = self.shared,
      seconds = self.connect_seconds + (req.stall_seconds or STALL_SECONDS),
    })
  end
  return not failure, failure
end

-- Lets the next request have the connection, and gives up the file.
local function leave(self)
  if self.fresh or not self.http:set_keepalive(IDLE_MS, POOL_SIZE) then
    self.http:close()
  end
  if self.sink then
    return self.sink:close()
  end
  return true
end

local function run(self)
  local answer, failure = prepare(self)
  if answer then
    answer, failure = final(self)
  end
  if not answer then
    return nil, failure
  end
  local ok
  ok, failure = receive(self, answer)
  if ok then
    report(self, math.huge)
    ok, failure = leave(self)
  elseif failure.reason == "timeout" and self.req.stall_seconds
    and self.now() < self.end_by then
    failure.reason = "stalled"
  end
  return ok and response_of(self, answer), failure
end

-- How far the exchange came, and what came of the answer.
local function tell(self, failure)
  failure.body = self.pieces and table.concat(self.pieces) or nil
  failure.phase, failure.sent = self.phase, self.sent
  failure.bytes_sent, failure.received = self.bytes_sent, self.received
  failure.status = failure.status or self.answer and self.answer.status
  failure.headers = self.answer and self.answer.headers
end

-- Why an exchange is to end now.
local function verdict(state)
  if state.now() >= state.deadline then
    return { reason = "timeout", message = state.phase == "connect"
      and "no connection was made in time"
      or "not finished within the time allowed" }
  elseif not state.req.finish and coroutine.status(state.caller) == "dead" then
    return { reason = "cancelled", message = "the caller was killed" }
  end
end

-- One that reads a body waits in a coroutine of lua-resty-http's and must not be
-- killed: nginx would resume that coroutine later, and crash. It ends with the next
-- piece or with its time limit.
local function abandon(state, worker, failure)
  state.over = true
  if state.phase == "body" then
    state.http:set_timeouts(1, 1, 1)
  else
    ngx.thread.kill(worker)
  end
  state:close()
  state.outcome = { true, nil, failure }
end

-- Whatever comes of the exchange, nothing stays open.
local function work(state, ended)
  local ok, response, failure = pcall(run, state)
  if not ok or not response then
    state:close()
  end
  state.outcome = state.outcome or { ok, response, failure }
  ended:post()
end

local function watch(state)
  local ended = assert(require("ngx.semaphore").new())
  local worker = ngx.thread.spawn(work, state, ended)
  while not state.outcome do
    ended:wait(math.max(0.001, math.min(LOOK_SECONDS,
      state.deadline - state.now())))
    local failure = not state.outcome and verdict(state)
    if failure then
      abandon(state, worker, failure)
    end
  end
end

-- Runs an exchange in a light thread, and waits until it has ended or must: no single
-- step of it knows the time limit of the whole, or that the caller was killed.
local function run_watched(state)
  state.caller = coroutine.running()
  local watched, raised = ngx.thread.wait(ngx.thread.spawn(watch, state))
  if not watched or not state.outcome[1] then
    error(watched and state.outcome[2] or raised, 0)
  end
  return state.outcome[2], state.outcome[3]
end

-- The transport, which waits in the caller's light thread. In `shared`, a dictionary
-- with `add` and `set`, processes see each other's downloads.
function _M.new(options)
  options = options or {}
  local clock = options.clock or core.now
  return function(req)
    local now = clock()
    local end_by = now + (req.timeout or math.huge)
    local self = {
      req = req, close = close, shared = options.shared, fresh = req.fresh,
      now = clock, began = now, end_by = end_by, deadline = end_by,
      phase = "queue", sent = false, bytes_sent = 0, received = 0,
      report_at = 0, turn_at = 0,
      connect_seconds = req.connect_timeout or CONNECT_SECONDS,
      stall_seconds = req.stall_seconds or math.huge,
    }
    local response, failure = run_watched(self)
    if failure then
      tell(self, failure)
    end
    return response, failure
  end
end

return _M
