--- What the clients of a gateway tell: to those who listen for an order, to the
-- counters, and to the error log, which gets no prompt, key or link, and no text of
-- the provider about an order: that may repeat its prompt, and stands in the ledger.
-- @module starvideos.gateway.event_log

local order_feed = require "starvideos.gateway.order_feed"
local metrics = require "starvideos.gateway.metrics"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local failed = { failed = true, refused = true, unknown = true, cancelled = true }

-- Of an event by its name: the level and the line for the error log, if any.
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

--- What the error log gets of an event.
-- @tparam table event see `starvideos.events`
-- @treturn ?string level, `WARN` or `ERR`; nil: nothing
-- @treturn ?string line
function _M.line(event)
  local make = line_of[event.name]
  if make then
    local level, line = make(event)
    return level, line and utf8.shown(line)
  end
end

--- Hear an event.
-- @tparam table event see `starvideos.events`
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

return _M
