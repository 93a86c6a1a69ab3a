-- What becomes of an order, as server-sent events: where it stands, each time when it
-- gets further, and its end. A stream that ends before the order does says nothing of
-- the order: the client connects again, and `Last-Event-ID` says what it knows.

local access = require "starvideos.gateway.access"
local json = require "starvideos.base.json"
local order_feed = require "starvideos.gateway.order_feed"
local metrics = require "starvideos.gateway.metrics"
local openai = require "starvideos.gateway.openai"
local orders = require "starvideos.gateway.orders"
local requests = require "starvideos.gateway.request"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  of_caller = 200, -- streams of one caller, in all nginx workers
  of_all = 2000, -- streams in each
  retry_after = 30, -- after which a client may try again that got none
  heartbeat = 15, -- without an event, for proxies that close what is silent
  longest = 3600, -- after which a stream ends; the client connects again
  reconnect = 1, -- until it does, and up to as much again
}

-- How far an order is, by its status.
local ranks = { queued = 1, in_progress = 2, completed = 3, failed = 3 }
local ENDED = 3

local function known_of(event_id)
  local status, progress = (event_id or ""):match "^([%l_]+)%.(%d+)$"
  return ranks[status] and { status = status, rank = ranks[status],
    progress = tonumber(progress) }
end

-- Whether an order is elsewhere than where somebody knows it to be. It does not
-- go back: where less is known than before, the shared dict was lost.
local function is_news(entry, known)
  local rank = ranks[entry.status]
  if not known or rank == ENDED or known.rank == ENDED then
    return not known or entry.status ~= known.status
  elseif rank ~= known.rank then
    return rank > known.rank
  end
  return entry.progress > known.progress
end

-- The event that tells where an order stands. `last_id`: of the event that the client
-- has got last. Returns the event; nil where the client knows that.
function _M.event(app, entry, last_id)
  if not is_news(entry, known_of(last_id)) then
    return nil, last_id
  end
  local id = ("%s.%d"):format(entry.status, entry.progress)
  return ("id: %s\nevent: %s\ndata: %s\n\n"):format(id,
    ranks[entry.status] == ENDED and entry.status or "progress",
    utf8.repaired(json.encode(openai.object(entry, app.catalog)))), id
end

local total = 0 -- in this nginx worker

local function count(app, name, by)
  return access.count(app, "streams " .. name, by)
end

local function change(app, name, by)
  count(app, name, by)
  total = total + by
  metrics.stream(by)
end

local function refusal_of(app, name)
  local own = count(app, name, 0)
  local is_full = own >= _M.policy.of_caller
  if not is_full and total < _M.policy.of_all then
    return nil
  end
  return requests.refusal { status = 429, code = "rate_limit_exceeded",
    retry_after = _M.policy.retry_after, message = (is_full
      and "you have %d event streams open, and that is the most"
      or "%d event streams are open, and that is the most"):format(
      is_full and own or total) .. "; the order goes on without one: close"
      .. " some, or ask for the video now and then" }
end

-- What listeners ask the ledger.
local function source_of(app)
  return { statuses = function(ids)
    return orders.statuses(app, ids)
  end, find = function(caller, id)
    local entry, refusal = orders.find(app, caller, id)
    return entry, refusal and refusal.status == 404
  end }
end

-- Whether it was sent, as far as is known.
local function send(text)
  return ngx.print(text) and ngx.flush(true)
end

local function begin(request)
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["X-Content-Type-Options"] = "nosniff"
  ngx.header["X-Accel-Buffering"] = "no" -- for an nginx before this one
  local base = _M.policy.reconnect * 1000
  return request.method ~= "HEAD"
    and send(("retry: %d\n\n"):format(base + math.random(base)))
end

-- Sends what happens, until the order or the stream ends.
local function follow(app, request, listener, last_id)
  if not begin(request) then
    return
  end
  local ends_at, silent_since = ngx.now() + _M.policy.longest, ngx.now()
  local entry = listener:entry()
  while entry and not listener.is_gone and not ngx.worker.exiting()
    and ngx.now() < ends_at do
    local event, id = _M.event(app, entry, last_id)
    local is_due = ngx.now() >= silent_since + _M.policy.heartbeat
    if event or is_due then
      last_id, silent_since = id, ngx.now()
      if not send(event or ":\n\n") or ranks[entry.status] == ENDED then
        return
      end
    end
    listener:wait(silent_since + _M.policy.heartbeat - ngx.now())
    entry = listener:entry()
  end
end

-- Counted before it is begun, which may yield to others that are counted.
local function listen(app, request, entry, last_id)
  local caller = request.caller
  change(app, caller.name, 1)
  local listener = order_feed.listen(source_of(app), caller, entry, function()
    change(app, caller.name, -1)
  end)
  ngx.on_abort(function()
    listener.is_gone = true
    listener:wake()
  end)
  local ok, raised = pcall(follow, app, request, listener, last_id)
  listener:leave()
  if not ok then
    error(raised, 0)
  end
end

-- Stream the events of an order. Returns true: the stream has ended.
function _M.run(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  refusal = refusal or refusal_of(app, request.caller.name)
  if refusal and ngx.worker.exiting() then
    begin(request) -- an EventSource does not connect again after a 503
    return true
  elseif refusal then
    return nil, refusal
  end
  local last_id = request.header "Last-Event-ID"
  local event = _M.event(app, entry, last_id)
  if ranks[entry.status] == ENDED and not event then
    ngx.status = 204 -- so that a client which knows it all connects no more
    return true
  elseif ranks[entry.status] ~= ENDED and request.method ~= "HEAD" then
    listen(app, request, entry, last_id)
  elseif begin(request) then
    send(event)
  end
  return true
end

return _M
