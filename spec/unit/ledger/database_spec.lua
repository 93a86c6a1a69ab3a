local databases = require "starvideos.ledger.database"

describe("what a ledger needs", function()
  it("is there for a file", function()
    assert.is_true(databases.check "videos.db")
  end)

  for address, name in pairs { ["videos.db"] = "sqlite3",
    ["postgres://db.example/videos"] = "postgresql" } do
    it("is named with its packages where it is missing: " .. name, function()
      local cpath, loaded = package.cpath, package.loaded["dbd." .. name]
      package.cpath, package.loaded["dbd." .. name] = "", nil
      finally(function()
        package.cpath, package.loaded["dbd." .. name] = cpath, loaded
      end)
      local found, missing = databases.check(address)
      assert.is_nil(found)
      for _, part in ipairs { "dbd." .. name, "luadbi-" .. name,
        "lua-dbi-" .. name } do
        assert.truthy(missing:find(part, 1, true), missing)
      end
    end)
  end
end)
