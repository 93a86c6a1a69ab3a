--- What a caller may order, and what is left of the caller's limits: for the page,
-- and for whoever builds another.
-- @module starvideos.gateway.account

local body = require "starvideos.gateway.body"
local caps = require "starvideos.gateway.cap"
local contexts = require "starvideos.context"
local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.dialect.openai"
local refusals = require "starvideos.gateway.refusal"
local validate = require "starvideos.order.validate"

local _M = {}

local MILLION = 1000000

-- The limit of spend of the caller's file, as the ledger counts it.
local function spend_of(caller, usage)
  for _, limit in ipairs(usage.spend) do
    if limit.kind == "spend/" .. (caller.limits.per or "") then
      return { cap = limit.cap / MILLION, used = limit.used / MILLION,
        left = math.max(0, limit.cap - limit.used) / MILLION,
        per = caller.limits.per, currency = limit.currency }
    end
  end
end

--- Show the caller's account: `caller` (a name), `has_session` (whether callers
-- have tokens), `currency` (nil: nothing has a price), `models` (rows of the
-- catalog: what each takes, within which limits), `spend` (`cap`, `used`, `left`
-- in units of the `currency`, `per`: day or total) and `open` (`cap`, `used`:
-- orders that have not ended), each nil where there is no such limit.
function _M.show(app, request)
  local caller = request.caller
  local context = contexts.of(app.client(caller.name))
  local usage
  local ok, err = caps.hold(app, caller)
  if ok then
    usage, err = context.ledger:usage()
  end
  if not usage then
    return nil, refusals.of(err)
  end
  local open = caller.limits.open
  return 200, {
    caller = caller.name,
    has_session = app.callers ~= nil,
    currency = context.prices and context.prices.currency,
    models = app.catalog:models(),
    spend = spend_of(caller, usage),
    open = open and { cap = open, used = usage.open } or nil,
  }
end

-- Faults are an answer here, not a refusal.
local function faulty(refusal, fields)
  if refusal.violations then
    return 200, { violations = openai.retold(refusal, fields).violations }
  end
  return nil, refusal
end

--- Check an order and price it, without placing it: `cost` and `currency`, or
-- `why` it has no price, or the `violations` for which it would be refused.
function _M.price(app, request)
  local fields, refusal = body.read(request)
  if not fields then
    return nil, refusal
  end
  local params
  params, refusal = openai.params_of(fields, app.catalog)
  if not params then
    return faulty(refusal, fields)
  end
  local context = contexts.of(app.client(request.caller.name))
  local ok, err = validate.check(context, params)
  if not ok then
    return faulty(refusals.of(err), fields)
  end
  local price, why = validate.price(context, params,
    app.catalog:model(params.model))
  return 200, { cost = price and price.cost, currency = price and price.currency,
    why = why, violations = json.empty_list }
end

return _M
