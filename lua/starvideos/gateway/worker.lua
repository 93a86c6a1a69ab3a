--- The worker of the fleet in each nginx worker: it orders what callers have placed,
-- whoever they are, waits for it and saves it. A GET never asks the provider.
-- @module starvideos.gateway.worker

local contexts = require "starvideos.context"
local access = require "starvideos.gateway.access"
local health = require "starvideos.gateway.health"
local order_feed = require "starvideos.gateway.order_feed"
local metrics = require "starvideos.gateway.metrics"
local orders = require "starvideos.gateway.orders"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
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
      health.beat(app)
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
  health.beat(app)
  health.look(app)
end

--- Begin; in init_worker_by_lua.
-- @tparam table app
function _M.begin(app)
  set_umask()
  app.to_continue = shared():add("continued " .. app.generation, true)
  ngx.timer.at(0, function()
    health.look(app)
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
