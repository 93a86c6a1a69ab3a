-- Help, and what is told where a word is not known.

local arguments = require "starvideos.cli.arguments"
local command = require "spec.fixtures.command"
local declarations = require "starvideos.cli.declarations"

local function help(columns, ...)
  local words = { ... }
  words[#words + 1] = "--help"
  local _, out = command.run(words, { terminal = columns ~= nil,
    size = function() return columns, 24 end })
  return out
end

-- Whether a line is longer than its terminal, and could have been broken: an
-- example and the label of an option are not.
local function is_too_long(line, columns)
  local rest = line:match "^%s*(.-)%s*$"
  return #line > columns and rest:find " " ~= nil
    and not rest:find "^%-" and not rest:find "^Usage"
end

describe("help", function()
  it("fits its terminal, and 80 columns in a pipe", function()
    for _, columns in ipairs { 40, 60, 80, 100 } do
      for _, row in ipairs(declarations.commands) do
        for line in help(columns, row[1]):gmatch "[^\n]+" do
          assert.is_false(is_too_long(line, columns), line)
        end
      end
    end
    for line in help(nil):gmatch "[^\n]+" do
      assert.is_true(#line <= 80, line)
    end
  end)

  it("uses a wide terminal", function()
    local longest = 0
    for line in help(110, "generate"):gmatch "[^\n]+" do
      longest = math.max(longest, #line)
    end
    assert.is_true(longest > 90)
  end)

  it("groups the commands by what one wants to do", function()
    local out, last = help(nil), 0
    for _, title in ipairs(declarations.groups) do
      local at = out:find("\n" .. title .. ":\n", 1, true)
      assert.is_true(at > last, title)
      last = at
    end
    assert.is_nil(out:find("Other commands", 1, true))
  end)

  it("has an example for each command, which the command line takes", function()
    for _, row in ipairs(declarations.commands) do
      assert.truthy(help(nil, row[1]):find("\nExamples?:\n  %S+"), row[1])
      for _, example in ipairs(row.examples) do
        assert.truthy(example[1]:find("starvideos " .. row[1], 1, true))
      end
    end
  end)

  it("marks what must be given, and says what holds where nothing is", function()
    local out = help(nil, "generate")
    assert.truthy(out:find "%-o, %-%-output FILE +file to save the video in %(required%)")
    assert.truthy(out:find("(default: 1800)", 1, true))
    assert.truthy(out:find("Usage: starvideos generate -o FILE -m NAME -p TEXT"
      .. " [options]", 1, true))
    assert.truthy(out:find "xingchao,%s+mingyan")
    assert.truthy(out:find "documents its models twice")
  end)

  it("groups options under their titles, none twice in a command", function()
    for _, row in ipairs(declarations.commands) do
      local seen = {}
      arguments.each_option(row, function(option, title)
        assert.equal("string", type(title))
        assert.is_nil(seen[option[1]], row[1] .. ": " .. option[1])
        seen[option[1]] = true
      end)
    end
  end)
end)

describe("a word that is not known", function()
  it("gets the nearest one", function()
    for wrong, right in pairs { genrate = "generate", geneate = "generate",
      craete = "create", downlod = "download", statsu = "status",
      complet = "completion", donwlod = "download" } do
      local code, _, err = command.run { wrong }
      assert.equal(2, code)
      assert.truthy(err:find("did you mean " .. right .. "?", 1, true), err)
    end
    for wrong, right in pairs { ["--promtp"] = "--prompt",
      ["--edtion"] = "--edition", ["--referenc-imgae"] = "--reference-image" }
    do
      local _, _, err = command.run { "create", wrong, "x" }
      assert.truthy(err:find("did you mean " .. right .. "?", 1, true), err)
    end
  end)

  it("gets none that is far away", function()
    assert.is_nil(arguments.suggestion("frobnicate", { "create", "generate" }))
    assert.is_nil(arguments.suggestion("--x", { "--json", "--quiet" }))
    local _, _, err = command.run { "frobnicate" }
    assert.is_nil(err:find("did you mean", 1, true))
  end)
end)
