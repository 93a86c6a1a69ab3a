--- What keeps orders back beside the limits of the user: the provider said that
-- there were too many requests (a hold); the queue stopped itself (a halt), on a
-- failure that every order would meet, or after too many failed tasks in a row.
-- Each is a row among the limits, of one base URL and of one account, or of all
-- where a worker for all has made it: then they have one key.
-- @module starvideos.ledger.queue_stops

local limit_kinds = require "starvideos.ledger.limit_kinds"
local limit_rows = require "starvideos.ledger.limit_rows"

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
_M.policy = {
  failures = 5, -- failed tasks in a row, after which the queue stops
  lowering = 2, -- after a hold, in which further 429 do not lower the rates
  behind = 2, -- for which others are sent first when a queue continues
}

local HOLD_MAX = limit_kinds.policy.hold_max

-- What one account has to obey: gates of all accounts, too.
local OBEYED = [[base_url = ? AND (scope = ''
  OR scope = 'account' AND value = ?)]]

local STOPPED = "WHERE kind IN ('failures', 'suspect', 'halt') AND "
local PULSE = [[WHERE kind = 'polls' AND (scope <> 'account' OR value = ?)
  OR kind IN ('hold', 'suspect', 'halt') AND ]] .. OBEYED

-- What was handed back before is due, but as what halted the queue not the first to
-- be sent again.
local BEHIND = [[UPDATE starvideos_orders SET not_before = ?,
  revision = revision + 1 WHERE state = 'queued' AND claim IS NULL
  AND not_before IS NOT NULL AND base_url = ?]]

local ALL = [[SELECT name, kind, value AS account, base_url, cap, used,
  full_until, factor, reason, updated_at FROM starvideos_limits
  WHERE kind IN ('hold', 'halt', 'failures') ORDER BY name]]

-- A new row of a kind, for whom it is.
local function new_row(kind, where)
  local scope, account = where.account and "account" or "", where.account or ""
  local base_url = where.base_url or ""
  return { name = ("%s %s%s"):format(kind, where.account
    and "account=" .. account .. " " or "", base_url), kind = kind, scope = scope,
    value = account, base_url = base_url }
end

-- Reads the row of a kind, or makes one, and has it changed and saved. A suspect
-- that was noted by a first try would not be a second one any more.
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

--- The provider said that there were too many requests: for so long no order is
-- sent and nothing polled, and less than before from then on. Each halves what the
-- one before has left; many at a time count once. None shortens another.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`
-- @tparam ?number retry_after seconds; nil: the provider names no time
-- @treturn ?boolean true
-- @treturn ?table err
function _M.hold(store, caller, where, retry_after)
  local seconds = math.min(math.max(retry_after or 0, 0), HOLD_MAX)
  return change(store, caller, where, "hold", function(hold, now)
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

local function halt(row, reason, is_new)
  if is_new then
    row.reason, row.full_until = reason, limit_kinds.FOREVER
  end
end

--- Stop the queue: its workers claim nothing to be sent, and send nothing.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`
-- @tparam string reason for a person
-- @tparam string kind of the error that every order would meet
-- @treturn ?boolean true
-- @treturn ?table err
function _M.halt(store, caller, where, reason, kind)
  return change(store, caller, where, "halt", function(row, _, is_new)
    halt(row, kind .. ": " .. reason, is_new)
  end)
end

--- Note an order that was refused as all may be, or forget such a one for another
-- was accepted.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`, `order_id` (nil: forget)
-- @treturn ?table `is_second`: the last one was another order, and none has been
--   accepted since
-- @treturn ?table err
function _M.suspect(store, caller, where)
  return change(store, caller, where, "suspect", function(row, _, is_new)
    local last = row.reason
    row.reason, row.is_over = where.order_id, where.order_id == nil
    return { is_second = not is_new and last ~= where.order_id }
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

--- Let the queue continue: that of an account, with what has halted all; or that
-- of each.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`
-- @treturn ?boolean whether it was halted
-- @treturn ?table err
function _M.continue(store, caller, where)
  return store:atomically(function()
    local at, err = limit_rows.times(store, caller)
    local rows
    if at and where.account then
      rows, err = limit_rows.read(store, STOPPED .. OBEYED, where.base_url,
        where.account)
    elseif at then
      rows, err = limit_rows.read(store, STOPPED .. "base_url = ?", where.base_url)
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

--- Count how the task of an order of the queue has ended. To be called in the
-- transaction that records it.
-- @tparam table store
-- @tparam table caller where it `tolerates` failed tasks they do not count
-- @tparam table order as it is now
-- @tparam number now
-- @treturn ?boolean true
-- @treturn ?table err
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

-- Why the queue is halted: the kind of an error, and the reason.
local function halt_of(row)
  local kind, reason = tostring(row.reason):match "^(%l[%l_]*): (.*)$"
  return { kind = kind or "config", reason = reason or tostring(row.reason) }
end

-- For how long each kind sets that it is full.
local furthest = { hold = HOLD_MAX, open = limit_kinds.policy.look,
  ["spend/day"] = limit_kinds.policy.day,
  ["spend/total"] = limit_kinds.policy.look }

-- Whether a row has no effect any more, or one that a clock set which was put back
-- since.
local function is_spent(row, now)
  if row.kind == "hold" and row.full_until <= now then
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

--- Repair what keeps orders back for no reason: claims look at nothing but whether
-- a limit is full.
-- @tparam table store
-- @tparam table caller
-- @treturn ?boolean true
-- @treturn ?table err
function _M.repair(store, caller)
  local list, err = spent_rows(store, caller)
  if not list or not list[1] then
    return list and true, err
  end
  return store:atomically(function()
    local rows, at = spent_rows(store, caller)
    for _, row in ipairs(rows or {}) do
      row.is_over, row.full_until = row.kind == "hold", nil
      local ok, problem = limit_rows.save(store, row, at.now)
      if not ok then
        return nil, problem
      end
    end
    return rows and true, at
  end)
end

--- What the worker of an account has to obey.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: of a worker for all), `base_url`
-- @treturn ?table `rate` (polls a second that all may send together; nil: no
--   limit), `factor` (the share of their rates that all have left), `hold`
--   (seconds, for which nothing may be sent), `halted` (where the queue has
--   stopped: the `kind` of the error, and the `reason`), `suspects` (whether an
--   order is noted by `suspect`)
-- @treturn ?table err
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
  local pulse = { factor = 1 }
  for _, row in ipairs(rows) do
    if row.kind == "polls" then
      pulse.rate = math.min(pulse.rate or math.huge, row.cap)
    elseif row.kind == "halt" then
      pulse.halted = halt_of(row)
    elseif row.kind == "suspect" then
      pulse.suspects = true
    else
      if limit_kinds.is_ahead(row.full_until, at.now, HOLD_MAX) then
        pulse.hold = math.max(pulse.hold or 0, row.full_until - at.now)
      end
      pulse.factor = math.min(pulse.factor, limit_kinds.factor(row, at.now))
    end
  end
  return pulse
end

--- All gates there are.
-- @tparam table store
-- @treturn ?table rows, each with `name`, `kind` (`hold`, `halt` or `failures`),
--   `account` (empty: none, or all), `base_url` and `updated_at`; of a hold
--   `full_until` and `factor`, of failures `used` and `cap`, of a halt `halted`,
--   see `pulse`
-- @treturn ?table err
function _M.list(store)
  local rows, err = store:read(ALL)
  for _, row in ipairs(rows or {}) do
    row.halted = row.kind == "halt" and halt_of(row) or nil
    row.reason = nil
  end
  return rows, err
end

--- The same, where the database can be written.
-- @tparam table store
-- @treturn ?table rows
-- @treturn ?table err
function _M.probe(store)
  return store:transaction(function()
    return _M.list(store)
  end)
end

return _M
