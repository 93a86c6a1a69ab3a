--- A client: one key, one base URL, one way of waiting.
-- @classmod starvideos.client

local address = require "starvideos.address"
local budget = require "starvideos.budget"
local call = require "starvideos.call"
local create = require "starvideos.create"
local download = require "starvideos.download"
local errors = require "starvideos.errors"
local generate = require "starvideos.generate"
local handles = require "starvideos.handle"
local options_of = require "starvideos.options"
local pending = require "starvideos.pending"
local query = require "starvideos.query"
local random = require "starvideos.random"
local resume = require "starvideos.resume"
local validate = require "starvideos.validate"
local wait = require "starvideos.wait"

local _M = {}

local Client = {}
local mt = { __index = Client, __name = "starvideos.client" }

function mt:__tostring()
  local context = call.known(self)
  return ("starvideos client of %s"):format(context and context.base_url or "?")
end

--- Order a video. Once it may have arrived it is not sent again, whatever the
-- answer; where it certainly did not, it is tried up to three times.
-- @tparam table params the API's own fields: `model`, `prompt`, `duration`
--   (seconds), `ratio`, `resolution`, `first_image`, `last_image`,
--   `referenceImages`, `referenceVideos`, `referenceAudios`. A reference is a
--   URL, or a table `{ url =, bytes =, duration =, width =, height = }` whose
--   facts are checked and whose URL is sent
-- @tparam[opt] table options `validation` (`strict`, `advisory` or `off`;
--   default the client's), `endpoint` (a path below the base URL, for a model
--   this version does not know); with a ledger also `key` (a name of your own:
--   the same key again returns the same task and sends nothing), `resubmit`
--   (true: order anew where the fate of the order under this key is unknown,
--   or it failed) and `path` (where `resume` is to save the video)
-- @treturn ?table task
-- @treturn ?table warnings, or err: validation, config, auth, rate_limited,
--   invalid_request, network (nothing was sent), outcome_unknown (it may have
--   been accepted; with `phase`, `bytes_sent`, `status` and, from a ledger,
--   `order`) or ledger
-- @usage local task = assert(client:create{ model = "videos",
--   prompt = "A kitten in the grass", duration = 5 })
function Client:create(params, options)
  local context = call.waiting(self, "create")
  call.check_params("create", params)
  options = options_of.check("create", options)
  call.check_needs(context, "create", options)
  local ok, err = call.check_key(context)
  if not ok then
    return nil, err
  end
  return call.result(context, create(context, params, options))
end

--- Look at a task once.
-- @tparam string|table task_or_id
-- @tparam[opt] table options `max_age` (seconds; with a `shared` dictionary:
--   what another wait or process saw of the task that lately will do)
-- @treturn ?table task, a failed one too
-- @treturn ?table err: validation (an empty id), config, auth, not_found,
--   rate_limited, server, network, timeout or protocol
function Client:query(task_or_id, options)
  local context = call.waiting(self, "query")
  local id, err = call.task_id(context, "query", task_or_id)
  options = options_of.check("query", options)
  call.check_needs(context, "query", options)
  if not id then
    return nil, err
  end
  return call.result(context, query(context, id, nil, options.max_age))
end

--- Wait until a task ends.
-- @tparam string|table task_or_id
-- @tparam[opt] table options in seconds: `timeout` (1800), `interval` (30,
--   the provider asks for 30 to 60), `max_interval` (60), `first_poll` (one
--   interval after the task was created); and `on_progress(task, info)`,
--   called after every poll that could be read, with `info.elapsed`,
--   `info.remaining`, `info.polls`
-- @treturn ?table task, completed
-- @treturn ?table err: task_failed, timeout (the task goes on; wait again for
--   `err.task`), auth, not_found, rate_limited, protocol, config …
function Client:wait(task_or_id, options)
  local context = call.waiting(self, "wait")
  local id, err = call.task_id(context, "wait", task_or_id)
  options = options_of.check("wait", options)
  if not id then
    return nil, err
  end
  return call.result(context, wait.one(context, task_or_id, options))
end

--- Wait for many tasks at the same time.
-- @tparam table list tasks or ids
-- @tparam[opt] table options as for `wait`; they hold for each task
-- @treturn table results in the order of the list, each with `id` and either
--   `task` or `err`
function Client:wait_all(list, options)
  local context = call.waiting(self, "wait_all")
  if type(list) ~= "table" then
    error("wait_all takes a list of tasks or ids, not a " .. type(list), 2)
  end
  local faults, count = {}, 0
  for _ in pairs(list) do
    count = count + 1
    local item = list[count]
    local ok, err = call.task_id(context, "wait_all", item)
    faults[type(item) == "table" and item.id or item] = not ok and err or nil
  end
  options = options_of.check("wait_all", options)
  local results = wait.all(context, list, options, faults)
  for _, result in ipairs(results) do
    call.result(context, result.task, result.err)
  end
  return results
end

--- Save the video of a completed task.
-- @tparam string|table task_or_id an id, or a task without a link, is asked
--   for first
-- @tparam string path the target; `.part` and `.part.json` beside it hold
--   what a broken download left, and the next call or process resumes there. A
--   dead link is asked for anew once
-- @tparam[opt] table options `overwrite` (false), `timeout` (seconds, none),
--   `stall_timeout` (30 seconds without a byte), `on_progress(received,
--   total)` in bytes, total nil while unknown
-- @treturn ?table file with `path`, `bytes`, `sha256`, `resumed_from`, and
--   `ledger_error` where the file is there and the ledger could not be told
-- @treturn ?table err: io, expired, network, timeout, task_failed, protocol,
--   ledger …; where something was kept, `part` is its path, `bytes` its size
function Client:download(task_or_id, path, options)
  local context = call.waiting(self, "download")
  local id, err = call.task_id(context, "download", task_or_id)
  if type(path) ~= "string" or path == "" then
    error("download takes the path of a file, not " .. tostring(path), 2)
  end
  options = options_of.check("download", options)
  if not id then
    return nil, err
  end
  return call.result(context, download.save(context, task_or_id, path, options))
end

--- Order a video, wait for it and save it. That the target can be written is
-- made sure of before anything is ordered.
-- @tparam table params as for `create`
-- @tparam table options `path`, and those of `create` and `wait`;
--   `overwrite`, `stall_timeout`, `on_task(task)` as soon as the order is
--   through, `on_download(received, total)` in bytes
-- @treturn ?table task
-- @treturn ?table file, or err; after the order `err.task_id` says what to
--   wait for or download
function Client:generate(params, options)
  local context = call.waiting(self, "generate")
  call.check_params("generate", params)
  options = options_of.check("generate", options)
  if not options.path or options.path == "" then
    error("generate needs the option path: where to save the video", 2)
  end
  call.check_needs(context, "generate", options)
  local ok, err = call.check_key(context)
  if not ok then
    return nil, err
  end
  return call.result(context, generate(context, params, options))
end

--- List the orders of the ledger about which something is still to be done:
-- to wait for, to download or to decide about.
-- @tparam[opt] table options `limit` (1000 orders at most), `after` (the id of
--   the last order of the page before)
-- @treturn ?table list of orders, oldest first, each with `id`, `key`,
--   `state`, `task_id`, `model`, `prompt`, `params`, `path`, `bytes`,
--   `sha256`, `error`, `attempts`, `base_url`, `created_at` and `updated_at`
--   (Unix seconds). The queries of URLs in `params` are left out
-- @treturn ?string|table what to pass as `after` for the next page, nil where
--   this was the last; or err of kind ledger
-- @raise where the client has no ledger
function Client:pending(options)
  local context = call.context(self, "pending")
  options = options_of.check("pending", options)
  local ledger = call.ledger(context, "pending")
  return call.result(context, pending.list(ledger, options.limit or 1000,
    options.after))
end

--- Wait for every open order of the ledger and save its video. Nothing is
-- ordered.
-- @tparam[opt] table options `path(order)` (returns where to save a video; by
--   default the path the order was placed with, else its key or task id in
--   `directory`), `directory` (the current one), `overwrite` (false),
--   `on_done(order, file, err)`, `on_progress(order, task, info)`,
--   `stall_timeout`, and those of `wait`; `first_poll` is 0
-- @treturn ?table result with `done`, `failed` and `left` (numbers of orders),
--   and `orders`, a list of `order` with `file` or `err`
-- @treturn ?table err of kind ledger
-- @raise where the client has no ledger
function Client:resume(options)
  local context = call.waiting(self, "resume")
  options = options_of.check("resume", options)
  call.ledger(context, "resume")
  local ok, missing = call.check_key(context)
  if not ok then
    return nil, missing
  end
  return call.result(context, resume.all(context, options))
end

--- Give up an order of the ledger: it is not pending any more, and its key
-- may be used again.
-- @tparam table|string order as `pending` gave it, or its id
-- @tparam[opt] table options `force` (false): also one that was bought and can
--   still be had
-- @treturn ?table order, abandoned
-- @treturn ?table err: not_found; validation where the order is being sent, was
--   bought or its video saved; ledger
-- @raise where the client has no ledger
function Client:dismiss(order, options)
  local context = call.context(self, "dismiss")
  local ledger = call.ledger(context, "dismiss")
  options = options_of.check("dismiss", options)
  return call.result(context, pending.dismiss(ledger,
    call.order_id("dismiss", order), options.force))
end

--- Say which task an order of unknown fate has become, as your account with
-- the provider shows it. From then on it is waited for like any other.
-- @tparam table|string order as `pending` gave it, or its id
-- @tparam table|string task_or_id
-- @treturn ?table order, accepted or, where the task has ended, as it ended
-- @treturn ?table err: not_found (the order or the task); validation where
--   the fate of the order is known, or the task belongs to another; those of
--   `query`; ledger
-- @raise where the client has no ledger
function Client:adopt(order, task_or_id)
  local context = call.waiting(self, "adopt")
  call.ledger(context, "adopt")
  local id = call.order_id("adopt", order)
  local task_id, err = call.task_id(context, "adopt", task_or_id)
  if not task_id then
    return nil, err
  end
  return call.result(context, pending.adopt(context, id, task_id))
end

--- Hold a request against the documented limits; nothing is sent.
-- @tparam table params as for `create`
-- @treturn ?boolean true
-- @treturn table warnings (a list), or err with `violations`, each with
--   `field`, `code`, `message` and, where they apply, `limit` and `actual`
function Client:validate(params)
  local context = call.context(self, "validate")
  call.check_params("validate", params)
  return validate.check(context, params)
end

--- The models of this client's edition and their limits.
-- @treturn table rows of the catalog
function Client:models()
  return call.context(self, "models").catalog:models()
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
  local context = call.looping(self, "async")
  if type(body) ~= "function" then
    error("async takes a function, not a " .. type(body), 2)
  end
  return handles.start(context.runtime, body, ...)
end

--- Let operations go on: once a frame, or when the event loop says so.
-- @tparam[opt] number budget_ms milliseconds after which no further operation
--   is resumed (0.05; with `poll` 1). At least one is, and more where their
--   queue does not drain
-- @raise where the runtime is another
function Client:update(budget_ms)
  local context = call.looping(self, "update")
  if budget_ms ~= nil and type(budget_ms) ~= "number" then
    error("update takes a number of milliseconds, not a " .. type(budget_ms),
      2)
  end
  context.runtime:update(budget_ms and budget_ms / 1000)
end

--- The descriptor that an event loop is to watch (runtime `poll`).
-- @treturn number
-- @raise where the runtime is another
function Client:pollfd()
  return call.polling(self, "pollfd").runtime:pollfd()
end

--- What to watch it for (runtime `poll`).
-- @treturn string "r": whether it is readable
-- @raise where the runtime is another
function Client:events()
  call.polling(self, "events")
  return "r"
end

--- How long an event loop may sleep before it calls `update`, where the
-- descriptor stays silent (runtime `poll`).
-- @treturn ?number seconds; nil where nothing is to come
-- @raise where the runtime is another
function Client:timeout()
  return call.polling(self, "timeout").runtime:timeout()
end

--- End what is under way and close connections; an order on the wire is waited
-- for. Using the client afterwards raises.
function Client:close()
  local context = call.known(self) or call.context(self, "close")
  if not context.closed then
    context.closed = true
    context.runtime:close()
    if context.ledger then
      context.ledger:close()
    end
  end
end

local function config_error(message)
  return nil, errors.new { kind = "config", message = message }
end

-- nil for a key that is not there: validating and listing need none, so that
-- is said by the first call that does.
local function check_key(key)
  if key == nil or key == "" then
    return true, nil
  elseif key:find("[%c\127]") then
    return false, "the API key holds a line break or control character; a key"
      .. " read from a file often ends in one"
  elseif key:find("^%s") or key:find("%s$") then
    return false, "the API key begins or ends with a blank"
  end
  return true, key
end

local function ledger_for(context, options)
  return require("starvideos.ledger").new {
    address = options.ledger,
    fsync = options.ledger_fsync,
    clock = require("starvideos.core").time,
    random = context.random,
    timeout = context.timeout,
  }
end

-- Where nginx runs Lua, blocking would hold up all its requests.
local function default_runtime()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase and "ngx" or "block"
end

local function runtime_for(options)
  local name = options.runtime or default_runtime()
  if name == "ngx" and default_runtime() ~= "ngx" then
    error("the runtime ngx is for nginx; here it is block, frame or poll", 4)
  elseif options.transport == "resty_http" and name ~= "ngx" then
    error("the transport resty_http needs the runtime ngx", 4)
  end
  return require("starvideos.runtime." .. name).new(options), name
end

-- The part in C, and what to do where it is not there for this Lua.
local function load_core()
  local found, core = pcall(require, "starvideos.core")
  if found then
    return core
  end
  local lua = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
  error(("starvideos.core is not there for this Lua (%s): make LUA=%s builds"
    .. ' it, eval "$(make -s env LUA=%s)" lets it be found'):format(
    tostring(core):match "^[^\n]*", lua, lua), 0)
end

local function context_for(options, key, base_url)
  local core = load_core()
  local chance = options.random or random()
  local runtime, host = runtime_for(options)
  local context = {
    api_key = key,
    base_url = base_url,
    catalog = core.catalog { edition = options.edition,
      models = options.models },
    validation = options.validation or "strict",
    runtime = runtime,
    blocks = host == "block",
    random = chance,
    budget = budget.new(chance, options.poll_rate),
    shared = options.shared,
    wall_clock = core.time,
    insecure_http = options.insecure_http,
    connect_timeout = options.connect_timeout or 10,
    timeout = options.timeout or 60,
    on_event = options.on_event,
    interrupts = host == "block" and options.interrupts or "return",
  }
  context.ledger = options.ledger and ledger_for(context, options) or nil
  return context
end

--- Make a client.
-- @tparam[opt] table options `api_key`, `base_url` (the provider's),
--   `edition` (`xingchao` or `mingyan`; default the newest text for each
--   model), `models` (further rows in the shape of `models()`), `validation`
--   (`strict`), `runtime` (`block`, `frame`, `poll` or `ngx`; default `ngx`
--   inside nginx, else `block`), `transport` (a function, for tests, or
--   `resty_http` in nginx), `clock`, `sleep`, `random` (functions, for tests),
--   `ca_file`, `insecure_http` (false), `connect_timeout` (10 s), `timeout`
--   (60 s for one exchange), `max_in_flight` (64), `poll_rate` (polls a
--   second of all waits together, 250), `shared` (a dictionary with `get`,
--   `set` and `add` as `ngx.shared` has them: one process polls a task, the
--   others read), `on_event(event)`, `interrupts` (with `block`: `raise`, or
--   `return` to get Ctrl-C as an error of kind cancelled), `ledger` (path of a
--   SQLite file, or a `postgres://` URL: what is ordered is written down
--   there), `ledger_fsync` (false; true: each entry survives a loss of power,
--   at the price of a write to the disk)
-- @treturn ?table client
-- @treturn ?table err of kind config: a malformed key or base URL
-- @function starvideos.new
function _M.new(options)
  options = options_of.check("new", options)
  local ok, key = check_key(options.api_key)
  if not ok then
    return config_error(key)
  end
  local base_url, problem = address.normalise(
    options.base_url or address.default, options.insecure_http)
  if not base_url then
    return config_error(problem)
  end
  local self = setmetatable({}, mt)
  call.keep(self, context_for(options, key, base_url))
  return self
end

return _M
