--- Exit codes: one table, from which the program, its help and its specs
-- draw.
-- @module starvideos.cli.exit_codes

local _M = {}

-- Name, code and meaning. `exit_codes.RUNNING` is the code of that name.
_M.rows = {
  { "DONE", 0, "done" },
  { "TASK_FAILED", 1, "the task failed" },
  { "USAGE", 2, "usage or validation; nothing was sent" },
  { "AUTH", 3, "the provider refused the API key" },
  { "RUNNING", 4, "still running, as far as is known; wait again" },
  { "REFUSED", 5, "refused or not sent; nothing was bought" },
  { "UNKNOWN", 6, "outcome unknown; it may have been bought" },
  { "NOT_SAVED", 7, "the video was made, but not downloaded; download it" },
  { "DISK", 8, "the local disk, a file or the ledger failed" },
  { "INTERRUPTED", 130, "interrupted" },
  { "TERMINATED", 143, "interrupted by SIGTERM" },
}
for _, row in ipairs(_M.rows) do
  _M[row[1]] = row[2]
end

-- Where several orders end differently, the first of these is given: the most
-- severe.
_M.by_severity = { _M.UNKNOWN, _M.DISK, _M.AUTH, _M.TASK_FAILED, _M.NOT_SAVED,
  _M.REFUSED, _M.USAGE, _M.RUNNING }

-- The code for what may come later, by what it happened to.
local not_yet = { order = _M.REFUSED, task = _M.RUNNING, file = _M.NOT_SAVED }

-- The code for a kind of error: one, or one for each phase of the job.
local code_of = {
  validation = _M.USAGE,
  config = _M.USAGE,
  auth = _M.AUTH,
  task_failed = _M.TASK_FAILED,
  cancelled = _M.INTERRUPTED,
  outcome_unknown = _M.UNKNOWN,
  expired = _M.NOT_SAVED,
  io = _M.DISK,
  ledger = _M.DISK,
  invalid_request = _M.REFUSED,
  not_found = _M.REFUSED,
  limited = _M.REFUSED,
  timeout = not_yet,
  rate_limited = not_yet,
  server = not_yet,
  network = not_yet,
  protocol = not_yet,
}

--- The exit code for an error.
-- @tparam table err where it has `exit`, that is the code
-- @tparam string phase `order`, `task` or `file`: what it happened to
-- @treturn number
function _M.code(err, phase)
  local code = err.exit or code_of[err.kind]
  if err.kind == "config" and err.status then
    return _M.REFUSED -- by the provider: something was sent
  elseif err.kind == "timeout" and err.task then
    phase = "task"
  end
  return type(code) == "table" and code[phase] or code
end

return _M
