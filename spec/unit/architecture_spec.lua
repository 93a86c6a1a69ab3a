-- docs/architecture.md is a map, docs/contracts.md has what the rooms rely on: what
-- they name is there.

local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local floors = require "spec.lint.floors"
local operations = require "starvideos.provider.operations"
local schema = require "starvideos.ledger.schema"

describe("the map of the house", function()
  local text = files.read "docs/architecture.md" .. files.read "docs/contracts.md"

  -- A module may go by its path below lua/starvideos, without its ending.
  local function is_there(path)
    for _, form in ipairs { "%s", "%s.lua", "%s.h", "lua/starvideos/%s",
      "lua/starvideos/%s.lua", "lua/starvideos/%s/init.lua" } do
      local found = io.open((form:format(path)))
      if found then
        found:close()
        return true
      end
    end
    return false
  end

  it("names only files that are there", function()
    local count = 0
    for path in text:gmatch "`([%w_%.%-]+/[%w_%./%-]+)`" do
      assert.is_true(is_there(path), path)
      count = count + 1
    end
    assert.is_true(count > 30)
  end)

  it("shows every floor that lint knows", function()
    for _, house in ipairs { floors.lua, floors.c } do
      for _, row in ipairs(house) do
        for _, floor in ipairs(row) do
          for _, name in ipairs(floor.files or { floor.name .. "/" }) do
            assert.truthy(text:find(name, 1, true), name)
          end
        end
      end
    end
  end)

  it("has a row for every column of the ledger", function()
    for _, column in ipairs(schema.columns) do
      assert.truthy(text:find(("\n| `%s` | "):format(column.name), 1, true),
        column.name)
    end
  end)

  it("has a row for every column of a limit", function()
    local folder = files.folder()
    local database = databases.new(folder .. "/ledger.db")
    assert(schema.prepare(database))
    local rows = database:rows "PRAGMA table_info(starvideos_limits)"
    database:close()
    files.remove(folder)
    assert.is_true(#rows > 10)
    for _, row in ipairs(rows) do
      assert.truthy(text:find(("\n| `%s` | "):format(row.name), 1, true),
        row.name)
    end
  end)

  it("tells every field of an operation's record", function()
    for _, operation in pairs(operations) do
      for field in pairs(operation) do
        assert.truthy(text:find(("| `%s` | "):format(field), 1, true), field)
      end
    end
  end)
end)
