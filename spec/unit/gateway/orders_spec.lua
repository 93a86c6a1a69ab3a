-- What a caller is told where an order was not placed, or may have been.

local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local enqueue = require "starvideos.fleet.enqueue"
local errors = require "starvideos.errors"
local orders = require "starvideos.gateway.orders"
local records = require "starvideos.ledger.record"

describe("an order that the ledger did not answer for", function()
  local snapshot
  before_each(function()
    snapshot = assert:snapshot()
    stub(contexts, "of", {})
    stub(callers, "hold_cap", true)
  end)
  after_each(function() snapshot:revert() end)

  local app = { client = function() return {} end }

  local function refusal_of(err)
    stub(enqueue, "admit", nil, err)
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
    stub(callers, "hold_cap", nil, err)
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

describe("an order that is barred by a limit of spend", function()
  local snapshot
  before_each(function()
    snapshot = assert:snapshot()
    stub(contexts, "of", {})
    stub(callers, "hold_cap", true)
  end)
  after_each(function() snapshot:revert() end)

  local app = { client = function() return {} end }

  local function barred(is_own)
    stub(enqueue, "admit", { verdict = "barred", limit = "spend", cap = 45e6,
      used = 44e6, currency = "USD", is_own = is_own, retry_after = 9 })
    local _, refusal = orders.place(app, { name = "ann", limits = {} },
      { params = {} })
    assert.same({ 429, "insufficient_quota", 9 }, { refusal.status, refusal.code,
      refusal.retry_after })
    assert.truthy(refusal.message:find("nothing was ordered", 1, true))
    return refusal.message
  end

  it("tells a caller its own totals, and not the gateway's", function()
    assert.truthy(barred(true):find("45.00 USD, of which 44.00", 1, true))
    assert.is_nil(barred(false):find "%d")
  end)
end)

describe("a repeated order whose parameters were deleted", function()
  it("is shown as it was asked for", function()
    local snapshot = assert:snapshot()
    stub(contexts, "of", {})
    stub(callers, "hold_cap", true)
    stub(records, "order", { id = ("0a"):rep(16), state = "failed", params = {} })
    stub(enqueue, "admit", { verdict = "known", row = {} })
    local entry = orders.place({ folder = "/f", settings = {},
      client = function() return {} end }, { name = "ann", limits = {} },
      { params = { prompt = "a kite" } })
    snapshot:revert()
    assert.equal("a kite", entry.params.prompt)
  end)
end)

describe("the error of an entry", function()
  local snapshot
  before_each(function() snapshot = assert:snapshot() end)
  after_each(function() snapshot:revert() end)

  local function told(state, text)
    stub(records, "order", { id = ("0a"):rep(16), state = state, error = text,
      params = {} })
    return orders.entry_of({ folder = "/f", settings = {} }, {}).error
  end

  it("is our own sentence and a code, whatever the provider said", function()
    for state, code in pairs { failed = "task_failed", cancelled = "cancelled",
      refused = "invalid_request", abandoned = "cancelled",
      unknown = "outcome_unknown" } do
      local err = told(state, "account acme, tier gold, 45.00 of 45.00 USD:"
        .. " https://cdn.example/v/1.mp4?sig=x")
      assert.equal(code, err.code)
      for _, word in ipairs { "acme", "gold", "45", "http" } do
        assert.is_nil(err.message:find(word, 1, true), err.message)
      end
      assert.same(err, told(state, nil))
    end
  end)
end)
