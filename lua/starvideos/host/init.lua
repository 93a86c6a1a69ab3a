-- How a client waits: a runtime does its network and its disk, and lets time pass, as
-- the host of the program has it. There are four:
--
-- - `block`: a call returns when its work is done, on the calling thread;
-- - `frame`: operations go on in `update`, which a game calls once a frame;
-- - `poll`: the same for event loops, which watch a descriptor;
-- - `ngx`: a call waits in its light thread of nginx.
--
-- What a runtime can do, and what a request, a response and a failure hold, stands in
-- `docs/contracts.md` ("How a client waits").

local core = require "starvideos.core"
local errors = require "starvideos.errors"

local _M = {}

-- The module of each, and its function that makes one.
local makers = {
  block = { "starvideos.host.block", "new" },
  frame = { "starvideos.host.loop", "frame" },
  poll = { "starvideos.host.loop", "poll" },
  ngx = { "starvideos.host.ngx", "new" },
}

-- Where nginx runs Lua, blocking would hold up all its requests.
local function default()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase and "ngx" or "block"
end

-- A runtime, and its name. Raises if the host has no such runtime, or the runtime no
-- such transport.
function _M.new(options)
  local name = options.runtime or default()
  if name == "ngx" and default() ~= "ngx" then
    errors.misuse("the runtime ngx is for nginx; here it is block, frame or poll")
  elseif name == "ngx" and core.system() == "windows" then
    errors.misuse("the runtime ngx does not run on Windows: there this library is for"
      .. " scripts, loops and games (block, poll, frame)")
  elseif options.transport == "resty_http" and name ~= "ngx" then
    errors.misuse("the transport resty_http needs the runtime ngx")
  end
  local module, maker = makers[name][1], makers[name][2]
  return require(module)[maker](options), name
end

return _M
