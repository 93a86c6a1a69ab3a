--- What a peer's requests take. Each peer is a program of its own:
--
--   PROGRAM URL KEY COUNT AT_ONCE [WAY]
--
-- prints the seconds that COUNT requests took, and the processor's seconds among
-- them, after others that open the connections. With no argument it prints its
-- versions.

local socket = require "socket"

local WARM_UP = 640

--- Run the program.
-- @tparam table peer `version()`, `one_by_one(count)` and, where the peer can have
--   many requests under way, `side_by_side(count, at_once)`
return function(peer)
  if not arg[1] then
    return print(peer.version() .. ", " .. _VERSION)
  end
  local count, at_once = tonumber(arg[3]), tonumber(arg[4])
  local run = at_once == 1 and peer.one_by_one or peer.side_by_side
  run(WARM_UP, at_once)
  local wall, cpu = socket.gettime(), os.clock()
  run(count, at_once)
  print(("%.9f %.9f"):format(socket.gettime() - wall, os.clock() - cpu))
end
