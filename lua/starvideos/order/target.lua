-- The path of a video: whether it can be one, the file that it means, and whether a video
-- can be saved there. A file has one name here, however its path is spelt: a link is what
-- it leads to.

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local fingerprint = require "starvideos.base.fingerprint"
local part_file = require "starvideos.order.part_file"
local paths = require "starvideos.base.path"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- What stands beside a video while it is made.
local ENDINGS = { ".part", ".part.json", ".lock" }

-- The longest name that most file systems take, less the longest such ending.
local NAME_BYTES = 255 - #".part.json"
local FOLDER_BYTES = 255

-- Short enough for an index of every database: an order may be named by it.
local PATH_BYTES = 1024

-- The parts of a path, less what means nothing in it.
local function parts_of(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    parts[#parts + 1] = part ~= "." and part or nil
  end
  return parts
end

-- Whether a path is its own normal form and has no fault, as most are.
local function is_plain(path, system)
  return system == "posix" and #path <= NAME_BYTES and not path:find "^[./]"
    and not path:find "/[./]"
end

-- Why a path cannot be that of a video: the library needs it beside another one.
local function taken_ending(path)
  local folded = core.folded(path)
  for _, ending in ipairs(ENDINGS) do
    if folded:sub(-#ending) == ending then
      return ("ends in %s, as the files do that are kept beside an unfinished"
        .. " video"):format(ending)
    end
  end
end

-- What is wrong with the parts: a code and the end of a sentence.
local function fault_of(parts, system)
  for index, part in ipairs(parts) do
    local fault = paths.fault(part, system)
    if fault and part ~= ".." then
      return "bad_path", fault
    elseif part == ".." then
      return "bad_path", "leads out of its folder (..)"
    elseif #part > (parts[index + 1] and FOLDER_BYTES or NAME_BYTES) then
      return "too_long", ("has a name of %d bytes, and a file system takes %d")
        :format(#part, parts[index + 1] and FOLDER_BYTES or NAME_BYTES)
    end
  end
end

-- The same of the whole text.
local function fault_in(path)
  if type(path) ~= "string" then
    return "type", "must be a text, not a " .. type(path)
  elseif path == "" then
    return "bad_path", "is empty"
  elseif path:find "[%c\127]" then
    return "bad_path", "holds a NUL, a line break or another control character"
  elseif not utf8.is_valid(path) then
    return "encoding", "is not valid UTF-8"
  elseif #path > PATH_BYTES then
    return "too_long", ("has %d bytes, and %d is the most"):format(#path,
      PATH_BYTES)
  elseif path:find "/$" or path:find "^%.$" or path:find "/%.$" then
    return "bad_path", "names a folder, not a file"
  end
  local problem = taken_ending(path)
  return problem and "bad_path", problem
end

-- A path as it names a file, however it was written, with slashes; or nil, the code of what
-- is wrong with it, and the end of a sentence that says so.
function _M.normal(path, system)
  system = system or core.system()
  path = type(path) == "string" and paths.unified(path, system) or path
  local code, problem = fault_in(path)
  if code then
    return nil, code, problem
  end
  if is_plain(path, system) then
    return path
  end
  local root = paths.root(path, system)
  local parts = parts_of(path:sub(#root + 1))
  code, problem = fault_of(parts, system)
  if code then
    return nil, code, problem
  end
  return root .. table.concat(parts, "/")
end

-- An iterator over the folders of a path, from the top.
function _M.folders(path)
  local at = 1
  return function()
    at = path:find("/", at + 1, true)
    return at and path:sub(1, at - 1)
  end
end

-- A text as a file name that every system takes, but for its length.
function _M.safe(text)
  local name = text:gsub("[^%w._-]", "_"):gsub("^%.", "_")
  return paths.is_device(name) and "_" .. name or name
end

-- The file name for an order that has a key and no path.
function _M.of_key(key, take)
  local ending = (take > 1 and (".take-%d"):format(take) or "") .. ".mp4"
  local safe = _M.safe(key)
  if safe ~= key or #safe + #ending > NAME_BYTES then
    ending = ("-%08x"):format(fingerprint.of(key)) .. ending
    safe = safe:sub(1, NAME_BYTES - #ending)
  end
  return safe .. ending
end

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

-- The path of the file itself, which stays the same when the program changes its directory,
-- and the kind of what is there (see `csrc/system/disk_job.h`); or nil and an err of kind
-- io (a link to nothing, links in a circle, a path of a folder) or cancelled.
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

-- Why no video may have the name of a file: it is one of the library's own.
local function reserved(context, file, path)
  local problem = taken_ending(file)
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

-- The path of the file itself, if a video can be saved there; asked before anything is
-- ordered, and leaves no trace. Or nil and an err of kind io or cancelled.
function _M.check(context, path, overwrite)
  local file, there = _M.find(context.runtime, path)
  if not file then
    return nil, there
  end
  local err = obstacle(context, file, there, path, overwrite)
  return not err and file or nil, err
end

-- The options of an order with the path of the file itself, and how that was `given`: an
-- order may be recorded under that.
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
