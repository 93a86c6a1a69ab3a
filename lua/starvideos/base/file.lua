-- Files that a person names, in UTF-8: io.open would take the name for one of the code
-- page on Windows. A pipe or a device may be named, too.

local core = require "starvideos.core"

local _M = {}

-- Open what a person has named. `mode`: "rb", "wb", "ab" or "r+b" (default "rb").
-- Returns with `read`, `write` and `close`, as those of io.open, and why not, the path
-- first.
function _M.open(path, mode)
  if core.kind(path) == "other" then
    return io.open(path, mode or "rb")
  end
  return core.open(path, mode or "rb")
end

return _M
