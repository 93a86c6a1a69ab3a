-- Order, wait for and save a list of videos, some at a time, in a program that runs until
-- the last is saved.

local intervals = require "starvideos.wait.interval"
local order_lists = require "starvideos.fleet.order_list"
local errors = require "starvideos.errors"
local generate = require "starvideos.order.generate"
local handle = require "starvideos.host.handle"
local paths = require "starvideos.base.path"
local saving = require "starvideos.fleet.saving"

-- Orders at a time, where the caller does not say.
local AT_MOST = 5

-- Every further order would meet these, too: they are not begun.
local hopeless = { auth = true, config = true }

-- Options of the call that every order is made with.
local passed = { "timeout", "interval", "max_interval", "first_poll",
  "accept", "overwrite", "stall_timeout", "min_free" }

local function path_of(self, entry)
  if paths.is_absolute(entry.path) then
    return entry.path
  end
  return self.directory .. "/" .. entry.path
end

local function listener_of(self, name, order)
  local listener = self.options[name]
  return listener and function(...)
    listener(order, ...)
  end
end

-- An absolute path names its order as `generate` does.
local function options_of(self, entry)
  local key, other_key = entry.key, entry.other_key
  if not entry.order.key and paths.is_absolute(entry.path) then
    key, other_key = nil, entry.given
  end
  local options = { path = path_of(self, entry), key = key,
    other_key = other_key, take = entry.take, label = entry.label,
    limit_timeout = self.options.limit_timeout or self.options.timeout
      or intervals.policy.timeout }
  for _, name in ipairs(passed) do
    options[name] = self.options[name]
  end
  for _, name in ipairs { "on_progress", "on_download" } do
    options[name] = listener_of(self, name, entry.order)
  end
  local on_task = listener_of(self, "on_task", entry.order)
  function options.on_task(task)
    entry.task, self.refused = task, 0
    if on_task then
      on_task(task)
    end
  end
  return options
end

-- The error of all further orders; nil if err is of one order alone. Two refusals in a
-- row mean that the others would be refused, too.
local function obstacle(self, err)
  if err.kind == "cancelled" then
    return { kind = "cancelled", message = "stopped before it was begun;"
      .. " nothing was ordered", interrupted = err.interrupted }
  elseif hopeless[err.kind] or err.unpaid then
    self.refused = self.refused + 1
    return self.refused > 1 and { kind = err.kind, status = err.status, code = err.code,
      unpaid = err.unpaid,
      message = "not begun, for other orders were refused: " .. err.message } or nil
  end
end

local function finish(self, entry, task, file)
  local err = not task and file or nil
  self.results[entry.index] = { task = task, file = task and file or nil,
    err = err }
  self.ended = self.ended + 1
  self.obstacle = self.obstacle or err and obstacle(self, err)
  if self.options.on_done then
    self.options.on_done(entry.order, task and file or nil, err)
  end
end

local function make(self, entry)
  if self.obstacle then
    local fields = {}
    for name, value in pairs(self.obstacle) do
      fields[name] = value
    end
    return finish(self, entry, nil, errors.new(fields))
  end
  finish(self, entry, generate(self.context, entry.params,
    options_of(self, entry)))
end

-- Before anything is ordered: a video that has no place cannot be saved.
local function make_folders(self)
  local made = {}
  for _, entry in ipairs(self.entries) do
    local path = path_of(self, entry)
    local folder = path:match "^(.*)/"
    if not made[folder] then
      local ok, err = saving.make_folder(self.context.runtime, path)
      if not ok then
        err.message = err.message .. "; nothing was ordered"
        return nil, err
      end
      made[folder] = true
    end
  end
  return true
end

-- Ctrl-C may end what waits for an order at any instruction.
local function interrupt_rest(self)
  for _, entry in ipairs(self.entries) do
    if not self.results[entry.index] then
      finish(self, entry, nil, entry.task and errors.interrupted(entry.task)
        or errors.new { kind = "cancelled", interrupted = true,
          message = "interrupted before it was known to be ordered" })
    end
  end
end

local function stopped(self)
  local done = 0
  for _, result in ipairs(self.results) do
    done = done + (result.file and 1 or 0)
  end
  return errors.new {
    kind = "cancelled",
    message = ("stopped; %d of %d videos saved: %s"):format(done,
      #self.results, self.context.ledger and "call it again for the rest, which"
        .. " orders none twice" or "`result` says what was ordered"),
    result = self.results,
    interrupted = self.obstacle.interrupted,
  }
end

return function(context, list, options)
  local checked, err = order_lists.check(context, list,
    { label = options.label, names_files = true,
      directory = options.directory or "." })
  if not checked then
    return nil, err
  end
  local self = { context = context, options = options, results = {}, ended = 0, refused = 0,
    entries = checked.entries, directory = options.directory or "." }
  local ok
  ok, err = make_folders(self)
  if not ok then
    return nil, err
  end
  local release = handle.hold(context.runtime, function()
    return { ended = self.ended, count = #self.entries }
  end)
  saving.each(context.runtime, self.entries, function(entry)
    make(self, entry)
  end, options.at_most or AT_MOST)
  release()
  interrupt_rest(self)
  if self.obstacle and self.obstacle.kind == "cancelled" then
    return nil, stopped(self)
  end
  return self.results
end
