-- A status of no document, at which other programs of this provider end: the video was
-- never made, or is gone.

local crews = require "spec.fixtures.crew"
local worlds = require "spec.ledger.world"

local EXPIRED = '{"id":"%s","status":"expired"%s}'

describe("a task that expires", function()
  local world, client

  before_each(function()
    world = worlds.new()
    client = world:client()
  end)

  after_each(function()
    world:close()
  end)

  -- From now on each query is answered so.
  local function answer(status, more)
    local transport = world.transport
    function world.transport(req)
      local id = req.url:match "/v1/result/([^/]+)$"
      if id then
        return { status = 200, headers = {}, body = ('{"id":"%s","status":"%s"%s}')
          :format(id, status, more or "") }
      end
      return transport(req)
    end
  end

  local function row()
    return world:rows("SELECT * FROM starvideos_orders")[1]
  end

  it("ends a wait as failed, with the provider's word", function()
    local task = assert(world.create(client, "expired"))
    local began = world.now
    local found, err = client:wait(task)
    assert.is_nil(found)
    assert.equal("task_failed", err.kind)
    assert.equal("expired", err.task.status)
    assert.truthy(err.message:find("expired", 1, true))
    assert.is_true(world.now - began < 300)
    assert.equal("failed", row().state)
    assert.truthy(row().error:find("expired", 1, true))
    assert.equal("expired", assert(client:query(task.id)).status)
    assert.equal("failed", row().state)
  end)

  it("keeps what the provider says about it, and any spelling of the word", function()
    answer("Expired", ',"error":"too old"')
    local task = assert(world.create(client))
    local _, err = client:wait(task)
    assert.equal("expired: too old", err.message)
    assert.equal("expired: too old", row().error)
    err = select(2, client:generate(world.params(), { key = "kite",
      path = world.folder .. "/kite.mp4" }))
    assert.equal("task_failed", err.kind)
    assert.truthy(err.message:find("expired: too old", 1, true))
    assert.equal(2, err.next_take)
    assert.equal(1, world:billed())
  end)

  it("is failed where the answer to the order says so", function()
    local transport = world.transport
    function world.transport(req)
      local found = transport(req)
      found.body = EXPIRED:format("video_1", "")
      return found
    end
    local _, err = world.create(client)
    assert.equal("task_failed", err.kind)
    assert.equal("expired", err.task.status)
    assert.equal("failed", row().state)
  end)

  it("fails an order of the queue, which then ends", function()
    local crew = crews.new(world)
    crew:enqueue(2, "expired")
    local a = crew:start()
    crew:go(600, a)
    assert.equal(2, crews.result_of(a).failed)
    assert.equal(2, crew:in_state "failed")
    crew.close()
  end)

  describe("after it was completed", function()
    local task

    before_each(function()
      task = assert(world.create(client))
      assert(client:wait(task))
      assert.equal("completed", row().state)
      answer "expired"
    end)

    it("is the error of a dead link, and its order stays", function()
      local _, err = client:wait(task.id)
      assert.equal("expired", err.kind)
      assert.equal("expired", err.task.status)
      assert.equal("completed", row().state)
      assert.truthy(err.message:find("stays paid", 1, true))
    end)

    it("is that where a download asks for the link", function()
      local _, err = client:download(task.id, world.folder .. "/kite.mp4")
      assert.equal("expired", err.kind)
      assert.equal("completed", row().state)
    end)

    it("is that of a resume", function()
      local result, err = client:resume { directory = world.folder }
      assert.is_nil(err and err.kind ~= "expired" and err or nil)
      assert.equal(0, (result or err.result).failed)
      assert.equal("completed", row().state)
    end)
  end)

  it("is known as completed from the wait itself, without a ledger", function()
    local starvideos, polls = require "starvideos", 0
    local now = 0
    local alone = assert(starvideos.new { api_key = "k", clock = function() return now end,
      sleep = function(seconds) now = now + seconds return true end,
      transport = function()
        polls = polls + 1
        return { status = 200, headers = {}, body = polls == 1
          and '{"id":"video_1","status":"completed"}' or EXPIRED:format("video_1", "") }
      end })
    assert.equal("expired", select(2, alone:wait "video_1").kind)
    assert.equal("task_failed", select(2, alone:wait "video_1").kind)
    assert.equal("expired", select(2, alone:wait { id = "video_1",
      status = "completed" }).kind)
  end)
end)
