--- What keeps orders back beside the limits of the user: the provider said that
-- there were too many requests (a hold); the queue stopped itself (a halt), on a
-- failure that every order would meet, or after too many failed tasks in a row.
-- Each is a row among the limits, of one base URL and of one account, or of all
-- where a worker for all has made it: then they have one key.
-- @module starvideos.ledger.queue_stops

local c_locale = require "starvideos.base.c_locale"
local limit_sql = require "starvideos.ledger.limit_sql"

local _M = {}

--- In seconds unless said otherwise.
-- @table policy
_M.policy = {
  failures = 5, -- failed tasks in a row, after which the queue stops
  lowering = 2, -- after a hold, in which further 429 do not lower the rates
  behind = 2, -- for which others are sent first when a queue continues
  sweep = 60, -- between looks for holds that have no effect any more
}

-- One that is longer was written by a clock that was put back since.
local LONGEST_HOLD = limit_sql.policy.hold_max + limit_sql.policy.burst

local OWN = "scope = :scope AND value = :account AND base_url = :base_url"

-- What one account has to obey: gates of all accounts, too.
local OBEYED = [[base_url = :base_url AND (scope = ''
  OR scope = 'account' AND value = :account)]]

-- Each halves what the one before has left; many at a time count once. None
-- shortens another, unless that was written by a clock that was put back since.
local HOLD = ([[INSERT INTO starvideos_limits (name, kind, scope, value,
  base_url, factor, full_until, updated_at)
  VALUES (:name, 'hold', :scope, :account, :base_url, 0.5,
    :now + :seconds, :now)
  ON CONFLICT (name) DO UPDATE SET
  factor = CASE WHEN @old_is_sound@
      AND :now < starvideos_limits.full_until + @lowering@
      THEN starvideos_limits.factor
    WHEN @old_factor@ / 2 > @lowest@ THEN @old_factor@ / 2
    ELSE @lowest@ END,
  full_until = CASE WHEN @old_is_sound@
      AND starvideos_limits.full_until > excluded.full_until
      THEN starvideos_limits.full_until ELSE excluded.full_until END,
  updated_at = excluded.updated_at]]):gsub("@(%l+)@", {
    lowering = tostring(_M.policy.lowering),
    lowest = c_locale.number("%g", limit_sql.policy.lowest),
  })

local SWEEP = [[DELETE FROM starvideos_limits
  WHERE kind = 'hold' AND full_until <= :now AND @own_factor@ >= 1]]

local FAILED = ([[INSERT INTO starvideos_limits (name, kind, scope, value,
  base_url, cap, used, updated_at)
  VALUES (:name, 'failures', :scope, :account, :base_url, %d, 1, :now)
  ON CONFLICT (name) DO UPDATE SET used = starvideos_limits.used + 1,
  updated_at = excluded.updated_at]]):format(_M.policy.failures)

-- The claims of a queue that is halted find nothing.
local HALT = ([[INSERT INTO starvideos_limits (name, kind, scope, value,
  base_url, full_until, reason, updated_at)
  SELECT :name, 'halt', :scope, :account, :base_url, %.0f, :reason, :now
  WHERE @condition@ ON CONFLICT (name) DO NOTHING]])
  :format(limit_sql.FOREVER)

local HALT_NOW = HALT:gsub("@condition@", "1 = 1")
local HALT_FAILED = HALT:gsub("@condition@", function()
  return [[EXISTS (SELECT 1 FROM starvideos_limits AS f WHERE
    f.kind = 'failures' AND f.scope = :scope AND f.value = :account
    AND f.base_url = :base_url AND f.used >= f.cap)]]
end)

local RESET = "DELETE FROM starvideos_limits WHERE kind = 'failures' AND "
  .. OWN

local SUSPECTED = "SELECT reason FROM starvideos_limits WHERE kind = 'suspect' AND "
  .. OWN

local CLEAR = "DELETE FROM starvideos_limits WHERE kind = 'suspect' AND " .. OWN

local SUSPECT = [[INSERT INTO starvideos_limits (name, kind, scope, value,
  base_url, reason, updated_at)
  VALUES (:name, 'suspect', :scope, :account, :base_url, :id, :now)
  ON CONFLICT (name) DO UPDATE SET reason = excluded.reason,
  updated_at = excluded.updated_at]]

local CONTINUE = [[DELETE FROM starvideos_limits
  WHERE kind IN ('failures', 'suspect', 'halt')
  AND (:scope = '' AND base_url = :base_url OR ]] .. OBEYED .. ")"

-- What was handed back before is due, but as what halted the queue not the first to
-- be sent again.
local BEHIND = ([[UPDATE starvideos_orders SET not_before = :now + @behind@,
  revision = revision + 1 WHERE state = 'queued' AND claim IS NULL
  AND not_before IS NOT NULL AND base_url = :base_url
  AND (:scope = '' OR account = :account)]])
  :gsub("@behind@", tostring(_M.policy.behind))

local PULSE = [[SELECT kind, cap, full_until, reason, @own_factor@ AS factor,
  :now AS now FROM starvideos_limits WHERE kind = 'polls'
    AND (scope <> 'account' OR value = :account)
  OR kind IN ('hold', 'suspect', 'halt') AND ]] .. OBEYED

local ALL = [[SELECT name, kind, value AS account, base_url, cap, used,
  full_until, factor, reason, updated_at FROM starvideos_limits
  WHERE kind IN ('hold', 'halt', 'failures') ORDER BY name]]

local function name_of(kind, values)
  return ("%s %s%s"):format(kind, values.scope == "account"
    and "account=" .. values.account .. " " or "", values.base_url)
end

-- The values of whom a gate is of.
local function whose(store, caller, where)
  local values = limit_sql.values(store, caller, where)
  values.scope = where.account and "account" or ""
  return values
end

-- The values of a gate's statement.
local function values_of(store, caller, where, kind)
  local values = whose(store, caller, where)
  values.name = name_of(kind, values)
  return values
end

--- The provider said that there were too many requests: for so long no order is
-- sent and nothing polled, and less than before from then on.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`
-- @tparam ?number retry_after seconds; nil: the provider names no time
-- @treturn ?boolean true
-- @treturn ?table err
function _M.hold(store, caller, where, retry_after)
  local values = values_of(store, caller, where, "hold")
  values.seconds = math.min(math.max(retry_after or 0, 0),
    limit_sql.policy.hold_max)
  local count, err = limit_sql.run(store, HOLD, values)
  return count and true, err
end

--- Remove the holds that have no effect any more, from time to time.
-- @tparam table store
-- @tparam table values see `starvideos.ledger.limit_sql`
function _M.sweep(store, values)
  local last = store.swept_at
  if last and values.now >= last and values.now < last + _M.policy.sweep then
    return
  end
  store.swept_at = values.now
  limit_sql.run(store, SWEEP, values)
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
  local values = values_of(store, caller, where, "halt")
  values.reason = kind .. ": " .. reason
  local count, err = limit_sql.run(store, HALT_NOW, values)
  return count and true, err
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
  local values = values_of(store, caller, where, "suspect")
  return store:atomically(function()
    local rows, err = limit_sql.rows(store, SUSPECTED, values)
    local last, ok = rows and rows[1], nil
    if rows then
      ok, err = limit_sql.run(store, values.id and SUSPECT or CLEAR, values)
    end
    return ok and { is_second = last ~= nil and last.reason ~= values.id }, err
  end)
end

--- Let the queue continue: that of an account, with what has halted all; or that
-- of each.
-- @tparam table store
-- @tparam table caller
-- @tparam table where `account` (nil: all), `base_url`
-- @treturn ?boolean whether it was halted
-- @treturn ?table err
function _M.continue(store, caller, where)
  local values = whose(store, caller, where)
  return store:atomically(function()
    local count, err = limit_sql.run(store, CONTINUE, values)
    local ok = count
    if count and count > 0 then
      ok, err = limit_sql.run(store, BEHIND, values)
    end
    return ok and { was_halted = count > 0 }, err
  end)
end

local TOO_MANY = ("task_failed: %d tasks of the queue failed one after the"
  .. " other; the last one said: "):format(_M.policy.failures)

local function count_failure(store, caller, row)
  local values = values_of(store, caller, row, "failures")
  local count, err = limit_sql.run(store, FAILED, values)
  if count then
    values.name = name_of("halt", values)
    values.reason = TOO_MANY .. tostring(row.error or "nothing")
    count, err = limit_sql.run(store, HALT_FAILED, values)
  end
  return count, err
end

--- Count how the task of an order of the queue has ended. To be called in the
-- transaction that records it.
-- @tparam table store
-- @tparam table caller where it `tolerates` failed tasks they do not count
-- @tparam table row as it is now
-- @treturn ?number
-- @treturn ?table err
function _M.count(store, caller, row)
  local state = row.state
  if not row.queued_at or caller.tolerates then
    return 0
  elseif state == "failed" then
    return count_failure(store, caller, row)
  elseif state == "completed" or state == "downloaded" then
    return limit_sql.run(store, RESET, whose(store, caller, row))
  end
  return 0
end

-- Why the queue is halted: the kind of an error, and the reason.
local function halt_of(row)
  local kind, reason = tostring(row.reason):match "^(%l[%l_]*): (.*)$"
  return { kind = kind or "config", reason = reason or tostring(row.reason) }
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
  local values = limit_sql.values(store, caller, where)
  _M.sweep(store, values)
  local rows, err = limit_sql.rows(store, PULSE, values)
  if not rows then
    return nil, err
  end
  local pulse = { factor = 1 }
  for _, row in ipairs(rows) do
    if row.kind == "polls" then
      pulse.rate = math.min(pulse.rate or math.huge, tonumber(row.cap) or 0)
    elseif row.kind == "halt" then
      pulse.halted = halt_of(row)
    elseif row.kind == "suspect" then
      pulse.suspects = true
    else
      local hold = tonumber(row.full_until) - tonumber(row.now)
      if hold > 0 and hold <= LONGEST_HOLD then
        pulse.hold = math.max(pulse.hold or 0, hold)
      end
      pulse.factor = math.min(pulse.factor, tonumber(row.factor))
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
