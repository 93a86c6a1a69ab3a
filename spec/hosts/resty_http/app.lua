-- What nginx runs in resty_http_spec.lua: one action a request, named in its
-- path, with its arguments as JSON in the body.

-- luacheck: read globals ngx

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"
local transports = require "starvideos.host.resty_http"

local _M = {}

local actions = {}

local function target(name)
  return ngx.config.prefix() .. "files/" .. name
end

local function known()
  local file = assert(io.open(ngx.config.prefix() .. "settings.json"))
  local settings = json.decode(file:read "*a")
  file:close()
  return settings
end

local function new_client(more)
  local settings = known()
  local options = { api_key = settings.key, base_url = settings.base_url,
    transport = "resty_http" }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

-- An error as the one who asks can read it.
local function told(value, err)
  if value then
    return { value = value }
  end
  return { err = { kind = err.kind, message = tostring(err), sent = err.sent,
    phase = err.phase, status = err.status, reason = err.reason,
    bytes_sent = err.bytes_sent, bytes = err.bytes, task_id = err.task_id } }
end

--- Requests to the transport itself, one after the other.
function actions.send(arguments)
  local send = transports.new { shared = ngx.shared.claims }
  local results = {}
  for index, req in ipairs(arguments) do
    if req.sink then
      req.sink.path = target(req.sink.path)
    end
    local answers, reports = 0, {}
    function req.on_answer(status)
      answers = answers + 1
      assert(status >= 200)
    end
    function req.on_progress(...)
      reports[#reports + 1] = { ... }
    end
    local response, failure = send(req)
    results[index] = { response = response, failure = failure,
      answers = answers, last = reports[#reports] }
  end
  return results
end

local FAST = { interval = 0.1, max_interval = 0.2, first_poll = 0.1,
  timeout = 20 }

--- Everything that a client does.
function actions.all(arguments)
  local client = new_client()
  local task = assert(client:create(arguments.order))
  local looked = assert(client:query(task.id))
  local video = assert(client:wait(task, FAST))
  local received
  local file = assert(client:download(video, target(arguments.name), {
    on_progress = function(bytes) received = bytes end }))
  return { id = task.id, looked = looked.id, status = video.status,
    bytes = file.bytes, received = received }
end

--- Orders under one key, each of a client of its own.
function actions.keyed(arguments)
  local ids = {}
  for index = 1, 2 do
    local client = new_client { ledger = target(arguments.ledger) }
    ids[index] = assert(client:create(arguments.order, { key = "kite" })).id
    client:close()
  end
  return ids
end

--- A download of a new task.
function actions.download(arguments)
  local client = new_client()
  local task = assert(client:create(arguments.order))
  local video = assert(client:wait(task, FAST))
  local result = told(client:download(task.id, target(arguments.name),
    arguments.options))
  result.id, result.link = task.id, video.video_url
  return result
end

--- Three orders of a client that sends one at a time.
function actions.orders(arguments)
  local client, threads, ids = new_client { max_creates = 1 }, {}, {}
  for index = 1, 3 do
    threads[index] = ngx.thread.spawn(client.create, client, arguments.order)
  end
  for index, thread in ipairs(threads) do
    local _, task = ngx.thread.wait(thread)
    ids[index] = task.id
  end
  return ids
end

local operations = {}

function operations.create(client, trial)
  return client:create(trial.order)
end

function operations.query(client, trial)
  return client:query(trial.id)
end

function operations.wait(client, trial)
  return client:wait(trial.id, { timeout = 300 })
end

function operations.download(client, trial)
  return client:download({ id = trial.id, status = "completed",
    video_url = trial.link }, target(trial.name),
    { timeout = trial.slow and trial.limit or nil, overwrite = true })
end

--- One cell of the table of faults; pauses cost no time.
function actions.operate(trial)
  local exchanges, skipped = 0, 0
  local client = new_client { api_key = trial.key, base_url = trial.url,
    timeout = trial.limit, connect_timeout = trial.limit,
    clock = function() return core.now() + skipped end,
    sleep = function(seconds) skipped = skipped + seconds end,
    random = function() return 0.5 end,
    on_event = function(event)
      exchanges = exchanges + (event.name == "exchange" and 1 or 0)
    end }
  if trial.warm then
    assert(client:query(trial.id))
    exchanges = 0
  end
  local result = told(operations[trial.operation](client, trial))
  result.tries = exchanges
  if trial.warm and trial.operation == "create" then
    client:query(trial.id) -- or the warm connection would stay open
  end
  return result
end

--- A request whose light thread is ended where it stands.
function actions.kill(arguments)
  local send, req = transports.new { shared = ngx.shared.claims },
    arguments.request
  if req.sink then
    req.sink.path = target(req.sink.path)
  end
  local thread = ngx.thread.spawn(send, req)
  ngx.sleep(arguments.after)
  ngx.thread.kill(thread)
  return {}
end

--- Answer a request.
function _M.answer()
  ngx.req.read_body()
  local name = ngx.var.uri:match "[^/]*$"
  local arguments = json.decode(ngx.req.get_body_data() or "") or {}
  local ok, result = pcall(actions[name], arguments)
  ngx.say(json.encode(ok and result or { raised = tostring(result) }))
end

return _M
