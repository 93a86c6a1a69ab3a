-- What every part of the fleet's specs stands on: a sandbox, a ledger, a folder,
-- and workers as processes of their own.

local audit = require "spec.torture.audit"
local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local postgres = require "spec.fixtures.postgres"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local tunnels = require "spec.fixtures.tunnel"

local _M = {}

local Stage = {}
Stage.__index = Stage

local SIGKILL, SIGTERM = 9, 15

-- Seconds within which a process ends that was told to.
local PATIENCE = 30

-- In the place of the library's policy of workers, also on the thread of the
-- ledger: the module that is found first changes the real one.
local QUICK = [[
local workers = dofile %q
for name, value in pairs { %s } do
  workers.policy[name] = value
end
return workers
]]

-- A path that is searched before all others for what a part has changed.
local function quicken(self, policy)
  local own = assert(package.searchpath("starvideos.ledger.workers",
    package.path))
  local changes = {}
  for name, value in pairs(policy) do
    changes[#changes + 1] = ("%s = %g"):format(name, value)
  end
  shell.run(shell.fill("mkdir -p @folder@/lua/starvideos/ledger",
    { folder = self.folder }))
  files.write(self.folder .. "/lua/starvideos/ledger/workers.lua",
    QUICK:format(own, table.concat(changes, ", ")))
  self.before = shell.fill("LUA_PATH=@path@ ", { path = self.folder
    .. "/lua/?.lua;" .. package.path })
end

-- Make a stage. `options`: `sandbox` (options of it), `postgres` (options of the fixture;
-- nil: a file), `seed` (there is a tunnel to the server, by whose storms connections end),
-- `workers` (a policy in place of the library's).
function _M.new(options)
  local self = setmetatable({ before = "", count = 0, children = {} }, Stage)
  self.folder = files.folder()
  shell.run(shell.fill("mkdir @folder@/videos", { folder = self.folder }))
  options.sandbox.drawn = false
  self.sandbox = assert(nginx.start(options.sandbox))
  self.ledger = self.folder .. "/ledger.db"
  if options.postgres then
    self.server = postgres.start(options.postgres)
    self.ledger = self.server.url .. "&application_name=spec"
  end
  if options.seed then
    self.tunnel = tunnels.start(self.server.folder .. "/.s.PGSQL.5432",
      options.seed)
  end
  if options.workers then
    quicken(self, options.workers)
  end
  return self
end

-- The address of the ledger for those who have to go through the tunnel.
function Stage:far_ledger()
  return ("postgres://specs@127.0.0.1:%d/postgres?connect_timeout=3"
    .. "&sslmode=disable"):format(self.tunnel.port)
end

-- Options of a client of this stage.
function Stage:client_options(more)
  local options = { api_key = self.sandbox.key, timeout = 10,
    base_url = self.sandbox.base_url, ca_file = self.sandbox.ca_file,
    ledger = self.server and self.server.url or self.ledger }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

-- A client in this process.
function Stage:client(more)
  return assert(starvideos.new(self:client_options(more)))
end

-- Enqueue so many orders; `order_of` gets a number and gives an order.
function Stage:enqueue(count, order_of)
  local list = {}
  for number = 1, count do
    list[number] = order_of(number)
  end
  local client = self:client { prices = self.prices }
  assert(client:enqueue(list))
  client:close()
end

-- A connection to the ledger's database, beside the tunnel.
function Stage:database()
  self.connection = self.connection or databases.new(self.ledger)
  return self.connection
end

-- Write the settings of workers, see `spec.fleet.worker`; returns their path.
function Stage:write_settings(settings, name)
  settings.folder = self.folder
  local path = ("%s/%s.json"):format(self.folder, name or "settings")
  files.write(path, (json.encode(settings)))
  return path
end

-- A namespace of its own: for others the process is one of another machine. They
-- learn of its end by its lease alone.
local APART = "unshare --pid --fork --mount-proc --kill-child=KILL "

-- Start a command, filled by `words`, as a child; `apart`: in a PID namespace of its own.
function Stage:start(command, words, apart)
  words.log, words.lua = self.folder .. "/log", arg[-1] or "lua5.4"
  local line = ("%sexec %s%s >>@log@ 2>&1 </dev/null"):format(self.before,
    apart and APART or "", command)
  local child = { name = words.name, is_apart = apart,
    pid = process.spawn(shell.fill(line, words)) }
  self.children[child.pid] = child
  return child
end

function Stage:start_worker(settings, apart)
  self.count = self.count + 1
  return self:start("@lua@ spec/fleet/worker.lua @settings@ @name@",
    { settings = settings, name = ("worker-%d"):format(self.count) }, apart)
end

-- The process itself where another one stands before it in its namespace.
local function inner(child)
  if not child.is_apart then
    return child.pid
  end
  local list = files.read(("/proc/%d/task/%d/children"):format(child.pid,
    child.pid)) or ""
  return tonumber(list:match "%d+")
end

-- Send a child a signal; whether there was one to get it.
function Stage:signal(child, signal) -- luacheck: no self
  local pid = inner(child)
  return pid ~= nil and process.kill(pid, signal)
end

-- The exit code of a child, or 128 and its signal; nil while it runs.
function Stage:ended(child)
  child.status = child.status or process.ended(child.pid)
  if child.status then
    self.children[child.pid] = nil
  end
  return child.status
end

-- Wait until a condition holds, for so many seconds at most; whether it does.
function Stage:wait(seconds, condition) -- luacheck: no self
  local give_up = core.now() + seconds
  while not condition() do
    if core.now() > give_up then
      return false
    end
    process.readable(-1, 0.02)
  end
  return true
end

-- Wait until children have ended; how many did not end well, or not at all.
function Stage:join(children, seconds)
  local bad = 0
  self:wait(seconds, function()
    for _, child in ipairs(children) do
      if not self:ended(child) then
        return false
      end
    end
    return true
  end)
  for _, child in ipairs(children) do
    bad = bad + (self:ended(child) == 0 and 0 or 1)
  end
  return bad
end

-- What a worker has told.
function Stage:events(child)
  local list = {}
  for line in (files.read(("%s/%s.events"):format(self.folder, child.name))
    or ""):gmatch "[^\n]+" do
    list[#list + 1] = json.decode(line) -- the last one may be cut
  end
  return list
end

-- Show why a child ended badly.
function Stage:show(child)
  io.stderr:write(("%s ended with %d\n%s"):format(child.name, child.status,
    shell.read(shell.fill("grep -F @name@ @log@ | tail -n 3", { name = child.name
      .. ":", log = self.folder .. "/log" })) .. "\n"))
end

-- The sandbox's record of the account.
function Stage:record()
  return books.fetch(self.sandbox, "GET", "/__sandbox/accounts").accounts[1]
end

-- Change the sandbox's limits.
function Stage:limit(limits)
  return books.fetch(self.sandbox, "POST", "/__sandbox/limits",
    (json.encode(limits)))
end

-- The tasks that the sandbox has made.
function Stage:tasks()
  return books.of(self.sandbox).tasks
end

local ROWS = [[SELECT order_key, state, task_id, late_tasks, path, bytes, sha256
  FROM starvideos_orders]]

-- As many are shown.
local FINDINGS = 20

-- What every video is.
local function clip()
  local own = debug.getinfo(nginx.start, "S").source:match "^@(.*)/[^/]*$"
  return (select(2, next(audit.digests(own .. "/../clip.mp4"))))
end

-- Compare the sandbox's record with the ledger and the files, see `spec.torture.audit`;
-- findings of the kind `except` are not shown.
function Stage:compare(except)
  local report = audit.compare { tasks = self:tasks(), health = "ok",
    rows = assert(self:database():rows(ROWS)), clip = clip(),
    digests = audit.digests(self.folder .. "/videos") }
  local shown = 0
  for _, finding in ipairs(report.findings) do
    if shown < FINDINGS and not (except and finding:find("^" .. except)) then
      io.stderr:write(finding, "\n")
      shown = shown + 1
    end
  end
  return report
end

local function end_children(self)
  for _, signal in ipairs { SIGTERM, SIGKILL } do
    for _, child in pairs(self.children) do
      process.kill(child.pid, signal)
      process.kill(-child.pid, signal)
    end
    self:wait(signal == SIGTERM and 0.5 or PATIENCE, function()
      for _, child in pairs(self.children) do
        if not self:ended(child) then
          return false
        end
      end
      return true
    end)
  end
end

-- End everything; `keep`: what it left stays.
function Stage:stop(keep)
  end_children(self)
  if self.connection then
    self.connection:close()
  end
  if self.tunnel then
    self.tunnel.stop()
  end
  if self.server then
    self.server:stop()
  end
  self.sandbox:stop()
  if keep then
    io.stderr:write("what it left lies in ", self.folder, "\n")
  else
    files.remove(self.folder)
  end
end

-- Do something with a stage, and end it. What it left stays if body returns false.
function _M.use(stage, body)
  local done, result = xpcall(body, debug.traceback)
  stage:stop(not done or result == false)
  if not done then
    error(result, 0)
  end
end

return _M
