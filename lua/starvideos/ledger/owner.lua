-- Which process is sending an order, and whether it still runs.
--
-- A process differs from another of the same number by the time it started, and from
-- one of another container by its PID namespace, whose name holds for one run of one
-- kernel. Of a process that cannot be seen from here the lease decides.

local core = require "starvideos.core"

local _M = {}

local function word(text)
  text = (text or ""):gsub("%s", "-")
  return text == "" and "-" or text
end

local here

-- What stays the same for a process and all it forks.
local function surroundings()
  here = here or {
    host = word(core.machine "name"),
    boot = word(core.machine "boot"),
    processes = word(core.namespace "pid"),
    time = word(core.namespace "time"),
  }
  here.clock = here.clock or here.boot .. " " .. here.time
  return here
end

-- A process may have several Lua states.
local state_name = tostring({}):gsub("[^%w]", "")

local current, current_id

local function start_time(id)
  local _, start = core.lifetime(id)
  return start or "-"
end

-- This process, and this Lua state in it. Returns host, boot, PID namespace, time
-- namespace, number, start time and state.
function _M.current()
  local id = core.process_id()
  if id ~= current_id then
    local where = surroundings()
    current = ("%s %s %s %s %d %s %s"):format(where.host, where.boot,
      where.processes, where.time, id, start_time(id), state_name)
    current_id = id
  end
  return current
end

-- The name of the clock that goes on while the machine sleeps: two processes with the
-- same name read the same time from it.
function _M.clock()
  return surroundings().clock
end

-- The host name of the machine.
function _M.host()
  return surroundings().host
end

local WORDS = "^(%S+) (%S+) (%S+) (%S+) (%d+) (%S+) %S+$"

-- Whether a process that there is is the one; nil where the system hides those of
-- others, or shows those of another namespace.
local function is_same(number, start, time)
  local own_start = _M.current():match "(%S+) %S+$"
  if own_start == "-" then
    return nil
  end
  local runs, began = core.lifetime(tonumber(number))
  if runs ~= true then
    return runs
  elseif time ~= surroundings().time or start == "-" then
    return nil -- the time it started is given by the reader's clock
  end
  return began == start
end

-- Whether a process still runs. `name`: as `current` gave it. Returns nil where that
-- cannot be told from here.
function _M.is_alive(name)
  if not name then
    return false
  end
  local host, boot, processes, time, number, start = name:match(WORDS)
  local where = surroundings()
  -- Machines that were made of one snapshot share the boot, and more.
  if host ~= where.host or boot ~= where.boot or boot == "-"
    or processes ~= where.processes or processes == "-" then
    return nil
  elseif core.process_exists(tonumber(number)) == false then
    return false
  end
  return is_same(number, start, time)
end

return _M
