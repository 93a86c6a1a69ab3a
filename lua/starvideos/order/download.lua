-- Download a finished video: into a `.part` file beside the target, continued where a
-- fault or an earlier process broke off. The file is renamed only when it has the
-- announced length, and its bytes are a video that is not cut.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local exchange = require "starvideos.provider.exchange"
local fetch_task = require "starvideos.wait.fetch_task"
local http = require "starvideos.base.http"
local handle = require "starvideos.host.handle"
local listener = require "starvideos.base.listener"
local operations = require "starvideos.provider.operations"
local part_file = require "starvideos.order.part_file"
local redact = require "starvideos.base.redact"
local retry = require "starvideos.provider.retry"
local targets = require "starvideos.order.target"
local tasks = require "starvideos.base.task"

local _M = {}

local REDIRECTS = 5

-- The numbers of a download: this library's choice.
_M.policy = {
  stall_timeout = 30, -- seconds without a byte after which it has stalled
  tries = 5, -- how often it is tried without gaining a byte
  copies = 3, -- how often where the host's own copy seems to be cut
  longest_pause = 300, -- the longest Retry-After, in seconds, it waits for
}

-- Enough of a file that is no video to say what it is, and not to cut a
-- secret in two where it is shown.
local EXCERPT_BYTES = 4096

-- Seconds between two events of progress.
local BEAT = 1

local function fail(self, kind, message, fields)
  local err = fields or {}
  err.kind, err.message, err.task_id = kind, message, self.id
  return nil, errors.new(err)
end

-- Beyond these: 5xx is `server`, anything else `protocol`.
local kind_of = { [403] = "expired", [404] = "expired", [407] = "config",
  [408] = "timeout", [410] = "expired", [425] = "server",
  [429] = "rate_limited" }

local function shown(self, body)
  local text = redact.key(redact.parts(body, self.url), self.api_key)
  return text:find("%S") and http.preview(text) or "nothing"
end

-- What came by its bytes is none that is known.
local function no_video(self, response, body)
  local headers = response.headers or {}
  local encoding = headers["content-encoding"]
  return fail(self, "protocol", ("the media host sent something that is no"
    .. " video (%s%s); the video stays bought; accept = \"any\" (--accept any)"
    .. " saves whatever comes; it begins: %s"):format(
    headers["content-type"] or "of no type",
    encoding and ", encoded as " .. encoding or "", shown(self, body)),
    { status = response.status })
end

local function refused(self, context, response)
  local status = response.status
  local kind = kind_of[status] or status >= 500 and "server" or "protocol"
  local message = ("the media host answered HTTP %d"):format(status)
    .. (kind == "protocol" and "; the video stays bought" or "")
  if kind == "config" then
    message = ("a proxy refused the download (HTTP %d); the video stays bought:"
      .. " look at this network's proxy and its login"):format(status)
  elseif kind == "expired" then
    local words = shown(self, response.body or "")
    message = ("the download URL of task %s %s (HTTP %d: %s), like the one"
      .. " before; the video stays bought: query the task later for a new URL")
      :format(self.id, (status == 410 or words:find "[Ee]xpired")
      and "has expired" or "was refused by the media host", status, words)
  end
  return fail(self, kind, message, { status = status,
    retry_after = retry.retry_after(response.headers, context.wall_clock) })
end

local function not_ready(self, context, task)
  if tasks.is_terminal(task) then
    return nil, fetch_task.failure(context, task,
      self.renewed or self.was_completed)
  end
  return fail(self, "timeout",
    ("task %s is %s; wait for it before downloading"):format(self.id,
      tostring(task.status)), { task = task })
end

local function time_left(self, context)
  return self.deadline and self.deadline - context.runtime:now() or nil
end

local function find_url(self, context)
  local task, err = fetch_task.query(context, self.id, time_left(self, context))
  if not task then
    return nil, err
  elseif not task.video_url then
    return not_ready(self, context, task)
  end
  self.url = task.video_url
  return true
end

local function tell(self, context, state, received, total, err)
  listener.event(context, { name = "download", task_id = self.id,
    path = self.path, state = state, received = received, total = total,
    error = err and err.message or nil })
end

-- The first request starts the download. `received`: bytes from before.
local function tell_started(self, context, received)
  if context.on_event and not self.told_at then
    self.told_at = context.runtime:now()
    tell(self, context, "started", received)
  end
end

local function tell_progress(self, context, received, total)
  self.total = total or self.total
  local now = context.runtime:now()
  if now - self.told_at >= BEAT then
    self.told_at = now
    tell(self, context, "progress", received, total)
  end
end

local function tell_ended(self, context, file, err)
  if not context.on_event then
    return
  elseif file then
    tell(self, context, "saved", file.bytes, file.bytes)
  else
    tell(self, context, "failed", err.bytes or 0, self.total, err)
  end
end

local function request_of(self, context)
  local part = self.part
  local on_progress, on_event = self.options.on_progress, context.on_event
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
    public_only = not (context.private_links or self.private_links),
    sink = part:sink(context.max_video),
    on_answer = function(status, headers, in_memory)
      before = status == 206 and before or 0
      if in_memory == nil then -- the transport does not know
        in_memory = not http.is_file(status, headers)
      end
      if not self.over and not in_memory then
        part:remember(status, headers)
      end
    end,
    on_progress = (on_progress or on_event) and function(received, total)
      if self.over then
        return
      end
      received, total = before + received, total and before + total
      if on_event then
        tell_progress(self, context, received, total)
      end
      if on_progress then
        on_progress(received, total)
      end
    end,
  }
end

-- Why the finished file could not be renamed.
local function not_placed(self, failure)
  local part, reason = self.part, failure.reason
  self.errno = failure.errno
  if reason == "busy" or reason == "changed" then
    return fail(self, "io", ("another download is writing %s; wait for it, or"
      .. " choose another path"):format(part.path), { reason = "busy" })
  elseif part:is_placed() then
    return fail(self, "io", ("%s is saved, but the disk has not confirmed it:"
      .. " %s; check the file before you rely on it"):format(part.target,
      tostring(failure.message)))
  end
  local message = ("cannot save %s: %s; the whole video is in %s: download it"
    .. " again to rename it"):format(part.target, tostring(failure.message),
    part.path)
  if reason == "exists" then
    message = ("%s appeared during the download and is left as it is; the whole"
      .. " video is in %s: rename it, or download it again with overwrite")
      :format(part.target, part.path)
  end
  return fail(self, "io", message, { part = part.path, bytes = part:size(),
    target = reason == "exists" and reason or nil })
end

-- A file that is renamed but not in the ledger would be taken for another's.
local function not_noted(self, err)
  local part = self.part
  err.message = ("%s; the whole video is in %s: download it again to rename it")
    :format(err.message, part.path)
  err.part, err.bytes, err.task_id = part.path, part:size(), self.id
  return nil, err
end

-- Where the host announced no more, only the beginning can bring it.
local function cut_short(self, size, whole)
  self.is_all = size == whole
  return fail(self, "network", ("the video of task %s is cut short: %.0f bytes"
    .. " came%s, and a part of the MP4 is missing"):format(self.id, size,
    self.is_all and ", as many as the media host announced" or ""),
    { reason = "cut" })
end

-- What is wrong with the bytes that have come: nil and an err; or the container
-- and the state, see `csrc/system/disk_job.h`.
local function examine(self, size, whole, response)
  local part = self.part
  local container, state = part:video()
  if container == nil then
    return fail(self, "io", ("cannot read %s: %s"):format(part.path,
      tostring(state.message)))
  elseif not container and not part.any then
    return no_video(self, response, part:beginning(EXCERPT_BYTES))
  elseif state == "cut" then
    return cut_short(self, size, whole)
  end
  return container, state
end

-- Checks what has come, and renames it.
local function finish(self, whole, response)
  local part = self.part
  local size = part:size()
  if size == 0 or whole and size ~= whole then
    return fail(self, "network", ("the video of task %s is incomplete: %d of"
      .. " %s bytes"):format(self.id, size, whole or "?"))
  end
  local container, state = examine(self, size, whole, response)
  if container == nil then
    return nil, state
  end
  local sha256 = response.sha256 -- false: nobody here can tell it
  if sha256 == nil then
    sha256 = part:sha256()
  end
  local offset = response.file_offset or 0
  local file = { path = part.target, bytes = size, sha256 = sha256 or nil,
    resumed_from = offset > 0 and offset or nil }
  if self.ledger then
    local noted, err = self.ledger:placing(self.id, file, self.options.order)
    if not noted then
      return not_noted(self, err)
    end
  end
  local ok, failure = part:place(size, self.options.overwrite)
  if not ok then
    return not_placed(self, failure)
  end
  file.container = container or nil
  file.warnings = part:warnings(container, state)
  return file
end

-- What was saved is of another version, or no server can continue it.
local function start_over(self)
  self.part:discard()
  local at_once = self.faults + 1 < _M.policy.tries
  local _, err = fail(self, "protocol", ("the media host does not continue what"
    .. " was saved of the video of task %s"):format(self.id))
  return nil, err, at_once
end

local function is_mismatch(failure)
  return failure.reason == "changed" or failure.reason == "protocol"
end

-- A download URL expires; the provider is asked once for a new one.
local function renew_url(self, context, response)
  local _, err = refused(self, context, response)
  local first = not self.renewed
  self.renewed, self.url = true, nil
  return nil, err, first
end

-- A link that nobody can follow is a fault of the answer that it came with.
local function is_bad_link(failure)
  return failure.reason == "insecure"
    or failure.reason == "invalid" and failure.phase ~= "connect"
end

local function bad_link(self, failure)
  return fail(self, "protocol", ("the download URL of task %s cannot be used:"
    .. " %s (%s); the video stays bought: %s"):format(self.id,
    tostring(failure.message), http.preview(redact.url(self.url)),
    failure.reason == "private" and "its link is kept, and if you trust it,"
    .. " private_links (--private-links) allows it"
    or "query the task later for another URL"), { reason = failure.reason })
end

-- A provider that is named may have a private address, too: nothing is sent
-- there where it has.
local function provider_is_private(self, context)
  local _, err = exchange.ask(context, operations.query, self.id,
    time_left(self, context), true)
  return err ~= nil and err.reason == "private"
end

local function private_link(self, context, failure)
  if not self.private_links and provider_is_private(self, context) then
    self.private_links = true
    local _, err = bad_link(self, failure)
    return nil, err, true
  end
  return bad_link(self, failure)
end

-- What came of a body without an announced length is given up; a part of one
-- that has a length can be continued with a higher limit.
local function too_large(self, context)
  local part = self.part
  if part:size() > part.offset then
    part:discard()
  end
  return fail(self, "protocol", ("the video of task %s is larger than %.0f"
    .. " bytes, the limit max_video; the video stays bought: raise the limit"
    .. " (--max-video), and download it again"):format(self.id,
    context.max_video), { reason = "too_large" })
end

-- Takes a body that a transport handed over in memory.
local function save(self, response)
  local part = self.part
  local ok, failure = part:save(response)
  if not ok and is_mismatch(failure) then
    return start_over(self)
  elseif not ok then
    return fail(self, "io", ("cannot write %s: %s"):format(part.path,
      tostring(failure.message)))
  end
  return true
end

-- What is called a page is given up for a video alone.
local function may_be_saved(self, response)
  return self.part.any or http.is_file(response.status, response.headers)
    or self.part.offset > 0 and response.status == 206
    or core.container(response.body) ~= nil
end

local function take(self, context, response)
  local version = http.file_version(response.status, response.headers)
  if kind_of[response.status] == "expired" then
    return renew_url(self, context, response)
  elseif response.status == 416 and self.part.offset > 0 then
    return start_over(self)
  elseif not http.may_be_file(response.status) then
    return refused(self, context, response)
  elseif response.body and #response.body > context.max_video
    - (response.status == 206 and self.part.offset or 0) then
    return too_large(self, context)
  elseif response.body and not may_be_saved(self, response) then
    return no_video(self, response, response.body)
  elseif response.body then
    local ok, err, at_once = save(self, response)
    if not ok then
      return nil, err, at_once
    end
  end
  self.part:remember(response.status, response.headers)
  return finish(self, version.total, response)
end

local STOPPED = "the download of the video of task %s was stopped"

local function cancelled(self, interrupted)
  return fail(self, "cancelled", STOPPED:format(self.id),
    { interrupted = interrupted or nil })
end

local function unanswered(self, failure)
  self.errno = failure.errno
  local err = exchange.error_of(operations.download, failure,
    { task_id = self.id })
  if err.kind == "cancelled" then -- the kind, which is shown with it, says so
    local cause = err.message:gsub("^cancelled$", "")
    err.message = STOPPED:format(self.id)
      .. (cause ~= "" and (" (%s)"):format(cause) or "")
  end
  return nil, err
end

-- One attempt: the file; or nil, an error, and whether its cause is removed
-- already, so that the next one needs no pause.
local function attempt(self, context)
  if not self.url then
    local ok, err = find_url(self, context)
    if not ok then
      return nil, err
    end
  end
  local part = self.part
  part:look()
  if self.is_all then
    part:forget()
  elseif part:is_whole() then
    return finish(self, part.offset, { file_offset = part.offset,
      sha256 = part.before })
  end
  self.is_all = false
  part:reserve()
  tell_started(self, context, part.offset)
  local response, failure = exchange.send(context, operations.download,
    { task_id = self.id }, request_of(self, context))
  if response then
    return take(self, context, response)
  elseif part.offset > 0 and is_mismatch(failure) then
    return start_over(self)
  end
  self.unopened = failure.phase == "queue"
  if failure.reason == "private" then
    return private_link(self, context, failure)
  elseif failure.reason == "too_large" then
    return too_large(self, context)
  elseif is_bad_link(failure) then
    return bad_link(self, failure)
  end
  return unanswered(self, failure)
end

local function time_is_up(self, err)
  return fail(self, "timeout", ("the video of task %s was not downloaded within"
    .. " %s s (%s)"):format(self.id, c_locale.number("%g", self.options.timeout),
    err.message),
    { status = err.status, retry_after = err.retry_after, reason = err.reason })
end

-- Faults count in a row; more of the file than ever before starts a new row.
local function count_fault(self)
  local size = self.part:size()
  if size > self.most then
    self.most, self.faults = size, 0
  end
  self.faults = self.faults + 1
end

-- Lets time pass until the next attempt: true, or nil and the last error.
local function pause(self, context, err, at_once)
  count_fault(self)
  if self.part.cancelled then -- what the attempt saw may be wrong
    return cancelled(self)
  end
  local seconds = at_once and 0
    or not err.task and retry.passing[err.kind]
      and retry.pause(err, self.faults, _M.policy, context.random)
  local left = time_left(self, context) or math.huge
  if err.reason == "cut" and self.faults >= _M.policy.copies then
    return nil, err
  elseif not seconds or seconds >= left and err.kind == "rate_limited" then
    return nil, err
  elseif seconds >= left then
    return time_is_up(self, err)
  elseif seconds > 0 then
    local slept, why = context.runtime:sleep(seconds)
    if not slept then
      return cancelled(self, why == "interrupted")
    end
  end
  return true
end

local resumable = { network = true, timeout = true, io = true, server = true,
  rate_limited = true, cancelled = true }

-- What an errno says of the disk itself: EIO, EFBIG, ENOSPC, EDQUOT (of Linux and
-- macOS). It has no part in others: a lock, a right, a table of files that is full.
local faults_of_disk = { [5] = true, [27] = true, [28] = true, [69] = true,
  [122] = true }

-- Says what is kept. What no later download could continue is removed: no
-- video, of no known version, or nothing at all. A video that is cut may be all
-- that there is.
local function give_up(self, err)
  local part, is_cut = self.part, err.reason == "cut"
  if err.part then
    return nil, err
  end
  part:look(true)
  part:discard(part.offset > 0 or self.unopened or is_cut)
  local unopened = err.kind == "io" and (self.unopened or err.reason == "busy")
  if not resumable[err.kind] or err.task or unopened then
    return nil, err
  end
  local advice, kept = err.kind == "io" and faults_of_disk[self.errno]
    and "free some space or repair the disk, then " or "", ""
  if part.offset > 0 or is_cut then
    err.part, err.bytes = part.path, is_cut and part:size() or part.offset
    kept = (", and %.0f bytes of it are kept in %s"):format(err.bytes, err.part)
  end
  err.message = ("%s; the video stays bought%s: %sdownload it again%s"):format(
    err.message, kept, advice, err.part and not is_cut and " to continue" or "")
  return nil, err
end

local function run(self, context)
  while true do
    self.unopened = false
    local file, err, at_once = attempt(self, context)
    if file then
      return file
    end
    local again
    again, err = pause(self, context, err, at_once)
    if not again then
      return give_up(self, err)
    end
  end
end

-- The file is saved even where the ledger fails.
local function note(context, id, file, order_id)
  if context.ledger then
    local ok, err = context.ledger:downloaded(id, file, order_id)
    file.ledger_error = not ok and err or nil
  end
  return file
end

local function new(context, task, path, target, options)
  local runtime = context.runtime
  return {
    id = task.id,
    path = path,
    url = task.video_url,
    was_completed = task.status == "completed",
    options = options,
    ledger = context.ledger,
    api_key = context.api_key,
    part = part_file.new(target, task.id, runtime,
      options.accept == "any" or nil),
    deadline = options.timeout and runtime:now() + options.timeout or nil,
    most = 0, -- bytes that were there after any attempt
    faults = 0, -- in a row
  }
end

-- What the handle of a game shows.
local function of_progress(received, total)
  return { received = received, total = total }
end

-- Save a video. `context`: of the client. `task_or_id`: a completed task, or an id to
-- ask for. `options`: see `client:download`; `order`: the id of the one that it is of,
-- where that is known. Returns file with `path`, `bytes`, `sha256`, `resumed_from`,
-- `container`, `warnings`, and `ledger_error` where the ledger could not record it, and
-- err; where something was kept, `part` and `bytes` say what.
function _M.save(context, task_or_id, path, options)
  options = handle.follow(context.runtime, options, "on_progress",
    of_progress)
  local task = type(task_or_id) == "table" and task_or_id
    or { id = task_or_id }
  local before = context.ledger and not options.overwrite
    and part_file.saved(context, context.ledger:of_task(task.id, path,
      options.order), path)
  if before then
    return before
  end
  local target, err = targets.check(context, path, options.overwrite)
  if not target then
    err.task_id = task.id
    return nil, err
  end
  local self = new(context, task, path, target, options)
  local file
  file, err = run(self, context)
  self.over = true -- a transport may have kept the listeners
  if file then
    note(context, task.id, file, options.order)
    file.path = path
  end
  tell_ended(self, context, file, err)
  return file, err
end

return _M
