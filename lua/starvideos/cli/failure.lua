-- Exit codes, and the errors that the command line makes itself: of those the message
-- alone is printed, without its kind.

local redact = require "starvideos.base.redact"

local _M = {}

-- Name, code and meaning. `failure.RUNNING` is the code of that name.
_M.rows = {
  { "DONE", 0, "done" },
  { "TASK_FAILED", 1, "the task failed" },
  { "USAGE", 2, "usage or validation; nothing was sent" },
  { "AUTH", 3, "the provider refused the API key" },
  { "RUNNING", 4, "still running, as far as is known; wait again" },
  { "REFUSED", 5, "refused or not sent; nothing was bought" },
  { "UNKNOWN", 6, "outcome unknown; it may have been bought" },
  { "NOT_SAVED", 7, "the video was made, but not downloaded; download it" },
  { "DISK", 8, "the local disk, a file, the ledger or the output failed" },
  { "INTERRUPTED", 130, "interrupted" },
  { "TERMINATED", 143, "interrupted by SIGTERM or SIGHUP" },
}
for _, row in ipairs(_M.rows) do
  _M[row[1]] = row[2]
end

-- Where several orders end differently, the first of these is given: the most
-- severe.
_M.by_severity = { _M.UNKNOWN, _M.DISK, _M.AUTH, _M.TASK_FAILED, _M.NOT_SAVED,
  _M.REFUSED, _M.USAGE, _M.RUNNING }

-- What these kinds mean does not depend on the phase.
local in_every_phase = {
  auth = _M.AUTH,
  task_failed = _M.TASK_FAILED,
  cancelled = _M.INTERRUPTED,
  io = _M.DISK,
  ledger = _M.DISK,
}

-- The code of any other kind. Once the provider has accepted an order, no error
-- may say that nothing was sent, or that nothing was bought.
local by_phase = {
  order = { validation = _M.USAGE, config = _M.USAGE,
    outcome_unknown = _M.UNKNOWN, expired = _M.NOT_SAVED, other = _M.REFUSED },
  task = { expired = _M.NOT_SAVED, other = _M.RUNNING },
  file = { other = _M.NOT_SAVED },
}

-- The exit code for an error. `err`: where it has `exit`, that is the code. `phase`:
-- what it happened to: `order`, until one was accepted; `task`, until that is
-- completed; `file`.
function _M.code(err, phase)
  if phase == "order" and err.kind == "config" and err.status then
    return err.exit or _M.REFUSED -- by the provider: something was sent
  elseif phase == "file" and err.kind == "timeout" and err.task then
    phase = "task" -- the provider says that it is not completed after all
  end
  local codes = by_phase[phase]
  return err.exit or in_every_phase[err.kind] or codes[err.kind] or codes.other
end

-- Make one. `fields`: further ones, such as `task_id`, or `exit` (a code in place of
-- that of the kind).
function _M.new(kind, message, fields)
  local err = fields or {}
  err.kind, err.message, err.plain = kind, redact.text(message), true
  return err
end

-- What programs get to see of an error; see "JSON: error" in docs/command-line.md.
local shown = { "kind", "message", "status", "code", "retryable", "task_id",
  "retry_after", "phase", "sent", "bytes_sent", "target", "next_take", "order",
  "violations", "warnings" }

-- An error for programs, without tables that are empty. Returns fit for JSON.
function _M.shown(err)
  local object = {}
  for _, name in ipairs(shown) do
    local value = err[name]
    if type(value) ~= "table" or next(value) ~= nil then
      object[name] = value
    end
  end
  return object
end

-- A command line that cannot be followed.
function _M.usage(message)
  return nil, _M.new("validation", message)
end

return _M
