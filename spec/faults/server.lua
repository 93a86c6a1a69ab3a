--- Starts the server that misbehaves (server.c): compiled for the occasion, on
-- free ports of 127.0.0.1, with throw-away certificates. It ends with the
-- process that started it.

local nginx = require "starvideos.sandbox.nginx"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"

local _M = {}

local Server = {}
Server.__index = Server

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")

local COMPILE = [[
cc -std=gnu99 -O1 -o @folder@/server @here@/server.c @here@/steps.c \
  @here@/record.c $(pkg-config --cflags --libs libssl) -pthread]]

-- Each is trusted on its own, so that nothing but its name, or its dates, is
-- wrong with it.
local CERTIFY = [[
cd @folder@ && exec 2>openssl.log >&2
certify() {
  printf 'subjectAltName = %s\n' "$3" >$1.ext &&
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj /CN=$1 -keyout $1.key -out $1.csr &&
  openssl x509 -req -days $2 -in $1.csr -signkey $1.key -extfile $1.ext \
    -out $1.pem
}
certify other 2 DNS:other.example &&
certify expired -1 IP:127.0.0.1 &&
cat known/ca.pem other.pem expired.pem >trusted.pem]]

-- The server ends with its standard input, even where this process was
-- killed.
local RUN = [[
@folder@/server @folder@ >@folder@/ports; rm -rf -- @folder@]]

-- Windows has no pipe to Linux's shell: there it is open as long as `tail` runs.
local RUN_BESIDE_WINE = [[
{ tail -f --pid=$PPID /dev/null & echo $! >@folder@.leash; wait; } 2>/dev/null |
{ ]] .. RUN .. [[; } >/dev/null 2>&1 &]]
local RELEASE = "kill $(cat @folder@.leash); rm @folder@.leash"

local START_SECONDS = 10

-- Gives what ends the server when it is closed, or with us.
local function run(self)
  if core.system() ~= "windows" then
    return assert(io.popen(shell.fill(RUN, self), "w"))
  end
  shell.run(shell.fill(RUN_BESIDE_WINE, self))
  return { close = function() shell.run(shell.fill(RELEASE, self)) end }
end

local function await_ports(self)
  local limit = core.now() + START_SECONDS
  repeat
    core.sleep(0.02)
    self.port, self.door = file.read(self.folder .. "/ports")
      :match "^(%d+)\n(%d+)\n"
  until self.door or core.now() > limit
  return self.door
end

local function launch(self)
  assert(shell.run(shell.fill(COMPILE, { folder = self.folder, here = here })),
    "the server was not compiled")
  for _, name in ipairs { "known", "stranger" } do
    assert(nginx.certificate(self.folder .. "/" .. name))
  end
  assert(shell.run(shell.fill(CERTIFY, self)), "openssl made no certificate")
  self.stdin = run(self)
  assert(await_ports(self), "the server did not start")
end

--- Start a server.
-- @treturn table server with `url`, `tls_url` (of the same port), `ca_file`
--   and `folder`, where specs may write too
function _M.start()
  local self = setmetatable({ engine = curl.network { inline = true } }, Server)
  self.folder = files.folder()
  local ok, why = pcall(launch, self)
  if not ok then
    self:stop()
    error(why, 0)
  end
  self.url = "http://127.0.0.1:" .. self.port
  self.tls_url = "https://127.0.0.1:" .. self.port
  self.ca_file = self.folder .. "/trusted.pem"
  return self
end

local function ask(self, method, body)
  local transfer = assert(self.engine:submit { method = method, body = body,
    url = "http://127.0.0.1:" .. self.door, timeout = 20, fresh = true })
  while not transfer:done() do
    self.engine:step(20)
  end
  return assert(transfer:result()).body
end

-- A step is { verb, number, text }; steps may be nested at will.
local function add_steps(lines, steps)
  if type(steps[1]) == "string" then
    local text = steps[3] or ""
    lines[#lines + 1] = ("%s %d %d\n%s\n"):format(steps[1], steps[2] or 0,
      #text, text)
    return
  end
  for _, step in ipairs(steps) do
    add_steps(lines, step)
  end
end

--- What to do from now on.
-- @tparam table scripts a list of steps for each connection in the order in
--   which they come; the last is that of all further ones
function Server:plan(scripts)
  local lines = {}
  for index, script in ipairs(scripts) do
    if index > 1 then
      add_steps(lines, { "next" })
    end
    add_steps(lines, script)
  end
  ask(self, "POST", table.concat(lines))
end

local ROW = "^(%d+) (%d+) (%d) (%d) (%d+) (%d+) (.*)$"

--- What has arrived since the last plan, once all connections have ended.
-- @treturn table record with `connections`, `h2` (those that negotiated it)
--   and a list of requests: `connection` (its number), `number` (on that
--   connection), `whole` (its head and all it announced came), `has_key`,
--   `body` (bytes), `line`, `method`
function Server:record()
  local text = ask(self, "GET")
  local connections, h2 = text:match "^connections (%d+) h2 (%d+)\n"
  local record = { connections = tonumber(connections), h2 = tonumber(h2) }
  for row in text:gmatch "[^\n]+" do
    local connection, number, whole, key, announced, body, line = row:match(ROW)
    if connection then
      record[#record + 1] = {
        connection = tonumber(connection), number = tonumber(number),
        whole = whole == "1" and tonumber(body) == tonumber(announced),
        has_key = key == "1", body = tonumber(body), line = line,
        method = line:match "^%a+",
      }
    end
  end
  return record
end

--- End the server and remove all there was.
function Server:stop()
  if self.stdin then
    self.stdin:close()
  end
  self.engine:close()
  files.remove(self.folder)
end

return _M
