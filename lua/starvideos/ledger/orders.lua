--- The orders: all that is decided about them, and the database they
-- stand in. It may run on another thread than its callers, in a Lua state of
-- its own: what it is given and what it returns is plain data, and it knows
-- neither who asks nor what time it is.
--
-- The first argument of every method says so: `who` has `owner` (a name of
-- `starvideos.ledger.owner`), `now` (Unix seconds), `boottime` (seconds of the
-- clock that goes on while the machine sleeps), `clock` (the name of that
-- clock) and, where the fate of orders is asked for, `held` (true under the id
-- of each order that the owner is sending). A method that fails returns nil
-- and an err, a table with `kind` and `message`.
--
-- Every write names the order, the revision that was read and, where it tells
-- what became of an attempt, that attempt: for another it changes nothing. But
-- the id of a task is always taken.
-- @classmod starvideos.ledger.orders

local decision = require "starvideos.ledger.decision"
local id_list = require "starvideos.ledger.id_list"
local placement = require "starvideos.ledger.placement"
local states = require "starvideos.ledger.states"
local transitions = require "starvideos.ledger.transitions"
local stores = require "starvideos.ledger.store"

local _M = {}

local Orders = {}
Orders.__index = Orders

--- Write an order down, or find the one that was placed under its key and take.
-- @tparam table who
-- @tparam table wanted `id` (of a new order), `key` (or nil), `take`,
--   `account` (empty for none), `model`, `params` and `former` (see
--   `starvideos.ledger.record`), `base_url`, `path` and `machine` (or nil),
--   `waited` (true: another process was seen sending it; then it is not sent
--   by this call)
-- @treturn ?string "send": it is the caller's to send; "known": it was
--   accepted before; "busy": another process is sending it; "unsent": nobody
--   is any more, and it was not accepted; "unknown"; "spent": it was given up;
--   "conflict": key and take name another order; "unlabelled": the key's
--   orders have no account, this one has; "no_account": the other way round
-- @treturn table the order's row, with `next_take` of its key; or err of kind
--   ledger
function Orders:begin(who, wanted)
  return placement.begin(self.store, who, wanted)
end

--- The order is about to be sent.
-- @tparam table who
-- @tparam table row as `begin` gave it
-- @treturn ?table row; nil where another process has taken it
-- @treturn ?table err
function Orders:submitting(who, row)
  local after, err = self.store:try(who, row, "submitting", {
    attempts = (row.attempts or 0) + 1, owner = who.owner,
    lease = self.store.lease, error = false })
  if after == false then
    return nil, self.store:failure("written", "another process has taken the"
      .. " order " .. row.order_id)
  end
  return after, err
end

--- The order still waits for its turn to be sent: its lease begins again.
-- @tparam table who
-- @tparam table row prepared
-- @treturn ?table row; nil where another process has taken it
-- @treturn ?table err
function Orders:renew(who, row)
  local after, err = self.store:try(who, row, "prepared", { owner = who.owner,
    lease = self.store.lease })
  if after == false then
    return nil, self.store:failure("written", "another process has taken the"
      .. " order " .. row.order_id)
  end
  return after, err
end

--- The order was certainly not accepted.
-- @tparam table who
-- @tparam table row
-- @tparam string why
-- @tparam ?number pause seconds until it is sent again; nil where it is not
-- @treturn ?table row
-- @treturn ?table err
function Orders:unsent(who, row, why, pause)
  local after, err = self.store:try(who, row, "prepared", { error = why,
    owner = pause and who.owner or false,
    lease = pause and pause + self.store.lease or false })
  -- Who has taken it meanwhile may be sending it: that stands.
  return after == false and row or after, err
end

-- Whether an answer is that of the order as it stands.
local function is_answer_to(now, row, state, task_id)
  return now.attempts == row.attempts and states.allows(now.state, state)
    and (not now.task_id or not task_id or now.task_id == task_id)
end

-- What was bought for an order that has moved on stands beside it, and is
-- listed with it until somebody has taken note.
local function beside(store, who, row, task_id)
  if row.task_id == task_id or not task_id then
    return row
  end
  local after, err = store:note(who, row, { closed_at = false,
    late_tasks = id_list.with(row.late_tasks, task_id) })
  if after then
    after.came_late = task_id
  end
  return after, err
end

local bought = { accepted = true, completed = true, failed = true,
  cancelled = true }

--- How the sending of an order ended.
-- @tparam table who
-- @tparam table row as `submitting` gave it
-- @tparam string state accepted, failed, cancelled, refused or unknown
-- @tparam table changes `task_id`, `task_created`, `error`
-- @treturn ?table row; with `came_late` where the order had moved on, and the
--   task was recorded beside it
-- @treturn ?table err; with `gone` where the ledger has lost the order
function Orders:resolve(who, row, state, changes)
  local now, err = row, nil
  for _ = 1, transitions.ATTEMPTS do
    local after
    if is_answer_to(now, row, state, changes.task_id) then
      after, err = self.store:try(who, now, state, { owner = false,
        lease = false, task_id = changes.task_id,
        task_created = changes.task_created,
        accepted_at = bought[state] and who.now or nil,
        error = changes.error or false })
    elseif bought[state] then
      after, err = beside(self.store, who, now, changes.task_id)
    else
      after = now
    end
    if after ~= false then
      return after, err
    end
    now, err = transitions.again(self.store, row)
    if not now then
      return nil, err
    end
  end
  return transitions.changing(self.store, row.order_id)
end

local function update_task(self, who, id, state, changes)
  local rows, err = self.store:all("task", id)
  for _, row in ipairs(rows or {}) do
    local says_so = row.state == state and not changes.path
    local ok = true
    if states.allows(row.state, state) and not says_so then
      ok, err = transitions.insist(self.store, who, row, state, changes)
    elseif row.missing_since then
      ok, err = self.store:note(who, row, { missing_since = false })
    end
    if ok == nil then
      return nil, err
    end
  end
  return rows and true, err
end

--- A task was seen: it has ended, or an order that was thought lost has not.
-- @tparam table who
-- @tparam string id the task's
-- @tparam string state accepted, or how the task has ended
-- @tparam ?string why it failed
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:seen(who, id, state, why)
  return update_task(self, who, id, state, { error = why or false,
    missing_since = false })
end

local function saved(file)
  return { path = file.path, machine = file.machine, bytes = file.bytes,
    sha256 = file.sha256, missing_since = false }
end

--- The video of a task is on disk and about to get its name: should the
-- process die then, the file is known again by what is noted here.
-- @tparam table who
-- @tparam string id the task's
-- @tparam table file `path`, `machine`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:placing(who, id, file)
  return update_task(self, who, id, "completed", saved(file))
end

--- The video of a task is on disk.
-- @tparam table who
-- @tparam string id the task's
-- @tparam table file `path`, `machine`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:downloaded(who, id, file)
  return update_task(self, who, id, "downloaded", saved(file))
end

--- The provider does not know a task that it had accepted.
-- @tparam table who
-- @tparam string id the task's
-- @treturn ?boolean true
-- @treturn ?table err
function Orders:missing(who, id)
  local rows, err = self.store:all("task", id)
  for _, row in ipairs(rows or {}) do
    if not row.missing_since and states.is_open(row.state) then
      local ok
      ok, err = self.store:note(who, row, { missing_since = who.now })
      if ok == nil then
        return nil, err
      end
    end
  end
  return rows and true, err
end

--- The order of a task.
-- @tparam table _ who
-- @tparam string id the task's
-- @treturn ?table row; nil where there is none
-- @treturn ?table err
function Orders:of_task(_, id)
  return self.store:find("task", id)
end

--- An order by what names it.
-- @tparam table who
-- @tparam table name `id` (an order's id or a key), `take` (1), `account`
-- @treturn ?table row
-- @treturn ?table err not_found where there is none
function Orders:look_up(who, name)
  return decision.look_up(self.store, who, name)
end

--- What is open, or all there is, oldest first. The fate of orders whose
-- process died is settled first.
-- @tparam table who
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @tparam ?boolean all also what nothing is to be done about
-- @treturn ?table rows
-- @treturn ?string|table where more may follow the `after` of the next page;
--   or err
function Orders:pending(who, limit, after, all)
  local page, err = self.store:list(all and "all" or "open", limit, after)
  if not page then
    return nil, err
  end
  local rows = {}
  for _, row in ipairs(page) do
    row, err = transitions.settled_in_list(self.store, who, row)
    if not row then
      return nil, err
    elseif all or row.late_tasks or states.is_open(row.state) then
      rows[#rows + 1] = row
    end
  end
  return rows, #page == limit and page[limit].order_id or nil
end

--- Give an order up that nobody will wait for, or take note of what came late
-- for one that has ended.
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam ?boolean force also one that was bought and can still be had, or
--   that was being sent and whose lease is over
-- @treturn ?table row
-- @treturn ?table err validation where it is being sent, or was bought
function Orders:dismiss(who, name, force)
  return decision.dismiss(self.store, who, name, force)
end

--- Give an order of unknown fate its task.
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam string task_id
-- @treturn ?table row
-- @treturn ?table err validation where its fate is known
function Orders:adopt(who, name, task_id)
  return decision.adopt(self.store, who, name, task_id)
end

--- Say of which account an order is, and all the takes of its key with it.
-- @tparam table who
-- @tparam table name see `look_up`
-- @tparam string account
-- @treturn ?table row
-- @treturn ?table err validation where it is another's, or being sent
function Orders:label(who, name, account)
  return decision.label(self.store, who, name, account)
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
