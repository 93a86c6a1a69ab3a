local fingerprint = require "starvideos.base.fingerprint"
local random = require "starvideos.base.random"

describe("the fingerprint of a text", function()
  it("is the same for the same text, in every version and every Lua", function()
    assert.equal(1, fingerprint "")
    assert.equal(128, fingerprint "a")
    assert.equal("78a758ed", ("%08x"):format(fingerprint "sk-0123456789abcdef"))
  end)

  it("is another for a text that differs in one character", function()
    assert.are_not.equal(fingerprint "sk-1", fingerprint "sk-2")
  end)

  it("is a seed, however long the text", function()
    for length = 0, 2000, 7 do
      local number = fingerprint(("\255"):rep(length))
      assert.is_true(number >= 1 and number < 2147483647)
      local share = random(number)()
      assert.is_true(share >= 0 and share < 1)
    end
  end)
end)
