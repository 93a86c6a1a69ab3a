-- nginx, started and stopped. The gateway's is attached: a child of this process in a
-- session of its own, which ends with this process, however that ends. The sandbox's is
-- in the background and, where root starts it, all of it runs as an unprivileged
-- account. Its folder must hold a folder `logs` before it starts; see `supervise.sh`.

local accounts = require "starvideos.nginx.account"
local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local shell = require "starvideos.nginx.shell"

local _M = {}

--- What a shell command begins with that starts nginx, which is not on the path of
-- ordinary users.
_M.PATH = 'PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"\n'

local MODULE_DIRECTORIES = {
  "/usr/lib/nginx/modules/", "/usr/share/nginx/modules/",
  "/usr/lib64/nginx/modules/", "/usr/local/lib/nginx/modules/",
}
-- The first is what the second is built on.
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

-- Of packages of the systems (Debian's lib has a folder for each architecture),
-- and of OpenResty.
local LUA = "/usr/local/share/lua/5.1 /usr/share/lua/5.1 /usr/share/lua/common"
  .. " /usr/share/luajit-2.* /usr/local/openresty/site/lualib"
  .. " /usr/local/openresty/lualib"
local C = "/usr/local/lib/lua/5.1 /usr/lib/*/lua/5.1 /usr/lib64/lua/5.1"
  .. " /usr/lib/lua/5.1 /usr/local/openresty/site/lualib"
  .. " /usr/local/openresty/lualib"

local function templates(folders, forms)
  local list = {}
  for folder in shell.read("for folder in " .. folders
    .. "; do [ ! -d $folder ] || echo $folder; done"):gmatch "[^\n]+" do
    for _, form in ipairs(forms) do
      list[#list + 1] = folder .. form
    end
  end
  return table.concat(list, ";")
end

-- The files of nginx's Lua module, in the order to load them in. Returns paths; nil
-- where something is not installed, and what is missing.
function _M.modules()
  if not shell.run(_M.PATH .. "command -v nginx >/dev/null") then
    return nil, "nginx is not installed: install the package nginx"
  end
  for _, directory in ipairs(MODULE_DIRECTORIES) do
    if file.exists(directory .. MODULES[2]) then
      local found = {}
      for _, name in ipairs(MODULES) do
        found[#found + 1] = file.exists(directory .. name)
          and directory .. name or nil
      end
      return found
    end
  end
  return nil, "nginx has no Lua module: install the package "
    .. "libnginx-mod-http-lua"
end

-- The system's.
function _M.paths()
  return templates(LUA, { "/?.lua", "/?/init.lua" }), templates(C, { "/?.so" })
end

local Server = {}
Server.__index = Server

local SUPERVISE = file.beside "supervise.sh"

-- Below the ports that outgoing connections are given.
local LOWEST_PORT, PORTS = 10240, 22000
local ATTEMPTS = 10

-- Who a sandbox runs as where root starts it: it has no secret to keep from others.
local ACCOUNTS = { "nobody", "www-data" }

local CLAIM_SECONDS, START_SECONDS, STEP_SECONDS = 5, 60, 0.02

-- Signals, and the seconds that nginx has to end after each.
local ATTACHED_END = { { "QUIT", 120 }, { "TERM", 5 }, { "KILL", 5 } }
local DETACHED_END = { { "TERM", 1 }, { "KILL", 2 } }

-- What nginx says of itself, in the words of the command.
local reasons = {
  { "bind%(%) to (%S+) failed %(98", "%s is in use by another program: choose"
    .. " another port with --port" },
  { "bind%(%) to (%S+) failed %(13", "only root may listen on %s: choose a port"
    .. " from 1024 on with --port" },
  { "bind%(%) to (%S+) failed %(99", "this machine has no address for %s: see"
    .. " --listen" },
  { "cannot load certificate key%s+(.*)$", "--tls-key cannot be used: %s" },
  { "cannot load certificate%s+(.*)$", "--tls-cert cannot be used: %s" },
  { "key values mismatch", "--tls-key is not the key of --tls-cert" },
  { "init_by_lua error: (.*)$", "%s" },
}

-- Why nginx did not start, in a sentence. `text`: that it printed.
function _M.reason(text)
  local raised = text:match "init_by_lua error: (.-)\nstack traceback"
  if raised then
    return (raised:gsub("^init_by_lua[^ ]* ", ""):gsub("\n", " "))
  end
  local line = text:match "%[emerg%] ([^\n]*)" or text:match "%[%l+%] ([^\n]*)"
    or text:match "^[^\n]*"
  for _, row in ipairs(reasons) do
    local part = line:match(row[1])
    if part then
      return (row[2]:gsub("%%s", (part:gsub("%%", "%%%%"))))
    end
  end
  return line
end

-- A port that is probably free; nginx finds out when it binds it.
function _M.port()
  local high, low = assert(core.random_bytes(2)):byte(1, 2)
  return LOWEST_PORT + (256 * high + low) % PORTS
end

-- Run by sh as the account of nginx. Another program of that account may put a link where
-- a file of the folder was: root opens none of them.
function Server:command(script, ...)
  local words = { self.as .. "sh -c " .. shell.quote(script) .. " sh" }
  for index, word in ipairs { self.prefix, ... } do
    words[index + 1] = shell.quote(tostring(word))
  end
  return _M.PATH .. "exec " .. table.concat(words, " ")
end

function Server:await(seconds, is_done)
  for _ = 1, seconds / STEP_SECONDS do
    if is_done() then
      return true
    end
    self.wait(STEP_SECONDS)
  end
  return is_done()
end

function Server:what()
  return file.read(self.state):match "^[^\n]*"
end

function Server:reason()
  local text = file.read(self.prefix .. "/logs/start.log")
  return text ~= "" and _M.reason(text)
    or ("nginx has ended: see %s/logs/error.log"):format(self.prefix)
end

-- Lines for the other process.
function Server:tell(line)
  self.pipe:write(line, "\n")
  self.pipe:flush()
end

-- So that nothing is written into the folder of another.
local function claim(self)
  os.remove(self.state)
  self.pipe = assert(io.popen(self:command(SUPERVISE, self.state), "w"))
  self:await(CLAIM_SECONDS, function()
    return self:what() ~= ""
  end)
  if self:what() == "ready" then
    return true
  end
  return nil, self:what() ~= "" and self:reason()
    or ("the folder %s cannot be written to"):format(self.prefix)
end

-- Where root starts it, it is another account's; until it starts its folder is root's,
-- who writes there.
local function demote(self)
  if shell.read "id -u" ~= "0" then
    return true
  end
  for _, name in ipairs(ACCOUNTS) do
    local account = accounts.find(name)
    if account then
      self.as, self.owner = account.as, account.user .. ":" .. account.gid
      return (shell.run(shell.fill("chown -h 0:0 @prefix@", self))),
        self.prefix .. " is not root's"
    end
  end
  return nil, "nginx is not run as root here: make an account named nobody"
end

-- The account may have no access to a folder above it.
local function hand_over(self)
  if not self.owner or shell.run(shell.fill("chown -hR @owner@ @prefix@", self))
    and shell.run(self:command 'cd / && test -w "$1"') then
    return true
  end
  return nil, ("the account %s cannot write to %s: give others access to the folders"
    .. " above it (chmod o+x), or choose another"):format(
    self.owner:match "^[^:]+", self.prefix)
end

local function launch(self, key)
  local done, why = true, nil
  if self.pipe then
    self:tell(key)
  else
    done, why = hand_over(self)
    if done then
      done = shell.run(self:command(SUPERVISE))
    end
  end
  -- It writes its number once it has bound its sockets.
  if done then
    -- Of one that is not attached only programs can tell whether it has ended.
    local function has_answered()
      return self:pid() or self.pipe and self:has_ended()
    end
    for _ = 1, START_SECONDS do
      if self:await(1, has_answered) or self:has_ended() then
        break
      end
    end
    self.group = self:pid()
    done = self.group and not self:has_ended()
  end
  return done, not done and (why or self:reason()) or nil
end

local function try(self, options)
  local done, why = (options.key and claim or demote)(self)
  if done then
    done, why = options.configure()
  end
  if done then
    done, why = launch(self, options.key)
  end
  if not done then
    self:release()
  end
  return done and self or nil, why
end

-- Start nginx. `options.prefix`: its folder, absolute. `options.configure`: `() -> true
-- | nil, what is wrong`: chooses the ports and writes `nginx.conf`, which it removes
-- before; called again where a port was taken. `options.attempts`:  (default 10).
-- `options.key`: makes it attached; the provider's, for its environment.
-- `options.wait`: sleeps for the seconds it is given, and may raise (default
-- `core.sleep`). Returns server, with the methods below, and what is wrong.
function _M.start(options)
  local self = setmetatable({ prefix = options.prefix, as = "",
    state = ("%s/run-%d"):format(options.prefix, core.process_id()),
    wait = options.wait or core.sleep }, Server)
  local server, why
  for _ = 1, options.attempts or ATTEMPTS do
    server, why = try(self, options)
    if server or not why:find("in use", 1, true) then
      break
    end
  end
  return server, why
end

-- The process to send signals to. Returns nil where none runs.
function Server:pid()
  return tonumber(file.read(self.prefix .. "/nginx.pid"):match "^(%d+)\n")
end

-- While a process of the group holds the lock, no other group can have its number.
local GONE = '{ [ ! -e "$1/alive" ] || flock -w "$2" 9 9<"$1/alive"; }'
local KILL = GONE .. ' || kill "-$3" "-$4" 2>/dev/null'

-- Send it a signal; where it is not attached, to its workers as well. `name`: such as
-- HUP.
function Server:signal(name)
  if self.pipe then
    self:tell(name)
  else
    shell.run(self:command(KILL, 0, name, self.group))
  end
end

-- Whether it has ended, with all of its processes where it is not attached. `seconds`:
-- to wait for that (default 0). Returns the exit code where it was attached, from 128
-- on that of a signal.
function Server:has_ended(seconds)
  if not self.pipe then
    return (shell.run(self:command(GONE, seconds or 0)))
  end
  local code
  self:await(seconds or 0, function()
    code = self:what():match "^ended (%d+)"
    return code
  end)
  return code ~= nil, tonumber(code)
end

-- End it, with all of its processes: what an attached one has under way ends before,
-- for up to two minutes. Does nothing where it has ended already. Returns whether it
-- has ended, and the last signal that it took.
function Server:stop()
  local has_ended, last = self:has_ended(), nil
  for _, step in ipairs(self.pipe and ATTACHED_END or DETACHED_END) do
    for _ = 1, step[2] do -- an nginx that has just begun does not hear the first
      if not has_ended then
        last = step[1]
        self:signal(last)
        has_ended = self:has_ended(1)
      end
    end
  end
  self:release()
  return has_ended, last
end

--- Give the folder back, once nginx has ended or was not started.
function Server:release()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    os.remove(self.state)
  end
end

return _M
