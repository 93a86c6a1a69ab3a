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
