-- The events that `on_event` is told, as one table: what each is for, and its fields.
-- docs/events.md shows the same table, and a log has the fields in this order. A name,
-- a field and its unit stay as they are; more may come.

---The names of the events.
---@alias starvideos.EventName
---| "order"
---| "exchange"
---| "download"
---| "limit"
---| "rate"
---| "worker"
---| "queue"
---| "late_task"
---| "notice"
---| "ledger"
---| "unknown"
---| "interrupt"
---| "listener"

---What `on_event` is told. `list` says which fields an event has.
---@class starvideos.Event
---@field name starvideos.EventName which event it is
---@field at number when it happened, by this machine's clock (Unix s)
---@field order? string the order's id in the ledger
---@field key? string the order's key
---@field take? number which order of the key, from 1
---@field account? string the account that the order is of
---@field label? string the label that the order was given
---@field state? string of several events, see docs/events.md
---@field from? string the state before; nil where it was placed
---@field task_id? string the provider's id of the task
---@field attempt? number how often the order was sent
---@field cost? number what it costs by the caller's prices (`currency`)
---@field currency? string the currency's name
---@field elapsed? number of several events, see docs/events.md
---@field worker? string of several events, see docs/events.md
---@field error? string of several events, see docs/events.md
---@field operation? string `create`, `query` or `download`
---@field method? string `GET` or `POST`
---@field url? string without its query
---@field status? number of HTTP; nil where no answer came
---@field failure? string of several events, see docs/events.md
---@field flaw? string what is wrong with the JSON of an answer that was read all the same
---@field polls? number in a log alone: how many polls this line stands for
---@field path? string of the file
---@field received? number of the file that are on disk (bytes)
---@field total? number of the whole file; nil while it is unknown (bytes)
---@field limit? string the name of the limit
---@field retry_at? number when it lifts, where that is known (Unix s)
---@field what? string of several events, see docs/events.md
---@field word? string its name, shortened
---@field rate? number how many are sent a second from now on, where that is known (1/s)
---@field factor? number the share of the full rate that is left, up to 1
---@field claims? number how many orders it has
---@field reason? string of several events, see docs/events.md
---`forgotten` (the ledger was put back to an earlier time, and the order is recorded
---again), `shared` (the provider gave its task to another order, too), `elsewhere` (its
---task was seen with another base URL or account), `unencrypted` (nobody has said
---whether the connection to the ledger's server is to be encrypted) or `encoding` (the
---ledger's database does not take every text)
---@field notice? string
---@field timeout? number for which, at most (s)
---@field listener? string its name, such as `on_progress`

local _M = {}

local UNIX, SECONDS, BYTES = "Unix s", "s", "bytes"

-- Fields that several events have.
local at = { "at", "number", UNIX, "when it happened, by this machine's clock" }
local order = { "order", "string", "", "the order's id in the ledger" }
local key = { "key", "string", "", "the order's key" }
local take = { "take", "number", "", "which order of the key, from 1" }
local account = { "account", "string", "", "the account that the order is of" }
local label = { "label", "string", "", "the label that the order was given" }
local task_id = { "task_id", "string", "", "the provider's id of the task" }
local reason = { "reason", "string", "", "why: a sentence" }

-- All events: the name, when it is told, and the fields, each with its name, type, unit
-- and meaning. Those that do not apply, or are not known, are nil. Every event also has
-- `name`, and `at`.
_M.list = {
  { "order", "the state of an order changed, and the ledger has it", {
    order, key, take, account, label,
    { "state", "string", "", "the state that it has now" },
    { "from", "string", "", "the state before; nil where it was placed" },
    task_id,
    { "attempt", "number", "", "how often the order was sent" },
    { "cost", "number", "`currency`", "what it costs by the caller's prices" },
    { "currency", "string", "", "the currency's name" },
    { "elapsed", "number", SECONDS, "since the order was placed" },
    { "worker", "string", "", "the id of the worker that changed it" },
    { "error", "string", "", "why it is so: a sentence" },
  } },
  { "exchange", "a request has its answer, or has failed", {
    { "operation", "string", "", "`create`, `query` or `download`" },
    order, key, task_id,
    { "method", "string", "", "`GET` or `POST`" },
    { "url", "string", "", "without its query" },
    { "status", "number", "", "of HTTP; nil where no answer came" },
    { "elapsed", "number", SECONDS, "from the request to the end of the answer" },
    { "failure", "string", "", "a word: why no answer came, or not all of it" },
    { "flaw", "string", "", "what is wrong with the JSON of an answer that was"
      .. " read all the same" },
    { "polls", "number", "", "in a log alone: how many polls this line stands for" },
  } },
  { "download", "a video is being saved", {
    order, key, task_id,
    { "path", "string", "", "of the file" },
    { "state", "string", "",
      "`started`, `progress` (once a second at most), `saved` or `failed`" },
    { "received", "number", BYTES, "of the file that are on disk" },
    { "total", "number", BYTES, "of the whole file; nil while it is unknown" },
    { "error", "string", "", "why it failed: a sentence" },
  } },
  { "limit", "a limit of the ledger holds orders back, or does no more", {
    { "limit", "string", "", "the name of the limit" },
    { "state", "string", "", "`reached` or `lifted`" },
    order, key, account, label,
    { "retry_at", "number", UNIX, "when it lifts, where that is known" },
    { "reason", "string", "", "why it holds orders back, and what frees it" },
  } },
  { "rate", "requests are sent slower after a 429, or faster again", {
    { "what", "string", "", "`polls` or `creates`" },
    { "state", "string", "", "`lowered` or `raised`" },
    { "rate", "number", "1/s", "how many are sent a second from now on, where"
      .. " that is known" },
    { "factor", "number", "", "the share of the full rate that is left, up to 1" },
  } },
  { "worker", "a worker of this process", {
    { "worker", "string", "", "its id in the ledger" },
    { "state", "string", "", "`started`, `draining`, `stopped` or `fenced`"
      .. " (taken for dead: its orders are another's)" },
    { "claims", "number", "", "how many orders it has" },
  } },
  { "queue", "the queue was stopped, or goes on", {
    { "state", "string", "", "`halted` or `continued`" },
    reason,
  } },
  { "late_task", "an answer came for an order that had another outcome by then;"
    .. " its task is recorded beside the order", {
    order, key, take, account, label,
    { "state", "string", "", "the state that the order has" },
    task_id,
  } },
  { "notice", "something about an order, or the ledger, that you should know", {
    order, key, take, account, label,
    { "state", "string", "", "the state that the order has" },
    task_id,
    { "notice", "string", "", "`forgotten` (the ledger was put back to an earlier"
      .. " time, and the order is recorded again), `shared` (the provider gave its"
      .. " task to another order, too), `elsewhere` (its task was seen with"
      .. " another base URL or account), `unencrypted` (nobody has said whether"
      .. " the connection to the ledger's server is to be encrypted) or `encoding`"
      .. " (the ledger's database does not take every text)" },
    { "reason", "string", "", "what happened, and what to do: a sentence" },
  } },
  { "ledger", "the ledger failed, and the call goes on without it", {
    { "failure", "string", "", "a sentence" },
  } },
  { "unknown", "an answer has a status or a field that no document knows; told once for"
    .. " each in a process, and of 50 at most", {
    { "what", "string", "", "`status` or `field`" },
    { "word", "string", "", "its name, shortened" },
    task_id,
  } },
  { "interrupt", "Ctrl-C came while an order was on its way: its answer is"
    .. " waited for", {
    { "timeout", "number", SECONDS, "for which, at most" },
  } },
  { "listener", "a listener raised an error, and the call goes on; told once"
    .. " for each", {
    { "listener", "string", "", "its name, such as `on_progress`" },
    { "failure", "string", "", "what it raised" },
  } },
}

local fields_of = {}
for _, row in ipairs(_M.list) do
  local name, fields = row[1], { at }
  for index, field in ipairs(row[3]) do
    fields[index + 1] = field
  end
  fields_of[name] = fields
end

-- The fields of an event, but for its name. Returns list of `{ name, type, unit,
-- meaning }`, `at` first; nil where there is no such event.
function _M.fields(name)
  return fields_of[name]
end

return _M
