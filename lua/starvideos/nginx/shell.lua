-- Commands of the system, started from plain Lua.

local _M = {}

-- Quote a word for the shell.
function _M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- Fill a command's `@name@` places with quoted words. `words`: by name; strings or
-- numbers.
function _M.fill(command, words)
  return (command:gsub("@([%w_]+)@", function(name)
    return _M.quote(tostring(words[name]))
  end))
end

-- Run a command and wait for it. Returns whether it exited with 0, and whether a signal
-- ended it.
function _M.run(command)
  local result, how = os.execute(command)
  if type(result) == "number" then
    -- Lua 5.1 returns the status of waitpid(): the signal in the low bits.
    return result == 0, result % 128 ~= 0
  end
  return result == true, how == "signal"
end

-- Run a command and read what it prints, without the last line end.
function _M.read(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("\n$", ""))
end

-- Why nginx cannot be started here: that takes the programs of a POSIX system.
-- `system`: as `core.system()` names it. `what`: runs in it. `instead`: what to do.
-- Returns nil where it can.
function _M.refusal(system, what, instead)
  if system == "windows" then
    return ("%s runs in an nginx that this library does not start on Windows:"
      .. " %s"):format(what, instead)
  end
end

return _M
