-- What is shown while many orders are made: on a terminal a board, redrawn in place,
-- and above it what went wrong; elsewhere a line for each change. Its overview knows
-- how many orders ended how, what runs, what was spent, and how long the rest will
-- take.

local progress_view = require "starvideos.cli.progress_view"
local outcomes = require "starvideos.cli.outcomes"
local values = require "starvideos.cli.values"

local _M = {}

local Overview = {}
Overview.__index = Overview

-- So many of the latest durations tell how long an order takes.
local LATEST = 50

-- An order that takes longer than usual is taken to need this part more.
local OVERDUE = 0.25

-- There may be more orders than were expected: others are in the queue as well, or
-- come while it is worked off.
local function count_in(self, id)
  if self.expected and not self.expected[id] then
    self.expected[id] = true
    self.total = self.total + 1
  end
end

-- Orders that were bought and are left for a later run.
local function set_bought(self, id, is_bought)
  local before = self.bought[id] or false
  if before ~= is_bought then
    self.bought[id] = is_bought or nil
    self.ended.bought = self.ended.bought + (is_bought and 1 or -1)
  end
end

-- Say which orders there are; any other is one more.
function Overview:expect(ids)
  self.expected, self.total = {}, #ids
  for _, id in ipairs(ids) do
    self.expected[id] = true
  end
end

-- An order runs, or what is known of it has changed. `news`: `name`, `what` (is done
-- with it), `share` (of it that is done, 0 to 1), `age` (seconds for which it runs,
-- where it did before it was seen first).
function Overview:run(id, news)
  local entry = self.running[id]
  count_in(self, id)
  set_bought(self, id, false)
  if not entry then
    entry = { id = id, began = self.now() - (news.age or 0) }
    self.running[id] = entry
    self.order[#self.order + 1] = entry
  end
  entry.name = news.name or entry.name or id
  entry.what, entry.share = news.what, news.share
end

local function leave(self, id)
  local entry = self.running[id]
  self.running[id] = nil
  for index, other in ipairs(entry and self.order or {}) do
    if other == entry then
      table.remove(self.order, index)
      break
    end
  end
  return entry
end

-- An order does not run any more, and has not ended. `is_bought`:  (default false).
function Overview:stop(id, is_bought)
  leave(self, id)
  count_in(self, id)
  set_bought(self, id, is_bought or false)
end

-- An order has ended. `how`: `done`, `failed` or `unknown`.
function Overview:finish(id, how)
  local entry = leave(self, id)
  count_in(self, id)
  set_bought(self, id, false)
  self.ended[how] = self.ended[how] + 1
  if entry and how == "done" then
    local count = self.finished % LATEST + 1
    self.durations[count] = self.now() - entry.began
    self.finished = self.finished + 1
  end
end

-- Money was spent, or given back where the amount is negative. `amount`: in units of
-- the currency.
function Overview:spend(amount, currency)
  currency = currency or ""
  self.spent[currency] = (self.spent[currency] or 0) + amount
end

-- How many orders there are; nil where that is not known.
function Overview:count()
  local ended = self.ended
  return self.total and math.max(self.total, #self.order + ended.done
    + ended.failed + ended.unknown + ended.bought)
end

-- Say how many orders the ledger has left, among them those that run here: what is neither
-- among them nor has ended here others have done.
function Overview:leave(left)
  local count, ended = self:count(), self.ended
  if count then
    self.others = math.max(0, count - math.max(left, #self.order + ended.bought)
      - ended.done - ended.failed - ended.unknown)
  end
end

-- How many orders are neither running nor ended; nil where their number is not known.
function Overview:waiting()
  local count, ended = self:count(), self.ended
  return count and math.max(0, count - #self.order - ended.done - ended.failed
    - ended.unknown - ended.bought - self.others)
end

local function usual_duration(self)
  local sum = 0
  for _, seconds in ipairs(self.durations) do
    sum = sum + seconds
  end
  return #self.durations > 0 and sum / #self.durations or nil
end

-- How long the rest will take, as far as that can be told: some have ended, some run,
-- and no limit keeps the others from being sent.
function Overview:time_left()
  local usual, waiting = usual_duration(self), self:waiting()
  if not usual or not waiting or #self.order == 0
    or waiting > 0 and self.held then
    return nil
  end
  local longest, sum, now = 0, 0, self.now()
  for _, entry in ipairs(self.order) do
    local left = math.max(usual - (now - entry.began), usual * OVERDUE)
    longest, sum = math.max(longest, left), sum + left
  end
  return math.max(longest, (sum + waiting * usual) / #self.order)
end

-- Make an overview. `now`: seconds of a clock that only goes forward. `total`: how many
-- orders there are. Returns overview: `total`, `order` (what runs, the oldest first:
-- `id`, `name`, `what`, `share`, `began`), `ended` (how many, by how; `bought`: how
-- many were bought and are left), `spent` (by currency), `limit` (the name of one that
-- is reached), `others` (how many other workers have ended), `trouble` (why orders
-- cannot be sent for the time being, in words), `held` (whether a limit of spend, or a
-- stopped queue, keeps orders from being sent).
function _M.overview(now, total)
  return setmetatable({ now = now, total = total, running = {}, order = {},
    ended = { done = 0, failed = 0, unknown = 0, bought = 0 }, bought = {},
    spent = {}, durations = {}, finished = 0, others = 0, held = false }, Overview)
end

local Monitor = {}
Monitor.__index = Monitor

-- A change is drawn at once, but not more often than this, in seconds.
local PAUSE = 0.1

-- What keeps an order from being sent is told at once, and again after so many
-- seconds, while that goes on.
local REMINDER = 60

-- After these an order has ended that was not bought. After others it was given
-- back: this run, or a later one, may do better.
local final = { validation = "failed", config = "failed",
  invalid_request = "failed" }

-- How an order has ended; nil where it has not.
local function end_of(order, err)
  return not err and "done" or err.kind == "outcome_unknown" and "unknown"
    or err.kind == "task_failed" and "failed"
    or not outcomes.is_bought(order, err) and final[err.kind] or nil
end

-- States in which an order may have been bought, of one that was being sent.
local unsent = { queued = true, prepared = true, refused = true }

local function draw(self)
  local job = self.job
  if job.now() < self.drawn_at + PAUSE then
    return
  end
  local left = self.control and self.control.left()
  if left then
    self.overview:leave(left)
  end
  self.drawn_at = job.now()
  job.console:show(function(columns, rows)
    return progress_view.lines(self.overview, columns, rows)
  end)
end

-- What is known of an order has changed: in a word or two, and where a line of its
-- own is to say more, that.
local function tell(self, order, what, share, more)
  local overview, id = self.overview, order.id
  local known = overview.running[id]
  local name = known and not order.take and known.name -- a download's has none
    or outcomes.name_of(order)
  overview:run(id, { name = name, what = what, share = share,
    age = order.accepted_at and math.max(0, os.time() - order.accepted_at) })
  if self.job.console.terminal then
    draw(self)
  elseif self.told[id] ~= what then
    self.told[id] = what
    self.job.console:note(name .. ": " .. (more or what), { event = "progress",
      order_id = id, key = order.key, take = order.take,
      task_id = order.task_id, status = what })
  end
end

local function order_in(event)
  return { id = event.order, key = event.key, take = event.take,
    account = event.account, task_id = event.task_id }
end

-- Money is spent from the moment in which an order is sent, until it is certain
-- that nothing was bought.
local function count_money(self, event)
  local id, cost = event.order, event.cost
  if event.state == "submitting" and cost then
    self.costs[id] = cost
    self.overview:spend(cost, event.currency)
  elseif event.from == "submitting" and unsent[event.state]
    and self.costs[id] then
    self.overview:spend(-self.costs[id], event.currency)
    self.costs[id] = nil
  end
end

-- Why an order went back to the queue: what was first said, without the times that
-- differ from one attempt to the next.
local function reason_of(event)
  return (event.error:gsub(" after %d+ ms", ""):gsub(";.*", ""))
end

-- Orders cannot be sent for the time being, or again; that is told of the first,
-- and while it goes on.
local function tell_trouble(self, event)
  local now = self.job.now()
  if event.state == "accepted" then
    self.overview.trouble = nil
  elseif event.from == "submitting" and event.state == "queued"
    and event.error and self.passing[event.order] then
    local text = reason_of(event) .. "; nothing was bought by that, retrying"
    self.overview.trouble = text
    if not self.job.console.terminal
      and now >= (self.reminded[text] or -math.huge) + REMINDER then
      self.reminded[text] = now
      self.job.console:note("ordering: " .. text, { event = "trouble",
        order_id = event.order, key = event.key, message = text })
    end
  end
end

local hear = {}

-- No connection, or a 429, will pass; a refusal will not, and is told as such.
function hear.exchange(self, event)
  if event.operation == "create" and event.order then
    self.passing[event.order] = event.failure ~= nil or event.status == 429
      or nil
  end
end

-- A worker that ends waits for the answers to what it has sent.
function hear.worker(self, event)
  local count = 0
  for _ in pairs(self.sending) do
    count = count + 1
  end
  if event.state == "draining" and count > 0 then
    self.job.console:note(("%d sent: waiting for the answer, so that no task is"
      .. " lost; a second signal quits at once, and then the outcome is unknown")
      :format(count), { event = "draining", count = count })
  end
end

function hear.order(self, event)
  count_money(self, event)
  tell_trouble(self, event)
  self.sending[event.order] = event.state == "submitting" or nil
  if self.ended[event.order] then
    return
  elseif event.state == "accepted" then
    tell(self, order_in(event), "ordered", nil, "ordered, task "
      .. tostring(event.task_id))
  elseif event.from == "submitting" and unsent[event.state] then
    self.overview:stop(event.order)
  end
end

function hear.download(self, event)
  if event.order and not self.ended[event.order]
    and (event.state == "started" or event.state == "progress") then
    tell(self, order_in(event), "downloading", event.total
      and event.total > 0 and event.received / event.total or nil)
  end
end

-- What holds all orders back, or does no more, is told once.
local function hold(self, is_held, text, object)
  if self.overview.held ~= is_held then
    self.overview.held = is_held
    self.job.console:note(text, object)
  end
end

-- Where nothing runs here, it is others that have all of a limit.
local function tell_wait(self, name, event)
  self.overview.limit = event.state == "reached" and name or nil
  if self.overview.limit and #self.overview.order == 0
    and next(self.sending) == nil then
    local why = event.reason and ", of which others have all: " .. event.reason or ""
    self.job.console:note("waiting for the limit " .. name .. why, { event = "limit",
      limit = name, state = event.state, reason = event.reason,
      retry_at = event.retry_at })
  end
end

-- Of open tasks and of rates there is more soon; of money there is not.
function hear.limit(self, event)
  local name = tostring(event.limit)
  if not name:find "^spend" then
    tell_wait(self, name, event)
  else
    local is_held = event.state == "reached"
    hold(self, is_held, is_held and ("the limit %s is reached: orders that do not"
      .. " fit wait%s"):format(name, event.retry_at and " until "
      .. values.time_text(event.retry_at) .. " UTC" or "")
      or ("the limit %s holds no orders back any more"):format(name),
      { event = "limit", limit = name, state = event.state,
        retry_at = event.retry_at })
  end
end

function hear.queue(self, event)
  local is_held = event.state == "halted"
  hold(self, is_held, is_held and "the queue has stopped: "
    .. tostring(event.reason) .. "; what was ordered is waited for"
    or "the queue goes on", { event = "queue", state = event.state,
    reason = event.reason })
end

-- Take an event of the client.
function Monitor:on_event(event)
  if hear[event.name] then
    hear[event.name](self, event)
  end
end

local troubles = { rate_limited = "too many requests, retrying",
  auth = "the provider refuses the key, retrying",
  not_found = "not known to the provider, retrying" }

-- Take the progress of a wait.
function Monitor:on_progress(order, task, info)
  self.outcomes.phases[order.id] = task.status == "completed" and "file"
    or "task"
  local trouble = info.error and (troubles[info.error.kind]
    or "no answer, retrying")
  local share = not trouble and task.progress and task.progress / 100
  tell(self, order, trouble or tostring(task.status or "waiting"),
    share or nil)
end

-- Take the end of an order.
function Monitor:on_done(order, file, err)
  local overview, id = self.overview, order.id
  self.told[id], self.costs[id] = nil, nil
  local how = end_of(order, not file and err or nil)
  if how then
    overview:finish(id, how)
  else
    overview:stop(id, outcomes.is_bought(order, err))
  end
  self.ended[id] = how and true or nil
  self.outcomes:add(order, file, err)
  if file and not self.job.console.terminal then
    self.job.console:note(("%s: saved as %s, %d bytes"):format(
      outcomes.name_of(order), file.path, file.bytes), { event = "saved",
      order_id = order.id, key = order.key, take = order.take,
      task_id = order.task_id, file = file })
  end
  self.job.console:warn(file and file.warnings)
  draw(self)
end

-- What others do shows in what is left. `control`: of the worker.
function Monitor:follow(control)
  local overview = self.overview
  self.control = control
  if overview.total and not overview.expected then
    overview.total = control.left() or overview.total -- of this base URL and account
  end
end

-- The listeners of a work.
function Monitor:listeners()
  return function(...) self:on_progress(...) end,
    function(...) self:on_done(...) end
end

-- The line for the whole, as it stands in the end.
function Monitor:summary()
  return progress_view.whole(self.overview, math.huge)
end

-- Monitor the orders of a job, whose `tick` and events are for it from now on. `total`:
-- how many orders there are, where that is known. Returns monitor: `overview`,
-- `outcomes`, `gone` (how many videos of an earlier run are not there any more).
function _M.new(job, total)
  local self = setmetatable({ job = job, overview = _M.overview(job.now, total),
    outcomes = outcomes.new(job), told = {}, costs = {}, ended = {}, gone = 0, reminded = {},
    sending = {}, passing = {}, drawn_at = -math.huge }, Monitor)
  function job.tick()
    draw(self)
  end
  function job.on_event(event)
    self:on_event(event)
  end
  return self
end

return _M
