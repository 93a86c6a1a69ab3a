--- Whether the gateway can order and save: what `/healthz` says. No request asks the
-- ledger; one nginx worker does, now and then, for all of them.
-- @module starvideos.gateway.health

local contexts = require "starvideos.context"

local _M = {}

--- In seconds.
-- @table policy
_M.policy = {
  look = 1, -- between two questions to the ledger
  answer = 5, -- for which one is waited for before another asks
  ledger = 4, -- after which an answer of the ledger says nothing any more
  retry = 5, -- after which whoever asked is to ask again
  worker = 10, -- the same of a sign of life of a worker
}

local function shared()
  return ngx.shared.starvideos_gateway
end

-- Why the whole queue has stopped: the kind of an error.
local function halt_of(gates, base_url)
  for _, gate in ipairs(gates) do
    if gate.halted and gate.account == "" and gate.base_url == base_url then
      return gate.halted.kind
    end
  end
end

local function ask(app)
  local context = contexts.of(app.client())
  local gates = context.ledger:probe()
  if not gates then
    shared():delete "ledger"
    return
  end
  local halted = halt_of(gates, context.base_url)
  shared():set("ledger", true, _M.policy.ledger)
  if halted then
    shared():set("halted", halted)
  else
    shared():delete "halted"
  end
end

--- Say that the worker of an nginx worker is at work, where it is; to be called
-- about every second.
-- @tparam table app with `control`
function _M.beat(app)
  if app.control and app.control.is_alive() then
    shared():set("alive " .. ngx.worker.id(), true, _M.policy.worker)
  end
end

--- Ask the ledger, where nobody has done so a moment ago; to be called about every
-- second by each nginx worker.
-- @tparam table app
function _M.look(app)
  if shared():add("looked", true, _M.policy.answer) then
    ask(app)
    shared():set("looked", true, _M.policy.look)
  end
end

--- What is known now.
-- @treturn table `ledger` (whether it answers), `workers` (how many are at work),
--   `halted` (why the queue has stopped, the kind of an error, or nil)
function _M.seen()
  local count = 0
  for id = 0, ngx.worker.count() - 1 do
    count = count + (shared():get("alive " .. id) and 1 or 0)
  end
  return { ledger = shared():get "ledger" == true, workers = count,
    halted = shared():get "halted" }
end

--- What that means.
-- @tparam table seen see `seen`
-- @treturn number status of HTTP
-- @treturn table answer: `status`, and `reasons`, each with `code` and `message`
function _M.verdict(seen)
  local reasons = {}
  local function add(code, message)
    reasons[#reasons + 1] = { code = code, message = message }
  end
  if not seen.ledger then
    add("ledger", "the ledger does not answer; nothing can be ordered")
  end
  if seen.workers == 0 then
    add("workers", "no worker is at work; what was ordered waits")
  end
  if seen.halted then
    add("halted", ("the queue has stopped (%s), and the error log says why: see to"
      .. " that, and reload the gateway (HUP)"):format(seen.halted))
  end
  if reasons[1] then
    return 503, { status = "unavailable", reasons = reasons }
  end
  return 200, { status = "ok" }
end

--- Answer `GET /healthz`.
-- @treturn number status
-- @treturn table value
-- @treturn table headers
function _M.run()
  local status, value = _M.verdict(_M.seen())
  return status, value, { ["Retry-After"] = status == 503
    and _M.policy.retry or nil }
end

return _M
