-- The backlog of a ledger's thread: writes that failed, and requests whose caller
-- stopped waiting.

local NAME = "starvideos.ledger.executor"

local WHO = { owner = "me", now = 1000 }
local ROW = { order_id = "1", state = "prepared", revision = 3 }
local OUTAGE = { kind = "ledger", message = "no server" }

describe("a ledger's thread", function()
  local asked, replies, answer, undo, rest, leave, loaded

  -- Does as it is told in `replies`, else what was asked for.
  local store = {}
  local orders = setmetatable({ store = store }, { __index = function(_, method)
    return function(_, ...)
      asked[#asked + 1] = { method, ... }
      local reply = table.remove(replies[method] or {}, 1)
      if reply and store.news then
        store.news[1] = reply.news
      end
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
    loaded = package.loaded["starvideos.ledger.tasks"]
    package.loaded["starvideos.ledger.tasks"] = { new = function()
      return orders
    end }
    package.loaded[NAME] = nil
    answer, undo, rest, leave = require(NAME)({}, 7)
  end)
  after_each(function()
    package.loaded["starvideos.ledger.tasks"] = loaded
    package.loaded[NAME] = nil
  end)

  local function methods()
    local list = {}
    for index, request in ipairs(asked) do
      list[index] = request[1]
    end
    return table.concat(list, " ")
  end

  it("answers as the orders do, with an empty backlog", function()
    replies.begin = { { "send", ROW } }
    assert.same({ "send", ROW }, { answer("begin", WHO, {}) })
    assert.is_nil(rest())
    leave()
    assert.equal("begin close", methods())
  end)

  for _, method in ipairs { "resolve", "unsent", "seen", "downloaded" } do
    it("retries a write that failed: " .. method, function()
      replies[method] = { { nil, OUTAGE }, { nil, OUTAGE } }
      assert.same({ nil, OUTAGE }, { answer(method, WHO, "1", nil, "x") })
      assert.equal(7, rest())
      assert.is_nil(rest())
      assert.same({ method, WHO, "1", nil, "x" }, asked[3])
    end)
  end

  it("sends no order while it cannot write what another has become", function()
    replies.resolve = { { nil, OUTAGE }, { nil, OUTAGE } }
    answer("resolve", WHO, { order_id = "2" })
    assert.same({ nil, OUTAGE }, { answer("submitting", WHO, ROW) })
    assert.equal("resolve resolve", methods())
    assert.is_true(answer("submitting", WHO, ROW))
    assert.equal("resolve resolve resolve submitting", methods())
  end)

  it("keeps no other's writes waiting for that of a worker taken for dead",
    function()
      replies.seen = { { nil, { kind = "ledger", fenced = true } } }
      answer("seen", WHO, "task")
      assert.is_nil(rest())
    end)

  it("does not retry what the orders refuse, nor what only reads", function()
    replies.resolve = { { nil, { kind = "not_found" } } }
    replies.pending = { { nil, OUTAGE } }
    answer("resolve", WHO, ROW)
    answer("pending", WHO, 10)
    assert.is_nil(rest())
    assert.equal("resolve pending", methods())
  end)

  it("writes its backlog before it does anything else", function()
    replies.resolve = { { nil, OUTAGE } }
    answer("resolve", WHO, ROW)
    answer("begin", WHO, {})
    assert.equal("resolve resolve begin", methods())
  end)

  -- As where memory runs out: the order before may be on its way by then.
  it("undoes no answer that arrived because of a later message that raised",
    function()
      replies.submitting = { { ROW } }
      answer("submitting", WHO, ROW)
      replies.pending = { { raises = "not enough memory" } }
      assert.has_error(function() answer("pending", WHO, 10) end)
      undo()
      assert.equal("submitting pending", methods())
    end)

  it("keeps the last request about an order in its backlog, once", function()
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

  it("drops what can never be written, and goes on", function()
    replies.resolve = {}
    for index = 1, 10 do
      replies.resolve[index] = { nil, OUTAGE }
    end
    answer("resolve", WHO, ROW)
    for _ = 1, 5 do
      assert.is_true(answer("of_task", WHO, "task-1"))
    end
    assert.is_nil(rest())
    assert.equal(4, select(2, methods():gsub("resolve", "")))
  end)

  it("undoes an order that its caller abandoned, by the row that it has now",
    function()
      local after = { order_id = "1", state = "submitting", revision = 4 }
      replies.submitting = { { after } }
      answer("submitting", WHO, ROW)
      undo()
      assert.equal("unsent", asked[2][1])
      assert.equal(after, asked[2][3])
    end)

  it("releases an order whose caller stopped waiting for its turn", function()
    local after = { order_id = "1", state = "prepared", revision = 4 }
    replies.renew = { { after } }
    answer("renew", WHO, ROW)
    undo()
    assert.equal("unsent", asked[2][1])
    assert.equal(after, asked[2][3])
  end)

  it("undoes a new order, but none of another process", function()
    replies.begin = { { "send", ROW }, { "busy", ROW } }
    answer("begin", WHO, {})
    undo()
    answer("begin", WHO, {})
    undo()
    assert.equal("begin unsent begin", methods())
    assert.equal(ROW, asked[2][3])
  end)

  it("undoes it later where it cannot at once", function()
    replies.submitting, replies.unsent = { { ROW } }, { { nil, OUTAGE } }
    answer("submitting", WHO, ROW)
    undo()
    assert.is_nil(rest())
    assert.equal("submitting unsent unsent", methods())
  end)

  -- The server may have done it, and its word for that may be lost.
  it("undoes a change that failed, where the database made it all the same", function()
    replies.submitting = { { nil, OUTAGE } }
    answer("submitting", WHO, ROW)
    rest()
    assert.equal("unsent", asked[2][1])
    assert.same({ order_id = "1", state = "submitting", revision = 4 },
      asked[2][3])
  end)

  -- What the clients of these numbers have heard of.
  describe("tells a client", function()
    local function client(id)
      local self = { count = 0, heard = {} }
      function self.ask(method, ...)
        return { answer(method, { owner = "me", now = 1000, listener = id,
          heard = self.count }, ...) }
      end
      function self.take(results)
        local news = results[3] or { first = 1, list = {} }
        for index, event in ipairs(news.list) do
          if news.first + index - 1 > self.count then
            self.count = self.count + 1
            self.heard[self.count] = event
          end
        end
        return table.concat(self.heard, " ")
      end
      return self
    end

    local one, other

    before_each(function()
      one, other = client(1), client(2)
    end)

    it("what its call has changed, with the answer and once", function()
      replies.seen = { { true, news = "a" }, { true, news = "b" } }
      assert.equal("a", one.take(one.ask "seen"))
      assert.equal("", other.take(other.ask "pending"))
      assert.equal("a b", one.take(one.ask "seen"))
      assert.is_nil(one.ask "pending"[3])
    end)

    it("what it has missed, for its answer was lost", function()
      replies.resolve = { { ROW, news = "a" }, { ROW, news = "b" } }
      one.ask("resolve", ROW)
      assert.equal("a b", one.take(one.ask("resolve", ROW)))
      assert.is_nil(one.ask "pending"[3])
    end)

    it("nothing twice, though its answers come in another order", function()
      replies.seen = { { true, news = "a" }, { true, news = "b" } }
      local first, second = one.ask "seen", one.ask "seen"
      assert.equal("a b", one.take(second))
      assert.equal("a b", one.take(first))
    end)

    it("what was written from the backlog, whoever's call wrote it", function()
      replies.resolve = { { nil, OUTAGE }, { ROW, news = "a" } }
      one.ask("resolve", ROW)
      assert.equal("", other.take(other.ask "pending"))
      assert.equal("a", one.take(one.ask "pending"))
    end)

    it("what was written while nobody called, and what was undone", function()
      replies.resolve = { { nil, OUTAGE }, { ROW, news = "a" } }
      replies.submitting = { { ROW, news = "b" } }
      replies.unsent = { { ROW, news = "c" } }
      one.ask("resolve", ROW)
      rest()
      one.ask("submitting", ROW)
      undo()
      assert.equal("a b c", one.take(one.ask "pending"))
    end)

    it("on the thread that a child of a fork has got", function()
      one.count = 7
      replies.seen = { { true, news = "a" } }
      assert.same({ first = 8, list = { "a" } }, one.ask "seen"[3])
    end)
  end)
end)
