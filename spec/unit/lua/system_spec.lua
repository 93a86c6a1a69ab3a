-- What the core tells Lua of the system.

local core = require "starvideos.core"

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
