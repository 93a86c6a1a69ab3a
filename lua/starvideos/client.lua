--- A client: one key, one base URL, one way of waiting.
-- @classmod starvideos.client

local arguments = require "starvideos.arguments"
local contexts = require "starvideos.context"
local create = require "starvideos.order.create"
local download = require "starvideos.order.download"
local errors = require "starvideos.errors"
local generate = require "starvideos.order.generate"
local client_fleet = require "starvideos.client_fleet"
local handles = require "starvideos.host.handle"
local pending = require "starvideos.order.pending"
local query = require "starvideos.wait.query"
local validate = require "starvideos.order.validate"
local wait = require "starvideos.wait"
local wire = require "starvideos.order.wire"

local _M = {}

local Client = {}
local mt = { __index = Client, __name = "starvideos.client" }

function mt:__tostring()
  local context = contexts.of(self)
  return ("starvideos client of %s"):format(context and context.base_url or "?")
end

local result, waiting = arguments.result, arguments.waiting

-- The context of a client whose host has a loop of its own.
local function looping(self, name)
  local context = arguments.runtime(contexts.of(self), name, "update",
    "frame or poll")
  wire.collect()
  return context
end

-- The same where that loop watches a descriptor.
local function polling(self, name)
  return arguments.runtime(contexts.of(self), name, "pollfd", "poll")
end

--- Order a video. An order that may have arrived is never sent again; one that
-- certainly did not arrive is sent up to three times.
-- @tparam Params params the fields of the model; the provider chooses what
--   is left out
-- @tparam[opt] CreateOptions options
-- @treturn ?Task task
-- @treturn ?Warning[]|Error err warnings; or without a task an error:
--   validation, config, auth, rate_limited, invalid_request, network (nothing
--   was sent), outcome_unknown (it may have been accepted; with `phase`,
--   `bytes_sent`, `status` and, from a ledger, `order`), task_failed (with the
--   task: it was accepted, and has ended), limited or ledger (with `task` and
--   `order` where it was accepted)
-- @usage local task = assert(client:create{ model = "videos",
--   prompt = "A kitten in the grass", duration = 5 })
-- @function Client:create
Client.create = waiting { name = "create", takes = { "params" }, key = true,
  run = create }

--- Look at a task once.
-- @tparam string|Task task a task or its id
-- @tparam[opt] QueryOptions options
-- @treturn ?Task task a failed one too
-- @treturn ?Error err validation (an empty id), config, auth, not_found,
--   rate_limited, server, network, timeout or protocol
-- @usage
-- local task = assert(client:query "video_123")
-- print(task.status, task.progress)
-- @function Client:query
Client.query = waiting { name = "query", takes = { "task_id" },
  run = function(context, id, options)
    return query(context, id, nil, options.max_age)
  end }

--- Wait until a task ends.
-- @tparam string|Task task a task or its id
-- @tparam[opt] WaitOptions options
-- @treturn ?Task task completed
-- @treturn ?Error err task_failed, timeout (the task goes on; wait again for
--   `err.task`), auth, not_found, rate_limited, protocol, config …
-- @usage
-- local task = assert(client:wait("video_123", { timeout = 3600,
--   on_progress = function(seen, info)
--     print(seen.status, info.elapsed)
--   end }))
-- @function Client:wait
Client.wait = waiting { name = "wait", takes = { "task" }, run = wait.one }

-- The same where nothing comes after it.
local resting_wait = waiting { name = "wait", takes = { "task" },
  run = function(context, task, options)
    return wait.resting(context, task, options, result)
  end }

--- Wait for many tasks at the same time.
-- @tparam (string|Task)[] list tasks or their ids
-- @tparam[opt] WaitOptions options they hold for each task
-- @treturn WaitResult[] results in the order of the list
-- @usage
-- for _, one in ipairs(client:wait_all { "video_123" }) do
--   print(one.id, one.task and one.task.video_url or one.err)
-- end
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
-- @tparam string|Task task an id, or a task without a link, is asked for
--   first
-- @tparam string path the target; `.part` and `.part.json` beside it hold
--   what an interrupted download has left, and the next call or process resumes
--   there. Where the link has expired, another one is asked for, once
-- @tparam[opt] DownloadOptions options
-- @treturn ?File file
-- @treturn ?Error err io, expired, network, timeout, task_failed, protocol,
--   ledger …; where something was kept, `part` is its path, `bytes` its size
-- @usage
-- local file = assert(client:download("video_123", "kitten.mp4"))
-- print(file.path, file.bytes, file.sha256)
-- @function Client:download
Client.download = waiting { name = "download", takes = { "task", "path" },
  run = download.save }

--- Order a video, wait for it and save it. Before it orders, it checks that the
-- target can be written.
-- @tparam Params params as for `create`
-- @tparam GenerateOptions options
-- @treturn ?Task task
-- @treturn ?File|Error file the saved video, or an error; after the order
--   `err.task_id` says what to wait for or download
-- @usage
-- local task, file = assert(client:generate({ model = "videos",
--   prompt = "A kitten in the grass", duration = 5 }, { path = "kitten.mp4" }))
-- print(task.id, file.path)
-- @function Client:generate
Client.generate = waiting { name = "generate", takes = { "params" },
  key = true, requires = "path", reason = "where to save the video",
  run = generate }

--- List the orders of the ledger about which something is still to be done:
-- to wait for, to download or to decide about.
-- @tparam[opt] PendingOptions options
-- @treturn ?Order[] orders oldest first. The queries of URLs in `params` are
--   left out. One that has ended is listed for its `late_tasks`
-- @treturn ?string|Error after what to pass as `after` for the next page,
--   nil where this was the last; or an error of kind ledger
-- @raise where the client has no ledger
-- @usage
-- for _, order in ipairs(assert(client:pending())) do
--   print(order.key, order.state, order.task_id)
-- end
-- @function Client:pending
Client.pending = waiting { name = "pending", takes = {}, ledger = true,
  run = function(context, options)
    return pending.list(context.ledger, options.limit or 1000, options.after,
      options.all)
  end }

--- Look an order of the ledger up, open or not.
-- @tparam string|Order order as `pending` gave it, or its id or key
-- @tparam[opt] TakeOptions options
-- @treturn ?Order order
-- @treturn ?Error err not_found; ledger
-- @raise where the client has no ledger
-- @function Client:order
Client.order = waiting { name = "order", takes = { "order" }, ledger = true,
  run = function(context, id, options)
    return pending.order(context.ledger, id, options.take)
  end }

--- Wait for every open order of the ledger and save its video. Nothing is
-- ordered.
-- @tparam[opt] ResumeOptions options
-- @treturn ?ResumeResult result
-- @treturn ?Error err of kind ledger
-- @raise where the client has no ledger
-- @usage
-- local result = assert(client:resume { directory = "videos" })
-- print(result.done, result.failed, result.left)
-- @function Client:resume
Client.resume = waiting { name = "resume", takes = {}, ledger = true,
  key = true, run = function(...)
    return require("starvideos.fleet.resume").all(...) -- when it is called
  end }

--- Abandon an order of the ledger: it is not pending any more, and its take is
-- used up. For one that has ended: acknowledge its late tasks.
-- @tparam string|Order order as `pending` gave it, or its id or key
-- @tparam[opt] DismissOptions options
-- @treturn ?Order order abandoned
-- @treturn ?Error err not_found; validation where the order is being sent,
--   was bought or its video saved; ledger
-- @raise where the client has no ledger
-- @function Client:dismiss
Client.dismiss = waiting { name = "dismiss", takes = { "order" },
  ledger = true, run = function(context, id, options)
    return pending.dismiss(context.ledger, id, options)
  end }

--- Say of which account an order is, and all takes of its key that have no
-- account with it.
-- @tparam string|Order order as `pending` gave it, or its id or key
-- @tparam[opt] string account the client's own
-- @tparam[opt] TakeOptions options
-- @treturn ?Order order
-- @treturn ?Error err not_found; validation where it is of another account,
--   or being sent; ledger
-- @raise where the client has no ledger, or no account is given
-- @function Client:label
Client.label = waiting { name = "label", takes = { "order", "account" },
  ledger = true, run = function(context, id, account, options)
    return pending.label(context.ledger, id, account, options.take)
  end }

--- Say which task an order of unknown fate has become, as your account with
-- the provider shows it. From then on it is waited for like any other.
-- @tparam string|Order order as `pending` gave it, or its id or key
-- @tparam string|Task task a task or its id
-- @tparam[opt] TakeOptions options
-- @treturn ?Order order accepted or, where the task has ended, as it ended
-- @treturn ?Error err not_found (the order or the task); validation where
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
-- @tparam Params params as for `create`
-- @treturn ?boolean ok true
-- @treturn Warning[]|Error found warnings (a list), or an error with
--   `violations`
-- @treturn ?Price price where the client has `prices`; nil where it is not
--   known
-- @treturn ?string why it is not known
-- @usage
-- local ok, err = client:validate { model = "videos", prompt = "A kitten", duration = 99 }
-- assert(not ok and err.violations[1].field == "duration")
function Client:validate(params)
  local context = arguments.client(contexts.of(self), "validate")
  arguments.params("validate", params)
  local ok, found = validate.check(context, params)
  if not ok or not context.prices then
    return ok, found
  end
  return ok, found, validate.price(context, params,
    context.catalog:model(params.model))
end

--- The models of this client's edition and their limits.
-- @treturn Model[] models
-- @usage
-- for _, model in ipairs(client:models()) do
--   print(model.name, model.duration.min, model.duration.max)
-- end
function Client:models()
  local context = arguments.client(contexts.of(self), "models")
  return context.catalog:models()
end

--- Start an operation in a game loop or an event loop (runtime `frame` or
-- `poll`). It runs up to its first wait and goes on in `update`.
-- @tparam function body may call every function of this client, and wait
-- @param ... its arguments
-- @treturn Handle handle what the body returns becomes its `result`, what it
--   raises its `err`
-- @raise where the runtime is another
-- @usage local order = client:async(function()
--   return client:create(params)
-- end)
function Client:async(body, ...)
  local context = looping(self, "async")
  if type(body) ~= "function" then
    errors.misuse("async takes a function, not a " .. type(body))
  end
  if body == Client.wait then
    body = resting_wait
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
    errors.misuse("update takes a number of milliseconds, not a "
      .. type(budget_ms))
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
-- @treturn boolean busy
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
-- @treturn ?boolean ok true
-- @treturn ?Error err of kind timeout (operations are still under way) or
--   cancelled (after Ctrl-C)
-- @raise inside `async` and listeners, and where the runtime is another than
--   `frame` or `poll`
-- @usage local one = client:async(client.create, client, params)
-- local two = client:async(client.query, client, id)
-- assert(client:run())
-- print(one.result, two.err)
function Client:run(seconds)
  local context = looping(self, "run")
  if seconds ~= nil then
    arguments.seconds("run", seconds)
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
-- @treturn ?boolean ok true
-- @treturn ?Error err of kind cancelled, after Ctrl-C, `cancel` or `close`
function Client:sleep(seconds)
  local context = arguments.client(contexts.of(self), "sleep")
  arguments.seconds("sleep", seconds)
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
-- @treturn integer descriptor
-- @raise where the runtime is another
function Client:pollfd()
  return polling(self, "pollfd").runtime:pollfd()
end

--- What to watch it for (runtime `poll`).
-- @treturn string what `r`: whether it is readable
-- @raise where the runtime is another
function Client:events()
  polling(self, "events")
  return "r"
end

--- How long an event loop may sleep before it calls `update`, where the
-- descriptor does not become readable (runtime `poll`).
-- @treturn ?number seconds nil where nothing is to be expected
-- @raise where the runtime is another
function Client:timeout()
  return polling(self, "timeout").runtime:timeout()
end

--- Cancel what is under way and close connections. Returns when an order on the
-- wire has its answer: up to `timeout` seconds, see `busy` for hosts that
-- cannot stand still. A listener may call it: what waits then ends as
-- cancelled. Using the client afterwards raises.
function Client:close()
  local context = contexts.of(self) or arguments.client(nil, "close")
  if not context.closed then
    wire.finish(context)
    context.closed = true
    context.runtime:close()
    wire.finish(context, true)
    if context.ledger then
      context.ledger:close()
    end
  end
end

for name, run in pairs(client_fleet) do
  Client[name] = run
end

--- Make a client.
-- @tparam[opt] ClientOptions options
-- @treturn ?Client client
-- @treturn ?Error err of kind config: a malformed key, base URL, address of
--   a ledger, or price
-- @usage
-- local client = assert(starvideos.new { api_key = "a key", timeout = 30 })
-- client:close()
-- @function starvideos.new
function _M.new(options)
  options = arguments.options(options)
  wire.collect()
  local context, problem = contexts.new(options)
  if not context then
    return nil, errors.new { kind = "config", message = problem }
  end
  local self = setmetatable({}, mt)
  contexts.keep(self, context)
  return self
end

return _M
