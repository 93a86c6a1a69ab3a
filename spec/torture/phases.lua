-- What a process is doing, noted where others can read it once it was killed.

local _M = {}

--- Every phase, in the order of an order's life; "create" is told apart
-- later.
_M.names = { "start", "place", "begin", "submit", "connect", "answer",
  "answered", "record", "resume", "wait", "poll", "ended", "download",
  "placing", "rename", "saved" }

--- Those that a moment may be aimed at: how many instructions of Lua, or
-- seconds, each may take.
_M.aims = {
  { "place", 600 }, { "begin", 600 }, { "submit", 600 }, { "create", 400 },
  { "create", 0.06 }, { "answered", 600 }, { "record", 600 },
  { "resume", 1000 }, { "wait", 400 }, { "poll", 0.03 }, { "ended", 600 },
  { "download", 1000 }, { "download", 0.1 }, { "placing", 600 },
  { "rename", 60 }, { "saved", 600 },
}

--- Those of them in which an order is about to be sent, is sent, or has been.
_M.buying = { place = true, begin = true, submit = true, create = true,
  answered = true, record = true }

-- As long as the longest phase and key together.
local WIDTH = 60

local file
local current, subject = "start", "-"
local listeners = {}

-- `key` is that of the order it is about, or the path that names it.
local function enter(name, key)
  current, subject = name, (key or "-"):gsub("^.*/", ""):gsub("%.mp4$", "")
  file:seek "set"
  file:write((name .. " " .. subject .. (" "):rep(WIDTH)):sub(1, WIDTH))
  file:flush()
end

--- Have a function called when a phase begins for the first time.
-- @tparam string name
-- @tparam function listener
function _M.on(name, listener)
  listeners[name] = listener
end

local function begin(name, key)
  enter(name, key)
  local listener = listeners[name]
  listeners[name] = nil
  if listener then
    listener()
  end
end

--- What was noted last.
-- @tparam string path
-- @treturn string name
-- @treturn ?string key
function _M.read(path)
  local marks = io.open(path, "rb")
  local name, key
  if marks then
    name, key = marks:read("*a"):match "^(%S+) (%S+)"
    marks:close()
  end
  return name or "start", key
end

local function back(name, key, ...)
  enter(name, key)
  return ...
end

-- The phase of each function of a module, given its arguments.
local function wrap(module, phase_of)
  for name, phase in pairs(phase_of) do
    local original = module[name]
    module[name] = function(...)
      local before, about = current, subject
      if type(phase) == "function" then
        begin(phase(...))
      else
        begin(phase)
      end
      return back(before, about, original(...))
    end
  end
end

-- The phases of each object that a module makes.
local function wrap_new(module, phase_of)
  local new = module.new
  module.new = function(...)
    local object = new(...)
    wrap(object, phase_of)
    return object
  end
end

--- Note the phases of this process from here on.
-- @tparam string path
function _M.watch(path)
  file = assert(io.open(path, "wb"))
  enter "start"
  local key
  wrap_new(require "starvideos.ledger", {
    begin = function(_, wanted) return "begin", wanted.key end,
    submitting = function(_, row) return "submit", row.order_key end,
    resolve = function(_, row) return "record", row.order_key end,
    seen = "ended",
    placing = "placing",
    downloaded = "saved",
  })
  wrap(require "starvideos.order.recorder", {
    place = function(_, _, options)
      key = options.key
      return "place", key
    end,
  })
  wrap(require "starvideos.provider.exchange", {
    call = "poll",
    order = function() return "create", key end,
  })
  wrap(require "starvideos.provider.answer", {
    read = function(operation)
      if operation.billable then
        return "answered", key
      end
      return current, subject
    end,
  })
  wrap(require "starvideos.fleet.resume", { all = "resume" })
  wrap(require "starvideos.wait", { one = "wait" })
  wrap(require "starvideos.order.download", { save = "download" })
  wrap_new(require "starvideos.order.part_file", { place = "rename" })
end

return _M
