-- What the workers learn of orders, and those who listen to it in any nginx worker.
--
-- Two ways lead to a listener. The shared dict holds what this gateway's workers note;
-- one light thread of each nginx worker looks there several times a second. Another one
-- asks the ledger now and then for all orders that somebody listens to, in a few
-- messages: so a change that a gateway on another machine made, or a person, arrives as
-- well. Neither asks the provider, and neither grows with the number of those who
-- listen to the same order.

local waiters = require "starvideos.host.ngx.waiter"

local unpack = table.unpack or unpack

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  tick = 0.5, -- between two looks at what this gateway's workers have noted
  look = 3, -- between two looks at the ledger
  chunk = 256, -- orders that it is asked for at a time
  kept = 7200, -- for which a note is kept
}

-- What nginx's workers share; nil outside of nginx.
local function board()
  local nginx = rawget(_G, "ngx")
  return nginx and nginx.shared.starvideos_gateway
end

local function put(key, value)
  local dict = board()
  if value and dict:get(key) ~= value then
    dict:set(key, value, _M.policy.kept)
    dict:incr("notes", 1, 0)
  end
end

-- Note how far an order is. Listeners of all nginx workers learn of it. `seen`: `state`
-- (of the ledger, which must have it already) and `progress` (0 to 100), or one of
-- them.
function _M.note(order_id, seen)
  put("state " .. order_id, seen.state)
  put("progress " .. order_id, seen.progress and math.floor(seen.progress))
end

-- How far an order is. Returns 0 to 100; nil where that is not known.
function _M.progress(order_id)
  local dict = board()
  return dict and dict:get("progress " .. order_id)
end

-- Note that the file of an order is being removed. The ledger learns of it when it is
-- gone; who asks in between is told the same.
function _M.note_removal(order_id)
  board():set("removed " .. order_id, true, _M.policy.kept)
end

-- Whether the file of an order was being removed, of late.
function _M.is_removed(order_id)
  return board():get("removed " .. order_id) ~= nil
end

-- Of this nginx worker: the orders that somebody listens to, by their ids, each
-- with its `entry`, its `listeners`, the `state` and the `progress` that were
-- noted of it, and whether its entry `is_stale`.
local topics = {}

-- The light threads by their names, with the waiter of each.
local threads = {}

local function wake(topic)
  for listener in pairs(topic.listeners) do
    listener.waiter:wake()
  end
end

local function mark_stale(topic)
  topic.is_stale = true
  if threads.look then
    threads.look:wake()
  end
end

local function compare(order_id, topic)
  local dict = board()
  local state, progress = dict:get("state " .. order_id),
    _M.progress(order_id)
  if state ~= topic.state then
    topic.state = state
    mark_stale(topic)
  elseif progress ~= topic.progress then
    topic.progress = progress
    wake(topic)
  end
end

local seen_notes

--- Look at what was noted, if anything was. Does not wait.
function _M.tick()
  local notes = board():get "notes"
  if notes == seen_notes then
    return
  end
  seen_notes = notes
  for order_id, topic in pairs(topics) do
    compare(order_id, topic)
  end
end

-- A light thread that was killed could not leave.
local function sweep(topic)
  for listener in pairs(topic.listeners) do
    if listener.waiter:has_ended() then
      listener:leave()
    end
  end
end

local function ids_of_topics()
  local ids = {}
  for order_id, topic in pairs(topics) do
    sweep(topic)
    ids[#ids + 1] = order_id
  end
  return ids
end

local function compare_with_ledger(source, ids)
  for first = 1, #ids, _M.policy.chunk do
    local last = math.min(first + _M.policy.chunk - 1, #ids)
    local asked = { unpack(ids, first, last) }
    local statuses = source.statuses(asked)
    for _, order_id in ipairs(statuses and asked or {}) do
      local topic = topics[order_id]
      if topic and topic.entry.status ~= statuses[order_id] then
        topic.is_stale = true
      end
    end
  end
end

local function refresh(source, order_id, topic)
  topic.is_stale = false
  local entry, is_gone = source.find(topic.caller, topic.entry.id)
  if entry then
    topic.entry = entry
  else
    topic.is_gone, topic.is_stale = is_gone, not is_gone
  end
  if topics[order_id] == topic and not topic.is_stale then
    wake(topic)
  end
end

local looked_at = -math.huge

-- Ask the ledger for what somebody listens to, if it is time to; and read again what
-- has changed.
function _M.look(source)
  local ids, now = ids_of_topics(), ngx.now()
  if now >= looked_at + _M.policy.look then
    looked_at = now
    compare_with_ledger(source, ids)
  end
  for _, order_id in ipairs(ids) do
    local topic = topics[order_id]
    if topic and topic.is_stale then
      refresh(source, order_id, topic)
    end
  end
end

-- Runs for as long as somebody listens, in a timer: it belongs to no request.
local function run(_, name, body)
  local waiter = threads[name]
  while next(topics) and not ngx.worker.exiting() do
    local ok, raised = pcall(body)
    if not ok then
      ngx.log(ngx.ERR, "listeners may be told late: ", tostring(raised))
    end
    waiter:wait(_M.policy[name])
  end
  waiter:leave()
  threads[name] = nil
end

local function keep_running(name, body)
  if not threads[name] then
    threads[name] = waiters.new()
    if not waiters.start_timer(0, run, name, body) then
      threads[name] = nil
    end
  end
end

local Listener = {}
Listener.__index = Listener

-- The order as it is known now. Returns entry; nil where the order was deleted.
function Listener:entry()
  local topic = self.topic
  if topic.is_gone then
    return nil
  elseif topic.entry.status == "in_progress" then
    topic.entry.progress = topic.progress or topic.entry.progress
  end
  return topic.entry
end

-- Wait until the order may have changed, or the nginx worker is to end. May end early:
-- the caller looks.
function Listener:wait(seconds)
  self.waiter:wait(seconds)
end

--- End the wait.
function Listener:wake()
  self.waiter:wake()
end

--- Stop listening.
function Listener:leave()
  local topic = self.topic
  self.waiter:leave()
  if topic.listeners[self] then
    topic.listeners[self] = nil
    self.on_leave()
  end
  if not next(topic.listeners) and topics[topic.entry.order_id] == topic then
    topics[topic.entry.order_id] = nil
  end
end

local function topic_of(caller, entry)
  local topic = topics[entry.order_id]
  if not topic then
    topic = { caller = caller, listeners = {},
      state = board():get("state " .. entry.order_id),
      progress = _M.progress(entry.order_id) }
    topics[entry.order_id] = topic
  elseif topic.entry.status ~= entry.status then
    wake(topic)
  end
  topic.entry = entry
  return topic
end

-- Listen to an order, in the running light thread. `source`: `statuses(ids)`: by the
-- ids of orders what has become of them, nil where the ledger cannot be read;
-- `find(caller, id)`: the entry, or nil and whether the order is gone. `caller`: whose
-- order it is. `entry`: as it was just found; see `starvideos.gateway.orders`.
-- `on_leave`: called once, when this listener is no more, also where its light thread
-- was killed.
function _M.listen(source, caller, entry, on_leave)
  local listener = setmetatable({ topic = topic_of(caller, entry),
    waiter = waiters.new(), on_leave = on_leave }, Listener)
  listener.topic.listeners[listener] = true
  keep_running("tick", _M.tick)
  keep_running("look", function()
    _M.look(source)
  end)
  return listener
end

return _M
