--- The streams of a person at a terminal, in UTF-8. A console of Windows gives and
-- takes texts of the code page, unless it is asked for all characters there are.
-- @module starvideos.cli.terminal

local core = require "starvideos.core"

local _M = {}

-- How long a call may keep Ctrl-C from being noticed.
local NOTICE_SECONDS = 0.1

--- Wait for a line from the person at the terminal, wherever stdin comes from.
-- Ctrl-C is raised between two looks.
-- @treturn ?string without its end; nil where there will be none
function _M.read_line()
  local line
  repeat
    line = core.read_terminal(NOTICE_SECONDS)
  until line ~= nil
  return line or nil
end

local function is_console(descriptor)
  return core.system() == "windows" and core.is_terminal(descriptor)
end

-- All that is typed until the end, which is Ctrl-Z there.
local function read_all()
  local lines = {}
  for line in _M.read_line do
    lines[#lines + 1] = line .. "\n"
  end
  return table.concat(lines)
end

--- What stdin gives.
-- @tparam file stdin
-- @treturn table with `read`
function _M.input(stdin)
  return is_console(0) and { read = read_all } or stdin
end

--- What takes texts for stdout or stderr.
-- @tparam number descriptor
-- @tparam file stream
-- @treturn table with `write` and `flush`
function _M.output(descriptor, stream)
  if not is_console(descriptor) then
    return stream
  end
  return {
    write = function(self, ...)
      local ok, why = core.write_terminal(descriptor, table.concat { ... })
      return ok and self, why
    end,
    flush = function() return true end,
  }
end

return _M
