-- What a ledger's thread owes: writes that failed, and steps nobody heard of.

local NAME = "starvideos.ledger.actor"

local WHO = { owner = "me", now = 1000 }
local ROW = { order_id = "1", state = "prepared", revision = 3 }
local OUTAGE = { kind = "ledger", message = "no server" }

describe("a ledger's thread", function()
  local asked, replies, answer, undo, rest, leave, loaded

  -- Does as it is told in `replies`, else what was asked for.
  local orders = setmetatable({}, { __index = function(_, method)
    return function(_, ...)
      asked[#asked + 1] = { method, ... }
      local reply = table.remove(replies[method] or {}, 1)
      if reply and reply.raises then
        error(reply.raises, 0)
      elseif reply then
        return (table.unpack or unpack)(reply, 1, 2)
      end
      return true
    end
  end })

  before_each(function()
    asked, replies = {}, {}
    loaded = package.loaded["starvideos.ledger.orders"]
    package.loaded["starvideos.ledger.orders"] = { new = function()
      return orders
    end }
    package.loaded[NAME] = nil
    answer, undo, rest, leave = require(NAME)({}, 7)
  end)
  after_each(function()
    package.loaded["starvideos.ledger.orders"] = loaded
    package.loaded[NAME] = nil
  end)

  local function methods()
    local list = {}
    for index, deed in ipairs(asked) do
      list[index] = deed[1]
    end
    return table.concat(list, " ")
  end

  it("answers as the orders do, and owes nothing", function()
    replies.begin = { { "send", ROW } }
    assert.same({ "send", ROW }, { answer("begin", WHO, {}) })
    assert.is_nil(rest())
    leave()
    assert.equal("begin close", methods())
  end)

  for _, method in ipairs { "resolve", "unsent", "seen", "downloaded" } do
    it("tries to write again what failed: " .. method, function()
      replies[method] = { { nil, OUTAGE }, { nil, OUTAGE } }
      assert.same({ nil, OUTAGE }, { answer(method, WHO, "1", nil, "x") })
      assert.equal(7, rest())
      assert.is_nil(rest())
      assert.same({ method, WHO, "1", nil, "x" }, asked[3])
    end)
  end

  it("does not try again what the orders refuse, nor what only asks", function()
    replies.resolve = { { nil, { kind = "not_found" } } }
    replies.pending = { { nil, OUTAGE } }
    answer("resolve", WHO, ROW)
    answer("pending", WHO, 10)
    assert.is_nil(rest())
    assert.equal("resolve pending", methods())
  end)

  it("writes what is owed before it does anything else", function()
    replies.resolve = { { nil, OUTAGE } }
    answer("resolve", WHO, ROW)
    answer("begin", WHO, {})
    assert.equal("resolve resolve begin", methods())
  end)

  -- As where memory runs out: the order before may be on its way by then.
  it("takes back nothing that was heard because of a message that raised",
    function()
      replies.submitting = { { ROW } }
      answer("submitting", WHO, ROW)
      replies.pending = { { raises = "not enough memory" } }
      assert.has_error(function() answer("pending", WHO, 10) end)
      undo()
      assert.equal("submitting pending", methods())
    end)

  it("owes the last word about an order, once", function()
    replies.unsent = { { nil, OUTAGE } }
    replies.resolve = { { nil, OUTAGE }, { nil, OUTAGE }, { nil, OUTAGE } }
    answer("unsent", WHO, ROW, "later")
    replies.unsent = { { nil, OUTAGE } }
    answer("resolve", WHO, ROW, "refused")
    answer("resolve", WHO, ROW, "accepted")
    asked = {}
    assert.is_nil(rest())
    assert.same({ { "resolve", WHO, ROW, "accepted" } }, asked)
  end)

  it("holds nothing up for what can never be written", function()
    replies.resolve = {}
    for index = 1, 10 do
      replies.resolve[index] = { nil, OUTAGE }
    end
    answer("resolve", WHO, ROW)
    for _ = 1, 5 do
      assert.is_true(answer("of_key", WHO, "kite"))
    end
    assert.is_nil(rest())
    assert.equal(4, select(2, methods():gsub("resolve", "")))
  end)

  it("takes back an order that nobody waits for, by the row that it has now",
    function()
      local after = { order_id = "1", state = "submitting", revision = 4 }
      replies.submitting = { { after } }
      answer("submitting", WHO, ROW)
      undo()
      assert.equal("unsent", asked[2][1])
      assert.equal(after, asked[2][3])
    end)

  it("lets go of an order whose turn nobody waits for any more", function()
    local after = { order_id = "1", state = "prepared", revision = 4 }
    replies.renew = { { after } }
    answer("renew", WHO, ROW)
    undo()
    assert.equal("unsent", asked[2][1])
    assert.equal(after, asked[2][3])
  end)

  it("takes back a new order, but none that is another's", function()
    replies.begin = { { "send", ROW }, { "busy", ROW } }
    answer("begin", WHO, {})
    undo()
    answer("begin", WHO, {})
    undo()
    assert.equal("begin unsent begin", methods())
    assert.equal(ROW, asked[2][3])
  end)

  it("takes it back later where it cannot at once", function()
    replies.submitting, replies.unsent = { { ROW } }, { { nil, OUTAGE } }
    answer("submitting", WHO, ROW)
    undo()
    assert.is_nil(rest())
    assert.equal("submitting unsent unsent", methods())
  end)

  -- The server may have done it, and its word for that may be lost.
  it("takes back what failed, where it was done all the same", function()
    replies.submitting = { { nil, OUTAGE } }
    answer("submitting", WHO, ROW)
    rest()
    assert.equal("unsent", asked[2][1])
    assert.same({ order_id = "1", state = "submitting", revision = 4 },
      asked[2][3])
  end)
end)
