-- The examples of the reference, run as they are written: each in a folder of its
-- own, with a client whose provider is the sandbox in this process.

local docstrings = require "docs.reference.docstrings"
local files = require "spec.fixtures.files"
local pages = require "docs.reference.pages"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local load = loadstring or load

local functions = docstrings.read()
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
  local function new(options)
    local given = {}
    for name, value in pairs(options or {}) do
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
  for _, page in ipairs(pages) do
    for _, name in ipairs(page[4]) do
      local code = functions[name].usage
      -- What event loops do with a client, spec/hosts tries in each.
      if code and not name:find "^loop%." then
        count = count + 1
        it(name .. " runs", function()
          local client, is_loop = run(name, code)
          if is_loop then
            assert(client:run(60))
          end
        end)
      end
    end
  end

  it("more than fifteen functions is there", function()
    assert.is_true(count > 15)
  end)
end)
