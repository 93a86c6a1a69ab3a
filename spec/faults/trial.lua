--- One cell of the table: a fault, an operation that meets it, and the state
-- of the connections meanwhile.

local answers = require "spec.faults.answers"
local core = require "starvideos.core"
local outcomes = require "spec.faults.outcomes"
local speeches = { require "spec.faults.http1", require "spec.faults.http2" }
local starvideos = require "starvideos"

local _M = {}

-- The client's limit in seconds where a fault must run into it, and where it
-- must not. By then the request has been sent on a busy machine, too.
local SHORT_LIMIT, LONG_LIMIT = 1, 10
local WAIT_SECONDS = 300
local WARM_ATTEMPTS = 5

local PARAMS = { model = "videos", duration = 4, prompt = "a kite",
  referenceImages = { answers.link "https://media.example" } }

local NO_ERROR, REFUSED_STREAM = 0, 7

--- The states of connections: `used`, how many queries have made. One that
-- `refuses` has refused a query after it had answered another.
_M.states = {
  { name = "fresh", used = 0 },
  { name = "reused", used = 1, warm = true },
  { name = "TLS", used = 0, tls = true },
  { name = "HTTP/2 offered", used = 0, tls = true, h2 = true },
  { name = "HTTP/2 offered, reused", used = 1, tls = true, h2 = true,
    warm = true },
  { name = "HTTP/2 offered, a stream refused before", used = 2, tls = true,
    h2 = true, warm = true, refuses = function(http)
      return { "send", 0, http:rst_stream(REFUSED_STREAM) }
    end },
  { name = "HTTP/2 offered, GOAWAY before", used = 2, tls = true, h2 = true,
    warm = true, refuses = function(http)
      return { "send", 0, http:goaway(NO_ERROR, 1) }
    end },
}

local operations = {}

function operations.create(trial)
  return trial.client:create(trial.order)
end

function operations.query(trial)
  return trial.client:query(answers.id)
end

function operations.wait(trial)
  return trial.client:wait(answers.id, { timeout = WAIT_SECONDS })
end

function operations.download(trial)
  return trial.client:download({ id = answers.id, status = "completed",
    video_url = answers.link(trial.url) }, trial.path,
    { timeout = trial.fault.slow and trial.limit or nil })
end

_M.operations = { "create", "query", "wait", "download" }

-- An order never speaks HTTP/2.
local function version_of(operation, state)
  return operation ~= "create" and state.h2 and 2 or 1
end

-- What takes long, or costs nothing, is not met in every state.
local function is_worth(fault, operation, state)
  if state.refuses then -- libcurl repeats what was not answered
    return operation == "create" and fault.create.phase == "answer"
      and not fault.slow
  elseif operation == "create" then
    return not (fault.slow and state.warm and state.h2)
  elseif state.warm then
    return operation == "query" and not fault.slow
  elseif fault.slow or operation == "wait" then
    return not state.tls or state.h2 or fault.tls
  end
  return true
end

local function can_be(fault, operation, state)
  local version = version_of(operation, state)
  if fault.tls and not state.tls or fault.plain and state.tls
    or fault.http and fault.http ~= version then
    return false
  elseif fault.heals then
    return state.warm
  elseif fault.first then
    return operation == "create" or not state.warm
  elseif fault.handshake or fault.address then
    return not state.warm
  end
  return true
end

--- All cells of a table.
-- @tparam table faults
-- @treturn table list, each with `fault`, `operation`, `state`, `outcome`; a
--   `limit` in seconds may be added for its client
function _M.cells(faults)
  local cells = {}
  for _, fault in ipairs(faults) do
    for _, operation in ipairs(_M.operations) do
      for _, state in ipairs(_M.states) do
        if fault[operation] and can_be(fault, operation, state)
          and (fault.heals and not state.refuses
            or is_worth(fault, operation, state)) then
          cells[#cells + 1] = { fault = fault, operation = operation,
            state = state, outcome = fault[operation] }
        end
      end
    end
  end
  return cells
end

-- Scripts of the server -----------------------------------------------------

local function handshake(state)
  return state.tls and { "tls", state.h2 and 1 or 0, "known/server" } or {}
end

local function opened(trial, version)
  local http = speeches[version].new()
  return http, { handshake(trial.state), http.begin() }
end

local function right_script(trial, version)
  local http, script = opened(trial, version)
  script[3] = http:request()
  script[4] = http:answer(trial.right[trial.operation])
  script[5] = { "fin" }
  return script
end

local function faulty_script(trial, version)
  local fault = trial.fault
  if fault.handshake then
    return fault.handshake(trial.state.h2 and 1 or 0)
  end
  local http, script = opened(trial, version)
  script[3] = fault.steps(http, trial.right[trial.operation])
  return script
end

-- Serves one query, and refuses the next.
local function refusing_script(trial)
  local http, script = opened(trial, 2)
  script[3] = http:request()
  script[4] = http:answer(trial.right.query)
  script[5] = http:request()
  script[6] = trial.state.refuses(http)
  script[7] = { "hang" }
  return script
end

-- Serves queries, then has the fault.
local function warm_script(trial)
  local http, script = opened(trial, trial.state.h2 and 2 or 1)
  for _ = 1, trial.state.used do
    script[#script + 1] = { http:request(), http:answer(trial.right.query) }
  end
  if not trial.fault.http or trial.fault.http == http.version then
    script[#script + 1] = trial.fault.steps(http, trial.right[trial.operation])
  end
  return script
end

local function scripts_of(trial)
  local version = version_of(trial.operation, trial.state)
  local scripts = {}
  if trial.state.refuses then
    scripts[1] = refusing_script(trial)
  end
  if trial.state.warm then
    scripts[#scripts + 1] = warm_script(trial)
  end
  if not trial.fault.heals then
    scripts[#scripts + 1] = faulty_script(trial, version)
  end
  if trial.operation == "wait" or trial.fault.heals then
    scripts[#scripts + 1] = right_script(trial, version)
  end
  return scripts
end

local function plan(server, trial)
  if not trial.fault.address then
    server:plan(scripts_of(trial))
  end
end

-- The client ----------------------------------------------------------------

local addresses = {
  closed = { "http://127.0.0.1:1", "https://127.0.0.1:1" },
  nameless = { "https://nowhere.invalid", "https://nowhere.invalid" },
}

local function url_of(server, fault, state)
  if fault.address then
    return addresses[fault.address][state.tls and 2 or 1]
  end
  return state.tls and server.tls_url or server.url
end

--- The options of a client for a trial; time that is slept costs none.
function _M.client_options(server, trial, more)
  local skipped = 0
  return outcomes.merged({
    api_key = answers.key,
    base_url = trial.url,
    ca_file = server.ca_file,
    timeout = trial.limit,
    connect_timeout = trial.limit,
    random = function() return 0.5 end,
    clock = function() return core.now() + skipped end,
    sleep = function(seconds) skipped = skipped + seconds end,
  }, more)
end

local function new_client(server, trial, more)
  local options = _M.client_options(server, trial, more)
  function options.on_event(event)
    trial.events[#trial.events + 1] = event
  end
  return assert(starvideos.new(options))
end

-- One that is refused is repeated or given up, as libcurl's version has it.
local function warm_up(trial)
  local client, state = trial.client, trial.state
  if state.refuses then
    client:query(answers.id)
    client:query(answers.id)
  end
  return not state.warm or client:query(answers.id)
end

-- Warming up is not what is tried: on a busy machine it may take longer than
-- the client's limit.
local function prepare(server, trial, more)
  for _ = 1, WARM_ATTEMPTS do
    plan(server, trial)
    trial.client = new_client(server, trial, more)
    local warm = warm_up(trial)
    trial.events = {}
    if warm then
      return
    end
    trial.client:close()
  end
  error "the first query was not answered"
end

local function new_trial(server, cell)
  local trial = setmetatable({
    events = {},
    order = cell.fault.order or PARAMS,
    limit = cell.limit or cell.fault.slow and SHORT_LIMIT or LONG_LIMIT,
    path = server.folder .. "/video.mp4",
    url = url_of(server, cell.fault, cell.state),
  }, { __index = cell })
  trial.right = answers.right(trial.url)
  os.remove(trial.path)
  return trial
end

--- Order, with nothing going wrong, the task that the trial is about.
-- @tparam table server
-- @tparam table cell
-- @tparam[opt] table more options of the client
function _M.order_before(server, cell, more)
  local trial = new_trial(server, { fault = {}, state = cell.state,
    operation = "create" })
  server:plan { right_script(trial, 1) }
  local client = new_client(server, trial, more)
  assert(client:create(trial.order))
  client:close()
end

--- Set a trial up.
-- @tparam table server
-- @tparam table cell
-- @tparam[opt] table more options of the client
-- @treturn table trial with the cell's fields, `client`, `events`, `order`,
--   `path`, `limit`, and `url`, the base URL
function _M.begin(server, cell, more)
  local trial = new_trial(server, cell)
  prepare(server, trial, more)
  return trial
end

--- Set a trial up whose client somebody else makes.
-- @treturn table trial without a client
function _M.prepare(server, cell)
  local trial = new_trial(server, cell)
  plan(server, trial)
  return trial
end

--- Run the operation; the client stays open.
-- @treturn ?table result
-- @treturn ?table err
function _M.operate(trial)
  trial.result, trial.err = operations[trial.operation](trial)
  return trial.result, trial.err
end

--- Close the client and look at what arrived.
-- @treturn table record of the server
function _M.finish(server, trial)
  trial.client:close()
  trial.record = trial.fault.address and { connections = 0, h2 = 0 }
    or server:record()
  return trial.record
end

local function exchanges_of(trial)
  local count = 0
  for _, event in ipairs(trial.events) do
    count = count + (event.name == "exchange" and 1 or 0)
  end
  return count
end

--- How many connections the operation itself made.
function _M.tries(trial)
  return trial.fault.address and exchanges_of(trial)
    or trial.record.connections - trial.state.used
end

--- The POSTs that arrived, or the beginnings of some.
-- @treturn table list of requests
function _M.posts(trial)
  local posts = {}
  for _, request in ipairs(trial.record) do
    if request.method == "POST" then
      posts[#posts + 1] = request
    end
  end
  return posts
end

--- Let the server do nothing wrong any more, and save the video.
-- @treturn ?table file
-- @treturn ?table err
function _M.download_again(server, trial)
  local calm = setmetatable({ fault = {} }, { __index = trial })
  server:plan { right_script(calm, version_of("download", trial.state)) }
  return trial.client:download({ id = answers.id, status = "completed",
    video_url = answers.link(trial.url) }, trial.path, { overwrite = true })
end

return _M
