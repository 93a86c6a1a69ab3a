-- The workers of a ledger. Each has a row, whose lease stands for all orders that it has
-- claimed; a heartbeat begins it again. A worker that is dead, or whose lease is over, is
-- removed, and its orders are free.

local leases = require "starvideos.ledger.lease"
local changes = require "starvideos.ledger.changes"
local owners = require "starvideos.ledger.owner"

local unpack = table.unpack or unpack

local _M = {}

-- In seconds.
_M.policy = {
  lease = 60, -- without a heartbeat, after which a worker counts as dead
  heartbeat = 15, -- between two heartbeats
}

local ALL = [[SELECT worker_id, machine, account, base_url, owner, lease,
  lease_clock, lease_began, seen_revision, seen_clock, seen_began, revision,
  started_at, updated_at, claims, polls, draining%s FROM starvideos_workers
  ORDER BY worker_id]]

local INSERT = [[INSERT INTO starvideos_workers (worker_id, machine, account,
  base_url, owner, lease, started_at, updated_at, lease_clock, lease_began,
  revision, claims, polls, draining)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, %s, 1, 0, 0, 0)]]

local BEAT = [[UPDATE starvideos_workers SET updated_at = ?, claims = ?,
  draining = ?, lease_clock = %s, lease_began = %s, revision = revision + 1
  WHERE worker_id = ?]]

local COUNT = "SELECT COUNT(*) AS orders FROM starvideos_orders"
  .. " WHERE claim = ?"

local SHARE = "UPDATE starvideos_workers SET polls = ? WHERE worker_id = ?"

local SIGHT = [[UPDATE starvideos_workers SET seen_revision = ?, seen_clock = ?,
  seen_began = ? WHERE worker_id = ? AND revision = ?]]

local REMOVE = "DELETE FROM starvideos_workers WHERE worker_id = ?"
  .. " AND revision = ?"

-- An order that was waiting for its second try goes back to the queue.
local FREE = [[UPDATE starvideos_orders SET claim = NULL,
  revision = revision + 1, updated_at = ?, owner = CASE
  WHEN state = 'prepared' THEN NULL ELSE owner END, state = CASE
  WHEN state = 'prepared' THEN 'queued' ELSE state END WHERE claim = ?]]

-- The SQL of `lease_clock` and `lease_began`, and the values with theirs.
local function beginning(store, caller, values)
  local clock = store.database:clock()
  if clock then
    return "NULL", clock, values
  end
  values[#values + 1] = caller.clock
  values[#values + 1] = caller.boottime
  return "?", "?", values
end

-- The rows of all workers.
function _M.list(store)
  local clock = store.database:clock()
  return store:read(ALL:format(clock and ", " .. clock .. " AS read_at" or ""))
end

-- Add a worker: `id`, `machine`, `account` (empty: of all), `base_url`.
function _M.register(store, caller, worker)
  local clock, began, values = beginning(store, caller, { worker.id,
    worker.machine, worker.account, worker.base_url, caller.owner,
    _M.policy.lease, caller.now, caller.now })
  local count, err = store:write(INSERT:format(clock .. ", " .. began),
    unpack(values))
  return count and worker.id, err
end

-- What `starvideos.ledger.lease` asks of a store.
local function sight_of(store)
  return { mark_seen = function(_, caller, row)
    store:write(SIGHT, row.revision, caller.clock, caller.boottime,
      row.worker_id, row.revision)
  end }
end

function _M.is_dead(store, caller, row)
  return owners.is_alive(row.owner) == false
    or not leases.is_valid(sight_of(store), caller, row)
end

local function free(store, caller, id)
  local ok, err = changes.note_all(store, caller, "queued",
    "claim = ? AND state = 'prepared'", id)
  if not ok then
    return nil, err
  end
  return store:write(FREE, caller.now, id)
end

local function remove(store, caller, row)
  return store:transaction(function()
    local count, err = store:write(REMOVE, row.worker_id, row.revision)
    if count == 1 then
      count, err = free(store, caller, row.worker_id)
    end
    return count, err
  end)
end

-- Removes the workers that are dead, but not the caller's own; the rows of the others.
local function remove_dead(store, caller)
  local rows, err = _M.list(store)
  local living = {}
  for _, row in ipairs(rows or {}) do
    if row.worker_id == caller.worker
      or not _M.is_dead(store, caller, row) then
      living[#living + 1] = row
    else
      local count
      count, err = remove(store, caller, row)
      if not count then
        return nil, err
      end
    end
  end
  return rows and living, err
end

-- Nil and the error for a worker that was removed.
function _M.fenced()
  return nil, { kind = "ledger", fenced = true, message = "this worker was"
    .. " taken for dead, and its orders are another's now: nothing was changed,"
    .. " and nothing was bought" }
end

-- The worker's part of a rate, but no more than is free of it: the sum of all shares never
-- exceeds the rate.
local function share_of(rows, id, rate)
  local claims, granted, own = 0, 0, 0
  for _, row in ipairs(rows) do
    claims = claims + row.claims
    if row.worker_id == id then
      own = row.claims
    else
      granted = granted + row.polls
    end
  end
  local part = claims > 0 and rate * own / claims or rate / #rows
  return math.max(0, math.min(part, rate - granted))
end

local function beat(store, caller, id, beaten)
  local clock, began, values = beginning(store, caller, { caller.now,
    beaten.claims or 0, beaten.draining and 1 or 0 })
  values[#values + 1] = id
  local count, err = store:write(BEAT:format(clock, began), unpack(values))
  if count == 0 then
    return _M.fenced()
  end
  return count, err
end

-- Begin a worker's lease again. `beaten` has its `claims` (how many orders it has), whether
-- it is `draining`, and the `rate` (polls a second of all workers; nil: no limit). Returns
-- `polls` (its share of that), `workers` (how many live) and `claims` (how many orders it
-- has by the ledger); or an err, `fenced` if it was removed.
function _M.heartbeat(store, caller, id, beaten)
  local living, err = remove_dead(store, caller)
  if not living then
    return nil, err
  end
  return store:transaction(function()
    local ok, why = beat(store, caller, id, beaten)
    local rows
    if ok then
      rows, why = _M.list(store)
    end
    if not rows then
      return nil, why
    end
    local polls = beaten.rate and share_of(rows, id, beaten.rate)
    ok, why = store:write(SHARE, polls or 0, id)
    local counted
    if ok then
      counted, why = store:read(COUNT, id)
    end
    return counted and { polls = polls or nil, workers = #rows,
      claims = tonumber(counted[1].orders) }, why
  end)
end

-- Remove a worker that ends: its orders are free.
function _M.retire(store, caller, id)
  return store:transaction(function()
    local count, err = store:write(
      "DELETE FROM starvideos_workers WHERE worker_id = ?", id)
    if count then
      count, err = free(store, caller, id)
    end
    return count and true, err
  end)
end

return _M
