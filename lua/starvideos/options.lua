-- The options of every call, as data: an option of another name or type is a mistake of
-- the program and raises an error that names the caller's line.

-- A signature cannot go on in another line.
-- luacheck: no max comment line length

local errors = require "starvideos.errors"

---How strictly an order is checked: `strict` refuses one that breaks a limit,
---`advisory` sends it and gives the violations as warnings, `off` does not check.
---@alias starvideos.Validation "strict"|"advisory"|"off"

---Sends a request in place of libcurl: a table with `method`, `url`, `headers` and
---`body` goes in; `{ status, headers, body }` comes out, or nil and `{ reason, message,
---sent }`.
---@alias starvideos.Transport fun(request: table): table?, table?

---Options of `starvideos.new`.
---@class starvideos.ClientOptions
---@field api_key? string without one only `validate` and `models` work
---the provider's, with or without `/v1` or an endpoint after it; the environment is not
---read here
---@field base_url? string
---exactly the models and limits of that documentation; default the newest text of each
---model
---@field edition? "xingchao"|"mingyan"
---further models, each a row as `models()` gives it; `name` and `endpoint` are required
---@field models? starvideos.Model[]
---@field validation? starvideos.Validation of every order; default "strict"
---@field connect_timeout? number seconds for each connection; default 10
---@field timeout? number seconds for each exchange with the API; default 60
---orders sent at the same time; more wait for a free slot; default 32
---@field max_creates? integer
---@field max_in_flight? integer polls and downloads at the same time; default 64
---@field ca_file? string certificates to trust; default SSL_CERT_FILE, then the system's
---@field insecure_http? boolean allow http to another host than this one; default false
---save videos also from this machine or a private network, though the provider is
---elsewhere; default false
---@field private_links? boolean
---@field max_video? integer bytes that a video may have; default 4 GiB
---@field max_answer? integer bytes that are read of an answer of the API; default 256 KiB
---called after each request, each change of an order, and with the bytes of a download
---@field on_event? fun(event: starvideos.Event)
---whether Ctrl-C during a call raises an error of kind cancelled, or the call returns
---it; default "raise"
---@field interrupts? "raise"|"return"
---path of a SQLite file, or a `postgres://` URL: every order is recorded there; default
---none
---@field ledger? string
---sync each record to the disk before the program goes on; default false
---@field ledger_fsync? boolean
---your own label for the account of the key: part of the name of an order; default none
---@field account? string
---what orders cost: the path of a JSON file, a table or a function; default none
---@field prices? string|starvideos.Prices|fun(params: starvideos.Params, model: starvideos.Model): number?
---how to wait; default "ngx" in nginx, else "block"
---@field runtime? "block"|"frame"|"poll"|"ngx"
---@field poll_rate? number polls a second, of all waits together; default 250
---a dictionary with `get`, `set` and `add`, such as `ngx.shared.videos`: one process
---polls a task, the others read its answer; default none
---@field shared? table
---who sends; `resty_http` in nginx; default libcurl
---@field transport? starvideos.Transport|"resty_http"
---@field clock? fun(): number seconds, for tests; default monotonic time
---@field sleep? fun(seconds: number): boolean? for tests; default a real sleep
---a number from 0 up to 1, for tests; default a generator of its own
---@field random? fun(): number

---What orders cost, in units of one currency.
---@class starvideos.Prices
---@field currency string the currency's name
---@field models? table<string, starvideos.ModelPrice> the prices of each model
---in place of `models`: gives the price of one order, nil where it is not known
---@field cost? fun(params: starvideos.Params, model: starvideos.Model): number?

---An order costs the sum of both.
---@class starvideos.ModelPrice
---of the video; one number, or one for each resolution
---@field per_second? number|table<string, number>
---@field per_video? number|table<string, number> one number, or one for each resolution

---Options of `create`.
---@class starvideos.CreateOptions
---@field validation? starvideos.Validation of this order; default the client's
---a path below the base URL, for a model that this version does not know; default by
---model
---@field endpoint? string
---with a ledger: your own name for the order; the same key again gives the same task
---and sends nothing; default `path`, made absolute
---@field key? string
---with a ledger: another take of a key is another order, for when the first failed, its
---outcome is unknown, or you want a second video; default 1
---@field take? integer
---@field label? string with a ledger: a label of your own, for limits and lists
---with a ledger: seconds that the order waits for a limit that keeps it back; 0: it
---does not wait; default 60
---@field limit_timeout? number
---@field path? string with a ledger: where `resume` saves the video

---Options of `query`.
---@class starvideos.QueryOptions
---seconds; with `shared`: an answer that another wait or process got no longer ago will
---do
---@field max_age? number

---Options of `wait` and `wait_all`.
---@class starvideos.WaitOptions
---seconds, after which the call gives an error of kind timeout; the task goes on;
---default 1800
---@field timeout? number
---seconds: the shortest pause between two polls, and about the first; the provider asks
---for 30 to 60; default 30
---@field interval? number
---@field max_interval? number seconds: the longest pause; default 60
---seconds until the first poll; default one interval after the task was created
---@field first_poll? number
---called after every poll but one that ends the wait with an error, with the task as
---last known
---@field on_progress? fun(task: starvideos.Task, info: starvideos.WaitInfo)

---How far a wait has come.
---@class starvideos.WaitInfo
---@field elapsed number seconds since it began
---@field remaining number seconds until its timeout
---@field polls integer how often the provider was asked
---@field error? starvideos.Error why this poll failed

---Options of `download`.
---@class starvideos.DownloadOptions
---replace an existing file once the new one is complete; default false
---@field overwrite? boolean
---seconds for the whole download, with its pauses and retries; default none
---@field timeout? number
---what is saved: a video, told by its bytes, or anything that the media host sends;
---default "video"
---@field accept? "video"|"any"
---seconds without a byte, after which the download is retried; default 30
---@field stall_timeout? number
---bytes; total is nil while it is unknown
---@field on_progress? fun(received: integer, total?: integer)

---Options of `generate`.
---@class starvideos.GenerateOptions: starvideos.CreateOptions, starvideos.WaitOptions
---@field path string where to save the video
---@field overwrite? boolean replace an existing file; default false
---bytes that the disk of the videos must have free before one is ordered, though the open
---orders need less; 0: the disk is not asked; default what they need
---@field min_free? integer
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field on_task? fun(task: starvideos.Task) called as soon as the order was accepted
---bytes; total is nil while it is unknown
---@field on_download? fun(received: integer, total?: integer)

---Options of `generate_all`; those of the wait hold for each order.
---@class starvideos.GenerateAllOptions
---@field at_most? integer orders at a time; default 5
---the folder that paths are below; missing ones are made; default the current one
---@field directory? string
---@field label? string of orders that have none
---@field limit_timeout? number seconds that an order waits for a limit; default `timeout`
---@field overwrite? boolean replace existing files; default false
---bytes that the disk of the videos must have free before one is ordered, though the open
---orders need less; 0: the disk is not asked; default what they need
---@field min_free? integer
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, for each order; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---seconds until the first poll; default one interval after the task was created
---@field first_poll? number
---called as each ends
---@field on_done? fun(order: starvideos.ListedOrder, file?: starvideos.File, err?: starvideos.Error)
---called as each is accepted
---@field on_task? fun(order: starvideos.ListedOrder, task: starvideos.Task)
---called after each poll
---@field on_progress? fun(order: starvideos.ListedOrder, task: starvideos.Task, info: starvideos.WaitInfo)
---bytes
---@field on_download? fun(order: starvideos.ListedOrder, received: integer, total?: integer)

---Options of `enqueue`.
---@class starvideos.EnqueueOptions
---@field label? string of orders that have none
---the folder that the workers will use, where it is known: two paths that are one file
---there are a fault
---@field directory? string
---asked before anything is enqueued: unless it returns true nothing is
---@field confirm? fun(plan: starvideos.EnqueuePlan): boolean?

---What `confirm` of `enqueue` decides about.
---@class starvideos.EnqueuePlan
---@field new integer orders that would be enqueued
---@field known integer orders that are there already
---@field price? starvideos.Price of the new ones, where the client has prices
---@field unpriced? integer how many of the new ones have no price
---@field warnings starvideos.Warning[] what the documentation only advises

---Options of `order`, `adopt` and `label`.
---@class starvideos.TakeOptions
---@field take? integer which order of a key; default 1

---Options of `dismiss`.
---@class starvideos.DismissOptions
---@field take? integer which order of a key; default 1
---also one that was bought and can still be downloaded, or that a process holds
---although its lease has expired; default false
---@field force? boolean

---Options of `pending`.
---@class starvideos.PendingOptions
---@field limit? integer orders at most; default 1000
---@field after? string the second result of the call before, for the next page
---@field all? boolean also orders about which nothing is to be done; default false

---Options of `orders`.
---@class starvideos.OrdersOptions
---@field state? starvideos.OrderState|starvideos.OrderState[] one state, or a list of them
---@field since? number Unix seconds: placed then or later
---@field before? number Unix seconds: placed before then
---@field label? string of this label alone
---@field account? string of this account alone
---@field key? string of this key alone
---@field limit? integer orders at most; default 1000
---@field after? string the second result of the call before, for the next page

---Options of `archive`.
---@class starvideos.ArchiveOptions
---@field before? number Unix seconds: orders that ended before then; default 30 days ago

---Options of `resume`; `first_poll` is 0.
---@class starvideos.ResumeOptions
---folder for videos whose order has no path; where it is given also for those whose
---path is on another machine; default "."
---@field directory? string
---save orders of the queue also outside of `directory`: at an absolute path, or through
---a link; default false
---@field any_path? boolean
---@field path? fun(order: starvideos.Order): string? gives where to save a video
---@field overwrite? boolean replace existing files; default false
---ask also for tasks that the provider has not known for a day; default false
---@field missing? boolean
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, of each wait; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---@field first_poll? number seconds until the first poll; default 0
---called as each ends
---@field on_done? fun(order: starvideos.Order, file?: starvideos.File, err?: starvideos.Error)
---called after each poll
---@field on_progress? fun(order: starvideos.Order, task: starvideos.Task, info: starvideos.WaitInfo)

---Options of `work`.
---@class starvideos.WorkOptions
---@field directory? string folder for the videos, each at its path below it; default "."
---save orders of the queue also outside of `directory`: at an absolute path, or through
---a link; default false
---@field any_path? boolean
---@field follow? boolean go on for ever; else until nothing is left; default false
---@field resume? boolean let a queue go on that stopped itself; default false
---@field claims? integer orders at a time; default 64
---@field accounts? "any" orders of all accounts, which this key pays; default the client's own
---false where others write the prompts: failed tasks in a row do not stop the queue,
---unknown outcomes only slow it down; default true
---@field failures? boolean
---@field overwrite? boolean replace existing files; default false
---@field path? fun(order: starvideos.Order): string? gives where to save a video
---bytes that the disk of the videos must have free before one is ordered, though the open
---orders need less; 0: the disk is not asked; default what they need
---@field min_free? integer
---@field stall_timeout? number see `download`; default 30
---@field accept? "video"|"any" see `download`; default "video"
---@field timeout? number seconds, of each wait; default 1800
---@field interval? number seconds between polls at first; default 30
---@field max_interval? number seconds between polls in the end; default 60
---called once this worker is known to the others
---@field on_begin? fun(control: starvideos.WorkControl)
---called as each ends
---@field on_done? fun(order: starvideos.Order, file?: starvideos.File, err?: starvideos.Error)
---called after each poll
---@field on_progress? fun(order: starvideos.Order, task: starvideos.Task, info: starvideos.WaitInfo)

---What `on_begin` of `work` gets.
---@class starvideos.WorkControl
---@field wake fun() has the worker look for orders at once
---@field is_alive fun(): boolean whether its heartbeat is in time
---@field left fun(): integer? how many orders were left when it last looked

---Options of `limits`: each limit a number, 0 to send nothing, or `false` to remove it.
---@class starvideos.LimitsOptions
---@field open? integer|false tasks at the same time
---@field creates_per_minute? number|false orders sent in a minute
---@field polls_per_second? number|false of all workers together
---@field spend? number|false units of the currency
---@field per? "day"|"total" of a spend; a day is one of UTC; default "total"
---@field currency? string of a spend; default that of the client's prices
---@field refund_failed? boolean whether the provider pays failed tasks back; default false
---@field account? string for orders of this account alone
---@field label? string for orders of this label alone

local _M = {}

-- The highest limit; of money, a float still counts its millionths.
local MOST = 1e9

local function seconds(value)
  return type(value) == "number" and value > 0 and value < math.huge,
    "a number of seconds above 0"
end

local function seconds_or_none(value)
  return type(value) == "number" and value >= 0 and value < math.huge,
    "a number of seconds, 0 or more"
end

local function of_type(name)
  return function(value)
    return type(value) == name, "a " .. name
  end
end

local function one_of(...)
  local words, known = { ... }, {}
  for _, word in ipairs(words) do
    known[word] = true
  end
  return function(value)
    return known[value] == true, "one of " .. table.concat(words, ", ")
  end
end

local function count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0,
    "a whole number above 0"
end

local function bytes_or_none(value)
  return type(value) == "number" and value >= 0 and value < math.huge,
    "a number of bytes, 0 or more"
end

local boolean, text = of_type "boolean", of_type "string"
local callback, list = of_type "function", of_type "table"
local mode = one_of("strict", "advisory", "off")
local acceptance = one_of("video", "any")

local wait = {
  timeout = seconds,
  interval = seconds,
  max_interval = seconds,
  first_poll = seconds_or_none,
  on_progress = callback,
}

local function extended(base, more)
  for name, check in pairs(base) do
    more[name] = more[name] or check
  end
  return more
end

-- A name that a person reads: of an order, of an account.
local function readable(value)
  return type(value) == "string" and value:find("%S") ~= nil
    and not value:find("[%c\127]"), "a text of printable characters"
end

local function path(value)
  return type(value) == "string" and value ~= ""
    and not value:find("\0", 1, true), "a path without a NUL"
end

local function not_blank(value)
  return type(value) == "string" and value:find("%S") ~= nil
    and not value:find("\0", 1, true), "a text without a NUL that is not blank"
end

-- A function of the caller's, or one of ours by its name.
local function transport(value)
  return type(value) == "function" or value == "resty_http",
    "a function or resty_http"
end

local function positive(value)
  return type(value) == "number" and value > 0 and value < math.huge,
    "a number above 0"
end

-- One of ngx.shared, or another with the same methods. Those of nginx are tables
-- whose methods stand in their metatables.
local function dictionary(value)
  local is_one = type(value) == "table" or type(value) == "userdata"
  return is_one and value.get ~= nil and value.set ~= nil and value.add ~= nil,
    "a dictionary with get, set and add"
end

local create = {
  validation = mode,
  endpoint = text,
  key = readable,
  take = count,
  path = path,
  label = readable,
  limit_timeout = seconds_or_none,
}

-- A limit of the ledger; 0 sends nothing, and `false` removes it.
local function limit(value)
  return value == false or type(value) == "number" and value >= 0
    and value <= MOST, "a number, 0 or more, or false to remove the limit"
end

local function whole_limit(value)
  return limit(value) and (not value or value % 1 == 0),
    "a whole number, 0 or more, or false to remove the limit"
end

-- As `starvideos.provider.prices` reads them.
local function prices(value)
  return not_blank(value) or type(value) == "table"
    or type(value) == "function", "the path of a file, a table or a function"
end

-- One state of an order, or a list of them.
local function some_states(value)
  local states = type(value) == "table" and value or { value }
  for _, state in ipairs(states) do
    if type(state) ~= "string" then
      return false, "the name of a state, or a list of them"
    end
  end
  return states[1] ~= nil, "the name of a state, or a list of them"
end

-- The options of every public call that has some, each with the check it must pass.
_M.accepted = {
  new = {
    api_key = text,
    base_url = text,
    edition = one_of("xingchao", "mingyan"),
    models = list,
    validation = mode,
    runtime = one_of("block", "frame", "poll", "ngx"),
    transport = transport,
    shared = dictionary,
    poll_rate = positive,
    clock = callback,
    sleep = callback,
    random = callback,
    ca_file = path,
    insecure_http = boolean,
    private_links = boolean,
    max_video = count,
    max_answer = count,
    connect_timeout = seconds,
    timeout = seconds,
    max_creates = count,
    max_in_flight = count,
    on_event = callback,
    interrupts = one_of("raise", "return"),
    ledger = not_blank,
    ledger_fsync = boolean,
    account = readable,
    prices = prices,
  },
  create = create,
  query = { max_age = seconds_or_none },
  wait = wait,
  wait_all = wait,
  download = {
    overwrite = boolean,
    on_progress = callback,
    timeout = seconds,
    stall_timeout = seconds,
    accept = acceptance,
  },
  dismiss = { force = boolean, take = count },
  adopt = { take = count },
  label = { take = count },
  order = { take = count },
  limits = {
    open = whole_limit,
    creates_per_minute = limit,
    polls_per_second = limit,
    spend = limit,
    per = one_of("day", "total"),
    currency = readable,
    refund_failed = boolean,
    account = readable,
    label = readable,
  },
  pending = { limit = count, after = text, all = boolean },
  orders = { state = some_states, since = seconds, before = seconds,
    label = readable, account = readable, key = readable, limit = count,
    after = text },
  archive = { before = seconds },
  resume = extended(wait, {
    directory = path,
    any_path = boolean,
    path = callback,
    overwrite = boolean,
    missing = boolean,
    stall_timeout = seconds,
    accept = acceptance,
    on_done = callback,
    on_progress = callback,
  }),
  enqueue = { label = readable, confirm = callback, directory = path },
  generate_all = extended(wait, {
    at_most = count,
    directory = path,
    label = readable,
    limit_timeout = seconds_or_none,
    overwrite = boolean,
    min_free = bytes_or_none,
    stall_timeout = seconds,
    accept = acceptance,
    on_done = callback,
    on_task = callback,
    on_download = callback,
  }),
  work = {
    directory = path,
    any_path = boolean,
    follow = boolean,
    resume = boolean,
    claims = count,
    accounts = one_of "any",
    failures = boolean,
    on_begin = callback,
    overwrite = boolean,
    path = callback,
    min_free = bytes_or_none,
    stall_timeout = seconds,
    accept = acceptance,
    timeout = seconds,
    interval = seconds,
    max_interval = seconds,
    on_done = callback,
    on_progress = callback,
  },
  generate = extended(wait, extended(create, {
    overwrite = boolean,
    on_task = callback,
    on_download = callback,
    min_free = bytes_or_none,
    stall_timeout = seconds,
    accept = acceptance,
  })),
}

-- Which options a call takes, for one who has misspelt one.
local function taken(accepted)
  local names = {}
  for name in pairs(accepted) do
    names[#names + 1] = name
  end
  table.sort(names)
  return #names > 0 and "; it takes " .. table.concat(names, ", ") or ""
end

-- Check the options of a call. `call`: its name in `accepted`. Raises a name or a type
-- that the call does not take. Returns the options, empty where none were given.
function _M.check(call, options)
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    errors.misuse(("the options of %s must be a table, not a %s")
      :format(call, type(options)))
  end
  local accepted = _M.accepted[call] or {}
  if call == "new" and options.new then
    errors.misuse("call starvideos.new with a dot, not with a colon")
  end
  for name, value in pairs(options) do
    local check = accepted[name]
    if not check then
      errors.misuse(("%s takes no option %q, so nothing was sent%s"):format(call,
        tostring(name), taken(accepted)))
    end
    local ok, wanted = check(value)
    if not ok then
      errors.misuse(("option %s of %s must be %s, not %s"):format(name, call, wanted,
        type(value) == "table" and "a table" or tostring(value)))
    end
  end
  return options
end

return _M
