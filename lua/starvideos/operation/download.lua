--- Fetch a finished video: into a `.part` file beside the target, continued
-- where a fault or an earlier process broke off, checked, and only then given
-- its name.
-- @module starvideos.operation.download

local errors = require "starvideos.errors"
local exchange = require "starvideos.api.exchange"
local handles = require "starvideos.handle"
local operations = require "starvideos.api.operations"
local parts = require "starvideos.operation.part_file"
local preview = require "starvideos.api.excerpt"
local query = require "starvideos.operation.query"
local redact = require "starvideos.redact"
local retry = require "starvideos.api.retry"
local saved_file = require "starvideos.ledger.saved_file"
local tasks = require "starvideos.api.task"

local _M = {}

local REDIRECTS = 5

--- The numbers of a download: this library's choice.
-- @table policy
_M.policy = {
  stall_timeout = 30, -- seconds without a byte after which it has stalled
  tries = 5, -- how often it is tried without gaining a byte
  patience = 300, -- the longest Retry-After, in seconds, that it waits for
}

-- Enough of a file that is no video to say what it is, and not to cut a
-- secret in two where it is shown.
local PREVIEW_BYTES = 4096

local function fail(self, kind, message, fields)
  local err = fields or {}
  err.kind, err.message, err.task_id = kind, message, self.id
  return nil, errors.new(err)
end

local function not_writable(path, failure)
  if failure.reason == "cancelled" then
    return { kind = "cancelled",
      message = "stopped while looking whether " .. path .. " can be written" }
  end
  return { kind = "io", target = "blocked", message = ("cannot write %s: %s")
    :format(path, tostring(failure.message)) }
end

-- What stands against a target; nil where nothing does.
local function obstacle(runtime, path, overwrite)
  local there = runtime:disk("kind", path)
  if there == "directory" then
    return { kind = "io", target = "blocked", message = path .. " is a"
      .. " directory; name a file in it" }
  elseif there == "other" then
    return { kind = "io", target = "blocked", message = path .. " is a pipe,"
      .. " a socket or a device; choose another name" }
  elseif there and not overwrite then
    return { kind = "io", target = "exists", message = path .. " exists;"
      .. " choose another name or allow overwriting" }
  end
  local ok, failure = parts.probe(runtime, path)
  return not ok and not_writable(path, failure) or nil
end

--- Whether a video can be saved at a path, without leaving a trace. Asked
-- before anything is paid for.
-- @tparam table runtime
-- @tparam string path
-- @tparam ?boolean overwrite
-- @treturn ?boolean true
-- @treturn ?table err of kind io or cancelled
function _M.check_target(runtime, path, overwrite)
  local fault = obstacle(runtime, path, overwrite)
  if fault then
    return nil, errors.new(fault)
  end
  return true
end

-- Beyond these: 5xx is `server`, anything else `protocol`.
local kind_of = { [403] = "expired", [404] = "expired", [408] = "timeout",
  [410] = "expired", [425] = "server", [429] = "rate_limited" }

local function shown(self, body)
  local text = redact.key(redact.parts(body, self.url), self.api_key)
  return text:find("%S") and preview.of(text) or "nothing"
end

local function refused(self, context, response)
  local status = response.status
  local kind = kind_of[status] or status >= 500 and "server" or "protocol"
  local message = ("the media host answered HTTP %d"):format(status)
  if kind == "expired" then
    message = ("the link to the video of task %s is dead (HTTP %d), and so was"
      .. " the one before; ask for a new one with query"):format(self.id,
      status)
  elseif status == 200 or status == 206 then
    message = ("the media host sent %s instead of a video: %s"):format(
      response.headers["content-type"] or "something else",
      shown(self, response.body or ""))
  end
  return fail(self, kind, message, { status = status,
    retry_after = retry.retry_after(response.headers, context.wall_clock) })
end

local function is_file(response)
  local kind = (response.headers["content-type"] or ""):lower()
  return (response.status == 200 or response.status == 206)
    and not kind:find("^%s*text/") and not kind:find("^%s*application/json")
end

local function not_ready(self, task)
  if tasks.is_terminal(task) then
    return nil, errors.task_failed(task)
  end
  return fail(self, "timeout",
    ("task %s is %s; wait for it before downloading"):format(self.id,
      tostring(task.status)), { task = task })
end

local function time_left(self, context)
  return self.deadline and self.deadline - context.runtime:now() or nil
end

local function find_link(self, context)
  local task, err = query(context, self.id, time_left(self, context))
  if not task then
    return nil, err
  elseif not task.video_url then
    return not_ready(self, task)
  end
  self.url = task.video_url
  return true
end

local function request_of(self, context)
  local part, on_progress = self.part, self.options.on_progress
  local before = part.offset
  return {
    method = "GET",
    url = self.url,
    headers = part:headers(),
    timeout = time_left(self, context),
    stall_seconds = self.options.stall_timeout
      or _M.policy.stall_timeout,
    stall_bytes = 1,
    redirects = REDIRECTS,
    sink = part:sink(),
    on_answer = function(status, headers)
      before = status == 206 and before or 0
      if not self.over and is_file { status = status, headers = headers } then
        part:remember(status, headers)
      end
    end,
    on_progress = on_progress and function(received, total)
      if not self.over then
        on_progress(before + received, total and before + total)
      end
    end,
  }
end

-- What another process, or the file system, has against the name.
local function not_placed(self, failure)
  local part, reason = self.part, failure.reason
  if reason == "busy" or reason == "changed" then
    return fail(self, "io", "another download is writing " .. part.path,
      { reason = "busy" })
  elseif part:is_placed() then
    return fail(self, "io", ("%s is saved, but the disk has not confirmed it:"
      .. " %s"):format(part.target, tostring(failure.message)))
  end
  local problem = reason == "exists"
    and part.target .. " came up meanwhile and is left as it is"
    or ("cannot save %s: %s"):format(part.target, tostring(failure.message))
  return fail(self, "io", ("%s; the video is kept in %s"):format(problem,
    part.path), { part = part.path, bytes = part:size(),
    target = reason == "exists" and reason or nil })
end

-- A file that has its name but is on no record would be taken for another's.
local function not_noted(self, err)
  local part = self.part
  err.message = ("%s; the video is kept in %s: try again to go on")
    :format(err.message, part.path)
  err.part, err.bytes, err.task_id = part.path, part:size(), self.id
  return nil, err
end

-- What came was called a video and is none.
local function no_video(self)
  return fail(self, "protocol", "the media host sent something that is no MP4"
    .. " file: " .. shown(self, self.part:beginning(PREVIEW_BYTES)))
end

-- Checks what has come and gives it its name.
local function finish(self, whole, response)
  local part = self.part
  local size = part:size()
  if size == 0 or whole and size ~= whole then
    return fail(self, "network", ("the video of task %s is incomplete: %d of"
      .. " %s bytes"):format(self.id, size, whole or "?"))
  elseif not part:is_video() then
    return no_video(self)
  end
  local sha256 = response.sha256 or part:sha256()
  local offset = response.file_offset or 0
  local file = { path = part.target, bytes = size, sha256 = sha256,
    resumed_from = offset > 0 and offset or nil }
  if self.ledger then
    local noted, err = self.ledger:placing(self.id, file)
    if not noted then
      return not_noted(self, err)
    end
  end
  local ok, failure = part:place(size, self.options.overwrite)
  if not ok then
    return not_placed(self, failure)
  end
  return file
end

-- What is there is of another version, or no server can go on with it.
local function begin_anew(self)
  self.part:discard()
  local at_once = self.faults + 1 < _M.policy.tries
  local _, err = fail(self, "protocol", ("the rest of the video of task %s does"
    .. " not fit what was saved of it"):format(self.id))
  return nil, err, at_once
end

-- A link lives for a while only; for a new one the provider is asked once.
local function renew_link(self, context, response)
  local _, err = refused(self, context, response)
  local first = not self.renewed
  self.renewed, self.url = true, nil
  return nil, err, first
end

local function take(self, context, response)
  if kind_of[response.status] == "expired" then
    return renew_link(self, context, response)
  elseif response.status == 416 and self.part.offset > 0 then
    return begin_anew(self)
  elseif not is_file(response) then
    return refused(self, context, response)
  end
  if response.body then
    local ok, failure = self.part:save(response)
    if ok == false then
      return begin_anew(self)
    elseif not ok then
      return fail(self, "io", ("cannot write %s: %s"):format(self.part.path,
        tostring(failure.message)))
    end
  end
  self.part:remember(response.status, response.headers)
  local whole = parts.whole_length(response.status, response.headers)
  return finish(self, whole, response)
end

-- One attempt: the file; or nil, an error, and whether its cause is out of the
-- way already.
local function attempt(self, context)
  if not self.url then
    local ok, err = find_link(self, context)
    if not ok then
      return nil, err
    end
  end
  local part = self.part
  part:look()
  if part:is_whole() then
    return finish(self, part.offset, { file_offset = part.offset })
  end
  part:reserve()
  local response, failure = exchange.send(context, request_of(self, context))
  if response then
    return take(self, context, response)
  elseif part.offset > 0
    and (failure.reason == "changed" or failure.reason == "protocol") then
    return begin_anew(self)
  end
  self.unopened = failure.phase == "queue"
  return nil, exchange.error_of(operations.download, failure,
    { task_id = self.id })
end

local function cancelled(self, why)
  return fail(self, "cancelled", "stopped downloading the video of task "
    .. self.id, { interrupted = why == "interrupted" or nil })
end

local function time_is_up(self, err)
  return fail(self, "timeout", ("the video of task %s did not come within %g s"
    .. " (%s)"):format(self.id, self.options.timeout, err.message),
    { status = err.status, retry_after = err.retry_after })
end

-- Faults count in a row; more of the file than ever before begins a new one.
local function count(self)
  local size = self.part:size()
  if size > self.most then
    self.most, self.faults = size, 0
  end
  self.faults = self.faults + 1
end

-- Lets time pass until the next attempt: true, or nil and the last error.
local function pause(self, context, err, at_once)
  count(self)
  if self.part.cancelled then -- what the attempt saw is not to be believed
    return cancelled(self)
  end
  local seconds = at_once and 0
    or not err.task and retry.passing[err.kind]
      and retry.pause(err, self.faults, _M.policy, context.random)
  local left = time_left(self, context) or math.huge
  if not seconds or seconds >= left and err.kind == "rate_limited" then
    return nil, err
  elseif seconds >= left then
    return time_is_up(self, err)
  elseif seconds > 0 then
    local slept, why = context.runtime:sleep(seconds)
    if not slept then
      return cancelled(self, why)
    end
  end
  return true
end

local resumable = { network = true, timeout = true, io = true, server = true,
  rate_limited = true, cancelled = true }

-- Says what is kept. What no later download could go on with is removed: no
-- video, of no known version, or nothing at all.
local function leave(self, err)
  local part = self.part
  if err.part then
    return nil, err
  end
  part:look()
  part:discard(part.offset > 0 or self.unopened)
  local size = part.offset
  local unopened = err.kind == "io" and self.unopened
  if size > 0 and resumable[err.kind] and not err.task and not unopened then
    err.part, err.bytes = part.path, size
    err.message = ("%s; %.0f bytes are kept in %s: %stry again to go on")
      :format(err.message, size, part.path,
        err.kind == "io" and "make room or repair the disk, then " or "")
  end
  return nil, err
end

local function run(self, context)
  while true do
    self.unopened = false
    local file, err, at_once = attempt(self, context)
    if file then
      return file
    end
    local go_on
    go_on, err = pause(self, context, err, at_once)
    if not go_on then
      return leave(self, err)
    end
  end
end

-- The file is there whatever the ledger says.
local function note(context, id, file)
  if context.ledger then
    local ok, err = context.ledger:downloaded(id, file)
    file.ledger_error = not ok and err or nil
  end
  return file
end

local function new(context, task, path, options)
  local runtime = context.runtime
  return {
    id = task.id,
    url = task.video_url,
    options = options,
    ledger = context.ledger,
    api_key = context.api_key,
    part = parts.new(path, task.id, runtime),
    deadline = options.timeout and runtime:now() + options.timeout or nil,
    most = 0, -- bytes that were there after any attempt
    faults = 0, -- in a row
  }
end

-- What the handle of a game shows.
local function of_progress(received, total)
  return { received = received, total = total }
end

--- Save a video.
-- @tparam table context of the client
-- @tparam table|string task_or_id a completed task, or an id to ask for
-- @tparam string path
-- @tparam table options see `client:download`
-- @treturn ?table file with `path`, `bytes`, `sha256`, `resumed_from`, and
--   `ledger_error` where the ledger could not be told
-- @treturn ?table err; where something was kept, `part` and `bytes` say what
function _M.save(context, task_or_id, path, options)
  options = handles.follow(context.runtime, options, "on_progress",
    of_progress)
  local task = type(task_or_id) == "table" and task_or_id
    or { id = task_or_id }
  local before = context.ledger and not options.overwrite
    and saved_file(context, context.ledger:of_task(task.id), path)
  if before then
    return before
  end
  local ok, err = _M.check_target(context.runtime, path, options.overwrite)
  if not ok then
    err.task_id = task.id
    return nil, err
  end
  local self = new(context, task, path, options)
  local file
  file, err = run(self, context)
  self.over = true -- a transport may have kept the listeners
  return file and note(context, task.id, file), err
end

return _M
