---@meta starvideos.loop.cqueues
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore

---Attach a client to a controller.
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
---@return fun(body:function|starvideos.Handle,...):any await in a coroutine, calls body, which may wait, and gives what it returned, or nil and what it raised; instead of body also a handle, which gives its result and err
---@return fun() detach lets go of the client; `client:close()` does the same
local function attach(client, cq) end

return attach
