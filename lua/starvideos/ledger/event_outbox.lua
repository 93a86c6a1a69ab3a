-- What a client is told of its ledger: events wait here until a listener may be called,
-- which is never between the record of an order that is being sent and the record of
-- its answer.

local _M = {}

-- So many tasks are known by their orders at the least, and twice as many at most.
local TASKS = 10000

local Hearing = {}
Hearing.__index = Hearing

local last_id = 0

local function add(self, listener, event)
  self.last = self.last + 1
  self[self.last] = { listener, event }
end

-- Take the events that came with an answer. `answer`: `list`, and from a thread
-- `first`: the number of the first of them, by which those are known that came before.
-- `teller`: the hearing of the client that will tell them.
function Hearing:take(answer, teller)
  local first = answer.first or self.count + 1
  for index, event in ipairs(answer.list) do
    if first + index - 1 > self.count then
      self.count = first + index - 1
      self:learn(event.order, event.key, event.task_id)
      add(teller, self.listener, event)
    end
  end
end

local function add_limit(self, state, limit, row, at, problem)
  add(self, self.listener, { name = "limit", limit = limit, state = state,
    order = row.order_id, key = row.order_key, label = row.label,
    account = row.account ~= "" and row.account or nil, at = at,
    retry_at = problem and problem.retry_at, reason = problem and problem.why })
end

-- A limit keeps an order back. That is told of the first such order, until one passes, and
-- again where more orders of unknown outcome keep it full. `problem`: the error, of kind
-- limited.
function Hearing:limited(row, problem, at)
  local limit = problem.limit
  local before, unknown = self.reached[limit], problem.unknown or 0
  if not before or unknown > before.unknown then
    self.reached[limit] = { account = row.account, label = row.label, unknown = unknown }
    add_limit(self, "reached", limit, row, at, problem)
  end
end

-- No limit keeps an order back: those that kept others back, and hold for it, are
-- lifted.
function Hearing:passed(row, at)
  for limit, before in pairs(self.reached) do
    local holds = (not limit:find(" account=", 1, true)
      or row.account == before.account)
      and (not limit:find(" label=", 1, true) or row.label == before.label)
    if holds then
      self.reached[limit] = nil
      add_limit(self, "lifted", limit, row, at)
    end
  end
end

-- Tell what waits, in its order. Raises what a listener raises: the rest waits.
function Hearing:tell()
  while self.first <= self.last do
    local item = self[self.first]
    self[self.first] = nil
    self.first = self.first + 1
    item[1](item[2])
  end
end

-- Learn of which order a task is. `id`: of the order.
function Hearing:learn(id, key, task_id)
  if not id or not task_id or self.tasks[task_id] then
    return
  elseif self.known >= TASKS then
    self.former, self.tasks, self.known = self.tasks, {}, 0
  end
  self.known = self.known + 1
  self.tasks[task_id] = { id, key }
end

-- Another provider may have given the same id to another task.
local function learn_row(self, row)
  if row.base_url == self.base_url then
    self:learn(row.order_id, row.order_key, row.task_id)
  end
end

-- Learn it from rows. `value`: a row, a list of them, or anything else.
function Hearing:learn_rows(value)
  if type(value) ~= "table" then
    return
  end
  learn_row(self, value)
  for _, row in ipairs(value) do
    if type(row) == "table" then
      learn_row(self, row)
    end
  end
end

-- The order of a task, as far as it is known without a question.
function Hearing:order_of(task_id)
  local order = self.tasks[task_id] or self.former[task_id]
  if order then
    return order[1], order[2]
  end
end

-- Make one. `listener`: called with each event. `base_url`: of the provider of its
-- tasks. Returns hearing: `id`, which no other of this Lua state has, and `count`, the
-- number of its last event; nil without a listener.
function _M.new(listener, base_url)
  if not listener then
    return nil
  end
  last_id = last_id + 1
  return setmetatable({ id = last_id, count = 0, listener = listener,
    base_url = base_url, first = 1,
    last = 0, reached = {}, tasks = {}, former = {}, known = 0 }, Hearing)
end

return _M
