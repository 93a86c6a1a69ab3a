-- What went wrong, as a table that prints as a sentence. Programs branch on `kind`;
-- people read `tostring(err)`.

local redact = require "starvideos.base.redact"

---What went wrong, as a word for programs.
---@alias starvideos.ErrorKind
---| "auth"
---| "cancelled"
---| "config"
---| "expired"
---| "invalid_request"
---| "io"
---| "ledger"
---| "limited"
---| "network"
---| "not_found"
---| "outcome_unknown"
---| "protocol"
---| "rate_limited"
---| "server"
---| "task_failed"
---| "timeout"
---| "validation"

---What went wrong. It prints as a sentence.
---@class starvideos.Error
---@field kind starvideos.ErrorKind the kind of error
---@field message string what happened, whether something was bought, what to do
---@field status? integer of HTTP
---@field code? string the provider's own code
---@field retryable boolean whether the same call may succeed later
---@field task? starvideos.Task the task that it is about, as last known
---@field task_id? string the id of that task
---@field retry_after? number seconds to wait
---@field retry_at? number Unix seconds, when it may be tried again
---@field limit? string the name of the limit that keeps the order back
---@field never? boolean the order fits into no limit like that
---@field unpaid? boolean refused for lack of money
---@field violations? starvideos.Violation[] every limit that the order breaks
---@field warnings? starvideos.Warning[] what the documentation only advises
---@field target? "exists"|"blocked"|"busy"|"outside"|"full" what keeps a file from being written
---@field order? starvideos.Order the order that it is about
---@field next_take? integer the take under which the key can be ordered again
---@field reason? string a word: why no answer came
---@field phase? "queue"|"connect"|"request"|"answer"|"body" how far the request came
---@field sent? boolean whether the request had left
---@field bytes_sent? integer how many bytes of it
---@field part? string path of what a download has left
---@field bytes? integer its length
---@field interrupted? boolean whether it was Ctrl-C
---@field result? table of a call for many: what it has done so far

---A limit that an order breaks.
---@class starvideos.Violation
---@field field string which field
---@field code string a word for programs, see Errors
---@field message string what is wrong with it
---@field limit? number|string what is allowed
---@field actual? number|string what was given
---@field index? integer of a list: which order
---@field line? integer of a manifest: which line
---@field next_take? integer of a list: the take to order another video with

---What is only advised of an order, or may surprise in a file.
---@class starvideos.Warning
---@field field? string which field of an order
---a word for programs
---@field code "ignored_field"|"advisory"|"container"|"trailing_bytes"|string
---@field message string what is wrong with it
---@field index? integer of a list: which order
---@field line? integer of a manifest: which line

local _M = {}

-- Each kind: whether the same call may succeed later, and what it means.
local kinds = {
  validation = { false, "the request breaks a documented limit; not sent" },
  config = { false, "key, base URL or another setting is missing or wrong" },
  auth = { false, "the provider refused the API key" },
  rate_limited = { true, "too many requests; see retry_after" },
  invalid_request = { false, "the provider refused the request" },
  not_found = { false, "the provider knows no task with this id" },
  server = { true, "the provider failed (HTTP 5xx)" },
  network = { true, "no answer arrived" },
  timeout = { true, "time ran out; the task continues" },
  cancelled = { true, "the caller or Ctrl-C ended the call" },
  outcome_unknown = { false, "the order may have been accepted and billed" },
  task_failed = { false, "the provider could not make the video" },
  expired = { false, "the media host refused the download URL, or the video expired" },
  protocol = { false, "the answer could not be understood" },
  io = { false, "the local disk or file failed" },
  ledger = { false, "the ledger could not be read or written" },
  limited = { true, "a limit of the ledger keeps the order back; not sent" },
}

-- The names of all kinds, sorted.
_M.kinds = {}
for name in pairs(kinds) do
  _M.kinds[#_M.kinds + 1] = name
end
table.sort(_M.kinds)

-- What a kind means, in one line.
function _M.meaning(name)
  return kinds[name][2]
end

-- A task in an error shows no signed link; a download of this task asks for the
-- link again.
local function without_links(task)
  local clean = redact.tree(task)
  if clean.video_url ~= task.video_url then
    clean.video_url = nil
  end
  return clean
end

local mt = { __name = "starvideos.error" }

function mt:__tostring()
  return self.kind .. ": " .. self.message
end

-- Where this library lies, as Lua names its files; nil where nothing tells.
local own_path = debug and debug.getinfo(1, "S").source:match "^(.*)errors%.lua$"

local function is_outside(info)
  return info.what ~= "C" and info.what ~= "tail"
    and info.source:sub(1, #own_path) ~= own_path
end

-- Raise a mistake of the program at its line: the first outside of this library. Raises
-- always.
function _M.misuse(message)
  local level = 2
  local info = own_path and debug.getinfo(level, "S")
  while info and not is_outside(info) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  error(message, info and level or 0)
end

-- Make an error. `fields`: `kind` and `message`, and where known `status` (HTTP),
-- `code` (the provider's), `task`, `task_id`, `retry_after` (seconds), `unpaid`
-- (refused for lack of money), `violations`, `warnings`, `target` (what keeps a file
-- from being written there: it `exists`, is `blocked`, or `busy`: another generate
-- makes it), `next_take` (of an order's key: the one to order another video with),
-- `limit` (the name of the one that keeps an order back), `retry_at` (Unix seconds,
-- when it may be tried again), `never` (it fits into no limit like that); `retryable`
-- follows from the kind.
function _M.new(fields)
  local kind = kinds[fields.kind]
  if not kind then
    error("unknown error kind " .. tostring(fields.kind), 2)
  end
  if fields.retryable == nil then
    fields.retryable = kind[1]
  end
  fields.message = redact.text(fields.message)
  fields.task = fields.task and without_links(fields.task)
  return setmetatable(fields, mt)
end

-- The provider's code is a text; some answers have a number there.
local function code_of(reason)
  local code = type(reason) == "table" and reason.code or nil
  if type(code) == "number" then
    code = ("%.0f"):format(code)
  end
  return type(code) == "string" and code or nil
end

-- The error of a task that ended without a video. `was_completed`: whether it had been
-- completed before it expired. Returns err with the provider's own text and, where it
-- gave one, code.
function _M.task_failed(task, was_completed)
  local is_gone = task.status == "expired" and was_completed
  return _M.new {
    kind = is_gone and "expired" or "task_failed",
    message = is_gone and ("task %s was completed and has expired since: the provider no"
      .. " longer has its video, which stays paid%s"):format(tostring(task.id),
      task.error and " (" .. task.error .. ")" or "")
      or task.status == "expired" and task.error and "expired: " .. task.error
      or task.error or ("task %s is %s; the provider gave no reason")
      :format(tostring(task.id), tostring(task.status)),
    code = code_of(task.raw and task.raw.error),
    task = task,
    task_id = task.id,
  }
end

-- The error of a Ctrl-C that came while an order was on its way.
function _M.interrupted(task)
  return _M.new {
    kind = "cancelled",
    message = ("interrupted after task %s was created, which continues: wait"
      .. " for it by this id"):format(task.id),
    task = task,
    task_id = task.id,
    interrupted = true,
  }
end

-- Whether a value is an error of this library.
function _M.is(value)
  return getmetatable(value) == mt
end

return _M
