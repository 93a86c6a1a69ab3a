-- What the command line tells of a ledger with many orders.

local command = require "spec.fixtures.command"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local history = require "starvideos.fleet.history"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"
local tables = require "starvideos.cli.table"
local values = require "starvideos.cli.values"

local unpack = table.unpack or unpack

describe("a table", function()
  local ROWS = { { "failed", "scene/\228\184\150\231\149\140.mp4", "9.50" },
    { "downloaded", "a very long name of a file.mp4", "10.25" }, { "queued" } }
  local HEADINGS = { "state", "key", "cost" }
  local GIVEN = { flexible = { [2] = true }, numbers = { [3] = true } }

  it("aligns its columns by what is seen", function()
    assert.equal(table.concat({
      "state       key                              cost",
      "failed      scene/\228\184\150\231\149\140.mp4                   9.50",
      "downloaded  a very long name of a file.mp4  10.25",
      "queued      -                                   -" }, "\n"),
      tables.text(HEADINGS, ROWS, GIVEN))
  end)

  it("cuts what may be cut to the width of the terminal", function()
    for width = 30, 60 do
      GIVEN.width = width
      for line in tables.text(HEADINGS, ROWS, GIVEN):gmatch "[^\n]+" do
        assert.is_true(tables.width_of(line) <= width, line)
      end
    end
    GIVEN.width = 30
    assert.truthy(tables.text(HEADINGS, ROWS, GIVEN):find(
      "downloaded  \226\128\166a file.mp4  10.25", 1, true))
    GIVEN.flexible[9] = true -- a column that this table does not have
    GIVEN.width = 1 -- what may not be cut is not
    assert.truthy(tables.text(HEADINGS, ROWS, GIVEN):find "downloaded")
  end)
end)

describe("a time on the command line", function()
  local NOW = 1795375595

  it("is a while ago, a date in UTC or Unix seconds", function()
    for text, wanted in pairs { ["30m"] = NOW - 1800, ["12h"] = NOW - 43200,
      ["7d"] = NOW - 604800, ["1970-01-02"] = 86400, ["12345"] = 12345,
      ["2026-11-22"] = 1795305600, ["2026-11-22T18:30"] = 1795372200,
      ["2024-02-29"] = 1709164800, ["2000-03-01 00:01Z"] = 951868860 } do
      assert.equal(wanted, (values.time({ since = text }, "since", NOW)), text)
    end
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", "soon", "-1", "1.5h", "2026-13-01", "7d ago",
      "2026-11-22T25:00", "2026-11-22x", "1e9" } do
      local time, err = values.time({ since = text }, "since", NOW)
      assert.is_nil(time)
      assert.truthy(err.message:find("--since takes a time", 1, true))
    end
  end)
end)

describe("a ledger of many orders", function()
  local folder, ledger

  local function run(words, given)
    given = given or {}
    given.ledger = ledger
    return command.run(words, given)
  end

  setup(function()
    folder = files.folder()
    ledger = folder .. "/videos.db"
    local client = assert(starvideos.new { api_key = "key-of-the-spec",
      ledger = ledger, prices = { currency = "USD",
        models = { videos = { per_video = 2.5 } } },
      transport = function()
        return { status = 200, headers = {},
          body = '{"id":"video_1","status":"queued"}' }
      end })
    assert(client:enqueue { { path = "a.mp4", model = "videos", prompt = "x",
      duration = 5, label = "act1" }, { path = "b.mp4", model = "videos",
      prompt = "x", duration = 5 } })
    assert(client:create({ model = "videos", prompt = "y", duration = 5 },
      { key = "c" }))
    client:close()
  end)

  teardown(function()
    files.remove(folder)
  end)

  it("is told in sums, for people and for programs", function()
    local code, out, _ = run({ "status" }, { terminal = true })
    assert.equal(0, code)
    assert.truthy(out:find("orders    2 queued, 1 accepted\n", 1, true), out)
    assert.truthy(out:find("spent     2.50 USD today (UTC), 2.50 USD in all\n",
      1, true), out)
    assert.truthy(out:find("queue     not stopped\n", 1, true), out)
    assert.truthy(out:find("\nno limits\n\nno workers\n", 1, true), out)
    code, out = run { "status" }
    assert.equal(0, code)
    local status = json.decode(out)
    assert.same({ queued = 2, accepted = 1 }, status.states)
    assert.same({ today = 2.5, total = 2.5 }, status.spend.USD)
    for _, name in ipairs { "workers", "limits", "halted", "rates" } do
      assert.truthy(out:find(('"%s":[]'):format(name), 1, true), out)
    end
    _, out = run({ "status", "--json" }, { terminal = true })
    assert.same(status, json.decode(out))
  end)

  local function keys_of(...)
    local code, out, err = run { "orders", ... }
    assert.equal(0, code, err)
    local keys = {}
    for index, order in ipairs(json.decode(out).orders) do
      keys[index] = order.key
    end
    return table.concat(keys, " ")
  end

  it("lists an order a line where that is asked for", function()
    local _, whole = run { "orders" }
    for _, word in ipairs { "orders", "pending" } do
      local code, out, err = run({ word, "--json-lines" }, { terminal = true })
      assert.equal(0, code, err)
      local keys = {}
      for line in out:gmatch "[^\n]*\n" do
        keys[#keys + 1] = json.decode(line).key
      end
      assert.equal("a.mp4 b.mp4 c", table.concat(keys, " "))
    end
    assert.equal(3, #json.decode(whole).orders)
    assert.equal('{"orders":[]}\n', (select(2, run { "orders", "--before", "1h" })))
    assert.equal("", (select(2, run { "orders", "--before", "1h", "--json-lines" })))
  end)

  it("asks for no further orders when nobody reads them", function()
    local asked, list = 0, history.orders
    finally(function() history.orders = list end)
    function history.orders(context, options)
      asked, options.limit = asked + 1, 1
      return list(context, options)
    end
    for _, word in ipairs { "--json", "--json-lines" } do
      asked = 0
      local code, out, err = run({ "orders", word }, { reads = 1 })
      assert.same({ 8, "" }, { code, err })
      assert.truthy(out:find("a.mp4", 1, true), out)
      assert.equal(2, asked)
    end
  end)

  it("tells of an error after the orders that it has listed", function()
    local list, failing = history.orders, false
    finally(function() history.orders = list end)
    function history.orders(context, options)
      if failing then
        return nil, errors.new { kind = "ledger", message = "the disk is away" }
      end
      failing, options.limit = true, 1
      return list(context, options)
    end
    local code, out, err = run { "orders", "--json-lines" }
    assert.equal(8, code)
    assert.equal("a.mp4", json.decode(out).key)
    assert.truthy(err:find("the disk is away", 1, true), err)
  end)

  it("lists its orders by state, label and time", function()
    assert.equal("a.mp4 b.mp4 c", keys_of())
    assert.equal("a.mp4 b.mp4", keys_of("--state", "queued"))
    assert.equal("a.mp4 b.mp4 c", keys_of("--state", "queued", "--state",
      "accepted"))
    assert.equal("a.mp4", keys_of("--label", "act1"))
    assert.equal("a.mp4 b.mp4 c", keys_of("--since", "1h"))
    assert.equal("", keys_of("--before", "1h"))
    assert.equal("a.mp4 b.mp4", keys_of("--limit", "2"))
    local _, out = run({ "orders", "--label", "act1" }, { terminal = true })
    assert.truthy(out:find("^state   key    label  task      cost  placed"),
      out)
    assert.truthy(out:find("\nqueued  a.mp4  act1   -     2.50 USD  ", 1, true),
      out)
    assert.is_nil(out:find("amount", 1, true))
  end)

  it("refuses a state that there is not", function()
    local code, _, err = run { "orders", "--state", "lost" }
    assert.equal(2, code)
    assert.truthy(err:find("there is no state lost; there are: staged, queued",
      1, true), err)
    code = run { "orders", "--since", "soon" }
    assert.equal(2, code)
    code = run { "orders", "--limit", "0" }
    assert.equal(2, code)
  end)

  local function limits(...)
    local code, out, err = run { "limits", ... }
    assert.equal(0, code, err)
    local names = {}
    for index, limit in ipairs(json.decode(out).limits) do
      names[index] = limit.name .. " " .. json.encode(limit.cap)
    end
    return table.concat(names, ", ")
  end

  it("has limits, which are set, listed and removed by name", function()
    assert.equal("", limits())
    assert.equal("creates 20, open 5, polls 2.5", limits("--open", "5",
      "--creates-per-minute", "20", "--polls-per-second", "2.5"))
    assert.equal("creates 20, open 5, open label=act1 1, polls 2.5",
      limits("--open", "1", "--for-label", "act1"))
    local code, out = run({ "limits", "--spend", "200/day", "--currency", "USD",
      "--refund-failed" }, { terminal = true })
    assert.equal(0, code)
    assert.truthy(out:find("\nspend/day        200.00 USD  2.50 USD  197.50 USD",
      1, true), out)
    assert.truthy(out:find("failed tasks", 1, true), out)
    assert.equal("spend/day 200", limits("--remove", "open", "--remove", "polls",
      "--remove", "creates-per-minute", "--remove", "open label=act1"))
    assert.equal("", limits("--remove", "spend/day"))
  end)

  it("changes no limit where one word is wrong", function()
    for _, words in ipairs { { "--open", "-x" }, { "--open", "1.5" },
      { "--spend", "much" }, { "--currency", "USD" }, { "--refund-failed" },
      { "--spend", "5" }, { "--remove", "all" }, { "--remove", "open of=x" },
      { "--open", "3", "--remove", "unheard" },
      { "--open", "3", "--for-label", "a", "--for-account", "b" } } do
      local code, _, err = run { "limits", unpack(words) }
      assert.equal(2, code, err)
    end
    assert.equal("", limits())
  end)

  it("forgets what is private of old orders alone", function()
    local code, out = run { "archive" }
    assert.equal(0, code)
    assert.equal('{"archived":0}\n', out)
    assert.equal(2, (run { "archive", "--before", "soon" }))
  end)

  it("is copied while it is used", function()
    local copy = folder .. "/copy.db"
    local code, out = run { "ledger", "backup", copy }
    assert.equal(0, code)
    assert.equal(copy, json.decode(out).path)
    local _, orders = command.run({ "orders", "--ledger", copy })
    assert.equal(3, #json.decode(orders).orders)
    assert.equal(8, (run { "ledger", "backup", copy }))
    local _, _, err = run { "ledger", "restore", copy }
    assert.truthy(err:find("ledger takes backup FILE, not restore", 1, true))
  end)
end)
