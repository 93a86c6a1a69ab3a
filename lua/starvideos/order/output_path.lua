--- Where the video of one of many orders is to lie: below a folder that is known
-- when it is saved, perhaps on another machine.
-- @module starvideos.order.output_path

local core = require "starvideos.core"
local fingerprint = require "starvideos.base.fingerprint"
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

-- Whether a path is as simple as most are: it is its own normal form, and no
-- part of it is at fault.
local function is_plain(path, system)
  return system == "posix" and #path <= NAME_BYTES and not path:find "^[./]"
    and not path:find "/[./]"
end

--- Whether a path is one that the library needs for another video.
-- @tparam string path
-- @treturn ?string the end of a sentence that says so
function _M.ending(path)
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

-- The same of the text as it was given.
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
  local problem = _M.ending(path)
  return problem and "bad_path", problem
end

--- A path as it names a file, however it was written: with slashes.
-- @param path
-- @tparam[opt] string system "posix" or "windows"; default: this one
-- @treturn ?string path
-- @treturn ?string code of what is wrong with it
-- @treturn ?string the end of a sentence that says so
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

--- The folders of a path, from the top.
-- @tparam string path
-- @treturn function iterates over their paths
function _M.folders(path)
  local at = 1
  return function()
    at = path:find("/", at + 1, true)
    return at and path:sub(1, at - 1)
  end
end

--- The file name for an order that has a key and no path.
-- @tparam string key
-- @tparam number take
-- @treturn string
function _M.of_key(key, take)
  local ending = (take > 1 and (".take-%d"):format(take) or "") .. ".mp4"
  local safe = key:gsub("[^%w._-]", "_"):gsub("^%.", "_")
  safe = paths.is_device(safe) and "_" .. safe or safe
  if safe ~= key or #safe + #ending > NAME_BYTES then
    ending = ("-%08x"):format(fingerprint.of(key)) .. ending
    safe = safe:sub(1, NAME_BYTES - #ending)
  end
  return safe .. ending
end

return _M
