-- The parameters of an order as they are kept, by which it is recognised.

local record = require "starvideos.ledger.record"

describe("the text of an order's parameters", function()
  it("has all digits of a number, wherever it stands", function()
    assert.equal('{"deep":{"list":[1,2.5]},"seed":1234567890123456}',
      record.text { seed = 1234567890123456, deep = { list = { 1, 2.5 } } })
    assert.matches('^{"scale":0%.123456789012345', record.text {
      scale = 0.1234567890123456 })
  end)

  it("has no secret of a URL, and differs where that does", function()
    local text = record.text { image = "https://h/a#SECRET" }
    assert.is_nil(text:find("SECRET", 1, true))
    assert.not_equal(text, record.text { image = "https://h/a#OTHER" })
  end)
end)
