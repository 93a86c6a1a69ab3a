-- A host that has set the locale of its user, in which the decimal point is a
-- comma: a hold after a 429 was not written then, without a word, and the next
-- order was sent.

local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local locale = require "spec.fixtures.locale"
local postgres = require "spec.fixtures.postgres"
local starvideos = require "starvideos"

local PRICES = { currency = "EUR", models = { videos = { per_second = 0.05 } } }

local function params(prompt)
  return { model = "videos", prompt = prompt, duration = 5 }
end

describe("where the decimal point is a comma", function()
  local folder, posts

  before_each(function()
    folder, posts = files.folder(), 0
  end)

  after_each(function()
    files.remove(folder)
  end)

  -- Accepts one order, and no other.
  local function transport(req)
    posts = posts + (req.method == "POST" and 1 or 0)
    if req.method == "POST" and json.decode(req.body).prompt == "refused" then
      return { status = 429, headers = { ["retry-after"] = "900.5" }, body = "{}" }
    end
    return { status = 200, headers = {}, body = json.encode { id = "video_1",
      status = "processing", progress = "12.5%", created = 1700000000.25 } }
  end

  local function client(ledger, runtime)
    local one = assert(starvideos.new { api_key = "key", ledger = ledger,
      runtime = runtime, transport = transport, prices = PRICES })
    finally(function() one:close() end)
    return one
  end

  local function call(one, runtime, method, ...)
    if runtime == "block" then
      return one[method](one, ...)
    end
    local arguments = { ... }
    local operation = one:async(function()
      return one[method](one, (table.unpack or unpack)(arguments))
    end)
    one:run(60)
    assert.is_true(operation.done)
    return operation.result, operation.err
  end

  local function holds(ledger, runtime)
    local one, other = client(ledger, runtime), client(ledger, runtime)
    locale.with_comma(function()
      local task = assert(call(one, runtime, "create", params "a kite",
        { key = "a" }))
      assert.equal("video_1 processing 12.5%", tostring(task))
      assert.equal(1700000000.25, task.created)
      assert.equal(0.25, assert(call(one, runtime, "order", "a")).cost)
      local _, err = call(one, runtime, "create", params "refused",
        { key = "b" })
      assert.equal("rate_limited", err.kind)
      assert.truthy(err.message:find("in 901 s", 1, true), err.message)
      _, err = call(other, runtime, "create", params "another",
        { key = "c", limit_timeout = 0.5 })
      assert.equal("limited", err.kind)
      assert.equal(2, posts)
      local status = assert(call(other, runtime, "status"))
      assert.equal(0.25, status.spend.EUR.total)
    end)
  end

  for _, runtime in ipairs { "block", "frame" } do
    it("an order is priced, and a 429 holds all, on a file with " .. runtime,
      function()
        holds(folder .. "/videos.db", runtime)
      end)
  end

  it("an order is priced, and a 429 holds all, on a server", function()
    local server = postgres.start()
    finally(function() assert.is_true(server:stop()) end)
    holds(server:url_of "postgres", "frame")
  end)

  it("the command shows prices, limits and rates", function()
    files.write(folder .. "/prices.json", json.encode(PRICES))
    locale.with_comma(function()
      local function run(...)
        local code, out, err = command.run({ ... },
          { ledger = folder .. "/videos.db", terminal = true })
        assert.equal(0, code, err)
        return out
      end
      run("limits", "--spend", "20.5/day", "--polls-per-second", "2.5",
        "--currency", "EUR")
      assert.truthy(run "limits":find("spend/day +20%.50 EUR"))
      assert.truthy(run "status":find("20.50 EUR", 1, true))
      assert.truthy(run("validate", "-m", "videos", "-p", "x", "-d", "5",
        "--prices", folder .. "/prices.json"):find("0.25", 1, true))
    end)
  end)
end)
