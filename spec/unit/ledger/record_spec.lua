-- An order's parameters as the first version of the ledger wrote them, by which
-- an order of its time is recognised.

local record = require "starvideos.ledger.record"

describe("the text of an order's parameters", function()
  local same = {
    { duration = 5, ratio = "16:9" },
    { seed = 123456789012 },
    { seed = 1e300 },
    { scale = 0.1, list = { 1, 2.5 } },
    { prompt = "call 1234567890123456789 for more" },
  }
  for _, fields in ipairs(same) do
    it("was the same of " .. record.text(fields), function()
      local text, former = record.text(fields)
      assert.equal(text, former or text)
    end)
  end

  it("had 14 digits of a number, wherever it stands", function()
    local long = 0.1234567890123456
    assert.equal('{"scale":0.12345678901235}',
      (select(2, record.text { scale = long })))
    assert.equal('{"deep":{"list":[1,1.2345678901235e+20]}}',
      (select(2, record.text { deep = { list = { 1, 123456789012345678901 } } })))
  end)

  it("hid less of a URL", function()
    assert.not_equal(record.text { image = "https://h/a#SECRET" },
      (select(2, record.text { image = "https://h/a#SECRET" })))
  end)
end)
