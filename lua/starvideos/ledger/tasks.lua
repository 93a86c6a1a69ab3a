-- What becomes of an order that is sent, and of its task; and the object that answers
-- all methods of a ledger, with the database that holds the orders. This may run on
-- another thread than its callers, in a Lua state of its own: its arguments and results
-- are plain data.
--
-- The first argument of every such method is the `caller`: `owner` (a name of
-- `starvideos.ledger.owner`), `worker` (the id of the worker that it is, if it is one),
-- `tolerates` (whether failed tasks do not halt its queue), `base_url` and `account`
-- (of its client; no account: it serves all), `now` (Unix seconds), `boottime` (seconds
-- of the clock that goes on while the machine sleeps), `clock` (the name of that clock)
-- and, where orders are listed or decided about, `held` (true under the id of each
-- order that the owner is sending). A method that fails returns nil and an err, a table
-- with `kind` and `message`.
--
-- Every write names the order, the revision that was read and, where it records the
-- outcome of an attempt, that attempt: another one stays unchanged. But the id of a
-- task is always recorded.

local address = require "starvideos.provider.address"
local methods = require "starvideos.ledger.methods"
local schema = require "starvideos.ledger.schema"
local changes = require "starvideos.ledger.changes"
local history = require "starvideos.ledger.history"
local restoration = require "starvideos.ledger.restoration"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"
local stores = require "starvideos.ledger.store"

local unpack = table.unpack or unpack

local _M = {}

local SHARED = "the provider has given the task %s to this order, and to the order"
  .. " %s before: both are kept; look in your account what was bought"

local ELSEWHERE = "the task %s was seen with another base URL or account than its"
  .. " order was placed with (%s): it is the only order of that task, so it was"
  .. " taken for this one"

-- The order is about to be sent. `row`: as `begin` gave it. Returns row; nil where
-- another process has claimed it.
function _M.submitting(store, caller, row)
  local is_there, misplaced = store:look()
  if not is_there then
    return nil, misplaced
  end
  local after, err = store:transition(caller, row, "submitting", {
    attempts = (row.attempts or 0) + 1, owner = caller.owner,
    lease = store.lease, error = false })
  if after == false then
    return nil, store:failure("written", "another process has claimed the"
      .. " order " .. row.order_id)
  end
  return after, err
end

-- The order still waits for its turn to be sent: begin a new lease. Returns row; nil
-- where another process has claimed it.
function _M.renew(store, caller, row)
  local is_there, misplaced = store:look()
  if not is_there then
    return nil, misplaced
  end
  local after, err = store:transition(caller, row, "prepared", { owner = caller.owner,
    lease = store.lease })
  if after == false then
    return nil, store:failure("written", "another process has claimed the"
      .. " order " .. row.order_id)
  end
  return after, err
end

-- The order was not accepted, that is certain. `pause`: seconds until the caller sends
-- it again; nil: it does not.
function _M.unsent(store, caller, row, why, pause)
  local state = row.queued_at and not pause and "queued" or "prepared"
  local after, err = store:transition(caller, row, state, { error = why,
    owner = pause and caller.owner or false,
    lease = pause and pause + store.lease or false })
  -- Another process that has taken it since may be sending it.
  return after == false and row or after, err
end

-- Whether an answer is that of the order as it stands.
local function is_answer_to(now, row, state, task_id)
  return now.attempts == row.attempts and states.allows(now.state, state)
    and (not now.task_id or not task_id or now.task_id == task_id)
end

-- A task that was bought for an order that has moved on is recorded beside its
-- own, and the order listed as open until a person dismisses it.
local function record_late(store, caller, row, task_id)
  if row.task_id == task_id or not task_id then
    return row
  end
  local late_tasks = schema.with_id(row.late_tasks, task_id)
  if late_tasks == row.late_tasks then
    return row
  end
  local after, err = store:update(caller, row, { closed_at = false,
    late_tasks = late_tasks })
  if after then
    changes.note_late(store, caller, after, task_id)
  end
  return after, err
end

local bought = { accepted = true, completed = true, failed = true,
  cancelled = true }

-- The states of an order whose request somebody will still send.
local to_be_sent = { staged = true, queued = true, prepared = true,
  submitting = true }

-- Another order of the same provider and account has the task, too.
local function note_shared(store, caller, row)
  local rows = store.news and store:all("task", row.task_id)
  for _, other in ipairs(rows or {}) do
    if other.order_id ~= row.order_id and other.account == row.account
      and address.are_same(other.base_url, row.base_url) then
      return changes.note_notice(store, caller, row, "shared", row.task_id,
        SHARED:format(row.task_id, other.order_key or other.order_id))
    end
  end
end

local function resolve(store, caller, row, state, values)
  local now, err = row, nil
  if not row.revision then
    now, err = transitions.reload(store, row)
    if not now and not err.gone then
      return nil, err
    end
  end
  local outcome = { owner = false, lease = false, task_id = values.task_id,
    task_created = values.task_created, keeps_spend = values.keeps_spend,
    accepted_at = bought[state] and caller.now or nil,
    error = values.error or false }
  for _ = 1, transitions.ATTEMPTS do
    local after
    if not now then
      after, err = restoration.write_back(store, caller, row, state, outcome,
        record_late)
    elseif restoration.has_gone_back(now, row) and state ~= "refused" then
      after, err = restoration.bring_forward(store, caller, now, row, state,
        outcome)
    elseif is_answer_to(now, row, state, values.task_id) then
      after, err = store:transition(caller, now, state, outcome)
    elseif bought[state] then
      after, err = record_late(store, caller, now, values.task_id)
    else
      after = now
    end
    if after ~= false then
      return after, err
    end
    now, err = transitions.reload(store, row)
    if not now and (not err.gone or state == "refused") then
      return nil, err
    end
  end
  return transitions.contended(store, row.order_id)
end

-- How the sending of an order ended. `row`: as `submitting` gave it; without its
-- revision where the database may have been put back since. `state`: accepted, failed,
-- cancelled, refused or unknown. `values`: `task_id`, `task_created`, `error`, and
-- `keeps_spend`, of a failed task that no provider pays back. Returns
-- row; where the order had moved on, the task was recorded beside its own, and where
-- the ledger had forgotten it, it was written back, and err; with `gone` where it was
-- refused and the ledger does not hold it any more, or where its file is one that
-- nobody else reads (`misplaced`).
function _M.resolve(store, caller, row, state, values)
  local after, err = resolve(store, caller, row, state, values)
  local kept, lost = true, nil
  if after and values.task_id then
    note_shared(store, caller, after)
    kept, lost = store:check_kept()
  end
  if not kept then
    return nil, lost
  elseif after and after.queued_at and not to_be_sent[after.state] then
    history.drop_body(store, after.order_id) -- where that fails `archive` does it
  end
  return after, err
end

-- Whether an order is of the caller's provider and account; one that serves all
-- accounts names none.
local function is_of(caller, row)
  return (not caller.account or row.account == caller.account)
    and (not caller.base_url
      or address.are_same(row.base_url, caller.base_url))
end

local function which_are(rows, holds)
  local list = {}
  for _, row in ipairs(rows) do
    list[#list + 1] = holds(row) and row or nil
  end
  return list
end

-- The orders of a task: those of its provider and account; or the only one that
-- there is, for somebody may have corrected a base URL. Of several that a provider
-- has given the same task a worker may change those that it has claimed.
local function rows_of(store, caller, id, order_id)
  local rows, err = store:all("task", id)
  if not rows then
    return nil, err
  end
  local fit = which_are(rows, function(row) return is_of(caller, row) end)
  if not fit[1] and #rows == 1 then
    fit = rows
  end
  if order_id then
    fit = which_are(fit, function(row) return row.order_id == order_id end)
  end
  local own = which_are(fit, function(row)
    return caller.worker and row.claim == caller.worker
  end)
  return own[1] and own or fit
end

-- Of several orders of one task the one that a file is of: that which has its path,
-- else one that has none, else one whose video is not saved yet.
local function of_file(rows, path)
  if #rows < 2 then
    return rows
  end
  for _, holds in ipairs {
    function(row) return row.path == path end,
    function(row) return row.path == nil end,
    function(row) return row.state ~= "downloaded" end } do
    local found = which_are(rows, holds)
    if found[1] then
      return { found[1] }
    end
  end
  return {}
end

local function note_elsewhere(store, caller, row)
  if not is_of(caller, row) then
    changes.note_notice(store, caller, row, "elsewhere", row.task_id,
      ELSEWHERE:format(row.task_id, row.base_url))
  end
end

-- What came of an update of all orders of a task: "none" where there are none.
local function outcome_of(rows, err)
  return rows and (rows[1] and true or "none"), err
end

-- A video that was completed has expired as one whose link is dead has: its order stays.
local function is_expiry(row, values)
  return values.keeps_spend and row.state == "completed"
end

local function update_task(store, caller, rows, state, values)
  for _, row in ipairs(rows or {}) do
    local is_so = row.state == state and not values.path
      and (not values.amount or values.amount == row.amount) or is_expiry(row, values)
    local ok, err = transitions.check_claim(caller, row)
    if not ok then
      return nil, err
    elseif states.allows(row.state, state) and not is_so then
      ok, err = transitions.apply(store, caller, row, state, values)
      note_elsewhere(store, caller, row)
    elseif row.missing_since then
      ok, err = store:update(caller, row, { missing_since = false })
    end
    if ok == nil then
      return nil, err
    end
  end
  return outcome_of(rows)
end

-- A task was seen: it has ended, or the order it is of was accepted. `state`: accepted,
-- completed, failed, cancelled or expired: a failure that no provider pays back. `amount`:
-- text, what the provider says that it charged. Returns true; "none" where the ledger has
-- no order of it.
function _M.seen(store, caller, id, state, why, amount)
  local rows, err = rows_of(store, caller, id)
  if not rows then
    return nil, err
  end
  local is_expired = state == "expired"
  return update_task(store, caller, rows, is_expired and "failed" or state,
    { error = why or false, missing_since = false, amount = amount,
      keeps_spend = is_expired or nil })
end

local function save(store, caller, state, id, file, order_id)
  local rows, err = rows_of(store, caller, id, order_id)
  if not rows then
    return nil, err
  end
  return update_task(store, caller, of_file(rows, file.path), state,
    { path = file.path, machine = file.machine, bytes = file.bytes,
      sha256 = file.sha256, missing_since = false })
end

-- The video of a task is on disk and about to be renamed: where the process ends during
-- that, the next one recognises the file by what is recorded here. `file`: `path`,
-- `machine`, `bytes`, `sha256`. `order_id`: of the order that the file is of, where
-- that is known.
function _M.placing(store, caller, id, file, order_id)
  return save(store, caller, "completed", id, file, order_id)
end

-- The video of a task is on disk. `file`: `path`, `machine`, `bytes`, `sha256`.
function _M.downloaded(store, caller, id, file, order_id)
  return save(store, caller, "downloaded", id, file, order_id)
end

-- The provider does not know a task any more.
function _M.missing(store, caller, id)
  local rows, err = rows_of(store, caller, id)
  for _, row in ipairs(rows or {}) do
    local ok
    ok, err = transitions.check_claim(caller, row)
    if ok and not row.missing_since and states.is_open(row.state) then
      ok, err = store:update(caller, row, { missing_since = caller.now })
    end
    if ok == nil then
      return nil, err
    end
  end
  return outcome_of(rows, err)
end

-- The order of a task. `path`: of a file that is to be its video's. `order_id`: of the
-- order, where that is known. `strictly`: whether one of another provider or account is
-- none. Returns row; nil where there is none.
function _M.of_task(store, caller, id, path, order_id, strictly)
  local rows, err = rows_of(store, caller, id, order_id)
  local row = rows and (path and of_file(rows, path) or rows)[1]
  return row and (not strictly or is_of(caller, row)) and row or nil, err
end

-- List the open orders, or all, oldest first. Those whose process ended are recovered
-- first. `limit`: rows at most. `after`: id of the last order of the page before.
-- `all`: also those about which nothing is to be done. Returns where more may follow
-- the `after` of the next page; or err.
function _M.pending(store, caller, limit, after, all)
  local page, err = store:list(all and "all" or "open", limit, after)
  if not page then
    return nil, err
  end
  local rows = {}
  for _, row in ipairs(page) do
    row, err = transitions.recover_listed(store, caller, row)
    if not row then
      return nil, err
    elseif all or row.late_tasks or states.is_open(row.state) then
      rows[#rows + 1] = row
    end
  end
  return rows, #page == limit and page[limit].order_id or nil
end

-- Whether what is recorded can be read by others; see `starvideos.ledger.store`.
function _M.check_kept(store)
  return store:check_kept()
end

-- Copy a ledger in a file while others use it. `path`: of the copy, which must not be
-- there.
function _M.backup(store, _, path)
  return store:copy_to(path)
end

local Orders = {}
Orders.__index = Orders

for name, row in pairs(methods) do
  local module, run = row.run:match "^(.*)%.(.*)$"
  local functions = module == "tasks" and _M or require("starvideos.ledger." .. module)
  Orders[name] = function(self, ...)
    if row.says then
      local arguments, count = { ... }, select("#", ...)
      return self.store:gently(function()
        return functions[run](self.store, unpack(arguments, 1, count))
      end)
    end
    return functions[run](self.store, ...)
  end
end

--- Close the connection.
function Orders:close()
  self.store:close()
end

-- What answers a ledger's methods; nothing is opened before it is needed. `options`:
-- plain data: `address` (absolute path of a SQLite file, or a `postgres://` URL),
-- `fsync`, `lease` (seconds that an order is held). Returns orders: the methods of
-- `starvideos.ledger.methods`, each with the caller first.
function _M.new(options)
  return setmetatable({ store = stores.new(options) }, Orders)
end

return _M
