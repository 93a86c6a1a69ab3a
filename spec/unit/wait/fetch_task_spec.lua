local observe = require "starvideos.wait.fetch_task"

local RUNNING = '{"id":"video_1","object":"video","status":"processing"}'
local COMPLETED = '{"id":"video_1","status":"completed",'
  .. '"video_url":"https://media.test/1.mp4"}'

--- A context whose provider answers so; `told` has the statuses of which its
-- ledger heard.
local function context_of(status, body)
  local told = {}
  return {
    api_key = "test-key", base_url = "https://api.test", timeout = 60,
    wall_clock = os.time, told = told,
    runtime = { request = function()
      return { status = status, headers = {}, body = body }
    end },
    ledger = { seen = function(_, task)
      told[#told + 1] = task.status
      return true
    end },
  }
end

describe("an answer with the status that the ledger was told last", function()
  it("is read, and the ledger is not told again", function()
    local context = context_of(200, RUNNING)
    local task = observe.ask(context, "video_1", nil, "processing")
    assert.equal("processing", task.status)
    assert.same({}, context.told)
  end)

  it("is an error where it comes with another HTTP status", function()
    local context = context_of(500, RUNNING)
    local _, err = observe.ask(context, "video_1", nil, "processing")
    assert.equal("server", err.kind)
    assert.same({}, context.told)
  end)
end)

describe("an answer with another status", function()
  it("is told the ledger", function()
    for _, told in ipairs { "processing", false } do
      local context = context_of(200, COMPLETED)
      assert.equal("completed",
        observe.ask(context, "video_1", nil, told or nil).status)
      assert.same({ "completed" }, context.told)
    end
  end)
end)

describe("a wait", function()
  it("tells the ledger of each status once, given or not", function()
    local wait = require "starvideos.wait"
    local timeline = require "spec.fixtures.timeline"
    local world = timeline.new(function(id, _, n)
      return timeline.body(id, n < 3 and "queued" or n < 5 and "processing"
        or "completed")
    end)
    local told = {}
    local context = timeline.context(world, { ledger = {
      of_task = function() end,
      seen = function(_, task)
        told[#told + 1] = task.status
        return true
      end,
    } })
    world.runtime:gather { function()
      wait.one(context, { id = "video_1", status = "queued" }, {})
    end }
    assert.same({ "queued", "processing", "completed" }, told)
    assert.equal(5, #world.at)
  end)
end)
