-- A client that a listener of its own closes: what waits ends as cancelled.

local announced = require "spec.fixtures.announced"
local clip = require "spec.fixtures.clip"
local core = require "starvideos.core"
local drivers = require "spec.fixtures.driver"
local starvideos = require "starvideos"

local FILM = clip.mp4(80)
local PARAMS = { model = "videos", prompt = "a cat", duration = 5 }

-- An engine that answers a poll in one step and a download in three, and that
-- raises where it is used after its end, as the real one does.
local function new_engine()
  local engine = { open = {} }
  local function body_of(req)
    return req.method == "POST" and '{"id":"new","status":"queued"}'
      or '{"id":"a","status":"processing"}'
  end
  function engine.submit(_, req)
    assert(not engine.closed, "attempt to use a closed engine")
    local it = { steps = req.sink and 3 or 1 }
    function it.done() return it.steps <= 0 end
    function it.cancel() it.steps, it.cancelled = 0, true end
    function it.answer() return nil end
    function it.progress() return 3 - it.steps, 3, 0 end
    function it.result()
      if it.cancelled then
        return nil, { reason = "cancelled", message = "cancelled", sent = true }
      end
      return { status = 200, headers = {}, body = req.sink and FILM
        or body_of(req) }
    end
    engine.open[#engine.open + 1] = it
    return it
  end
  function engine.step()
    assert(not engine.closed, "attempt to use a closed engine")
    for _, it in ipairs(engine.open) do
      it.steps = it.steps - 1
    end
  end
  function engine.close()
    engine.closed = true
  end
  return announced.add(engine)
end

describe("a listener that closes its client", function()
  local loaded, engine, client, now, path

  before_each(function()
    path = os.tmpname()
    now, loaded = 0, package.loaded["starvideos.curl"]
    engine = new_engine()
    package.loaded["starvideos.curl"] = {
      network = function() return engine end,
      disk = core.disk,
    }
    client = assert(starvideos.new { api_key = "key",
      clock = function() return now end,
      sleep = function(seconds)
        assert(not engine.closed, "attempt to use a closed engine")
        now = now + seconds
      end })
  end)
  after_each(function()
    package.loaded["starvideos.curl"] = loaded
    for _, ending in ipairs { "", ".part", ".part.json" } do
      os.remove(path .. ending)
    end
  end)

  local function close()
    client:close()
  end

  it("ends a wait", function()
    local task, err = client:wait("a", { on_progress = close })
    assert.is_nil(task)
    assert.equal("cancelled", err.kind)
    assert.equal("processing", err.task.status)
    assert.is_true(engine.closed)
  end)

  it("ends all waits of wait_all, and their polls", function()
    local results = client:wait_all({ "a", "b", "c" }, { on_progress = close })
    for index = 1, 3 do
      assert.equal("cancelled", results[index].err.kind)
    end
    assert.is_true(engine.closed)
    assert.is_true(now < 40)
  end)

  it("ends a download", function()
    local file, err = client:download({ id = "a", status = "completed",
      video_url = "https://media.test/1" }, path, { overwrite = true,
      on_progress = close })
    assert.is_nil(file)
    assert.equal("cancelled", err.kind)
    assert.is_true(engine.closed)
  end)

  it("keeps the task of an order, and ends what follows", function()
    local task, err = client:generate(PARAMS, { path = path,
      overwrite = true, on_task = close })
    assert.is_nil(task)
    assert.equal("cancelled", err.kind)
    assert.equal("new", err.task_id)
  end)

  it("cannot be used any more", function()
    close()
    close()
    assert.error_matches(function() client:query "a" end,
      "query: this client was closed")
  end)
end)

for _, runtime in ipairs { "frame", "poll" } do
  describe("a listener that closes its client, of the runtime " .. runtime,
    function()
      local client, driver, restore, now

      before_each(function()
        local made
        now = 0
        made, restore = drivers.install()
        client = assert(starvideos.new { api_key = "key", runtime = runtime,
          clock = function() return now end })
        driver = made[1]
      end)
      after_each(function() restore() end)

      it("ends what waits, and no update goes on with it", function()
        local one = client:async(client.wait, client, "a", { first_poll = 1,
          on_progress = function() client:close() end })
        local all = client:async(client.wait_all, client, { "b", "c" })
        now = 1
        client:update(1000)
        driver.finish(driver.tickets[1], { status = 200, headers = {},
          body = '{"id":"a","status":"processing"}' })
        client:update(1000)
        assert.equal("cancelled", one.err.kind)
        assert.equal("processing", one.err.task.status)
        assert.equal("cancelled", all.result[2].err.kind)
        assert.is_true(driver.closed)
      end)
    end)
end
