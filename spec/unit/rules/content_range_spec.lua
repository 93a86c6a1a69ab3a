local core = require "starvideos.core"

describe("a Content-Range", function()
  local rows = {
    { "bytes 0-99/1234", 0, 99, 1234 },
    { "Bytes 5-9/*", 5, 9 },
    { "bytes */77", nil, nil, 77 },
    { "bytes 3-", 3 },
    { "bytes 5" },
    { "bytes -5/9", nil, nil, 9 },
    { "items 1-2/3" },
    { "" },
    { "bytes 99999999999999999999-1/2", nil, nil, 2 },
  }
  for _, row in ipairs(rows) do
    it(("of %q is read as far as it is well-formed"):format(row[1]), function()
      local first, last, total = core.content_range(row[1])
      assert.equal(row[2], first)
      assert.equal(row[3], last)
      assert.equal(row[4], total)
    end)
  end

  it("that is missing says nothing", function()
    assert.same({}, { core.content_range() })
  end)
end)
