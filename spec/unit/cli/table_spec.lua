local command = require "spec.fixtures.command"
local tables = require "starvideos.cli.table"

describe("tables of commands", function()
  local function lines_of(words, columns)
    local _, out = command.run(words, { terminal = true,
      size = function() return columns, 24 end })
    local list = {}
    for line in out:gmatch "[^\n]+" do
      list[#list + 1] = line
    end
    return list, out
  end

  it("fit 40 columns and more", function()
    for _, columns in ipairs { 40, 60, 80, 200 } do
      for _, line in ipairs(lines_of({ "models" }, columns)) do
        assert.is_true(tables.width_of(line) <= columns, line)
      end
    end
  end)

  it("are JSON with --json, on a terminal too", function()
    local list = lines_of({ "models", "--json" }, 80)
    assert.equal(1, #list)
    assert.equal("{", list[1]:sub(1, 1))
  end)

  it("have no colours", function()
    local _, out = lines_of({ "models" }, 80)
    assert.is_nil(out:find("\27", 1, true))
  end)

  it("go on in the next line where the last column is long", function()
    assert.equal("a  b\nx  one two three\n   four", tables.text({ "a", "b" },
      { { "x", "one two three four" } }, { width = 18, wraps = true }))
  end)

  it("become lines of heading and value where they do not fit", function()
    assert.equal("state  accepted\nid     0123456789abcdef\n\n"
      .. "state  failed\nid     -", tables.text({ "state", "id" },
      { { "accepted", "0123456789abcdef" }, { "failed" } }, { width = 20 }))
  end)
end)
