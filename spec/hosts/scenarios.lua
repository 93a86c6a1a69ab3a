--- What must come out the same however a host waits: one table for all
-- runtimes. Runs inside the host, so it knows none; what differs is in `world`,
-- which each gives:
--
--   world.client        made with the scenario's options
--   world.path(name)    of a file that does not exist yet
--   world.cancel()      ends what the scenario is waiting for
--   world.now()         seconds

local _M = {}

local FAST = { interval = 0.1, max_interval = 0.1, timeout = 20 }

local function with(options, more)
  local all = {}
  for _, source in ipairs { options, more } do
    for name, value in pairs(source) do
      all[name] = value
    end
  end
  return all
end

local function order(scenario)
  return { model = "videos", duration = 4, prompt = scenario
    and ("[scenario:%s]"):format(scenario) or "a kite" }
end

-- What a person sees of an error.
local function seen(value, err)
  if value then
    return { status = value.status, saved = value.path ~= nil or nil }
  end
  return { kind = err.kind, sent = err.sent, phase = err.phase,
    task = err.task ~= nil or nil, sentence = #tostring(err) > 10 }
end

local function create(scenario)
  return function(world)
    return seen(world.client:create(order(scenario)))
  end
end

local function query(world)
  return seen(world.client:query "video_unknown")
end

local function wait(scenario, options)
  return function(world)
    local client = world.client
    local task, err = client:create(order(scenario))
    if not task then
      return seen(task, err)
    end
    local began = world.now()
    local result = seen(client:wait(task, with(FAST, options or {})))
    result.seconds = options and options.timeout
      and math.floor(world.now() - began + 0.5)
    return result
  end
end

local function download(scenario, options)
  return function(world)
    local client = world.client
    local task, err = client:create(order(scenario))
    task, err = task and client:wait(task, FAST), err
    if not task then
      return seen(task, err)
    end
    local path = world.path(scenario)
    local result = seen(client:download(task, path, options))
    local part = io.open(path .. ".part", "rb")
    result.part = part ~= nil and part:close() ~= nil
    return result
  end
end

local function generate(world)
  local told = {}
  local path = world.path "whole"
  local task, file = world.client:generate(order(), with(FAST, { path = path,
    on_task = function() told.task = true end,
    on_progress = function() told.progress = true end,
    on_download = function() told.download = true end }))
  local result = seen(task, file)
  told.status, told.whole = result.status, task and file.bytes > 1000
    and #file.sha256 == 64
  return told
end

local function wait_for_many(world)
  local client = world.client
  local ids = {}
  for index = 1, 6 do
    ids[index] = assert(client:create(order(index == 4 and "failed"))).id
  end
  ids[7] = ids[1]
  local words = {}
  for index, result in ipairs(client:wait_all(ids, FAST)) do
    words[index] = result.task and result.task.status or result.err.kind
  end
  return words
end

local function generate_list(world)
  local list, words, most, open = {}, {}, 0, 0
  for index = 1, 5 do
    list[index] = order(index == 3 and "failed")
    list[index].path = ("folder-%d/%d.mp4"):format(index % 2, index)
  end
  local results = assert(world.client:generate_all(list, with(FAST, {
    at_most = 2, directory = world.path "list",
    on_task = function()
      open = open + 1
      most = math.max(most, open)
    end,
    on_done = function() open = open - 1 end,
    on_download = function(one) list[2].seen = one == list[2] or list[2].seen end,
  })))
  for index, result in ipairs(results) do
    words[index] = result.file and result.file.bytes > 1000 and "saved"
      or result.err.kind
  end
  words[6], words[7] = most, list[2].seen
  return words
end

local function cancelled_list(world)
  local list = {}
  for index = 1, 3 do
    list[index] = order "never"
    list[index].path = index .. ".mp4"
  end
  local results, err = world.client:generate_all(list, with(FAST, {
    at_most = 2, directory = world.path "list",
    on_progress = world.cancel }))
  local words = { tostring(results), err.kind }
  for _, result in ipairs(err.result) do
    words[#words + 1] = ("%s %s"):format(result.err.kind,
      result.err.task and "with its task" or "alone")
  end
  return words
end

local function existing_target(world)
  local path = world.path "taken"
  assert(io.open(path, "wb")):close()
  return seen(world.client:generate(order(), with(FAST, { path = path })))
end

local function cancelled_wait(world)
  local client = world.client
  local task = assert(client:create(order "never"))
  return seen(client:wait(task, with(FAST, { on_progress = world.cancel })))
end

local function cancelled_wait_for_many(world)
  local client = world.client
  local ids = {}
  for index = 1, 3 do
    ids[index] = assert(client:create(order "never")).id
  end
  local words = {}
  for index, result in ipairs(client:wait_all(ids,
    with(FAST, { on_progress = world.cancel }))) do
    words[index] = result.err.kind
  end
  return words
end

--- Each with its `name`, what to `run`, the client's `options`, the `outcome`,
-- and how many `posts` the provider must have got.
_M.list = {
  { name = "orders, waits and saves", run = generate, posts = 1,
    outcome = { task = true, progress = true, download = true,
      status = "completed", whole = true } },
  { name = "waits for many, each polled once", run = wait_for_many, posts = 6,
    outcome = { "completed", "completed", "completed", "task_failed",
      "completed", "completed", "completed" } },
  { name = "makes a list of videos, some at a time", run = generate_list,
    posts = 5, outcome = { "saved", "saved", "task_failed", "saved", "saved",
      2, true } },
  { name = "tells of a failed task", run = wait "failed", posts = 1,
    outcome = { kind = "task_failed", task = true, sentence = true } },
  { name = "ends a wait at its deadline", posts = 1,
    run = wait("never", { timeout = 1 }),
    outcome = { kind = "timeout", task = true, sentence = true,
      seconds = 1 } },
  { name = "ends a poll that hangs at the deadline", posts = 1,
    run = wait("query_hang", { timeout = 1 }),
    outcome = { kind = "timeout", task = true, sentence = true,
      seconds = 1 } },
  { name = "polls through a passing 500", run = wait "query_500=1", posts = 1,
    outcome = { status = "completed" } },
  { name = "polls through a connection that breaks", posts = 1,
    run = wait "query_reset=1", outcome = { status = "completed" } },
  { name = "polls through a page of HTML", run = wait "query_html=2",
    posts = 1, outcome = { status = "completed" } },
  { name = "ends a wait that is told to come back too late", posts = 1,
    run = wait "query_429_long",
    outcome = { kind = "rate_limited", task = true, sentence = true } },
  { name = "knows no task of another", run = query, posts = 0,
    outcome = { kind = "not_found", sentence = true } },
  { name = "refuses a wrong order before it is sent", posts = 0,
    run = function(world)
      return seen(world.client:create { model = "videos", prompt = "a" })
    end,
    outcome = { kind = "validation", sentence = true } },
  { name = "refuses to save over a file before it orders", posts = 0,
    run = existing_target, outcome = { kind = "io", sentence = true } },
  { name = "tells of a refused order", run = create "create_refused",
    posts = 1, outcome = { kind = "invalid_request", sent = true,
      phase = "body", sentence = true } },
  { name = "tells of a refused key", run = create "create_401", posts = 1,
    outcome = { kind = "auth", sent = true, phase = "body",
      sentence = true } },
  { name = "sends an order once that is answered 500", posts = 1,
    run = create "create_500",
    outcome = { kind = "outcome_unknown", sent = true, phase = "body",
      sentence = true } },
  { name = "sends an order once whose connection breaks", posts = 1,
    run = create "create_reset",
    outcome = { kind = "outcome_unknown", sent = true, phase = "answer",
      sentence = true } },
  { name = "sends an order once whose answer is cut short", posts = 1,
    run = create "create_truncated",
    outcome = { kind = "outcome_unknown", sent = true, phase = "body",
      sentence = true } },
  { name = "sends an order once that is never answered", posts = 1,
    run = create "create_hang", options = { timeout = 1 },
    outcome = { kind = "outcome_unknown", sent = true, phase = "answer",
      sentence = true } },
  { name = "asks nobody it does not trust", run = query, posts = 0,
    options = { ca_file = "/etc/ssl/certs/ca-certificates.crt" },
    outcome = { kind = "network", sent = false, phase = "connect",
      sentence = true } },
  { name = "tells of a refused connection", run = query, posts = 0,
    options = { base_url = "http://127.0.0.1:1" },
    outcome = { kind = "network", sent = false, phase = "connect",
      sentence = true } },
  { name = "tells of an expired link", run = download "media_403", posts = 1,
    outcome = { kind = "expired", sentence = true, part = false } },
  { name = "saves no page of HTML", run = download "media_html", posts = 1,
    outcome = { kind = "protocol", sentence = true, part = false } },
  { name = "goes on with a download that broke off", posts = 1,
    run = download "media_truncated",
    outcome = { saved = true, part = false } },
  { name = "fetches a video again that the host had cut", posts = 1,
    run = download "media_half",
    outcome = { saved = true, part = false } },
  { name = "saves a video that is called a text", posts = 1,
    run = download "media_text",
    outcome = { saved = true, part = false } },
  { name = "ends a download that stalls, and keeps what came", posts = 1,
    run = download("media_stall", { stall_timeout = 1, timeout = 2 }),
    outcome = { kind = "timeout", sentence = true, part = true } },
  { name = "ends a cancelled wait", run = cancelled_wait, posts = 1,
    outcome = { kind = "cancelled", task = true, sentence = true } },
  { name = "ends a cancelled list, and begins no more of it", posts = 2,
    run = cancelled_list, outcome = { "nil", "cancelled",
      "cancelled with its task", "cancelled with its task",
      "cancelled alone" } },
  { name = "ends all of a cancelled wait for many", posts = 3,
    run = cancelled_wait_for_many,
    outcome = { "cancelled", "cancelled", "cancelled" } },
}

-- In nginx --------------------------------------------------------------------

local function new_world(scenario)
  local prefix = ngx.config.prefix()
  local json = require "starvideos.base.json"
  local file = assert(io.open(prefix .. "settings.json"))
  local settings = json.decode(file:read "*a")
  file:close()
  local world = { now = require("starvideos.core").now }
  local options = with({ api_key = settings.key, base_url = settings.base_url,
    ca_file = prefix .. "ca.pem" }, scenario.options or {})
  world.client = assert(require("starvideos").new(options))
  function world.path(what)
    return ("%sfiles/%s-%s.mp4"):format(prefix,
      scenario.name:gsub("%W", ""), what)
  end
  function world.cancel() world.client:close() end
  return world
end

--- Answers a request of nginx: runs the scenario whose number it names.
function _M.answer()
  local scenario = _M.list[tonumber(ngx.var.arg_scenario)]
  local world = new_world(scenario)
  local outcome = scenario.run(world)
  world.client:close()
  ngx.print(require("starvideos.base.json").encode(outcome))
end

return _M
