--- Fetch a finished video: into a `.part` file beside the target, resumed
-- where an earlier download broke off, checked, and only then renamed.
-- @module starvideos.download

local errors = require "starvideos.errors"
local exchange = require "starvideos.exchange"
local json = require "starvideos.json"
local query = require "starvideos.query"
local tasks = require "starvideos.task"

local _M = {}

-- Seconds without a byte after which a download counts as dead.
local STALL_SECONDS = 30
local REDIRECTS = 5

local function io_error(message, fields)
  fields = fields or {}
  fields.kind, fields.message = "io", message
  return errors.new(fields)
end

local function size_of(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local size = file:seek("end")
  file:close()
  return size
end

local function read_file(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function write_file(path, text, mode)
  local file, problem = io.open(path, mode or "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, later = file:close()
  if written and closed then
    return true
  end
  return nil, why or later
end

--- Whether a video can be saved at a path, without leaving a trace. Asked
-- before anything is paid for.
-- @tparam string path
-- @tparam ?boolean overwrite
-- @treturn ?boolean true
-- @treturn ?table err of kind io
function _M.check_target(path, overwrite)
  local existing = io.open(path, "rb")
  if existing then
    local is_folder = not existing:read(0) and existing:seek("end") ~= 0
    existing:close()
    if is_folder then
      return nil, io_error(path .. " is a directory; name a file in it")
    elseif not overwrite then
      return nil, io_error(path .. " exists; choose another name or allow"
        .. " overwriting")
    end
  end
  local part = path .. ".part"
  local before = size_of(part)
  local ok, problem = write_file(part, "", "ab")
  if not ok then
    return nil, io_error("cannot write " .. tostring(problem))
  elseif not before then
    os.remove(part)
  end
  return true
end

-- What an earlier, broken download left: how much of which version. Without
-- a validator nothing says that the rest would fit.
local function left_over(part, id)
  local size = size_of(part)
  local info = size and size > 0 and json.decode(read_file(part .. ".json") or "")
  if type(info) == "table" and info.task_id == id and info.validator then
    return size, info.validator
  end
  return 0, nil
end

local function validator_of(headers)
  local etag = headers.etag
  if etag and not etag:find("^W/") then
    return etag
  end
  return headers["last-modified"]
end

local function remember(part, id, headers)
  local validator = validator_of(headers)
  if validator then
    write_file(part .. ".json", json.encode {
      task_id = id, validator = validator,
    })
  end
end

-- The length the whole file must have, as far as the answer says it.
local function whole_length(response)
  local headers = response.headers
  if response.status == 206 then
    return tonumber((headers["content-range"] or ""):match("/(%d+)%s*$"))
  end
  return tonumber(headers["content-length"])
end

local kind_of = { [403] = "expired", [404] = "expired", [410] = "expired",
  [429] = "rate_limited" }

local function refused(response, id)
  local status = response.status
  local kind = kind_of[status] or status >= 500 and "server" or "protocol"
  local message = ("the media host answered HTTP %d"):format(status)
  if kind == "expired" then
    message = ("the link to the video of task %s is dead (HTTP %d); ask for a"
      .. " new one with query"):format(id, status)
  elseif status == 200 or status == 206 then
    message = ("the media host sent %s instead of a video"):format(
      response.headers["content-type"] or "something else")
  end
  return errors.new { kind = kind, message = message, status = status,
    task_id = id }
end

local function is_video(status, headers)
  local kind = (headers["content-type"] or ""):lower()
  return (status == 200 or status == 206)
    and not kind:find("^%s*text/") and not kind:find("^%s*application/json")
end

-- A transport of the host's may hand over the body in memory.
local function save_body(self, response)
  local resumed = response.status == 206
  local ok, problem = write_file(self.part, response.body,
    resumed and "ab" or "wb")
  if not ok then
    return nil, io_error("cannot write " .. tostring(problem),
      { task_id = self.id })
  end
  response.file_offset = resumed and self.offset or 0
  return true
end

local function fetch(context, self)
  local req = {
    method = "GET",
    url = self.url,
    headers = {},
    timeout = self.options.timeout,
    stall_seconds = self.options.stall_timeout or STALL_SECONDS,
    stall_bytes = 1,
    redirects = REDIRECTS,
    sink = { path = self.part, offset = self.offset, sync = true },
    on_answer = function(status, headers)
      if is_video(status, headers) then
        remember(self.part, self.id, headers)
      end
    end,
  }
  if self.offset > 0 then
    req.headers["Range"] = ("bytes=%d-"):format(self.offset)
    req.headers["If-Range"] = self.validator
  end
  local on_progress = self.options.on_progress
  req.on_progress = on_progress and function(received, total)
    on_progress(received + self.offset, total and total + self.offset)
  end
  return exchange.send(context, req)
end

-- Checks what arrived and gives it its name.
local function finish(self, response)
  local size, whole = size_of(self.part) or 0, whole_length(response)
  if size == 0 or whole and size ~= whole then
    return nil, errors.new {
      kind = "network",
      message = ("the video of task %s is incomplete: %d of %s bytes; download"
        .. " again to resume"):format(self.id, size, whole or "?"),
      task_id = self.id,
    }
  end
  local ok, problem = os.rename(self.part, self.path)
  if not ok then
    return nil, io_error("cannot rename " .. tostring(problem),
      { task_id = self.id })
  end
  os.remove(self.part .. ".json")
  local offset = response.file_offset or 0
  return { path = self.path, bytes = size,
    resumed_from = offset > 0 and offset or nil }
end

-- Nothing is left behind that no later download could use.
local function tidy(self)
  if size_of(self.part) == 0 then
    os.remove(self.part)
    os.remove(self.part .. ".json")
  end
end

local function attempt(context, self)
  local response, failure = fetch(context, self)
  if not response then
    return nil, exchange.error_of(failure, "download", { task_id = self.id })
  elseif response.status == 416 and self.offset > 0 then
    os.remove(self.part)
    self.offset, self.validator = 0, nil
    return attempt(context, self)
  elseif not is_video(response.status, response.headers) then
    return nil, refused(response, self.id)
  end
  if response.body and not response.file_bytes then
    local ok, err = save_body(self, response)
    if not ok then
      return nil, err
    end
  end
  remember(self.part, self.id, response.headers)
  return finish(self, response)
end

local function not_ready(task)
  if tasks.is_terminal(task) then
    return nil, errors.task_failed(task)
  end
  return nil, errors.new {
    kind = "timeout",
    message = ("task %s is %s; wait for it before downloading"):format(
      tostring(task.id), tostring(task.status)),
    task = task,
    task_id = task.id,
  }
end

--- Save a video.
-- @tparam table context of the client
-- @tparam table|string task_or_id a completed task, or an id to ask for
-- @tparam string path
-- @tparam table options see `client:download`
-- @treturn ?table file
-- @treturn ?table err
function _M.save(context, task_or_id, path, options)
  local ok, err = _M.check_target(path, options.overwrite)
  if not ok then
    return nil, err
  end
  local task = task_or_id
  if type(task) == "string" or not task.video_url then
    task, err = query(context, type(task) == "string" and task or task.id)
    if not task then
      return nil, err
    end
  end
  if not task.video_url then
    return not_ready(task)
  end
  local self = { id = task.id, url = task.video_url, path = path,
    part = path .. ".part", options = options }
  self.offset, self.validator = left_over(self.part, self.id)
  local file
  file, err = attempt(context, self)
  if not file then
    tidy(self)
  end
  return file, err
end

return _M
