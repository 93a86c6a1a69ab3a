-- A client: one key, one base URL, one way of waiting.

local arguments = require "starvideos.arguments"
local bodies = require "starvideos.provider.body"
local contexts = require "starvideos.context"
local create = require "starvideos.order.create"
local download = require "starvideos.order.download"
local errors = require "starvideos.errors"
local fetch_task = require "starvideos.wait.fetch_task"
local generate = require "starvideos.order.generate"
local client_fleet = require "starvideos.client_fleet"
local handles = require "starvideos.host.handle"
local pending = require "starvideos.order.pending"
local validate = require "starvideos.order.validate"
local wait = require "starvideos.wait"
local wire = require "starvideos.order.wire"

---The models that this version knows.
---@alias starvideos.ModelName
---| "starvideos_o3"
---| "videos"
---| "videos_fast"
---| "videos_stable"
---| "videos_stable_fast"

---A reference whose facts are checked; its URL is sent.
---@class starvideos.ReferenceFacts
---@field url string where the provider finds it
---@field bytes? integer its length in bytes
---@field duration? number seconds that it lasts
---@field width? integer pixels; the shorter side is checked
---@field height? integer pixels; the shorter side is checked

---An image: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceImage string|starvideos.ReferenceFacts

---A video: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceVideo string|starvideos.ReferenceFacts

---A sound: its URL, or the URL with facts to check.
---@alias starvideos.ReferenceAudio string|starvideos.ReferenceFacts

---What an order says. Which fields a model takes, and their limits, `models` says.
---@class starvideos.Params
---@field model starvideos.ModelName|string the model
---@field prompt? string what is to be seen
---@field duration? integer seconds
---@field ratio? string width to height
---@field resolution? string lines of the video
---@field first_image? starvideos.ReferenceImage the first frame; with last_image only
---@field last_image? starvideos.ReferenceImage the last frame; with first_image only
---@field referenceImages? starvideos.ReferenceImage[] images to go by
---@field referenceVideos? starvideos.ReferenceVideo[] videos to go by
---@field referenceAudios? starvideos.ReferenceAudio[] sounds to go by
---@field [string] any what the documentation of another model says

---What an order costs.
---@class starvideos.Price
---@field cost number in units of the currency
---@field currency? string the currency's name
---@field millionths number the same, in whole millionths

---A saved video.
---@class starvideos.File
---@field path? string where it is
---@field bytes? integer its length
---@field sha256? string its SHA-256, 64 hex digits
---@field resumed_from? integer byte at which the download went on; none: at its beginning
---what its bytes are: `mp4`, `mov`, `webm`, `matroska`, `mpegts` or `avi`; none: of no
---kind that is known
---@field container? "mp4"|"mov"|"webm"|"matroska"|"mpegts"|"avi"
---@field warnings? starvideos.Warning[] what may surprise you in it
---@field ledger_error? starvideos.Error why the ledger could not record that it was saved

---What became of one task of `wait_all`.
---@class starvideos.WaitResult
---@field id string the task's id
---@field task? starvideos.Task completed
---@field err? starvideos.Error why it is not

local _M = {}

---A client: one key, one base URL, one way of waiting.
---@class starvideos.Client
local Client = {}
local mt = { __index = Client, __name = "starvideos.client" }

function mt:__tostring()
  local context = contexts.of(self)
  return ("starvideos client of %s"):format(context and context.base_url or "?")
end

local call, result, rows = arguments.call, arguments.result, arguments.rows

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

---Order a video. An order that may have arrived is never sent again; one that certainly
---did not arrive is sent up to three times.
---```lua
---local task = assert(client:create{ model = "videos",
---  prompt = "A kitten in the grass", duration = 5 })
---```
---@param params starvideos.Params the fields of the model; the provider chooses what is
---left out
---@param options? starvideos.CreateOptions
---@return starvideos.Task? task
---@return (starvideos.Warning[]|starvideos.Error)? err warnings; or without a task an
---error: validation, config, auth, rate_limited, invalid_request, network (nothing was
---sent), outcome_unknown (it may have been accepted; with `phase`, `bytes_sent`,
---`status` and, from a ledger, `order`), task_failed (with the task: it was accepted,
---and has ended), limited or ledger (with `task` and `order` where it was accepted)
function Client:create(params, options)
  return call(self, "create", params, options)
end

rows.create = { takes = { "params" }, key = true, run = create }

---Look at a task once.
---```lua
---local task = assert(client:query "video_123")
---print(task.status, task.progress)
---```
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.QueryOptions
---@return starvideos.Task? task a failed one too
---@return starvideos.Error? err validation (an empty id), config, auth, not_found,
---rate_limited, server, network, timeout or protocol
function Client:query(task, options)
  return call(self, "query", task, options)
end

rows.query = { takes = { "task_id" },
  run = function(context, id, options)
    return fetch_task.query(context, id, nil, options.max_age)
  end }

---Wait until a task ends.
---```lua
---local task = assert(client:wait("video_123", { timeout = 3600,
---  on_progress = function(seen, info)
---    print(seen.status, info.elapsed)
---  end }))
---```
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.WaitOptions
---@return starvideos.Task? task completed
---@return starvideos.Error? err task_failed, timeout (the task goes on; wait again for
---`err.task`), auth, not_found, rate_limited, protocol, config …
function Client:wait(task, options)
  return call(self, "wait", task, options)
end

rows.wait = { takes = { "task" }, run = wait.one }

---Wait for many tasks at the same time.
---```lua
---for _, one in ipairs(client:wait_all { "video_123" }) do
---  print(one.id, one.task and one.task.video_url or one.err)
---end
---```
---@param list (string|starvideos.Task)[] tasks or their ids
---@param options? starvideos.WaitOptions they hold for each task
---@return starvideos.WaitResult[] results in the order of the list
function Client:wait_all(list, options)
  return call(self, "wait_all", list, options)
end

rows.wait_all = { takes = { "tasks" },
  run = function(context, tasks, options)
    local results = wait.all(context, tasks.list, options, tasks.faults)
    for _, one in ipairs(results) do
      result(context, one.task, one.err)
    end
    return results
  end }

---Save the video of a completed task.
---```lua
---local file = assert(client:download("video_123", "kitten.mp4"))
---print(file.path, file.bytes, file.sha256)
---```
---@param task string|starvideos.Task an id, or a task without a link, is asked for
---first
---@param path string the target; `.part` and `.part.json` beside it hold what an
---interrupted download has left, and the next call or process resumes there. Where the
---link has expired, another one is asked for, once
---@param options? starvideos.DownloadOptions
---@return starvideos.File? file
---@return starvideos.Error? err io, expired, network, timeout, task_failed, protocol,
---ledger …; where something was kept, `part` is its path, `bytes` its size
function Client:download(task, path, options)
  return call(self, "download", task, path, options)
end

rows.download = { takes = { "task", "path" }, run = download.save }

---Order a video, wait for it and save it. Before it orders, it checks that the target
---can be written.
---```lua
---local task, file = assert(client:generate({ model = "videos",
---  prompt = "A kitten in the grass", duration = 5 }, { path = "kitten.mp4" }))
---print(task.id, file.path)
---```
---@param params starvideos.Params as for `create`
---@param options starvideos.GenerateOptions
---@return starvideos.Task? task
---@return (starvideos.File|starvideos.Error)? file the saved video, or an error; after
---the order `err.task_id` says what to wait for or download
function Client:generate(params, options)
  return call(self, "generate", params, options)
end

rows.generate = { takes = { "params" },
  key = true, requires = "path", reason = "where to save the video",
  run = generate }

---List the orders of the ledger about which something is still to be done: to wait for,
---to download or to decide about.
---
---Raises where the client has no ledger.
---```lua
---for _, order in ipairs(assert(client:pending())) do
---  print(order.key, order.state, order.task_id)
---end
---```
---@param options? starvideos.PendingOptions
---@return starvideos.Order[]? orders oldest first. The queries of URLs in `params` are
---left out. One that has ended is listed for its `late_tasks`
---@return (string|starvideos.Error)? after what to pass as `after` for the next page,
---nil where this was the last; or an error of kind ledger
function Client:pending(options)
  return call(self, "pending", options)
end

rows.pending = { takes = {}, ledger = true,
  run = function(context, options)
    return pending.list(context.ledger, options.limit or 1000, options.after,
      options.all)
  end }

---Look an order of the ledger up, open or not.
---
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order
---@return starvideos.Error? err not_found; ledger
function Client:order(order, options)
  return call(self, "order", order, options)
end

rows.order = { takes = { "order" }, ledger = true,
  run = function(context, id, options)
    return pending.order(context.ledger, id, options.take)
  end }

---Wait for every open order of the ledger and save its video. Nothing is ordered.
---
---Raises where the client has no ledger.
---```lua
---local result = assert(client:resume { directory = "videos" })
---print(result.done, result.failed, result.left)
---```
---@param options? starvideos.ResumeOptions
---@return starvideos.ResumeResult? result
---@return starvideos.Error? err of kind ledger
function Client:resume(options)
  return call(self, "resume", options)
end

rows.resume = { takes = {}, ledger = true,
  key = true, run = function(...)
    return require("starvideos.fleet.resume").all(...) -- when it is called
  end }

---Abandon an order of the ledger: it is not pending any more, and its take is used up.
---For one that has ended: acknowledge its late tasks.
---
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param options? starvideos.DismissOptions
---@return starvideos.Order? order abandoned
---@return starvideos.Error? err not_found; validation where the order is being sent,
---was bought or its video saved; ledger
function Client:dismiss(order, options)
  return call(self, "dismiss", order, options)
end

rows.dismiss = { takes = { "order" },
  ledger = true, run = function(context, id, options)
    return pending.dismiss(context.ledger, id, options)
  end }

---Say of which account an order is, and all takes of its key that have no account with
---it.
---
---Raises where the client has no ledger, or no account is given.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param account? string the client's own
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order
---@return starvideos.Error? err not_found; validation where it is of another account,
---or being sent; ledger
function Client:label(order, account, options)
  return call(self, "label", order, account, options)
end

rows.label = { takes = { "order", "account" },
  ledger = true, run = function(context, id, account, options)
    return pending.label(context.ledger, id, account, options.take)
  end }

---Say which task an order of unknown fate has become, as your account with the provider
---shows it. From then on it is waited for like any other.
---
---Raises where the client has no ledger.
---@param order string|starvideos.Order as `pending` gave it, or its id or key
---@param task string|starvideos.Task a task or its id
---@param options? starvideos.TakeOptions
---@return starvideos.Order? order accepted or, where the task has ended, as it ended
---@return starvideos.Error? err not_found (the order or the task); validation where the
---fate of the order is known, or the task belongs to another; those of `query`; ledger
function Client:adopt(order, task, options)
  return call(self, "adopt", order, task, options)
end

rows.adopt = { takes = { "order", "task_id" },
  ledger = true, run = function(context, id, task_id, options)
    return pending.adopt(context, id, task_id, options.take)
  end }

---Check a request against the documented limits, and say what it costs; nothing is
---sent.
---```lua
---local ok, err = client:validate { model = "videos", prompt = "A kitten", duration = 99 }
---assert(not ok and err.violations[1].field == "duration")
---```
---@param params starvideos.Params as for `create`
---@return boolean? ok true
---@return starvideos.Warning[]|starvideos.Error found warnings (a list), or an error
---with `violations`
---@return starvideos.Price? price where the client has `prices`; nil where it is not
---known
---@return string? why it is not known
---@return string? mode how the video is made, as of an order
function Client:validate(params)
  local context = arguments.client(contexts.of(self), "validate")
  arguments.params("validate", params)
  local ok, found = validate.check(context, params)
  if not ok then
    return ok, found
  end
  local price, why
  if context.prices then
    price, why = validate.price(context, params, context.catalog:model(params.model))
  end
  return ok, found, price, why, bodies.mode(params)
end

---The models of this client's edition and their limits.
---```lua
---for _, model in ipairs(client:models()) do
---  print(model.name, model.duration.min, model.duration.max)
---end
---```
---@return starvideos.Model[] models
function Client:models()
  local context = arguments.client(contexts.of(self), "models")
  return context.catalog:models()
end

---Start an operation in a game loop or an event loop (runtime `frame` or `poll`). It
---runs up to its first wait and goes on in `update`.
---
---Raises where the runtime is another.
---```lua
---local order = client:async(function()
---  return client:create(params)
---end)
---```
---@param body function may call every function of this client, and wait
---@param ... any its arguments
---@return starvideos.Handle handle what the body returns becomes its `result`, what it
---raises its `err`
function Client:async(body, ...)
  local context = looping(self, "async")
  if type(body) ~= "function" then
    errors.misuse("async takes a function, not a " .. type(body))
  end
  return handles.start(context.runtime, body, ...)
end

---Let operations go on: call it once a frame, or when the event loop says so.
---
---Raises where the runtime is another.
---@param budget_ms? number milliseconds after which no further operation is resumed
---(0.05; with `poll` 1). At least one is, and more where their queue does not drain
function Client:update(budget_ms)
  local context = looping(self, "update")
  if budget_ms ~= nil and type(budget_ms) ~= "number" then
    errors.misuse("update takes a number of milliseconds, not a "
      .. type(budget_ms))
  end
  context.runtime:update(budget_ms and budget_ms / 1000)
end

---Cancel every operation that is under way, as `handle:cancel` does one: waits end at
---the next updates, an order on the wire still gets its answer.
---
---Raises where the runtime is another than `frame` or `poll`.
function Client:cancel()
  looping(self, "cancel").runtime:cancel_all()
end

---Whether an operation of `async` is still under way. To leave without a frozen window
---call `cancel`, go on with `update` while this is true, and `close` then.
---
---Raises where the runtime is another than `frame` or `poll`.
---@return boolean busy
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

---Let operations of `async` go on until none is under way, for a program that has no
---loop of its own. Ctrl-C ends their waits, with errors of kind cancelled in their
---handles; orders on the wire get their answers, unless Ctrl-C is pressed again.
---
---Raises inside `async` and listeners, and where the runtime is another than `frame` or
---`poll`.
---```lua
---local one = client:async(client.create, client, params)
---local two = client:async(client.query, client, id)
---assert(client:run())
---print(one.result, two.err)
---```
---@param seconds? number after which to return in any case
---@return boolean? ok true
---@return starvideos.Error? err of kind timeout (operations are still under way) or
---cancelled (after Ctrl-C)
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

---Sleep; unlike the system's, this sleep ends at Ctrl-C, and operations that are under
---way go on meanwhile.
---@param seconds number
---@return boolean? ok true
---@return starvideos.Error? err of kind cancelled, after Ctrl-C, `cancel` or `close`
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

---The descriptor that an event loop is to watch (runtime `poll`).
---
---Raises where the runtime is another.
---@return integer descriptor
function Client:pollfd()
  return polling(self, "pollfd").runtime:pollfd()
end

---What to watch it for (runtime `poll`).
---
---Raises where the runtime is another.
---@return string what `r`: whether it is readable
function Client:events()
  polling(self, "events")
  return "r"
end

---How long an event loop may sleep before it calls `update`, where the descriptor does
---not become readable (runtime `poll`): a second at most while something is under way.
---
---Raises where the runtime is another.
---@return number? seconds nil where nothing is to be expected
function Client:timeout()
  return polling(self, "timeout").runtime:timeout()
end

---Cancel what is under way and close connections. Returns when an order on the wire has
---its answer: up to `timeout` seconds, see `busy` for hosts that cannot stand still. A
---listener may call it: what waits then ends as cancelled. Using the client afterwards
---raises.
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

---Make a client.
---```lua
---local client = assert(starvideos.new { api_key = "a key", timeout = 30 })
---client:close()
---```
---@param options? starvideos.ClientOptions
---@return starvideos.Client? client
---@return starvideos.Error? err of kind config: a malformed key, base URL, address of a
---ledger, or price
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
