-- The types for editors, and the reference that is made of the same source, say what
-- the library takes and gives: no more, and no less.

local classes = require "docs.reference.classes"
local docstrings = require "docs.reference.docstrings"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local luacats = require "docs.reference.luacats"
local options = require "starvideos.options"
local pages = require "docs.reference.pages"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local tasks = require "starvideos.base.task"

local load = loadstring or load

local FOLDER = "lua/starvideos/types/"
local OPTIONS = { new = "ClientOptions", create = "CreateOptions",
  query = "QueryOptions", wait = "WaitOptions", wait_all = "WaitOptions",
  download = "DownloadOptions", generate = "GenerateOptions",
  generate_all = "GenerateAllOptions", enqueue = "EnqueueOptions",
  dismiss = "DismissOptions", adopt = "TakeOptions", label = "TakeOptions",
  order = "TakeOptions", limits = "LimitsOptions", pending = "PendingOptions",
  orders = "OrdersOptions", archive = "ArchiveOptions", resume = "ResumeOptions",
  work = "WorkOptions" }

local functions = docstrings.read()

local function read_all()
  local texts = {}
  for path in shell.read("cd " .. FOLDER .. " && find . -name '*.lua'")
    :gmatch "%./(%S+)" do
    texts[path] = assert(files.read(FOLDER .. path))
  end
  return texts
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- The fields of a class and of those it stands on.
local function fields_of(name)
  local one, set = assert(classes.by_name[name], name), {}
  for _, parent in ipairs(one.parents or {}) do
    for field in pairs(fields_of(parent)) do
      set[field] = true
    end
  end
  for _, field in ipairs(one.fields) do
    set[field[1]:gsub("%?$", "")] = true
  end
  return set
end

local function on_pages(pattern)
  local set = {}
  for _, page in ipairs(pages) do
    for _, name in ipairs(page[4]) do
      set[name:match(pattern) or false] = true
    end
  end
  set[false] = nil
  return set
end

local function methods_of(object)
  local set = {}
  for name, value in pairs(getmetatable(object).__index) do
    set[name] = type(value) == "function" or nil
  end
  return set
end

describe("the types for editors", function()
  it("are those of the source; where not, make types", function()
    assert.same(luacats.files(functions, pages), read_all())
  end)

  it("are files that every Lua can read", function()
    for path, text in pairs(read_all()) do
      assert(load(text, "=" .. path))
    end
  end)

  it("name no type that is not defined", function()
    local defined, count = {}, 0
    for _, text in pairs(read_all()) do
      for name in text:gmatch "%-%-%-@%l+ (starvideos[%w_.]*)" do
        defined[name] = true
      end
    end
    for path, text in pairs(read_all()) do
      for name in text:gmatch "%f[%w_](starvideos%.%u[%w_]*)" do
        assert.is_true(defined[name], path .. ": " .. name)
        count = count + 1
      end
    end
    assert.is_true(count > 100)
  end)

  it("are found by the example that users copy, which the page shows", function()
    local example = assert(files.read "examples/luarc.json")
    assert.truthy(files.read "docs/editor.md":find(example, 1, true))
    assert.truthy(example:find("starvideos/types", 1, true))
    require("cjson").decode(example)
  end)

  it("describe each parameter, under the name that the function has", function()
    for name, one in pairs(functions) do
      for _, param in ipairs(one.params) do
        for word in param.type:gmatch "%f[%w_]%u[%w_]*" do
          assert.truthy(classes.by_name[word] or word == "Client",
            name .. ": " .. word)
        end
      end
    end
  end)
end)

describe("the public functions", function()
  it("of a client are all described, and no other", function()
    local client = assert(starvideos.new {})
    assert.same(sorted(methods_of(client)), sorted(on_pages "^client:(.+)$"))
    client:close()
  end)

  it("of the module are all described, and no other", function()
    local found, text = {}, assert(files.read(FOLDER .. "starvideos.lua"))
    for name in text:gmatch "\nfunction starvideos%.([%w_]+)" do
      found[name] = true
    end
    local wanted = {}
    for name, value in pairs(starvideos) do
      wanted[name] = type(value) == "function" or nil
    end
    assert.same(sorted(wanted), sorted(found))
  end)

  it("have a docstring each", function()
    for _, page in ipairs(pages) do
      for _, name in ipairs(page[4]) do
        assert.truthy(functions[name] and functions[name].text ~= "", name)
      end
    end
  end)

  it("of the sandbox are there", function()
    local provider = sandbox.new {}
    for name in pairs(on_pages "^sandbox:(.+)$") do
      assert.is_function(provider[name], name)
    end
    for name in pairs(on_pages "^sandbox%.(.+)$") do
      assert.is_function(sandbox[name], name)
    end
  end)
end)

describe("the tables that are described", function()
  for call, accepted in pairs(options.accepted) do
    it("have the options of " .. call .. ", and no other", function()
      if next(accepted) then
        assert.same(sorted(accepted), sorted(fields_of(OPTIONS[call])))
      else
        assert.is_nil(OPTIONS[call])
      end
    end)
  end

  it("have the fields of a task", function()
    local text = { id = "x", object = "video", created = 1, model = "videos",
      status = "failed", video_url = "https://media.test/", actualDuration = 5,
      progress = 1, error = "no" }
    assert.same(sorted(tasks.new(text, text)), sorted(fields_of "Task"))
  end)

  it("have what errors are made of", function()
    local known, count = fields_of "Error", 0
    known.fenced = true -- for the operation of a worker alone
    for path in shell.read("find lua/starvideos -name '*.lua'"):gmatch "%S+" do
      local text = files.read(path)
      for braced in text:gmatch "errors%.new%s*(%b{})" do
        local body = braced:sub(2, -2):gsub("%b{}", ""):gsub("%b()", "")
          :gsub('%b""', "")
        for name in ("," .. body):gmatch ",%s*([%a_]+)%s*=[^=]" do
          assert.is_true(known[name], path .. ": " .. name)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 60)
    for name in pairs(errors.new { kind = "io", message = "no" }) do
      assert.is_true(known[name], name)
    end
  end)

  it("have the violations of an order", function()
    local client, known = assert(starvideos.new {}), fields_of "Violation"
    local _, err = client:validate { model = "videos", duration = 99 }
    for _, violation in ipairs(err.violations) do
      for name in pairs(violation) do
        assert.is_true(known[name], name)
      end
    end
    client:close()
  end)

  it("have the models, field by field", function()
    local function compare(value, class)
      local kinds = {}
      for _, field in ipairs(classes.by_name[class].fields) do
        kinds[field[1]:gsub("%?$", "")] = field[2]
      end
      for name, item in pairs(value) do
        local kind = assert(kinds[name], class .. "." .. name)
        if classes.by_name[kind] then
          compare(item, kind)
        end
      end
    end
    for _, model in ipairs(starvideos.models()) do
      compare(model, "Model")
    end
  end)

  it("stand on one page of the reference each", function()
    local counts = {}
    for _, page in ipairs(pages) do
      for _, name in ipairs(page[5]) do
        local pattern = "^" .. name:gsub("%*", ".*") .. "$"
        for _, one in ipairs(classes.list) do
          counts[one.name] = (counts[one.name] or 0)
            + (one.name:find(pattern) and 1 or 0)
        end
      end
    end
    for _, one in ipairs(classes.list) do
      assert.equal(1, counts[one.name], one.name)
    end
  end)
end)
