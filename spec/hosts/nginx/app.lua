-- What nginx runs in nginx_runtime_spec.lua and the benchmark: one action a
-- request, named in its path, with its arguments in the query.

local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local _M = {}

local actions, kept = {}, {}

local function settings()
  if not kept.settings then
    local prefix = ngx.config.prefix()
    local file = assert(io.open(prefix .. "settings.json"))
    kept.settings = json.decode(file:read "*a")
    kept.settings.prefix = prefix
    file:close()
  end
  return kept.settings
end

local function new_client(more)
  local known = settings()
  local options = { api_key = known.key, base_url = known.base_url,
    ca_file = known.ca_file, insecure_http = true,
    poll_rate = known.poll_rate }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

-- How many pumps this worker has had.
local function count_pumps()
  local pump = require "starvideos.host.ngx.wakeups"
  for name, value in pairs(settings().limits or {}) do
    pump.limits[name] = value
  end
  local at = ngx.timer.at
  ngx.timer.at = function(delay, ...) -- luacheck: ignore
    kept.pumps = (kept.pumps or 0) + (delay == 0 and 1 or 0)
    return at(delay, ...)
  end
end

-- As the spec wants the ledger's thread to be waited for.
local function set_policy()
  for name, value in pairs(settings().policy or {}) do
    require("starvideos.ledger.thread").policy[name] = value
  end
end

local function client()
  if not kept.client then
    count_pumps()
    set_policy()
  end
  kept.client = kept.client or new_client {
    shared = settings().shared and ngx.shared.videos or nil,
    transport = settings().transport and function()
      ngx.sleep(30)
    end,
    ledger = settings().ledger,
    on_event = function(event)
      kept.last_event = event.name == "exchange" and event or kept.last_event
    end,
  }
  return kept.client
end

local function number(name, default)
  return tonumber(ngx.var["arg_" .. name]) or default
end

local function prompt()
  return ngx.unescape_uri(ngx.var.arg_prompt or "a kite")
end

local function order(text)
  return client():create { model = "videos", prompt = text or prompt(),
    duration = 4 }
end

local function target(name)
  return settings().prefix .. "files/" .. name .. ".mp4"
end

-- The error of a call as text for the answer.
local function told(value, err)
  if value then
    return value
  end
  return { failed = tostring(err), kind = err.kind,
    task = err.task and err.task.id or err.task_id }
end

local FAST = { interval = 0.1, max_interval = 0.2, first_poll = 0.1,
  timeout = 20 }

--- All that a client does, one after the other.
function actions.all(name)
  local c = client()
  local first, second = assert(order "a kite"), assert(order "a ship")
  local both = c:wait_all({ first, second.id }, FAST)
  local task = assert(c:wait(first, FAST))
  local received
  local file = assert(c:download(both[2].task, target(name), {
    overwrite = true,
    on_progress = function(bytes) received = bytes end }))
  local third = assert(c:generate({ model = "videos", prompt = "a tree",
    duration = 4 }, { path = target(name .. "2"), interval = 0.1,
    first_poll = 0.1, overwrite = true }))
  return { status = assert(c:query(task)).status, both = #both,
    second = both[2].task.status, third = third.status, bytes = file.bytes,
    received = received }
end

function actions.create()
  local task, err = order()
  return told(task, err)
end

--- An order where no light thread can wait, and one where it can.
function actions.astray()
  kept.last_event = nil
  local _, raised
  string.gsub("x", "x", function()
    _, raised = pcall(order)
  end)
  local event = kept.last_event
  local id = coroutine.wrap(function()
    return select(2, pcall(order)).id
  end)()
  return { refused = raised, sent = event and event.method, id = id }
end

--- An order under a key whose light thread may be killed after a while.
function actions.keyed()
  local thread = ngx.thread.spawn(function()
    local task, err = client():create({ model = "videos", prompt = "a kite",
      duration = 4 }, { key = ngx.var.arg_key })
    return told(task, err)
  end)
  if ngx.var.arg_kill then
    ngx.sleep(number("kill"))
    return { killed = ngx.thread.kill(thread) }
  end
  return select(2, ngx.thread.wait(thread))
end

-- Works a queue off, in a light thread that may be killed after a while: before
-- its tasks end.
function actions.work()
  local list = {}
  local pace = ngx.var.arg_kill and " [scenario:takes=2]" or ""
  for index = 1, number("orders", 0) do
    list[index] = { model = "videos", prompt = "a kite" .. pace, duration = 4,
      path = ngx.var.arg_name .. "/" .. index .. ".mp4" }
  end
  if list[1] then
    assert(client():enqueue(list))
  end
  local thread = ngx.thread.spawn(function()
    local result, err = client():work { directory = target("videos"),
      interval = 0.1, max_interval = 0.1 }
    return result or { kind = err.kind, failed = err.message }
  end)
  if ngx.var.arg_kill then
    ngx.sleep(number("kill"))
    return { killed = ngx.thread.kill(thread) }
  end
  return select(2, ngx.thread.wait(thread))
end

function actions.query()
  return told(client():query(ngx.var.arg_id))
end

function actions.wait()
  local result = told(client():wait(ngx.var.arg_id, {
    timeout = number("timeout", 20), interval = number("interval", 0.1),
    max_interval = number("interval", 0.1),
    first_poll = number("first", 0.1) }))
  result.pid = ngx.worker.pid()
  return result
end

function actions.download()
  return told(client():download(ngx.var.arg_id, target(ngx.var.arg_name)))
end

-- Waits of which each has a light thread of its own.
local function spawn_waits(count, options)
  local threads = {}
  for index = 1, count do
    threads[index] = ngx.thread.spawn(function()
      return client():wait("video_" .. index, options)
    end)
  end
  return threads
end

--- Many waits whose task is never asked for: how they ended.
function actions.sleepers()
  local options = { timeout = number("timeout", 600), first_poll = 600 }
  local threads, kinds = spawn_waits(number("count", 100), options), {}
  for _, thread in ipairs(threads) do
    local _, _, err = ngx.thread.wait(thread)
    kinds[err.kind] = (kinds[err.kind] or 0) + 1
  end
  return kinds
end

--- The same by one call.
function actions.sleepers_all()
  local ids, kinds = {}, {}
  for index = 1, number("count", 100) do
    ids[index] = "video_" .. index
  end
  for _, result in ipairs(client():wait_all(ids, {
    timeout = number("timeout", 600), first_poll = 600 })) do
    kinds[result.err.kind] = (kinds[result.err.kind] or 0) + 1
  end
  return kinds
end

--- Waits that are killed while they sleep, or while their request is under
-- way.
function actions.killed()
  local first = number("first", 600)
  local threads = spawn_waits(number("count", 1000), { first_poll = first })
  ngx.sleep(number("after", 0.1))
  for _, thread in ipairs(threads) do
    ngx.thread.kill(thread)
  end
  return { killed = #threads }
end

--- A call whose light thread is killed after a while.
function actions.killed_call()
  local call = actions[ngx.var.arg_call]
  local thread = ngx.thread.spawn(call)
  ngx.sleep(number("after", 0.2))
  local in_flight = actions.held().in_flight
  return { killed = ngx.thread.kill(thread), in_flight = in_flight }
end

--- Functions side by side, a thousand at a time.
function actions.gathered()
  local runtime = require("starvideos.context").of(client()).runtime
  local functions, ended = {}, 0
  for index = 1, 1000 do
    functions[index] = function()
      runtime:sleep(0.05)
      ended = ended + 1
    end
  end
  runtime:gather(functions)
  return { ended = ended }
end

--- A wait of a client that is closed meanwhile, and one of another.
function actions.closed()
  local one, other, kinds = new_client(), new_client(), {}
  for index, each in ipairs { one, other } do
    kinds[index] = ngx.thread.spawn(function()
      local _, err = each:wait("video_1", { first_poll = 600, timeout = 1 })
      return err.kind
    end)
  end
  ngx.sleep(0.1)
  one:close()
  local _, first = ngx.thread.wait(kinds[1])
  local _, second = ngx.thread.wait(kinds[2])
  return { first, second }
end

--- Six orders of a client that sends two at a time; one that is on its way
-- and one that waits are killed.
function actions.orders()
  local one, threads, ids = new_client { max_creates = 2 }, {}, {}
  for index = 1, 6 do
    threads[index] = ngx.thread.spawn(function()
      return one:create { model = "videos", prompt = prompt(), duration = 4 }
    end)
  end
  ngx.sleep(0.2)
  ngx.thread.kill(threads[1])
  ngx.thread.kill(threads[3])
  for _, index in ipairs { 2, 4, 5, 6 } do
    local _, task = ngx.thread.wait(threads[index])
    ids[#ids + 1] = task.id
  end
  return { ids = ids }
end

--- An order that is on the wire when its client is closed: what it returned,
-- and what is on record.
function actions.closed_early()
  local ledger = settings().prefix .. "files/closed.db"
  local one = new_client { ledger = ledger }
  local thread = ngx.thread.spawn(function()
    return one:create({ model = "videos", duration = 4,
      prompt = "a slow one [scenario:create_slow=1]" }, { key = "slow" })
  end)
  ngx.sleep(0.5)
  one:close()
  local _, task, err = ngx.thread.wait(thread)
  local orders = assert(new_client { ledger = ledger }:pending())
  return { id = task and task.id or tostring(err), on_record = orders[1].task_id }
end

--- Waits of a client that a listener of one of them closes.
function actions.closed_within()
  local one, kinds = new_client(), {}
  local task = assert(one:create { model = "videos", prompt = "a kite",
    duration = 4 })
  local results = one:wait_all({ task.id, "video_1" }, { first_poll = 0,
    on_progress = function() one:close() end })
  for index, result in ipairs(results) do
    kinds[index] = result.err and result.err.kind
  end
  return kinds
end

--- A query and an order that begin a second later.
function actions.late()
  ngx.sleep(1)
  local _, err = client():query("video_1")
  return { query = err.kind, order = order("a late one").id }
end

--- What the worker holds.
function actions.held()
  collectgarbage()
  collectgarbage()
  local pump = require "starvideos.host.ngx.wakeups"
  local known = settings()
  local source = pump.source(known.ca_file)
  local waiting = 0
  for _ in pairs(source.waiting) do
    waiting = waiting + 1
  end
  return { kilobytes = collectgarbage "count", waiting = waiting,
    in_flight = source.outbox:in_flight(), pid = ngx.worker.pid(),
    pumps = kept.pumps, running = pump.is_running(), timers = ngx.timer.running_count() }
end

function actions.last_event()
  return kept.last_event or {}
end

local function outcome(action, ...)
  local ok, result = pcall(action, ...)
  return ok and result or { raised = tostring(result) }
end

--- Answer a request.
function _M.answer()
  local action = ngx.var.uri:match "[^/]+$"
  local text = json.encode(outcome(actions[action], ngx.get_phase()))
  ngx.say(text)
end

--- Do it in a timer, and keep the result for `result`.
function _M.later()
  local action = ngx.var.uri:match "[^/]+$"
  assert(ngx.timer.at(0, function()
    ngx.shared.results:set(action, json.encode(outcome(actions[action],
      "timer")))
  end))
  ngx.say "{}"
end

--- What a call says in the phase that runs.
function _M.refused()
  local ok, raised = pcall(function()
    return client():create { model = "videos", prompt = "no", duration = 4 }
  end)
  ngx.shared.results:set(ngx.get_phase(), ok and "did not raise" or raised)
end

--- What was kept.
function _M.result()
  ngx.say(ngx.shared.results:get(ngx.var.arg_of) or "null")
end

return _M
