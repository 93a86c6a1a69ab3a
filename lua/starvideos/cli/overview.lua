--- What is known of many orders while they are made: how many ended how, what
-- runs, what was spent, and how long the rest will take.
-- @module starvideos.cli.overview

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

--- Say which orders there are; any other is one more.
-- @tparam table ids a list
function Overview:expect(ids)
  self.expected, self.total = {}, #ids
  for _, id in ipairs(ids) do
    self.expected[id] = true
  end
end

--- An order runs, or what is known of it has changed.
-- @tparam string id
-- @tparam table news `name`, `what` (is done with it), `share` (of it that is
--   done, 0 to 1), `age` (seconds for which it runs, where it did before it was
--   seen first)
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

--- An order does not run any more, and has not ended.
-- @tparam string id
-- @tparam[opt=false] boolean is_bought
function Overview:stop(id, is_bought)
  leave(self, id)
  count_in(self, id)
  set_bought(self, id, is_bought or false)
end

--- An order has ended.
-- @tparam string id
-- @tparam string how `done`, `failed` or `unknown`
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

--- Money was spent, or given back where the amount is negative.
-- @tparam number amount in units of the currency
-- @tparam ?string currency
function Overview:spend(amount, currency)
  currency = currency or ""
  self.spent[currency] = (self.spent[currency] or 0) + amount
end

--- How many orders there are; nil where that is not known.
-- @treturn ?number
function Overview:count()
  local ended = self.ended
  return self.total and math.max(self.total, #self.order + ended.done
    + ended.failed + ended.unknown + ended.bought)
end

--- How many orders are neither running nor ended; nil where their number is not
-- known.
-- @treturn ?number
function Overview:waiting()
  local count, ended = self:count(), self.ended
  return count and count - #self.order - ended.done - ended.failed
    - ended.unknown - ended.bought
end

local function usual_duration(self)
  local sum = 0
  for _, seconds in ipairs(self.durations) do
    sum = sum + seconds
  end
  return #self.durations > 0 and sum / #self.durations or nil
end

--- How long the rest will take, as far as that can be told: some have ended, some
-- run, and no limit keeps the others from being sent.
-- @treturn ?number seconds
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

local _M = {}

--- Make one.
-- @tparam function now seconds of a clock that only goes forward
-- @tparam ?number total how many orders there are
-- @treturn table overview: `total`, `order` (what runs, the oldest first: `id`,
--   `name`, `what`, `share`, `began`), `ended` (how many, by how; `bought`: how
--   many were bought and are left), `spent` (by currency), `limit` (the name
--   of one that is reached), `trouble` (why orders cannot be sent for the time
--   being, in words), `held` (whether a limit of spend, or a stopped queue, keeps
--   orders from being sent)
function _M.new(now, total)
  return setmetatable({ now = now, total = total, running = {}, order = {},
    ended = { done = 0, failed = 0, unknown = 0, bought = 0 }, bought = {},
    spent = {}, durations = {}, finished = 0, held = false }, Overview)
end

return _M
