--- The worker of the fleet in an nginx worker: it orders what callers have placed,
-- waits for it and saves it.
-- @module starvideos.gateway.worker

local orders = require "starvideos.gateway.orders"

local _M = {}

--- Work until nginx ends this worker.
-- @tparam table app
function _M.run(app)
  local client = app.client()
  local _, err = client:work { follow = true, accounts = "any",
    interval = app.settings.interval,
    path = function(order)
      return orders.path_of(app, order.id)
    end }
  if err and not ngx.worker.exiting() then
    ngx.log(ngx.ERR, tostring(err))
  end
end

return _M
