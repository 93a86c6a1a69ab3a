local deadlines = require "starvideos.base.deadlines"
local random = require("starvideos.base.fingerprint").random

describe("the heap of deadlines", function()
  it("pops sleepers in the order of their deadlines", function()
    local heap, next_number = deadlines(), random()
    for _ = 1, 2000 do
      local due = math.floor(next_number() * 500)
      heap:push(due, due)
    end
    local last = -1
    for _ = 1, 2000 do
      local earliest, sleeper = heap:earliest()
      local popped, due = heap:pop()
      assert.same({ earliest, sleeper }, { due, popped })
      assert.is_true(due >= last)
      last = due
    end
    assert.is_nil(heap:earliest())
    assert.is_nil(heap:pop())
  end)

  it("pops those due at the same time in the order they were pushed", function()
    local heap, order = deadlines(), {}
    for index = 1, 50 do
      heap:push(7, index)
    end
    for index = 1, 50 do
      order[index] = heap:pop()
      assert.equal(index, order[index])
    end
  end)
end)
