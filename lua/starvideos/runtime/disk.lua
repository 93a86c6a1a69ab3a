--- The jobs on files that a download needs, in plain Lua, for a host that has
-- no libcurl. `starvideos.curl` does the same ones as `disk`, and better: what
-- is given a name here may still be lost with the power, may replace a file
-- that comes up this moment, has no digest, is as open to others as the umask
-- makes it, and may be made by two at once.
--
-- A job fails with nil and a table: `reason` (exists, changed or io),
-- `message` and, where the system gave one, `errno`.
-- @module starvideos.runtime.disk

local core = require "starvideos.core"

local _M = {}

-- The same number on every system that has it at all.
local NO_DEVICE = 6

local function failed(path, problem, errno)
  local prefix = path .. ": "
  if problem:sub(1, #prefix) == prefix then
    problem = problem:sub(#prefix + 1)
  end
  return nil, { reason = "io", message = problem, errno = errno }
end

--- What stands under a name.
-- @tparam string path
-- @treturn ?string "file", "directory" or "other" (a pipe, a socket or a
--   device); nil where there is none
function _M.kind(path)
  return core.kind(path)
end

-- Of a pipe it would wait for who is at the other end.
local function open(path, mode)
  if core.kind(path) == "other" then
    return nil, "it is a pipe, a socket or a device, not a file", NO_DEVICE
  end
  return io.open(path, mode)
end

--- The size of a file.
-- @tparam string path
-- @treturn ?number bytes, nil where there is none
function _M.size(path)
  local file = open(path, "rb")
  if not file then
    return nil
  end
  local size = file:seek "end"
  file:close()
  return size
end

--- Read a file.
-- @tparam string path
-- @tparam[opt] number bytes of its beginning; default all
-- @treturn ?string text
-- @treturn ?table failure
function _M.read(path, bytes)
  local file, problem, errno = open(path, "rb")
  if not file then
    return failed(path, problem, errno)
  end
  local text
  text, problem, errno = file:read(bytes or "*a")
  file:close()
  if not text and problem then
    return failed(path, problem, errno)
  end
  return text or ""
end

--- Write a file.
-- @tparam string path
-- @tparam string text
-- @tparam string mode "wb": anew, "ab": behind what is there, "r+b": over the
--   beginning of what is there. `starvideos.curl` takes one argument more, for
--   a new file that nobody but its owner may read
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.write(path, text, mode)
  local file, problem, errno = open(path, mode)
  if not file then
    return failed(path, problem, errno)
  end
  local written
  written, problem, errno = file:write(text)
  local closed, later, late_errno = file:close()
  if written and closed then
    return true
  end
  return failed(path, problem or later, problem and errno or late_errno)
end

--- Remove a file.
-- @tparam string path
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.remove(path)
  local ok, problem, errno = os.remove(path)
  if not ok then
    return failed(path, problem, errno)
  end
  return true
end

--- Give a finished file its name.
-- @tparam string part
-- @tparam string path
-- @tparam number bytes it must have
-- @tparam ?boolean overwrite
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.commit(part, path, bytes, overwrite)
  local size = _M.size(part)
  if size and size ~= bytes then
    return nil, { reason = "changed", message = "it has another size now" }
  elseif not overwrite and core.kind(path) then
    return nil, { reason = "exists", message = "it exists" }
  end
  local ok, problem, errno = os.rename(part, path)
  if not ok then
    return failed(part, problem, errno)
  end
  return true
end

--- Remove a file of no use; where there is none, that is well.
-- @tparam string part
-- @tparam ?boolean only_empty
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.discard(part, only_empty)
  local size = _M.size(part)
  if not size or only_empty and size > 0 then
    return true
  end
  return _M.remove(part)
end

--- The SHA-256 of a file: it cannot be told here.
-- @tparam string path
-- @treturn nil
-- @treturn table failure
function _M.sha256(path)
  return failed(path, "no digest without starvideos.curl")
end

--- Keep others from making a file: there is nobody that could be kept here.
-- @treturn boolean true
function _M.lock()
  return true
end

--- Let others make it.
-- @treturn boolean true
function _M.unlock()
  return true
end

return _M
