-- What the README shows is what works.

local arguments = require "starvideos.cli.arguments"
local errors = require "starvideos.errors"
local exit_codes = require "starvideos.cli.exit_codes"
local options = require "starvideos.options"
local starvideos = require "starvideos"

local load = loadstring or load

describe("the README", function()
  local file = assert(io.open("README.md", "rb"))
  local text = file:read "*a"
  file:close()
  local blocks = {}
  for block in text:gmatch "\n```lua\n(.-)\n```" do
    blocks[#blocks + 1] = block
  end

  it("has programs that every Lua can read", function()
    assert.is_true(#blocks > 3)
    for _, block in ipairs(blocks) do
      assert(load(block))
    end
  end)

  it("shows a unit test that passes at once", function()
    for _, block in ipairs(blocks) do
      if block:find("starvideos.sandbox", 1, true) then
        local began = os.clock()
        assert(load(block))()
        assert.is_true(os.clock() - began < 1)
        return
      end
    end
    error "it shows none"
  end)

  it("lists the exit codes as the help does", function()
    for _, row in ipairs(exit_codes.rows) do
      local line = ("\n| %d | %s |\n"):format(row[2], row[3])
      assert.truthy(text:find(line, 1, true), line)
    end
    assert.truthy(text:find(("most severe: %d before %d, %d, %d, %d, %d, %d"
      .. " and %d."):format((table.unpack or unpack)(exit_codes.by_severity)),
      1, true))
  end)

  it("names every command", function()
    local names = text:match "\n## Command line\n\n`starvideos ([^`]*)`"
    local listed = {}
    for name in names:gmatch "%a+" do
      listed[name] = true
    end
    for _, row in ipairs(arguments.commands) do
      assert.is_true(listed[row[1]], row[1])
      listed[row[1]] = nil
    end
    assert.same({}, listed)
  end)

  it("lists every function of the module", function()
    local count = 0
    local alone = { new = true, assert = true, manifest = true }
    for name, value in pairs(starvideos) do
      local start = (alone[name] and "starvideos." or "") .. name .. "("
      if type(value) == "function" then
        assert.truthy(text:find("\n| `" .. start, 1, true), name)
        count = count + 1
      end
    end
    assert.is_true(count > 10)
  end)

  it("lists every kind of error, and names every option", function()
    for _, kind in ipairs(errors.kinds) do
      assert.truthy(text:find("\n| `" .. kind .. "` | ", 1, true), kind)
    end
    for call, accepted in pairs(options.accepted) do
      for name in pairs(accepted) do
        assert.truthy(text:find("`" .. name, 1, true), call .. ": " .. name)
      end
    end
  end)
end)
