-- What a caller is told where an order was not placed, or may have been.

local admit = require "starvideos.operation.admit"
local caps = require "starvideos.gateway.cap"
local contexts = require "starvideos.context"
local errors = require "starvideos.errors"
local orders = require "starvideos.gateway.orders"
local records = require "starvideos.ledger.record"

describe("an order that the ledger did not answer for", function()
  local snapshot
  before_each(function()
    snapshot = assert:snapshot()
    stub(contexts, "of", {})
    stub(caps, "hold", true)
  end)
  after_each(function() snapshot:revert() end)

  local app = { client = function() return {} end }

  local function refusal_of(err)
    stub(admit, "run", nil, err)
    local entry, refusal = orders.place(app, { name = "ann", limits = {} },
      { params = {} })
    assert.is_nil(entry)
    return refusal
  end

  it("may be there: no program repeats that answer by itself", function()
    for _, kind in ipairs { "ledger", "cancelled" } do
      local refusal = refusal_of { kind = kind, message = "away" }
      assert.equal(507, refusal.status)
      assert.equal("outcome_unknown", refusal.code)
      assert.is_nil(refusal.message:find("nothing was ordered", 1, true))
    end
  end)

  it("is not there where it was not even begun", function()
    local err = errors.new { kind = "ledger", message = "away" }
    stub(caps, "hold", nil, err)
    local refusal = refusal_of(err)
    assert.truthy(refusal.message:find("nothing was ordered", 1, true))
  end)

  it("is not there where the ledger's file is not what it was", function()
    local refusal = refusal_of(errors.new { kind = "ledger", misplaced = true,
      message = "moved" })
    assert.same({ 503, "ledger_unavailable" }, { refusal.status, refusal.code })
    assert.truthy(refusal.message:find("nothing was ordered", 1, true))
  end)
end)

describe("the error of an entry", function()
  local snapshot
  before_each(function() snapshot = assert:snapshot() end)
  after_each(function() snapshot:revert() end)

  local function told(text)
    stub(records, "order", { id = ("0a"):rep(16), state = "failed", error = text,
      params = { referenceImages = { "https://me.example/cat.png?[redacted]" } } })
    return orders.entry_of({ folder = "/f", settings = {} }, {}).error.message
  end

  it("has no link of the provider's, and those of the caller", function()
    assert.equal("cannot read [link] (see [link])", told("cannot read"
      .. " https://cdn.example/v/1.mp4?[redacted] (see http:\\/\\/a.example/x)"))
    local own = "cannot read https://me.example/cat.png?[redacted]: 404."
    assert.equal(own, told(own))
  end)
end)
