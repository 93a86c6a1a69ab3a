--- What each caller may spend, kept as a limit of the ledger: all that orders for
-- that caller obeys it, whatever it is.
-- @module starvideos.gateway.caps

local _M = {}

-- Seconds between two tries where the ledger cannot be written.
local PAUSE = 3

local MILLION = 1e6

-- The file of callers says all about a caller: what it does not name is removed.
local function apply(client, caller)
  for _, per in ipairs { "day", "total" } do
    local limits = caller.limits
    local ok, err = client:limits { account = caller.name, per = per,
      spend = limits.per == per and limits.spend / MILLION or false }
    if not ok then
      return nil, err
    end
  end
  return true
end

--- Set the limits of all callers, however long that takes. Nobody with a cap can
-- order before.
-- @tparam table app
function _M.keep(app)
  local client = app.client()
  for _, caller in ipairs(app.callers and app.callers.list or {}) do
    local ok, err = apply(client, caller)
    while not ok do
      ngx.log(ngx.ERR, "cannot set what ", caller.name, " may spend: ",
        tostring(err))
      ngx.sleep(PAUSE)
      if ngx.worker.exiting() then
        return
      end
      ok, err = apply(client, caller)
    end
  end
end

return _M
