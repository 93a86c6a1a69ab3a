---@meta starvideos.loop.copas
-- Made by `make types`, for editors; nothing requires it.
-- luacheck: ignore

---Attach a client to copas.
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
---@return fun(body:function|starvideos.Handle,...):any await in a coroutine, calls body, which may wait, and gives what it returned, or nil and what it raised; instead of body also a handle, which gives its result and err. Copas 1 closes the socket of a server's handler only where that waited for it last: after an await the handler must close it
---@return fun() detach lets go of the client; `client:close()` does the same
local function attach(client) end

return attach
