-- What raises in a listener of the caller's, and what was bought meanwhile.

local clip = require "spec.fixtures.clip"
local starvideos = require "starvideos"

local FILM = clip.mp4()
local PARAMS = { model = "videos", prompt = "a cat", duration = 5 }
local BODIES = {
  POST = '{"id":"video_1","status":"queued"}',
  GET = '{"id":"video_1","status":"completed",'
    .. '"video_url":"https://media.example/1.mp4"}',
}

local stderr, text, path

before_each(function()
  stderr, text = io.stderr, ""
  io.stderr = { write = function(_, ...) -- luacheck: ignore
    text = text .. table.concat { ... }
  end }
  path = os.tmpname()
  os.remove(path)
end)
after_each(function()
  io.stderr = stderr -- luacheck: ignore
  os.remove(path)
end)

local function times(pattern)
  return select(2, text:gsub(pattern, ""))
end

local function client_with(more)
  local now = 0
  local options = {
    api_key = "test-key",
    random = function() return 0.5 end,
    clock = function() return now end,
    sleep = function(seconds) now = now + seconds end,
    transport = function(req)
      local media = req.url:find("media", 1, true)
      if media and req.on_progress then
        req.on_progress(#FILM, #FILM, 0)
      end
      return { status = 200, headers = {}, body = media and FILM
        or BODIES[req.method] }
    end,
  }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

local function raise()
  error("mine", 0)
end

local function interrupt()
  error("x.lua:1: interrupted!", 0)
end

describe("a listener that raises", function()
  it("does not lose the task of an order", function()
    local client = client_with { on_event = raise }
    assert.equal("video_1", assert(client:create(PARAMS)).id)
    assert(client:query "video_1")
    assert.equal(1, times "on_event raised an error, and the call continued.-mine")
    assert.equal(1, times "raised")
  end)

  it("does not keep an order out of the ledger", function()
    local client = client_with { on_event = raise, ledger = ":memory:" }
    assert(client:create(PARAMS))
    assert.equal("video_1", client:pending()[1].task_id)
  end)

  it("does not lose it in a game either", function()
    local client = client_with { on_event = raise, runtime = "frame" }
    local order = client:async(client.create, client, PARAMS)
    assert.equal("video_1", order.result.id)
    assert.equal(1, times "mine")
  end)

  it("ends neither wait nor download", function()
    local client = client_with()
    local task, file = client:generate(PARAMS, { path = path, on_task = raise,
      on_progress = raise, on_download = raise })
    assert.equal("completed", task.status)
    assert.equal(path, file.path)
    for _, name in ipairs { "on_task", "on_progress", "on_download" } do
      assert.equal(1, times(name .. " raised"))
    end
  end)

  it("ends none of the waits of wait_all", function()
    local results = client_with():wait_all({ "a", "b" },
      { on_progress = raise })
    assert.equal("completed", results[1].task.status)
    assert.equal("completed", results[2].task.status)
    assert.equal(1, times "mine")
  end)

  it("does not end a resume", function()
    local client = client_with { ledger = ":memory:" }
    assert(client:create(PARAMS, { path = path }))
    local result = assert(client:resume { on_done = raise,
      on_progress = raise })
    assert.equal(1, result.done)
    assert.equal(2, times "mine")
  end)

  it("is reported once to on_event, without the secrets in its error", function()
    local events = {}
    local client = client_with { on_event = function(event)
      event.at = type(event.at)
      events[#events + 1] = event.name == "listener" and event or nil
    end }
    for _ = 1, 2 do
      assert(client:wait("video_1", { on_progress = function()
        error("test-key https://m.test/1?sign=SESAME", 0)
      end }))
    end
    assert.same({ { name = "listener", listener = "on_progress", at = "number",
      failure = "[key] https://m.test/1?[redacted]" } }, events)
    assert.equal("", text)
  end)

  it("may raise a value that has no text", function()
    local mute = setmetatable({}, { __tostring = raise })
    assert(client_with():wait("video_1", { on_progress = function()
      error(mute)
    end }))
    assert.equal(1, times "on_progress raised")
  end)
end)

describe("Ctrl-C in a listener", function()
  it("returns the task of an order that was accepted", function()
    local client = client_with { interrupts = "return", on_event = interrupt }
    local _, err = client:create(PARAMS)
    assert.equal("cancelled", err.kind)
    assert.equal("video_1", err.task.id)
    client = client_with { interrupts = "return" }
    _, err = client:generate(PARAMS, { path = path, on_task = interrupt })
    assert.equal("video_1", err.task.id)
    assert.is_true(err.interrupted)
  end)

  it("sends no order again that was not accepted", function()
    local count = 0
    local client = client_with { interrupts = "return", on_event = interrupt,
      transport = function()
        count = count + 1
        return nil, { reason = "network", sent = false }
      end }
    local _, err = client:create(PARAMS)
    assert.equal("cancelled", err.kind)
    assert.is_false(err.sent)
    assert.equal(1, count)
  end)

  it("is not reported as an error of the listener", function()
    local client = client_with()
    assert.error_matches(function()
      client:wait("video_1", { on_progress = interrupt })
    end, "interrupted!")
    assert.equal("", text)
  end)
end)
