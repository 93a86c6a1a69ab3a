--- The methods of a client for many orders and many machines: a queue in the
-- ledger, workers that send what is in it, and limits that hold for all of
-- them. `starvideos.client` has them among its own.
-- @module starvideos.fleet

local history = require "starvideos.operation.history"
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

--- List the orders of the ledger, whatever became of them.
-- @tparam[opt] table options `state` (one, or a list of them), `since` and
--   `before` (Unix seconds, when they were placed), `label`, `account`, `key`,
--   `limit` (1000 orders at most), `after` (the id of the last order of the page
--   before)
-- @treturn ?table list of orders, oldest first, see `pending`
-- @treturn ?string|table what to pass as `after` for the next page, nil where this
--   was the last; or err of kind ledger
-- @raise where the client has no ledger
-- @function Client:orders
_M.orders = waiting { name = "orders", takes = {}, ledger = true,
  run = history.orders }

--- What the ledger holds, in sums.
-- @treturn ?table `states` (how many orders, by their state), `claimed` (how many
--   workers have), `unpriced` (how many were sent, or may have been, without a
--   price), `spend` (by currency `total` and `today`, of this day UTC), `workers`
--   (a list of `id`, `machine`, `account`, `base_url`, `claims`, `polls` (its
--   share of the polls a second), `draining`, `started_at` (Unix seconds),
--   `silence` (seconds since its last heartbeat), `is_dead`)
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
-- @function Client:status
_M.status = waiting { name = "status", takes = {}, ledger = true,
  run = history.status }

--- Drop prompts and parameters of orders that ended some time ago. Their keys and
-- outcomes stay, so that the same orders are still known, and nothing is bought
-- again.
-- @tparam[opt] table options `before` (Unix seconds, 30 days ago)
-- @treturn ?number how many orders
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
-- @function Client:archive
_M.archive = waiting { name = "archive", takes = {}, ledger = true,
  run = history.archive }

--- Copy a ledger in a file while others use it.
-- @tparam string path of the copy, which must not be there
-- @treturn ?table `path`, `bytes`
-- @treturn ?table err: io; ledger; config where it is on a PostgreSQL server,
--   which has a program of its own for that
-- @raise where the client has no ledger
-- @function Client:backup
_M.backup = waiting { name = "backup", takes = { "path" }, ledger = true,
  run = history.backup }

return _M
