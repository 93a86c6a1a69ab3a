-- What a ledger can be asked: one row a method, read by the Lua state that asks and by
-- the one that answers.
--
-- `run`: the function below `starvideos.ledger` that answers; it takes a store, the
-- caller (see `starvideos.ledger.tasks`) and the arguments. `with(ledger, ...)`:
-- completes the arguments, on the caller's side. `after(ledger, result, problem, ...)`:
-- makes the results, of the completed arguments. `sees_held`: the caller looks at
-- orders: it gets those that this Lua state is sending, and the backlog is written
-- first. `finish`: it is done though its caller stops waiting. `no_cancel`: its caller
-- does not stop where it is cancelled, for it must tell whether something was written.
-- `brief`: an operation can do without it, and waits for a moment only. `retry`: what
-- the provider has answered, or a file shows; no later call repeats it. `buys`: it
-- leads to a purchase, and is refused while the backlog cannot be written. `says`: it
-- writes what others have said, see `gently` of `starvideos.ledger.store`. `silent`: an
-- order is on its way, so that no listener is called: it might not come back.
-- `undo(caller, argument, result, problem)`: the request that undoes it where nobody
-- got the answer, or where the answer of the database was lost (no result). It names
-- the revision that was made, so that it changes nothing else.

local ABANDONED = "its process had stopped waiting for the ledger"

local function unsent(caller, row)
  return row and { "unsent", caller, row, ABANDONED } or nil
end

-- The row as it is where the database made the change and its answer was lost.
local function submitted(row)
  local after = {}
  for name, value in pairs(row) do
    after[name] = value
  end
  after.state = "submitting"
  after.revision = (tonumber(row.revision) or 0) + 1
  return after
end

-- Whose queue it is: nil stands for all accounts.
local function here(ledger)
  return { account = not ledger.serves_all and ledger.account or nil,
    base_url = ledger.base_url }
end

local function with_here(ledger, ...)
  return here(ledger), ...
end

local function with_worker(ledger, ...)
  return ledger.worker, ...
end

local function with_row(ledger, row, ...)
  return ledger.worker, row.order_id, ...
end

-- A new order of the ledger's account.
local function with_new(ledger, wanted, ...)
  wanted.id, wanted.account = ledger:new_id(), ledger.account
  return wanted, ...
end

local function named(ledger, id, take)
  return { id = ledger.name_of(id), take = take, account = ledger.account }
end

local function file_row(ledger, file)
  return { path = ledger.path_of(file.path), machine = ledger.machine(),
    bytes = file.bytes, sha256 = file.sha256 }
end

-- What was told of a task; once more where the ledger had forgotten its order.
local function told(method)
  return function(ledger, result, err, id, ...)
    if result == "none" and ledger:recall_task(id) then
      result, err = ledger:ask(method, id, ...)
    end
    return result and true, err
  end
end

local _M = {
  -- One order.
  begin = { run = "orders.begin", buys = true, silent = true,
    undo = function(caller, _, verdict, row)
      return unsent(caller, verdict == "send" and row)
    end },
  submitting = { run = "tasks.submitting", buys = true, silent = true,
    undo = function(caller, row, after)
      return unsent(caller, after or submitted(row))
    end },
  renew = { run = "tasks.renew", silent = true,
    undo = function(caller, _, after) return unsent(caller, after) end },
  unsent = { run = "tasks.unsent", finish = true, retry = true, says = true },
  resolve = { run = "tasks.resolve", finish = true, retry = true, says = true },
  look_up = { run = "manual_changes.look_up", sees_held = true },
  pending = { run = "tasks.pending", sees_held = true },
  dismiss = { run = "manual_changes.dismiss", sees_held = true,
    with = function(ledger, id, options)
      options = options or {}
      return named(ledger, id, options.take), options.force
    end },
  adopt = { run = "manual_changes.adopt", sees_held = true,
    with = function(ledger, id, task_id, take)
      return named(ledger, id, take), task_id
    end,
    after = function(ledger, row, err, _, task_id)
      if row then
        ledger:remember(row, "accepted", { task_id = task_id })
      end
      return row, err
    end },
  label = { run = "manual_changes.label", sees_held = true,
    with = function(ledger, id, account, take)
      return { id = ledger.name_of(id), take = take, account = "" },
        ledger.name_of(account)
    end },
  check_kept = { run = "tasks.check_kept" },
  backup = { run = "tasks.backup", with = function(ledger, path)
    return ledger.path_of(path)
  end },

  -- The orders of a task: those of its provider (by base URL) and account.
  seen = { run = "tasks.seen", finish = true, brief = true, retry = true, says = true,
    with = function(ledger, task) return ledger.seen_of(task) end,
    after = told "seen" },
  missing = { run = "tasks.missing", after = told "missing" },
  placing = { run = "tasks.placing", says = true, after = told "placing",
    with = function(ledger, id, file, order_id)
      return id, file_row(ledger, file), order_id
    end },
  downloaded = { run = "tasks.downloaded", finish = true, retry = true, says = true,
    with = function(ledger, id, file, order_id)
      local row = file_row(ledger, file)
      ledger:remember_file(id, row)
      return id, row, order_id
    end,
    after = told "downloaded" },
  of_task = { run = "tasks.of_task", brief = true,
    with = function(ledger, id, path, order_id)
      return id, ledger.path_of(path), order_id
    end },
  own_of_task = { run = "tasks.of_task", brief = true, with = function(_, id)
    return id, nil, nil, true
  end },

  -- The queue.
  stage = { run = "queue.stage", sees_held = true,
    with = function(ledger, batch, list)
      for _, wanted in ipairs(list) do
        with_new(ledger, wanted)
      end
      return batch or ledger:new_id(), list
    end,
    after = function(_, results, err, batch)
      return results, results and batch or err
    end },
  enqueue_staged = { run = "queue.enqueue" },
  unstage = { run = "queue.unstage" },
  claim = { run = "queue.claim", with = with_worker,
    after = function(ledger, rows, err)
      return rows and ledger:reconcile(rows), err
    end },
  unclaim = { run = "queue.unclaim", finish = true, with = with_row },
  left = { run = "queue.left" },

  -- Workers.
  register = { run = "workers.register", with = function(ledger, worker)
      return { id = ledger:new_id(), machine = ledger.machine(),
        base_url = worker.base_url, account = worker.account or ledger.account }
    end,
    after = function(ledger, id, err)
      return id and setmetatable({ worker = id }, { __index = ledger }), err
    end },
  heartbeat = { run = "queue.heartbeat", sees_held = true,
    with = function(ledger, beaten)
      local where = here(ledger)
      beaten.account = beaten.account or where.account
      beaten.base_url = beaten.base_url or where.base_url
      return ledger.worker, beaten
    end,
    after = function(ledger, pulse, err, _, beaten)
      local has_fewer = pulse ~= nil and pulse.claims < beaten.claims
      if has_fewer and ledger.had_fewer or not pulse and err.fenced then
        ledger:recall_claims() -- the ledger may have forgotten what this worker has
      end
      if not pulse and err.fenced then
        ledger:retire() -- nobody buries one whose row is gone
      end
      ledger.had_fewer = has_fewer
      return pulse, err
    end },
  retire = { run = "workers.retire", finish = true, with = with_worker },

  -- Limits, and what else keeps orders back.
  set_limits = { run = "limit_settings.set", no_cancel = true,
    with = function(ledger, list)
      for _, limit in ipairs(list) do
        limit.value = ledger.name_of(limit.value)
      end
      return list
    end },
  limits = { run = "limit_settings.list", no_cancel = true },
  gates = { run = "queue_stops.list" },
  probe = { run = "queue_stops.probe" },
  hold = { run = "queue_stops.hold", finish = true, brief = true, silent = true,
    with = with_here },
  halt = { run = "queue_stops.halt", says = true, with = with_here },
  unknown = { run = "queue_stops.unknown", says = true, brief = true, silent = true,
    with = with_here },
  suspect = { run = "queue_stops.suspect", with = function(ledger, order_id, is_unknown)
    local where = here(ledger)
    where.order_id, where.is_unknown = order_id, is_unknown
    return where
  end },
  continue = { run = "queue_stops.continue", with = with_here },
  pulse = { run = "queue_stops.pulse", with = with_here },

  -- What callers of a gateway ask for.
  admit = { run = "requests.admit", sees_held = true, no_cancel = true,
    with = with_new },
  requests = { run = "requests.list", sees_held = true, no_cancel = true },
  usage = { run = "requests.usage", sees_held = true, no_cancel = true,
    with = function(ledger) return ledger.account end },
  delete_request = { run = "requests.delete", no_cancel = true,
    with = function(ledger, order_id) return order_id, ledger.account end },
  removed = { run = "requests.removed" },
  begin_session = { run = "sessions.begin" },
  has_session = { run = "sessions.has" },
  end_session = { run = "sessions.finish", finish = true },

  -- History.
  history = { run = "history.list", sees_held = true,
    with = function(ledger, filter)
      for _, name in ipairs { "label", "account", "key" } do
        filter[name] = filter[name] and ledger.name_of(filter[name])
      end
      return filter
    end },
  owed = { run = "history.owed", silent = true,
    with = function(ledger) return ledger.machine() end },
  states = { run = "history.states" },
  status = { run = "history.status", sees_held = true },
  archive = { run = "history.archive" },
}

return _M
