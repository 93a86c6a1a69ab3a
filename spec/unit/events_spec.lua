-- The table of events: the docs show it, and what is told keeps to it.

local clip = require "spec.fixtures.clip"
local events = require "starvideos.events"
local hearing = require "spec.fixtures.hearing"
local starvideos = require "starvideos"

local unpack = table.unpack or unpack

local FILM = clip.mp4(100)
local ORDER = { model = "videos", prompt = "a kite", duration = 5 }
local COMPLETED = '{"id":"video_1","status":"completed",'
  .. '"video_url":"https://media.test/1.mp4?sign=SESAME"}'

describe("the page about events", function()
  local file = assert(io.open("docs/events.md", "rb"))
  local text = file:read "*a"
  file:close()

  -- Its sections as the table has them: the rows under each event's name.
  local function documented()
    local rows, name = {}, nil
    for line in text:gmatch "[^\n]*" do
      name = line:match "^## `([%w_]+)`$" or not line:find "^## " and name
      if name then
        rows[name] = rows[name] or {}
        table.insert(rows[name], line:match "^| `.*")
      end
    end
    return rows
  end

  it("has each event, field by field, and no other", function()
    local rows = documented()
    for _, event in ipairs(events.list) do
      local wanted = {}
      for index, field in ipairs(event[3]) do
        wanted[index] = ("| `%s` | %s | %s | %s |"):format(unpack(field))
      end
      assert.same(wanted, rows[event[1]], event[1])
      rows[event[1]] = nil
    end
    assert.same({}, rows)
  end)

  it("says when each is told", function()
    for _, event in ipairs(events.list) do
      local when = event[2]:sub(1, 1):upper() .. event[2]:sub(2)
      assert.truthy(text:find(("\n## `%s`\n\n%s.\n"):format(event[1], when), 1,
        true), event[1])
    end
  end)
end)

describe("what a listener is told", function()
  local told, of, now, path

  local function client_with(answer, more)
    local options = {
      api_key = "test-key", on_event = told,
      random = function() return 0.5 end,
      clock = function() return now end,
      sleep = function(seconds)
        now = now + seconds
        return true
      end,
      transport = answer,
    }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return assert(starvideos.new(options))
  end

  before_each(function()
    told, of = hearing.new()
    now, path = 1000, os.tmpname()
    os.remove(path)
  end)
  after_each(function()
    os.remove(path)
  end)

  it("names the operation of an exchange and the task it belongs to", function()
    local client = client_with(function(req)
      return { status = 200, headers = {}, elapsed = 0.25, body = req.method
        == "POST" and '{"id":"video_1","status":"queued"}' or COMPLETED }
    end)
    assert(client:wait(assert(client:create(ORDER))))
    local list = of "exchange"
    assert.same({ "create", "POST", "video_1", 200, 0.25 }, { list[1].operation,
      list[1].method, list[1].task_id, list[1].status, list[1].elapsed })
    assert.same({ "query", "GET", "video_1" }, { list[2].operation,
      list[2].method, list[2].task_id })
    assert.equal(2, #list)
  end)

  it("says why an exchange failed", function()
    local client = client_with(function()
      return nil, { reason = "connect", sent = false }
    end)
    client:query "video_1"
    local event = of "exchange"[1]
    assert.same({ "query", "connect" }, { event.operation, event.failure })
    assert.is_nil(event.status)
  end)

  -- A media host that sends 10 bytes each 0.4 s.
  local function slow(req)
    for received = 10, #FILM, 10 do
      now = now + 0.4
      req.on_progress(received, #FILM, 0)
    end
    return { status = 200, headers = {}, body = FILM }
  end

  it("tells the bytes of a download, at most once a second", function()
    local client = client_with(slow)
    assert(client:download({ id = "video_1", status = "completed",
      video_url = "https://media.test/1.mp4?sign=SESAME" }, path))
    local seen = {}
    for index, event in ipairs(of "download") do
      seen[index] = ("%s %s %s"):format(event.state, event.received,
        tostring(event.total))
      assert.same({ "video_1", path }, { event.task_id, event.path })
    end
    assert.same({ "started 0 nil", "progress 30 100", "progress 60 100",
      "progress 90 100", "saved 100 100" }, seen)
  end)

  it("tells why a download failed", function()
    local client = client_with(function()
      return { status = 500, headers = {}, body = "SESAME" }
    end)
    local _, err = client:download({ id = "video_1", status = "completed",
      video_url = "https://media.test/1.mp4?sign=SESAME" }, path)
    local list = of "download"
    assert.same({ "started", "failed", 2 }, { list[1].state, list[2].state,
      #list })
    assert.equal(err.message, list[2].error)
  end)

  it("tells that Ctrl-C waits for the answer to an order", function()
    local client = client_with(function(req)
      req.on_interrupt()
      return { status = 200, headers = {}, body =
        '{"id":"video_1","status":"queued"}' }
    end, { timeout = 7 })
    assert(client:create(ORDER))
    assert.equal(7, of "interrupt"[1].timeout)
  end)

  it("tells what a listener raised", function()
    local client = client_with(function()
      return { status = 200, headers = {}, body = COMPLETED }
    end)
    assert(client:wait("video_1", { on_progress = function()
      error("mine", 0)
    end }))
    local event = of "listener"[1]
    assert.same({ "on_progress", "mine" }, { event.listener, event.failure })
  end)

  it("tells that a 429 lowers the rate, and each doubling of it", function()
    local answers = { 429, 200, 429 }
    local polls = 0
    local client = client_with(function()
      polls = polls + 1
      return { status = answers[polls] or 200, headers = {}, body = polls < 60
        and '{"id":"video_1","status":"processing"}' or COMPLETED }
    end, { poll_rate = 8 })
    assert(client:wait("video_1", { timeout = 100000 }))
    local list, rates = of "rate", {}
    for index, event in ipairs(list) do
      assert.equal("polls", event.what)
      assert.equal(event.rate / 8, event.factor)
      rates[index] = event.state .. (event.rate < 8 and "" or " 8")
    end
    assert.equal("lowered", rates[1])
    assert.equal("raised 8", rates[#rates])
    assert.is_true(#rates < 16, #rates)
  end)
end)
