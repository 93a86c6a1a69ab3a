-- docs/command-line.md says of the command line what its tables say, and the
-- manual page does.

local arguments = require "starvideos.cli.arguments"
local c_locale = require "starvideos.base.c_locale"
local declarations = require "starvideos.cli.declarations"
local document = require "spec.fixtures.document"
local failure = require "starvideos.cli.failure"
local manual = require "starvideos.cli.manual"
local records = require "starvideos.cli.records"

local text = document.read "docs/command-line.md"

-- The part of the page below a heading.
local function section(heading)
  local from = text:find("\n" .. heading .. "\n", 1, true)
  assert(from, "no section " .. heading)
  local last = text:find("\n##", from + #heading, true)
  return text:sub(from, last)
end

local function cell(words)
  return (words:gsub("|", "\\|"))
end

local function assert_row(part, label, meaning)
  local row = ("| `%s` | %s |"):format(cell(label), cell(meaning))
  assert.truthy(part:find(row, 1, true), "the page lacks: " .. row)
end

local function label_of(option)
  return option[1]:gsub(" ", ", ") .. (option[3] and " " .. option[3] or "")
end

describe("the reference of the command line", function()
  local shared = {}
  for _, group in ipairs(declarations.shared) do
    shared[group] = true
  end

  it("has each command, with its arguments, its options and an example",
    function()
      for _, command in ipairs(declarations.commands) do
        local part = section("### " .. command[1])
        assert.truthy(part:find("`" .. arguments.usage(command) .. "`", 1,
          true), command[1])
        for _, name in ipairs(command[3]) do
          assert_row(part, c_locale.upper(name), declarations.arguments[name][1])
        end
        for _, option in ipairs(command[5]) do
          assert_row(part, label_of(option), arguments.description(option))
        end
        for _, group in ipairs(command[4]) do
          if shared[group] then
            assert.truthy(part:find("[" .. group.title .. "](#", 1, true),
              command[1] .. ": " .. group.title)
          end
          for _, option in ipairs(shared[group] and {} or group) do
            assert_row(part, label_of(option), arguments.description(option))
          end
        end
        assert.is_true(#command.examples > 0, command[1])
        for _, example in ipairs(command.examples) do
          assert.truthy(part:find(example[1], 1, true), example[1])
        end
      end
    end)

  it("has the options of several commands", function()
    for _, group in ipairs(declarations.shared) do
      local part = section("### " .. group.title)
      for _, option in ipairs(group) do
        assert_row(part, label_of(option), arguments.description(option))
      end
    end
  end)

  it("has variables, files and exit codes", function()
    for _, row in ipairs(declarations.environment) do
      assert_row(text, row[1], row[2])
    end
    for _, row in ipairs(declarations.files) do
      assert_row(text, row[1], row[2])
    end
    for _, row in ipairs(failure.rows) do
      assert.truthy(text:find(("\n| %d | %s |\n"):format(row[2], row[3]), 1,
        true))
    end
  end)

  it("explains each field that a command prints, in its order", function()
    for name, shape in pairs(records.shapes) do
      local part, last = section("### JSON: " .. name:gsub("_", " ")), 0
      for _, field in ipairs(shape) do
        local at = part:find(("\n| `%s` | %s"):format(field[1],
          cell(field[2])), 1, true)
        assert.truthy(at, name .. ": " .. field[1])
        assert.is_true(at > last, name .. ": " .. field[1] .. " is out of order")
        last = at
      end
    end
  end)

  it("names what each command prints", function()
    for _, command in ipairs(declarations.commands) do
      local printed = records.of_command[command[1]]
      for _, shape in pairs(type(printed) == "table" and printed
        or { printed }) do
        assert.truthy(records.shapes[shape], shape)
        assert.truthy(text:find(("| [`%s`](#%s) | %s |"):format(command[1],
          command[1], command[2]), 1, true), command[1])
      end
    end
  end)
end)

describe("the manual page", function()
  it("has every command, option, variable and exit code", function()
    local page = manual.text():gsub("\\f.", ""):gsub("\\%-", "-")
    local function has(words)
      assert.truthy(page:find(words, 1, true), words)
    end
    for _, command in ipairs(declarations.commands) do
      has("\n" .. arguments.usage(command) .. "\n")
      arguments.each_option(command, function(option)
        has("\n" .. label_of(option) .. "\n")
      end)
    end
    for _, row in ipairs(declarations.environment) do
      has("\n" .. row[1] .. "\n")
    end
    for _, row in ipairs(failure.rows) do
      has(("\n%d\n%s\n"):format(row[2], row[3]))
    end
  end)
end)
