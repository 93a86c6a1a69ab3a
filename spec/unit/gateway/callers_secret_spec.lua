local files = require "spec.fixtures.files"
local callers = require "starvideos.gateway.callers"

describe("the secret of a gateway", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  it("is another each time it is made", function()
    assert.truthy(callers.new_token():find(("^%x"):rep(1) .. ("%x"):rep(63) .. "$"))
    assert.not_equal(callers.new_token(), callers.new_token())
  end)

  it("stays the same in its folder, for its owner alone", function()
    local first = assert(callers.secret_of(folder))
    assert.equal(first, callers.secret_of(folder))
    assert.equal("600", files.mode(folder .. "/secret"))
  end)

  it("is not replaced where its file was cut off, for links would end", function()
    files.write(folder .. "/secret", "5e5e")
    local found, why = callers.secret_of(folder)
    assert.is_nil(found)
    assert.truthy(why:find(folder .. "/secret", 1, true), why)
    assert.is_nil(why:find("5e5e", 1, true))
  end)

  it("is none where the folder is missing", function()
    assert.is_nil((callers.secret_of(folder .. "/missing")))
  end)
end)
