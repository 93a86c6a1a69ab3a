-- Wait for every open order of the ledger and save its video, whichever run placed it.
-- Nothing is ordered here. An order that another worker has claimed is taken over only if
-- that worker ends before.

local errors = require "starvideos.errors"
local handle = require "starvideos.host.handle"
local intervals = require "starvideos.wait.interval"
local paths = require "starvideos.base.path"
local pending = require "starvideos.order.pending"
local saving = require "starvideos.fleet.saving"
local states = require "starvideos.ledger.states"
local tasks = require "starvideos.base.task"
local wait = require "starvideos.wait"
local workers = require "starvideos.fleet.worker"

local _M = {}

-- Orders read from the ledger at a time.
local PAGE = 1000

-- Seconds between looks at the orders that other workers have.
local FIRST_LOOK, LAST_LOOK = 1, 15
local LONG_SECONDS = 3600

-- How many of them are looked at each time.
local LOOKS = 100

-- For how long a task that the provider does not know is still queried.
local MISSING_SECONDS = 24 * 3600

local advice = {
  queued = "nothing was bought; a worker sends it (client:work, starvideos work)",
  prepared = "nothing was bought; order it again under its key to send it",
  submitting = "a process is sending it right now, and may buy it; resume again"
    .. " later",
  unknown = "it was sent, and may have been bought; check your account with"
    .. " the provider, then adopt the task you find there, or order again with"
    .. " another take, or dismiss it",
  elsewhere = "it was ordered at %s, and this client has another base URL:"
    .. " resume it with that one",
  account = "it is of %s, and this client is of %s: resume it with the account"
    .. " (--account) and the API key that it was ordered with, or label it where"
    .. " it has none",
  late = "another task was bought for it, whose answer came late (%s): download"
    .. " that, then dismiss the order",
}

local function account_name(account)
  return account and "the account " .. account or "no account"
end

-- Why an order cannot be waited for; nil where it can.
local function fault_of(context, order)
  local what, fact, other = not order.task_id and order.state, nil, nil
  if order.base_url ~= context.base_url then
    what, fact = "elsewhere", order.base_url
  elseif order.account ~= context.account then
    what, fact, other = "account", account_name(order.account),
      account_name(context.account)
  elseif order.late_tasks and not states.is_open(order.state) then
    what, fact = "late", table.concat(order.late_tasks, ", ")
  end
  if not what then
    return nil
  end
  return errors.new {
    kind = what == "unknown" and "outcome_unknown" or "ledger",
    message = ("order %s is %s: %s"):format(order.key or order.id, order.state,
      (advice[what] or "its task is not known"):format(fact, other)),
    order = order,
  }
end

-- With a wrong key every task looks unknown: such an order stays open, but is not queried
-- for ever.
local function missing_for_long(context, order)
  local since = order.missing_since
  local seconds = since and context.wall_clock() - since or 0
  if seconds < MISSING_SECONDS then
    return nil
  end
  return errors.new {
    kind = "not_found",
    message = ("the provider has not known task %s for %.0f h, so it was not"
      .. " queried now; it was bought: resume with missing (--missing) queries it,"
      .. " dismiss with force (--force) dismisses the order"):format(order.task_id,
      seconds / 3600),
    order = order,
    task_id = order.task_id,
  }
end

-- Why an open order cannot be waited for, as an err that says what to do; nil if it can.
-- `missing`: also wait for a task that the provider has not known for long.
local function cannot_wait(context, order, missing)
  return fault_of(context, order)
    or not missing and missing_for_long(context, order) or nil
end

local function finish(self, order, file, err)
  local result = self.result
  local count = file and "done" or err.kind == "task_failed" and "failed"
    or "left"
  result[count] = result[count] + 1
  result.orders[#result.orders + 1] = { order = order, file = file, err = err }
  if err and err.kind == "cancelled" then
    self.stopped = true
    self.interrupted = self.interrupted or err.interrupted or nil
  end
  if self.options.on_done then
    self.options.on_done(order, file, err)
  end
end

local function conclude(self, one, file, err)
  if one.worker.is_over then
    return
  end
  self.open[one.order.task_id] = nil
  self.count = self.count - 1
  finish(self, one.order, file, err)
  if self.count == 0 then
    self.heartbeat:wake "claim"
  end
end

-- Finishes a claimed order at once if it is saved or cannot be, or waits for it.
local function begin(self, order)
  local worker = self.heartbeat.worker
  local one = { order = order, worker = worker,
    path = saving.path_of(self.context, order, self.options) }
  self.elsewhere[order.id] = nil
  local other = self.open[order.task_id]
  if other and other.order.id ~= order.id then
    self.passed[order.id] = true
    return finish(self, order, nil, saving.shared(order, other.order))
  end
  self.count = self.count + 1
  self.open[order.task_id] = one
  local ok, err, file = true, nil, nil
  if order.queued_at or order.path and not paths.is_rooted(order.path) then
    ok, err = saving.prepare(self.context, order, one.path, self.options)
  end
  if ok then
    file, err = saving.look(worker.context, order, one.path, self.options)
  end
  if file or err then
    conclude(self, one, file, not file and err or nil)
  elseif not worker.is_over then
    self.pool:add({ id = order.task_id, created = tasks.created_at(order) },
      self.options.first_poll or 0)
  end
end

local function save(self, ended)
  local one = ended.one
  if not one.worker.is_over then
    conclude(self, one, saving.save(one.worker.context, one.order, one.path,
      ended.task, self.options, self.deadline))
  end
end

local function take(self, ended)
  local one = self.open[ended.id]
  if not one or one.worker.is_over then
    return
  elseif not ended.task then
    saving.note_missing(one.worker.context, ended.err)
    return conclude(self, one, nil, ended.err)
  end
  ended.one = one
  self.keep(ended)
end

local function new_pool(self)
  local options = saving.wait_options(self.options, function(id)
    return self.open[id]
  end)
  return wait.pool(self.heartbeat.worker.context, options, self.also,
    function(ended)
      take(self, ended)
    end)
end

-- This worker was taken for dead: its orders are another's now.
local function start_over(self)
  self.pool:stop()
  for _, one in pairs(self.open) do
    self.elsewhere[one.order.id] = one.order
    self.line[#self.line + 1] = one.order
    self.count = self.count - 1
  end
  self.open = {}
  self.pool = new_pool(self)
  self.heartbeat:wake "claim"
end

-- Claims all orders that nobody else waits for, also new ones.
local function claim(self)
  local context = self.context
  local rows
  repeat
    rows = self.heartbeat.worker:claim("any", PAGE)
    saving.each(context.runtime, rows or {}, function(row)
      local order = context.ledger.order_of(row)
      if not self.passed[order.id] then
        begin(self, order)
      end
    end)
  until not rows or #rows < PAGE
end

local function with_another(order, kind)
  return errors.new {
    kind = kind,
    message = ("another worker waits for order %s; nothing is lost: resume again"
      .. " later"):format(order.key or order.id),
    task_id = order.task_id,
    order = order,
  }
end

-- Finishes an order that another worker had, as that has recorded it.
local function of_another(self, order, row, err)
  local state = row and row.state
  if not row then
    finish(self, order, nil, err)
  elseif state == "downloaded" then
    finish(self, order, { path = row.path, bytes = row.bytes,
      sha256 = row.sha256 })
  elseif state == "failed" or state == "cancelled" then
    finish(self, order, nil, errors.new {
      kind = "task_failed",
      message = row.error or ("task %s is %s"):format(order.task_id, state),
      task_id = order.task_id,
      order = order,
    })
  else
    finish(self, order, nil, with_another(order, "ledger"))
  end
end

-- Looks at one order; true if nobody has to look at it again.
local function look_at(self, order, is_late)
  local row, err = self.context.ledger:order(order.id)
  if not self.elsewhere[order.id] then
    return true
  elseif row and not states.is_open(row.state)
    or not row and err.kind == "not_found" then
    of_another(self, order, row, err)
    return true
  elseif is_late then
    finish(self, order, nil, with_another(order, "timeout"))
    return true
  end
  return false
end

-- Looks at some of the orders of other workers, in turn.
local function look_elsewhere(self)
  local is_late = self.context.runtime:now() >= self.deadline
  local line = self.line
  for _ = 1, is_late and #line or math.min(#line, LOOKS) do
    local order = table.remove(line, 1)
    if self.elsewhere[order.id] and look_at(self, order, is_late) then
      self.elsewhere[order.id] = nil
    elseif self.elsewhere[order.id] then
      line[#line + 1] = order
    end
  end
end

local function claim_all(self)
  local look, ok, why = FIRST_LOOK, true, nil
  claim(self)
  while ok and (self.count > 0 or next(self.elsewhere)) do
    ok, why = self.heartbeat:sleep_until_woken("claim", next(self.elsewhere) and look
      or LONG_SECONDS)
    look = math.min(look * 2, LAST_LOOK)
    if ok and next(self.elsewhere) then
      claim(self)
      look_elsewhere(self)
    end
  end
  self.why = self.why or why
  self.heartbeat:stop()
end

local function finish_rest(self)
  local rest = {}
  for _, one in pairs(self.open) do
    rest[#rest + 1] = one.order
  end
  for _, order in pairs(self.elsewhere) do
    rest[#rest + 1] = order
  end
  for _, order in ipairs(rest) do
    finish(self, order, nil, errors.new {
      kind = "cancelled",
      message = ("stopped waiting for order %s; nothing is lost: resume again")
        :format(order.key or order.id),
      task_id = order.task_id,
      order = order,
      interrupted = self.why == "interrupted" or nil,
    })
  end
end

local function run(self)
  local context = self.context
  handle.show(context.runtime, function()
    return { ended = #self.result.orders, count = self.total }
  end)
  context.runtime:gather {
    function(also)
      self.also = also
      self.keep = saving.queue(also, function(ended)
        save(self, ended)
      end)
      self.pool = new_pool(self)
      local alive = self.heartbeat:beat()
      also(function()
        claim_all(self)
      end)
      self.why = self.heartbeat:run(alive, function()
        return self.heartbeat:beat()
      end) or self.why
    end,
  }
  finish_rest(self)
  self.heartbeat.worker:retire()
end

local function list_of(context)
  local list, after = {}, nil
  repeat
    local page
    page, after = pending.list(context.ledger, PAGE, after)
    if not page then
      return nil, after
    end
    for _, order in ipairs(page) do
      list[#list + 1] = order
    end
  until not after
  return list
end

local function stopped(self)
  local result, lost = self.result, self.context.ledger:lost()
  return errors.new {
    kind = "cancelled",
    message = ("%s; %d saved, %d failed; %s"):format(
      self.interrupted and "interrupted" or "cancelled", result.done,
      result.failed, lost and lost.message
        .. "; keep the ids of the tasks that are left"
        or "nothing is lost: resume again for the rest"),
    result = result,
    interrupted = self.interrupted,
  }
end

local function new(context, options, list)
  return {
    context = context,
    options = options,
    total = #list,
    result = { done = 0, failed = 0, left = 0, orders = {} },
    elsewhere = {}, -- orders by their ids, that another worker has
    line = {}, -- the same, in the order in which they are looked at
    passed = {}, -- ids of those that are not waited for
    open = {}, -- by the ids of their tasks, `order`, `path` and `worker`
    count = 0, -- how many these are
    deadline = context.runtime:now() + (options.timeout or intervals.policy.timeout),
  }
end

function _M.all(context, options)
  local list, err = list_of(context)
  if not list then
    return nil, err
  end
  local self = new(context, options, list)
  for _, order in ipairs(list) do
    local problem = cannot_wait(context, order, options.missing)
    if problem then
      self.passed[order.id] = true
      finish(self, order, nil, problem)
    else
      self.elsewhere[order.id] = order
      self.line[#self.line + 1] = order
    end
  end
  if next(self.elsewhere) then
    self.heartbeat, err = workers.new(context, function()
      start_over(self)
    end)
    if not self.heartbeat then
      return nil, err
    end
    run(self)
  end
  if self.stopped then
    return nil, stopped(self)
  end
  return self.result
end

return _M
