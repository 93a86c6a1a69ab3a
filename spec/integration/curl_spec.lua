-- How the engine lives: its time limits, many transfers at once, a fork, its
-- end, and what the program around it gets to see.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local engines = require "spec.fixtures.engine"
local interpreter = require "spec.fixtures.interpreter"
local libcurl = require "spec.fixtures.libcurl"
local lookup = require "spec.fixtures.lookup"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local get, send, posts = engines.get, engines.send, engines.posts
local finish, is_lost, timed, under_way =
  transfers.finish, transfers.is_lost, transfers.timed, transfers.under_way

describe("the engine", function()
  local server, engine, silent, silent_fd, folder

  setup(function()
    server = engines.start()
    silent, silent_fd = process.listen()
    folder = server.prefix
  end)
  teardown(function()
    process.close(silent_fd)
    engines.stop()
  end)
  before_each(function()
    engine = engines.open()
  end)
  after_each(engines.close)

  describe("time", function()
    -- A busy machine adds what is not the engine's: one try of five is in time, and
    -- none is too early.
    local function assert_within(from, to, body)
      local seconds
      for _ = 1, 5 do
        seconds = timed(body)
        assert.is_true(seconds >= from, seconds)
        if seconds < to then
          return
        end
      end
      assert.is_true(seconds < to, seconds)
    end

    it("is up for a transfer that waits for another's connection", function()
      local url = "https://127.0.0.1:" .. silent .. "/"
      assert(engine:submit { url = url, timeout = 5 })
      assert_within(0.15, 0.3, function()
        local second = assert(engine:submit { url = url, timeout = 0.2 })
        is_lost("timeout", finish(second, engine))
      end)
    end)

    it("is up 50 ms after the limit at the latest", function()
      assert_within(0.19, 0.25, function()
        is_lost("timeout", get(server.url .. "/hang", { timeout = 0.2 }))
      end)
    end)

    it("tells a stall from a time-out", function()
      local failure = is_lost("stalled", get(server.url .. "/drip",
        { stall_seconds = 1, stall_bytes = 1, timeout = 10 }))
      assert.equal(1, failure.received)
      assert.equal(200, failure.status)
    end)

    it("passes in step when nothing is in flight", function()
      for _, seconds in ipairs { 0, 0.0004, 0.02 } do
        assert_within(seconds, seconds + 0.015, function()
          engine:step(seconds)
        end)
      end
    end)

    it("is cut short by a signal, in flight or not", function()
      process.alarm(0.05)
      assert.is_true(timed(engine.step, engine, 5) < 1)
      assert(engine:submit { url = server.url .. "/hang" })
      local sent = core.now() + 0.1
      while core.now() < sent do
        engine:step(sent - core.now())
      end
      process.alarm(0.05)
      assert.is_true(timed(engine.step, engine, 5) < 1)
    end)

    it("is not waited out when a transfer ends", function()
      assert(engine:submit { url = server.url .. "/later" })
      local ended
      local seconds = timed(function()
        repeat
          ended = engine:step(5)
        until ended
      end)
      assert.is_true(seconds < 2)
    end)
  end)

  describe("many at once", function()
    it("run side by side, no more than allowed", function()
      local small = curl.network { inline = true, max_in_flight = 4 }
      local tickets = {}
      for i = 1, 12 do
        tickets[i] = assert(small:submit { url = server.url .. "/later" })
      end
      assert.equal(12, under_way(small))
      local seconds = timed(function()
        for i = 1, 12 do
          assert.equal("later", assert(finish(tickets[i], small)).body)
        end
      end)
      assert.equal(0, under_way(small))
      assert.is_true(seconds > 0.55 and seconds < 2)
      small:close()
    end)

    it("are sent though their tickets were thrown away", function()
      local mark = ("lost%.0f"):format(core.now() * 1e6)
      assert(engine:submit { method = "POST", body = "x", fresh = true,
        url = server.url .. "/drop?as=" .. mark })
      collectgarbage()
      collectgarbage()
      while under_way(engine) > 0 do
        engine:step(1)
      end
      assert.equal(1, posts(mark))
    end)

    local shared = libcurl.since(87) and it or pending
    shared("share one reading of the CA file", function()
      local bundle = curl.network { inline = true,
        ca_file = "/etc/ssl/certs/ca-certificates.crt" }
      local function connect(driver)
        local start = os.clock()
        for _ = 1, 20 do
          send({ method = "POST", body = "x", fresh = true,
            url = server.tls_url .. "/echo" }, driver)
        end
        return (os.clock() - start) / 20
      end
      connect(bundle)
      local large = connect(bundle)
      bundle:close()
      connect(engine)
      assert.is_true(large < 4 * connect(engine))
    end)
  end)

  describe("fork", function()
    it("gives the child an engine of its own", function()
      assert(get(server.tls_url .. "/hello"))
      assert.is_true(process.in_child(function()
        local response = get(server.tls_url .. "/hello")
        return response and not response.reused
      end))
      assert.is_true(assert(get(server.tls_url .. "/hello")).reused)
    end)

    it("leaves what is in flight to the parent", function()
      local transfer = assert(engine:submit { url = server.tls_url .. "/later" })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        local done = transfer:done()
        local _, failure = transfer:result()
        engine:close()
        return done and failure.reason == "cancelled" and failure.sent
      end))
      assert.equal("later", assert(finish(transfer, engine)).body)
      assert.is_true(assert(get(server.tls_url .. "/hello")).reused)
    end)

    it("leaves alone what the child has put in the place of a file", function()
      local path, log, last = folder .. "/clip.part", folder .. "/log", 63
      assert(engine:submit { url = server.url .. "/drip",
        sink = { path = path } })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        process.take_places(log, 3, last)
        engine:close()
        local kept = shell.read "readlink /proc/$PPID/fd/* | grep -c '/log$'"
        return tonumber(kept) == last - 2
      end))
    end)

    it("ends a child's wait for the parent's transfer at once", function()
      local transfer = assert(engine:submit { url = server.url .. "/later" })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        return timed(engine.step, engine, 5) < 1 and transfer:done()
      end))
    end)
  end)

  describe("the end", function()
    it("aborts what is in flight", function()
      local transfer = assert(engine:submit { url = server.url .. "/hang" })
      engine:step(0.05)
      engine:close()
      engine:close()
      is_lost("cancelled", transfer:result())
      transfer:cancel()
    end)

    it("makes misuse an error that says so", function()
      engine:close()
      for _, call in ipairs { "submit", "step", "in_flight" } do
        assert.error_matches(function()
          engine[call](engine, { url = server.url })
        end, "closed")
      end
    end)

    it("comes with the garbage collector when nobody refers to it", function()
      local other = curl.network { inline = true }
      local transfer = assert(other:submit { url = server.url .. "/hang" })
      other:step(0.05)
      other = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.is_true(transfer:done())
      is_lost("cancelled", transfer:result())
    end)

    it("may be asked for only when there is one", function()
      local transfer = assert(engine:submit { url = server.url .. "/hang" })
      assert.has_error(function() transfer:result() end)
      assert.has_error(function() engine.step(transfer, 1) end)
    end)
  end)

  local given_up = libcurl.since(87) and it or pending
  given_up("waits for no name look-up that was given up", function()
    local output = lookup.run(folder, [[
      local core = require("starvideos.core")
      local curl = require("starvideos.curl")
      local engine = curl.network { inline = true }
      local function since(start) return core.now() - start < 0.4 end
      local one = engine:submit { url = "https://one.invalid/" }
      engine:step(0.02)
      local start = core.now()
      one:cancel()
      io.write(tostring(since(start)), " ")
      local two = engine:submit { url = "https://two.invalid/", timeout = 0.1 }
      while not two:done() do engine:step(1) end
      local _, failure = two:result()
      io.write(tostring(since(start)), " ", failure.reason, " ")
      engine:submit { url = "https://three.invalid/" }
      engine:step(0.02)
      engine:close()
      io.write(tostring(since(start)))
      curl.network { inline = true }:step(0.7)]])
    assert.equal("true true timeout true", output)
  end)

  it("shows no proxy what goes to this machine", function()
    local output = shell.read(("http_proxy=http://127.0.0.1:%d %s -e '%s'")
      :format(silent, interpreter, ([[
      local engine = require("starvideos.curl").network { inline = true }
      local transfer = engine:submit { url = "%s/hello", timeout = 2 }
      while not transfer:done() do engine:step(1) end
      io.write((transfer:result() or {}).body or "nothing")]]):format(
        server.url)))
    assert.equal("hello", output)
  end)

  it("starts nothing when the module is loaded", function()
    local count = shell.read(interpreter .. [[ -e '
      local before = io.popen("ls /proc/$PPID/task | wc -l"):read("*n")
      require("starvideos.curl")
      local after = io.popen("ls /proc/$PPID/task | wc -l"):read("*n")
      io.write(before, " ", after)']])
    assert.equal("1 1", count)
  end)
end)
