-- The disk as a driver sees to it: downloads, and jobs that are the
-- same on the calling thread.

local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local tickets = require "spec.fixtures.tickets"

local finish, take = tickets.finish, tickets.take
local read, write = files.read, files.write

local CLIP = ("0123456789"):rep(100000)
-- As sha256sum prints it.
local CLIP_SHA256 =
  "ec21d64624228af3ecd4bdaa8239e32ed943b01e26934cd5610fddb361426dc6"

describe("a network", function()
  local server, driver, folder, path

  setup(function()
    server = nginx.start { tls = true, body = [[
      location = /drip { content_by_lua_block {
        ngx.header.content_type = "video/mp4"
        ngx.print("x") ngx.flush(true) ngx.sleep(30)
      } }]] }
    server:serve("clip.mp4", CLIP)
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    folder = files.folder()
    path = folder .. "/clip.mp4"
    driver = curl.network { ca_file = server.ca_file }
  end)
  after_each(function()
    driver:close()
    files.remove(folder)
  end)

  local function download(from, fields)
    local req = fields or {}
    req.url, req.timeout = server.tls_url .. from, 20
    req.sink = req.sink or { path = path, sync = true }
    return finish(driver, driver:submit(req))
  end

  it("writes a download to its file", function()
    local response = assert(download "/clip.mp4")
    assert.equal(CLIP_SHA256, response.sha256)
    assert.equal(#CLIP, response.file_bytes)
    assert.is_nil(response.body)
    assert.equal(CLIP, read(path))
  end)

  it("goes on with what is there", function()
    write(path, CLIP:sub(1, 400000))
    local response = assert(download("/clip.mp4", {
      headers = { Range = "bytes=400000-" },
      sink = { path = path, offset = 400000 } }))
    assert.equal(206, response.status)
    assert.equal(CLIP_SHA256, response.sha256)
    assert.equal(CLIP, read(path))
  end)

  it("tells of what it cannot write to, and goes on", function()
    shell.run("mkfifo " .. path .. ".pipe")
    for where, errno in pairs { [folder] = 21, ["/dev/full"] = 6,
      [path .. ".pipe"] = 6 } do
      local response, failure = download("/clip.mp4", {
        headers = { Range = "bytes=0-" }, sink = { path = where } })
      assert.is_nil(response)
      assert.equal("io", failure.reason)
      assert.equal(errno, failure.errno)
      assert.truthy(failure.message:find(where, 1, true))
    end
    assert.truthy(download "/clip.mp4")
  end)

  it("keeps what came of a download that is cancelled", function()
    local ticket, number = driver:submit { url = server.url .. "/drip",
      sink = { path = path } }
    while ticket:progress() == 0 do
      process.readable(driver:pollfd(), 0.01)
    end
    assert.equal("busy", select(2, curl.disk("discard", path)).reason)
    ticket:cancel()
    assert.equal(number, take(driver))
    assert.equal("x", read(path))
    assert.is_true(curl.disk("discard", path))
  end)

  -- Each way of having a job done gives the same.
  local ways = {
    ["on the calling thread"] = function(...)
      return curl.disk(...)
    end,
    ["by a driver"] = function(...)
      return finish(driver, driver:disk(...))
    end,
  }

  for title, disk in pairs(ways) do
    describe("has jobs done " .. title .. ":", function()
      local function fails(reason, number, ok, failure)
        assert.is_nil(ok)
        assert.equal(reason, failure.reason)
        assert.equal(number, failure.errno)
        assert.is_true(#failure.message > 0)
      end

      it("the size of a file, or of none", function()
        assert.is_nil((disk("size", path)))
        write(path, "")
        assert.equal(0, (disk("size", path)))
        write(path, CLIP)
        assert.equal(#CLIP, (disk("size", path)))
        assert.equal("number", type((disk("size", folder))))
      end)

      it("reading all of a file, or its beginning", function()
        fails("io", 2, disk("read", path))
        write(path, "")
        assert.equal("", (disk("read", path)))
        assert.equal("", (disk("read", path, 12)))
        write(path, "a\0b" .. CLIP)
        assert.equal("a\0b" .. CLIP, (disk("read", path)))
        assert.equal("a\0b0", (disk("read", path, 4)))
        assert.equal("", (disk("read", path, 0)))
        fails("io", 21, disk("read", folder))
      end)

      it("writing from nothing, at the end, and over what is there", function()
        fails("io", 2, disk("write", path, "", "r+b"))
        assert.is_true((disk("write", path, "one\0", "wb")))
        assert.is_true((disk("write", path, "two", "ab")))
        assert.equal("one\0two", read(path))
        assert.is_true((disk("write", path, "ONE", "r+b")))
        assert.equal("ONE\0two", read(path))
        assert.is_true((disk("write", path, "", "wb")))
        assert.equal("", read(path))
        fails("io", 21, disk("write", folder, "x", "wb"))
      end)

      it("writing what its owner alone may read, beside what others may",
        function()
          write(path, "")
          local open = files.mode(path)
          os.remove(path)
          assert.is_true((disk("write", path, "x", "wb")))
          assert.equal(open, files.mode(path))
          os.remove(path)
          assert.is_true((disk("write", path, "x", "wb", true)))
          assert.equal("600", files.mode(path))
          assert.is_true((disk("write", path .. ".too", "x", "ab", true)))
          assert.equal("600", files.mode(path .. ".too"))
        end)

      it("removing", function()
        fails("io", 2, disk("remove", path))
        write(path, "x")
        assert.is_true((disk("remove", path)))
        assert.is_nil(read(path))
      end)

      it("telling a file from a folder, a pipe and a device", function()
        write(path, "x")
        shell.run("mkfifo " .. path .. ".pipe")
        assert.equal("directory", (disk("kind", folder)))
        assert.equal("file", (disk("kind", path)))
        assert.equal("other", (disk("kind", path .. ".pipe")))
        assert.equal("other", (disk("kind", "/dev/null")))
        assert.is_nil((disk("kind", path .. "/none")))
      end)

      it("nothing that waits for the other end of a pipe", function()
        local pipe = path .. ".pipe"
        shell.run("mkfifo " .. pipe)
        fails("io", 6, disk("read", pipe))
        fails("io", 6, disk("write", pipe, "x", "wb"))
        fails("io", 6, disk("write", pipe, "x", "r+b"))
        fails("io", 6, disk("sha256", pipe))
        fails("io", 6, disk("commit", pipe, path, 0))
        fails("io", 6, disk("discard", pipe))
        fails("io", 6, disk("read", "/dev/zero", 10))
      end)

      it("giving a file its name, unless it is another's", function()
        local part = path .. ".part"
        write(part, "whole")
        fails("changed", nil, disk("commit", part, path, 6))
        write(path, "mine")
        fails("exists", 17, disk("commit", part, path, 5))
        assert.is_true((disk("commit", part, path, 5, true)))
        assert.equal("whole", read(path))
        fails("io", 2, disk("commit", part, path, 5))
      end)

      it("throwing away", function()
        write(path, "x")
        assert.is_true((disk("discard", path, true)))
        assert.equal("x", read(path))
        assert.is_true((disk("discard", path)))
        assert.is_nil(read(path))
      end)

      it("the digest of a file", function()
        write(path, CLIP)
        assert.equal(CLIP_SHA256, (disk("sha256", path)))
        fails("io", 2, disk("sha256", path .. "none"))
      end)

      it("nothing that is no job", function()
        for _, words in ipairs { { "burn", path }, { "size" }, { "read", {} },
          { "write", path }, { "write", path, "x" }, { "read", path, -1 },
          { "write", path, "x", "w" }, { "commit", path, path, 0 / 0 } } do
          assert.has_error(function() disk((unpack or table.unpack)(words)) end)
        end
        assert.is_nil(read(path))
      end)
    end)
  end

  it("does jobs in their order", function()
    local last, expected = nil, {}
    for index = 1, 300 do
      last = driver:disk("write", path, index .. "\n",
        index == 1 and "wb" or "ab")
      expected[index] = index .. "\n"
    end
    for index = 1, 300 do
      assert.equal(index, take(driver))
    end
    assert.is_true((last:result()))
    assert.equal(table.concat(expected), read(path))
  end)

  it("does the jobs that are left when it is closed", function()
    for index = 1, 300 do
      driver:disk("write", path, "x", index == 1 and "wb" or "ab")
    end
    local last = driver:disk("size", path)
    driver:close()
    assert.equal(("x"):rep(300), read(path))
    assert.equal(300, (last:result()))
  end)

  it("does a job whose ticket was dropped, and cancels none", function()
    driver:disk("write", path, "x", "wb"):cancel()
    collectgarbage()
    collectgarbage()
    assert.equal(1, take(driver))
    assert.equal("x", read(path))
  end)
end)
