-- How many orders ended: which code the command exits with, what is printed of each,
-- and what is to be done about those that are left.

local next_steps = require "starvideos.cli.next_steps"
local failure = require "starvideos.cli.failure"

local _M = {}

local Outcomes = {}
Outcomes.__index = Outcomes

-- A key with what else belongs to the name of its order, where there is more. Returns
-- nil where it has no key.
function _M.full_key(order)
  local take = (order.take or 1) > 1 and (", take %d"):format(order.take) or ""
  local account = order.account and ", account " .. order.account or ""
  return order.key and order.key .. take .. account
end

-- What an order is called.
function _M.name_of(order)
  return _M.full_key(order) or order.task_id or order.id
end

-- What the ledger says of an order that was left alone has the code of the
-- order's state.
local code_of_state = { queued = failure.REFUSED,
  prepared = failure.REFUSED, submitting = failure.RUNNING,
  accepted = failure.RUNNING, completed = failure.NOT_SAVED,
  unknown = failure.UNKNOWN }

-- After these a further run may save more.
local worth_resuming = { failure.AUTH, failure.RUNNING,
  failure.NOT_SAVED }

-- Whether an order has bought something for certain. `err`: with which it ended.
function _M.is_bought(order, err)
  return (order.task_id or err and err.task_id) ~= nil
    and order.state ~= "unknown" and not (err and err.kind == "outcome_unknown")
end

local function code_of(self, order, err)
  local left_alone = err.kind == "ledger" and err.order and not err.task
  local phase = self.phases[order.id]
    or not _M.is_bought(order, err) and "order"
    or order.state == "completed" and "file" or "task"
  return left_alone and code_of_state[order.state]
    or failure.code(err, phase)
end

local function tell_left(self, order, err)
  local code = code_of(self, order, err)
  self.kinds[code] = self.kinds[code] or err.kind
  self.undecided[#self.undecided + 1] = code == failure.UNKNOWN
    and order or nil
  if not err.untold then
    self.job.console:failure(err, next_steps.of_order(self.job, order, err),
      _M.name_of(order))
  end
end

local function line_of(order, file, err)
  local fault = err and failure.shown(err)
  if fault then
    fault.order = nil
  end
  return { id = order.id, key = order.key, take = order.take,
    account = order.account, task_id = order.task_id, model = order.model,
    file = file, error = fault }
end

-- An order has ended, or this run with it. `err`: where it is `untold`, it counts and
-- is not printed.
function Outcomes:add(order, file, err)
  self.known[order.id] = self.keeps
  self.list[#self.list + 1] = self.keeps and line_of(order, file, err) or nil
  if file then
    self.done = self.done + 1
  elseif err.kind ~= "cancelled" then
    tell_left(self, order, err)
  end
end

-- Whether the end of an order was told.
function Outcomes:knows(id)
  return self.known[id] == true
end

local function first_of(codes, kinds)
  for _, code in ipairs(codes) do
    if kinds[code] then
      return code
    end
  end
end

-- What the command ends with, where an order has no video. `also`: an err of the whole
-- run, which may be more severe. Returns err: `again` where a further run may save
-- more, and `undecided`, a list of the orders of unknown outcome.
function Outcomes:shortfall(summary, also)
  local its_code = also and failure.code(also, "order")
  if its_code then
    self.kinds[its_code] = self.kinds[its_code] or also.kind
  end
  local code = first_of(failure.by_severity, self.kinds)
  return code and failure.new(self.kinds[code], summary, {
    again = first_of(worth_resuming, self.kinds) ~= nil,
    undecided = self.undecided,
    exit = code,
  })
end

-- Make one. Returns outcomes: `done` (how many), `list` (of what became of each, see
-- "JSON: outcome" in docs/command-line.md), `phases` (what the caller knows of each
-- order, by its id: `task` or `file`), `keeps` (true; false where they are so many that
-- none is to be kept).
function _M.new(job)
  return setmetatable({ job = job, list = {}, phases = {}, kinds = {},
    undecided = {}, known = {}, keeps = true, done = 0 }, Outcomes)
end

return _M
