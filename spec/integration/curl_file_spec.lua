-- A download of the engine's, and what is done with its file.

local curl = require "starvideos.curl"
local engines = require "spec.fixtures.engine"
local files = require "spec.fixtures.files"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local get, raw = engines.get, engines.raw
local finish, is_lost = transfers.finish, transfers.is_lost
local read, write = files.read, files.write

-- As sha256sum prints them.
local CLIP_SHA256 =
  "ec21d64624228af3ecd4bdaa8239e32ed943b01e26934cd5610fddb361426dc6"
local EMPTY_SHA256 =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

describe("the engine", function()
  local server, engine, folder

  setup(function()
    server = engines.start()
    folder = server.prefix
  end)
  teardown(engines.stop)
  before_each(function()
    engine = engines.open()
  end)
  after_each(engines.close)

  describe("a file", function()
    local path

    before_each(function()
      path = folder .. "/clip.part"
      os.remove(path)
    end)

    local function download(where, sink, fields)
      local req = fields or {}
      req.sink = sink or { path = path, sync = true }
      return get(server.tls_url .. where, req)
    end

    it("takes the body as it comes", function()
      local response = assert(download "/clip.mp4")
      assert.equal(1000000, response.file_bytes)
      assert.equal(0, response.file_offset)
      assert.is_nil(response.body)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("longer than the limit is not begun where its length is known", function()
      write(path, "01234")
      is_lost("too_large", download("/clip.mp4", { path = path, max = 999999 }))
      is_lost("too_large", download("/clip.mp4",
        { path = path, offset = 5, max = 999999 },
        { headers = { Range = "bytes=5-" } }))
      assert.equal("01234", read(path))
      assert(download("/clip.mp4", { path = path, max = 1000000 }))
    end)

    it("without an end stops at the limit", function()
      is_lost("too_large", download("/zeros", { path = path, any = true,
        max = 100000 }))
      assert.is_true(#read(path) <= 100000)
    end)

    it("is continued where it ends", function()
      write(path, "01234")
      local response = assert(download("/clip.mp4", { path = path, offset = 5 },
        { headers = { Range = "bytes=5-" } }))
      assert.equal(206, response.status)
      assert.equal(999995, response.file_bytes)
      assert.equal(5, response.file_offset)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("is restarted when the server sends the whole", function()
      write(path, ("old"):rep(1000000))
      local response = assert(download("/clip.mp4", { path = path, offset = 7 }))
      assert.equal(0, response.file_offset)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("is emptied by an empty video", function()
      write(path, "old")
      local response = assert(download "/empty")
      assert.equal(0, response.file_bytes)
      assert.equal(EMPTY_SHA256, response.sha256)
      assert.equal("", read(path))
    end)

    for _, where in ipairs { "/page", "/oops", "/missing" } do
      it("is left alone by " .. where, function()
        write(path, "old")
        local response = assert(download(where))
        assert.is_nil(response.file_bytes)
        assert.is_true(#response.body > 0)
        assert.equal("old", read(path))
      end)
    end

    it("is left alone by another range than asked for", function()
      write(path, "old")
      is_lost("protocol", download("/other", { path = path, offset = 3 }))
      assert.equal("old", read(path))
    end)

    it("is not lengthened where less of it is left than was said", function()
      write(path, "01")
      local failure = is_lost("io", download("/clip.mp4",
        { path = path, offset = 5 }, { headers = { Range = "bytes=5-" } }))
      assert.equal("body", failure.phase)
      assert.equal("01", read(path))
    end)

    describe("whose version is known", function()
      local kept, headers = ("0123456789"):rep(3), { Range = "bytes=30-" }
      local known

      before_each(function()
        local now = assert(download "/clip.mp4").headers
        known = { path = path, offset = 30, etag = now.etag,
          modified = now["last-modified"], total = 1000000 }
        assert.is_string(known.etag)
        assert.is_string(known.modified)
        write(path, kept)
      end)

      it("is continued where it is still that one", function()
        local response = assert(download("/clip.mp4", known,
          { headers = headers }))
        assert.equal(30, response.file_offset)
        assert.equal(CLIP_SHA256, response.sha256)
      end)

      local others = { etag = '"other"', total = 999999,
        modified = "Tue, 03 Jun 2008 11:05:30 GMT" }
      for field, value in pairs(others) do
        it("is left alone where " .. field .. " is another now", function()
          known[field] = value
          local failure = is_lost("changed", download("/clip.mp4", known,
            { headers = headers }))
          assert.equal(206, failure.status)
          assert.equal("body", failure.phase)
          assert.equal(kept, read(path))
        end)
      end

      it("is restarted where the whole comes, of whatever version", function()
        known.etag = '"other"'
        assert.equal(0, assert(download("/clip.mp4", known)).file_offset)
        assert.equal(("0123456789"):rep(100000), read(path))
      end)
    end)

    it("is opened only when its turn comes", function()
      local small = curl.network { inline = true, max_in_flight = 1,
        ca_file = server.ca_file }
      local first = assert(small:submit { url = server.url .. "/later" })
      local second = assert(small:submit { url = server.url .. "/clip.mp4",
        sink = { path = path } })
      local third = assert(small:submit { url = server.url .. "/clip.mp4",
        sink = { path = folder .. "/none/clip" } })
      assert.is_nil(read(path))
      assert(finish(first, small))
      assert.equal(CLIP_SHA256, assert(finish(second, small)).sha256)
      local failure = is_lost("io", finish(third, small))
      assert.equal("queue", failure.phase)
      assert.is_false(failure.sent)
      small:close()
    end)

    it("keeps what came before the connection broke", function()
      local failure = is_lost("reset", raw("HTTP/1.1 200 OK\r\n"
        .. "Content-Type: video/mp4\r\nContent-Length: 9\r\n\r\nabc",
        { sink = { path = path } }))
      assert.equal(3, failure.received)
      assert.equal("abc", read(path))
    end)

    it("in no directory is a failure before anything is sent", function()
      local failure = is_lost("io", engine:submit { url = server.url,
        sink = { path = folder .. "/none/clip" } })
      assert.is_false(failure.sent)
      assert.equal("queue", failure.phase)
      assert.is_number(failure.errno)
    end)

    it("that another transfer writes is refused", function()
      local first = assert(engine:submit { url = server.url .. "/drip",
        sink = { path = path } })
      local failure = is_lost("busy", engine:submit {
        url = server.url .. "/clip.mp4", sink = { path = path } })
      assert.truthy(failure.message:find("clip.part", 1, true))
      first:cancel()
      assert(download "/clip.mp4")
    end)

    it("that is a pipe nobody reads is an error, not a wait", function()
      shell.run("mkfifo " .. path)
      is_lost("io", engine:submit { url = server.url .. "/clip.mp4",
        sink = { path = path } })
      shell.run("rm " .. path)
    end)

    it("beyond the limit on file sizes fails, and the process lives", function()
      local child = process.fork()
      if child == 0 then
        process.limit_files(300000)
        local _, failure = download "/clip.mp4"
        local fine = failure and failure.reason == "io"
          and failure.message:find("File too large", 1, true)
          and #read(path) == 300000
        process.leave(fine)
      end
      assert.is_true(process.await(child))
    end)

    it("keeps its bytes when the head of an answer is cut short", function()
      write(path, "old")
      is_lost("reset", raw("HTTP/1.1 200 OK\r\nContent-Type: video/mp4",
        { sink = { path = path } }))
      assert.equal("old", read(path))
    end)
  end)

  describe("a finished part", function()
    local part, path

    before_each(function()
      part, path = folder .. "/new.part", folder .. "/new"
      os.remove(path)
      write(part, "whole")
    end)

    local function is_refused(reason, ...)
      local ok, failure = curl.disk("commit", ...)
      assert.is_nil(ok)
      assert.equal(reason, failure.reason)
      assert.is_true(#failure.message > 0)
      assert.equal(reason ~= "changed", failure.errno ~= nil)
    end

    it("gets its name", function()
      assert.is_true(curl.disk("commit", part, path, 5))
      assert.equal("whole", read(path))
      assert.is_nil(read(part))
    end)

    it("takes no name that is taken, but where it may", function()
      write(path, "mine")
      is_refused("exists", part, path, 5)
      assert.equal("mine", read(path))
      assert.equal("whole", read(part))
      assert.is_true(curl.disk("commit", part, path, 5, true))
      assert.equal("whole", read(path))
    end)

    it("is left alone where it has another size by now", function()
      is_refused("changed", part, path, 4)
      assert.is_nil(read(path))
    end)

    it("is left alone while somebody writes it", function()
      local transfer = assert(engine:submit { url = server.url .. "/drip",
        sink = { path = part } })
      is_refused("busy", part, path, 5)
      local ok, failure = curl.disk("discard", part)
      assert.is_nil(ok)
      assert.equal("busy", failure.reason)
      transfer:cancel()
      assert.is_true(curl.disk("commit", part, path, 5))
    end)

    it("that is not there is an error, and so is a folder", function()
      is_refused("io", folder .. "/none", path, 5)
      is_refused("io", part, folder .. "/none/clip", 5)
      assert.equal("whole", read(part))
    end)

    it("may be thrown away, or only if it is empty", function()
      assert.is_true(curl.disk("discard", part, true))
      assert.equal("whole", read(part))
      assert.is_true(curl.disk("discard", part))
      assert.is_nil(read(part))
      assert.is_true(curl.disk("discard", part))
      write(part, "")
      assert.is_true(curl.disk("discard", part, true))
      assert.is_nil(read(part))
    end)

    it("has a digest", function()
      write(part, ("0123456789"):rep(100000))
      assert.equal(CLIP_SHA256, curl.disk("sha256", part))
      write(part, "")
      assert.equal(EMPTY_SHA256, curl.disk("sha256", part))
      local hex, failure = curl.disk("sha256", folder .. "/none")
      assert.is_nil(hex)
      assert.equal("io", failure.reason)
    end)

    it("is the subject of an error where an argument is wrong", function()
      for _, arguments in ipairs { {}, { part }, { part, path },
        { part, path, -1 }, { part, path, 0 / 0 } } do
        assert.has_error(function()
          curl.disk("commit", (table.unpack or unpack)(arguments))
        end)
      end
      assert.has_error(function() curl.disk("discard") end)
      assert.has_error(function() curl.disk("sha256") end)
    end)
  end)
end)
