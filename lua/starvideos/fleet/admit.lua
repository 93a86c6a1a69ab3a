--- Admit one order of a gateway's caller to the queue: checked and priced as a
-- whole, decided in one transaction of the ledger. Nothing is sent; workers do
-- that.
-- @module starvideos.fleet.admit

local bodies = require "starvideos.provider.body"
local queue_entry = require "starvideos.fleet.queue_entry"
local validate = require "starvideos.order.validate"

local _M = {}

--- Check an order and price it; nothing is recorded.
-- @tparam table context of the client
-- @tparam table params
-- @treturn ?table request: see `starvideos.provider.body`; with `price` where
--   the client has one for it
-- @treturn ?table err of kind validation
function _M.check(context, params)
  local model = type(params.model) == "string" and params.model or nil
  local row = model and context.catalog:model(model)
  local _, err = validate.before_sending(context, params, context.validation)
  local request
  if not err then
    request, err = bodies.build(params, row)
  end
  if err then
    return nil, err
  end
  request.price = validate.price(context, params, row)
  return request
end

--- Admit an order.
-- @tparam table context of a client with a ledger, whose account is the caller
-- @tparam table params
-- @tparam table options `key`, `attempt` (nil: not numbered), `began` (with
--   `attempt`: now), `terms` (none), see `starvideos.ledger.requests`
-- @treturn ?table see `starvideos.ledger.requests`
-- @treturn ?table err: validation, ledger
function _M.run(context, params, options)
  local request, err = _M.check(context, params)
  if not request then
    return nil, err
  end
  local wanted = queue_entry.wanted(context, { order = options, take = 1,
    key = options.key, price = request.price }, request)
  wanted.attempt = options.attempt or 0
  wanted.began = options.attempt and (options.began or context.ledger.clock())
  return context.ledger:admit(wanted, options.terms or {})
end

return _M
