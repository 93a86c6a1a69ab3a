-- A client in the loop of luv: `uv.run` looks after it, and returns when no operation
-- is under way and nothing else holds the loop.

local attachments = require "starvideos.loop.attachment"

-- Raises in a callback of the loop, which reports it as any other error.
local function resume(thread)
  local ok, raised = coroutine.resume(thread)
  if not ok then
    error(debug.traceback(thread, tostring(raised)), 0)
  end
end

local function parker(uv)
  return function(handle)
    local thread, wake = coroutine.running(), nil
    wake = assert(uv.new_async(function()
      wake:close()
      resume(thread)
    end))
    handle:on_done(function()
      wake:send()
    end)
    coroutine.yield()
  end
end

-- What the loop watches for a client, which keeps the loop from returning
-- only while operations are under way.
local function handles_of(uv, client)
  local handles = { poll = assert(uv.new_socket_poll(client:pollfd())),
    timer = uv.new_timer(), idle = uv.new_idle() }
  handles.timer:unref()
  handles.idle:unref()
  return handles
end

-- An idle handle and no timer where an update is due at once: a timer of 0 ms
-- that starts itself again keeps libuv from looking at anything else.
local function arm(handles, seconds, look)
  handles.timer:stop()
  handles.idle:stop()
  if seconds == 0 then
    handles.idle:start(look)
  elseif seconds then
    handles.timer:start(math.ceil(seconds * 1000), 0, look)
  end
end

-- Closes the handles in the loop's next turn and not at once: where a Lua state
-- ends with handles half closed, luv 1.44 crashes. A timer that is due comes
-- before any new watch of the same descriptor.
local function close_soon(handles)
  handles.poll:stop()
  handles.idle:stop()
  handles.timer:start(0, 0, function()
    for _, handle in pairs(handles) do
      handle:close()
    end
  end)
end

---Attach a client to the loop.
---
---Raises for a client with another runtime, or attached already.
---```lua
---local client = assert(starvideos.new{ api_key = key, runtime = "poll" })
---local await = require("starvideos.loop.luv")(client)
---coroutine.wrap(function()
---  local task, err = await(function() return client:wait(id) end)
---end)()
---uv.run()
---```
---@param client starvideos.Client with the runtime `poll`
---@param uv? table the module to use, such as `vim.uv`; default luv
---@return fun(body:function|starvideos.Handle,...):any await in a coroutine, calls
---body, which may wait, and gives what it returned, or nil and what it raised; instead
---of body also a handle, which gives its result and err
---@return fun() detach lets go of the client; `client:close()` does the same
return function(client, uv)
  uv = uv or require "luv"
  local attachment, handles
  local function hold()
    handles.poll[attachment:is_busy() and "ref" or "unref"](handles.poll)
  end
  local function look()
    client:update()
    if attachment.attached then
      arm(handles, client:timeout(), look)
      hold()
    end
  end
  attachment = attachments.new(client, {
    wake = hold,
    stop = function()
      close_soon(handles)
    end,
  })
  handles = handles_of(uv, client)
  assert(handles.poll:start(client:events(), look))
  arm(handles, client:timeout(), look)
  hold()
  return attachment:functions(parker(uv))
end
