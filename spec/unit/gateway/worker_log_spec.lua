local workers = require "starvideos.gateway.worker"

describe("the error log of a gateway", function()
  it("gets what the provider refuses, with the order", function()
    local level, line = workers.line { name = "exchange", operation = "create",
      order = "abc", status = 402, method = "POST", url = "https://api.test/x" }
    assert.equal("WARN", level)
    assert.truthy(line:find("create", 1, true) and line:find("abc", 1, true)
      and line:find("HTTP 402", 1, true))
    assert.is_nil(line:find("api.test", 1, true))
    level, line = workers.line { name = "exchange", operation = "query",
      failure = "timeout" }
    assert.equal("WARN", level)
    assert.truthy(line:find("timeout", 1, true))
  end)

  it("gets why the queue has stopped, without what a link hides", function()
    local level, line = workers.line { name = "queue", state = "halted",
      reason = "no money, see https://pay.test/a?token=secret" }
    assert.equal("ERR", level)
    assert.truthy(line:find("no money", 1, true))
    assert.is_nil(line:find("secret", 1, true))
  end)

  for reason, logged in pairs {
    ["the provider refused the order (no balance for 'a street (wet)'); nothing was"
      .. " bought; top up"] = "refused the order (refused; its words: starvideos"
      .. " status); nothing was bought; top up",
    ["it refused the key (HTTP 401, code 9: a street); check"] =
      "it refused the key (HTTP 401; its words: starvideos status); check",
  } do
    it("gets why the queue has stopped, without the provider's words", function()
      local _, line = workers.line { name = "queue", state = "halted",
        reason = reason }
      assert.truthy(line:find(logged, 1, true), line)
      assert.is_nil(line:find("street", 1, true))
    end)
  end

  it("gets no line that somebody else has written, and nothing that a terminal"
    .. " obeys", function()
    for _, event in ipairs { { name = "ledger", failure = "a\n2026/11/26 [emerg]\27[2J" },
      { name = "queue", state = "halted", reason = "a\n[emerg]\27[2J" },
      { name = "notice", reason = "a\n[emerg]\27[2J" },
      { name = "exchange", operation = "query", failure = "a\n[emerg]\27[2J" } } do
      local _, line = workers.line(event)
      assert.is_nil(line:find "%c", line)
      assert.truthy(line:find("\\u000a", 1, true))
    end
  end)

  it("gets that an order failed, and nothing that may repeat its prompt", function()
    for _, state in ipairs { "failed", "refused", "unknown" } do
      local level, line = workers.line { name = "order", order = "abc",
        state = state, error = "the prompt 'a street' is not allowed" }
      assert.equal("WARN", level)
      assert.truthy(line:find(state, 1, true))
      assert.is_nil(line:find("street", 1, true))
    end
  end)

  it("gets nothing of what went well, or was cancelled", function()
    assert.is_nil(workers.line { name = "order", order = "abc",
      state = "accepted" })
    assert.is_nil(workers.line { name = "exchange", operation = "query",
      status = 200 })
    assert.is_nil(workers.line { name = "exchange", operation = "query",
      failure = "cancelled" })
    assert.is_nil(workers.line { name = "interrupt", timeout = 1 })
  end)

  it("takes every event there is", function()
    for _, row in ipairs(require("starvideos.events").list) do
      local event = { name = row[1], status = 500, order = "abc" }
      for _, field in ipairs(row[3]) do
        event[field[1]] = event[field[1]] or field[2] == "number" and 1 or "x"
      end
      assert.has_no.errors(function() workers.line(event) end)
    end
  end)
end)
