-- The tables that go into and come out of the public functions: what the types for
-- editors and the reference say of them. What the library keeps as data already
-- (events, kinds of errors, states, what the command prints, the catalog of models)
-- is taken from there; the rest stands here. spec/unit/types_spec.lua holds both to
-- what the functions take and give.
--
-- A class: name, meaning, fields; by name `parents`. A field: name (with ? where it
-- may be missing), type, meaning; by name `default`.

local records = require "docs.reference.records"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local events = require "starvideos.events"
local states = require "starvideos.ledger.states"

local list, by_name = {}, {}

local function class(name, meaning, fields, parents)
  local one = { name = name, meaning = meaning, fields = fields,
    parents = parents }
  list[#list + 1], by_name[name] = one, one
end

local function alias(name, meaning, values)
  local one = { name = name, meaning = meaning, alias = values }
  list[#list + 1], by_name[name] = one, one
end

local function quoted(words)
  local texts = {}
  for index, word in ipairs(words) do
    texts[index] = ("%q"):format(word)
  end
  return table.concat(texts, "|")
end

local function sentence(text)
  return text:sub(1, 1):upper() .. text:sub(2) .. "."
end

-- A class of a shape that the command prints; `types` where a field is no text.
local function printed(name, meaning, shape, types, more)
  local fields = {}
  for _, field in ipairs(records[shape]) do
    local kind = types[field[1]]
    if kind ~= false then
      fields[#fields + 1] = { field[1] .. "?", kind or "string", field[2] }
    end
  end
  for _, field in ipairs(more or {}) do
    fields[#fields + 1] = field
  end
  class(name, meaning, fields)
end

-- What an order says -------------------------------------------------------

local function numbers(from, to)
  local values = {}
  for value = from, to do
    values[#values + 1] = tostring(value)
  end
  return table.concat(values, "|")
end

local media = {
  { "referenceImages", "ReferenceImage", "images" },
  { "referenceVideos", "ReferenceVideo", "videos" },
  { "referenceAudios", "ReferenceAudio", "sounds" },
}

-- Limits of a list of references in words, as the catalog has them.
local function media_limits(row, noun)
  local text = ("up to %d reference %s"):format(row.max, noun)
  if row.max_with_video and row.max_with_video ~= row.max then
    text = text .. (", %d beside a video"):format(row.max_with_video)
  end
  for _, limit in ipairs { { "max_bytes", "; each %s %d bytes",
    row.below and "below" or "up to" }, { "total_bytes", "; together %s %d bytes",
    "up to" }, { "min_duration", "; each %s %d seconds", "at least" },
    { "max_duration", "; each %s %d seconds", "at most" },
    { "total_duration", "; together %s %d seconds", "at most" },
    { "min_pixels", "; width and height %s %d pixels", "at least" },
    { "max_pixels", "; width and height %s %d pixels", "at most" } } do
    if row[limit[1]] then
      text = text .. limit[2]:format(limit[3], row[limit[1]])
    end
  end
  return text .. (row.sets_output
    and "; beside one, duration and ratio of the order do not count" or "")
end

local function duration_field(row)
  local text = ("seconds, %d to %d"):format(row.min, row.max)
  if row.advised then
    text = text .. ("; the documentation advises %s"):format(
      table.concat(row.advised, " or "))
  end
  return { "duration" .. (row.required and "" or "?"), numbers(row.min, row.max),
    text, default = row.default and tostring(row.default) }
end

local function choice_field(name, row)
  return { name .. "?", quoted(row.values), name == "ratio"
    and "width to height" or "lines of the video",
    default = row.default and ("%q"):format(row.default) }
end

local function params_of(row)
  local fields = {
    { "model", ("%q"):format(row.name), "the model" },
    { "prompt", "string", row.prompt.max and ("what is to be seen, up to %d"
      .. " characters"):format(row.prompt.max) or "what is to be seen" },
    duration_field(row.duration),
  }
  for _, name in ipairs { "ratio", "resolution" } do
    fields[#fields + 1] = row[name] and choice_field(name, row[name]) or nil
  end
  if row.frames then
    fields[#fields + 1] = { "first_image?", "ReferenceImage",
      "the first frame; with last_image only" }
    fields[#fields + 1] = { "last_image?", "ReferenceImage",
      "the last frame; with first_image only" }
  end
  for _, kind in ipairs(media) do
    if row[kind[1]] then
      fields[#fields + 1] = { kind[1] .. "?", kind[2] .. "[]",
        media_limits(row[kind[1]], kind[3]) }
    end
  end
  return fields
end

class("ReferenceFacts", "A reference whose facts are checked; its URL is sent.", {
  { "url", "string", "where the provider finds it" },
  { "bytes?", "integer", "its length in bytes" },
  { "duration?", "number", "seconds that it lasts" },
  { "width?", "integer", "pixels" },
  { "height?", "integer", "pixels" },
})
alias("ReferenceImage", "An image: its URL, or the URL with facts to check.",
  "string|ReferenceFacts")
alias("ReferenceVideo", "A video: its URL, or the URL with facts to check.",
  "string|ReferenceFacts")
alias("ReferenceAudio", "A sound: its URL, or the URL with facts to check.",
  "string|ReferenceFacts")

local params, model_names = {}, {}
for _, row in ipairs(core.catalog():models()) do
  local name = "Params_" .. row.name
  params[#params + 1], model_names[#model_names + 1] = name, row.name
  class(name, ("What an order of the model `%s` says."):format(row.name),
    params_of(row))
end
class("OtherParams", "What an order says of a model that this version does not"
  .. " know: it needs the option `endpoint` or a row in `models`.", {
  { "model", "string", "the model" },
  { "prompt?", "string", "what is to be seen" },
  { "[string]", "any", "what its documentation says" },
})
alias("Params", "What an order says: the fields of its model.",
  table.concat(params, "|") .. "|OtherParams")
alias("ModelName", "The models that this version knows.", quoted(model_names))

class("ListedOrder", "An order of a list: its params and, beside them, how it is"
  .. " named and where it goes.", {
  { "model", "ModelName|string", "the model; the further fields of its params"
    .. " stand beside it" },
  { "path?", "string", "where the video is saved, below the folder of the call or"
    .. " worker that saves it; an absolute one counts on this machine only" },
  { "key?", "string", "the name of the order; path or key must be there",
    default = "the path as it is written" },
  { "take?", "integer", "another take of a key is another order", default = "1" },
  { "label?", "string", "a label of your own, for limits and lists" },
  { "[string]", "any", "the other params of the model" },
})

-- Options ------------------------------------------------------------------

alias("Validation", "How strictly an order is checked: `strict` refuses one that"
  .. " breaks a limit, `advisory` sends it and gives the violations as warnings,"
  .. " `off` does not check.", quoted { "strict", "advisory", "off" })

class("ClientOptions", "Options of `starvideos.new`.", {
  { "api_key?", "string", "without one only `validate` and `models` work" },
  { "base_url?", "string", "the provider's, with or without `/v1` or an endpoint"
    .. " after it; the environment is not read here" },
  { "edition?", quoted { "xingchao", "mingyan" }, "exactly the models and limits"
    .. " of that documentation", default = "the newest text of each model" },
  { "models?", "Model[]", "further models, each a row as `models()` gives it;"
    .. " `name` and `endpoint` are required" },
  { "validation?", "Validation", "of every order", default = '"strict"' },
  { "connect_timeout?", "number", "seconds for each connection", default = "10" },
  { "timeout?", "number", "seconds for each exchange with the API",
    default = "60" },
  { "max_creates?", "integer", "orders sent at the same time; more wait for a free"
    .. " slot", default = "32" },
  { "max_in_flight?", "integer", "polls and downloads at the same time",
    default = "64" },
  { "ca_file?", "string", "certificates to trust",
    default = "SSL_CERT_FILE, then the system's" },
  { "insecure_http?", "boolean", "allow http to another host than this one",
    default = "false" },
  { "private_links?", "boolean", "save videos also from this machine or a private"
    .. " network, though the provider is elsewhere", default = "false" },
  { "max_video?", "integer", "bytes that a video may have", default = "4 GiB" },
  { "max_answer?", "integer", "bytes that are read of an answer of the API",
    default = "256 KiB" },
  { "on_event?", "fun(event: Event)", "called after each request, each change of an"
    .. " order, and with the bytes of a download" },
  { "interrupts?", quoted { "raise", "return" }, "whether Ctrl-C during a call"
    .. " raises an error of kind cancelled, or the call returns it",
    default = '"raise"' },
  { "ledger?", "string", "path of a SQLite file, or a `postgres://` URL: every order"
    .. " is recorded there", default = "none" },
  { "ledger_fsync?", "boolean", "sync each record to the disk before the program"
    .. " goes on", default = "false" },
  { "account?", "string", "your own label for the account of the key: part of the"
    .. " name of an order", default = "none" },
  { "prices?", "string|Prices|fun(params: Params, model: Model): number?",
    "what orders cost: the path of a JSON file, a table or a function",
    default = "none" },
  { "runtime?", quoted { "block", "frame", "poll", "ngx" }, "how to wait",
    default = '"ngx" in nginx, else "block"' },
  { "poll_rate?", "number", "polls a second, of all waits together",
    default = "250" },
  { "shared?", "table", "a dictionary with `get`, `set` and `add`, such as"
    .. " `ngx.shared.videos`: one process polls a task, the others read its answer",
    default = "none" },
  { "transport?", 'Transport|"resty_http"', "who sends; `resty_http` in nginx",
    default = "libcurl" },
  { "clock?", "fun(): number", "seconds, for tests", default = "monotonic time" },
  { "sleep?", "fun(seconds: number): boolean?", "for tests",
    default = "a real sleep" },
  { "random?", "fun(): number", "a number from 0 up to 1, for tests",
    default = "a generator of its own" },
})

class("Prices", "What orders cost, in units of one currency.", {
  { "currency", "string", "the currency's name" },
  { "models?", "table<string, ModelPrice>", "the prices of each model" },
  { "cost?", "fun(params: Params, model: Model): number?", "in place of `models`:"
    .. " gives the price of one order, nil where it is not known" },
})
class("ModelPrice", "An order costs the sum of both.", {
  { "per_second?", "number|table<string, number>", "of the video; one number, or"
    .. " one for each resolution" },
  { "per_video?", "number|table<string, number>", "one number, or one for each"
    .. " resolution" },
})
alias("Transport", "Sends a request in place of libcurl: a table with `method`,"
  .. " `url`, `headers` and `body` goes in; `{ status, headers, body }` comes out,"
  .. " or nil and `{ reason, message, sent }`.",
  "fun(request: table): table?, table?")

class("WaitOptions", "Options of `wait` and `wait_all`.", {
  { "timeout?", "number", "seconds, after which the call gives an error of kind"
    .. " timeout; the task goes on", default = "1800" },
  { "interval?", "number", "seconds between polls at first; the provider asks for"
    .. " 30 to 60", default = "30" },
  { "max_interval?", "number", "seconds between polls in the end", default = "60" },
  { "first_poll?", "number", "seconds until the first poll",
    default = "one interval after the task was created" },
  { "on_progress?", "fun(task: Task, info: WaitInfo)", "called after every poll but"
    .. " one that ends the wait with an error, with the task as last known" },
})
class("WaitInfo", "How far a wait has come.", {
  { "elapsed", "number", "seconds since it began" },
  { "remaining", "number", "seconds until its timeout" },
  { "polls", "integer", "how often the provider was asked" },
  { "error?", "Error", "why this poll failed" },
})
class("CreateOptions", "Options of `create`.", {
  { "validation?", "Validation", "of this order", default = "the client's" },
  { "endpoint?", "string", "a path below the base URL, for a model that this version"
    .. " does not know", default = "by model" },
  { "key?", "string", "with a ledger: your own name for the order; the same key again"
    .. " gives the same task and sends nothing",
    default = "`path`, made absolute" },
  { "take?", "integer", "with a ledger: another take of a key is another order, for"
    .. " when the first failed, its outcome is unknown, or you want a second video",
    default = "1" },
  { "label?", "string", "with a ledger: a label of your own, for limits and lists" },
  { "limit_timeout?", "number", "with a ledger: seconds that the order waits for a"
    .. " limit that keeps it back; 0: it does not wait", default = "60" },
  { "path?", "string", "with a ledger: where `resume` saves the video" },
})
class("QueryOptions", "Options of `query`.", {
  { "max_age?", "number", "seconds; with `shared`: an answer that another wait or"
    .. " process got no longer ago will do" },
})
class("DownloadOptions", "Options of `download`.", {
  { "overwrite?", "boolean", "replace an existing file once the new one is complete",
    default = "false" },
  { "timeout?", "number", "seconds for the whole download, with its pauses and"
    .. " retries", default = "none" },
  { "accept?", quoted { "video", "any" }, "what is saved: a video, told by its bytes,"
    .. " or anything that the media host sends", default = '"video"' },
  { "stall_timeout?", "number", "seconds without a byte, after which the download is"
    .. " retried", default = "30" },
  { "on_progress?", "fun(received: integer, total?: integer)", "bytes; total is nil"
    .. " while it is unknown" },
})
class("GenerateOptions", "Options of `generate`.", {
  { "path", "string", "where to save the video" },
  { "overwrite?", "boolean", "replace an existing file", default = "false" },
  { "stall_timeout?", "number", "see `download`", default = "30" },
  { "accept?", quoted { "video", "any" }, "see `download`", default = '"video"' },
  { "on_task?", "fun(task: Task)", "called as soon as the order was accepted" },
  { "on_download?", "fun(received: integer, total?: integer)", "bytes; total is nil"
    .. " while it is unknown" },
}, { "CreateOptions", "WaitOptions" })
class("GenerateAllOptions", "Options of `generate_all`; those of the wait hold for"
  .. " each order.", {
  { "at_most?", "integer", "orders at a time", default = "5" },
  { "directory?", "string", "the folder that paths are below; missing ones are"
    .. " made", default = "the current one" },
  { "label?", "string", "of orders that have none" },
  { "limit_timeout?", "number", "seconds that an order waits for a limit",
    default = "`timeout`" },
  { "overwrite?", "boolean", "replace existing files", default = "false" },
  { "stall_timeout?", "number", "see `download`", default = "30" },
  { "accept?", quoted { "video", "any" }, "see `download`", default = '"video"' },
  { "timeout?", "number", "seconds, for each order", default = "1800" },
  { "interval?", "number", "seconds between polls at first", default = "30" },
  { "max_interval?", "number", "seconds between polls in the end", default = "60" },
  { "first_poll?", "number", "seconds until the first poll",
    default = "one interval after the task was created" },
  { "on_done?", "fun(order: ListedOrder, file?: File, err?: Error)",
    "called as each ends" },
  { "on_task?", "fun(order: ListedOrder, task: Task)",
    "called as each is accepted" },
  { "on_progress?", "fun(order: ListedOrder, task: Task, info: WaitInfo)",
    "called after each poll" },
  { "on_download?", "fun(order: ListedOrder, received: integer, total?: integer)",
    "bytes" },
})
class("EnqueueOptions", "Options of `enqueue`.", {
  { "label?", "string", "of orders that have none" },
  { "directory?", "string", "the folder that the workers will use, where it is"
    .. " known: two paths that are one file there are a fault" },
  { "confirm?", "fun(plan: EnqueuePlan): boolean?", "asked before anything is"
    .. " enqueued: unless it returns true nothing is" },
})
class("EnqueuePlan", "What `confirm` of `enqueue` decides about.", {
  { "new", "integer", "orders that would be enqueued" },
  { "known", "integer", "orders that are there already" },
  { "price?", "Price", "of the new ones, where the client has prices" },
  { "unpriced?", "integer", "how many of the new ones have no price" },
  { "warnings", "Warning[]", "what the documentation only advises" },
})
class("TakeOptions", "Options of `order`, `adopt` and `label`.", {
  { "take?", "integer", "which order of a key", default = "1" },
})
class("DismissOptions", "Options of `dismiss`.", {
  { "take?", "integer", "which order of a key", default = "1" },
  { "force?", "boolean", "also one that was bought and can still be downloaded, or"
    .. " that a process holds although its lease has expired", default = "false" },
})
class("PendingOptions", "Options of `pending`.", {
  { "limit?", "integer", "orders at most", default = "1000" },
  { "after?", "string", "the second result of the call before, for the next page" },
  { "all?", "boolean", "also orders about which nothing is to be done",
    default = "false" },
})
class("OrdersOptions", "Options of `orders`.", {
  { "state?", "OrderState|OrderState[]", "one state, or a list of them" },
  { "since?", "number", "Unix seconds: placed then or later" },
  { "before?", "number", "Unix seconds: placed before then" },
  { "label?", "string", "of this label alone" },
  { "account?", "string", "of this account alone" },
  { "key?", "string", "of this key alone" },
  { "limit?", "integer", "orders at most", default = "1000" },
  { "after?", "string", "the second result of the call before, for the next page" },
})
class("ArchiveOptions", "Options of `archive`.", {
  { "before?", "number", "Unix seconds: orders that ended before then",
    default = "30 days ago" },
})
class("ResumeOptions", "Options of `resume`; `first_poll` is 0.", {
  { "directory?", "string", "folder for videos whose order has no path; where it is"
    .. " given also for those whose path is on another machine",
    default = '"."' },
  { "any_path?", "boolean", "save orders of the queue also outside of `directory`:"
    .. " at an absolute path, or through a link", default = "false" },
  { "path?", "fun(order: Order): string?", "gives where to save a video" },
  { "overwrite?", "boolean", "replace existing files", default = "false" },
  { "missing?", "boolean", "ask also for tasks that the provider has not known for a"
    .. " day", default = "false" },
  { "stall_timeout?", "number", "see `download`", default = "30" },
  { "accept?", quoted { "video", "any" }, "see `download`", default = '"video"' },
  { "timeout?", "number", "seconds, of each wait", default = "1800" },
  { "interval?", "number", "seconds between polls at first", default = "30" },
  { "max_interval?", "number", "seconds between polls in the end", default = "60" },
  { "first_poll?", "number", "seconds until the first poll", default = "0" },
  { "on_done?", "fun(order: Order, file?: File, err?: Error)",
    "called as each ends" },
  { "on_progress?", "fun(order: Order, task: Task, info: WaitInfo)",
    "called after each poll" },
})
class("WorkOptions", "Options of `work`.", {
  { "directory?", "string", "folder for the videos, each at its path below it",
    default = '"."' },
  { "any_path?", "boolean", "save orders of the queue also outside of `directory`:"
    .. " at an absolute path, or through a link", default = "false" },
  { "follow?", "boolean", "go on for ever; else until nothing is left",
    default = "false" },
  { "resume?", "boolean", "let a queue go on that stopped itself",
    default = "false" },
  { "claims?", "integer", "orders at a time", default = "64" },
  { "accounts?", quoted { "any" }, "orders of all accounts, which this key pays",
    default = "the client's own" },
  { "failures?", "boolean", "false where others write the prompts: failed tasks in a"
    .. " row do not stop the queue, unknown outcomes only slow it down",
    default = "true" },
  { "overwrite?", "boolean", "replace existing files", default = "false" },
  { "path?", "fun(order: Order): string?", "gives where to save a video" },
  { "stall_timeout?", "number", "see `download`", default = "30" },
  { "accept?", quoted { "video", "any" }, "see `download`", default = '"video"' },
  { "timeout?", "number", "seconds, of each wait", default = "1800" },
  { "interval?", "number", "seconds between polls at first", default = "30" },
  { "max_interval?", "number", "seconds between polls in the end", default = "60" },
  { "on_begin?", "fun(control: WorkControl)", "called once this worker is known to"
    .. " the others" },
  { "on_done?", "fun(order: Order, file?: File, err?: Error)",
    "called as each ends" },
  { "on_progress?", "fun(order: Order, task: Task, info: WaitInfo)",
    "called after each poll" },
})
class("WorkControl", "What `on_begin` of `work` gets.", {
  { "wake", "fun()", "has the worker look for orders at once" },
  { "is_alive", "fun(): boolean", "whether its heartbeat is in time" },
})
class("LimitsOptions", "Options of `limits`: each limit a number, 0 to send nothing,"
  .. " or `false` to remove it.", {
  { "open?", "integer|false", "tasks at the same time" },
  { "creates_per_minute?", "number|false", "orders sent in a minute" },
  { "polls_per_second?", "number|false", "of all workers together" },
  { "spend?", "number|false", "units of the currency" },
  { "per?", quoted { "day", "total" }, "of a spend; a day is one of UTC",
    default = '"total"' },
  { "currency?", "string", "of a spend", default = "that of the client's prices" },
  { "refund_failed?", "boolean", "whether the provider pays failed tasks back",
    default = "false" },
  { "account?", "string", "for orders of this account alone" },
  { "label?", "string", "for orders of this label alone" },
})

-- Results ------------------------------------------------------------------

alias("TaskStatus", "The status of a task; one that is not recognised is passed"
  .. " through.", quoted { "queued", "processing", "completed", "failed",
  "cancelled", "unknown" } .. "|string")
printed("Task", "A task of the provider. What its answer leaves out is nil.",
  "task", { created = "number", status = "TaskStatus", progress = "number",
    actualDuration = "number", file = false }, {
    { "raw?", "table", "the decoded answer; nil of a task that is remembered of an"
      .. " earlier poll" } })
printed("File", "A saved video.", "file",
  { bytes = "integer", resumed_from = "integer", container = quoted { "mp4",
    "mov", "webm", "matroska", "mpegts", "avi" }, warnings = "Warning[]" }, {
    { "ledger_error?", "Error", "why the ledger could not record that it was"
      .. " saved" } })
alias("OrderState", "The state of an order in the ledger.", quoted(states.names))
printed("Order", "An order of the ledger.", "order", { take = "integer",
  state = "OrderState", params = "Params", bytes = "integer", cost = "number",
  attempts = "integer", late_tasks = "string[]", missing_since = "number",
  queued_at = "number", not_before = "number", accepted_at = "number",
  created_at = "number", updated_at = "number", deleted_at = "number",
  removed_at = "number" }, {
    { "known?", "boolean", "of `enqueue`: true where the order was there before" } })

alias("ErrorKind", "What went wrong, as a word for programs.",
  quoted(errors.kinds))
class("Error", "What went wrong. It prints as a sentence.", {
  { "kind", "ErrorKind", "the kind of error" },
  { "message", "string", "what happened, whether something was bought, what to do" },
  { "status?", "integer", "of HTTP" },
  { "code?", "string", "the provider's own code" },
  { "retryable", "boolean", "whether the same call may succeed later" },
  { "task?", "Task", "the task that it is about, as last known" },
  { "task_id?", "string", "the id of that task" },
  { "retry_after?", "number", "seconds to wait" },
  { "retry_at?", "number", "Unix seconds, when it may be tried again" },
  { "limit?", "string", "the name of the limit that keeps the order back" },
  { "never?", "boolean", "the order fits into no limit like that" },
  { "unpaid?", "boolean", "refused for lack of money" },
  { "violations?", "Violation[]", "every limit that the order breaks" },
  { "warnings?", "Warning[]", "what the documentation only advises" },
  { "target?", quoted { "exists", "blocked", "busy", "outside" }, "what keeps a file from being"
    .. " written" },
  { "order?", "Order", "the order that it is about" },
  { "next_take?", "integer", "the take under which the key can be ordered again" },
  { "reason?", "string", "a word: why no answer came" },
  { "phase?", quoted { "queue", "connect", "request", "answer", "body" },
    "how far the request came" },
  { "sent?", "boolean", "whether the request had left" },
  { "bytes_sent?", "integer", "how many bytes of it" },
  { "part?", "string", "path of what a download has left" },
  { "bytes?", "integer", "its length" },
  { "interrupted?", "boolean", "whether it was Ctrl-C" },
  { "result?", "table", "of a call for many: what it has done so far" },
})
class("Violation", "A limit that an order breaks.", {
  { "field", "string", "which field" },
  { "code", "string", "a word for programs, see Errors" },
  { "message", "string", "what is wrong with it" },
  { "limit?", "number|string", "what is allowed" },
  { "actual?", "number|string", "what was given" },
  { "index?", "integer", "of a list: which order" },
  { "line?", "integer", "of a manifest: which line" },
  { "next_take?", "integer", "of a list: the take to order another video with" },
})
class("Warning", "What is only advised of an order, or may surprise in a file.", {
  { "field?", "string", "which field of an order" },
  { "code", quoted { "ignored_field", "advisory", "container", "trailing_bytes" }
    .. "|string",
    "a word for programs" },
  { "message", "string", "what is wrong with it" },
  { "index?", "integer", "of a list: which order" },
  { "line?", "integer", "of a manifest: which line" },
})
class("Price", "What an order costs.", {
  { "cost", "number", "in units of the currency" },
  { "currency?", "string", "the currency's name" },
  { "millionths", "number", "the same, in whole millionths" },
})
class("WaitResult", "What became of one task of `wait_all`.", {
  { "id", "string", "the task's id" },
  { "task?", "Task", "completed" },
  { "err?", "Error", "why it is not" },
})
class("GenerateResult", "What became of one order of `generate_all`.", {
  { "task?", "Task", "completed" },
  { "file?", "File", "the saved video" },
  { "err?", "Error", "why there is none" },
})
class("CheckedList", "A list of orders that was checked.", {
  { "entries", "CheckedOrder[]", "the orders, in the order of the list" },
  { "warnings", "Warning[]", "what the documentation only advises" },
  { "price?", "Price", "of all, where the client has prices" },
  { "unpriced?", "integer", "how many have no price" },
})
class("CheckedOrder", "An order of a list that was checked.", {
  { "index", "integer", "its place in the list" },
  { "line?", "integer", "of a manifest: its line" },
  { "path?", "string", "where the video goes" },
  { "key?", "string", "its key" },
  { "take?", "integer", "which order of the key" },
  { "label?", "string", "your label" },
  { "price?", "Price", "what it costs" },
  { "unpriced?", "string", "why it has no price" },
})
class("ResumeResult", "What `resume` has done.", {
  { "done", "integer", "orders whose video was saved" },
  { "failed", "integer", "orders that ended without one" },
  { "left", "integer", "orders that are still open" },
  { "orders", "ResumedOrder[]", "what became of each" },
})
class("ResumedOrder", "What became of one order of `resume`.", {
  { "order", "Order", "the order" },
  { "file?", "File", "the saved video" },
  { "err?", "Error", "why there is none" },
})
class("WorkResult", "What `work` has done.", {
  { "done", "integer", "orders whose video was saved here" },
  { "failed", "integer", "orders that ended here without one" },
  { "unknown", "integer", "orders that were sent here and whose outcome is unknown" },
  { "left", "integer", "orders that are open in the ledger" },
})
class("Backup", "A copy of a ledger.", {
  { "path", "string", "the copy" },
  { "bytes", "integer", "its length" },
})
printed("Limit", "A limit of the ledger.", "limit", { kind = quoted { "open",
  "creates_per_minute", "polls_per_second", "spend" },
  per = quoted { "day", "total" }, cap = "number", used = "number",
  left = "number", until_ = "number", refund_failed = "boolean" })
printed("Halt", "A queue that has stopped itself.", "halt",
  { kind = "ErrorKind", since = "number" })
printed("LoweredRate", "Rates that a 429 has lowered.", "rate",
  { factor = "number", until_ = "number" })
printed("Worker", "A worker of the ledger's queue.", "worker", {
  is_dead = "boolean", draining = "boolean", claims = "integer", polls = "number",
  started_at = "number", silence = "number" })
printed("Status", "What a ledger holds, in sums.", "status", {
  states = "table<OrderState, integer>", claimed = "integer",
  unattended = "integer", overdue = "integer", spend = "table<string, Spend>",
  unpriced = "integer", halted = "Halt[]", rates = "LoweredRate[]",
  limits = "Limit[]", workers = "Worker[]" })
class("Spend", "What was spent of one currency.", {
  { "total", "number", "in units of the currency" },
  { "today", "number", "of this day, UTC" },
})
class("Handle", "An operation of `async` that is under way.", {
  { "done", "boolean", "whether it has ended" },
  { "result?", "any", "the first value that the body returned" },
  { "err?", "Error|any", "the second where the first is nil or false, or what the"
    .. " body raised" },
  { "progress?", "Progress", "how far it has come" },
  { "listener_error?", "any", "what a listener of `on_done` raised" },
})
class("Progress", "How far an operation has come.", {
  { "task?", "Task", "of a wait: as last known" },
  { "elapsed?", "number", "of a wait: seconds since it began" },
  { "remaining?", "number", "of a wait: seconds until its timeout" },
  { "polls?", "integer", "of a wait: how often the provider was asked" },
  { "error?", "Error", "of a wait: why the last poll failed" },
  { "ended?", "integer", "of many: how many have ended" },
  { "count?", "integer", "of many: how many there are" },
  { "received?", "integer", "of a download: bytes" },
  { "total?", "integer", "of a download: bytes; nil while it is unknown" },
})

-- Models -------------------------------------------------------------------

local limits_of = { number = { "min", "max", "default", "max_with_video",
  "max_bytes", "total_bytes", "min_duration", "max_duration", "total_duration",
  "min_pixels", "max_pixels" }, boolean = { "required", "below", "sets_output",
  "legacy_aliases" }, ["integer[]"] = { "advised" }, ["string[]"] = { "values" } }
local limit_types = {}
for kind, names in pairs(limits_of) do
  for _, name in ipairs(names) do
    limit_types[name] = kind
  end
end
local choices = setmetatable({ default = "string" }, { __index = limit_types })
printed("PromptLimits", "Limits of a prompt.", "prompt_limits", limit_types)
printed("DurationLimits", "Limits of a duration.", "duration_limits", limit_types)
printed("ChoiceLimits", "What a ratio or resolution may be.", "choice_limits",
  choices)
printed("FrameLimits", "How frames are named.", "frame_limits", limit_types)
printed("MediaLimits", "Limits of references.", "media_limits", limit_types)
printed("Model", "A model and its limits, as its documentation has them. What it"
  .. " does not take has no field.", "model", { editions = "string[]",
  prompt = "PromptLimits", duration = "DurationLimits", ratio = "ChoiceLimits",
  resolution = "ChoiceLimits", frames = "FrameLimits",
  referenceImages = "MediaLimits", referenceVideos = "MediaLimits",
  referenceAudios = "MediaLimits" })

-- Events -------------------------------------------------------------------

local event_names = {}
for _, row in ipairs(events.list) do
  local name = "Event_" .. row[1]
  local fields = { { "name", ("%q"):format(row[1]), "the event's name" } }
  for _, field in ipairs(events.fields(row[1])) do
    local unit = field[3] ~= "" and " (" .. field[3] .. ")" or ""
    fields[#fields + 1] = { field[1] .. (field[1] == "at" and "" or "?"),
      field[2], field[4] .. unit }
  end
  event_names[#event_names + 1] = name
  class(name, sentence(row[2]), fields)
end
alias("Event", "What `on_event` is told; `name` says which it is.",
  table.concat(event_names, "|"))

-- The sandbox ----------------------------------------------------------------

class("SandboxOptions", "Options of `new` of `starvideos.sandbox`.", {
  { "key?", "string", "the API key it knows", default = '"sandbox-key"' },
  { "seconds?", "number", "from create to completed", default = "5" },
  { "queued_seconds?", "number", "how many of these a task is queued",
    default = "1" },
  { "clock?", "fun(): number", "Unix seconds", default = "os.time" },
  { "sleep?", "fun(seconds: number)", "called with the seconds that a delayed answer"
    .. " takes, such as one that puts the clock forward" },
  { "random?", "fun(): number", "a number from 0 up to 1",
    default = "math.random" },
  { "edition?", quoted { "xingchao", "mingyan" }, "the models and limits of that"
    .. " documentation", default = "the newest text of each model" },
  { "link_seconds?", "number", "until a link expires", default = "3600" },
  { "scenario?", "string", "a fault, for every request: `NAME`, `NAME=N`, several"
    .. " with commas" },
  { "clip?", "string", "an MP4 file to serve in place of the bundled one" },
  { "base_url?", "string", "of the API" },
  { "media_url?", "string", "origin of the media" },
  { "max_body?", "integer", "bytes of the largest create", default = "1048576" },
  { "secret?", "string", "what links are signed with", default = '"sandbox"' },
  { "open?", "integer", "tasks that its account may have open; a create beyond gets"
    .. " HTTP 429" },
  { "creates_per_minute?", "number", "of that account" },
  { "polls_per_second?", "number", "of that account" },
  { "price?", "number", "of each of its tasks", default = "0" },
  { "balance?", "number", "that it has to spend; then HTTP 402" },
  { "poll_interval?", "number", "seconds that should lie between two polls of a"
    .. " task", default = "30" },
  { "accounts?", "table<string, table>", "further accounts by name, each with `key`"
    .. " and these limits" },
  { "store?", "table", "where tasks are kept", default = "this process" },
  { "clips?", "table", "which clip a task gets", default = "the same for all" },
})
class("SandboxRecord", "What arrived at a sandbox.", {
  { "tasks", "table[]", "in order of creation: `id`, `model`, `prompt`, `params`,"
    .. " `created`, `status`, `scenario`, `billed`, `posts`, `queries`,"
    .. " `media_requests`" },
  { "creates", "table[]", "every POST in order: `path`, `at`, `bytes`, `outcome`,"
    .. " `id`, `scenario`, `account`" },
  { "posts", "integer", "how many creates arrived" },
  { "billed", "integer", "how many tasks were billed" },
  { "queries", "integer", "how many queries arrived" },
  { "media", "table", "`requests`, and `with_authorization`, which must stay 0" },
})
class("Scenario", "A fault that a sandbox can play.", {
  { "name", "string", "for `scenario`, or `[scenario:NAME]` in a prompt" },
  { "what", "string", "what happens" },
  { "place", "string", "what it affects: `life`, `create`, `query` or `media`" },
  { "counts", "string", "whether its N counts requests or seconds" },
  { "default?", "number", "its N where none is given" },
})
class("Sandbox", "A stand-in for the provider inside this process.", {
  { "key", "string", "the API key it knows" },
  { "base_url", "string", "of its API" },
  { "media_url", "string", "origin of its media" },
})

return { list = list, by_name = by_name }
