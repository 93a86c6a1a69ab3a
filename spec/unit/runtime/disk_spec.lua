local curl = require "starvideos.curl"
local disk = require "starvideos.runtime.disk"
local files = require "spec.fixtures.files"
local shell = require "starvideos.sandbox.nginx.shell"

local read, write = files.read, files.write

local function jobs_of(do_job)
  local path, part

  before_each(function()
    path = os.tmpname()
    part = path .. ".part"
  end)
  after_each(function()
    os.remove(path)
    os.remove(part)
  end)

  local function fails(reason, errno, ...)
    local result, failure = do_job(...)
    assert.is_nil(result)
    assert.equal(reason, failure.reason)
    assert.equal(errno, failure.errno)
    assert.is_nil(failure.message:find("/", 1, true), failure.message)
  end

  it("tell the size of a file", function()
    write(path, ("x"):rep(5000))
    assert.equal(5000, do_job("size", path))
    assert.is_nil((do_job("size", part)))
    assert.is_truthy(do_job("size", "/tmp"))
  end)

  it("read a file, or its beginning", function()
    write(path, "abc\0def\r\n")
    assert.equal("abc\0def\r\n", do_job("read", path))
    assert.equal("abc\0", do_job("read", path, 4))
    assert.equal("abc\0def\r\n", do_job("read", path, 100))
    write(path, "")
    assert.equal("", do_job("read", path))
    assert.equal("", do_job("read", path, 4))
    fails("io", 2, "read", part)
    fails("io", 21, "read", "/tmp")
  end)

  it("write a new file, behind or over what is there", function()
    assert.is_true(do_job("write", part, "one\0", "wb"))
    assert.is_true(do_job("write", part, "two", "ab"))
    assert.equal("one\0two", read(part))
    assert.is_true(do_job("write", part, "ONE", "r+b"))
    assert.equal("ONE\0two", read(part))
    assert.is_true(do_job("write", part, "", "r+b"))
    assert.equal("ONE\0two", read(part))
    assert.is_true(do_job("write", part, "x", "wb"))
    assert.equal("x", read(part))
  end)

  it("say why a file cannot be written", function()
    fails("io", 2, "write", part, "", "r+b")
    fails("io", 2, "write", "/nowhere/at/all", "", "wb")
  end)

  it("never wait for the other end of a pipe, and open no device", function()
    shell.run("mkfifo " .. part)
    fails("io", 6, "read", part)
    fails("io", 6, "write", part, "x", "ab")
    fails("io", 6, "write", "/dev/full", "x", "wb")
    assert.equal("other", do_job("kind", part))
    do_job("size", part)
    do_job("discard", part, true)
  end)

  it("remove a file", function()
    assert.is_true(do_job("remove", path))
    assert.is_nil(read(path))
    fails("io", 2, "remove", path)
  end)

  it("tell a directory from a file", function()
    assert.equal("directory", do_job("kind", "/tmp"))
    assert.equal("file", do_job("kind", path))
    assert.is_nil((do_job("kind", part)))
    assert.is_nil((do_job("kind", path .. "/none")))
  end)

  it("give a whole file its name", function()
    os.remove(path)
    write(part, "video")
    assert.is_true(do_job("commit", part, path, 5, false))
    assert.equal("video", read(path))
    assert.is_nil(read(part))
  end)

  it("take no name from another file unless told to", function()
    write(path, "theirs")
    write(part, "video")
    local ok, failure = do_job("commit", part, path, 5, false)
    assert.same({ nil, "exists" }, { ok, failure.reason })
    assert.equal("theirs", read(path))
    assert.is_true(do_job("commit", part, path, 5, true))
    assert.equal("video", read(path))
  end)

  it("give no name to a file that has another size", function()
    os.remove(path)
    write(part, "video")
    local ok, failure = do_job("commit", part, path, 6, false)
    assert.same({ nil, "changed" }, { ok, failure.reason })
    assert.is_nil(read(path))
    assert.equal("video", read(part))
  end)

  it("say that there is no file to be given a name", function()
    os.remove(path)
    fails("io", 2, "commit", part, path, 5, false)
  end)

  it("discard what is of no use", function()
    write(part, "video")
    assert.is_true(do_job("discard", part, true))
    assert.equal("video", read(part))
    write(part, "")
    assert.is_true(do_job("discard", part, true))
    assert.is_nil(read(part))
    write(part, "video")
    assert.is_true(do_job("discard", part, false))
    assert.is_nil(read(part))
    assert.is_true(do_job("discard", part, false))
  end)
end

describe("the jobs on files", function()
  describe("in plain Lua", function()
    jobs_of(function(name, ...)
      return disk[name](...)
    end)

    it("cannot tell a digest", function()
      local digest, failure = disk.sha256 "/tmp/any"
      assert.same({ nil, "io" }, { digest, failure.reason })
    end)
  end)

  describe("of starvideos.curl", function()
    jobs_of(curl.disk)

    it("tell the digest of a file", function()
      local path = os.tmpname()
      write(path, "abc")
      -- FIPS 180-4, the example of one block.
      assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
        .. "f20015ad", curl.disk("sha256", path))
      os.remove(path)
    end)

    it("lock a file until it is unlocked or its lock is collected", function()
      local path = os.tmpname()
      local lock = assert(curl.disk("lock", path))
      local _, failure = curl.disk("lock", path)
      assert.equal("busy", failure.reason)
      assert.is_true(curl.disk("unlock", lock))
      assert.is_nil(read(path))
      assert.is_true(curl.disk("unlock", lock))
      assert(curl.disk("lock", path))
      collectgarbage()
      assert.is_nil(read(path))
      _, failure = curl.disk("lock", "/nowhere/at/all")
      assert.same({ "io", 2 }, { failure.reason, failure.errno })
    end)

    it("leave a lock to the process that took it", function()
      local process = require "spec.fixtures.process"
      local path = os.tmpname()
      local lock = assert(curl.disk("lock", path))
      local child = process.fork()
      if child == 0 then
        curl.disk("unlock", lock)
        process.leave(0)
      end
      process.await(child)
      local _, failure = curl.disk("lock", path)
      assert.equal("busy", failure.reason)
      assert.equal("", read(path))
      curl.disk("unlock", lock)
    end)
  end)
end)
