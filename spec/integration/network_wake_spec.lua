-- How the driver reaches a host that can watch no descriptor of its choice,
-- what programs that the host starts get to see of it, and what a child does.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local tickets = require "spec.fixtures.tickets"

local finish, take = tickets.finish, tickets.take

local WAYS = [[
location = /hello { return 200 "hello"; }
location = /hang { content_by_lua_block { ngx.sleep(30) } }
location = /slow { content_by_lua_block { ngx.sleep(0.5) ngx.print("slow") } }
location = /drip { content_by_lua_block {
  ngx.header.content_type = "video/mp4"
  ngx.print("x") ngx.flush(true) ngx.sleep(30)
} }
]]

local LONGEST = 20

describe("a network", function()
  local server, driver

  setup(function()
    server = nginx.start { tls = true, body = WAYS }
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    driver = curl.network { ca_file = server.ca_file }
  end)
  after_each(function()
    driver:close()
  end)

  local function submit(path, secure, sink)
    return driver:submit { timeout = LONGEST, sink = sink,
      url = (secure and server.tls_url or server.url) .. path }
  end

  describe("'s socket", function()
    local peer

    after_each(function()
      if peer then
        process.close(peer)
        peer = nil
      end
    end)

    local function directory_of(path)
      return path:match "^(.*)/[^/]*$"
    end

    local function exists(path)
      return (shell.run(shell.fill("test -e @path@", { path = path })))
    end

    local function connect()
      peer = process.connect(assert(driver:listen()))
      assert.is_true(driver:accept())
    end

    local function hear()
      assert.is_true(process.readable(peer, LONGEST))
      return process.read(peer)
    end

    it("lies where nobody else may go, and is gone once connected", function()
      local path = assert(driver:listen())
      assert.equal("700", shell.read(shell.fill("stat -c %a @path@",
        { path = directory_of(path) })))
      local ok, message = driver:accept()
      assert.is_nil(ok)
      assert.equal("string", type(message))
      peer = process.connect(path)
      assert.is_true(driver:accept())
      assert.is_false(exists(directory_of(path)))
      assert.is_nil((driver:accept()))
    end)

    it("is gone when the driver is closed, or listens again", function()
      local first = directory_of(assert(driver:listen()))
      local second = directory_of(assert(driver:listen()))
      assert.is_false(exists(first))
      assert.is_true(exists(second))
      driver:close()
      assert.is_false(exists(second))
    end)

    it("carries one byte for all that ends until it is cleared", function()
      connect()
      assert.equal("!", hear()) -- for what was told before
      driver:clear()
      local first, second = submit "/hello", submit "/hello"
      while not (first:done() and second:done()) do
        process.readable(driver:pollfd(), 1)
      end
      driver:wake()
      assert.equal("!", hear())
      assert.equal("", process.read(peer))
      driver:clear()
      assert.truthy(take(driver) and take(driver))
      driver:wake()
      assert.equal("!", hear())
    end)

    it("tells a new peer what nobody heard", function()
      submit "/hello"
      assert.is_true(process.readable(driver:pollfd(), LONGEST))
      connect()
      assert.equal("!", hear())
    end)

    it("may break without harm", function()
      connect()
      process.close(peer)
      peer = nil
      for _ = 1, 3 do
        driver:clear()
        driver:wake()
      end
      local ticket, number = submit "/hello"
      assert.equal("hello", finish(driver, ticket, number).body)
      connect()
      assert.equal("!", hear())
    end)

    it("ends with the driver", function()
      connect()
      hear()
      driver:close()
      assert.is_true(process.readable(peer, LONGEST))
      assert.is_nil(process.read(peer))
    end)

    it("goes to no folder that is not there", function()
      local before = os.getenv "TMPDIR"
      for folder, message in pairs { ["/no/where"] = "No such file",
        ["/" .. ("x"):rep(100)] = "File name too long" } do
        process.set("TMPDIR", folder)
        local path, why = driver:listen()
        process.set("TMPDIR", before)
        assert.is_nil(path)
        assert.truthy(why:find(message, 1, true))
      end
      assert.truthy(driver:listen())
    end)
  end)

  it("lends no descriptor to the programs that are started", function()
    -- What libcurl opens to wake itself it lends (as of 7.88).
    local function lent()
      return tonumber(shell.read "ls /proc/self/fd | wc -l")
    end
    local idle = curl.network()
    idle:submit { url = server.url .. "/hello" }
    take(idle)
    local before = lent()
    for _ = 1, 3 do
      idle:disk("size", "/")
      take(idle)
    end
    local more, part = curl.network(), server.prefix .. "/drip.part"
    driver = more
    local peer = process.connect(assert(more:listen()))
    assert.equal(before, lent())
    assert.is_true(more:accept())
    assert.equal(before, lent())
    idle:submit { url = server.tls_url .. "/hang" }
    local ticket = idle:submit { url = server.url .. "/drip",
      sink = { path = part } }
    while ticket:progress() == 0 do
      process.readable(idle:pollfd(), 0.01)
    end
    local limit = core.now() + 30 -- OpenSSL may be reading its certificates
    local last = lent()
    while last ~= before and core.now() < limit do
      process.readable(idle:pollfd(), 0.01)
      last = lent()
    end
    assert.equal(before, last)
    process.close(peer)
    idle:close()
  end)

  -- Many at once, so that one ends while a look is under way.
  it("wakes for each end, however close to a look it comes", function()
    local stop = core.now() + 3
    while core.now() < stop do
      for _ = 1, 16 do
        driver:disk("size", "/")
        driver:clear()
      end
      while driver:in_flight() > 0 do
        driver:clear()
        while driver:take() do end
        assert(driver:in_flight() == 0
          or process.readable(driver:pollfd(), LONGEST), "nothing wakes")
      end
    end
  end)

  describe("after a fork", function()
    -- A checker of memory does not survive one while a thread is starting.
    before_each(function()
      finish(driver, driver:disk("size", "/"))
    end)

    it("leaves to the parent what is under way", function()
      local ticket, number = submit "/slow"
      local job, second = driver:disk("size", "/")
      process.readable(driver:pollfd(), 0.1)
      assert.is_true(process.in_child(function()
        local fine = driver:ready() and ticket:done() and job:done()
          and not ticket:answer()
        local response, failure = ticket:result()
        fine = fine and not response and failure.reason == "cancelled"
          and failure.sent
        local numbers = { [driver:take()] = true, [driver:take()] = true }
        return fine and numbers[number] and numbers[second]
          and not driver:take() and not driver:ready()
      end))
      assert.equal(second, take(driver))
      assert.equal("slow", finish(driver, ticket, number).body)
    end)

    it("cancels the jobs of the parent in the child only", function()
      local path = server.prefix .. "/job"
      local slow = driver:disk("sha256", "/proc/self/exe")
      local job = driver:disk("write", path, "x", "wb")
      assert.is_true(process.in_child(function()
        local ok, failure = slow:result()
        return ok and #ok == 64 or failure.reason == "cancelled"
      end))
      take(driver)
      take(driver)
      assert.is_true((job:result()))
      assert.equal("x", files.read(path))
    end)

    it("has a thread of its own in the child, and connections", function()
      assert(finish(driver, submit("/hello", true)))
      assert.is_true(process.in_child(function()
        local ticket, number = submit("/hello", true)
        local response = finish(driver, ticket, number)
        driver:close()
        return response.body == "hello" and not response.reused
      end))
      assert.is_true(finish(driver, submit("/hello", true)).reused)
    end)

    it("gives the child what was lost and what is new", function()
      local _, lost = submit "/hang"
      assert.is_true(process.in_child(function()
        local _, fresh = submit "/hello"
        local first = driver:ready() and driver:take()
        return first == lost and take(driver) == fresh
      end))
    end)

    it("tells each process of its own tickets alone", function()
      local fd = driver:pollfd()
      submit "/hang"
      assert.is_true(process.in_child(function()
        assert(driver:pollfd() == fd)
        assert(process.readable(fd))
        driver:clear()
        assert(driver:take())
        driver:wake()
        return process.readable(fd)
      end))
      assert.is_false(process.readable(fd))
      driver:wake()
      assert.is_true(process.in_child(function()
        driver:clear()
        return not process.readable(fd)
      end))
      assert.is_true(process.readable(fd))
    end)

    -- As a daemon does that closes what it inherits and opens its log.
    it("leaves alone what the child has put in the place of its files",
      function()
        local log, last = server.prefix .. "/log", 63
        local listening = curl.network()
        listening:listen()
        local peer = process.connect(assert(driver:listen()))
        driver:accept()
        local ticket = submit("/drip", false,
          { path = server.prefix .. "/fork.part" })
        while ticket:progress() == 0 do
          process.readable(driver:pollfd(), 0.01)
        end
        assert.is_true(process.in_child(function()
          process.take_places(log, 3, last)
          local fine = driver:take() and driver:pollfd() > last
            and listening:pollfd() > last
          listening:close()
          local kept = shell.read "readlink /proc/$PPID/fd/* | grep -c '/log$'"
          return fine and tonumber(kept) == last - 2
            and finish(driver, submit "/hello").body == "hello"
        end))
        listening:close()
        process.close(peer)
      end)

    it("has its socket in the parent only, and another one in the child",
      function()
        local path = assert(driver:listen())
        assert.is_true(process.in_child(function()
          local own = driver:listen()
          local peer = process.connect(own)
          return own ~= path and driver:accept() and process.read(peer) == "!"
            and driver:close() == nil
        end))
        local peer = process.connect(path)
        assert.is_true(driver:accept())
        process.close(peer)
      end)

    it("ends in the child with the state, and in the parent goes on",
      function()
        local ticket, number = submit "/slow"
        assert.is_true(process.in_child(function()
          driver = nil
          ticket = nil
          collectgarbage()
          collectgarbage()
          return true
        end))
        assert.equal("slow", finish(driver, ticket, number).body)
      end)

    it("is of use in children of children", function()
      submit "/hang"
      assert.is_true(process.in_child(function()
        return process.in_child(function()
          local _, number = submit "/hello"
          return take(driver) < number and take(driver) == number
        end)
      end))
    end)

    it("is of use whatever the thread was doing", function()
      local give_up = core.now() + 3
      local forks = 0
      while forks < 60 and core.now() < give_up do
        for _ = 1, 4 do
          submit("/hello", true)
        end
        assert.is_true(process.in_child(function()
          while driver:take() do end
          return finish(driver, submit("/hello", true)).body == "hello"
        end))
        while driver:in_flight() > 0 do
          take(driver)
        end
        forks = forks + 1
      end
    end)
  end)
end)
