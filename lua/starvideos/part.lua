--- A video that is on its way: the `.part` file beside its target holds what
-- has come, and `.part.json` says of which task and which version it is, so
-- that another process can go on there.
-- @module starvideos.part

local json = require "starvideos.json"

local _M = {}

local Part = {}
Part.__index = Part

-- An MP4 file begins with a box of this type (ISO/IEC 14496-12, 4.3).
local HEAD_BYTES, TYPE = 12, "ftyp"

-- Room for all that the notes may come to hold. It is taken before the first
-- byte of the video, so that a full disk still takes them.
local NOTES_BYTES = 512

-- The same without starvideos.curl, for a host that sends requests by a
-- transport of its own and cannot load libcurl.
local plain = {}

function plain.place(part, path, _, overwrite)
  local existing = not overwrite and io.open(path, "rb")
  if existing then
    existing:close()
    return nil, { reason = "exists" }
  end
  local ok, problem = os.rename(part, path)
  return ok, not ok and { reason = "io", message = problem } or nil
end

function plain.discard(part, only_empty)
  if not only_empty or _M.size_of(part) == 0 then
    os.remove(part)
  end
  return true
end

function plain.sha256()
  return nil
end

local function files()
  local ok, curl = pcall(require, "starvideos.curl")
  return ok and curl or plain
end

--- The size of a file.
-- @tparam string path
-- @treturn ?number bytes, nil where there is none
function _M.size_of(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local size = file:seek("end")
  file:close()
  return size
end

local function read(path, bytes)
  local file = io.open(path, "rb")
  local text = file and file:read(bytes or "*a")
  if file then
    file:close()
  end
  return text
end

local function write(path, text, mode)
  local file, problem = io.open(path, mode)
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

--- Whether a target can be written, without leaving a trace; a part that is
-- there stays as it is.
-- @tparam string path of the target
-- @treturn ?boolean true
-- @treturn ?string why not
function _M.probe(path)
  local part = path .. ".part"
  if _M.size_of(part) then
    return write(part, "", "r+b")
  end
  -- Not the part itself: another process may begin to fill it right now.
  local trial = path .. ".part.test"
  local ok, problem = write(trial, "", "ab")
  os.remove(trial)
  return ok, problem
end

local function known_of(text)
  local info = json.decode(text or "")
  return type(info) == "table" and info or {}
end

-- What tells one version of a file from another, as far as an answer says it.
local function version_of(status, headers)
  local total = headers["content-length"]
  if status == 206 then
    total = (headers["content-range"] or ""):match("/(%d+)%s*$")
  end
  return { etag = headers.etag, last_modified = headers["last-modified"],
    total = tonumber(total) }
end

-- What a later request can name; a weak ETag is none (RFC 9110, 13.1.5).
local function validator_of(version)
  local etag = version.etag
  return etag and not etag:find("^W/") and etag or version.last_modified
end

--- The bytes that are there.
-- @treturn number
function Part:size()
  return _M.size_of(self.path) or 0
end

--- Whether what is there begins as a video does.
-- @treturn boolean
function Part:is_video()
  local head = read(self.path, HEAD_BYTES) or ""
  return head:sub(5, 8) == TYPE
end

--- The beginning of what is there.
-- @tparam number bytes
-- @treturn string
function Part:beginning(bytes)
  return read(self.path, bytes) or ""
end

-- Whether the rest of the file can be put behind what is there.
local function continues(self, size, version)
  return size > 0 and version.task_id == self.task_id
    and validator_of(version) ~= nil
    and (not version.total or size <= version.total)
    and (size < HEAD_BYTES or self:is_video())
end

--- Look what an earlier attempt has left. Sets `offset`, from where to go on,
-- and `version`.
function Part:look()
  local size, version = self:size(), known_of(read(self.notes))
  if continues(self, size, version) then
    self.offset, self.version = size, version
  else
    self.offset, self.version = 0, {}
  end
end

--- Whether all of the file is there, as `look` saw it.
-- @treturn boolean
function Part:is_whole()
  return self.offset > 0 and self.offset == self.version.total
end

--- The headers of a request that goes on.
-- @treturn table
function Part:headers()
  if self.offset == 0 then
    return {}
  end
  return {
    ["Range"] = ("bytes=%d-"):format(self.offset),
    ["If-Range"] = validator_of(self.version),
  }
end

--- Where a transport is to put the body.
-- @treturn table
function Part:sink()
  return { path = self.path, offset = self.offset, sync = true,
    etag = self.version.etag, modified = self.version.last_modified,
    total = self.version.total }
end

-- Over what stands there, for a full disk has nothing to give for new text.
local function write_notes(self, version)
  version.task_id = self.task_id
  local text, room = json.encode(version), _M.size_of(self.notes)
  local blanks = math.max(NOTES_BYTES, room or 0) - #text
  write(self.notes, text .. (" "):rep(blanks), room and "r+b" or "wb")
end

--- Make sure that the notes can be written later.
function Part:reserve()
  if not _M.size_of(self.notes) then
    write_notes(self, {})
  end
end

--- Write down which version is coming.
-- @tparam number status of the answer
-- @tparam table headers
function Part:remember(status, headers)
  local version = version_of(status, headers)
  write_notes(self, validator_of(version) and version or {})
end

local function agree(known, told)
  return known == nil or told == nil or known == told
end

-- Whether a body in memory is the rest of what is there.
local function is_rest(self, headers)
  local told = version_of(206, headers)
  local first = (headers["content-range"] or ""):match("^bytes (%d+)%-")
  return tonumber(first) == self.offset
    and agree(self.version.etag, told.etag)
    and agree(self.version.last_modified, told.last_modified)
    and agree(self.version.total, told.total)
end

--- Save a body that a transport handed over in memory.
-- @tparam table response
-- @treturn ?boolean true; false where it is not the rest of what is there
-- @treturn ?string why it cannot be saved
function Part:save(response)
  local rest = response.status == 206
  if rest and not is_rest(self, response.headers) then
    return false
  end
  response.file_offset = rest and self.offset or 0
  return write(self.path, response.body, rest and "ab" or "wb")
end

--- Remove what is there, unless another process is writing it.
-- @tparam[opt=false] boolean only_empty
function Part:discard(only_empty)
  if files().discard(self.path, only_empty) and not _M.size_of(self.path) then
    os.remove(self.notes)
  end
end

--- The SHA-256 of a file.
-- @tparam string path
-- @treturn ?string lowercase hex, nil where it cannot be told
function _M.sha256_of(path)
  return files().sha256(path)
end

--- Give the finished file its name; it is on the disk then.
-- @tparam number bytes it must have
-- @tparam ?boolean overwrite
-- @treturn ?boolean true
-- @treturn ?table failure with `reason` (exists, busy, changed or io) and
--   `message`
function Part:place(bytes, overwrite)
  local ok, failure = files().place(self.path, self.target, bytes,
    overwrite or false)
  if ok then
    os.remove(self.notes)
  end
  return ok, failure
end

--- The part of a target.
-- @tparam string path of the target
-- @tparam string task_id
-- @treturn table part
function _M.new(path, task_id)
  return setmetatable({ target = path, path = path .. ".part",
    notes = path .. ".part.json", task_id = task_id, offset = 0,
    version = {} }, Part)
end

return _M
