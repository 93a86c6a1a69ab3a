-- A client in copas: `copas.loop` looks after it. The loop of Copas 1 never returns;
-- call `copas.step` until you have what you want. Copas waits by select, which knows
-- descriptors below 1024 only.

local attachments = require "starvideos.loop.attachment"
local core = require "starvideos.core"

-- The client's descriptor in the shape of a socket of LuaSocket, which is to
-- be looked at when it is readable or `due`. `receive` first says that it timed
-- out, so that copas waits, and then that all is well.
local function socket_of(client)
  local self = { waited = true }
  function self.getfd()
    return self.spare and self.spare:getfd() or client:pollfd()
  end
  function self.left()
    return self.due and math.max(0, self.due - core.now())
  end
  function self.dirty()
    return self.spare ~= nil or self.left() == 0
  end
  function self.receive()
    self.waited = not self.waited
    return self.waited or nil, "timeout"
  end
  function self.arm()
    local seconds = client:timeout()
    self.due = seconds and core.now() + seconds
  end
  -- A socket in place of the descriptor, which is closed: select takes none
  -- without a number, and the thread that waits for this one must be woken.
  function self.replace()
    local sockets = require "socket"
    self.spare = (sockets.udp4 or sockets.udp)()
  end
  function self.close()
    self.due = nil
    if self.spare then
      self.spare:close()
    end
  end
  return self
end

-- Copas 1 has no timers: only the caller of `step` says how long it waits. From
-- here on `step` waits no longer than the client may. Gives what restores it.
local function limit_step(copas, socket)
  local step = copas.step
  local function limited(timeout)
    local left = socket.left()
    if left and not (timeout and timeout >= 0 and timeout < left) then
      timeout = left
    end
    return step(timeout)
  end
  copas.step = limited
  return function()
    if copas.step == limited then
      copas.step = step
    end
  end
end

-- In copas 1.2 of 2010 a thread cannot wait for nothing in particular. It puts a
-- thread where it is told to, and resumes one that is added again.
local nowhere = { insert = function() end, push = function() end }

local function park_in(copas, wake)
  return function(handle)
    local thread = coroutine.running()
    handle:on_done(function()
      wake(thread)
    end)
    if copas.wakeup then
      copas.sleep(-1)
    else
      coroutine.yield(handle, nowhere)
    end
  end
end

---Attach a client to copas.
---
---Raises for a client with another runtime, or attached already.
---```lua
---local client = assert(starvideos.new{ api_key = key, runtime = "poll" })
---local await = require("starvideos.loop.copas")(client)
---copas.addthread(function()
---  local task, err = await(function() return client:wait(id) end)
---end)
---copas.loop()
---```
---@param client starvideos.Client with the runtime `poll`
---@return fun(body:function|starvideos.Handle,...):any await in a coroutine, calls
---body, which may wait, and gives what it returned, or nil and what it raised; instead
---of body also a handle, which gives its result and err. Copas 1 closes the socket of a
---server's handler only where that waited for it last: after an await the handler must
---close it
---@return fun() detach lets go of the client; `client:close()` does the same
return function(client)
  local copas = require "copas"
  local socket, woken = socket_of(client), {}
  local attachment, restore
  local resume = copas.wakeup or copas.addthread
  local function resume_woken()
    while woken[1] do
      resume(table.remove(woken, 1))
    end
  end
  local function rest()
    socket.arm()
    copas.receive(socket)
  end
  local function pump()
    attachment:pump(rest, resume_woken)
    socket.close()
  end
  local function wake()
    attachment:wake(function()
      copas.addthread(pump)
    end)
  end
  attachment = attachments.new(client, { wake = wake, stop = function()
    restore()
    if attachment.pumping then
      socket.replace()
    end
  end })
  restore = limit_step(copas, socket)
  wake()
  return attachment:functions(park_in(copas, function(thread)
    if attachment.pumping then
      woken[#woken + 1] = thread
    else
      resume(thread)
    end
  end))
end
