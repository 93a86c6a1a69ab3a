-- docs/command-line.md says of the command line what its tables say, and the
-- manual page does.

local arguments = require "starvideos.cli.arguments"
local c_locale = require "starvideos.base.c_locale"
local clip = require "spec.fixtures.clip"
local commands = require "spec.fixtures.command"
local declarations = require "starvideos.cli.declarations"
local document = require "spec.fixtures.document"
local failure = require "starvideos.cli.failure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local manual = require "starvideos.cli.manual"
local records = require "spec.fixtures.records"

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

  -- Names of fields that a command has printed and the page does not explain.
  local function unexplained(name, value, found)
    local known = {}
    for _, field in ipairs(records[name]) do
      known[field[1]] = field
    end
    for key, item in pairs(value) do
      local field = known[key]
      if not field then
        found[#found + 1] = name .. "." .. tostring(key)
      elseif field.of and type(item) == "table" then
        for _, one in ipairs(item[1] ~= nil and item or next(item) and { item }
          or {}) do
          unexplained(field.of, one, found)
        end
      end
    end
    return found
  end

  describe("explains each field that is printed by", function()
    local folder

    setup(function()
      folder = files.folder()
      files.write(folder .. "/list.jsonl",
        '{"model":"videos","prompt":"x","duration":5,"key":"a"}\n')
      files.write(folder .. "/prices.json",
        '{"currency":"USD","models":{"videos":{"per_video":1}}}')
    end)

    teardown(function()
      files.remove(folder)
    end)

    local ORDER = " -m videos -p x -d 5"
    local TASK = '{"id":"video_1","object":"video","created":1,"model":"videos",'
      .. '"status":"completed","progress":100,"actualDuration":5,'
      .. '"video_url":"https://m/1"}'
    local CLIP = clip.mp4()

    local function transport(req)
      local is_file = req.url:find("https://m/", 1, true)
      return { status = 200, body = is_file and CLIP or TASK, headers = {
        ["content-length"] = is_file and tostring(#CLIP) or nil } }
    end

    -- @ is a folder with a ledger, a list and prices.
    for _, case in ipairs {
      { "create --ledger @/a.db" .. ORDER, "task" },
      { "generate -o @/b.mp4" .. ORDER, "task" },
      { "query video_1", "task" },
      { "download video_1 -o @/c.mp4", "file" },
      { "validate --prices @/prices.json" .. ORDER, "validation" },
      { "models", "models" },
      { "batch @/list.jsonl --dry-run --prices @/prices.json", "dry_run" },
      { "batch @/list.jsonl --yes -o @ --ledger @/a.db", "run" },
      { "orders --ledger @/a.db", "orders" },
      { "pending --ledger @/a.db", "orders" },
      { "limits --open 3 --ledger @/a.db", "limits" },
      { "status --ledger @/a.db", "status" },
      { "archive --ledger @/a.db", "archived" },
      { "ledger backup @/copy.db --ledger @/a.db", "copy" },
      { "resume -o @ --ledger @/a.db", "run" },
      { "doctor --offline --json", "findings" },
      { "sandbox --list-scenarios --json", "scenarios" },
      { "gateway --new-token ann --json", "token" },
    } do
      it(case[1], function()
        local words = {}
        for word in case[1]:gmatch "%S+" do
          words[#words + 1] = word:gsub("@", folder)
        end
        local _, out, problem = commands.run(words, { transport = transport })
        local object = json.decode(out)
        assert.truthy(object, problem)
        assert.same({}, unexplained(case[2], object, {}))
      end)
    end

    it("a command that failed", function()
      local _, _, err = commands.run { "create", "--model", "videos", "--json" }
      assert.same({}, unexplained("error", json.decode(err).error, {}))
    end)
  end)

  it("is of JSON that has its names sorted, and lists where they are empty",
    function()
      local folder = files.folder()
      finally(function() files.remove(folder) end)
      local ledger = folder .. "/a.db"
      files.write(ledger, "")
      local printed = { status = '{"claimed":0,"halted":[],"limits":[],"overdue":0,'
        .. '"rates":[],"spend":{},"states":{},"unattended":0,"unknown":[],"unpriced":0,'
        .. '"workers":[]}', orders = '{"orders":[]}', pending = '{"orders":[]}',
        limits = '{"limits":[]}',
        resume = '{"done":0,"failed":0,"left":0,"orders":[]}' }
      for name, wanted in pairs(printed) do
        local _, out = commands.run { name, "--ledger", ledger }
        assert.equal(wanted .. "\n", out)
      end
    end)

  it("explains nothing twice, and names what it explains", function()
    for name, record in pairs(records) do
      local seen = {}
      for _, field in ipairs(record) do
        assert.is_nil(seen[field[1]], name .. "." .. field[1])
        seen[field[1]] = true
        assert.is_true(not field.of or records[field.of] ~= nil)
      end
    end
  end)

  it("names what each command prints", function()
    for _, command in ipairs(declarations.commands) do
      local name = command[1]
      local row = text:match(("\n| %%[`%s`%%]%%(#%s%%) | [^\n]*"):format(name, name))
      assert.truthy(row, name)
      assert.truthy(row:find("| " .. command[2] .. " |", 1, true), name)
      local printed = row:match "| ([^|]*) |$"
      assert.truthy(printed == "text" or printed:find("#json-", 1, true), name)
      for link in printed:gmatch "%(#json%-([%l-]+)%)" do
        assert.truthy(records[(link:gsub("-", "_"))], link)
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
