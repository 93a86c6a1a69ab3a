--- Which process is sending an order, and whether it is still there to do so.
--
-- A process is told from another of the same number by the time it started,
-- and a machine from itself after a reboot by the kernel's boot id. Where
-- there is no /proc, or the process runs elsewhere, nothing can be told, and
-- the lease that the owner left decides.
-- @module starvideos.ledger.owner

local core = require "starvideos.core"

local _M = {}

local function first_line(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local line = file:read "*l"
  file:close()
  return line
end

-- Number, state and start time. The second field is the program's name in
-- parentheses, which may hold anything.
local function process(which)
  local line = first_line("/proc/" .. which .. "/stat")
  local number, rest = (line or ""):match "^(%d+) .*%) (.*)$"
  if not number then
    return nil
  end
  local state, start = rest:match("^(%S)" .. (" %S+"):rep(18) .. " (%d+)")
  return number, start, state
end

local here

local function machine()
  if not here then
    local host = first_line "/proc/sys/kernel/hostname" or "localhost"
    local boot = first_line "/proc/sys/kernel/random/boot_id" or "-"
    here = host:gsub("%s", "-") .. " " .. boot
  end
  return here
end

-- A process may have several Lua states.
local state_name = tostring({}):gsub("[^%w]", "")

local current, current_id

--- This process, and this Lua state in it.
-- @treturn string host, boot, number, start time and state
function _M.current()
  local id = core.process_id()
  if id ~= current_id then
    local number, start = process "self"
    current = ("%s %s %s %s"):format(machine(), number or "-", start or "-",
      state_name)
    current_id = id
  end
  return current
end

--- Whether a process still runs.
-- @tparam ?string name as `current` gave it
-- @treturn ?boolean nil where that cannot be told from here
function _M.is_alive(name)
  if not name then
    return false
  elseif name == _M.current() then
    return true
  end
  local host, boot, number, start = name:match(("(%S+) "):rep(4) .. "%S+$")
  local own_host, own_boot = machine():match "^(%S+) (%S+)$"
  if host ~= own_host or own_boot == "-" or number == "-" then
    return nil
  elseif boot ~= own_boot then
    return false
  end
  local found, began, state = process(number)
  return found ~= nil and began == start and state ~= "Z" and state ~= "X"
end

return _M
