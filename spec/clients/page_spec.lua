-- The page of a gateway in Chromium, clicked through as people do; see
-- spec/clients/page. The provider is the sandbox. Pictures of the page lie in
-- build/page afterwards.

local books = require "spec.fixtures.books"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local KEY = "key-of-the-gateway"
local PICTURES = "build/page"
local INSTALLED = "build/clients/node_modules"

local PRICES = { currency = "USD", models = {
  videos = { per_second = 0.1 }, videos_fast = { per_second = 0.05 },
  starvideos_o3 = { per_second = 0.2 } } }

local RUN = [[@node@/.bin/node spec/clients/page/run.mjs @module@ @name@ \
  <@input@ >@input@.log 2>&1; echo $?]]

-- Each scenario has a caller of its own.
local LIMITS = {
  whole = { spend = 10, per = "day", open = 3 },
  refused = { spend = 1, per = "total" },
  drawn = { spend = 20, per = "day", open = 9 },
  limits = {}, failed = {}, doubled = {}, interrupted = {}, streamless = {},
  older = {}, told = {}, named = {}, keyed = {}, crowded = {}, linked = {}, successive = {},
}

local function callers()
  local list = {}
  for name, limits in pairs(LIMITS) do
    list[#list + 1] = { name = name, limits = next(limits) and limits or nil,
      token_sha256 = curl.sha256("token-of-" .. name) }
  end
  return { callers = list }
end

describe("the page of a gateway", function()
  local provider, gateway, folder

  local function start(given)
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      callers = given, prices = PRICES }
  end

  local function run(name)
    local input = folder .. "/" .. name
    files.write(input, json.encode { url = gateway.url,
      token = "token-of-" .. name, others = "token-of-linked", pictures = PICTURES })
    local status = shell.read(shell.fill(RUN, { name = name, input = input,
      node = INSTALLED, module = shell.read "pwd" .. "/" .. INSTALLED
        .. "/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js" }))
    assert.equal("0", status, files.read(input .. ".log"))
  end

  -- How many tasks of a prompt the provider has made.
  local function bought(prompt)
    local count = 0
    for _, task in ipairs(books.of(provider).tasks) do
      count = count + (task.prompt == prompt and 1 or 0)
    end
    return count
  end

  setup(function()
    folder = files.folder()
    assert(shell.run("mkdir -p " .. PICTURES))
    provider = assert(sandbox.start { key = KEY, seconds = 1.2,
      queued_seconds = 0.3, drawn = false })
  end)

  teardown(function()
    provider:stop()
    files.remove(folder)
  end)

  describe("with callers", function()
    setup(function() start(callers()) end)
    teardown(function() gateway:stop() end)

    it("takes an order from the token to the video", function()
      run "whole"
    end)

    it("shows each model's own limits, and faults at their fields", function()
      run "limits"
    end)

    it("says why an order failed", function()
      run "failed"
    end)

    it("says how far an order is, and that its file is gone", function()
      run "told"
    end)

    it("orders once at a double click", function()
      run "doubled"
      assert.equal(1, bought "Once")
    end)

    it("orders once through a reload and a lost connection", function()
      run "interrupted"
      assert.equal(1, bought "Reloaded")
      assert.equal(2, bought "Lost")
    end)

    it("shows what becomes of orders where streams are refused", function()
      run "streamless"
    end)

    it("says in a sentence what is refused, and loses nothing", function()
      run "refused"
    end)

    it("is reached by a link of another site", function()
      run "linked"
    end)

    it("shows nothing of one caller to the next", function()
      run "successive"
    end)

    it("has names for all controls", function()
      run "named"
    end)

    it("can be used by keys alone", function()
      run "keyed"
    end)

    it("can be read and reached from 360 pixels on, light and dark", function()
      run "drawn"
    end)

    it("notices what its policy forbids and what goes to other hosts",
      function()
        run "watched"
      end)

    -- These are the last: many orders are on their way afterwards.
    it("has further pages, and opens what is on them", function()
      run "older"
    end)

    it("listens to few of many orders at a time", function()
      run "crowded"
    end)
  end)

  it("asks for no token where there are no callers", function()
    start()
    finally(function() gateway:stop() end)
    run "local"
  end)
end)
