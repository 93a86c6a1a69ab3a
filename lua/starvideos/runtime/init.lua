--- How a client waits: a runtime does its network and its disk, and lets time
-- pass, as the host of the program has it. Four are there:
--
-- `block`: a call returns when its work is done, on the calling thread;
-- `frame`: operations go on in `update`, which a game calls once a frame;
-- `poll`: the same for event loops, which watch a descriptor;
-- `ngx`: a call waits in its light thread of nginx.
--
-- @module starvideos.runtime

local _M = {}

local modules = {
  block = "starvideos.runtime.block",
  frame = "starvideos.runtime.frame",
  poll = "starvideos.runtime.poll",
  ngx = "starvideos.runtime.ngx",
}

-- Where nginx runs Lua, blocking would hold up all its requests.
local function default()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase and "ngx" or "block"
end

--- Make a runtime.
-- @tparam table options of `starvideos.new`: `runtime`, `transport`, `clock`,
--   `sleep`, `ca_file`, `max_in_flight`
-- @tparam number level where a misuse is reported, as in `error`
-- @treturn table runtime
-- @treturn string its name
-- @raise where the host has no such runtime, or the runtime no such transport
function _M.new(options, level)
  local name = options.runtime or default()
  if name == "ngx" and default() ~= "ngx" then
    error("the runtime ngx is for nginx; here it is block, frame or poll",
      level + 1)
  elseif options.transport == "resty_http" and name ~= "ngx" then
    error("the transport resty_http needs the runtime ngx", level + 1)
  end
  return require(modules[name]).new(options), name
end

return _M
