--- What listeners of all nginx workers learn of an order while it is made.
-- @module starvideos.gateway.live

local _M = {}

local function shared()
  return ngx.shared.starvideos_gateway
end

--- Note how far an order is.
-- @tparam string order_id
-- @tparam table seen `state`, `progress` (0 to 100)
function _M.note(order_id, seen)
  if seen.progress then
    shared():set("progress " .. order_id, seen.progress, 7200)
  end
end

--- How far an order is.
-- @tparam string order_id
-- @treturn ?number 0 to 100; nil where that is not known
function _M.progress(order_id)
  return shared():get("progress " .. order_id)
end

return _M
