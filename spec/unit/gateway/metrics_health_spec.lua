local metrics = require "starvideos.gateway.metrics"

describe("the health of a gateway", function()
  local function codes(seen)
    local status, value = metrics.verdict(seen)
    local list = {}
    for index, reason in ipairs(value.reasons or {}) do
      list[index] = reason.code
    end
    return status, table.concat(list, " "), value.status
  end

  it("is good where it can order and save", function()
    assert.same({ 200, "", "ok" }, { codes { ledger = true, workers = 1 } })
  end)

  it("is not where the ledger is silent, nobody works, or the queue has stopped",
    function()
      assert.same({ 503, "ledger", "unavailable" },
        { codes { ledger = false, workers = 2 } })
      assert.same({ 503, "workers", "unavailable" },
        { codes { ledger = true, workers = 0 } })
      assert.same({ 503, "halted", "unavailable" },
        { codes { ledger = true, workers = 2, halted = "auth" } })
      assert.same({ 503, "ledger workers halted", "unavailable" },
        { codes { ledger = false, workers = 0, halted = "auth" } })
    end)
end)
