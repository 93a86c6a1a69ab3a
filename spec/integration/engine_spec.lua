-- What the engine says of exchanges that end at awkward moments: half-way
-- through a write, in the queue, in a child, or on a disk that fails.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local http1 = require "spec.faults.http1"
local http2 = require "spec.faults.http2"
local kernel = require "spec.fixtures.kernel"
local process = require "spec.fixtures.process"
local servers = require "spec.faults.server"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local elsewhere = kernel.elsewhere
local finish, is_lost, timed =
  transfers.finish, transfers.is_lost, transfers.timed

local VIDEO = { status = 200, type = "video/mp4", body = "abcdefgh" }
local ANSWER = { status = 200, body = "{}" }

local ORDER = [[
local curl = require "starvideos.curl"
local url, ca_file, size, timeout = ...
local engine = curl.network { inline = true, ca_file = ca_file }
local transfer = assert(engine:submit { method = "POST", url = url,
  fresh = true, body = ("x"):rep(tonumber(size)), timeout = tonumber(timeout) })
while not transfer:done() do engine:step(1) end
local response, failure = transfer:result()
local outcome = response or failure
print(outcome.reason or "none", outcome.phase or "none", outcome.sent,
  outcome.bytes_sent, outcome.message)]]

local PLACE = [[
local curl = require "starvideos.curl"
for _ = 1, 2 do
  local ok, failure = curl.disk("commit", arg[1], arg[2], 8)
  print(ok or failure.reason .. " " .. (failure.errno or ""))
  if ok then break end
end]]

local WRITE = [[
local curl = require "starvideos.curl"
local ok, failure = curl.disk("write", arg[1], "abcdefgh", "wb")
print(ok or failure.reason .. " " .. failure.errno .. " " .. failure.message)]]

local DOWNLOAD = [[
local curl = require "starvideos.curl"
local engine = curl.network { inline = true }
local transfer = assert(engine:submit { url = arg[1], timeout = 10,
  sink = { path = arg[2], sync = true } })
while not transfer:done() do engine:step(1) end
local response, failure = transfer:result()
print(response and response.file_bytes
  or failure.reason .. " " .. failure.errno)]]

describe("the engine", function()
  local server, engine, silent, silent_fd, on_worse

  setup(function()
    server = servers.start()
    silent, silent_fd = process.listen()
    silent = "http://127.0.0.1:" .. silent .. "/"
    on_worse = kernel.build(server.folder)
  end)
  teardown(function()
    process.close(silent_fd)
    server:stop()
  end)
  before_each(function()
    engine = curl.network { inline = true, ca_file = server.ca_file }
  end)
  after_each(function()
    engine:close()
  end)

  local function read_outcome(text)
    local reason, phase, sent, bytes = text:match "^(%S+)\t(%S+)\t(%S+)\t(%d+)"
    assert(reason, text)
    return { reason = reason, phase = phase, sent = sent == "true",
      bytes_sent = tonumber(bytes) }
  end

  local function order_badly(limits, url, size, timeout)
    return read_outcome(on_worse(limits, ORDER, url, server.ca_file, size,
      timeout or 10))
  end

  local function order(url, size)
    return finish(assert(engine:submit { method = "POST", fresh = true,
      url = url, body = ("x"):rep(size), timeout = 10 }), engine)
  end

  describe("over TLS, once it may have begun to send,", function()
    local SIZE = 60000
    -- Room for the first of TLS's records, which has the head, not for four.
    local ROOM = "SEND_IN_ALL=20000"
    local TLS = { "tls", 0, "known/server" }

    local function is_sent_in_part(outcome)
      assert.is_true(outcome.sent)
      assert.equal("request", outcome.phase)
      local seen = server:record()[1]
      assert.equal("POST", seen.method)
      assert.is_false(seen.whole)
    end

    it("never says not sent where the connection breaks at once", function()
      for _, ending in ipairs { "rst", "cut", "fin" } do
        for _, size in ipairs { 2, 60000, 200000 } do
          server:plan { { TLS, { ending } } }
          local response, failure = order(server.tls_url, size)
          assert.is_nil(response)
          assert.is_true(failure.sent, ending)
        end
      end
    end)

    it("does not say so where it breaks in the middle of a body", function()
      server:plan { { TLS, { "head" }, { "rst" } } }
      local outcome = order_badly(ROOM, server.tls_url, SIZE)
      assert.equal("reset", outcome.reason)
      is_sent_in_part(outcome)
    end)

    it("nor where time runs out there", function()
      server:plan { { TLS, { "head" }, { "hang" } } }
      local outcome = order_badly(ROOM, server.tls_url, SIZE, 0.5)
      assert.equal("timeout", outcome.reason)
      is_sent_in_part(outcome)
    end)
  end)

  describe("says not sent, in phase connect,", function()
    it("where a proxy does not want to connect", function()
      server:plan { { { "head" },
        { "send", 0, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
        { "fin" } } }
      local outcome = read_outcome(elsewhere("https_proxy=" .. server.url,
        ORDER, "https://video.example/v1", server.ca_file, 2, 10))
      assert.is_false(outcome.sent)
      assert.equal("connect", outcome.phase)
      assert.equal(0, outcome.bytes_sent)
      assert.equal("CONNECT", server:record()[1].method)
    end)
  end)

  for _, address in ipairs { "htttp://user:SECRET@127.0.0.1:1",
    "'user:SECRET@ho st:1'", "http://user:p/SECRET@127.0.0.1:1" } do
    it("sends nothing to an odd proxy, nor shows " .. address, function()
      local outcome = elsewhere("https_proxy=" .. address, ORDER,
        "https://video.example/v1", server.ca_file, 2, 10)
      assert.truthy(outcome:find("^invalid\t%w+\tfalse\t0\t"), outcome)
      assert.is_nil(outcome:find("SECRET", 1, true), outcome)
    end)
  end

  describe("counts", function()
    local http = http1.new()

    -- Bytes of a whole request, as one write of them counts.
    local function bytes_of_whole(size)
      server:plan { { http:request(), http:answer(ANSWER), { "fin" } } }
      local head = assert(order(server.url, 2)).bytes_sent - 2
      return head + #tostring(size) - 1 + size
    end

    for _, size in ipairs { 60000, 200000 } do
      it(("no more than it handed over of %d bytes"):format(size), function()
        server:plan { { { "head" }, { "body", 1000 }, { "rst" } } }
        local outcome = order_badly("SEND_IN_ALL=20000", server.url, size)
        assert.equal("reset", outcome.reason)
        assert.equal("request", outcome.phase)
        assert.is_true(outcome.sent)
        assert.is_true(outcome.bytes_sent > 1000)
        assert.is_true(outcome.bytes_sent <= 20000)
      end)

      it(("none of %d bytes twice that took many writes"):format(size),
        function()
          local whole = bytes_of_whole(size)
          server:plan { { http:request(), { "rst" } } }
          local outcome = order_badly("SEND_AT_ONCE=7000", server.url, size)
          assert.equal("answer", outcome.phase)
          assert.is_true(outcome.sent)
          assert.is_true(server:record()[1].whole)
          assert.is_true(outcome.bytes_sent >= size)
          assert.is_true(outcome.bytes_sent <= whole)
        end)
    end
  end)

  describe("over HTTP/2", function()
    local function script(...)
      local http = http2.new()
      return { { "tls", 1, "known/server" }, http.begin(), http:request(),
        http:answer(ANSWER), ... }
    end

    local function get(timeout)
      return assert(engine:submit { url = server.tls_url, timeout = timeout })
    end

    local function answering(count)
      local http = http2.new()
      local steps = { { "tls", 1, "known/server" }, http.begin() }
      for _ = 1, count do
        steps[#steps + 1] = { http:request(), http:answer(ANSWER) }
      end
      steps[#steps + 1] = { "hang" }
      return steps
    end

    it("joins no silent connection where a stream is open, but one other",
      function()
        local POLLS = 8
        server:plan { script { "hang" }, answering(POLLS), script { "fin" } }
        assert.equal("2", assert(finish(get(5), engine)).http_version)
        local open = get(10)
        is_lost("timeout", finish(get(0.1), engine))
        local polls = {}
        for index = 1, POLLS do
          polls[index] = get(5)
        end
        for index = 1, POLLS do
          assert(finish(polls[index], engine))
        end
        assert.is_false(open:done())
        open:cancel()
        engine:close()
        assert.equal(2, server:record().connections)
      end)
  end)

  describe("with a full disk", function()
    local path

    before_each(function()
      path = server.folder .. "/full"
      os.remove(path)
    end)

    it("says so of a download, and keeps what there was room for", function()
      local http = http1.new()
      server:plan { { http:request(), http:answer(VIDEO), { "fin" } } }
      assert.equal("io 28", on_worse("DISK_BYTES=5", DOWNLOAD, server.url,
        path))
      assert.equal("abcde", file.read(path))
    end)

    it("says so of a job, in the system's words", function()
      assert.equal("io 28 No space left on device", on_worse("DISK_BYTES=5",
        WRITE, path))
      assert.equal("abcde", file.read(path))
    end)
  end)

  describe("with a disk that failed once", function()
    local EIO, EINTR, EINVAL = 5, 4, 22
    local part, path

    before_each(function()
      part, path = server.folder .. "/clip.part", server.folder .. "/clip"
      os.remove(path)
      assert(file.write(part, "abcdefgh"))
    end)

    local function place(problem)
      return on_worse("FIRST_FSYNC=" .. problem, PLACE, part, path)
    end

    local function download(problem)
      local http = http1.new()
      server:plan { { http:request(), http:answer(VIDEO), { "fin" } } }
      return on_worse("FIRST_FSYNC=" .. problem, DOWNLOAD, server.url, part)
    end

    it("gives its name to no file that it may have lost", function()
      assert.matches("^io 5\nchanged", place(EIO))
      assert.is_false(file.exists(path))
      assert.equal("", file.read(part))
    end)

    it("keeps nothing of a download to be continued", function()
      assert.equal("io 5", download(EIO))
      assert.equal("", file.read(part))
    end)

    it("asks again where a signal came", function()
      assert.equal("8", download(EINTR))
      assert.equal("true", place(EINTR))
      assert.equal("abcdefgh", file.read(path))
    end)

    it("gives up a file that it cannot look at", function()
      local EOVERFLOW = 75
      assert.matches("^io 75\n", on_worse("EACH_STAT=" .. EOVERFLOW, PLACE,
        part, path))
      assert.equal("abcdefgh", file.read(part))
    end)

    it("takes a file system that cannot for one that need not", function()
      assert.equal("8", download(EINVAL))
      assert.equal("true", place(EINVAL))
      assert.equal("abcdefgh", file.read(path))
    end)
  end)

  describe("in its queue", function()
    local narrow

    before_each(function()
      narrow = curl.network { inline = true, max_in_flight = 1 }
    end)
    after_each(function()
      narrow:close()
    end)

    local function queue(fields)
      fields.url = fields.url or silent
      return assert(narrow:submit(fields))
    end

    it("announces what ended while another was submitted", function()
      local running = queue {}
      local hopeless = queue {
        sink = { path = server.folder .. "/none/clip" } }
      running:cancel()
      queue {}
      assert.is_true(hopeless:done())
      local ended
      assert.is_true(timed(function() ended = narrow:step(2) end) < 1)
      assert.is_true(ended)
      assert.is_false(narrow:step(0))
      is_lost("io", hopeless:result())
    end)

    it("opens no connection for what is overdue", function()
      server:plan { { { "hang" } } }
      local running = queue {}
      local overdue = queue { method = "POST", body = "x", url = server.url,
        timeout = 0.02 }
      local due = core.now() + 0.02
      running:cancel()
      repeat until core.now() > due
      assert.is_true(narrow:step(1))
      local failure = is_lost("timeout", overdue:result())
      assert.equal("queue", failure.phase)
      assert.is_false(failure.sent)
      narrow:close()
      assert.equal(0, server:record().connections)
    end)

    it("counts the time there", function()
      local running = queue {}
      local start = core.now()
      local waiting = queue { timeout = 1 }
      local begun = queue { timeout = 2 }
      assert.equal("queue",
        is_lost("timeout", finish(waiting, narrow)).phase)
      assert.is_false(begun:done())
      running:cancel()
      local free = core.now()
      assert.not_equal("queue",
        is_lost("timeout", finish(begun, narrow)).phase)
      assert.is_true(core.now() - start >= 1.99)
      assert.is_true(core.now() - free < 2, "its time began with its turn")
    end)
  end)

  describe("with a child", function()
    local part, gate

    before_each(function()
      part, gate = server.folder .. "/clip.part", server.folder .. "/gate"
      os.remove(part)
      os.remove(gate)
      assert(shell.run("mkfifo " .. shell.quote(gate)))
    end)

    it("lets go of a file that the child holds open", function()
      local http = http1.new()
      server:plan { { http:request(), http:answer(VIDEO), { "fin" } } }
      local transfer = assert(engine:submit { url = server.url,
        sink = { path = part, sync = true } })
      local child = process.fork()
      if child == 0 then
        file.read(gate) -- lives until the parent writes
        process.leave(true)
      end
      local response, failure = finish(transfer, engine)
      local placed, why = curl.disk("commit", part, server.folder .. "/clip", 8, true)
      assert(file.write(gate, "go"))
      assert.is_true(process.await(child))
      assert(response, failure)
      assert.is_true(placed, why and why.reason)
    end)

    it("lets the child not give away what it still writes", function()
      local transfer = assert(engine:submit { url = silent,
        sink = { path = part } })
      local child = process.fork()
      if child == 0 then
        process.leave(transfer:done())
      end
      assert.is_true(process.await(child))
      local ok, failure = curl.disk("discard", part)
      assert.is_nil(ok)
      assert.equal("busy", failure.reason)
    end)
  end)

  describe("given an odd answer,", function()
    local function answer(text)
      server:plan { { http1.new():request(), { "send", 0, text }, { "fin" } } }
      return order(server.url, 2)
    end

    it("takes a trailer after an empty body for none of its business",
      function()
        local response = assert(answer("HTTP/1.1 200 OK\r\nETag: one\r\n"
          .. "Transfer-Encoding: chunked\r\n\r\n0\r\nETag: two\r\n\r\n"))
        assert.equal(200, response.status)
        assert.equal("", response.body)
        assert.equal("one", response.headers.etag)
      end)

    for name, body in pairs { ["a body"] = "{}", ["no body"] = "" } do
      it("misses the status, with " .. name, function()
        local failure = is_lost("protocol", answer("HTTP/200 OK\r\n"
          .. "Content-Length: " .. #body .. "\r\n\r\n" .. body))
        assert.is_true(failure.sent)
        assert.is_nil(failure.status)
      end)
    end
  end)
end)
