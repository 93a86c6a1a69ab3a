local response = require "starvideos.sandbox.response"
local http_date = require "starvideos.base.http_date"

describe("the date of a header", function()
  it("takes a year of two digits for the one nearest to fifty years ahead",
    function()
      local function year(digits, now)
        local text = ("Sunday, 06-Nov-%s 08:49:37 GMT"):format(digits)
        return os.date("!%Y", http_date(text, now))
      end
      local in_2026 = 1795000000
      assert.equal("2026", year("26", in_2026))
      assert.equal("2027", year("27", in_2026))
      assert.equal("2076", year("76", in_2026))
      assert.equal("1977", year("77", in_2026))
      assert.equal("1994", year("94", in_2026))
      assert.equal("2094", year("94", in_2026 + 30 * 31556952))
    end)

  it("knows leap years", function()
    assert.equal(1709164800,
      http_date("Thu, 29 Feb 2024 00:00:00 GMT", 0))
    assert.equal(951868800,
      http_date("Wed, 01 Mar 2000 00:00:00 GMT", 0))
  end)

  it("agrees with the calendar on every day of eighty years", function()
    for day = 0, 80 * 365, 7 do
      local seconds = day * 86400 + day % 86400
      assert.equal(seconds, (http_date(response.date(seconds), 0)))
    end
  end)
end)
