local json = require "starvideos.base.json"
local starvideos = require "starvideos"

describe("an order of unknown outcome", function()
  local params = { model = "videos", prompt = "a kite", duration = 5 }
  local folder, answers, sent

  local function remove()
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      os.remove(folder .. suffix)
    end
  end

  local function answer(status, fields)
    return { status = status, headers = {}, body = json.encode(fields) }
  end

  local function client()
    return assert(starvideos.new {
      api_key = "key-of-the-spec",
      ledger = folder,
      transport = function(req)
        sent[#sent + 1] = req.method
        local reply = table.remove(answers, 1)
        return reply.status and reply or nil, reply
      end,
    })
  end

  before_each(function()
    folder = os.tmpname()
    answers, sent = { { reason = "reset", sent = true } }, {}
  end)

  after_each(remove)

  local function unknown(c)
    local task, err = c:create(params, { key = "kite" })
    assert.is_nil(task)
    assert.equal("outcome_unknown", err.kind)
    assert.equal("unknown", err.order.state)
    return err.order
  end

  it("is given the task that the account shows", function()
    local c = client()
    local order = unknown(c)
    answers = { answer(200, { id = "task-7", status = "processing" }) }
    local adopted = assert(c:adopt(order, "task-7"))
    assert.same({ "accepted", "task-7" }, { adopted.state, adopted.task_id })
    assert.is_nil(adopted.error)
    assert.equal("task-7", assert(c:create(params, { key = "kite" })).id)
    assert.same({ "POST", "GET" }, sent)
  end)

  it("ends as its task has ended", function()
    local c = client()
    local order = unknown(c)
    answers = { answer(200, { id = "task-7", status = "failed",
      error = { message = "no" } }) }
    assert.equal("failed", assert(c:adopt(order.id, "task-7")).state)
    assert.same({}, (c:pending()))
  end)

  it("is not given a task that the provider does not know", function()
    local c = client()
    local order = unknown(c)
    answers = { answer(404, { error = "no such task" }) }
    local adopted, err = c:adopt(order, "task-8")
    assert.is_nil(adopted)
    assert.equal("not_found", err.kind)
    assert.equal("unknown", assert(c:pending())[1].state)
  end)

  it("is not given the task of another order", function()
    local c = client()
    local order = unknown(c)
    answers = { answer(200, { id = "task-9", status = "queued" }) }
    assert(c:create(params, { key = "other" }))
    local adopted, err = c:adopt(order, "task-9")
    assert.is_nil(adopted)
    assert.equal("validation", err.kind)
    assert.matches("task%-9 is already of", err.message)
    assert.equal(2, #sent)
  end)

  it("is the only one that can be given a task", function()
    local c = client()
    answers = { answer(200, { id = "task-1", status = "queued" }) }
    assert(c:create(params, { key = "kite" }))
    answers = { answer(200, { id = "task-2", status = "queued" }) }
    local adopted, err = c:adopt(assert(c:pending())[1], "task-2")
    assert.is_nil(adopted)
    assert.equal("validation", err.kind)
    assert.matches("accepted", err.message)
  end)

  it("becomes accepted when its task is seen after all", function()
    answers = { { status = 502, headers = {},
      body = '{"id":"task-3","error":"gateway"}' } }
    local c = client()
    local _, err = c:create(params, { key = "kite" })
    assert.equal("task-3", err.order.task_id)
    answers = { answer(200, { id = "task-3", status = "processing" }) }
    assert(c:query "task-3")
    assert.equal("accepted", assert(c:pending())[1].state)
  end)
end)

describe("deciding about an order", function()
  it("needs a ledger", function()
    local c = assert(starvideos.new { api_key = "key-of-the-spec" })
    assert.error_matches(function() c:adopt("order", "task") end,
      "adopt needs a ledger")
    assert.error_matches(function() c:dismiss("order") end,
      "dismiss needs a ledger")
    assert.error_matches(function() c:pending() end, "pending needs a ledger")
  end)
end)
