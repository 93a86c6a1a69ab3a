-- What `client:async` gives: an operation that is under way, to be looked at once a frame.

local errors = require "starvideos.errors"

---How far an operation has come.
---@class starvideos.Progress
---@field task? starvideos.Task of a wait: as last known
---@field elapsed? number of a wait: seconds since it began
---@field remaining? number of a wait: seconds until its timeout
---@field polls? integer of a wait: how often the provider was asked
---@field error? starvideos.Error of a wait: why the last poll failed
---@field ended? integer of many: how many have ended
---@field count? integer of many: how many there are
---@field received? integer of a download: bytes
---@field total? integer of a download: bytes; nil while it is unknown

local _M = {}

---An operation of `async` that is under way.
---@class starvideos.Handle
---@field done boolean whether it has ended
---@field result? any the first value that the body returned
---the second where the first is nil or false, or what the body raised
---@field err? starvideos.Error|any
---@field progress? starvideos.Progress how far it has come
---@field listener_error? any what a listener of `on_done` raised
local Handle = {}
local mt = {}

-- Made when it is read: progress that nobody shows costs nothing.
function mt:__index(name)
  if name == "progress" then
    local look = rawget(self, "look")
    return look and look()
  end
  return Handle[name]
end

-- What a listener raises ends neither the loop nor the other listeners.
local function tell(self, listener)
  local ok, raised = pcall(listener, self)
  if not ok and not self.listener_error then
    self.listener_error = raised
  end
end

local function settle(self, ok, value, second)
  self.done, self.stop = true, nil
  if not ok then
    self.err = value or "it raised " .. tostring(value)
  elseif value then
    self.result = value
  else
    self.err = second
  end
  local listeners = self.listeners
  self.listeners = nil
  for _, listener in ipairs(listeners or {}) do
    tell(self, listener)
  end
end

local function ended(group, ...)
  settle(group.handle, ...)
end

local function check(self, name)
  if getmetatable(self) ~= mt then
    errors.misuse(name .. ": call it with a colon on a handle of client:async")
  end
end

---Stop waiting. What is under way ends at the next updates, with an error of kind
---cancelled. An order on the wire is not interrupted: its answer is waited for, and the
---error has its task.
function Handle:cancel()
  check(self, "cancel")
  if self.stop then
    self.stop()
  end
end

---Have a function called when it is done; at once where it is.
---
---Raises where the listener is no function.
---```lua
---client:async(function()
---  return client:query "video_123"
---end):on_done(function(handle)
---  print(handle.result, handle.err)
---end)
---```
---@param listener fun(handle:starvideos.Handle) what it raises is kept in
---`listener_error`, and ends nothing
---@return starvideos.Handle handle
function Handle:on_done(listener)
  check(self, "on_done")
  if type(listener) ~= "function" then
    errors.misuse("on_done takes a function, not a " .. type(listener))
  elseif self.done then
    tell(self, listener)
  else
    self.listeners = self.listeners or {}
    self.listeners[#self.listeners + 1] = listener
  end
  return self
end

-- Starts an operation of a runtime that is frame or poll, and gives its handle.
function _M.start(runtime, body, ...)
  local self = setmetatable({ done = false }, mt)
  local group
  -- In a function, so that a dump of the handle shows no request's key.
  function self.stop()
    if group then
      runtime:cancel(group)
    end
  end
  local function run(...)
    runtime:current().handle = self
    return body(...)
  end
  group = runtime:start(ended, run, ...)
  return self
end

-- The handle of the running operation, unless it shows one thing already.
local function shown(runtime)
  local group = runtime.current and runtime:current()
  if group and not group.is_held then
    return group.handle, group
  end
end

-- Lets the handle of the running operation show how far it has come: what `look`
-- returns.
function _M.show(runtime, look)
  local self = shown(runtime)
  if self then
    self.look = look
  end
end

-- Lets it show one thing, whatever the parts of the operation show, until the function
-- that this returns is called.
function _M.hold(runtime, look)
  local handle, group = shown(runtime)
  if not handle then
    return function() end
  end
  handle.look, group.is_held = look, true
  return function()
    group.is_held = nil
  end
end

-- Lets it show what the listener of that name is told: `note` makes a table of its
-- first two arguments. The options are copied.
function _M.follow(runtime, options, name, note)
  local handle = shown(runtime)
  if not handle then
    return options
  end
  local copy = {}
  for key, value in pairs(options) do
    copy[key] = value
  end
  local listener = options[name]
  local first, second
  local function look()
    return note(first, second)
  end
  copy[name] = function(...)
    first, second = ...
    handle.look = look
    if listener then
      listener(...)
    end
  end
  return copy
end

return _M
