--- What a ledger is asked about many orders: its queue, the workers that share it,
-- the limits they obey, and its history. These are methods of a ledger.
-- @module starvideos.ledger.fleet

local owner = require "starvideos.ledger.owner"
local record = require "starvideos.ledger.record"

local _M = {}

--- The ledger for a worker that is for the orders of all accounts, or that does not
-- mind failed tasks.
-- @tparam table manner `serves_all`: what keeps its orders back is of all accounts;
--   `tolerates`: failed tasks in a row do not halt the queue
-- @treturn table ledger
function _M:with(manner)
  return setmetatable(manner, { __index = self })
end

--- Stage orders: record them, for all of them to be enqueued together. Nothing
-- sends them.
-- @tparam ?string batch what the first call for it returned; nil in that
-- @tparam table list of `wanted`, see `orders:begin`; without `id`, `account` and
--   `machine`; with `endpoint` and `body`
-- @treturn ?table for each the `verdict` ("new", or one of `orders:begin`) and the
--   `row`
-- @treturn string|table the batch, or err
function _M:stage(batch, list)
  batch = batch or self:new_id()
  for _, wanted in ipairs(list) do
    wanted.id, wanted.account = self:new_id(), self.account
  end
  local results, err = self:ask_with(true, "stage", batch, list)
  return results, results and batch or err
end

--- Enqueue all that a batch has staged.
-- @tparam string batch
-- @tparam ?number expected how many orders that has to be; nil: whatever is there
-- @treturn ?number how many orders
-- @treturn ?table err; with `taken` where there are not so many, since another
--   program has staged or sent some: then none was enqueued
function _M:enqueue_staged(batch, expected)
  return self:ask_with(false, "enqueue_staged", batch, expected)
end

--- Take back what a batch has staged.
-- @tparam string batch
-- @treturn ?boolean true
-- @treturn ?table err
function _M:unstage(batch)
  return self:ask_with(false, "unstage", batch)
end

-- Whose gates these are: nil stands for all accounts.
local function here(self)
  return { account = not self.serves_all and self.account or nil,
    base_url = self.base_url }
end

--- Add a worker.
-- @tparam table worker `base_url`; `account` (the ledger's own; empty: none)
-- @treturn ?table the ledger as this worker has it: what it records of an order is
--   refused where another has claimed that
-- @treturn ?table err
function _M:register(worker)
  local id, err = self:ask_with(false, "register", { id = self:new_id(),
    machine = owner.host(), base_url = worker.base_url,
    account = worker.account or self.account })
  return id and setmetatable({ worker = id }, { __index = self }), err
end

--- The worker lives: its lease begins again.
-- @tparam table beaten see `starvideos.ledger.queue`
-- @treturn ?table `polls` (its share of the polls a second, nil where there is no
--   limit), `workers` (how many live)
-- @treturn ?table err; with `fenced` where it was taken for dead: it has nothing
--   any more
function _M:heartbeat(beaten)
  local where = here(self)
  beaten.account = beaten.account or where.account
  beaten.base_url = beaten.base_url or where.base_url
  local pulse, err = self:ask_with(true, "heartbeat", self.worker, beaten)
  local has_fewer = pulse ~= nil and pulse.claims < beaten.claims
  if has_fewer and self.had_fewer or not pulse and err.fenced then
    self:recall_claims() -- the ledger may have forgotten what this worker has
  end
  if not pulse and err.fenced then
    self:retire() -- nobody buries one whose row is gone
  end
  self.had_fewer = has_fewer
  return pulse, err
end

--- Set limits, or remove them: all or none.
-- @tparam table list see `starvideos.ledger.limit_settings`
-- @treturn ?boolean true
-- @treturn ?table err
function _M:set_limits(list)
  for _, limit in ipairs(list) do
    limit.value = record.name(limit.value)
  end
  return self:ask_with(false, "set_limits", list)
end

--- The limits as they stand.
-- @treturn ?table rows, see `starvideos.ledger.limit_settings`
-- @treturn ?table err
function _M:limits()
  return self:ask_with(false, "limits")
end

--- What keeps orders back beside the limits, of all accounts.
-- @treturn ?table rows, see `starvideos.ledger.queue_stops`
-- @treturn ?table err
function _M:gates()
  return self:ask_with(false, "gates")
end

--- The same, where the ledger can also be written: SQLite reads what another
-- process has locked.
-- @treturn ?table rows
-- @treturn ?table err
function _M:probe()
  return self:ask_with(false, "probe")
end

--- The provider said that there were too many requests: no process of this
-- account sends an order, or polls, before that is over.
-- @tparam ?number retry_after seconds
-- @treturn ?boolean true
-- @treturn ?table err
function _M:hold(retry_after)
  return self:ask_with(false, "hold", here(self), retry_after)
end

--- Stop the queue of this account: its workers send nothing.
-- @tparam string reason for a person
-- @tparam string kind of the error that every order would meet
-- @treturn ?boolean true
-- @treturn ?table err
function _M:halt(reason, kind)
  return self:ask_with(false, "halt", here(self), reason, kind)
end

--- Note that an order was refused as all may be; or that another was accepted.
-- @tparam ?string order_id nil: another was accepted
-- @treturn ?table see `starvideos.ledger.queue_stops`
-- @treturn ?table err
function _M:suspect(order_id)
  local where = here(self)
  where.order_id = order_id
  return self:ask_with(false, "suspect", where)
end

--- Let the queue of this account continue.
-- @treturn ?table `was_halted`
-- @treturn ?table err
function _M:continue()
  return self:ask_with(false, "continue", here(self))
end

--- What limits and gates ask of a worker of this account; its heartbeat tells it,
-- too.
-- @treturn ?table see `starvideos.ledger.queue_stops`
-- @treturn ?table err
function _M:pulse()
  return self:ask_with(false, "pulse", here(self))
end

--- The worker ends: its orders are free.
-- @treturn ?boolean true
-- @treturn ?table err
function _M:retire()
  return self:ask_with(false, "retire", self.worker)
end

--- Claim orders for the worker.
-- @tparam table want see `starvideos.ledger.queue`
-- @treturn ?table rows
-- @treturn ?table err
function _M:claim(want)
  local rows, err = self:ask_with(false, "claim", self.worker, want)
  return rows and self:reconcile(rows), err
end

--- Give an order of the worker's back.
-- @tparam table row
-- @tparam ?number not_before Unix seconds, before which no worker sends it
-- @treturn ?boolean whether it was the worker's
-- @treturn ?table err
function _M:unclaim(row, not_before)
  return self:ask_with(false, "unclaim", self.worker, row.order_id, not_before)
end

--- How many orders of the queue are open.
-- @tparam table want `base_url`, `account` (nil: of any)
-- @treturn ?table see `starvideos.ledger.queue`
-- @treturn ?table err
function _M:left(want)
  return self:ask_with(false, "left", want)
end

--- Admit an order of a gateway's caller to the queue, or find the one that it
-- repeats.
-- @tparam table wanted see `orders:begin`; without `id`, `account` and `machine`;
--   with `endpoint`, `body` and `attempt`
-- @tparam table terms see `starvideos.ledger.requests`
-- @treturn ?table see `starvideos.ledger.requests`
-- @treturn ?table err
function _M:admit(wanted, terms)
  wanted.id, wanted.account = self:new_id(), self.account
  return self:ask_with(true, "admit", wanted, terms)
end

--- Orders that callers of a gateway asked for and have not deleted.
-- @tparam table filter see `starvideos.ledger.requests`
-- @treturn ?table rows
-- @treturn ?table err
function _M:requests(filter)
  return self:ask_with(true, "requests", filter)
end

--- What counts against the limits of the account.
-- @treturn ?table see `starvideos.ledger.requests`
-- @treturn ?table err
function _M:usage()
  return self:ask_with(true, "usage", self.account)
end

--- A caller of a gateway deletes an order that has ended.
-- @tparam string order_id
-- @treturn ?boolean whether it was the account's, and had ended
-- @treturn ?table err
function _M:delete_request(order_id)
  return self:ask_with(false, "delete_request", order_id, self.account)
end

--- A gateway has removed the file of an order.
-- @tparam string order_id
-- @treturn ?boolean true
-- @treturn ?table err
function _M:removed(order_id)
  return self:ask_with(false, "removed", order_id)
end

--- Begin a session of a gateway's page.
-- @tparam string id
-- @tparam string holder see `starvideos.ledger.sessions`
-- @tparam number seconds until it ends
-- @treturn ?boolean true
-- @treturn ?table err
function _M:begin_session(id, holder, seconds)
  return self:ask_with(false, "begin_session", id, holder, seconds)
end

--- Whether a session goes on.
-- @tparam string id
-- @treturn ?boolean
-- @treturn ?table err
function _M:has_session(id)
  return self:ask_with(false, "has_session", id)
end

--- End a session.
-- @tparam string id
-- @treturn ?boolean true
-- @treturn ?table err
function _M:end_session(id)
  return self:ask_with(false, "end_session", id)
end

--- List orders, oldest first.
-- @tparam table filter see `starvideos.ledger.history`
-- @treturn ?table rows
-- @treturn ?string|table the `after` of the next page, if there is one; or err
function _M:history(filter)
  for _, name in ipairs { "label", "account", "key" } do
    filter[name] = filter[name] and record.name(filter[name])
  end
  return self:ask_with(true, "history", filter)
end

--- The states of some orders.
-- @tparam table ids a list of 512 at most
-- @treturn ?table state by the order's id; see `starvideos.ledger.history`
-- @treturn ?table err
function _M:states(ids)
  return self:ask_with(false, "states", ids)
end

--- What the ledger holds, in sums.
-- @treturn ?table see `starvideos.ledger.history`
-- @treturn ?table err
function _M:status()
  return self:ask_with(true, "status")
end

--- Archive a page of the orders that ended before a time.
-- @tparam number before Unix seconds
-- @tparam ?string after where the page before ended
-- @treturn ?number how many were archived
-- @treturn ?string|table the `after` of the next page, if there is one; or err
function _M:archive(before, after)
  return self:ask_with(false, "archive", before, after)
end

--- Copy a ledger in a file while others use it.
-- @tparam string path of the copy, which must not be there
-- @treturn ?boolean true
-- @treturn ?table err
function _M:backup(path)
  return self:ask_with(false, "backup", record.path(path))
end

return _M
