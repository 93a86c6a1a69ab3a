--- What the ledger is to hold of an order of the queue.
-- @module starvideos.fleet.queue_entry

local paths = require "starvideos.base.path"

local _M = {}

--- A path that is relative leads to a folder of the worker that saves the video.
-- @tparam table context of a client with a ledger
-- @tparam table entry see `starvideos.fleet.order_list`
-- @tparam table request see `starvideos.provider.body`
-- @treturn table wanted, see `orders:begin`; with `endpoint` and `body`
function _M.wanted(context, entry, request)
  local ledger = context.ledger
  local is_here = entry.path ~= nil and paths.is_absolute(entry.path)
  local key, other_key = entry.key, entry.other_key
  if is_here and not entry.order.key then
    key, other_key = ledger:key_of { path = entry.path, given = entry.given }
  end
  return {
    key = key,
    other_key = other_key,
    take = entry.take,
    path = entry.path,
    machine = is_here and ledger.machine() or nil,
    label = entry.label,
    model = type(request.fields.model) == "string" and request.fields.model
      or nil,
    base_url = context.base_url,
    params = ledger.text_of(request.fields, context.api_key),
    body = request.body,
    endpoint = request.endpoint,
    cost = entry.price and entry.price.millionths,
    currency = entry.price and entry.price.currency,
  }
end

return _M
