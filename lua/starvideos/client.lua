--- A client: one key, one base URL, one way of waiting.
-- @classmod starvideos.client

local address = require "starvideos.address"
local budget = require "starvideos.budget"
local create = require "starvideos.create"
local download = require "starvideos.download"
local errors = require "starvideos.errors"
local generate = require "starvideos.generate"
local options_of = require "starvideos.options"
local pending = require "starvideos.pending"
local query = require "starvideos.query"
local random = require "starvideos.random"
local redact = require "starvideos.redact"
local resume = require "starvideos.resume"
local validate = require "starvideos.validate"
local wait = require "starvideos.wait"

local _M = {}

-- What a client knows stands here and not in it, so that no dump of the
-- client shows the key.
local contexts = setmetatable({}, { __mode = "k" })

local Client = {}
local mt = { __index = Client, __name = "starvideos.client" }

function mt:__tostring()
  local context = contexts[self]
  return ("starvideos client of %s"):format(context and context.base_url or "?")
end

-- PUC Lua 5.1 prints no error tables: there the sentence is raised instead.
local shows_tables = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- An interrupt is no result: like Ctrl-C anywhere else it unwinds the
-- program, but with an error that says which task was left.
local function result_of(context, value, second)
  local err = value == nil and second
  if errors.is(err) then
    err.message = redact.key(err.message, context.api_key)
    err.code = redact.key(err.code, context.api_key)
  end
  if errors.is(err) and err.interrupted and context.interrupts ~= "return" then
    error(shows_tables and err or tostring(err), 0)
  end
  return value, second
end

local function context_of(self, call)
  local context = contexts[self]
  if not context then
    error(("%s: call it with a colon on a client of starvideos.new")
      :format(call), 3)
  elseif context.closed then
    error(call .. ": this client was closed", 3)
  end
  return context
end

-- What nothing can be sent without, said before anybody waits for it.
local function check_key_of(context)
  if context.api_key then
    return true
  end
  return nil, errors.new {
    kind = "config",
    message = "no API key: set STARVIDEOS_API_KEY or pass api_key",
  }
end

local function check_params(call, params)
  if type(params) ~= "table" then
    error(("%s takes a table of parameters, not a %s")
      :format(call, type(params)), 3)
  end
end

-- What only a ledger can keep is asked for without one: a fault of the
-- program.
local function check_ledger(context, call, options)
  for _, name in ipairs { "key", "resubmit" } do
    if options[name] and not context.ledger then
      error(("option %s of %s needs a ledger: pass ledger to starvideos.new")
        :format(name, call), 3)
    end
  end
end

local function ledger_of(context, call)
  if not context.ledger then
    error(call .. " needs a ledger: pass ledger to starvideos.new", 3)
  end
  return context.ledger
end

local function empty_id()
  return errors.new { kind = "validation", message = "the task id is empty" }
end

-- The id of a task; an error for one that names none, or without a key.
local function check_task(context, call, task_or_id)
  local id = task_or_id
  if type(task_or_id) == "table" then
    id = task_or_id.id
  end
  if type(id) ~= "string" then
    error(("%s takes a task or its id, not %s"):format(call,
      type(task_or_id) == "table" and "a table without an id"
        or "a " .. type(task_or_id)), 3)
  elseif not id:find("%S") then
    return nil, empty_id()
  end
  local ok, err = check_key_of(context)
  return ok and id, err
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
  local context = context_of(self, "create")
  check_params("create", params)
  options = options_of.check("create", options)
  check_ledger(context, "create", options)
  local ok, err = check_key_of(context)
  if not ok then
    return nil, err
  end
  return result_of(context, create(context, params, options))
end

--- Look at a task once.
-- @tparam string|table task_or_id
-- @treturn ?table task, a failed one too
-- @treturn ?table err: validation (an empty id), config, auth, not_found,
--   rate_limited, server, network, timeout or protocol
function Client:query(task_or_id)
  local context = context_of(self, "query")
  local id, err = check_task(context, "query", task_or_id)
  if not id then
    return nil, err
  end
  return result_of(context, query(context, id))
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
  local context = context_of(self, "wait")
  local id, err = check_task(context, "wait", task_or_id)
  options = options_of.check("wait", options)
  if not id then
    return nil, err
  end
  return result_of(context, wait.one(context, task_or_id, options))
end

--- Wait for many tasks at the same time.
-- @tparam table list tasks or ids
-- @tparam[opt] table options as for `wait`; they hold for each task
-- @treturn table results in the order of the list, each with `id` and either
--   `task` or `err`
function Client:wait_all(list, options)
  local context = context_of(self, "wait_all")
  if type(list) ~= "table" then
    error("wait_all takes a list of tasks or ids, not a " .. type(list), 2)
  end
  local faults, count = {}, 0
  for _ in pairs(list) do
    count = count + 1
    local item = list[count]
    local ok, err = check_task(context, "wait_all", item)
    faults[type(item) == "table" and item.id or item] = not ok and err or nil
  end
  options = options_of.check("wait_all", options)
  local results = wait.all(context, list, options, faults)
  for _, result in ipairs(results) do
    result_of(context, result.task, result.err)
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
  local context = context_of(self, "download")
  local id, err = check_task(context, "download", task_or_id)
  if type(path) ~= "string" or path == "" then
    error("download takes the path of a file, not " .. tostring(path), 2)
  end
  options = options_of.check("download", options)
  if not id then
    return nil, err
  end
  return result_of(context, download.save(context, task_or_id, path, options))
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
  local context = context_of(self, "generate")
  check_params("generate", params)
  options = options_of.check("generate", options)
  if not options.path or options.path == "" then
    error("generate needs the option path: where to save the video", 2)
  end
  check_ledger(context, "generate", options)
  local ok, err = check_key_of(context)
  if not ok then
    return nil, err
  end
  return result_of(context, generate(context, params, options))
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
  local context = context_of(self, "pending")
  options = options_of.check("pending", options)
  local ledger = ledger_of(context, "pending")
  return result_of(context, pending.list(ledger, options.limit or 1000,
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
  local context = context_of(self, "resume")
  options = options_of.check("resume", options)
  ledger_of(context, "resume")
  local ok, missing = check_key_of(context)
  if not ok then
    return nil, missing
  end
  local result, err = resume.all(context, options)
  if result and result.interrupted then
    return result_of(context, nil, resume.interrupted(result))
  end
  return result_of(context, result, err)
end

local function order_id(call, order)
  local id = type(order) == "table" and order.id or order
  if type(id) ~= "string" then
    error(("%s takes an order or its id, not %s"):format(call,
      type(order) == "table" and "a table without an id"
        or "a " .. type(order)), 3)
  end
  return id
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
  local context = context_of(self, "dismiss")
  local ledger = ledger_of(context, "dismiss")
  options = options_of.check("dismiss", options)
  return result_of(context, pending.dismiss(ledger,
    order_id("dismiss", order), options.force))
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
  local context = context_of(self, "adopt")
  ledger_of(context, "adopt")
  local id = order_id("adopt", order)
  local task_id, err = check_task(context, "adopt", task_or_id)
  if not task_id then
    return nil, err
  end
  return result_of(context, pending.adopt(context, id, task_id))
end

--- Hold a request against the documented limits; nothing is sent.
-- @tparam table params as for `create`
-- @treturn ?boolean true
-- @treturn table warnings (a list), or err with `violations`, each with
--   `field`, `code`, `message` and, where they apply, `limit` and `actual`
function Client:validate(params)
  local context = context_of(self, "validate")
  check_params("validate", params)
  return validate.check(context, params)
end

--- The models of this client's edition and their limits.
-- @treturn table rows of the catalog
function Client:models()
  return context_of(self, "models").catalog:models()
end

--- Close connections. Using the client afterwards raises.
function Client:close()
  local context = contexts[self]
  if context and not context.closed then
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

--- Make a client.
-- @tparam[opt] table options `api_key`, `base_url` (the provider's),
--   `edition` (`xingchao` or `mingyan`; default the newest text for each
--   model), `models` (further rows in the shape of `models()`), `validation`
--   (`strict`), `runtime` (`block`), `transport`, `clock`, `sleep`, `random`
--   (functions, for tests), `ca_file`, `insecure_http` (false),
--   `connect_timeout` (10 s), `timeout` (60 s for one exchange),
--   `max_in_flight` (64), `on_event(event)`, `interrupts` (`raise`, or
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
  local chance = options.random or random()
  contexts[self] = {
    api_key = key,
    base_url = base_url,
    catalog = require("starvideos.core").catalog {
      edition = options.edition,
      models = options.models,
    },
    validation = options.validation or "strict",
    runtime = require("starvideos.runtime.block").new(options),
    random = chance,
    budget = budget.new(chance),
    wall_clock = os.time,
    insecure_http = options.insecure_http,
    connect_timeout = options.connect_timeout or 10,
    timeout = options.timeout or 60,
    on_event = options.on_event,
    interrupts = options.interrupts,
  }
  contexts[self].ledger = options.ledger
    and ledger_for(contexts[self], options) or nil
  return self
end

return _M
