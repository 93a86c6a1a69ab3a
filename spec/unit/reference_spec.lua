-- What stands above public functions and classes says what they take and give: no more,
-- and no less. Its examples run as they are written, each in a folder of its own, with
-- a client whose provider is the sandbox in this process.

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local events = require "starvideos.events"
local files = require "spec.fixtures.files"
local options = require "starvideos.options"
local records = require "spec.fixtures.records"
local reference = require "docs.reference"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local states = require "starvideos.ledger.states"
local tasks = require "starvideos.base.task"

local load = loadstring or load

local OPTIONS = { new = "ClientOptions", create = "CreateOptions",
  query = "QueryOptions", wait = "WaitOptions", wait_all = "WaitOptions",
  download = "DownloadOptions", generate = "GenerateOptions",
  generate_all = "GenerateAllOptions", enqueue = "EnqueueOptions",
  dismiss = "DismissOptions", adopt = "TakeOptions", label = "TakeOptions",
  order = "TakeOptions", limits = "LimitsOptions", pending = "PendingOptions",
  orders = "OrdersOptions", archive = "ArchiveOptions", resume = "ResumeOptions",
  work = "WorkOptions" }

-- What the command prints, and the class of it.
local SHAPES = { task = "Task", file = "File", order = "Order", limit = "Limit",
  halt = "Halt", rate = "LoweredRate", worker = "Worker", status = "Status",
  prompt_limits = "PromptLimits", duration_limits = "DurationLimits",
  choice_limits = "ChoiceLimits", frame_limits = "FrameLimits",
  media_limits = "MediaLimits", model = "Model" }

local found = reference.read()
local functions, classes = found.functions, found.classes
local PARAMS = { model = "videos", prompt = "A kitten", duration = 5 }

describe("the example of", function()
  local folder, clients, now

  before_each(function()
    folder, clients, now = files.folder(), {}, 1000
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    files.remove(folder)
  end)

  local function clock()
    return now
  end

  local function sleep(seconds)
    now = now + seconds
    return true
  end

  local provider

  -- What it names is in the folder, and what it asks for comes from the sandbox.
  local function new(wanted)
    local given = {}
    for name, value in pairs(wanted or {}) do
      given[name] = value
    end
    provider = provider or sandbox.new { seconds = 5, clock = clock }
    if not given.transport then
      given.api_key, given.transport = provider.key, provider:transport()
    end
    if (given.runtime or "block") == "block" then
      given.clock, given.sleep = clock, sleep
    end
    local client = assert(starvideos.new(given))
    clients[#clients + 1] = client
    return client
  end

  local function in_folder(code, id)
    return code:gsub('"([%w]+%.mp4)"', function(name)
      return ("%q"):format(folder .. "/" .. name)
    end):gsub('"videos" }', ("%q }"):format(folder .. "/videos"))
      :gsub('"video_123"', ("%q"):format(id))
  end

  local function environment(client, id)
    local module = setmetatable({ new = new }, { __index = starvideos })
    local names = {
      client = client, starvideos = module, id = id, params = PARAMS,
      assert = starvideos.assert, print = function() end,
      require = function(name)
        return name == "starvideos" and module or require(name)
      end,
    }
    return setmetatable(names, { __index = _G })
  end

  local function run(name, code)
    provider = nil
    local is_loop = code:find ":async" or code:find ":run"
    local client = new { runtime = is_loop and "poll" or "block",
      ledger = not is_loop and folder .. "/ledger.db" or nil }
    local maker = is_loop and new {} or client
    local id = assert(maker:create(PARAMS)).id
    sleep(60)
    local env = environment(client, id)
    local chunk
    code = in_folder(code, id)
    if setfenv then
      chunk = setfenv(assert(load(code, "=" .. name)), env)
    else
      chunk = assert(load(code, "=" .. name, "t", env))
    end
    chunk()
    return client, is_loop
  end

  local count = 0
  for name, one in pairs(functions) do
    -- What event loops do with a client, spec/hosts tries in each.
    if one.usage and not name:find "^loop%." then
      count = count + 1
      it(name .. " runs", function()
        local client, is_loop = run(name, one.usage)
        if is_loop then
          assert(client:run(60))
        end
      end)
    end
  end

  it("more than fifteen functions is there", function()
    assert.is_true(count > 15)
  end)
end)

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- The fields of a class and of those it stands on, each with its type.
local function fields_of(name)
  local one, set = assert(classes[name], name), {}
  for parent in (one.parents or ""):gmatch "starvideos%.(%w+)" do
    for field, kind in pairs(fields_of(parent)) do
      set[field] = kind
    end
  end
  for _, field in ipairs(one.fields) do
    set[field.name:gsub("%?$", "")] = field.type
  end
  return set
end

-- The words of an alias.
local function words_of(name)
  local words = {}
  for word in table.concat(classes[name].alias, "|"):gmatch '"([^"]*)"' do
    words[word] = true
  end
  return words
end

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  return set
end

local function on_pages(pattern)
  local set = {}
  for _, page in ipairs(reference.pages) do
    for name in page[4]:gmatch "%S+" do
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

describe("the public functions", function()
  it("of a client are all described, and no other", function()
    local client = assert(starvideos.new {})
    assert.same(sorted(methods_of(client)), sorted(on_pages "^client:(.+)$"))
    client:close()
  end)

  it("of the module are all described, and no other", function()
    local wanted, described = {}, on_pages "^starvideos%.(.+)$"
    for name, value in pairs(starvideos) do
      wanted[name] = type(value) == "function" or nil
    end
    for name in files.read "lua/starvideos/init.lua":gmatch "%-%-%-@field (%l[%w_]*) fun" do
      described[name] = true
    end
    assert.same(sorted(wanted), sorted(described))
  end)

  it("of the module take and give what the methods of a client do", function()
    local text, count = files.read "lua/starvideos/init.lua", 0
    for name, given in text:gmatch "%-%-%-@field (%l[%w_]*) fun(%b():[^\n]*)" do
      local one, taken, returned = functions["client:" .. name], {}, {}
      for index, param in ipairs(one.params) do
        taken[index] = param.name .. ": " .. param.type
      end
      for index, value in ipairs(one.returns) do
        returned[index] = value.type
      end
      assert.equal(("(%s): %s"):format(table.concat(taken, ", "),
        table.concat(returned, ", ")), given, name)
      count = count + 1
    end
    assert.equal(23, count)
  end)

  it("of the sandbox are there", function()
    local provider = sandbox.new {}
    for name in pairs(on_pages "^sandbox:(.+)$") do
      assert.is_function(provider[name], name)
    end
    for name in pairs(on_pages "^sandbox%.([%w_]+)$") do
      assert.is_function(sandbox[name], name)
    end
  end)

  it("have a description each", function()
    for _, page in ipairs(reference.pages) do
      for name in page[4]:gmatch "%S+" do
        assert.truthy(functions[name] and functions[name].text ~= "", name)
      end
    end
  end)

  it("describe each parameter, under the name that the function has", function()
    local count = 0
    for name, one in pairs(functions) do
      local names = {}
      for index, param in ipairs(one.params) do
        names[index] = param.name:gsub("%?$", "")
      end
      assert.equal(one.code:match "%(([^)]*)%)", table.concat(names, ", "), name)
      count = count + 1
    end
    assert.is_true(count > 50)
  end)
end)

describe("the classes", function()
  it("that are named are described, and no name stands twice", function()
    local count, seen = 0, {}
    for path in shell.read("find lua/starvideos -name '*.lua'"):gmatch "%S+" do
      for line in io.lines(path) do
        if line:find "^%-%-%-[@|]" then
          for name in line:gmatch "starvideos%.(%u%w*)" do
            assert.truthy(classes[name], path .. ": " .. name)
            count = count + 1
          end
        end
      end
    end
    assert.is_true(count > 100)
    for _, name in ipairs(found.list) do
      assert.is_nil(seen[name], name)
      seen[name] = true
      assert.is_true(classes[name].text ~= "", name)
    end
  end)

  it("stand on one page of the reference each", function()
    local on, page_of = reference.place(found)
    for _, name in ipairs(found.list) do
      assert.truthy(page_of[name], name)
    end
    local count = 0
    for _, names in pairs(on) do
      count = count + #names
    end
    assert.equal(#found.list, count)
  end)

  it("are found by the example that users copy, which the page shows", function()
    local example = assert(files.read "examples/luarc.json")
    assert.truthy(files.read "docs/editor.md":find(example, 1, true))
    require("cjson").decode(example)
  end)

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
      progress = 1, amount = 1, error = "no" }
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
          assert.truthy(known[name], path .. ": " .. name)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 60)
    for name in pairs(errors.new { kind = "io", message = "no" }) do
      assert.truthy(known[name], name)
    end
  end)

  it("have the violations of an order", function()
    local client, known = assert(starvideos.new {}), fields_of "Violation"
    local _, err = client:validate { model = "videos", duration = 99 }
    for _, violation in ipairs(err.violations) do
      for name in pairs(violation) do
        assert.truthy(known[name], name)
      end
    end
    client:close()
  end)

  it("have the fields of what the command prints", function()
    for shape, name in pairs(SHAPES) do
      local fields = fields_of(name)
      for _, field in ipairs(records[shape]) do
        assert.truthy(fields[field[1]] or name == "Task" and field[1] == "file",
          name .. "." .. field[1])
      end
    end
  end)

  it("have the fields of an order, and its models", function()
    local wanted, names = { ["[string]"] = true }, {}
    for _, field in ipairs(core.fields()) do
      wanted[field.name] = not field.renamed or nil
    end
    assert.same(sorted(wanted), sorted(fields_of "Params"))
    for index, model in ipairs(starvideos.models()) do
      names[index] = model.name
    end
    assert.same(sorted(set_of(names)), sorted(words_of "ModelName"))
  end)

  it("have the events and their fields", function()
    local names, wanted = {}, { name = true }
    for _, row in ipairs(events.list) do
      names[row[1]] = true
      for _, field in ipairs(events.fields(row[1])) do
        wanted[field[1]] = true
        assert.equal(fields_of "Event"[field[1]], field[2], field[1])
      end
    end
    assert.same(sorted(names), sorted(words_of "EventName"))
    assert.same(sorted(wanted), sorted(fields_of "Event"))
  end)

  it("have the kinds of errors and the states of orders", function()
    assert.same(sorted(set_of(errors.kinds)), sorted(words_of "ErrorKind"))
    assert.same(sorted(set_of(states.names)), sorted(words_of "OrderState"))
  end)

  it("have the models, field by field", function()
    local function compare(value, class)
      local kinds = fields_of(class)
      for name, item in pairs(value) do
        local kind = assert(kinds[name], class .. "." .. name)
        local other = kind:match "^starvideos%.(%w+)$"
        if other then
          compare(item, other)
        end
      end
    end
    for _, model in ipairs(starvideos.models()) do
      compare(model, "Model")
    end
  end)
end)
