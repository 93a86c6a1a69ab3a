-- What the README and the pages of docs say is what the code does.

local arguments = require "starvideos.cli.arguments"
local core = require "starvideos.core"
local document = require "spec.fixtures.document"
local errors = require "starvideos.errors"
local failure = require "starvideos.cli.failure"
local options = require "starvideos.options"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local states = require "starvideos.ledger.states"

local load = loadstring or load

-- Where the options of a call stand; what it takes of another call, on the
-- second page.
local PAGES = {
  new = "client", create = "ordering", enqueue = "ordering",
  query = "functions", orders = "functions", limits = "functions",
  archive = "functions", dismiss = "functions", adopt = "ledger",
  label = "ledger", order = "functions", pending = "ledger",
  wait = "waiting", wait_all = "waiting", download = "downloading",
  generate = "downloading ordering waiting",
  generate_all = "ordering waiting", resume = "ledger waiting",
  work = "ledger waiting",
}

local function page(name)
  return document.read("docs/" .. name .. ".md")
end

-- Lines of a shell that call the command, a continued one as one line.
local function commands(text)
  local list = {}
  for _, block in ipairs(document.blocks(text, "sh")) do
    for line in block.code:gsub("\\\n%s*", " "):gmatch "[^\n]+" do
      if line:find "^starvideos " then
        list[#list + 1] = line
      end
    end
  end
  return list
end

-- The words of a command line, as a shell reads them.
local function words(line)
  local list = {}
  line = line:gsub('"([^"]*)"', function(text)
    return (text:gsub(" ", "\1"))
  end):gsub("%s#.*$", ""):gsub("%s[|>&].*$", ""):gsub("%s…$", "")
  for word in line:gmatch "%S+" do
    list[#list + 1] = (word:gsub("\1", " "))
  end
  table.remove(list, 1)
  return list
end

describe("the README", function()
  local text = document.read "README.md"

  it("is short, and says first on which systems it runs", function()
    assert.is_true(select(2, text:gsub("\n", "")) <= 150)
    local line = text:match "^[^\n]*\n[^\n]*\n([^\n]*)\n"
    for _, what in ipairs { "Tested here", "Built here", "Not known" } do
      assert.truthy(line:find(what, 1, true), what)
    end
  end)

  it("leads to every page", function()
    for _, path in ipairs(document.pages()) do
      assert.truthy(path == "README.md"
        or text:find("](" .. path, 1, true), path)
    end
  end)
end)

describe("the documents", function()
  it("have programs that every Lua can read", function()
    local count = 0
    for _, path in ipairs(document.pages()) do
      for _, block in ipairs(document.blocks(document.read(path), "lua")) do
        assert(load(block.code, "=" .. path))
        count = count + 1
      end
    end
    assert.is_true(count > 10)
  end)

  it("show commands that the command line takes", function()
    local count = 0
    for _, path in ipairs(document.pages()) do
      for _, line in ipairs(commands(document.read(path))) do
        local list = words(line)
        local understood, problem = true, nil
        if not list[1]:find "^%-%-" then
          understood, problem = arguments.parse(list, "1")
        end
        assert(understood, ("%s: %s: %s"):format(path, line,
          tostring(problem)))
        count = count + 1
      end
    end
    assert.is_true(count > 20)
  end)

  it("show a unit test that passes at once", function()
    local began = os.clock()
    assert(load(document.blocks(page "sandbox", "lua")[1].code))()
    assert.is_true(os.clock() - began < 1)
  end)

  it("list the exit codes as the help does", function()
    local text = page "command-line"
    for _, row in ipairs(failure.rows) do
      local line = ("\n| %d | %s |\n"):format(row[2], row[3])
      assert.truthy(text:find(line, 1, true), line)
    end
    assert.truthy(text:find(("most severe: %d before %d, %d, %d, %d, %d, %d"
      .. " and %d."):format((table.unpack or unpack)(failure.by_severity)),
      1, true))
  end)

  it("name every command", function()
    local text = page "command-line"
    for _, row in ipairs(arguments.commands) do
      assert.truthy(text:find("[`| \n]" .. row[1] .. "[`| \n]"), row[1])
    end
  end)

  it("list every function of the module", function()
    local count, text = 0, page "functions"
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

  it("list every kind of error, and every state of an order", function()
    for _, kind in ipairs(errors.kinds) do
      assert.truthy(page "errors":find("\n| `" .. kind .. "` | ", 1, true),
        kind)
    end
    local listed = {}
    for _, part in ipairs(document.tables(page "ledger")) do
      for _, cell in ipairs(part.head == "state" and part.cells or {}) do
        for name in cell:gmatch "`(%l+)`" do
          listed[name] = true
        end
      end
    end
    for _, name in ipairs(states.names) do
      assert.is_true(listed[name], name)
    end
  end)

  it("hand on the advice of the provider's documents", function()
    local advice = page "ordering":match "\nThe documents advise:\n\n(.-)\n\n":gsub("%s+", " ")
    for _, part in ipairs { "who or what", "what it does", "in what scene", "how the camera moves",
      "in what style", "*cinematic*, *realistic*, *dreamlike*", "prohibited, political, explicit",
      "two images that could be of one shot", "short, clear videos and sounds with one subject" } do
      assert.truthy(advice:find(part, 1, true), part)
    end
  end)

  it("say of each model what the catalog does", function()
    for _, row in ipairs(core.catalog {}:models()) do
      local line = ("\n| `%s` | %s | %s |\n"):format(row.name, row.best_for,
        row.billing or "no document says it")
      assert.truthy(page "ordering":find(line, 1, true), line)
    end
  end)

  it("name every option of a call", function()
    for call, accepted in pairs(options.accepted) do
      local text = ""
      for name in (PAGES[call] or ""):gmatch "%S+" do
        text = text .. page(name)
      end
      for name in pairs(accepted) do
        assert.truthy(text:find("`" .. name .. "[`(]"), call .. ": " .. name)
      end
    end
  end)

  it("name no option that the call does not take", function()
    local count = 0
    for _, path in ipairs(document.pages()) do
      for _, part in ipairs(document.tables(document.read(path))) do
        local calls = part.head:match "^option of `" and part.head
          or part.head == "option" and part.title
        for call in (calls or ""):gmatch "`([%w_.]+)`" do
          local accepted = options.accepted[call:gsub("^starvideos%.", "")]
          for _, cell in ipairs(accepted and part.cells or {}) do
            for name in cell:gmatch "`([%w_]+)" do
              assert.truthy(accepted[name], call .. ": " .. name)
              count = count + 1
            end
          end
        end
      end
    end
    assert.is_true(count > 40)
  end)

  it("name targets that the Makefile has", function()
    local makefile, count = document.read "Makefile", 0
    for _, path in ipairs(document.pages()) do
      for target in document.read(path):gmatch "`make ([%l][%w.-]*)[` ]" do
        assert.truthy(makefile:find("\n" .. target:gsub("[-.]", "%%%0")
          .. ":"), target)
        count = count + 1
      end
    end
    assert.is_true(count > 20)
  end)

  it("link to files that are there", function()
    local links = {}
    for _, path in ipairs(document.pages()) do
      local folder = path:match "^(.*/)" or ""
      for link in document.read(path):gmatch "%]%(([^)#:]+)" do
        links[#links + 1] = shell.quote(folder .. link)
      end
    end
    assert.is_true(#links > 50)
    assert.equal("", shell.read("for link in " .. table.concat(links, " ")
      .. "; do [ -e \"$link\" ] || echo \"$link\"; done"))
  end)
end)
