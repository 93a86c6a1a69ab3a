-- What this process knows of the orders that it has sent, whatever their ledger says: a
-- database that was put back to an earlier time (a failover, a restored copy) has
-- forgotten some of them. Such an order is not sent again, and its row is written back.
--
-- A memo of an order has its `row` as it was sent, the `address` of its ledger, and
-- once that is known how the sending ended, as `ledger:resolve` was told: `state` and
-- `changes`; and the `file` that its video was saved to. Of the newest orders all of
-- that is kept, of older ones the task's id.

local core = require "starvideos.core"
local states = require "starvideos.ledger.states"

local _M = {}

-- So many orders are kept whole at the least, and twice as many at most.
local WHOLE = 5000

local LOST = "the call that sent it ended before the answer came"

-- By the id of an order the one of its task; true where that is not known.
local sent

-- Memos by the id of the order, by what names it, and by its task.
local recent, former, count

local function new_generation()
  return { orders = {}, names = {}, tasks = {} }
end

--- Forget everything.
function _M.clear()
  sent, recent, former, count = {}, new_generation(), new_generation(), 0
  --- What could not be written yet, by the address of its ledger: of each order the
  -- newest, the oldest order first. It is written before anything else is done with
  -- that ledger, by whichever client does it.
  -- @table backlogs
  _M.backlogs = {}
end
_M.clear()

local function name_of(address, row)
  local key = row.order_key or row.key
  return key and ("%s\0%s\0%.0f\0%s"):format(address, row.account or "",
    tonumber(row.take) or 1, key)
end

local function task_name(base_url, task_id)
  return base_url .. "\0" .. task_id
end

local function find(kind, name)
  return name and (recent[kind][name] or former[kind][name])
end

-- The row as it was sent: without the request, which is never sent again and may be
-- long, and without its revision, so that it is compared with the one that is there.
local function kept_row(row)
  local copy = {}
  for name, value in pairs(row) do
    copy[name] = value
  end
  copy.body, copy.revision = nil, nil
  return copy
end

-- Remember an order that is on its way, or how the sending of it ended. `address`: of
-- its ledger.
function _M.remember(address, row, state, changes)
  local id, task_id = row.order_id, changes and changes.task_id
  if not recent.orders[id] then
    count = count + 1
    if count > WHOLE then
      former, recent, count = recent, new_generation(), 1
    end
  end
  local memo = { row = kept_row(row), address = address, state = state,
    changes = changes, process = core.process_id() }
  sent[id] = task_id or sent[id] or true
  recent.orders[id] = memo
  local name = name_of(address, row)
  if name then
    recent.names[name] = memo
  end
  if task_id then
    recent.tasks[task_name(row.base_url, task_id)] = memo
  end
end

-- Forget an order: it certainly was not bought. `address`: of its ledger.
function _M.forget(address, row)
  local id, name = row.order_id, name_of(address, row)
  sent[id] = nil
  for _, generation in ipairs { recent, former } do
    generation.orders[id] = nil
    local memo = name and generation.names[name]
    if memo and memo.row.order_id == id then
      generation.names[name] = nil
    end
  end
end

-- Of an order that is known by its id alone.
local function short_memo(address, row)
  local task_id = sent[row.order_id]
  if not task_id then
    return nil
  end
  local copy = kept_row(row)
  copy.attempts = (tonumber(row.attempts) or 0) + 1
  return { row = copy, address = address,
    state = task_id == true and "unknown" or "accepted",
    changes = { task_id = task_id ~= true and task_id or nil } }
end

-- What is known of an order that its ledger takes for one that was not sent. `address`:
-- of the ledger.
local function memo_of(address, row)
  return find("orders", row.order_id) or short_memo(address, row)
    or find("names", name_of(address, row)) or nil
end

-- These are methods of a ledger.
_M.methods = {}

-- Whether the answer to an order is still to come, to this process or to the one
-- that it was forked from.
local function is_on_its_way(self, memo)
  return not memo.state and (memo.process ~= core.process_id()
    or self.is_sending(memo.row.order_id))
end

-- Writes back what the ledger may have forgotten of an order; where it has not,
-- nothing changes. Returns the row as it is then, or nil and an err.
local function write_back(self, memo)
  local changes = memo.changes or { error = LOST }
  local row, err = self:ask("resolve", memo.row,
    memo.state or "unknown", changes)
  if row and memo.file and row.state ~= "downloaded" then
    self:ask("downloaded", changes.task_id, memo.file, row.order_id)
    row, err = self:ask("of_task", changes.task_id, nil,
      row.order_id)
  end
  return row, err
end

-- Before an order is placed: make sure that the ledger knows the one that this process
-- has sent under its key.
function _M.methods:recall(wanted)
  local memo = find("names", name_of(self.address, wanted))
    or find("names", name_of(self.address, { key = wanted.other_key,
      take = wanted.take, account = wanted.account }))
  if not memo or is_on_its_way(self, memo) then
    return true
  end
  local row, err = write_back(self, memo)
  if not row and err.misplaced then
    return true -- what this process has open knows it, and takes no other
  end
  return row and true, err
end

-- Write back what the ledger has forgotten of a task's order. Returns whether there was
-- something to write.
function _M.methods:recall_task(task_id)
  local memo = find("tasks", task_name(self.base_url, task_id))
  return memo ~= nil and memo.address == self.address
    and write_back(self, memo) ~= nil
end

--- Write back what the ledger may have forgotten of the orders that a worker has.
function _M.methods:recall_claims()
  for _, generation in ipairs { recent, former } do
    local list = {}
    for _, memo in pairs(generation.orders) do
      list[#list + 1] = memo.state and memo.row.claim == self.worker
        and not memo.file and memo or nil
    end
    for _, memo in ipairs(list) do
      write_back(self, memo)
    end
  end
end

-- What is left to be done for an order that was claimed; nil where nothing is.
local function reconciled(self, row)
  local memo = row.state == "queued" and memo_of(self.address, row)
  if not memo then
    if row.task_id then
      _M.remember(self.address, row, "accepted", { task_id = row.task_id,
        task_created = row.task_created })
    end
    return row
  elseif is_on_its_way(self, memo) then
    return nil
  end
  local after = write_back(self, memo)
  return after and after.task_id and states.is_open(after.state)
    and after.state ~= "unknown" and after or nil
end

-- What a worker has claimed, without the orders that this process has sent: where the
-- ledger has forgotten that it is told, and the row is what it is then.
function _M.methods:reconcile(rows)
  local list = {}
  for _, row in ipairs(rows) do
    list[#list + 1] = reconciled(self, row)
  end
  return list
end

--- Remember how the sending of an order ended; see `remember`.
function _M.methods:remember(row, state, changes)
  _M.remember(self.address, row, state, changes)
end

-- Remember where the video of a task was saved. `file`: as `tasks.downloaded` gets it.
function _M.methods:remember_file(task_id, file)
  local memo = find("tasks", task_name(self.base_url, task_id))
  if memo then
    memo.file = file
  end
end

return _M
