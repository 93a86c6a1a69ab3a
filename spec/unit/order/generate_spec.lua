local clip = require "spec.fixtures.clip"
local starvideos = require "starvideos"

local FILM = clip.mp4()
local PARAMS = { model = "videos", prompt = "a cat", duration = 5 }

describe("generate", function()
  local path, calls, answers

  local function client()
    local now = 0
    return assert(starvideos.new {
      api_key = "test-key",
      random = function() return 0.5 end,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds end,
      transport = function(req)
        local call = req.method == "POST" and "create"
          or req.url:find("/v1/result/", 1, true) and "query" or "download"
        calls[#calls + 1] = call
        return answers[call](req)
      end,
    })
  end

  local function json(body)
    return function()
      return { status = 200, headers = {}, body = body }
    end
  end

  before_each(function()
    path, calls = os.tmpname(), {}
    os.remove(path)
    answers = {
      create = json '{"id":"video_1","status":"queued"}',
      query = json('{"id":"video_1","status":"completed",'
        .. '"video_url":"https://media.example/1.mp4"}'),
      download = function()
        return { status = 200, body = FILM, headers = {} }
      end,
    }
  end)

  after_each(function()
    for _, ending in ipairs { "", ".part", ".part.json" } do
      os.remove(path .. ending)
    end
  end)

  it("orders, waits and saves", function()
    local seen
    local task, file = client():generate(PARAMS, { path = path,
      on_task = function(created) seen = created.id end })
    assert.equal("completed", task.status)
    assert.same({ path, #FILM }, { file.path, file.bytes })
    assert.equal("video_1", seen)
    assert.same({ "create", "query", "download" }, calls)
  end)

  it("orders nothing where the video could not be saved", function()
    local _, err = client():generate(PARAMS, { path = "/nowhere/at/all.mp4" })
    assert.equal("io", err.kind)
    assert.same({}, calls)
  end)

  it("orders nothing where the target exists", function()
    io.open(path, "wb"):close()
    local _, err = client():generate(PARAMS, { path = path })
    assert.equal("io", err.kind)
    assert.same({}, calls)
  end)

  it("orders nothing that breaks a limit, and leaves no file", function()
    local _, err = client():generate({ model = "videos" }, { path = path })
    assert.equal("validation", err.kind)
    assert.same({}, calls)
    assert.is_nil(io.open(path .. ".part"))
  end)

  it("names the task in every error after the order", function()
    answers.download = function()
      return nil, { reason = "reset", sent = true }
    end
    local _, err = client():generate(PARAMS, { path = path })
    assert.equal("video_1", err.task_id)
    answers.query = json '{"id":"video_1","status":"processing"}'
    _, err = client():generate(PARAMS, { path = path })
    assert.equal("timeout", err.kind)
    assert.equal("video_1", err.task_id)
  end)

  local function exists(name)
    local file = io.open(name, "rb")
    return file ~= nil and file:close() ~= nil
  end

  it("buys a file once that two make at the same time", function()
    local refused, while_made
    assert(client():generate(PARAMS, { path = path, on_task = function()
      while_made = exists(path .. ".lock")
      refused = select(2, client():generate(PARAMS, { path = path }))
    end }))
    assert.equal("io", refused.kind)
    assert.equal("busy", refused.target)
    assert.truthy(refused.message:find("another generate is making it right"
      .. " now; nothing was ordered", 1, true), refused.message)
    assert.same({ "create", "query", "download" }, calls)
    assert.is_true(while_made)
    assert.is_false(exists(path .. ".lock"))
  end)

  it("releases the lock of a file whose video did not come", function()
    answers.query = json '{"id":"video_1","status":"failed","error":"dark"}'
    for _ = 1, 2 do
      local _, err = client():generate(PARAMS, { path = path })
      assert.equal("task_failed", err.kind)
      assert.is_false(exists(path .. ".lock"))
    end
  end)

  it("raises without a path", function()
    assert.has_error(function() client():generate(PARAMS, {}) end)
    assert.has_error(function() client():generate(PARAMS, { path = "" }) end)
  end)
end)
