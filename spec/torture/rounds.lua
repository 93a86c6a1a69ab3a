-- Rounds of torture: the program is started, alone or in two processes, and
-- killed at a random moment; or stopped while another recovers its orders, and
-- continued days later.

local core = require "starvideos.core"
local phases = require "spec.torture.phases"
local shell = require "starvideos.nginx.shell"

local unpack = table.unpack or unpack

local _M = {}

-- Scenes that a run has before it; each round begins one further.
local WINDOW = 3

-- Instructions of Lua in an undisturbed run, about.
local STEPS = 40000

-- Seconds that the other one has where it could see the one that is stopped,
-- and would wait for it.
local LONGEST = 4

-- By how much a run takes longer beside another.
local CROWDED = 1.4

-- A process that ended is waited for only after it was killed, so that no other
-- gets its number.
local PROCESS = [[
( @before@
  @lua@ spec/torture/orderer.lua @settings@ @slot@ @first@ @last@ KILL @own@ \
    >>@log@ 2>&1 </dev/null &
  pid=$!
  [ @outside@ = - ] || { sleep @outside@; kill -9 $pid; }
  wait $pid
  echo @slot@ $? ) 2>/dev/null &
]]

local KILLED = 137

-- The other one does not see it where it may have a namespace of its own.
local STOPPED = [=[
%s
@lua@ spec/torture/orderer.lua @settings@ 1 @first@ @last@ STOP @own@ \
  >>@log@ 2>&1 </dev/null &
pid=$!
is() { grep -qs "^State:[[:space:]]*[$1]" /proc/$pid/status; }
until is T || ! [ -e /proc/$pid ]; do sleep 0.02; done
is T && echo stopped
printf . >>@leap@
apart="unshare --pid --fork --mount-proc"
$apart true 2>/dev/null || apart="timeout --signal=KILL @longest@"
$apart @lua@ spec/torture/orderer.lua @settings@ 2 @first@ @last@ KILL \
  >>@log@ 2>&1 </dev/null
echo 2 $?
is T && kill -CONT $pid
wait $pid
echo 1 $?]=]

local Torture = {}
Torture.__index = Torture

-- At any time, seen from outside; at any instruction; or in one of the phases,
-- for some are so short that hardly anything else would hit them.
local function aimed(phase, most)
  if most < 1 then
    return ("%s:%.4fs"):format(phase, math.random() * most)
  end
  return ("%s:%d"):format(phase, math.random(most))
end

local function moment(self, count)
  local kind = math.random(5)
  if kind <= 2 then
    local life = self.life * (count > 1 and CROWDED or 1)
    return { outside = ("%.4f"):format(math.random() * life) }
  elseif kind == 3 then
    return { own = ("%d"):format(math.random(STEPS)) }
  end
  return { own = aimed(unpack(phases.aims[math.random(#phases.aims)])) }
end

-- While an order is bought: a process that saves a video holds its file, and
-- another would wait for it.
local function moment_of_stop()
  local aim
  repeat
    aim = phases.aims[math.random(#phases.aims)]
  until phases.buying[aim[1]]
  return aimed(unpack(aim))
end

local function command(self, slot, first, at)
  local words = { lua = self.lua, settings = self.settings, slot = slot,
    first = first, last = self.first + WINDOW - 1,
    outside = at.outside or "-", log = self.log }
  local text = PROCESS:gsub("@before@", function()
    return self.before or ""
  end):gsub("@own@", at.own or "")
  return shell.fill(text, words)
end

local function judge(self, slot, status)
  if status == KILLED then
    local phase, key = phases.read(self.marks .. "/" .. slot)
    self.kills = self.kills + 1
    self.ends[#self.ends + 1] = { phase = phase, key = key }
  elseif status ~= 0 then
    self.crashed = self.crashed + 1
  end
end

-- One process for each moment; false in its place means that it is not killed.
local function run(self, first, moments)
  local commands, statuses = {}, {}
  for slot, at in ipairs(moments) do
    commands[slot] = command(self, slot, first, at or {})
  end
  local output = shell.read(table.concat(commands) .. "wait")
  for slot, status in output:gmatch "(%d+) (%d+)" do
    statuses[tonumber(slot)] = tonumber(status)
  end
  for slot = 1, #moments do
    judge(self, slot, statuses[slot])
  end
end

--- Start the program and kill it.
-- @tparam number count of processes on the one ledger
function Torture:round(count)
  self.first = self.first + 1
  local moments = {}
  for slot = 1, count do
    moments[slot] = moment(self, count)
  end
  run(self, self.first, moments)
end

--- Stop the program, have another recover its orders once their leases are over,
-- and continue it.
function Torture:stop()
  self.first = self.first + 1
  local clocks = { "slept", "stopped" }
  local text = STOPPED:format(self.before):gsub("@own@", moment_of_stop())
  local output = shell.read(shell.fill(text, { lua = self.lua,
    settings = self.settings, first = self.first, log = self.log,
    last = self.first + WINDOW - 1, longest = LONGEST,
    leap = self.leaps .. "." .. clocks[math.random(#clocks)] }))
  self.stops = self.stops + (output:find "stopped" and 1 or 0)
  for slot, status in output:gmatch "(%d) (%d+)" do
    judge(self, tonumber(slot), tonumber(status))
  end
end

--- Let the program come to its end, as often as it takes to pass what goes
-- wrong once.
-- @tparam number times
function Torture:finish(times)
  self.before = nil
  for _ = 1, times do
    run(self, 1, { false })
  end
end

--- Make ready.
-- @tparam table options `lua` (the interpreter), `settings` and `log` (paths),
--   `marks` (a folder), `leaps` (what the paths of the files begin with by
--   which clocks leap, see `spec/fixtures/kernel.c`)
-- @treturn table torture with `kills`, `stops`, `crashed`, and `ends`: `phase`
--   and `key` of each kill; `before` may be set to shell commands that each
--   process is to be started behind
function _M.new(options)
  local self = setmetatable({ lua = options.lua, settings = options.settings,
    log = options.log, marks = options.marks, leaps = options.leaps, first = 1,
    kills = 0, stops = 0, crashed = 0, ends = {} }, Torture)
  local began = core.now()
  run(self, 1, { false })
  self.life = core.now() - began
  return self
end

return _M
