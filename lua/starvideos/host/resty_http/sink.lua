-- The file that takes the body of an answer, in plain Lua: opened before anything is
-- sent, so that a forbidden path costs no exchange; claimed against a second writer;
-- not emptied until a whole new body arrives. There is no fsync and no digest: the
-- notes (see `csrc/http/sink.h`) say how many bytes are there, once the file is closed.

local core = require "starvideos.core"
local http = require "starvideos.base.http"

local _M = {}

local Sink = {}
Sink.__index = Sink

local MISMATCHES = {
  protocol = "the server sent another part of the file than was asked for",
  changed = "the file on the server is not the one whose first part was saved",
}

-- The claims of this process, where no dictionary is shared with others.
local own = { ends = {} }

function own:add(name, value, seconds)
  if (self.ends[name] or 0) > self.clock() then
    return false, "exists"
  end
  return self:set(name, value, seconds)
end

function own:set(name, value, seconds)
  self.ends[name] = value and self.clock() + seconds
  return true
end

-- What came of a job on the file; io.open puts the path before its message.
local function outcome(self, ok, message, errno)
  if ok then
    return true
  end
  return nil, { reason = "io", errno = errno, message = ("cannot write %s: %s")
    :format(self.path, (message:gsub("^.*: ", ""))) }
end

local function open(self)
  local message, errno
  self.file, message, errno = core.open(self.path, "ab", true)
  return outcome(self, self.file, message, errno)
end

-- The size of what a sink notes.
local RECORD_BYTES = 256

-- What cannot be noted is fetched again.
local function note(self, record)
  local notes = self.notes and core.open(self.notes, "r+b", true)
  if notes then
    notes:write(record .. (" "):rep(RECORD_BYTES - #record))
    notes:close()
  end
end

-- Refreshes the claim on the file, before each step.
function Sink:hold()
  self.claims:set(self.claim, true, self.seconds)
end

-- Whether a body is to be taken that may be a page, before its beginning shows that it
-- is a video.
function Sink:takes(status, headers)
  return self.any or self.offset > 0 and status == 206
    or http.is_file(status, headers)
end

local function fits(self, bytes)
  if bytes <= self.max then
    return true
  end
  return nil, { reason = "too_large", message = ("the file is larger than %.0f"
    .. " bytes"):format(self.max) }
end

-- Takes a body: the whole of a file, which is emptied, or the rest of it.
function Sink:begin(status, headers, length)
  local is_rest = status == 206
  local ok, failure = fits(self, (is_rest and self.offset or 0) + (length or 0))
  if not ok then
    return nil, failure
  end
  local reason = is_rest
    and http.mismatch(headers, self.offset, self.version)
  if not reason and not (is_rest and self.offset > 0) then
    self.offset, self.begun = 0, true
    note(self, "")
    local emptied, message, errno = core.open(self.path, "wb", true)
    return outcome(self, emptied and emptied:close(), message, errno)
  end
  reason = reason or core.disk("size", self.path) ~= self.offset and "changed"
  if reason then
    return nil, { reason = reason, message = MISMATCHES[reason] }
  end
  self.begun = true
  return true
end

function Sink:write(bytes)
  local fine, failure = fits(self, self.offset + self.written + #bytes)
  if not fine then
    return nil, failure
  end
  local ok, message, errno = self.file:write(bytes)
  self.written = self.written + #bytes
  self.begun = self.begun and ok -- else nobody knows how much there is
  return outcome(self, ok, message, errno)
end

-- A second time does nothing.
function Sink:close()
  local file = self.file
  if not file then
    return true
  end
  self.file = nil
  local bytes = self.offset + self.written
  if self.begun and bytes > 0 then
    note(self, ('{"bytes":%.0f,"from":0,"sha256":false}'):format(bytes))
  end
  self.claims:set(self.claim, nil)
  return outcome(self, file:close())
end

-- Opens the file `wanted` by a request, see its `sink` in `docs/contracts.md`. The
-- claim of a writer that has crashed ends after `seconds`; in `shared` other processes
-- see it.
function _M.open(wanted, options)
  own.clock = options.clock
  local self = setmetatable({ path = wanted.path, written = 0,
    offset = wanted.offset or 0, any = wanted.any,
    max = wanted.max or math.huge, version = { etag = wanted.etag,
      last_modified = wanted.modified, total = wanted.total },
    notes = wanted.notes, claims = options.shared or own, seconds = options.seconds,
    claim = "starvideos:writes:" .. wanted.path }, Sink)
  local ok, why = self.claims:add(self.claim, true, self.seconds)
  if not ok and why == "exists" then
    return nil, { reason = "busy", message = "another download is writing "
      .. self.path }
  elseif not ok then
    return outcome(self, nil, why)
  end
  local opened, failure = open(self)
  if not opened then
    self.claims:set(self.claim, nil)
    return nil, failure
  end
  return self
end

return _M
