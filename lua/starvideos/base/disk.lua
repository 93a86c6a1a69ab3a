--- The jobs on files that a download needs, in plain Lua, for a host that has
-- no libcurl. `starvideos.curl` has the same ones as `disk`, and does them
-- better: a file that is given its name here may still be lost with the power,
-- has no digest, may be read by others as the umask allows, and may be made by
-- two processes at once.
--
-- A job fails with nil and a table: `reason` (exists, changed or io),
-- `message` and, where the system gave one, `errno`.
-- @module starvideos.base.disk

local core = require "starvideos.core"

local _M = {}

-- The same number on every system.
local EXISTS = 17

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

--- The path of a file itself: links are followed, as far as there is something.
-- @tparam string path
-- @treturn ?string path, absolute
-- @treturn ?string|table what stands there, see `kind`; or failure: of a link to
--   nothing, of links in a circle
function _M.real(path)
  local real, problem, errno = core.real(path)
  if not real then
    return failed(path, problem, errno)
  end
  return real, core.kind(real)
end

--- The size of a file.
-- @tparam string path
-- @treturn ?number bytes, nil where there is none
function _M.size(path)
  return core.file_size(path)
end

--- Read a file.
-- @tparam string path
-- @tparam[opt] number bytes of its beginning; default all
-- @tparam[opt] boolean own none that others may have put there
-- @treturn ?string text
-- @treturn ?table failure
function _M.read(path, bytes, own)
  local file, problem, errno = core.open(path, "rb", own)
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

--- Write a file that the library keeps beside one of the user's. What others may
-- have put there, a link or a file of another account, is not written: it is
-- removed, or that fails.
-- @tparam string path
-- @tparam string text
-- @tparam string mode "wb": a new one, "ab": behind what is there, "r+b": over
--   the beginning of what is there
-- @tparam ?boolean _ for a new file that nobody but its owner may read; here it is
--   like others
-- @tparam[opt] number at where to write over what is there; `starvideos.curl` ends
--   the file behind that
-- @treturn ?boolean true
-- @treturn ?table failure
function _M.write(path, text, mode, _, at)
  local file, problem, errno = core.open(path, mode, true)
  if not file then
    return failed(path, problem, errno)
  end
  local written = true
  if at then
    written, problem, errno = file:seek("set", at)
  end
  if written then
    written, problem, errno = file:write(text)
  end
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
  local ok, problem, errno = core.remove(path)
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
    return nil, { reason = "changed", message = "its size has changed" }
  end
  local ok, problem, errno = core.rename(part, path, overwrite)
  if errno == EXISTS then
    return nil, { reason = "exists", message = "it already exists" }
  elseif not ok then
    return failed(part, problem, errno)
  end
  return true
end

--- Remove a file that is of no use; it need not be there.
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

--- Make a directory, and those above it that are missing.
-- @tparam string path
-- @treturn ?boolean true, also where it is there
-- @treturn ?table failure
function _M.make_directory(path)
  local ok, problem, errno = core.make_directory(path)
  if not ok then
    return failed(path, problem, errno)
  end
  return true
end

--- The SHA-256 of a file: plain Lua cannot tell it.
-- @tparam string path
-- @tparam[opt] number _ from which byte
-- @tparam[opt] number to which byte; of a file that the library keeps beside one of
--   the user's, and others cannot have put there
-- @treturn ?boolean false where there is such a file
-- @treturn ?table failure
function _M.sha256(path, _, to)
  local file, problem, errno = nil, "no digest without starvideos.curl", nil
  if to then
    file, problem, errno = core.open(path, "rb", true)
  end
  if not file then
    return failed(path, problem, errno)
  end
  file:close()
  return false
end

--- Look what a file is, by its bytes.
-- @tparam string path
-- @treturn ?string container, see `csrc/rules/video.h`; false of what is no
--   video that is known
-- @treturn ?string `whole`, `cut` or `trailed`; or the failure
function _M.video(path)
  local file, problem, errno = core.open(path, "rb")
  if not file then
    return failed(path, problem, errno)
  end
  local container, state, number = file:video()
  file:close()
  if container == nil then
    return failed(path, state, number)
  end
  return container, state
end

--- Keep other processes from making a file: plain Lua cannot.
-- @treturn boolean true
function _M.lock()
  return true
end

--- Let other processes make it.
-- @treturn boolean true
function _M.unlock()
  return true
end

return _M
