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
