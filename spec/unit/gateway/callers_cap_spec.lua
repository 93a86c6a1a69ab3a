local c_locale = require "starvideos.base.c_locale"
local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local files = require "spec.fixtures.files"
local starvideos = require "starvideos"

describe("the caps of a gateway's callers", function()
  local folder, client, app, asked

  before_each(function()
    folder = files.folder()
    client = assert(starvideos.new { api_key = "key", runtime = "block",
      ledger = folder .. "/ledger.db", ledger_fsync = false,
      prices = { currency = "USD", models = { videos = { per_video = 1 } } } })
    asked = 0
    app = { callers = {}, client = function(name)
      assert.equal("ann", name)
      asked = asked + 1
      return client
    end }
  end)

  after_each(function()
    client:close()
    files.remove(folder)
  end)

  local function caller(spend, per)
    return { name = "ann", limits = { spend = spend, per = per } }
  end

  local function limits()
    local found = {}
    for index, limit in ipairs(assert(client:limits())) do
      found[index] = ("%s %s %s %s %s"):format(tostring(limit.account), limit.kind,
        limit.per, c_locale.number("%g", limit.cap), tostring(limit.currency))
    end
    return found
  end

  it("become limits of the ledger", function()
    assert.is_true(callers.hold_cap(app, caller(20250000, "day")))
    assert.same({ "ann spend day 20.25 USD" }, limits())
  end)

  it("are set again when the file of callers says something else", function()
    assert.is_true(callers.hold_cap(app, caller(20250000, "day")))
    assert.is_true(callers.hold_cap(app, caller(0, "day")))
    assert.same({ "ann spend day 0 USD" }, limits())
    assert.is_true(callers.hold_cap(app, caller(5000000, "total")))
    assert.same({ "ann spend total 5 USD" }, limits())
    assert.is_true(callers.hold_cap(app, caller()))
    assert.same({}, limits())
  end)

  it("leave the limits of others alone", function()
    assert(client:limits { spend = 7, per = "day", account = "bob" })
    assert(client:limits { spend = 9, per = "day" })
    local before = limits()
    assert.is_true(callers.hold_cap(app, caller()))
    assert.same(before, limits())
    assert.equal(2, #limits())
  end)

  it("are looked for in the ledger once", function()
    local ann = caller(1000000, "total")
    for _ = 1, 3 do
      assert.is_true(callers.hold_cap(app, ann))
    end
    assert.equal(1, asked)
  end)

  it("are none without a file of callers", function()
    app.callers = nil
    assert(client:limits { spend = 7, account = "ann" })
    assert.is_true(callers.hold_cap(app, caller()))
    assert.equal(0, asked)
    assert.equal(1, #limits())
  end)

  it("keep an order out while the ledger cannot be asked", function()
    local ann = caller(1000000, "total")
    local asking = stub(contexts.of(client).ledger, "limits", nil,
      { kind = "ledger" })
    local ok, err = callers.hold_cap(app, ann)
    asking:revert()
    assert.is_nil(ok)
    assert.equal("ledger", err.kind)
    assert.is_true(callers.hold_cap(app, ann))
    assert.equal(1, #limits())
  end)
end)
