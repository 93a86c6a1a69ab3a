-- Numbers and letters in a locale with a decimal comma. `make test-long` runs all
-- unit specs in two such locales as well.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local locale = require "spec.fixtures.locale"

describe("in a locale with a decimal comma", function()
  it("a number is written and read with a point", function()
    locale.with_comma(function()
      for form, text in pairs { ["%.3f"] = "1234.500", ["%g"] = "1234.5",
        ["%.17g"] = "1234.5", ["%010.2f"] = "0001234.50" } do
        assert.equal(text, c_locale.number(form, 1234.5))
        assert.equal(1234.5, c_locale.tonumber(text))
      end
      assert.equal("-1.5e-07", c_locale.number("%g", -1.5e-7))
      assert.equal("8", c_locale.number("%g", 8))
    end)
  end)

  it("what is no number is none", function()
    locale.with_comma(function()
      for _, text in ipairs { "", ".", "1.2.3", "one", "1.5 s" } do
        assert.is_nil(c_locale.tonumber(text))
      end
      assert.is_nil(c_locale.tonumber(nil))
      assert.equal(7, c_locale.tonumber(7))
    end)
  end)

  it("JSON is read by an instance from before, and written for one", function()
    local before = json.decode "[0.5]" -- in the locale of the specs
    assert.equal(0.5, before[1])
    locale.with_comma(function()
      assert.same({ 0.5, -1.25e-3 }, json.decode "[0.5,-1.25e-3]")
      assert.equal("[0.5]", json.encode { 0.5 })
      assert.is_nil((json.decode "[0.5.1]"))
    end)
    assert.same({ 0.25 }, json.decode "[0.25]")
  end)
end)

describe("letters", function()
  it("change their case by the alphabet from A to Z alone", function()
    assert.equal("failed in \195\132", c_locale.lower "FAILED In \195\132")
    assert.equal("ID-\195\164", c_locale.upper "id-\195\164")
  end)
end)
