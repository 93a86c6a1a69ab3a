local errors = require "starvideos.errors"
local exchange = require "starvideos.provider.exchange"
local operations = require "starvideos.provider.operations"

local known = {}
for _, kind in ipairs(errors.kinds) do
  known[kind] = true
end

for name, operation in pairs(operations) do
  describe("the record of " .. name, function()
    it("has a message for each kind that an answer becomes", function()
      for answer, kind in pairs(operation.kinds or {}) do
        assert.is_true(known[kind], kind)
        assert.is_string(operation.refused[kind], tostring(answer))
      end
    end)

    it("has a kind and a message for every failure of a transport", function()
      for _, sent in ipairs { "unsent", "sent" } do
        for _, kind in pairs(operation.failures[sent]) do
          assert.is_true(known[kind], kind)
        end
      end
      for _, failure in ipairs { { sent = true }, { sent = false }, {} } do
        failure.reason = "a new reason"
        local err = exchange.error_of(operation, failure)
        assert.is_truthy(err.message:find("a new reason", 1, true))
      end
    end)

    it("leaves the outcome open of a failure that may have been billed",
      function()
        for reason in pairs(operations.query.failures.sent) do
          local err = exchange.error_of(operation, { reason = reason,
            sent = true })
          assert.equal(operation.billable or false,
            err.kind == "outcome_unknown", reason)
        end
      end)
  end)
end
