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
