-- The death of a process by its own hand, at an instruction that nobody
-- outside could hit.

local _M = {}

-- How many instructions lie between two looks at the count.
local STRIDE = 7

local function die()
  os.execute "kill -9 $PPID"
end

local function die_after(steps)
  debug.sethook(function()
    steps = steps - STRIDE
    if steps <= 0 then
      die()
    end
  end, "", STRIDE)
end

-- From outside, while this process goes on.
local function die_in(seconds)
  os.execute(("me=$PPID; { sleep %s; kill -9 $me; } >&- 2>&- &")
    :format(seconds))
end

--- Prepare it.
-- @tparam ?string moment `STEPS`: after so many instructions of Lua;
--   `PHASE:STEPS`: so many after the phase has begun for the first time;
--   `PHASE:SECONDSs`; nil: never
-- @tparam table phases see `spec.torture.phases`
function _M.prepare(moment, phases)
  local phase, count, unit = (moment or ""):match "^(%a*):?([%d.]+)(s?)$"
  if phase == "" then
    die_after(tonumber(count))
  elseif phase then
    phases.on(phase, function()
      (unit == "s" and die_in or die_after)(tonumber(count))
    end)
  end
end

return _M
