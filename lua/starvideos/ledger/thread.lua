-- Asks the orders on a thread of their own, and waits for the answer as the host waits:
-- a database that does not answer holds up no host. Until it answers, calls fail.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local methods = require "starvideos.ledger.methods"
local paths = require "starvideos.base.path"

local _M = {}

-- In seconds.
_M.policy = {
  patience = 10, -- without an answer of the thread, after which a call fails
  longest = 60, -- after which it fails though the thread answers others
  short = 1, -- the same for calls that an operation can do without
  cut = 15, -- without an answer of the server, whose connection is then ended
  retry = 2, -- between tries to write what could not be written
  file = 10, -- for which a fork waits for a statement on a file to finish
  server = 1, -- and for one on a server, which may be interrupted
  close = 2, -- for which closing waits for the thread
}

-- The thread has a Lua state of its own, which needs the modules that ours has: their
-- code, wherever the host has it from (a file, the archive of a game), and its paths for
-- the rest. It opens no file of Lua's: when it is made the host may be in another root,
-- or have no descriptor left.

--- The modules that the executor requires and that are written in Lua.
_M.names = { "DBI", "starvideos.provider.address", "starvideos.base.c_locale",
  "starvideos.base.json", "starvideos.base.redact", "starvideos.base.utf8" }
for name in (
  "changes database executor history lease"
  .. " limit_kinds limit_rows limit_settings limits location manual_changes methods"
  .. " orders owner queue queue_stops requests restoration schema sessions states"
  .. " store tasks"
  .. " transitions workers"
  ):gmatch "%S+" do
  _M.names[#_M.names + 1] = "starvideos.ledger." .. name
end

-- Upvalues that the chunk of a module may have: from Lua 5.2 on its environment.
local UPVALUES = _VERSION == "Lua 5.1" and 0 or 1

-- For a program that changes its directory before they are loaded. Lua opens a
-- module by the code page on Windows: there a name that is not ASCII stays away.
local function absolute(path)
  local here = core.directory()
  local is_safe = here and (core.system() == "posix"
    or not here:find "[\128-\255]")
  return is_safe and (path:gsub("[^;]+", function(template)
    return not paths.is_absolute(template) and here .. "/" .. template or nil
  end)) or path
end

local function file_of(name, path)
  for template in path:gmatch "[^;]+" do
    local file_name = template:gsub("%?", (name:gsub("%.", "/")))
    local file = io.open(file_name, "rb")
    if file then
      file:close()
      return file_name
    end
  end
end

-- The code that `require` would load; nil where it is none of Lua. A host may have
-- taken `debug` away.
local function code_of(name)
  for _, searcher in ipairs(package.searchers or package.loaders) do
    local found, loader = pcall(searcher, name)
    if found and type(loader) == "function" then
      local info = debug and debug.getinfo(loader, "Su")
      local ours = not info or info.what ~= "C" and info.nups <= UPVALUES
      local dumped, code = pcall(string.dump, loader)
      return ours and dumped and code or nil
    end
  end
end

-- What the other state looks for later it finds in no folder that the host has only
-- entered.
local function without_relative(path)
  return (path:gsub("[^;]+", function(template)
    return not paths.is_absolute(template) and "" or nil
  end))
end

-- The modules in C, where the host finds them.
local libraries = { "cjson", "starvideos.core", "dbd.sqlite3",
  "dbd.postgresql" }

--- What the other state needs, as plain data.
function _M.modules()
  local cpath = absolute(package.cpath)
  local code, files = {}, {}
  for _, name in ipairs(_M.names) do
    code[name] = code_of(name)
  end
  for _, name in ipairs(libraries) do
    files[name] = file_of(name, cpath)
  end
  return { path = without_relative(package.path),
    cpath = without_relative(package.cpath), code = code, files = files }
end

-- The first chunk of the other state.
local SOURCE = [[
local setup = ...
local modules = setup.modules
package.path, package.cpath = modules.path, modules.cpath
for name, code in pairs(modules.code) do
  package.preload[name] = assert((loadstring or load)(code, "=" .. name))
end
for name, file in pairs(modules.files) do
  package.preload[name] = function(...)
    return assert(package.loadlib(file, "luaopen_" .. name:gsub("%.", "_")))(...)
  end
end
return require "starvideos.ledger.executor" (setup.options, setup.retry)
]]

local function failure(message)
  return { kind = "ledger", message = message }
end

local reasons = {}

function reasons.timeout(actor)
  return failure(("the ledger has not answered for %d s")
    :format(math.max(1, math.floor(actor:busy_seconds()))))
end

function reasons.cancelled()
  return { kind = "cancelled", message = "stopped waiting for the ledger" }
end

function reasons.interrupted()
  return { kind = "cancelled", message = "interrupted while waiting for the"
    .. " ledger", interrupted = true }
end

-- For how long a runtime waits for an answer; see `starvideos.host`.
local function patience_for(actor, method)
  local policy = _M.policy
  local patience = method.brief and policy.short or policy.patience
  local deadline = core.now() + (method.brief and patience or policy.longest)
  return { finish = method.finish or method.no_cancel, left = function(is_closing)
    local silence = is_closing and policy.short or patience
    return math.min(silence - actor:busy_seconds(), deadline - core.now())
  end }
end

-- The message may have been answered in the last moment.
local function outcome(actor, why, ok, ...)
  if ok then
    return ...
  elseif why == "timeout" then
    actor:disconnect(_M.policy.cut)
  end
  return nil, why and reasons[why](actor)
    or failure("the ledger failed: " .. tostring((...)))
end

local function ask(actor, runtime, name, ...)
  local method = methods[name]
  local message, number = actor:post(method.finish or false, name, ...)
  if not message then
    return nil, failure("the thread of the ledger could not be started: "
      .. number)
  end
  local why = runtime:await(actor, message, number, patience_for(actor, method))
  if why then
    message:give_up()
  end
  return outcome(actor, why, message:result())
end

local function start_actor(runtime, options, is_server)
  databases.check(options.address) -- loads LuaDBI, whose code the thread gets
  return core.actor {
    source = SOURCE,
    setup = { modules = _M.modules(), options = options,
      retry = _M.policy.retry },
    fork_seconds = _M.policy[is_server and "server" or "file"],
    notifier = runtime.notifier and runtime:notifier() or nil,
  }
end

-- Make a function that asks. The thread starts when it is first called. `runtime`: with
-- `await` and, where its clients share actors, `actor`; see `starvideos.host`.
-- `is_server`: whether the ledger is not a file. Returns takes the name of a method of
-- the orders, the caller and its other arguments; `close` ends the thread unless others
-- share it.
function _M.new(runtime, options, is_server)
  local function make()
    return start_actor(runtime, options, is_server)
  end
  local is_shared = runtime.actor ~= nil
  local actor = is_shared and runtime:actor(("%s\0%s\0%s"):format(
    options.address, tostring(options.fsync), tostring(options.lease)), make)
    or make()
  local is_closed = false
  return function(method, ...)
    if method == "close" then
      is_closed = not is_shared -- the outcome of a sent order is still recorded
      return is_closed and actor:close(_M.policy.close)
    elseif is_closed then
      return nil, failure "the ledger was closed"
    end
    return ask(actor, runtime, method, ...)
  end
end

return _M
