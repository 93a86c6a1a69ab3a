--- The jobs on files that a download needs, in plain Lua, for a host that has
-- no libcurl. `starvideos.curl` does the same ones as `disk`, and better: what
-- is given a name here may still be lost with the power, may replace a file
-- that comes up this moment, and has no digest.
--
-- A job fails with nil and a table: `reason` (exists, changed or io),
-- `message` and, where the system gave one, `errno`.
-- @module starvideos.disk

local _M = {}

-- The same number on every system that has these at all.
local NO_ENTRY, IS_DIRECTORY = 2, 21

local function failed(path, problem, errno)
  local prefix = path .. ": "
  if problem:sub(1, #prefix) == prefix then
    problem = problem:sub(#prefix + 1)
  end
  return nil, { reason = "io", message = problem, errno = errno }
end

--- The size of a file.
-- @tparam string path
-- @treturn ?number bytes, nil where there is none
function _M.size(path)
  local file = io.open(path, "rb")
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
  local file, problem, errno = io.open(path, "rb")
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
--   beginning of what is there
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.write(path, text, mode)
  local file, problem, errno = io.open(path, mode)
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

--- Whether a path leads to a directory.
-- @tparam string path
-- @treturn boolean
function _M.is_directory(path)
  local file = io.open(path, "rb")
  if not file then
    return false
  end
  local _, _, errno = file:read(0)
  file:close()
  return errno == IS_DIRECTORY
end

-- One that may not be read is there, too.
local function exists(path)
  local file, _, errno = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil or errno ~= NO_ENTRY
end

--- Give a finished file its name.
-- @tparam string part
-- @tparam string path
-- @tparam number bytes it must have
-- @tparam ?boolean overwrite
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.place(part, path, bytes, overwrite)
  local size = _M.size(part)
  if size and size ~= bytes then
    return nil, { reason = "changed", message = "it has another size now" }
  elseif not overwrite and exists(path) then
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

return _M
