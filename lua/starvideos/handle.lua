--- What `client:async` gives: an operation that is under way, to be looked at
-- once a frame.
-- @classmod starvideos.handle

local _M = {}

local Handle = {}
Handle.__index = Handle

-- A listener's fault is its own: neither the loop nor the others pay for it.
local function tell(self, listener)
  local ok, raised = pcall(listener, self)
  if not ok and not self.listener_error then
    self.listener_error = raised
  end
end

local function settle(self, ok, value, second)
  self.done = true
  if ok and value then
    self.result = value
  else
    self.err = not ok and value or second
  end
  local listeners = self.listeners
  self.listeners = nil
  for _, listener in ipairs(listeners) do
    tell(self, listener)
  end
end

--- Stop waiting. What is under way ends at the next updates, with an error of
-- kind cancelled; an order on the wire is not torn: its answer is waited for,
-- and the error carries its task.
function Handle:cancel()
  if not self.done and self.group then
    self.runtime():cancel(self.group)
  end
end

--- Have a function called when it is done; at once where it is.
-- @tparam function listener gets the handle. What it raises is kept in
--   `listener_error` and harms nobody
-- @treturn table handle
function Handle:on_done(listener)
  if self.done then
    tell(self, listener)
  else
    self.listeners[#self.listeners + 1] = listener
  end
  return self
end

--- Start an operation.
-- @tparam table runtime frame or poll
-- @tparam function body
-- @param ... its arguments
-- @treturn table handle with `done` (boolean), `result` (the first value that
--   the body returned), `err` (the second where the first is nil or false, or
--   what the body raised) and `progress`: nil, or a table of what was last
--   told, with `task`, `elapsed`, `remaining` and `polls` of a wait, `received`
--   and `total` (bytes) of a download
function _M.start(runtime, body, ...)
  local self = setmetatable({
    done = false,
    listeners = {},
    runtime = function() return runtime end, -- not for a dump of the handle
  }, Handle)
  local function run(...)
    runtime:current().handle = self
    return body(...)
  end
  self.group = runtime:start(function(...)
    settle(self, ...)
  end, run, ...)
  return self
end

-- The options of a call with listeners that note what they are told.
local function listening(options, name, note)
  local copy = {}
  for key, value in pairs(options) do
    copy[key] = value
  end
  local listener = options[name]
  copy[name] = function(...)
    note(...)
    if listener then
      listener(...)
    end
  end
  return copy
end

--- Let the handle of the running operation know its progress.
-- @tparam table runtime
-- @tparam table options of a call
-- @tparam table notes for the name of each listener, what to make of its
--   arguments: a table
-- @treturn table options
function _M.follow(runtime, options, notes)
  local group = runtime.current and runtime:current()
  local self = group and group.handle
  for name, read in pairs(self and notes or {}) do
    options = listening(options, name, function(...)
      self.progress = read(...)
    end)
  end
  return options
end

--- What `generate` tells its listener of an order that is through.
function _M.of_task(task)
  return { task = task }
end

--- What a wait tells its listener.
function _M.of_wait(task, info)
  return { task = task, elapsed = info.elapsed, remaining = info.remaining,
    polls = info.polls }
end

--- What a download tells its listener.
function _M.of_download(received, total)
  return { received = received, total = total }
end

return _M
