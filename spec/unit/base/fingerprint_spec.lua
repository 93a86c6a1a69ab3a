local fingerprint = require "starvideos.base.fingerprint"

describe("the fingerprint of a text", function()
  it("is the same for the same text, in every version and every Lua", function()
    assert.equal(1, fingerprint.of "")
    assert.equal(128, fingerprint.of "a")
    assert.equal("78a758ed", ("%08x"):format(fingerprint.of "sk-0123456789abcdef"))
  end)

  it("is another for a text that differs in one character", function()
    assert.are_not.equal(fingerprint.of "sk-1", fingerprint.of "sk-2")
  end)

  it("is a seed, however long the text", function()
    for length = 0, 2000, 7 do
      local number = fingerprint.of(("\255"):rep(length))
      assert.is_true(number >= 1 and number < 2147483647)
      local share = fingerprint.random(number)()
      assert.is_true(share >= 0 and share < 1)
    end
  end)
end)
