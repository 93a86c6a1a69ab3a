-- Names of files, by the rules of the system they are for.
--
-- On Windows a backslash separates parts as a slash does, a path may begin with a
-- drive, and some names are no files. What is kept, and what names an order, has
-- slashes there too, so that one file has one name.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"

local _M = {}

local here = core.system()

-- Names that are devices, with whatever ending.
local devices = { con = true, prn = true, aux = true, nul = true }
for number = 1, 9 do
  devices["com" .. number], devices["lpt" .. number] = true, true
end

-- A path with slashes, its drive as a capital letter. `system`: "posix" or "windows";
-- default: this one.
function _M.unified(path, system)
  if (system or here) ~= "windows" then
    return path
  end
  return (path:gsub("\\", "/"):gsub("^%a:", c_locale.upper))
end

-- Whether a path says for itself where it leads: from a root, or on a drive.
function _M.is_absolute(path, system)
  if (system or here) == "windows" then
    return path:find "^[/\\]" ~= nil or path:find "^%a:" ~= nil
  end
  return path:sub(1, 1) == "/"
end

-- Whether a path that is kept leads from a root, on whichever system that is.
function _M.is_rooted(path)
  return path:find "^/" ~= nil or path:find "^%a:/" ~= nil
end

-- What an absolute path begins with, before its first part. Returns such as "/", "C:/"
-- or "//".
function _M.root(path, system)
  if (system or here) == "windows" then
    return path:match "^%a:/" or path:match "^//" or path:match "^/" or ""
  end
  return path:match "^/" or ""
end

-- The folder of a file. Returns nil where the path names none.
function _M.folder(path, system)
  return _M.unified(path, system):match "^(.+)/[^/]*$"
end

-- Whether a name means a device. `name`: of a file, without its folder.
function _M.is_device(name, system)
  return (system or here) == "windows"
    and devices[c_locale.lower(name):match "^[^.]*":gsub("%s+$", "")] == true
end

-- Why a file cannot have a name. `name`: without its folder. Returns the end of a
-- sentence.
function _M.fault(name, system)
  if (system or here) ~= "windows" then
    return nil
  elseif _M.is_device(name, system) then
    return "has the name of a device (" .. name .. ")"
  elseif name:find '[<>:"|?*]' then
    return 'holds one of < > : " | ? *, which no file name takes on Windows'
  elseif name:find "[. ]$" then
    return "has a name that ends in a dot or a blank, which Windows leaves out"
  end
end

return _M
