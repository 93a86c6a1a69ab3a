-- The table of a ledger's methods, and what the thread that answers them needs.

local methods = require "starvideos.ledger.methods"
local threads = require "starvideos.ledger.thread"

describe("the methods of a ledger", function()
  it("each lead to a function", function()
    for name, row in pairs(methods) do
      local module, run = row.run:match "^(.*)%.(.*)$"
      local functions = require("starvideos.ledger." .. module)
      assert.equal("function", type(functions[run]), name)
    end
  end)

  it("find every module in Lua that their thread loads in its list", function()
    local listed, queue, seen = {}, { "starvideos.ledger.executor" }, {}
    for _, name in ipairs(threads.names) do
      listed[name] = true
    end
    for _, row in pairs(methods) do
      queue[#queue + 1] = "starvideos.ledger." .. row.run:match "^(.*)%."
    end
    while queue[1] do
      local name = table.remove(queue)
      local file = not seen[name] and io.open("lua/" .. name:gsub("%.", "/") .. ".lua")
      seen[name] = true
      if file then
        assert.is_true(listed[name], name)
        for line in file:lines() do
          queue[#queue + 1] = line:match "^local [%w_]+ = require \"([%w_.]+)\""
        end
        file:close()
      end
    end
  end)
end)
