-- Which event tells where an order stands, and whether a client needs it.

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local stream = require "starvideos.gateway.stream"

local app = { catalog = core.catalog {} }

local function entry_of(status, progress)
  return { id = "video_1", order_id = "1", model = "videos", status = status,
    progress = progress or 0, created_at = 5, params = { prompt = "a kite" },
    error = status == "failed" and { code = "task_failed", message = "no" }
      or nil }
end

local function told(status, progress, last_id)
  local event, id = stream.event(app, entry_of(status, progress), last_id)
  return event and event:match "event: (%l+)\n", id
end

describe("an event of a stream", function()
  it("is one of three, by the status", function()
    assert.equal("progress", (told("queued")))
    assert.equal("progress", (told("in_progress", 40)))
    assert.equal("completed", (told("completed", 100)))
    assert.equal("failed", (told("failed")))
  end)

  it("has an id, and the video as one line of JSON", function()
    local entry = entry_of("failed")
    entry.error.message = "no\nway \196\227"
    local event, id = stream.event(app, entry)
    local seen_id, data = event:match "^id: (.-)\nevent: failed\ndata: (.-)\n\n$"
    assert.equal(id, seen_id)
    local object = json.decode(data)
    assert.equal("video_1", object.id)
    assert.equal("failed", object.status)
    assert.equal("no\nway " .. ("\239\191\189"):rep(2), object.error.message)
  end)

  it("is not told where the last one said that", function()
    for _, case in ipairs { { "queued" }, { "in_progress", 40 },
      { "completed", 100 }, { "failed" } } do
      local _, id = told(case[1], case[2])
      local name, again = told(case[1], case[2], id)
      assert.is_nil(name)
      assert.equal(id, again)
    end
  end)

  it("is told where the order got further since", function()
    local _, id = told("queued")
    assert.equal("progress", (told("in_progress", 0, id)))
    _, id = told("in_progress", 40)
    assert.equal("progress", (told("in_progress", 41, id)))
    assert.equal("completed", (told("completed", 100, id)))
    assert.equal("failed", (told("failed", 0, id)))
  end)

  it("does not go back where less is known than before", function()
    local _, id = told("in_progress", 40)
    assert.is_nil((told("in_progress", 0, id)))
    assert.is_nil((told("queued", 0, id)))
  end)

  it("tells of another end than the one that is known", function()
    local _, id = told("failed")
    assert.equal("completed", (told("completed", 100, id)))
    assert.equal("progress", (told("in_progress", 0, id)))
  end)

  it("is told to whoever knows something else", function()
    for _, last_id in ipairs { "", "7", "done.1", "completed", "queued.x" } do
      assert.equal("progress", (told("queued", 0, last_id)), last_id)
    end
  end)
end)
