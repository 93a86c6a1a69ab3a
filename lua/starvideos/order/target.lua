--- The file that a path means, and whether a video can be saved there. A file has
-- one name here, however its path is spelt: a link is what it leads to.
-- @module starvideos.order.target

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local output_path = require "starvideos.order.output_path"
local part_file = require "starvideos.order.part_file"
local paths = require "starvideos.base.path"

local _M = {}

local function blocked(message)
  return errors.new { kind = "io", target = "blocked", message = message }
end

local function not_writable(path, failure)
  if failure.reason == "cancelled" then
    return errors.new { kind = "cancelled",
      message = "stopped while checking whether " .. path .. " can be written" }
  end
  return blocked(("cannot write %s: %s"):format(path,
    tostring(failure.message)))
end

--- The path of the file itself, which stays the same when the program changes its
-- directory.
-- @tparam table runtime
-- @tparam string path
-- @treturn ?string path
-- @treturn ?string|table kind of what is there, see `csrc/system/disk_job.h`; or
--   err of kind io (a link to nothing, links in a circle, a path of a folder) or
--   cancelled
function _M.find(runtime, path)
  if paths.unified(path):find "/%.?%.?$" then
    return nil, blocked(path .. " is a directory; name a file in it")
  end
  local real, there = runtime:disk("real", path)
  if not real then
    return nil, not_writable(path, there)
  end
  return real, there
end

-- Of a ledger in a file, with what SQLite keeps beside it.
local LEDGERS = { "", "-wal", "-shm", "-journal" }

-- Why no video may have the name of a file, whatever may be overwritten: it is one
-- of the library's own.
local function reserved(context, file, path)
  local problem = output_path.ending(file)
  local address = context.ledger and context.ledger.address
  for _, ending in ipairs(address and LEDGERS or {}) do
    if core.folded(file) == core.folded(address .. ending) then
      problem = "is the ledger"
    end
  end
  return problem and blocked(("%s %s; choose another name"):format(path, problem))
end

-- Why a file cannot be written; nil where it can.
local function obstacle(context, file, there, path, overwrite)
  local err = reserved(context, file, path)
  if err then
    return err
  elseif there == "directory" then
    return blocked(path .. " is a directory; name a file in it")
  elseif there == "other" then
    return blocked(path .. " is a pipe, a socket or a device; choose another"
      .. " name")
  elseif there and not overwrite then
    return errors.new { kind = "io", target = "exists", message = path
      .. " already exists; choose another name, or allow overwriting" }
  end
  local ok, failure = part_file.probe(context.runtime, file)
  return not ok and not_writable(path, failure) or nil
end

--- Whether a video can be saved at a path, without leaving a trace. Asked before
-- anything is ordered.
-- @tparam table context
-- @tparam string path
-- @tparam ?boolean overwrite
-- @treturn ?string path of the file itself
-- @treturn ?table err of kind io or cancelled
function _M.check(context, path, overwrite)
  local file, there = _M.find(context.runtime, path)
  if not file then
    return nil, there
  end
  local err = obstacle(context, file, there, path, overwrite)
  return not err and file or nil, err
end

--- The options of an order with the path of the file itself, and how that was
-- `given`: an order may be recorded under that.
-- @tparam table context
-- @tparam table options with `path`
-- @treturn ?table options
-- @treturn ?table err; nothing was ordered
function _M.resolved(context, options)
  local path, problem = _M.find(context.runtime, options.path)
  local err = not path and problem or reserved(context, path, options.path)
  if err then
    err.message = err.message .. "; nothing was ordered"
    return nil, err
  end
  return setmetatable({ path = path,
    given = core.absolute(options.path) or options.path },
    { __index = options })
end

return _M
