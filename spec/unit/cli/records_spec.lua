local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local records = require "starvideos.cli.records"
local tables = require "starvideos.cli.table"

-- The names of the fields of a JSON object, in their order; its values hold none.
local function names_in(text)
  local names = {}
  for name in text:gmatch '"([%w_]+)":' do
    names[#names + 1] = name
  end
  return names
end

describe("a record", function()
  it("has its fields in the order of its shape, and further ones behind them",
    function()
      assert.equal('{"path":"a","bytes":1,"sha256":"c","aa":2,"zz":1}',
        records.text("file", { sha256 = "c", zz = 1, path = "a", aa = 2,
          bytes = 1 }))
    end)

  it("writes lists that are empty as lists, and objects as objects", function()
    assert.equal('{"orders":[]}', records.text("orders", { orders = {} }))
    assert.equal('{"states":{},"spend":{},"halted":[],"workers":[]}',
      records.text("status", { states = {}, spend = {}, halted = {},
        workers = {} }))
  end)

  it("is what commands print in a pipe", function()
    local folder = files.folder()
    finally(function() files.remove(folder) end)
    local name = folder .. "/a.db"
    files.write(name, "")
    local _, out = command.run { "status", "--ledger", name }
    assert.same({ "states", "claimed", "unattended", "overdue", "spend",
      "unpriced", "halted", "rates", "limits", "workers" }, names_in(out))
    _, out = command.run { "models" }
    assert.truthy(out:find('^{"models":%[{"name":"starvideos_o3","endpoint":'))
    local _, again = command.run { "models" }
    assert.equal(out, again)
  end)

  it("names only shapes that there are", function()
    for name, shape in pairs(records.shapes) do
      local seen = {}
      for _, field in ipairs(shape) do
        assert.is_nil(seen[field[1]], name .. "." .. field[1])
        seen[field[1]] = true
        assert.is_true(not field.of or records.shapes[field.of] ~= nil)
      end
    end
  end)
end)

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
