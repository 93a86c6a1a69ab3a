--- The methods of a client for many orders and many machines: a queue in the
-- ledger, workers that send what is in it, and limits that hold for all of
-- them. `starvideos.client` has them among its own.
-- @module starvideos.fleet

local limits = require "starvideos.operation.limits"
local method = require "starvideos.method"

local waiting = method.waiting

local _M = {}

--- Set limits of the ledger, or remove them, and list all there are. They hold
-- for every order that any process sends, of a queue or not, and count what is
-- there when they are set. An order that does not fit is not sent.
-- @tparam[opt] table options each a number, 0 to send nothing, or `false` to
--   remove that limit: `open` (tasks at the same time), `creates_per_minute`,
--   `polls_per_second` (of all workers together), and `spend` with `per`
--   (`total`, or `day`: of UTC), `currency` (that of the client's prices) and
--   `refund_failed` (whether the provider pays failed tasks back; false). They
--   are for all orders, or with `account` or `label` for those of one
-- @treturn ?table list of limits, each with `name`, `kind` (the option's name),
--   `cap`, where it counts `used` and `left`, `account` or `label`, `per`,
--   `currency`, `refund_failed`, and `until_` (Unix seconds: when its day ends,
--   or it may be used again)
-- @treturn ?table err: validation (a spend without a currency), ledger
-- @raise where the client has no ledger
-- @usage client:limits { open = 5, spend = 200, per = "day", currency = "USD" }
-- @function Client:limits
_M.limits = waiting { name = "limits", takes = {}, ledger = true,
  refuses = limits.misuse, run = limits.set }

return _M
