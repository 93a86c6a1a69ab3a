--- Exit codes: one table, from which the program, its help and its specs
-- draw.
-- @module starvideos.cli.exit_codes

local _M = {}

--- What each code means.
-- @table meaning
_M.meaning = {
  { 0, "done" },
  { 1, "the task failed" },
  { 2, "usage or validation; nothing was sent" },
  { 3, "authentication" },
  { 4, "still running, as far as is known; wait again" },
  { 5, "refused or not sent; nothing was created" },
  { 6, "outcome unknown; it may have been created" },
  { 7, "the result is known, its download failed or the link is dead" },
  { 8, "local disk or file" },
  { 130, "interrupted" },
}

local REFUSED = 5

-- The code for a kind of error: one, or one for each phase of the job: the
-- order, the task, the file.
local code_of = {
  validation = 2,
  config = 2,
  auth = 3,
  task_failed = 1,
  cancelled = 130,
  outcome_unknown = 6,
  expired = 7,
  io = 8,
  ledger = 8,
  timeout = { order = 5, task = 4, file = 7 },
  rate_limited = { order = 5, task = 4, file = 7 },
  invalid_request = { order = 5, task = 5, file = 5 },
  not_found = { order = 5, task = 5, file = 5 },
  server = { order = 5, task = 4, file = 7 },
  network = { order = 5, task = 4, file = 7 },
  protocol = { order = 5, task = 4, file = 7 },
}

--- The exit code for an error.
-- @tparam table err
-- @tparam string phase `order`, `task` or `file`: what it happened to
-- @treturn number
function _M.code(err, phase)
  local code = code_of[err.kind]
  if err.kind == "config" and err.status then
    return REFUSED -- the provider has said so: something was sent
  end
  if err.kind == "timeout" and err.task then
    phase = "task"
  end
  return type(code) == "table" and code[phase] or code
end

return _M
