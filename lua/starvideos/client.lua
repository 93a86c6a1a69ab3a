--- A client: one key, one base URL, one way of waiting.
-- @classmod starvideos.client

local check = require "starvideos.check"
local contexts = require "starvideos.context"
local create = require "starvideos.operation.create"
local download = require "starvideos.operation.download"
local errors = require "starvideos.errors"
local generate = require "starvideos.operation.generate"
local fleet = require "starvideos.fleet"
local handles = require "starvideos.handle"
local method = require "starvideos.method"
local pending = require "starvideos.operation.pending"
local query = require "starvideos.operation.query"
local validate = require "starvideos.operation.validate"
local wait = require "starvideos.operation.wait"

local _M = {}

local Client = {}
local mt = { __index = Client, __name = "starvideos.client" }

function mt:__tostring()
  local context = contexts.of(self)
  return ("starvideos client of %s"):format(context and context.base_url or "?")
end

local result, waiting = method.result, method.waiting

-- The context of a client whose host has a loop of its own.
local function looping(self, name)
  local context = check.runtime(contexts.of(self), name, "update",
    "frame or poll")
  return context
end

-- The same where that loop watches a descriptor.
local function polling(self, name)
  local context = check.runtime(contexts.of(self), name, "pollfd", "poll")
  return context
end

--- Order a video. An order that may have arrived is never sent again; one that
-- certainly did not arrive is sent up to three times.
-- @tparam table params the API's own fields: `model`, `prompt`, `duration`
--   (seconds), `ratio`, `resolution`, `first_image`, `last_image`,
--   `referenceImages`, `referenceVideos`, `referenceAudios`. A reference is a
--   URL, or a table `{ url =, bytes =, duration =, width =, height = }` whose
--   facts are checked and whose URL is sent
-- @tparam[opt] table options `validation` (`strict`, `advisory` or `off`;
--   default the client's), `endpoint` (a path below the base URL, for a model
--   this version does not know); with a ledger also `key` (a name of your own:
--   the same key again returns the same task and sends nothing; default: the
--   absolute path, where there is one), `take` (1: another take of a key is
--   another order, for when the first one failed, or its fate is unknown, or
--   you want a second video), `path` (where `resume` is to save the video) and
--   `label` (of your own, for limits and lists)
-- @treturn ?table task
-- @treturn ?table warnings, or err: validation, config, auth, rate_limited,
--   invalid_request, network (nothing was sent), outcome_unknown (it may have
--   been accepted; with `phase`, `bytes_sent`, `status` and, from a ledger,
--   `order`), task_failed (with the task: it was accepted, and has ended) or
--   ledger (with `task` and `order` where it was accepted)
-- @usage local task = assert(client:create{ model = "videos",
--   prompt = "A kitten in the grass", duration = 5 })
-- @function Client:create
Client.create = waiting { name = "create", takes = { "params" }, key = true,
  run = create }

--- Look at a task once.
-- @tparam string|table task_or_id
-- @tparam[opt] table options `max_age` (seconds; with a `shared` dictionary: an
--   answer that another wait or process got no longer ago will do)
-- @treturn ?table task, a failed one too
-- @treturn ?table err: validation (an empty id), config, auth, not_found,
--   rate_limited, server, network, timeout or protocol
-- @function Client:query
Client.query = waiting { name = "query", takes = { "task_id" },
  run = function(context, id, options)
    return query(context, id, nil, options.max_age)
  end }

--- Wait until a task ends.
-- @tparam string|table task_or_id
-- @tparam[opt] table options in seconds: `timeout` (1800), `interval` (30,
--   the provider asks for 30 to 60), `max_interval` (60), `first_poll` (one
--   interval after the task was created); and `on_progress(task, info)`,
--   called after every poll but one that ends the wait with an error, with the
--   task as last known (its status is `unknown` where no answer could be read
--   yet), `info.elapsed`, `info.remaining`, `info.polls`, and `info.error`
--   where this poll failed; such a task has no `raw`, nor has `err.task`
-- @treturn ?table task, completed
-- @treturn ?table err: task_failed, timeout (the task goes on; wait again for
--   `err.task`), auth, not_found, rate_limited, protocol, config …
-- @function Client:wait
Client.wait = waiting { name = "wait", takes = { "task" }, run = wait.one }

--- Wait for many tasks at the same time.
-- @tparam table list tasks or ids
-- @tparam[opt] table options as for `wait`; they hold for each task
-- @treturn table results in the order of the list, each with `id` and either
--   `task` or `err`
-- @function Client:wait_all
Client.wait_all = waiting { name = "wait_all", takes = { "tasks" },
  run = function(context, tasks, options)
    local results = wait.all(context, tasks.list, options, tasks.faults)
    for _, one in ipairs(results) do
      result(context, one.task, one.err)
    end
    return results
  end }

--- Save the video of a completed task.
-- @tparam string|table task_or_id an id, or a task without a link, is asked
--   for first
-- @tparam string path the target; `.part` and `.part.json` beside it hold what
--   an interrupted download has left, and the next call or process resumes
--   there. Where the link has expired, another one is asked for, once
-- @tparam[opt] table options `overwrite` (false), `timeout` (seconds, none),
--   `stall_timeout` (30 seconds without a byte), `on_progress(received,
--   total)` in bytes, total nil while unknown
-- @treturn ?table file with `path`, `bytes`, `sha256`, `resumed_from`, and
--   `ledger_error` where the file was saved and the ledger could not record it
-- @treturn ?table err: io, expired, network, timeout, task_failed, protocol,
--   ledger …; where something was kept, `part` is its path, `bytes` its size
-- @function Client:download
Client.download = waiting { name = "download", takes = { "task", "path" },
  run = download.save }

--- Order a video, wait for it and save it. Before it orders, it checks that the
-- target can be written.
-- @tparam table params as for `create`
-- @tparam table options `path`, and those of `create` and `wait`;
--   `overwrite`, `stall_timeout`, `on_task(task)` as soon as the order was
--   accepted, `on_download(received, total)` in bytes
-- @treturn ?table task
-- @treturn ?table file, or err; after the order `err.task_id` says what to
--   wait for or download
-- @function Client:generate
Client.generate = waiting { name = "generate", takes = { "params" },
  key = true, requires = "path", reason = "where to save the video",
  run = generate }

--- List the orders of the ledger about which something is still to be done:
-- to wait for, to download or to decide about.
-- @tparam[opt] table options `limit` (1000 orders at most), `after` (the id of
--   the last order of the page before), `all` (false): also those about which
--   nothing is to be done
-- @treturn ?table list of orders, oldest first, each with `id`, `key`, `take`,
--   `account`, `state`, `task_id`, `late_tasks` (ids of tasks that were learnt
--   of when the order had another state: bought too), `model`, `prompt`, `params`,
--   `path`, `bytes`, `sha256`, `error`, `attempts`, `base_url`; and in Unix
--   seconds `created_at`, `updated_at`, `accepted_at`, `missing_since` (the
--   provider does not know the task any more). The queries of URLs in `params`
--   are left out
-- @treturn ?string|table what to pass as `after` for the next page, nil where
--   this was the last; or err of kind ledger
-- @raise where the client has no ledger
-- @function Client:pending
Client.pending = waiting { name = "pending", takes = {}, ledger = true,
  run = function(context, options)
    return pending.list(context.ledger, options.limit or 1000, options.after,
      options.all)
  end }

--- Look an order of the ledger up, open or not.
-- @tparam table|string order as `pending` gave it, or its id or key
-- @tparam[opt] table options `take` (1, of a key)
-- @treturn ?table order, see `pending`
-- @treturn ?table err: not_found; ledger
-- @raise where the client has no ledger
-- @function Client:order
Client.order = waiting { name = "order", takes = { "order" }, ledger = true,
  run = function(context, id, options)
    return pending.order(context.ledger, id, options.take)
  end }

--- Wait for every open order of the ledger and save its video. Nothing is
-- ordered.
-- @tparam[opt] table options `path(order)` (returns where to save a video; by
--   default the path the order was placed with, else its key or task id in
--   `directory`), `directory` (the current one; where it is given it also takes
--   the files of orders whose path is one of another machine), `overwrite`
--   (false), `missing` (false: tasks that the provider has not known for a day
--   are listed, and not asked for), `on_done(order, file, err)`,
--   `on_progress(order, task, info)`, `stall_timeout`, and those of `wait`;
--   `first_poll` is 0
-- @treturn ?table result with `done`, `failed` and `left` (numbers of orders),
--   and `orders`, a list of `order` with `file` or `err`
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
-- @function Client:resume
Client.resume = waiting { name = "resume", takes = {}, ledger = true,
  key = true, run = function(...)
    return require("starvideos.operation.resume").all(...) -- when it is called
  end }

--- Abandon an order of the ledger: it is not pending any more, and its take is
-- used up. For one that has ended: acknowledge its late tasks.
-- @tparam table|string order as `pending` gave it, or its id or key
-- @tparam[opt] table options `take` (1, of a key), `force` (false): also one
--   that was bought and can still be downloaded, or that a process holds
--   although its lease has expired
-- @treturn ?table order, abandoned
-- @treturn ?table err: not_found; validation where the order is being sent, was
--   bought or its video saved; ledger
-- @raise where the client has no ledger
-- @function Client:dismiss
Client.dismiss = waiting { name = "dismiss", takes = { "order" },
  ledger = true, run = function(context, id, options)
    return pending.dismiss(context.ledger, id, options)
  end }

--- Say of which account an order is, and all takes of its key that have no
-- account with it.
-- @tparam table|string order as `pending` gave it, or its id or key
-- @tparam[opt] string account (the client's own)
-- @tparam[opt] table options `take` (1, of a key)
-- @treturn ?table order
-- @treturn ?table err: not_found; validation where it is of another account, or
--   being sent; ledger
-- @raise where the client has no ledger, or no account is given
-- @function Client:label
Client.label = waiting { name = "label", takes = { "order", "account" },
  ledger = true, run = function(context, id, account, options)
    return pending.label(context.ledger, id, account, options.take)
  end }

--- Say which task an order of unknown fate has become, as your account with
-- the provider shows it. From then on it is waited for like any other.
-- @tparam table|string order as `pending` gave it, or its id or key
-- @tparam table|string task_or_id
-- @tparam[opt] table options `take` (1, of a key)
-- @treturn ?table order, accepted or, where the task has ended, as it ended
-- @treturn ?table err: not_found (the order or the task); validation where
--   the fate of the order is known, or the task belongs to another; those of
--   `query`; ledger
-- @raise where the client has no ledger
-- @function Client:adopt
Client.adopt = waiting { name = "adopt", takes = { "order", "task_id" },
  ledger = true, run = function(context, id, task_id, options)
    return pending.adopt(context, id, task_id, options.take)
  end }

--- Check a request against the documented limits, and say what it costs;
-- nothing is sent.
-- @tparam table params as for `create`
-- @treturn ?boolean true
-- @treturn table warnings (a list), or err with `violations`, each with
--   `field`, `code`, `message` and, where they apply, `limit` and `actual`
-- @treturn ?table price where the client has `prices`: `cost` in units of
--   `currency`, and in whole `millionths` of it; nil where it is not known
-- @treturn ?string why it is not
function Client:validate(params)
  local context = check.client(contexts.of(self), "validate")
  check.params("validate", params)
  local ok, found = validate.check(context, params)
  if not ok or not context.prices then
    return ok, found
  end
  return ok, found, validate.price(context, params,
    context.catalog:model(params.model))
end

--- The models of this client's edition and their limits.
-- @treturn table rows of the catalog
function Client:models()
  local context = check.client(contexts.of(self), "models")
  return context.catalog:models()
end

--- Start an operation in a game loop or an event loop (runtime `frame` or
-- `poll`). It runs up to its first wait and goes on in `update`.
-- @tparam function body may call every function of this client, and wait
-- @param ... its arguments
-- @treturn starvideos.handle handle; what the body returns becomes its
--   `result`, what it raises its `err`
-- @raise where the runtime is another
-- @usage local order = client:async(function()
--   return client:generate(params, { path = "kitten.mp4" })
-- end)
function Client:async(body, ...)
  local context = looping(self, "async")
  if type(body) ~= "function" then
    error("async takes a function, not a " .. type(body), 2)
  end
  return handles.start(context.runtime, body, ...)
end

--- Let operations go on: call it once a frame, or when the event loop says so.
-- @tparam[opt] number budget_ms milliseconds after which no further operation
--   is resumed (0.05; with `poll` 1). At least one is, and more where their
--   queue does not drain
-- @raise where the runtime is another
function Client:update(budget_ms)
  local context = looping(self, "update")
  if budget_ms ~= nil and type(budget_ms) ~= "number" then
    error("update takes a number of milliseconds, not a " .. type(budget_ms),
      2)
  end
  context.runtime:update(budget_ms and budget_ms / 1000)
end

--- Cancel every operation that is under way, as `handle:cancel` does one: waits
-- end at the next updates, an order on the wire still gets its answer.
-- @raise where the runtime is another than `frame` or `poll`
function Client:cancel()
  looping(self, "cancel").runtime:cancel_all()
end

--- Whether an operation of `async` is still under way. To leave without a
-- frozen window call `cancel`, go on with `update` while this is true, and
-- `close` then.
-- @treturn boolean
-- @raise where the runtime is another than `frame` or `poll`
function Client:busy()
  return looping(self, "busy").runtime:is_busy()
end

local function ended(context, name, why)
  return result(context, nil, errors.new {
    kind = why == "timeout" and "timeout" or "cancelled",
    message = why == "timeout" and "operations are still under way, and"
      .. " nothing was cancelled: call update or run again"
      or name .. " was " .. why,
    interrupted = why == "interrupted" or nil,
  })
end

--- Let operations of `async` go on until none is under way, for a program that
-- has no loop of its own. Ctrl-C ends their waits, with errors of kind
-- cancelled in their handles; orders on the wire get their answers, unless
-- Ctrl-C is pressed again.
-- @tparam[opt] number seconds after which to return in any case
-- @treturn ?boolean true
-- @treturn ?table err of kind timeout (operations are still under way) or
--   cancelled (after Ctrl-C)
-- @raise inside `async` and listeners, and where the runtime is another than
--   `frame` or `poll`
-- @usage local one = client:async(client.generate, client, params, options)
-- local two = client:async(client.wait, client, id)
-- assert(client:run())
-- print(one.result, two.err)
function Client:run(seconds)
  local context = looping(self, "run")
  if seconds ~= nil then
    check.seconds("run", seconds)
  end
  context.runtime:check_outside "run"
  local done, why = context.runtime:run(seconds)
  if done then
    return true
  end
  return ended(context, "run", why)
end

--- Sleep; unlike the system's, this sleep ends at Ctrl-C, and operations that
-- are under way go on meanwhile.
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?table err of kind cancelled, after Ctrl-C, `cancel` or `close`
function Client:sleep(seconds)
  local context = check.client(contexts.of(self), "sleep")
  check.seconds("sleep", seconds)
  local runtime = context.runtime
  local slept, why
  if runtime.sleep_outside and not runtime:current() then
    runtime:check_outside "sleep"
    slept, why = runtime:sleep_outside(seconds)
  else
    runtime:check "sleep"
    slept, why = runtime:sleep(seconds)
  end
  if slept then
    return true
  end
  return ended(context, "sleep", why)
end

--- The descriptor that an event loop is to watch (runtime `poll`).
-- @treturn number
-- @raise where the runtime is another
function Client:pollfd()
  return polling(self, "pollfd").runtime:pollfd()
end

--- What to watch it for (runtime `poll`).
-- @treturn string "r": whether it is readable
-- @raise where the runtime is another
function Client:events()
  polling(self, "events")
  return "r"
end

--- How long an event loop may sleep before it calls `update`, where the
-- descriptor does not become readable (runtime `poll`).
-- @treturn ?number seconds; nil where nothing is to be expected
-- @raise where the runtime is another
function Client:timeout()
  return polling(self, "timeout").runtime:timeout()
end

--- Cancel what is under way and close connections. Returns when an order on the
-- wire has its answer: up to `timeout` seconds, see `busy` for hosts that
-- cannot stand still. A listener may call it: what waits then ends as
-- cancelled. Using the client afterwards raises.
function Client:close()
  local context = contexts.of(self) or check.client(nil, "close")
  if not context.closed then
    context.closed = true
    context.runtime:close()
    if context.ledger then
      context.ledger:close()
    end
  end
end

for name, run in pairs(fleet) do
  Client[name] = run
end

--- Make a client.
-- @tparam[opt] table options `api_key`, `base_url` (the provider's),
--   `edition` (`xingchao` or `mingyan`; default the newest text for each
--   model), `models` (further rows in the shape of `models()`), `validation`
--   (`strict`), `runtime` (`block`, `frame`, `poll` or `ngx`; default `ngx`
--   inside nginx, else `block`), `transport` (a function, for tests, or
--   `resty_http` in nginx), `clock`, `sleep`, `random` (functions, for tests),
--   `ca_file`, `insecure_http` (false), `connect_timeout` (10 s), `timeout`
--   (60 s for one exchange), `max_creates` (32 orders on the wire; further ones
--   wait for their turn), `max_in_flight` (64 polls and downloads), `poll_rate`
--   (polls a second of all waits together, 250), `shared` (a dictionary with
--   `get`, `set` and `add` as `ngx.shared` has them: one process polls a task,
--   the others read), `on_event(event)` (an error that it or another listener
--   raises does not end the call: it is reported once, to `on_event` or on
--   stderr), `interrupts` (with `block`: `raise`, or `return` to get Ctrl-C as an
--   error of kind cancelled), `ledger` (path of a SQLite file, or a
--   `postgres://` URL: every order is recorded there), `ledger_fsync` (false;
--   true: each record survives a loss of power, and waits for the disk),
--   `account` (none; a label of your own for the account of the key: it is part
--   of the name of an order), `prices` (none; what orders cost: the path of a
--   JSON file, a table or a function, see `starvideos.api.prices`)
-- @treturn ?table client
-- @treturn ?table err of kind config: a malformed key, base URL, address of a
--   ledger, or price
-- @function starvideos.new
function _M.new(options)
  options = check.options(options)
  local context, problem = contexts.new(options)
  if not context then
    return nil, errors.new { kind = "config", message = problem }
  end
  local self = setmetatable({}, mt)
  contexts.keep(self, context)
  return self
end

return _M
