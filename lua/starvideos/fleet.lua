--- The methods of a client for many orders and many machines: a queue in the
-- ledger, workers that send what is in it, and limits that hold for all of
-- them. `starvideos.client` has them among its own.
-- @module starvideos.fleet

local method = require "starvideos.method"

local waiting = method.waiting

local _M = {}

-- An operation is loaded when it is first called: most programs call none of
-- these.
local function orders_of_list()
  return require "starvideos.operation.order_list"
end

local function history()
  return require "starvideos.operation.history"
end

local function limits()
  return require "starvideos.operation.limits"
end

--- Check and price a list of orders; nothing is sent or recorded.
-- @tparam table list see `enqueue`
-- @treturn ?table checked: `entries` in the order of the list, each with `index`,
--   `line` (of a manifest), `path`, `key`, `take`, `label`, and where the client
--   has prices `price` (as `validate` gives it) or `unpriced` (why it has none);
--   `warnings`, each with the `index` and `line` of its order; and where the
--   client has prices the `price` of all, and `unpriced`, how many have none
-- @treturn ?table err of kind validation, see `enqueue`; cancelled
-- @function Client:validate_all
_M.validate_all = waiting { name = "validate_all", takes = { "orders" },
  run = function(context, list)
    return orders_of_list().check(context, list, {})
  end }

--- Put a list of orders into the queue of the ledger, all of them or none.
-- Nothing is sent: `work` does that, here or on another machine. The same list
-- again is the same orders.
-- @tparam table list of orders, each a table with the parameters of `create`
-- and, beside them, `path` (where the video is saved, below the `directory` of
-- the worker that saves it; an absolute one counts on this machine only), `key`
-- (default: the path as it is written), `take` (1) and `label`. One of path and
-- key must be there. Or a manifest, see `starvideos.operation.manifest`
-- @tparam[opt] table options `label` (of orders that have none); `confirm`, a
--   function that is asked before anything is enqueued: it gets a table with
--   `new` and `known` (numbers of orders), the `price` of the new ones and
--   `unpriced` (how many of them have none) where the client has prices, and
--   `warnings`; unless it returns true nothing is
-- @treturn ?table list of orders as `pending` gives them, in the order of the
--   list; `known` is true of those that were there
-- @treturn ?table err: validation, with a violation for each fault of each order:
--   `index`, `line` (of a manifest), `field`, `code`, `message`, and `next_take`
--   where the order is another than the one that is there under its key and
--   take; cancelled; ledger. Nothing was enqueued, unless the message says so
-- @raise where the client has no ledger, or the list is none
-- @function Client:enqueue
_M.enqueue = waiting { name = "enqueue", takes = { "orders" }, ledger = true,
  run = function(...)
    return require "starvideos.operation.enqueue" (...)
  end }

--- Order a list of videos, wait for them and save them, some at a time. With a
-- ledger a call that was interrupted can be made again: nothing is ordered
-- twice. All orders are checked before the first is sent.
-- @tparam table list see `enqueue`. Without a ledger an order has no take
-- @tparam[opt] table options `at_most` (5 at a time), `directory` (the current
--   one; paths are below it, and missing folders are made), `label`,
--   `on_done(order, file, err)`, `on_task(order, task)`,
--   `on_progress(order, task, info)` and `on_download(order, received, total)`,
--   which get the order as it stands in the list; `overwrite`, `stall_timeout`,
--   `limit_timeout` (that of the wait: orders of the same list make room) and
--   those of `wait`, for each order
-- @treturn ?table results in the order of the list, each with `task` and `file`,
--   or `err`. After a refused key or an empty balance no further order is begun
-- @treturn ?table err: validation, see `enqueue`; io where a folder cannot be
--   made; cancelled after Ctrl-C, with the results so far in `result`
-- @function Client:generate_all
_M.generate_all = waiting { name = "generate_all", takes = { "orders" },
  key = true, run = function(...)
    return require "starvideos.operation.generate_all" (...)
  end }

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
  refuses = function(...)
    return limits().misuse(...)
  end,
  run = function(...)
    return limits().set(...)
  end }

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
  run = function(...)
    return history().orders(...)
  end }

--- What the ledger holds, in sums.
-- @treturn ?table `states` (how many orders, by their state), `claimed` (how many
--   workers have), `unattended` (how many tasks of the queue no worker has had for
--   two minutes), `overdue` (how many tasks have not ended after half an hour),
--   `unpriced` (how many were sent, or may have been, without a
--   price), `spend` (by currency `total` and `today`, of this day UTC), `workers`
--   (a list of `id`, `machine`, `account`, `base_url`, `claims`, `polls` (its
--   share of the polls a second), `draining`, `started_at` (Unix seconds),
--   `silence` (seconds since its last heartbeat), `is_dead`), `limits` (see there),
--   `halted` (where the queue has stopped, a list of `account`, `base_url`, `kind`,
--   `reason`, `since`), `rates` (where a 429 has lowered them, a list of `account`,
--   `base_url`, `factor`, and `until_`, before which nothing is sent)
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
-- @function Client:status
_M.status = waiting { name = "status", takes = {}, ledger = true,
  run = function(...)
    return history().status(...)
  end }

--- Drop prompts and parameters of orders that ended some time ago. Their keys and
-- outcomes stay, so that the same orders are still known, and nothing is bought
-- again.
-- @tparam[opt] table options `before` (Unix seconds, 30 days ago)
-- @treturn ?number how many orders
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
-- @function Client:archive
_M.archive = waiting { name = "archive", takes = {}, ledger = true,
  run = function(...)
    return history().archive(...)
  end }

--- Copy a ledger in a file while others use it.
-- @tparam string path of the copy, which must not be there
-- @treturn ?table `path`, `bytes`
-- @treturn ?table err: io; ledger; config where it is on a PostgreSQL server,
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
-- @tparam[opt] table options `directory` (the current one: where videos go),
--   `follow` (false: returns when nothing is left; true: goes on for ever),
--   `resume` (false; true: a queue that stopped itself continues), `claims` (64
--   orders at a time), `accounts` ("any": orders of all accounts, which this key
--   pays; the client's own alone), `failures` (true; false, where others write the
--   prompts: five failed tasks in a row do not stop the queue, and after five
--   unknown outcomes in a row it only slows down), `overwrite` (false),
--   `path(order)` (returns where to save a video), `on_begin(control)` (once this
--   worker is known to the others: `control.wake()` has it look for orders at once,
--   `control.is_alive()` tells whether its heartbeat is in time),
--   `on_done(order, file, err)`,
--   `on_progress(order, task, info)`, `stall_timeout`; and `timeout`, `interval`
--   and `max_interval` of `wait`
-- @treturn ?table result: numbers of orders: `done` (saved here), `failed` (here),
--   `unknown` (sent here, outcome unknown) and `left` (in the ledger)
-- @treturn ?table err with that `result`: cancelled (after Ctrl-C); the kind of
--   what has stopped the queue: auth, config, invalid_request (no money left),
--   task_failed or outcome_unknown (five in a row); limited (a limit that will
--   not lift); io (videos cannot be saved); ledger
-- @raise where the client has no ledger
-- @function Client:work
_M.work = waiting { name = "work", takes = {}, ledger = true, key = true,
  run = function(...)
    return require("starvideos.operation.work").run(...)
  end }

return _M
