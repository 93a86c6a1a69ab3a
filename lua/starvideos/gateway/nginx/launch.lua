--- A gateway's nginx in the foreground: a child of the process that starts it, in a
-- session of its own, so that Ctrl-C reaches that process alone. It ends with that
-- process, however that ends.
-- @module starvideos.gateway.nginx.launch

local core = require "starvideos.core"
local daemon = require "starvideos.nginx.daemon"
local file = require "starvideos.nginx.file"
local shell = require "starvideos.nginx.shell"

local _M = {}

local Server = {}
Server.__index = Server

local CLAIM_SECONDS, START_SECONDS, STEP_SECONDS = 5, 60, 0.1

-- For what is under way to end; then nginx, and at last the system, ends it.
local PATIENCE, LAST_SECONDS = 120, 5

-- What it reads are the key, and then names of signals. The end of that is the end
-- of the process: as Ctrl-C, or where that came before as a second one. All hold
-- the lock as long as they run, and none but nginx gets a signal of the terminal.
local SUPERVISE = [[
trap '' INT QUIT TERM HUP; umask 027
cd @folder@ && exec 3<&0 </dev/null >logs/start.log 2>&1 9>alive || exit
flock -n 9 || { echo taken >@state@; exit; }
rm -f run-* nginx.pid && echo ready >@state@
IFS= read -r STARVIDEOS_API_KEY <&3 || exit
IFS= read -r configuration <&3 || exit
export STARVIDEOS_API_KEY
unset LUA_PATH LUA_CPATH LUA_INIT
setsid nginx -p @folder@/ -c "$configuration" -e @folder@/logs/error.log \
  -g 'daemon off;' 3<&- &
nginx=$!
{ last=
  while read -r signal; do
    last=$signal
    case $signal in
      KILL) kill -KILL "-$nginx" ;;
      *) kill "-$signal" "$nginx" ;;
    esac
  done
  case $last in
    QUIT|TERM) kill -TERM "$nginx" ;;
    *) kill -QUIT "$nginx" ;;
  esac
} <&3 &
listener=$!
wait "$nginx"
code=$?
kill -KILL "$listener"
[ "$code" -lt 128 ] || kill -TERM "-$nginx" # its workers would go on
echo "ended $code" >@state@]]

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

--- Why nginx did not start, in a sentence.
-- @tparam string text that it printed
-- @treturn string
function _M.reason(text)
  local raised = text:match "init_by_lua error: (.-)\nstack traceback"
  if raised then
    return (raised:gsub("^init_by_lua[^ ]* ", ""):gsub("\n", " "))
  end
  local line = text:match "%[%l+%] ([^\n]*)" or text:match "^[^\n]*"
  for _, row in ipairs(reasons) do
    local part = line:match(row[1])
    if part then
      return (row[2]:gsub("%%s", (part:gsub("%%", "%%%%"))))
    end
  end
  return line
end

--- Claim a folder, which must be there, for a gateway of this process.
-- @tparam string folder absolute
-- @tparam function wait sleeps for the seconds it is given; may raise
-- @treturn ?table server, with the methods below; the end of the process stops it
-- @treturn ?string why not
function _M.claim(folder, wait)
  local self = setmetatable({ folder = folder, wait = wait,
    state = ("run-%d"):format(core.process_id()) }, Server)
  os.remove(folder .. "/" .. self.state)
  self.pipe = assert(io.popen(daemon.SEARCH .. shell.fill(SUPERVISE, self), "w"))
  self:await(CLAIM_SECONDS, function()
    return self:what() ~= ""
  end)
  if self:what() == "ready" then
    return self
  end
  local is_taken = self:what() == "taken"
  self:release()
  return nil, is_taken and ("another gateway runs in the folder %s: stop it, or"
    .. " choose another with --folder"):format(folder)
    or ("the folder %s cannot be written to"):format(folder)
end

function Server:what()
  return file.read(self.folder .. "/" .. self.state):match "^[^\n]*"
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

-- Lines for the other process.
function Server:tell(...)
  self.pipe:write(table.concat({ ... }, "\n"), "\n")
  self.pipe:flush()
end

--- Give the folder back, once nginx has ended or was not started.
function Server:release()
  self.pipe:close()
  os.remove(self.folder .. "/" .. self.state)
end

--- Start nginx.
-- @tparam string configuration the path of nginx.conf
-- @tparam string key the provider's
-- @treturn ?boolean true
-- @treturn ?string why it did not start
function Server:start(configuration, key)
  self:tell(key, configuration)
  self:await(START_SECONDS, function()
    return self:pid() or self:has_ended()
  end)
  if self:pid() and not self:has_ended() then
    return true
  end
  return nil, _M.reason(file.read(self.folder .. "/logs/start.log"))
end

--- The process to send signals to.
-- @treturn ?number nil where none runs
function Server:pid()
  return tonumber(file.read(self.folder .. "/nginx.pid"):match "^(%d+)\n")
end

--- Whether nginx has ended.
-- @treturn boolean
-- @treturn ?number its exit code, from 128 on that of a signal
function Server:has_ended()
  local code = self:what():match "^ended (%d+)"
  return code ~= nil, tonumber(code)
end

--- Let nginx read its files again.
function Server:reload()
  self:tell "HUP"
end

--- Stop nginx: what is under way ends before, for up to two minutes.
-- @treturn boolean whether all could end
function Server:stop()
  local function has_ended()
    return self:has_ended()
  end
  local ended_by
  for _, way in ipairs { { "QUIT", PATIENCE }, { "TERM", LAST_SECONDS },
    { "KILL", LAST_SECONDS } } do
    if not has_ended() then
      ended_by = way[1]
      self:tell(ended_by)
      self:await(way[2], has_ended)
    end
  end
  self:release()
  return ended_by ~= "TERM" and ended_by ~= "KILL"
end

return _M
