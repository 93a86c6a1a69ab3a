-- What the adapters of event loops have in common: they are told of a client's work and
-- of its end, and give the host's coroutines `await`.

local contexts = require "starvideos.context"
local errors = require "starvideos.errors"

local _M = {}

local Attachment = {}
Attachment.__index = Attachment

-- A mistake names the line that calls the adapter.
local function runtime_of(client)
  local context = contexts.of(client)
  if not (context and context.runtime.pollfd) then
    errors.misuse("an event loop takes a client of starvideos.new"
      .. " with runtime = \"poll\"")
  elseif context.runtime:is_attached() then
    errors.misuse("this client is attached to a loop already")
  end
  return context.runtime
end

-- Attach a client to a loop. `host`: `wake()`, called when an operation was begun or
-- cancelled outside of `update`; `stop()`, called to let go of the descriptor. Raises
-- for a client with another runtime, or attached already. Returns attachment with
-- `client`, and `attached` until its end.
function _M.new(client, host)
  local self = setmetatable({ client = client, host = host, attached = true,
    runtime = runtime_of(client) }, Attachment)
  self.runtime:attach {
    wake = host.wake,
    stop = function()
      self:detach()
    end,
  }
  return self
end

--- Stop looking after the client. A second time does nothing.
function Attachment:detach()
  if self.attached then
    self.attached = false
    self.runtime:attach(nil)
    self.host.stop()
  end
end

-- Whether operations are under way that the loop is to look after.
function Attachment:is_busy()
  return self.attached and self.runtime:is_busy()
end

local function check_place(self)
  local thread, is_main = coroutine.running()
  if not thread or is_main then
    errors.misuse("await is for coroutines: here use client:async")
  elseif self.runtime:current() then
    errors.misuse("await is not for client:async: call the operation itself")
  end
end

local unpack = table.unpack or unpack

-- Update the client in a coroutine of the host, while operations are under way. `rest`:
-- lets that coroutine sleep until an update is due. `updated`: called after each
-- update.
function Attachment:pump(rest, updated)
  while self:is_busy() do
    rest()
    if self.attached then
      self.client:update()
    end
    if updated then
      updated()
    end
  end
  self.pumping = false
end

-- Start the coroutine that calls `pump`, where it is needed and not there.
function Attachment:wake(spawn)
  if not self.pumping and self:is_busy() then
    self.pumping = true
    spawn()
  end
end

-- Make what an adapter returns. `park`: lets the running coroutine of the host sleep
-- until the handle it is given is done.
function Attachment:functions(park)
  local function detach()
    self:detach()
  end
  return function(body, ...)
    check_place(self)
    local results
    local function keep(...)
      results = { n = select("#", ...), ... }
      return ...
    end
    local handle = body
    if type(body) == "function" then
      handle = self.client:async(function(...)
        return keep(body(...))
      end, ...)
    elseif type(body) ~= "table" or not body.on_done then
      errors.misuse("await takes a function or a handle, not a " .. type(body))
    end
    if not handle.done then
      park(handle)
    end
    if results then
      return unpack(results, 1, results.n)
    end
    return handle.result, handle.err
  end, detach
end

return _M
