--- The file that takes the body of an answer, in plain Lua: opened before
-- anything is sent, so that a forbidden path costs no exchange; claimed
-- against a second writer; not emptied until a whole new body arrives. What
-- plain Lua cannot do is left out: fsync, and a digest on the way.
-- @module starvideos.transport.resty_http.sink

local core = require "starvideos.core"

local _M = {}

local Sink = {}
Sink.__index = Sink

-- Claims are refreshed when they have used up this part of their time.
local REFRESH = 0.25

-- The claims of this process, where no dictionary is shared with others.
local own = { ends = {} }

function own:add(name, _, seconds)
  if (self.ends[name] or 0) > self.clock() then
    return false, "exists"
  end
  self.ends[name] = self.clock() + seconds
  return true
end

function own:set(name, value, seconds)
  self.ends[name] = value and self.clock() + seconds or nil
  return true
end

local function io_failure(message, number)
  return nil, { reason = "io", message = message, errno = number }
end

local function busy(path)
  return nil, { reason = "busy", message = "another download is writing "
    .. path }
end

-- What follows the path in a message of the standard library.
local function cause(path, message)
  return (message:gsub("^" .. path:gsub("%p", "%%%0") .. ": ", ""))
end

local function open(self, mode)
  if core.kind(self.path) == "other" then
    return io_failure(("cannot write %s: it is a pipe, a socket or a device,"
      .. " not a file"):format(self.path))
  end
  local file, message, number = io.open(self.path, mode)
  if not file then
    return io_failure(("cannot write %s: %s"):format(self.path,
      cause(self.path, message)), number)
  end
  file:setvbuf "no"
  self.file = file
  return true
end

--- Keep the claim on the file; to be called before whatever takes long.
function Sink:hold()
  local now = self.clock()
  if self.file and now >= self.refresh_at then
    self.claims:set(self.claim, true, self.seconds)
    self.refresh_at = now + self.seconds * REFRESH
  end
end

local function agrees(known, told)
  return known == nil or told == nil or known == told
end

-- A field that one of the two answers lacks says nothing.
local function is_same_version(self, headers, total)
  return agrees(self.etag, headers.etag)
    and agrees(self.modified, headers["last-modified"])
    and (not self.total or self.total == 0
      or agrees(self.total, total))
end

local function continue(self, headers)
  local first, _, total = core.content_range(headers["content-range"])
  if first ~= self.offset then
    return nil, { reason = "protocol", message = "the server sent another part"
      .. " of the file than was asked for" }
  elseif not is_same_version(self, headers, total)
    or self.file:seek "end" ~= self.offset then
    return nil, { reason = "changed", message = "the file on the server is not"
      .. " the one whose first part was saved" }
  end
  return true
end

--- Take a body: the whole of a file, which is emptied, or the rest of it.
-- @tparam number status 200 or 206
-- @tparam table headers
-- @treturn ?boolean true
-- @treturn ?table failure with `reason` protocol, changed or io
function Sink:begin(status, headers)
  if status == 206 then
    return continue(self, headers)
  end
  self.offset = 0
  self.file:close()
  return open(self, "wb")
end

--- Write what comes next.
-- @tparam string bytes
-- @treturn ?boolean true
-- @treturn ?table failure
function Sink:write(bytes)
  self:hold()
  local ok, message, number = self.file:write(bytes)
  if not ok then
    return io_failure("cannot write the file: " .. cause(self.path, message),
      number)
  end
  self.written = self.written + #bytes
  return true
end

--- Let go of the file. A second time does nothing.
-- @treturn ?boolean true
-- @treturn ?table failure
function Sink:close()
  local file = self.file
  self.file = nil
  if not file then
    return true
  end
  self.claims:set(self.claim, nil, 0.001)
  local ok, message, number = file:close()
  if not ok then
    return io_failure("cannot write the file: " .. message, number)
  end
  return true
end

--- Open a file.
-- @tparam table wanted `path`, `offset` (where a 206 must begin), `etag`,
--   `modified`, `total` (of what is there, where known)
-- @tparam table options `clock`; `seconds` after which the claim of a writer
--   that is gone ends; `shared`, a dictionary in which other processes see it
-- @treturn ?table sink with `offset` and `written`
-- @treturn ?table failure of reason io or busy
function _M.open(wanted, options)
  own.clock = options.clock
  local self = setmetatable({ path = wanted.path, offset = wanted.offset or 0,
    etag = wanted.etag, modified = wanted.modified, total = wanted.total,
    written = 0, clock = options.clock, seconds = options.seconds,
    claims = options.shared or own, claim = "starvideos:writes:" .. wanted.path,
    refresh_at = 0 }, Sink)
  local ok, why = self.claims:add(self.claim, true, self.seconds)
  if not ok then
    if why == "exists" then
      return busy(self.path)
    end
    return io_failure(("cannot claim %s: %s"):format(self.path, tostring(why)))
  end
  local opened, failure = open(self, "ab")
  if not opened then
    self.claims:set(self.claim, nil, 0.001)
    return nil, failure
  end
  return self
end

return _M
