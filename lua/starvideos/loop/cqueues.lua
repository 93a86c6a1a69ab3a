-- A client in a controller of cqueues: `cq:loop` looks after it, and returns when no
-- operation is under way and no other coroutine is left.

local attachments = require "starvideos.loop.attachment"
local errors = require "starvideos.errors"

local function park(handle)
  local ended = require("cqueues.condition").new()
  handle:on_done(function()
    ended:signal()
  end)
  while not handle.done do
    ended:wait()
  end
end

---Attach a client to a controller.
---
---Raises for a client with another runtime, or attached already.
---```lua
---local cq = cqueues.new()
---local client = assert(starvideos.new{ api_key = key, runtime = "poll" })
---local await = require("starvideos.loop.cqueues")(client, cq)
---cq:wrap(function()
---  local task, err = await(function() return client:wait(id) end)
---end)
---assert(cq:loop())
---```
---@param client starvideos.Client with the runtime `poll`
---@param cq? table the controller; default the running one
---@return fun(body:function|starvideos.Handle,...):any await in a coroutine, calls
---body, which may wait, and gives what it returned, or nil and what it raised; instead
---of body also a handle, which gives its result and err
---@return fun() detach lets go of the client; `client:close()` does the same
return function(client, cq)
  local cqueues = require "cqueues"
  cq = cq or cqueues.running()
  if cqueues.type(cq) ~= "controller" then
    errors.misuse("this takes a client and a controller of cqueues.new()")
  end
  local attachment, descriptor
  local function pump()
    attachment:pump(function()
      cqueues.poll(client)
    end)
  end
  local function wake()
    attachment:wake(function()
      cq:wrap(pump)
    end)
  end
  attachment = attachments.new(client, {
    wake = wake,
    stop = function()
      cqueues.cancel(descriptor)
    end,
  })
  descriptor = client:pollfd()
  wake()
  return attachment:functions(park)
end
