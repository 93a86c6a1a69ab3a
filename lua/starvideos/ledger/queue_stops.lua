-- What keeps orders back beside the limits of the user: the provider answered that there
-- were too many requests (a hold), or the queue stopped itself (a halt), on a failure that
-- every order would meet or after too many failed tasks in a row. Each is a row among the
-- limits, of one base URL and one account; or of all accounts, if a worker for all made it.
--
-- `where` names that row: `account` (nil: all) and `base_url`.

local limit_kinds = require "starvideos.ledger.limit_kinds"
local limit_rows = require "starvideos.ledger.limit_rows"

local unpack = table.unpack or unpack

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  failures = 5, -- failed tasks in a row, after which the queue stops
  lowering = 2, -- after a hold, in which further 429 do not lower the rates
  behind = 2, -- for which others are sent first when a queue continues
}

local HOLD_MAX = limit_kinds.policy.hold_max

-- What one account has to obey: that of all accounts, too.
local OBEYED = [[base_url = ? AND (scope = ''
  OR scope = 'account' AND value = ?)]]

local STOPPED = "WHERE kind IN ('failures', 'suspect', 'halt') AND "
local PULSE = [[WHERE kind = 'polls' AND (scope <> 'account' OR value = ?)
  OR kind IN ('hold', 'hold/polls', 'suspect', 'halt') AND ]] .. OBEYED

-- What was handed back may have halted the queue: others are sent first.
local BEHIND = [[UPDATE starvideos_orders SET not_before = ?,
  revision = revision + 1 WHERE state = 'queued' AND claim IS NULL
  AND not_before IS NOT NULL AND base_url = ?]]

local ALL = "WHERE kind IN ('hold', 'halt', 'failures', 'unknown') ORDER BY name"

-- Rows of what no document knows, at most.
local MOST_UNKNOWN = 50

local function new_row(kind, where)
  local scope, account = where.account and "account" or "", where.account or ""
  local base_url = where.base_url or ""
  return { name = ("%s %s%s"):format(kind, where.account
    and "account=" .. account .. " " or "", base_url), kind = kind, scope = scope,
    value = account, base_url = base_url }
end

-- Reads the row of a kind, or makes one, and has it changed and saved. A `suspect` is not
-- repeated over a new connection: it would find itself, and no second order.
local function change(store, caller, where, kind, body)
  return store:atomically(function()
    local row = new_row(kind, where)
    local found, err = limit_rows.find(store, row.name)
    local at
    if found ~= nil then
      at, err = limit_rows.times(store, caller)
    end
    if not at then
      return nil, err
    end
    local result = body(found or row, at.now, not found)
    local ok
    ok, err = limit_rows.save(store, found or row, at.now)
    return ok and (result or true), err
  end, kind ~= "suspect")
end

local function hold_kind(store, caller, where, kind, retry_after)
  local seconds = math.min(math.max(retry_after or 0, 0), HOLD_MAX)
  return change(store, caller, where, kind, function(hold, now)
    local last = hold.full_until
    -- One that is longer was written by a clock that was put back since.
    local is_sound = last and last <= now + HOLD_MAX + limit_kinds.policy.burst
    if not is_sound or now >= last + _M.policy.lowering then
      hold.factor = math.max(limit_kinds.factor(hold, now) / 2,
        limit_kinds.policy.lowest)
    end
    hold.full_until = math.max(now + seconds, is_sound and last or 0)
  end)
end

-- The provider answered 429 to an order: for `retry_after` seconds (nil: it named no time)
-- none is sent, then fewer than before; tasks are polled as before. If it answered a poll
-- (`is_poll`), both are held. Each 429 halves the rate, and a burst counts once. A hold is
-- never shortened, unless the clock was set back.
function _M.hold(store, caller, where, retry_after, is_poll)
  local ok, err = hold_kind(store, caller, where, "hold", retry_after)
  if ok and is_poll then
    ok, err = hold_kind(store, caller, where, "hold/polls", retry_after)
  end
  return ok, err
end

local function halt(row, reason, is_new)
  if is_new then
    row.reason, row.full_until = reason, limit_kinds.FOREVER
  end
end

-- Stop the queue: its workers send nothing. `kind` is that of an error which every order
-- would meet.
function _M.halt(store, caller, where, reason, kind)
  return change(store, caller, where, "halt", function(row, _, is_new)
    halt(row, kind .. ": " .. reason, is_new)
  end)
end

-- Note that `where.order_id` ended as all may: it was refused, or (`is_unknown`) nobody knows
-- whether it was bought; or (no id) that an order was accepted. `is_second`: the last one that
-- was refused was another order, and none was accepted since; `unknowns`: how many ended
-- unknown since then.
function _M.suspect(store, caller, where)
  return change(store, caller, where, "suspect", function(row)
    local last = row.reason
    row.is_over = where.order_id == nil
    if where.is_unknown then
      row.used = (row.used or 0) + 1
    else
      row.reason = where.order_id
    end
    return { is_second = not where.is_unknown and last ~= nil
      and last ~= where.order_id, unknowns = row.used or 0 }
  end)
end

-- Count that a process saw a status or a field (`what`) named `word` that no document
-- knows. It keeps nothing back.
function _M.unknown(store, caller, where, what, word)
  local scope = { base_url = where.base_url }
  local rows, err = limit_rows.read(store, "WHERE kind = 'unknown'")
  if not rows or #rows >= MOST_UNKNOWN then
    return rows and true, err
  end
  return change(store, caller, scope, "unknown " .. what .. " " .. word, function(row)
    row.kind, row.scope, row.value = "unknown", "unknown", what .. " " .. word
    row.used = (row.used or 0) + 1
  end)
end

local function remove_all(store, rows, now)
  for _, row in ipairs(rows) do
    row.is_over = true
    local ok, err = limit_rows.save(store, row, now)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function put_behind(store, where, now)
  local not_before = now + _M.policy.behind
  if where.account then
    return store:write(BEHIND .. " AND account = ?", not_before, where.base_url,
      where.account)
  end
  return store:write(BEHIND, not_before, where.base_url)
end

-- Let the queue of an account continue, with what has halted all; or that of each. Tells
-- whether it `was_halted`.
function _M.continue(store, caller, where)
  return store:atomically(function()
    local at, err = limit_rows.times(store, caller)
    local rows
    if at then
      rows, err = limit_rows.read(store, STOPPED .. (where.account and OBEYED
        or "base_url = ?"), unpack { where.base_url, where.account })
    end
    local ok = rows
    if rows and rows[1] then
      ok, err = remove_all(store, rows, at.now)
      if ok then
        ok, err = put_behind(store, where, at.now)
      end
    end
    return ok and { was_halted = rows[1] ~= nil }, err
  end)
end

local TOO_MANY = ("task_failed: %d tasks of the queue failed one after the"
  .. " other; the last one said: "):format(_M.policy.failures)

local function count_failure(store, caller, order)
  local used
  local ok, err = change(store, caller, order, "failures", function(row)
    row.cap, row.used = row.cap or _M.policy.failures, (row.used or 0) + 1
    used = row.used
  end)
  if ok and used >= _M.policy.failures then
    ok, err = change(store, caller, order, "halt", function(row, _, is_new)
      halt(row, TOO_MANY .. tostring(order.error or "nothing"), is_new)
    end)
  end
  return ok, err
end

-- Count how the task of an order of the queue has ended, in the transaction that records
-- it. A caller that `tolerates` failed tasks does not count them.
function _M.count(store, caller, order, now)
  local state = order.state
  if not order.queued_at or caller.tolerates then
    return true
  elseif state == "failed" then
    return count_failure(store, caller, order)
  elseif state == "completed" or state == "downloaded" then
    local row, err = limit_rows.find(store, new_row("failures", order).name)
    if not row then
      return row == false or nil, err
    end
    return remove_all(store, { row }, now)
  end
  return true
end

local function halt_of(row)
  local kind, reason = tostring(row.reason):match "^(%l[%l_]*): (.*)$"
  return { kind = kind or "config", reason = reason or tostring(row.reason) }
end

-- How far ahead each kind sets that it is full.
local furthest = { hold = HOLD_MAX, ["hold/polls"] = HOLD_MAX, open = limit_kinds.policy.look,
  ["spend/day"] = limit_kinds.policy.day,
  ["spend/total"] = limit_kinds.policy.look }

-- Whether a row has no effect any more, or was set by a clock that was set back since.
local function is_spent(row, now)
  if row.kind:find "^hold" and row.full_until <= now then
    return limit_kinds.factor(row, now) >= 1
  end
  return furthest[row.kind] and row.full_until > now
    and not limit_kinds.is_ahead(row.full_until, now, furthest[row.kind])
end

local function spent_rows(store, caller)
  local at, err = limit_rows.times(store, caller)
  local rows
  if at then
    rows, err = limit_rows.read(store, "WHERE full_until IS NOT NULL")
  end
  local list = {}
  for _, row in ipairs(rows or {}) do
    list[#list + 1] = is_spent(row, at.now) and row or nil
  end
  return rows and list, at or err
end

-- Remove what keeps orders back for no reason, because a claim asks only whether a limit
-- is full.
function _M.repair(store, caller)
  local list, err = spent_rows(store, caller)
  if not list or not list[1] then
    return list and true, err
  end
  return store:atomically(function()
    local rows, at = spent_rows(store, caller)
    for _, row in ipairs(rows or {}) do
      row.is_over, row.full_until = row.kind:find "^hold" ~= nil, nil
      local ok, problem = limit_rows.save(store, row, at.now)
      if not ok then
        return nil, problem
      end
    end
    return rows and true, at
  end)
end

-- What the worker of an account (nil: for all) has to obey: `rate` (polls a second of all
-- together; nil: no limit), `factor` and `creates` (the shares of their rates of polls and of
-- creates that all have left), `hold` (seconds for which nothing may be polled), `halted`
-- (`kind` and `reason`, if the queue has stopped), `suspects` (whether an order is noted by
-- `suspect`).
function _M.pulse(store, caller, where)
  local at, err = limit_rows.times(store, caller)
  local account = where.account or ""
  local rows
  if at then
    rows, err = limit_rows.read(store, PULSE, account, where.base_url or "", account)
  end
  if not rows then
    return nil, err
  end
  local pulse = { factor = 1, creates = 1 }
  for _, row in ipairs(rows) do
    if row.kind == "polls" then
      pulse.rate = math.min(pulse.rate or math.huge, row.cap)
    elseif row.kind == "halt" then
      pulse.halted = halt_of(row)
    elseif row.kind == "suspect" then
      pulse.suspects = true
    elseif row.kind == "hold" then
      pulse.creates = math.min(pulse.creates, limit_kinds.factor(row, at.now))
    else
      if limit_kinds.is_ahead(row.full_until, at.now, HOLD_MAX) then
        pulse.hold = math.max(pulse.hold or 0, row.full_until - at.now)
      end
      pulse.factor = math.min(pulse.factor, limit_kinds.factor(row, at.now))
    end
  end
  return pulse
end

-- The rows of all accounts, as `limit_rows` reads them, and of a halt `halted`, see
-- `pulse`.
function _M.list(store)
  local rows, err = limit_rows.read(store, ALL)
  for _, row in ipairs(rows or {}) do
    row.account = row.value
    row.halted = row.kind == "halt" and halt_of(row) or nil
    row.reason = nil
  end
  return rows, err
end

-- The same; fails where the database cannot be written.
function _M.probe(store)
  return store:transaction(function()
    return _M.list(store)
  end)
end

return _M
