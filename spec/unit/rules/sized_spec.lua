local core = require "starvideos.core"

describe("a table with room", function()
  it("is empty, and takes more than it has room for", function()
    local sized = core.sized(2, 1)
    assert.is_nil(next(sized))
    for index = 1, 9 do
      sized[index], sized["field" .. index] = index, true
    end
    assert.equal(9, #sized)
  end)

  it("is made of two numbers", function()
    assert.has_error(function() core.sized(1) end)
  end)
end)
