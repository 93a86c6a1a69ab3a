--- What every Lua sees first that Wine runs for the specs: lua.sh names it in
-- LUA_INIT.
--
-- The specs' commands are of the shell: Wine starts Linux's, which reads its
-- commands from a file and writes what it prints, and then how it ended, to
-- others, for it shares neither pipes nor its end with Windows. Folders and
-- temporary files lie where Linux has its own, which Windows calls Z:/tmp, and a
-- command may name them so.

local TEMPORARY = "Z:" .. (os.getenv "STARVIDEOS_TMP" or "/tmp") .. "/"

local function remember(name, module)
  package.preload[name] = function() return module end
end

-- What busted needs of two modules in C that tell it about a terminal and time.
remember("system", { gettime = os.time, monotime = os.clock })
remember("term.core", { isatty = function() return false end })

local host = require "host"
local SHELL = debug.getinfo(1, "S").source:match "^@Z:(.*/)" .. "shell.sh"

local count = 0
-- Linux's number of the process, for two may begin in the same instant.
local prefix = ("%sstarvideos-spec.%s.%x"):format(TEMPORARY,
  os.getenv "STARVIDEOS_PID", os.time())

-- C's names a file in the root of the drive.
function os.tmpname() -- luacheck: ignore 122
  count = count + 1
  local name = ("%s-%d"):format(prefix, count)
  assert(io.open(name, "w")):close()
  return name
end

local KEYS = "%-newkey ec %-pkeyopt ec_paramgen_curve:prime256v1"

-- A command as Linux knows it: with its own paths, and the number that it gives
-- this process. Wine refuses some signatures of elliptic curves, so keys are RSA's.
local function unix(text)
  return (text:gsub("%f[%w][Zz]:([/\\])", "%1")
    :gsub("%$PPID", os.getenv "STARVIDEOS_PID")
    :gsub(KEYS, "-newkey rsa:2048"))
end

-- The output of a command of Linux's shell, and how it ended.
local function execute(command)
  local name = os.tmpname()
  local script = assert(io.open(name, "wb"))
  script:write(unix(command))
  script:close()
  host.start(("%s %s %s"):format(os.getenv "STARVIDEOS_SH", SHELL, unix(name)))
  local ended
  repeat
    host.sleep(0.002)
    ended = io.open(name .. ".end")
  until ended
  local code = ended:read "*n"
  ended:close()
  local output = assert(io.open(name .. ".out", "rb"))
  local text = output:read "*a":gsub("\r\n", "\n")
  output:close()
  for _, ending in ipairs { "", ".out", ".end" } do
    os.remove(name .. ending)
  end
  return text, code
end

-- The same as starvideos.nginx.shell.
local shell = {}

function shell.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

function shell.fill(command, words)
  return (command:gsub("@([%w_]+)@", function(name)
    return shell.quote(tostring(words[name]))
  end))
end

function shell.run(command)
  local text, code = execute(command)
  io.stdout:write(text)
  return code == 0, code > 128
end

function shell.read(command)
  return (execute(command):gsub("\n$", ""))
end

-- Linux's nginx can be started.
function shell.refusal() end

remember("starvideos.nginx.shell", shell)

-- Where Linux is told where a file of these lies it needs slashes.
table.insert(package.searchers or package.loaders, 2, function(name)
  local path = (name:find "^spec%." or name:find "^starvideos%.sandbox")
    and package.searchpath(name, package.path, ".", "/")
  return path and assert(loadfile(path)) or nil
end)
