--- The orders: every decision about them, and the database that holds them.
-- This may run on another thread than its callers, in a Lua state of its own: its
-- arguments and results are plain data.
--
-- The first argument of every method is the `caller`: `owner` (a name of
-- `starvideos.ledger.owner`), `worker` (the id of the worker that it is, if it is
-- one), `tolerates` (whether failed tasks do not halt its queue), `now` (Unix
-- seconds), `boottime` (seconds of the clock that goes on while the machine
-- sleeps), `clock` (the name of that clock) and, where orders are listed or
-- decided about, `held` (true under the id of each order that the owner is
-- sending). A method that fails returns nil and an err, a table with `kind` and
-- `message`.
--
-- Every write names the order, the revision that was read and, where it records
-- the outcome of an attempt, that attempt: another one stays unchanged. But the
-- id of a task is always recorded.
-- @classmod starvideos.ledger.orders

local archive = require "starvideos.ledger.archive"
local decision = require "starvideos.ledger.decision"
local gates = require "starvideos.ledger.gates"
local history = require "starvideos.ledger.history"
local id_list = require "starvideos.ledger.id_list"
local limit_settings = require "starvideos.ledger.limit_settings"
local news = require "starvideos.ledger.news"
local placement = require "starvideos.ledger.placement"
local queue = require "starvideos.ledger.queue"
local requests = require "starvideos.ledger.requests"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"
local stores = require "starvideos.ledger.store"
local workers = require "starvideos.ledger.workers"

local _M = {}

local Orders = {}
Orders.__index = Orders

--- Record an order, or find the one that was placed under its key and take.
-- @tparam table caller
-- @tparam table wanted `id` (of a new order), `key` (or nil), `take`,
--   `account` (empty for none), `model`, `params` and `former` (see
--   `starvideos.ledger.record`), `base_url`, `path` and `machine` (or nil),
--   `waited` (true: another process was seen sending it, so this call must not),
--   `at_once` (true: the caller sends it as soon as it may, so a new one may be
--   `submitting` already)
-- @treturn ?string "send": the caller may send it; "known": it was accepted
--   before; "busy": another process is sending it; "unsent": another process was,
--   and it was not accepted; "unknown"; "spent": it was dismissed;
--   "conflict": key and take name another order; "unlabelled": the key's
--   orders have no account, this one has; "no_account": the other way round
-- @treturn table the order's row, with `next_take` of its key; or err of kind
--   ledger
function Orders:begin(caller, wanted)
  return placement.begin(self.store, caller, wanted)
end

--- The order is about to be sent.
-- @tparam table caller
-- @tparam table row as `begin` gave it
-- @treturn ?table row; nil where another process has claimed it
-- @treturn ?table err
function Orders:submitting(caller, row)
  local is_there, misplaced = self.store:look()
  if not is_there then
    return nil, misplaced
  end
  local after, err = self.store:transition(caller, row, "submitting", {
    attempts = (row.attempts or 0) + 1, owner = caller.owner,
    lease = self.store.lease, error = false })
  if after == false then
    return nil, self.store:failure("written", "another process has claimed the"
      .. " order " .. row.order_id)
  end
  return after, err
end

--- The order still waits for its turn to be sent: begin a new lease.
-- @tparam table caller
-- @tparam table row prepared
-- @treturn ?table row; nil where another process has claimed it
-- @treturn ?table err
function Orders:renew(caller, row)
  local is_there, misplaced = self.store:look()
  if not is_there then
    return nil, misplaced
  end
  local after, err = self.store:transition(caller, row, "prepared", { owner = caller.owner,
    lease = self.store.lease })
  if after == false then
    return nil, self.store:failure("written", "another process has claimed the"
      .. " order " .. row.order_id)
  end
  return after, err
end

--- The order was not accepted, that is certain.
-- @tparam table caller
-- @tparam table row
-- @tparam string why
-- @tparam ?number pause seconds until the caller sends it again; nil: it does not
-- @treturn ?table row
-- @treturn ?table err
function Orders:unsent(caller, row, why, pause)
  local state = row.queued_at and not pause and "queued" or "prepared"
  local after, err = self.store:transition(caller, row, state, { error = why,
    owner = pause and caller.owner or false,
    lease = pause and pause + self.store.lease or false })
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
  local late_tasks = id_list.with(row.late_tasks, task_id)
  if late_tasks == row.late_tasks then
    return row
  end
  local after, err = store:update(caller, row, { closed_at = false,
    late_tasks = late_tasks })
  if after then
    news.note_late(store, caller, after, task_id)
  end
  return after, err
end

local bought = { accepted = true, completed = true, failed = true,
  cancelled = true }

-- The states of an order whose request somebody will still send.
local to_be_sent = { staged = true, queued = true, prepared = true,
  submitting = true }

local function resolve(self, caller, row, state, changes)
  local now, err = row, nil
  for _ = 1, transitions.ATTEMPTS do
    local after
    if is_answer_to(now, row, state, changes.task_id) then
      after, err = self.store:transition(caller, now, state, { owner = false,
        lease = false, task_id = changes.task_id,
        task_created = changes.task_created,
        accepted_at = bought[state] and caller.now or nil,
        error = changes.error or false })
    elseif bought[state] then
      after, err = record_late(self.store, caller, now, changes.task_id)
    else
      after = now
    end
    if after ~= false then
      return after, err
    end
    now, err = transitions.reload(self.store, row)
    if not now then
      return nil, err
    end
  end
  return transitions.contended(self.store, row.order_id)
end

--- How the sending of an order ended.
-- @tparam table caller
-- @tparam table row as `submitting` gave it
-- @tparam string state accepted, failed, cancelled, refused or unknown
-- @tparam table changes `task_id`, `task_created`, `error`
-- @treturn ?table row; where the order had moved on, the task was recorded beside
--   its own
-- @treturn ?table err; with `gone` where the ledger does not hold the order any
--   more, or where its file is one that nobody else reads (`misplaced`)
function Orders:resolve(caller, row, state, changes)
  local after, err = resolve(self, caller, row, state, changes)
  local kept, lost = true, nil
  if after and changes.task_id then
    kept, lost = self.store:check_kept()
  end
  if not kept then
    return nil, lost
  elseif after and after.queued_at and not to_be_sent[after.state] then
    queue.drop_body(self.store, after) -- where that fails `archive` does it
  end
  return after, err
end

-- The orders of a task that the caller may change: a worker, where a provider has
-- given several the same task, those that it has claimed.
local function rows_of(store, caller, id)
  local rows, err = store:all("task", id)
  local own = {}
  for _, row in ipairs(caller.worker and rows or {}) do
    own[#own + 1] = row.claim == caller.worker and row or nil
  end
  return own[1] and own or rows, err
end

local function update_task(self, caller, id, state, changes)
  local rows, err = rows_of(self.store, caller, id)
  for _, row in ipairs(rows or {}) do
    local is_so = row.state == state and not changes.path
    local ok
    ok, err = transitions.check_claim(caller, row)
    if not ok then
      return nil, err
    elseif states.allows(row.state, state) and not is_so then
      ok, err = transitions.apply(self.store, caller, row, state, changes)
    elseif row.missing_since then
      ok, err = self.store:update(caller, row, { missing_since = false })
    end
    if ok == nil then
      return nil, err
    end
  end
  return rows and true, err
end

--- A task was seen: it has ended, or the order it is of was accepted.
-- @tparam table caller
-- @tparam string id the task's
-- @tparam string state accepted, completed, failed or cancelled
-- @tparam ?string why it failed
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:seen(caller, id, state, why)
  return update_task(self, caller, id, state, { error = why or false,
    missing_since = false })
end

local function saved(file)
  return { path = file.path, machine = file.machine, bytes = file.bytes,
    sha256 = file.sha256, missing_since = false }
end

--- The video of a task is on disk and about to be renamed: where the process ends
-- during that, the next one recognises the file by what is recorded here.
-- @tparam table caller
-- @tparam string id the task's
-- @tparam table file `path`, `machine`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:placing(caller, id, file)
  return update_task(self, caller, id, "completed", saved(file))
end

--- The video of a task is on disk.
-- @tparam table caller
-- @tparam string id the task's
-- @tparam table file `path`, `machine`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:downloaded(caller, id, file)
  return update_task(self, caller, id, "downloaded", saved(file))
end

--- The provider does not know a task any more.
-- @tparam table caller
-- @tparam string id the task's
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:missing(caller, id)
  local rows, err = rows_of(self.store, caller, id)
  for _, row in ipairs(rows or {}) do
    local ok
    ok, err = transitions.check_claim(caller, row)
    if ok and not row.missing_since and states.is_open(row.state) then
      ok, err = self.store:update(caller, row, { missing_since = caller.now })
    end
    if ok == nil then
      return nil, err
    end
  end
  return rows and true, err
end

--- The order of a task.
-- @tparam table _ caller
-- @tparam string id the task's
-- @treturn ?table row; nil where there is none
-- @treturn ?table err
function Orders:of_task(_, id)
  return self.store:find("task", id)
end

--- List the open orders, or all, oldest first. Those whose process ended are
-- recovered first.
-- @tparam table caller
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @tparam ?boolean all also those about which nothing is to be done
-- @treturn ?table rows
-- @treturn ?string|table where more may follow the `after` of the next page;
--   or err
function Orders:pending(caller, limit, after, all)
  local page, err = self.store:list(all and "all" or "open", limit, after)
  if not page then
    return nil, err
  end
  local rows = {}
  for _, row in ipairs(page) do
    row, err = transitions.recover_listed(self.store, caller, row)
    if not row then
      return nil, err
    elseif all or row.late_tasks or states.is_open(row.state) then
      rows[#rows + 1] = row
    end
  end
  return rows, #page == limit and page[limit].order_id or nil
end

-- `look_up`, `dismiss`, `adopt` and `label`, each with the `caller` first.
for name, decide in pairs(decision) do
  Orders[name] = function(self, ...)
    return decide(self.store, ...)
  end
end

-- Each with the `caller` first.
for name, act in pairs { stage = queue.stage, enqueue_staged = queue.enqueue,
  unstage = queue.unstage, claim = queue.claim, unclaim = queue.unclaim,
  left = queue.left, heartbeat = queue.heartbeat, register = workers.register,
  retire = workers.retire, set_limits = limit_settings.set,
  limits = limit_settings.list, gates = gates.list, hold = gates.hold,
  halt = gates.halt, continue = gates.continue, pulse = gates.pulse,
  history = history.list, states = history.states, status = history.status,
  archive = archive.page, admit = requests.admit, requests = requests.list,
  usage = requests.usage, delete_request = requests.delete,
  removed = requests.removed } do
  Orders[name] = function(self, ...)
    return act(self.store, ...)
  end
end

--- Whether what is recorded can be read by others; see `starvideos.ledger.store`.
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:check_kept()
  return self.store:check_kept()
end

--- Copy a ledger in a file while others use it.
-- @tparam table _ caller
-- @tparam string path of the copy, which must not be there
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:backup(_, path)
  return self.store:copy_to(path)
end

--- Close the connection.
function Orders:close()
  self.store:close()
end

--- The orders; nothing is opened before it is needed.
-- @tparam table options plain data: `address` (absolute path of a SQLite file,
--   or a `postgres://` URL), `fsync`, `lease` (seconds that an order is held)
-- @treturn table orders
function _M.new(options)
  return setmetatable({ store = stores.new(options) }, Orders)
end

return _M
