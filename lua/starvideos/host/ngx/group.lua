--- Functions that run side by side, each in a light thread of the request.
-- @module starvideos.host.ngx.group

local wakeups = require "starvideos.host.ngx.wakeups"
local waiters = require "starvideos.host.ngx.waiter"

local _M = {}

local Group = {}
Group.__index = Group

local LONG_SECONDS = 3600

-- The group of each light thread. Weak on both sides: a group knows its
-- threads.
local group_of = setmetatable({}, { __mode = "kv" })

local function add(self, body)
  self.last = self.last + 1
  self.bodies[self.last] = body
  self.open = self.open + 1
end

local function take(self)
  local body = self.bodies[self.first]
  if body then
    self.bodies[self.first] = nil
    self.first = self.first + 1
  end
  return body
end

local function run(self, body)
  local ok, raised = pcall(body, self.also)
  if not ok and not self.failed then
    self.failed, self.raised = true, raised
  end
  self.open = self.open - 1
  if self.open == 0 or self.failed then
    self.waiter:wake()
  end
end

-- A light thread runs one function after the other: nginx frees the memory of a
-- thread only at the end of the request.
local function work(self)
  local waiter = waiters.new()
  while not self:is_orphaned() do
    local body = take(self)
    if body then
      run(self, body)
    else
      self.idle[waiter] = true
      waiter:wait(LONG_SECONDS)
      self.idle[waiter] = nil
    end
  end
  waiter:leave()
end

local function spawn(self)
  self.threads[#self.threads + 1] = ngx.thread.spawn(function()
    group_of[coroutine.running()] = self
    work(self)
  end)
end

--- The group that the running light thread belongs to.
-- @treturn ?table group
function _M.of_running()
  return group_of[coroutine.running()]
end

--- Whether the thread that waits for the group was killed, or the one that
-- waits for that thread.
-- @treturn boolean
function Group:is_orphaned()
  return self.orphaned or self.parent ~= nil and self.parent:is_orphaned()
end

--- Run all to their end.
-- @raise what one of them raises; the others are killed then
function Group:run()
  wakeups.watch(self)
  while self.open > 0 and not self.failed do
    if self.bodies[self.first] and not next(self.idle) then
      spawn(self)
    else
      self.waiter:wait(LONG_SECONDS)
    end
  end
  wakeups.forget(self)
  self.waiter:leave()
  for _, thread in ipairs(self.threads) do
    ngx.thread.kill(thread)
  end
  if self.failed then
    error(self.raised, 0)
  end
end

--- Make a group.
-- @tparam table functions each is called with `also(fn)`, which adds one
-- @treturn table group
function _M.new(functions)
  local self = setmetatable({
    bodies = {}, first = 1, last = 0, open = 0,
    threads = {}, idle = {}, waiter = waiters.new(), orphaned = false,
    parent = _M.of_running(),
  }, Group)
  for _, body in ipairs(functions) do
    add(self, body)
  end
  function self.also(body)
    add(self, body)
    local waiter = next(self.idle) or self.waiter
    self.idle[waiter] = nil
    waiter:wake()
  end
  return self
end

return _M
