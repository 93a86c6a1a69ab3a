-- What starvideos.curl tells Lua besides the engine.

local curl = require "starvideos.curl"

describe("sha256", function()
  it("gives the digests of FIPS 180-4", function()
    for text, digest in pairs {
      [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      [("a"):rep(1000000)] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    } do
      assert.equal(digest, curl.sha256(text))
    end
  end)

  it("counts every byte, a NUL too", function()
    assert.not_equal(curl.sha256 "a", curl.sha256 "a\0")
    assert.equal(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      curl.sha256 "\0")
  end)

  it("refuses what is no text", function()
    assert.has_error(function() curl.sha256() end)
    assert.has_error(function() curl.sha256 {} end)
  end)
end)

describe("hmac_sha256", function()
  it("gives the signatures of RFC 4231", function()
    local long = ("\170"):rep(131)
    for _, case in ipairs {
      { ("\11"):rep(20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
      { "Jefe", "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
      { long, "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    } do
      assert.equal(case[3], curl.hmac_sha256(case[1], case[2]))
    end
  end)

  it("takes an empty key and an empty text", function()
    assert.equal(
      "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
      curl.hmac_sha256("", ""))
  end)
end)

describe("equal", function()
  it("compares every byte", function()
    for _, case in ipairs { { "", "" }, { "a\0b", "a\0b" } } do
      assert.is_true(curl.equal(case[1], case[2]))
    end
    for _, case in ipairs { { "", "a" }, { "ab", "a" }, { "a\0b", "a\0c" },
      { "xbc", "abc" } } do
      assert.is_false(curl.equal(case[1], case[2]))
    end
  end)

  it("refuses what is no text", function()
    assert.has_error(function() curl.equal("a", nil) end)
  end)
end)
