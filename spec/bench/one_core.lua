-- Client and server on one core. On two of a virtual machine, most of what a
-- request takes is to wake the core that waits, and how long that lasts depends
-- on what ran before.

local server = require "spec.bench.server"
local shell = require "starvideos.nginx.shell"

-- Every thread of this process, which is the shell's parent.
local function keep_to(cores)
  shell.read(("taskset -acp %s $PPID"):format(cores))
end

--- Measure something at a server. What `body` starts keeps to that core, too.
-- @tparam function body `(server) -> ...`
-- @return what that returned first
return function(body)
  local cores = shell.read("taskset -cp $PPID"):match ": (%S+)"
  keep_to(cores:match "%d+")
  local result = server.with(body)
  keep_to(cores)
  return result
end
