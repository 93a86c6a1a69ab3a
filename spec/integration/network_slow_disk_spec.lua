-- What a disk that takes its time holds up, and what it does not.

local files = require "spec.fixtures.files"
local kernel = require "spec.fixtures.kernel"
local nginx = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"

local CLIP = ("0123456789"):rep(100000)
-- As sha256sum prints it.
local CLIP_SHA256 =
  "ec21d64624228af3ecd4bdaa8239e32ed943b01e26934cd5610fddb361426dc6"

-- Each read of a digest and each fsync takes so long.
local SECONDS = 1

-- What the programs have in common. `busy(fields)` downloads, and returns when
-- all has come; `meanwhile(ticket)` sends a request and forks, and raises where
-- either waited for what the ticket has the disk do.
local COMMON = [[
local url, path = arg[1], arg[2]
local core, curl = require "starvideos.core", require "starvideos.curl"
local process = require "spec.fixtures.process"
local tickets = require "spec.fixtures.tickets"
local driver = curl.network()
local function hello()
  local ticket, number = driver:submit { url = url .. "/hello", timeout = 20 }
  local response = tickets.finish(driver, ticket, number)
  assert(response and response.body == "hello")
end
local function busy(fields)
  local ticket, number = driver:submit { url = url .. "/clip.mp4",
    headers = fields.headers, timeout = 20, sink = fields.sink }
  local received, total
  repeat
    process.readable(driver:pollfd(), 0.01)
    received, total = ticket:progress()
  until ticket:done() or received == total
  return ticket, number
end
local function meanwhile(ticket)
  hello()
  assert(not ticket:done(), "the request waited for the disk")
  local child = process.fork()
  if child == 0 then
    local _, failure = ticket:result()
    process.leave(ticket:done() and failure.reason == "cancelled"
      and curl.disk("size", path) == 1000000)
  end
  assert(not ticket:done(), "the fork waited for the disk")
  assert(process.await(child))
end
hello()
]]

local programs = {
  ["a digest"] = [[
local ticket, number = driver:disk("sha256", path)
meanwhile(ticket)
print(tickets.finish(driver, ticket, number))
]],
  ["the last fsync of a download"] = [[
os.remove(path)
local ticket, number = busy { sink = { path = path, sync = true } }
meanwhile(ticket)
print(tickets.finish(driver, ticket, number).sha256)
]],
  ["the digest of a download that was continued"] = [[
local ticket, number = busy { sink = { path = path, offset = 400000 },
  headers = { Range = "bytes=400000-" } }
meanwhile(ticket)
print(tickets.finish(driver, ticket, number).sha256)
]],
  ["a file that gets its name"] = [[
local ticket, number = driver:disk("commit", path, path .. ".whole", 1000000)
meanwhile(ticket)
assert(tickets.finish(driver, ticket, number))
ticket, number = driver:disk("sha256", path .. ".whole")
print(tickets.finish(driver, ticket, number))
]],
}

-- Five reads long.
local CLOSE = [[
local file = assert(io.open(path, "wb"))
file:write(("x"):rep(4 * 1024 * 1024))
file:close()
local ticket = driver:disk("sha256", path)
local later = driver:disk("write", path .. ".later", "x", "wb")
local from = core.now()
driver:close()
assert(core.now() - from < 3 * tonumber(arg[3]))
local _, failure = ticket:result()
print(failure.message, (later:result()))
]]

local CANCEL = [[
os.remove(path)
local ticket, number = busy { sink = { path = path, sync = true } }
ticket:cancel()
hello()
assert(not ticket:done())
print(tickets.finish(driver, ticket, number).sha256)
]]

describe("a disk that takes its time", function()
  local server, path, on_slow_disk

  setup(function()
    server = nginx.start { body = [[
      location = /hello { return 200 "hello"; }]] }
    server:serve("clip.mp4", CLIP)
    on_slow_disk = kernel.build(server.prefix)
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    path = shell.read 'mktemp "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX"'
    files.write(path, CLIP)
  end)
  after_each(function()
    shell.run("rm -f -- " .. path .. "*")
  end)

  local function run(program)
    return on_slow_disk("DISK_SECONDS=" .. SECONDS, COMMON .. program
      .. "os.exit(0, true)", server.url, path, SECONDS)
  end

  for what, program in pairs(programs) do
    it("holds up no request and no fork for " .. what, function()
      assert.equal(CLIP_SHA256, run(program))
    end)
  end

  it("holds up the end of a driver for no digest, but for other jobs",
    function()
      assert.equal("Operation canceled\ttrue", run(CLOSE))
      assert.equal("x", files.read(path .. ".later"))
    end)

  it("makes nobody lose a download that had come whole when it was cancelled",
    function()
      assert.equal(CLIP_SHA256, run(CANCEL))
    end)
end)
