--- The methods of a client for many orders and many machines: a queue in the
-- ledger, workers that send what is in it, and limits that hold for all of
-- them. `starvideos.client` has them among its own.
-- @module starvideos.client_fleet

local waiting = require("starvideos.arguments").waiting

local _M = {}

-- An operation is loaded when it is first called: most programs call none of
-- these.
local function orders_of_list()
  return require "starvideos.fleet.order_list"
end

local function history()
  return require "starvideos.fleet.history"
end

local function limits()
  return require "starvideos.fleet.limits"
end

--- Check and price a list of orders; nothing is sent or recorded.
-- @tparam ListedOrder[] list orders, or what `starvideos.manifest` gave
-- @treturn ?CheckedList checked
-- @treturn ?Error err of kind validation, with a violation for each fault of
--   each order; cancelled
-- @usage
-- local checked = assert(client:validate_all {
--   { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
-- print(#checked.entries)
-- @function Client:validate_all
_M.validate_all = waiting { name = "validate_all", takes = { "orders" },
  run = function(context, list)
    return orders_of_list().check(context, list, {})
  end }

--- Put a list of orders into the queue of the ledger, all of them or none.
-- Nothing is sent: `work` does that, here or on another machine. The same list
-- again is the same orders.
-- @tparam ListedOrder[] list orders, or what `starvideos.manifest` gave
-- @tparam[opt] EnqueueOptions options
-- @treturn ?Order[] orders in the order of the list; `known` is true of
--   those that were there
-- @treturn ?Error err validation, with a violation for each fault of each
--   order, and its `next_take` where the order is another than the one that is
--   there under its key and take; cancelled; ledger. Nothing was enqueued,
--   unless the message says so
-- @raise where the client has no ledger, or the list is none
-- @usage
-- assert(client:enqueue {
--   { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" } })
-- assert(client:work { directory = "videos" })
-- @function Client:enqueue
_M.enqueue = waiting { name = "enqueue", takes = { "orders" }, ledger = true,
  run = function(...)
    return require("starvideos.fleet.enqueue").run(...)
  end }

--- Order a list of videos, wait for them and save them, some at a time. With a
-- ledger a call that was interrupted can be made again: nothing is ordered
-- twice. All orders are checked before the first is sent.
-- @tparam ListedOrder[] list orders, or what `starvideos.manifest` gave.
--   Without a ledger an order has no take
-- @tparam[opt] GenerateAllOptions options
-- @treturn ?GenerateResult[] results in the order of the list. After a
--   refused key or an empty balance no further order is begun
-- @treturn ?Error err validation, see `enqueue`; io where a folder cannot be
--   made; cancelled after Ctrl-C, with the results so far in `result`
-- @usage
-- local results = assert(client:generate_all({
--   { model = "videos", prompt = "A kitten", duration = 5, path = "1.mp4" },
-- }, { directory = "videos" }))
-- assert(results[1].file, results[1].err)
-- @function Client:generate_all
_M.generate_all = waiting { name = "generate_all", takes = { "orders" },
  key = true, run = function(...)
    return require "starvideos.fleet.generate_all" (...)
  end }

--- Set limits of the ledger, or remove them, and list all there are. They hold
-- for every order that any process sends, of a queue or not, and count what is
-- there when they are set. An order that does not fit is not sent.
-- @tparam[opt] LimitsOptions options
-- @treturn ?Limit[] limits all of them, as they stand
-- @treturn ?Error err validation (a spend without a currency), ledger
-- @raise where the client has no ledger
-- @usage assert(client:limits { open = 5, spend = 200, per = "day", currency = "USD" })
-- @function Client:limits
_M.limits = waiting { name = "limits", takes = {}, ledger = true,
  refuses = function(...)
    return limits().misuse(...)
  end,
  run = function(...)
    return limits().set(...)
  end }

--- List the orders of the ledger, whatever became of them.
-- @tparam[opt] OrdersOptions options
-- @treturn ?Order[] orders oldest first
-- @treturn ?string|Error after what to pass as `after` for the next page,
--   nil where this was the last; or an error of kind ledger
-- @raise where the client has no ledger
-- @usage
-- for _, order in ipairs(assert(client:orders { state = "failed" })) do
--   print(order.key, order.error)
-- end
-- @function Client:orders
_M.orders = waiting { name = "orders", takes = {}, ledger = true,
  run = function(...)
    return history().orders(...)
  end }

--- What the ledger holds, in sums.
-- @treturn ?Status status
-- @treturn ?Error err of kind ledger
-- @raise where the client has no ledger
-- @usage print(assert(client:status()).states.downloaded)
-- @function Client:status
_M.status = waiting { name = "status", takes = {}, ledger = true,
  run = function(...)
    return history().status(...)
  end }

--- Drop prompts and parameters of orders that ended some time ago. Their keys and
-- outcomes stay, so that the same orders are still known, and nothing is bought
-- again.
-- @tparam[opt] ArchiveOptions options
-- @treturn ?integer count how many orders
-- @treturn ?Error err of kind ledger
-- @raise where the client has no ledger
-- @function Client:archive
_M.archive = waiting { name = "archive", takes = {}, ledger = true,
  run = function(...)
    return history().archive(...)
  end }

--- Copy a ledger in a file while others use it.
-- @tparam string path of the copy, which must not be there
-- @treturn ?Backup copy
-- @treturn ?Error err io; ledger; config where it is on a PostgreSQL server,
--   which has a program of its own for that
-- @raise where the client has no ledger
-- @function Client:backup
_M.backup = waiting { name = "backup", takes = { "path" }, ledger = true,
  run = function(...)
    return history().backup(...)
  end }

--- Work off the queue of the ledger: send what is queued, wait for it and save the
-- videos, beside any number of other workers on this machine and others. What a
-- worker that died has left is taken over. Ctrl-C ends it when the orders on the
-- wire have their answers, and hands the rest back.
-- @tparam[opt] WorkOptions options
-- @treturn ?WorkResult result
-- @treturn ?Error err with that `result`: cancelled (after Ctrl-C); the kind
--   of what has stopped the queue: auth, config, invalid_request (no money
--   left), task_failed or outcome_unknown (five in a row); limited (a limit
--   that will not lift); io (videos cannot be saved); ledger
-- @raise where the client has no ledger
-- @function Client:work
_M.work = waiting { name = "work", takes = {}, ledger = true, key = true,
  run = function(...)
    return require("starvideos.fleet.work").run(...)
  end }

return _M
