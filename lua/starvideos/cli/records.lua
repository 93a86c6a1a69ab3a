--- What commands print as JSON: the fields of every object, in the order in which
-- they are printed, and what each means. docs/command-line.md has the same rows.
-- @module starvideos.cli.records

local json = require "starvideos.base.json"

local _M = {}

-- A field: name, meaning; by name `of` (the shape of its value, or of the items of
-- a list) and `list` (it is one, though it may be empty).
local shapes = {}

--- The shapes by their names; see `of_command` for what prints them.
_M.shapes = shapes

local MONEY = { "currency", "the currency's name, of the prices" }

shapes.file = {
  { "path", "where it is" },
  { "bytes", "its length" },
  { "sha256", "its SHA-256, 64 hex digits" },
  { "resumed_from", "byte at which the download went on; none: at its beginning" },
  { "container", "what its bytes are: `mp4`, `mov`, `webm`, `matroska`, `mpegts` or"
    .. " `avi`; none: of no kind that is known" },
  { "warnings", "what may surprise you in it", of = "warning" },
}

shapes.task = {
  { "id", "the task's id" },
  { "object", "what the provider calls it: `video`" },
  { "created", "Unix seconds, by the provider's clock" },
  { "model", "the model" },
  { "status", "`queued`, `processing`, `completed`, `failed` or `cancelled`; else"
    .. " the provider's own word" },
  { "progress", "per cent, where the provider tells it" },
  { "video_url", "the video's link, which expires" },
  { "actualDuration", "seconds that the video lasts" },
  { "error", "why it failed" },
  { "file", "the saved video", of = "file" },
}

shapes.order = {
  { "id", "the order's id: 32 hex digits that sort by time" },
  { "key", "its key; without one given the path of its file" },
  { "take", "which order of the key, from 1" },
  { "account", "your name for the account" },
  { "label", "your label" },
  { "state", "a state, see Ledger in docs" },
  { "task_id", "the provider's id of the task" },
  { "model", "the model" },
  { "prompt", "the prompt" },
  { "params", "all parameters, without secrets" },
  { "base_url", "where it was ordered" },
  { "path", "where the video is, or is to be" },
  { "machine", "host name of the machine of `path`" },
  { "bytes", "the file's length" },
  { "sha256", "the file's SHA-256" },
  { "cost", "what it costs, by your prices" },
  MONEY,
  { "error", "why it, or its task, failed" },
  { "attempts", "how often it was sent" },
  { "late_tasks", "ids of tasks whose answer came late: they were bought, too",
    list = true },
  { "missing_since", "Unix seconds: when the provider first did not know the task"
    .. " any more" },
  { "queued_at", "Unix seconds: when its batch was enqueued" },
  { "not_before", "Unix seconds, before which no worker sends it" },
  { "accepted_at", "Unix seconds: when the provider took it" },
  { "created_at", "Unix seconds: when it was placed" },
  { "updated_at", "Unix seconds: when it last changed" },
  { "deleted_at", "Unix seconds: when its caller of a gateway deleted it" },
  { "removed_at", "Unix seconds: when a gateway removed its file" },
}

shapes.orders = {
  { "orders", "the orders, oldest first", of = "order", list = true },
}

shapes.error = {
  { "kind", "the kind of error, see Errors in docs" },
  { "message", "what happened, whether something was bought, what to do" },
  { "status", "the HTTP status" },
  { "code", "the provider's own code" },
  { "retryable", "whether the same call may succeed later" },
  { "task_id", "the task it is about" },
  { "retry_after", "seconds to wait, as the provider said" },
  { "phase", "what was being done when it failed" },
  { "sent", "whether the request had left" },
  { "bytes_sent", "how many bytes of it" },
  { "target", "what keeps a file from being written" },
  { "next_take", "the take under which the key can be ordered once more" },
  { "order", "the order it is about", of = "order" },
  { "violations", "each `field`, `code`, `message`; of a list also `line`" },
  { "warnings", "the same, of what is only advised" },
}

shapes.outcome = {
  { "id", "the order's id" },
  { "key", "its key" },
  { "take", "which order of the key" },
  { "account", "your name for the account" },
  { "task_id", "the provider's id of the task" },
  { "model", "the model" },
  { "file", "the saved video", of = "file" },
  { "error", "why there is none", of = "error" },
}

shapes.run = {
  { "done", "how many videos were saved" },
  { "failed", "how many orders ended without one" },
  { "unknown", "how many have an unknown outcome (`batch`, `work`)" },
  { "left", "how many are still open" },
  { "orders", "each order that ended in this run; not with --follow",
    of = "outcome", list = true },
}

shapes.warning = {
  { "field", "which field" },
  { "code", "a word for programs" },
  { "message", "what is wrong with it" },
}

shapes.validation = {
  { "valid", "true; else there is an error, and exit code 2" },
  { "cost", "what the order costs, by your prices" },
  MONEY,
  { "warnings", "what is only advised", of = "warning" },
}

shapes.priced_line = {
  { "line", "its number in the list" },
  { "key", "its key" },
  { "take", "which order of the key" },
  { "path", "where the video goes" },
  { "label", "your label" },
  { "cost", "what it costs" },
  MONEY,
  { "unpriced", "why it has no price" },
}

shapes.dry_run = {
  { "valid", "true; else there is an error, and exit code 2" },
  { "count", "how many orders" },
  { "cost", "what all that have a price cost" },
  MONEY,
  { "unpriced", "how many have none" },
  { "orders", "each line", of = "priced_line", list = true },
}

shapes.prompt_limits = {
  { "max", "characters at most; none: no limit is documented" },
}

shapes.duration_limits = {
  { "min", "seconds at least" },
  { "max", "seconds at most" },
  { "default", "what the provider takes where it is left out" },
  { "required", "true: it must be given" },
  { "advised", "the only values that newer programs send", list = true },
}

shapes.choice_limits = {
  { "values", "what may be chosen", list = true },
  { "default", "what the provider takes where it is left out" },
}

shapes.frame_limits = {
  { "legacy_aliases", "true: the old names `image` and `lastFrameImage` are known,"
    .. " too" },
}

shapes.media_limits = {
  { "max", "how many at most" },
  { "max_with_video", "how many at most beside a reference video" },
  { "max_bytes", "bytes of each" },
  { "below", "true: of fewer bytes than that" },
  { "total_bytes", "bytes of all" },
  { "min_duration", "seconds of each at least" },
  { "max_duration", "seconds of each at most" },
  { "total_duration", "seconds of all" },
  { "min_pixels", "width and height at least" },
  { "max_pixels", "width and height at most" },
  { "sets_output", "true: duration and ratio of the order do not count beside it" },
}

shapes.model = {
  { "name", "the model, as --model takes it" },
  { "endpoint", "path it is ordered at" },
  { "editions", "the editions of the documentation that have it", list = true },
  { "prompt", "limits of the prompt", of = "prompt_limits" },
  { "duration", "limits of the length", of = "duration_limits" },
  { "ratio", "what ratios there are", of = "choice_limits" },
  { "resolution", "what resolutions there are", of = "choice_limits" },
  { "frames", "first_image and last_image are taken", of = "frame_limits" },
  { "referenceImages", "limits of reference images", of = "media_limits" },
  { "referenceVideos", "limits of reference videos", of = "media_limits" },
  { "referenceAudios", "limits of reference sounds", of = "media_limits" },
}

shapes.models = {
  { "models", "the models; a field that one lacks it does not take",
    of = "model", list = true },
}

shapes.limit = {
  { "name", "its name, as --remove takes it" },
  { "kind", "`open` (tasks), `creates` (a minute), `polls` (a second), `spend`" },
  { "per", "of a spend: `day` or `total`" },
  { "account", "for orders of this account alone" },
  { "label", "for orders with this label alone" },
  { "cap", "how much may be used" },
  { "used", "how much is" },
  { "left", "how much is left" },
  { "currency", "of a spend" },
  { "until_", "Unix seconds: when it starts again" },
  { "refund_failed", "of a spend: whether failed tasks give their part back" },
}

shapes.limits = {
  { "limits", "the limits", of = "limit", list = true },
}

shapes.halt = {
  { "account", "whose queue; none: all" },
  { "base_url", "of which provider" },
  { "kind", "the kind of the error that stopped it" },
  { "reason", "why, as a sentence" },
  { "since", "Unix seconds" },
}

shapes.rate = {
  { "account", "whose orders; none: all" },
  { "base_url", "of which provider" },
  { "factor", "the share of the rates that is left" },
  { "until_", "Unix seconds, before which nothing is sent" },
}

shapes.worker = {
  { "id", "the worker's id" },
  { "machine", "host name of its machine" },
  { "account", "whose orders it sends" },
  { "base_url", "to which provider" },
  { "is_dead", "whether its heartbeat has stopped" },
  { "draining", "whether it takes no more orders" },
  { "claims", "orders that it has" },
  { "polls", "its polls a second" },
  { "started_at", "Unix seconds" },
  { "silence", "seconds since its last heartbeat" },
}

shapes.status = {
  { "states", "by state how many orders" },
  { "claimed", "orders that workers have" },
  { "unattended", "tasks of the queue that no worker has had for two minutes" },
  { "overdue", "tasks that have not ended after half an hour" },
  { "spend", "by currency `today` (UTC) and `total`" },
  { "unpriced", "orders that were sent without a price" },
  { "halted", "why queues stopped themselves", of = "halt", list = true },
  { "rates", "which rates a 429 has lowered", of = "rate", list = true },
  { "limits", "the limits", of = "limit", list = true },
  { "workers", "the workers", of = "worker", list = true },
}

shapes.archived = { { "archived", "how many orders lost prompt and parameters" } }

shapes.copy = {
  { "path", "the copy" },
  { "bytes", "its length" },
}

shapes.gateway = {
  { "url", "where it listens" },
  { "folder", "where its files are" },
  { "pid", "the process id of its nginx" },
  { "ledger", "the file of its ledger; of PostgreSQL none" },
}

shapes.token = {
  { "token", "the token, shown this once" },
  { "caller", "the entry for the file of --callers: `name`, `token_sha256`" },
}

shapes.sandbox = {
  { "base_url", "for --base-url or STARVIDEOS_BASE_URL" },
  { "api_key", "for STARVIDEOS_API_KEY" },
  { "ca_file", "with --tls: for --ca-file or SSL_CERT_FILE" },
  { "pid", "the process id of its nginx" },
}

shapes.scenario = {
  { "name", "for --scenario, or [scenario:NAME] in a prompt" },
  { "place", "what it affects: `life`, `create`, `query` or `media`" },
  { "what", "what happens" },
  { "counts", "whether its N counts `requests` or `seconds`" },
  { "default", "its N where none is given; none: all" },
}

shapes.scenarios = {
  { "scenarios", "the faults", of = "scenario", list = true },
}

shapes.finding = {
  { "name", "what was looked at" },
  { "state", "`ok`; `missing` or `failed`: needed; `optional`: only some commands"
    .. " need it; `skipped`" },
  { "found", "what was found" },
  { "cure", "what to do" },
  { "exit", "the exit code that it asks for, where it has to be cured" },
}

shapes.findings = {
  { "ok", "whether all that is needed is there" },
  { "findings", "what was found, in this order", of = "finding", list = true },
}

--- What each command prints: the name of a shape, or several, each with the option
-- that asks for it.
_M.of_command = {
  generate = "task", create = "task", query = "task", wait = "task",
  download = "file", pending = "orders", orders = "orders", resume = "run",
  work = "run", batch = { "run", ["--dry-run"] = "dry_run" },
  adopt = "order", dismiss = "order", label = "order", status = "status",
  limits = "limits", archive = "archived", ledger = "copy",
  validate = "validation", models = "models",
  sandbox = { "sandbox", ["--list-scenarios"] = "scenarios" },
  gateway = { "gateway", ["--new-token"] = "token" }, doctor = "findings",
}

local text_of

local function list_text(field, list)
  local items = {}
  for index, item in ipairs(list) do
    items[index] = text_of(field.of, item)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

local function value_text(field, value)
  if type(value) ~= "table" or value == json.empty_list then
    return json.encode(value)
  elseif field.list or field.of and #value > 0 then
    return list_text(field, value)
  end
  return text_of(field.of, value)
end

-- A model of the user's own may have more fields than these: they follow, by name.
local function further(shape, value)
  local known, names = {}, {}
  for _, field in ipairs(shape) do
    known[field[1]] = true
  end
  for name in pairs(value) do
    names[#names + 1] = not known[name] and name or nil
  end
  table.sort(names)
  return names
end

function text_of(shape_name, value)
  local shape = shapes[shape_name]
  if not shape or type(value) ~= "table" then
    return json.encode(value)
  end
  local items = {}
  for _, field in ipairs(shape) do
    local item = value[field[1]]
    if item ~= nil then
      items[#items + 1] = json.name(field[1]) .. ":" .. value_text(field, item)
    end
  end
  for _, name in ipairs(further(shape, value)) do
    items[#items + 1] = json.name(name) .. ":" .. json.encode(value[name])
  end
  return "{" .. table.concat(items, ",") .. "}"
end

--- An object as JSON, its fields in their order.
-- @tparam string shape its name
-- @tparam table value
-- @treturn string
_M.text = text_of

--- What programs get to see of an error.
-- @tparam table err
-- @treturn table
function _M.error(err)
  local object = {}
  for _, field in ipairs(shapes.error) do
    local value = err[field[1]]
    if type(value) ~= "table" or next(value) ~= nil then
      object[field[1]] = value
    end
  end
  return object
end

return _M
