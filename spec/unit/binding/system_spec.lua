-- What the core tells Lua of the system.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"

describe("random_bytes", function()
  it("gives as many as asked for", function()
    for _, count in ipairs { 0, 1, 8, 64 } do
      assert.equal(count, #core.random_bytes(count))
    end
  end)

  it("gives others each time", function()
    assert.not_equal(core.random_bytes(16), core.random_bytes(16))
  end)

  it("refuses more than fits, and what is no count", function()
    for _, count in ipairs { 65, -1, 0 / 0, 1 / 0, "many" } do
      assert.has_error(function() core.random_bytes(count) end)
    end
  end)
end)

describe("is_loopback", function()
  it("knows the names and addresses of this machine", function()
    for _, host in ipairs { "localhost", "LocalHost", "[::1]", "127.0.0.1",
      "127.255.0.9" } do
      assert.is_true(core.is_loopback(host), host)
    end
  end)

  it("takes nothing else for one", function()
    for _, host in ipairs { "", "example.com", "localhost.example", "::1",
      "127.1", "127.0.0.1.example", "127.0.0.256", "10.0.0.1",
      "localhost\0.example", "127.0.0.1\0.example" } do
      assert.is_false(core.is_loopback(host), host)
    end
  end)
end)

describe("lifetime", function()
  it("of this process is the same each time, and it runs", function()
    local runs, start = core.lifetime(core.process_id())
    assert.is_true(runs)
    assert.matches("^%x+$", start)
    assert.equal(start, select(2, core.lifetime(core.process_id())))
  end)

  it("of none is not known", function()
    for _, number in ipairs { 0, -1, 0 / 0, 2 ^ 40, 4194305 } do
      assert.is_nil((core.lifetime(number)))
    end
  end)
end)

describe("machine", function()
  it("has a name and tells one boot from another", function()
    assert.matches("%S", core.machine "name")
    assert.matches("^%S+$", core.machine "boot")
    assert.equal(core.machine "boot", core.machine "boot")
    assert.has_error(function() core.machine "color" end)
  end)
end)

describe("getenv", function()
  it("gives a variable, however long", function()
    assert.equal(os.getenv "PATH", core.getenv "PATH")
    assert.is_nil(core.getenv "STARVIDEOS_NOBODY_SET_THIS")
  end)
end)

describe("absolute", function()
  local here = core.absolute "."

  it("leads from the root to one text for each file", function()
    for _, path in ipairs { "a/b.mp4", "./a//b.mp4", "a/./b.mp4",
      here .. "/a/b.mp4" } do
      assert.equal(here .. "/a/b.mp4", core.absolute(path))
    end
  end)

  it("is none where the path is longer than any", function()
    assert.is_nil(core.absolute(("a/"):rep(50000)))
  end)
end)

describe("real", function()
  local folder

  before_each(function()
    folder = core.real(files.folder())
    assert(shell.run(shell.fill("cd @folder@ && mkdir -p real/deep && ln -s real"
      .. " link && ln -s ../real/deep link/down && ln -s nothing dangling"
      .. " && ln -s loop loop && : >real/a && ln -s real/a file",
      { folder = folder })))
  end)

  after_each(function()
    files.remove(folder)
  end)

  it("follows what is there, and takes the rest as text", function()
    for path, real in pairs { ["link/a"] = "real/a", file = "real/a",
      ["link/down/b"] = "real/deep/b", ["link/down/../b"] = "real/b",
      ["link/../b"] = "b", ["no/such/../b"] = "no/b",
      ["no/../link/b"] = "real/b", ["real/a/../b"] = "real/b",
      ["link/new/../../link/./b"] = "real/b", ["link//"] = "real" } do
      assert.equal(folder .. "/" .. real, core.real(folder .. "/" .. path), path)
    end
    assert.equal(core.absolute "nothing/here", core.real "nothing/here")
  end)

  it("is the root above the root", function()
    assert.equal(core.real "/", core.real "/../..")
  end)

  it("is none of a link to nothing, or in a circle, or too long", function()
    for _, path in ipairs { "dangling", "dangling/a", "loop", "loop/a",
      ("a/"):rep(5000) } do
      local real, why, errno = core.real(folder .. "/" .. path)
      assert.same({ "nil", "string", "number" }, { type(real), type(why),
        type(errno) })
    end
  end)

  it("is not what a link of /proc is called, where that is no path", function()
    local pipe = io.popen "exec sleep 0"
    for number = 0, 15 do
      local path = "/proc/self/fd/" .. number
      local kind = core.kind(path)
      assert.equal(kind, kind and core.kind(core.real(path)), path)
    end
    pipe:close()
    if core.kind "/proc/self/root" then
      assert.equal(folder .. "/real/b",
        core.real("/proc/self/root" .. folder .. "/link/b"))
    end
  end)
end)

describe("folded", function()
  it("keeps what is a small letter", function()
    assert.equal("/a/b_1.mp4", core.folded "/a/b_1.mp4")
  end)
end)

describe("a terminal", function()
  it("is not where a file or a pipe is", function()
    for _, descriptor in ipairs { -1, 3000000 } do
      assert.is_false(core.is_terminal(descriptor))
    end
  end)

  it("is not waited for longer than asked", function()
    local before = core.now()
    assert.is_not.truthy(core.read_terminal(0))
    assert.is_true(core.now() - before < 5)
    assert.has_error(function() core.read_terminal(2) end)
  end)
end)
