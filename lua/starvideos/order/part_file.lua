-- A video that is being downloaded: the `.part` file beside its target holds what has
-- come. The notes, `.part.json`, say how many bytes of it count and what their digest
-- is (see `csrc/http/sink.h`), and behind that of which task and which version they
-- are, so that another process can continue it; nobody but the owner may read them.
-- Every job on a file is the runtime's, which waits for it as its host does.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local http = require "starvideos.base.http"
local json = require "starvideos.base.json"

local _M = {}

local Part = {}
Part.__index = Part

-- Fewer bytes may be the beginning of anything.
local HEAD_BYTES = 12

-- Of the notes: what a sink writes, and room for all that may come to stand behind
-- it. That is taken before the first byte of the video, so that a full disk still
-- takes them.
local RECORD_BYTES, VERSION_BYTES = 256, 512

-- The same number on every system: no such file.
local ENOENT = 2

-- Whether a name is free, or a file of ours has it that can be written; a link, or
-- what another account has put there, loses it.
local function claim(runtime, path, is_private)
  local ok, failure = runtime:disk("write", path, "", "r+b", is_private)
  if ok or failure.errno == ENOENT then
    return ok and "ours" or "free"
  end
  local kind = runtime:disk("kind", path)
  failure.message = kind and kind ~= "file" and path .. " is not a regular file;"
    .. " remove it or choose another path"
    or path .. ": " .. tostring(failure.message)
  return nil, failure
end

-- Whether a target can be written, without leaving a trace; a part of ours that is
-- there stays as it is. `path`: of the target. Returns true; or nil and a failure with
-- `reason` and `message`.
function _M.probe(runtime, path)
  local part = path .. ".part"
  local found, problem = claim(runtime, path .. ".part.json", true)
  if found then
    found, problem = claim(runtime, part)
  end
  if found ~= "free" then
    return found and true, problem
  end
  -- Not the part itself: another process may begin to fill it right now.
  local trial = path .. ".part.test"
  local ok, failure = runtime:disk("write", trial, "", "ab")
  runtime:disk_later("remove", trial)
  if not ok and not failure.errno then -- nothing but its name is at fault
    failure.message = trial .. ": " .. tostring(failure.message)
  end
  return ok, failure
end

-- Of a job that was cancelled the outcome is not known, so nothing it says of
-- the file may be used: `cancelled` tells the caller.
local function disk(self, name, ...)
  local result, failure = self.runtime:disk(name, ...)
  if result == nil and failure and failure.reason == "cancelled" then
    self.cancelled = true
  end
  return result, failure
end

local function known_of(text)
  local info = json.decode(text or "")
  return type(info) == "table" and info or {}
end

-- What a later request can name; a weak ETag is none (RFC 9110, 13.1.5).
local function validator_of(version)
  local etag = version.etag
  return etag and not etag:find("^W/") and etag or version.last_modified
end

-- The bytes that are there.
function Part:size()
  return disk(self, "size", self.path) or 0
end

-- What is there, by its bytes. Returns container, see `csrc/system/disk_job.h`; false
-- of what is no video; nil where it cannot be read, and `whole`, `cut` or `trailed`; or
-- the failure.
function Part:video()
  return disk(self, "video", self.path)
end

-- What the ends of names say.
local container_of = { mp4 = "mp4", m4v = "mp4", mov = "mov", qt = "mov",
  webm = "webm", mkv = "matroska", ts = "mpegts", m2ts = "mpegts",
  mts = "mpegts", avi = "avi" }

-- What a person should know of the file that was saved. `container`: as of `video`.
-- Returns list of tables with `code` and `message`; nil for nothing.
function Part:warnings(container, state)
  local list = {}
  local ending = self.target:match "%.(%w+)$"
  local named = ending and container_of[c_locale.lower(ending)]
  if named and named ~= container then
    list[1] = { code = "container", message = ("the name of %s says %s, but its"
      .. " bytes are %s; rename it for programs that go by the name"):format(
      self.target, named, container or "of no kind that is known") }
  end
  if state == "trailed" then
    list[#list + 1] = { code = "trailing_bytes", message = ("%s is whole, but"
      .. " bytes follow in it that are no part of the video"):format(
      self.target) }
  end
  return list[1] and list or nil
end

-- The beginning of what is there.
function Part:beginning(bytes)
  return disk(self, "read", self.path, bytes) or ""
end

-- How many bytes a record vouches for, and from where on by themselves; nil where
-- it is none. A process that was killed may have written more.
local function noted(record, size)
  local bytes, from = record.bytes, record.from
  if type(bytes) == "number" and type(from) == "number" and from >= 0
    and from < bytes and bytes <= size and bytes % 1 == 0 and from % 1 == 0 then
    return bytes, from
  end
end

-- Whether the rest of the file can be appended to what is there.
local function continues(self, size, version, total)
  return version.task_id == self.task_id
    and validator_of(version) ~= nil
    and (not version.total or total <= version.total)
    and (self.any or size < HEAD_BYTES
      or core.container(self:beginning(core.BEGINNING)) ~= nil)
end

-- The digest of what is there, where it is what the record says: somebody else may
-- have written to it, or the disk lost it. False where nobody here can tell it, nor
-- could who wrote the record; else nil.
local function digest_of(self, record, bytes, from)
  local sha256 = disk(self, "sha256", self.path, 0, bytes)
  local is_same = sha256 == record.sha256
  if sha256 and from > 0 then
    is_same = disk(self, "sha256", self.path, 0, from) == record.before
      and disk(self, "sha256", self.path, from, bytes) == record.sha256
  end
  if is_same then
    return sha256
  end
end

-- Look what an earlier attempt has left. Sets `offset`, from where to continue,
-- `version`, and `before`, the digest of what counts. `unread`: the bytes are not
-- compared with their digest.
function Part:look(unread)
  local size, notes = self:size(), disk(self, "read", self.notes, nil, true)
  local record = known_of(notes and notes:sub(1, RECORD_BYTES))
  local version = known_of(notes and notes:sub(RECORD_BYTES + 1))
  local bytes, from = noted(record, size)
  self.room = notes and #notes - RECORD_BYTES
  self.offset, self.version, self.before = 0, {}, nil
  if bytes and continues(self, bytes, version, size) then
    local digest = unread or digest_of(self, record, bytes, from)
    if digest ~= nil then
      self.offset, self.version = bytes, version
      self.before = not unread and digest or nil
    end
  end
end

-- Whether all of the file is there, as `look` saw it.
function Part:is_whole()
  return self.offset > 0 and self.offset == self.version.total
end

--- Forget what is there, until a new body takes its place.
function Part:forget()
  self.offset, self.version, self.before = 0, {}, nil
end

-- The headers of a request for the rest. What is compressed on its way is no video, and
-- its rest none of what is there.
function Part:headers()
  if self.offset == 0 then
    return { ["Accept-Encoding"] = "identity" }
  end
  return {
    ["Accept-Encoding"] = "identity",
    ["Range"] = ("bytes=%d-"):format(self.offset),
    ["If-Range"] = validator_of(self.version),
  }
end

-- Where a transport is to put the body. `max`: bytes that the whole file may have.
function Part:sink(max)
  return { path = self.path, offset = self.offset, any = self.any, sync = true,
    max = max,
    etag = self.version.etag, modified = self.version.last_modified,
    total = self.version.total, notes = self.notes, before = self.before }
end

local function padded(value, bytes)
  local text = json.encode(value)
  return text .. (" "):rep(bytes - #text)
end

--- Make sure that the notes can be written later. To be called after `look`.
function Part:reserve()
  if not self.room then
    -- Appended: where another process has just written its notes, this only
    -- adds blanks to them.
    local blanks = (" "):rep(RECORD_BYTES + VERSION_BYTES)
    self.room = disk(self, "write", self.notes, blanks, "ab", true)
      and VERSION_BYTES
  end
end

-- Note which version is coming, without waiting until that is done; as large as what
-- stands there, for a full disk has no room for more. `status`: of the answer.
function Part:remember(status, headers)
  local version = http.file_version(status, headers)
  version = validator_of(version) and version or {}
  version.task_id = self.task_id
  local text = padded(version, math.max(VERSION_BYTES, self.room or 0))
  self.runtime:disk_later("write", self.notes, text, "r+b", true, RECORD_BYTES)
  self.room = #text
end

-- Save a body that a transport handed over in memory. Returns true; or nil and a
-- failure with `reason` (protocol or changed where the body is not the rest of what is
-- there; else io or cancelled) and `message`.
function Part:save(response)
  local is_part = response.status == 206
  local reason = is_part and http.mismatch(response.headers, self.offset,
    self.version)
  if reason then
    return nil, { reason = reason }
  end
  local offset = is_part and self.offset > 0 and self.offset or nil
  response.file_offset = offset or 0
  local ok, failure = disk(self, "write", self.path, response.body,
    offset and "r+b" or "wb", false, offset)
  local bytes = response.file_offset + #response.body
  if ok and not response.sha256 then
    response.sha256 = disk(self, "sha256", self.path, 0, bytes) or false
    self.runtime:disk_later("write", self.notes, padded({ bytes = bytes,
      sha256 = response.sha256, from = 0 }, RECORD_BYTES), "r+b", true)
  end
  return ok, failure
end

-- Remove what is there, unless another process is writing it. `only_empty`: only where
-- nothing has come (default false).
function Part:discard(only_empty)
  if disk(self, "discard", self.path, only_empty or false)
    and not disk(self, "size", self.path) then
    disk(self, "remove", self.notes)
  end
end

-- The SHA-256 of what is there, in lowercase hex; nil where it cannot be told.
function Part:sha256()
  return (disk(self, "sha256", self.path))
end

-- Rename the finished file to its target; it is on the disk then. `bytes`: that it must
-- have. Returns true; or nil and a failure with `reason` (exists, busy, changed,
-- cancelled or io) and `message`.
function Part:place(bytes, overwrite)
  local ok, failure = disk(self, "commit", self.path, self.target, bytes,
    overwrite or false)
  if ok then
    disk(self, "remove", self.notes)
  end
  return ok, failure
end

-- Whether the file was renamed although `place` has failed.
function Part:is_placed()
  return self:size() == 0 and disk(self, "size", self.target) ~= nil
end

-- The part of a target. `path`: of the target. `runtime`: with the methods `disk` and
-- `disk_later`. `any`: whether it may be something else than a video. Returns part;
-- `cancelled` is set once a job on a file was cancelled.
function _M.new(path, task_id, runtime, any)
  return setmetatable({ target = path, path = path .. ".part",
    notes = path .. ".part.json", task_id = task_id, runtime = runtime,
    any = any, offset = 0, version = {} }, Part)
end

-- Whether the file is whole though its process ended, or could not write to the
-- ledger, after it renamed the file and before that was recorded.
local function is_whole(runtime, row, path)
  local digest = row.sha256 and runtime:disk("sha256", path)
  if digest then
    return digest == row.sha256
  end
  local part, failure = runtime:disk("size", path .. ".part")
  return part == nil and failure == nil
end

-- The file of an order itself, where the path leads to it.
local function found(context, row, path)
  local runtime = context.runtime
  local file = path
  if row.path ~= context.ledger.path_of(path) then
    file = runtime:disk("real", path)
    if not file or row.path ~= context.ledger.path_of(file)
      and runtime:disk("real", row.path) ~= file then
      return nil
    end
  end
  return runtime:disk("size", file) == row.bytes and file or nil
end

-- Find the file of an order that an earlier run has saved: what the ledger holds of it,
-- compared with the disk. `context`: of a client that has a ledger. `row`: the order,
-- or its row, with `state`, `task_id`, `path`, `bytes`, `sha256`. `path`: where the
-- file is wanted. Returns file with `path`, `bytes`, `sha256`, which the order then has
-- on record; nil where there is none, or not all of it.
function _M.saved(context, row, path)
  local there = row and row.task_id and row.bytes and row.path
    and found(context, row, path)
  if not there then
    return nil
  end
  local file = { path = there, bytes = row.bytes, sha256 = row.sha256 }
  if row.state ~= "downloaded" then
    if not is_whole(context.runtime, row, there) then
      return nil
    end
    local ok, err = context.ledger:downloaded(row.task_id, file,
      row.order_id or row.id)
    file.ledger_error = not ok and err or nil
  end
  file.path = path
  return file
end

return _M
