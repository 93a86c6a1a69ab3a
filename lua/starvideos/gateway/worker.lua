-- The worker of the fleet in each nginx worker: it orders what callers have placed,
-- whoever they are, waits for it and saves it. A GET never asks the provider. What its
-- clients tell goes to those who listen for an order, to the counters, and to the log.

local access = require "starvideos.gateway.access"
local contexts = require "starvideos.context"
local metrics = require "starvideos.gateway.metrics"
local order_feed = require "starvideos.gateway.order_feed"
local orders = require "starvideos.gateway.orders"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local failed = { failed = true, refused = true, unknown = true, cancelled = true }

-- Of an event by its name: the level and the line for the error log, if any. The log
-- gets no prompt, key or link, and no text of the provider about an order: that may
-- repeat its prompt, and stands in the ledger.
local line_of = {}

function line_of.order(event)
  if failed[event.state] then
    return "WARN", ("the order %s is %s; the ledger has the reason"):format(
      event.order, event.state)
  end
end

-- What was cancelled, at the end of this worker, another does again.
function line_of.exchange(event)
  if event.failure ~= "cancelled" and (event.failure or event.status >= 400) then
    return "WARN", ("the provider, asked to %s for the order %s: %s"):format(
      event.operation, event.order or "-",
      event.status and "HTTP " .. event.status or event.failure)
  end
end

function line_of.download(event)
  if event.state == "failed" then
    return "WARN", ("the video of the order %s could not be saved yet"):format(
      event.order or "-")
  end
end

-- The words of the provider stand in brackets.
local function without_words(text)
  local before, words, after = text:match "^([^(]*)(%(.*%))(.*)$"
  local status = words and words:match "^%((HTTP %d%d%d)" or "refused"
  return words and ("%s(%s; its words: starvideos status)%s"):format(before,
    status, after) or text
end

function line_of.queue(event)
  if event.state == "halted" then
    return "ERR", "the queue has stopped, and nothing is ordered until the gateway"
      .. " is reloaded (HUP): " .. redact.urls(without_words(event.reason or ""))
  end
  return "WARN", "the queue continues"
end

function line_of.rate(event)
  if event.state == "lowered" and event.what == "creates" then
    return "WARN", "the provider had too many requests: orders and polls are sent"
      .. " slower"
  end
end

function line_of.worker(event)
  if event.state == "fenced" then
    return "WARN", "the heartbeat of this worker was late, and its orders are"
      .. " another's"
  end
end

function line_of.late_task(event)
  return "WARN", ("a task came late for the order %s, which is %s; the ledger has"
    .. " both"):format(event.order, event.state)
end

function line_of.notice(event)
  local about = event.order and ("the order %s: "):format(event.order) or ""
  return "WARN", about .. redact.urls(event.reason)
end

local function failure(event)
  return "ERR", event.name .. ": " .. redact.urls(event.failure)
end

line_of.ledger, line_of.listener = failure, failure

-- What the error log gets of an event. Returns level, `WARN` or `ERR`; nil: nothing.
function _M.line(event)
  local make = line_of[event.name]
  if make then
    local level, line = make(event)
    return level, line and utf8.shown(line)
  end
end

-- Hear an event.
function _M.hear(event)
  if event.name == "order" then
    order_feed.note(event.order, { state = event.state })
  elseif event.name == "exchange" then
    metrics.exchange(event)
  end
  local level, line = _M.line(event)
  if level and not (event.name == "download" and ngx.worker.exiting()) then
    ngx.log(ngx[level], line)
  end
end

-- In seconds unless said otherwise.
_M.policy = {
  claims = 500, -- orders at a time
  pause = 1, -- before it begins again after an error
  longest_pause = 60, -- the same after many
  steady = 60, -- after which an error is no longer one of many
  tick = 1, -- between looks at what others have handed back
}

-- Files 0640, folders 0750: read by the group of nginx, and by nobody else.
local UMASK = 23 -- 027

local function shared()
  return ngx.shared.starvideos_gateway
end

-- nginx itself begins as a daemon with none.
local function set_umask()
  local ffi = require "ffi"
  ffi.cdef "unsigned int umask(unsigned int);"
  ffi.C.umask(UMASK)
end

local function options_of(app, on_begin)
  return {
    follow = true,
    accounts = "any",
    failures = false,
    claims = _M.policy.claims,
    -- A start or a reload lets a halted queue continue; a worker that nginx has
    -- replaced does not.
    resume = app.to_continue,
    interval = app.settings.interval,
    path = function(order)
      return orders.path_of(app, order.id)
    end,
    on_progress = function(order, task)
      order_feed.note(order.id, { state = "accepted", progress = task.progress })
    end,
    on_begin = on_begin,
  }
end

-- Works until an error ends it, or nginx this worker: the error.
local function work(app)
  local client = app.client()
  local ok, result, err = pcall(client.work, client, options_of(app,
    function(control)
      app.control, app.to_continue = control, false
      metrics.beat(app)
    end))
  app.control = nil
  return ok and (err or "there is nothing to follow") or result
end

-- What is handed back at the end of this worker is another's at once.
local function run(app)
  local runtime, pause = contexts.of(app.client()).runtime, _M.policy.pause
  while not ngx.worker.exiting() do
    local began = ngx.now()
    local err = work(app)
    if ngx.worker.exiting() then
      shared():incr("handed back", 1, 0)
      return
    end
    pause = ngx.now() > began + _M.policy.steady and _M.policy.pause or pause
    ngx.log(ngx.ERR, "no orders are sent or saved here for ", pause, " s: ",
      utf8.shown(redact.urls(tostring(err))))
    runtime:sleep(pause)
    pause = math.min(pause * 2, _M.policy.longest_pause)
  end
end

-- A worker whose look for orders is far off is woken where another has ended.
local function tick(app)
  local handed_back = shared():get "handed back" or 0
  if handed_back ~= app.handed_back then
    app.handed_back = handed_back
    if app.control then
      app.control.wake()
    end
  end
  metrics.tick()
  access.tick(app)
  metrics.beat(app)
  metrics.look(app)
end

-- Begin; in init_worker_by_lua.
function _M.begin(app)
  set_umask()
  app.to_continue = shared():add("continued " .. app.generation, true)
  ngx.timer.at(0, function()
    metrics.look(app)
    run(app)
  end)
  ngx.timer.every(_M.policy.tick, function(is_last)
    if is_last then
      access.tick(app, true)
    else
      tick(app)
    end
  end)
end

return _M
