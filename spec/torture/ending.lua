-- A process that kills or stops itself, at an instruction that could not be hit
-- from outside.

local _M = {}

-- How many instructions lie between two looks at the count.
local STRIDE = 7

local function end_after(steps, signal)
  debug.sethook(function()
    steps = steps - STRIDE
    if steps <= 0 then
      debug.sethook()
      os.execute(("kill -%s $PPID"):format(signal))
    end
  end, "", STRIDE)
end

-- From outside, while this process goes on.
local function end_in(seconds, signal)
  os.execute(("me=$PPID; { sleep %s; kill -%s $me; } >&- 2>&- &")
    :format(seconds, signal))
end

--- Prepare it.
-- @tparam ?string moment `STEPS`: after so many instructions of Lua;
--   `PHASE:STEPS`: so many after the phase has begun for the first time;
--   `PHASE:SECONDSs`; nil: never
-- @tparam string signal KILL, or STOP
-- @tparam table phases see `spec.torture.phases`
function _M.prepare(moment, signal, phases)
  local phase, count, unit = (moment or ""):match "^(%a*):?([%d.]+)(s?)$"
  if phase == "" then
    end_after(tonumber(count), signal)
  elseif phase then
    phases.on(phase, function()
      (unit == "s" and end_in or end_after)(tonumber(count), signal)
    end)
  end
end

return _M
