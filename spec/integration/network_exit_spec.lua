-- A process that forks or exits while the driver's thread is in the midst of
-- something.

local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

-- Exits without closing its Lua state, a few handshakes later.
local PROGRAM = [[
local core, curl = require "starvideos.core", require "starvideos.curl"
local driver = curl.network { ca_file = arg[2] }
local stop = core.now() + arg[3]
while core.now() < stop do
  while driver:in_flight() < 32 do
    driver:submit { url = arg[1], fresh = true }
  end
  while driver:take() do end
end
os.exit(7)
]]
local EXITS = 16

-- Its thread starts where no descriptor is left: tells what comes of a request,
-- of one when there are some again, and whether it ends at once.
local CROWDED = [[
local core, curl = require "starvideos.core", require "starvideos.curl"
local tickets = require "spec.fixtures.tickets"
local driver, files = curl.network(), {}
local function ask()
  local _, failure = tickets.finish(driver, driver:submit { url = arg[1] })
  return failure and failure.reason or "answered", failure and failure.sent
end
repeat
  local file = io.open "/dev/null"
  files[#files + 1] = file
until not file
print(ask())
if arg[2] then
  for _, file in ipairs(files) do file:close() end
  print(ask())
end
local from = core.now()
driver:close()
print(core.now() - from < 1)
]]

describe("a network", function()
  local server, driver, folder

  setup(function()
    server = nginx.start { tls = true, body = [[
      location = /hello { return 200 "hello"; }
      location = /drip { content_by_lua_block {
        ngx.header.content_type = "video/mp4"
        ngx.print("x") ngx.flush(true) ngx.sleep(30)
      } }]] }
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    folder = files.folder()
    driver = curl.network { ca_file = server.ca_file }
  end)
  after_each(function()
    driver:close()
    files.remove(folder)
  end)

  -- OpenSSL frees at exit what a handshake is using.
  it("lets the process exit in the midst of handshakes", function()
    local program = folder .. "/program.lua"
    files.write(program, PROGRAM)
    for turn = 1, EXITS do
      local status = shell.read(("timeout 60 %s %s %s %s %.3f 2>&1; echo $?")
        :format(interpreter, program, server.tls_url .. "/hello",
          server.ca_file, 0.05 + turn / 150))
      assert.equal("7", status)
    end
  end)

  it("ends at once though no descriptor was left to wake its thread", function()
    local program = folder .. "/program.lua"
    files.write(program, CROWDED)
    local function run(more)
      return shell.read(("ulimit -n 48; timeout 20 %s %s %s %s 2>&1; echo $?")
        :format(interpreter, program, server.url .. "/hello", more))
    end
    assert.equal("io\tfalse\ntrue\n0", run "")
    assert.equal("io\tfalse\nanswered\tnil\ntrue\n0", run "more")
  end)

  -- Else it stayed locked for as long as the child lives, after the parent was killed.
  it("keeps no file in a child that the parent downloads to", function()
    local part = folder .. "/clip.part"
    local ticket = driver:submit { url = server.url .. "/drip",
      sink = { path = part } }
    while ticket:progress() == 0 do
      process.readable(driver:pollfd(), 0.01)
    end
    local function held()
      return shell.read("readlink /proc/$PPID/fd/* | grep -c /clip.part")
    end
    assert.is_true(process.in_child(function()
      local before = held()
      return before == "1" and ticket:done() and held() == "0"
    end))
    assert.equal("1", held())
  end)
end)
