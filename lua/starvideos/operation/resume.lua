--- Wait for every open order of the ledger and save its video, whichever run
-- placed it. Nothing is ordered here.
-- @module starvideos.operation.resume

local errors = require "starvideos.errors"
local pending = require "starvideos.operation.pending"
local policy = require "starvideos.polling.policy"
local saving = require "starvideos.operation.saving"
local states = require "starvideos.ledger.states"
local tasks = require "starvideos.api.task"
local wait = require "starvideos.operation.wait"

local _M = {}

-- Orders read from the ledger at a time.
local PAGE = 1000

-- For how long a task that the provider does not know is still queried.
local MISSING_SECONDS = 24 * 3600

local advice = {
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
local function obstacle(context, order)
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

-- With a wrong key every task looks unknown: such an order stays open, but not
-- every resume queries it for ever.
local function missing_for_long(context, order, options)
  local since = order.missing_since
  local seconds = since and context.wall_clock() - since or 0
  if options.missing or seconds < MISSING_SECONDS then
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

local failures = { task_failed = true, expired = true }

local function finish(self, order, file, err)
  local result = self.result
  local count = file and "done" or failures[err.kind] and "failed" or "left"
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

-- Finishes an order at once, or adds it to those to wait for.
local function begin(self, order)
  local file
  local err = obstacle(self.context, order)
    or missing_for_long(self.context, order, self.options)
  local path = not err and saving.path_of(self.context, order, self.options)
  if path then
    file, err = saving.look(self.context, order, path, self.options)
  end
  if file or err then
    finish(self, order, file, not file and err or nil)
  else
    self.open[order.task_id] = { order = order, path = path }
    self.tasks[#self.tasks + 1] = { id = order.task_id,
      created = tasks.created_at(order) }
  end
end

-- Saves what is completed, until all of it is.
local function save_all(self)
  local completed = self.completed
  while completed.first <= completed.last do
    local ended = completed[completed.first]
    completed[completed.first] = nil
    completed.first = completed.first + 1
    local one = self.open[ended.id]
    finish(self, one.order, saving.save(self.context, one.order, one.path,
      ended.task, self.options, self.deadline))
  end
  self.downloads = self.downloads - 1
end

-- A wait has ended; `also` starts a function beside the others.
local function take(self, ended, also)
  local completed = self.completed
  if not ended.task then
    saving.note_missing(self.context, ended.err)
    return finish(self, self.open[ended.id].order, nil, ended.err)
  end
  completed.last = completed.last + 1
  completed[completed.last] = ended
  if self.downloads < saving.downloads then
    self.downloads = self.downloads + 1
    also(function()
      save_all(self)
    end)
  end
end

local function wait_for_all(self)
  local options = self.options
  local progress = options.on_progress
  wait.all(self.context, self.tasks, {
    timeout = options.timeout,
    interval = options.interval,
    max_interval = options.max_interval,
    first_poll = options.first_poll or 0,
    on_progress = progress and function(seen, info)
      progress(self.open[info.id].order, seen, info)
    end,
  }, {}, function(ended, also)
    take(self, ended, also)
  end)
end

-- All open orders.
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
  local result = self.result
  return errors.new {
    kind = "cancelled",
    message = ("%s; %d saved, %d failed; nothing is lost: resume again for the"
      .. " rest"):format(
      self.interrupted and "interrupted" or "cancelled", result.done,
      result.failed),
    result = result,
    interrupted = self.interrupted,
  }
end

--- Wait for all that is open and save it.
-- @tparam table context of the client
-- @tparam table options see `client:resume`
-- @treturn ?table result
-- @treturn ?table err; of kind cancelled with `result`, as far as it came
function _M.all(context, options)
  local list, err = list_of(context)
  if not list then
    return nil, err
  end
  local self = {
    context = context,
    options = options,
    result = { done = 0, failed = 0, left = 0, orders = {} },
    open = {}, -- orders and their paths under the ids of their tasks
    tasks = {}, -- to be waited for
    completed = { first = 1, last = 0 }, -- to be saved
    downloads = 0, -- under way
    deadline = context.runtime:now()
      + (options.timeout or policy.timeout),
  }
  saving.each(context.runtime, list, function(order)
    begin(self, order)
  end)
  wait_for_all(self)
  if self.stopped then
    return nil, stopped(self)
  end
  return self.result
end

return _M
