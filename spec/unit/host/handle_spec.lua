-- Operations of a client in a loop, against the provider's stand-in in this
-- process, in a time that the spec makes pass.

local drivers = require "spec.fixtures.driver"
local sandbox = require "starvideos.sandbox"
local schedulers = require "starvideos.host.scheduler"
local starvideos = require "starvideos"

local now, client

local function new_client(runtime, more)
  local box = sandbox.new { seconds = 60, clock = function() return now end }
  local options = { api_key = box.key, transport = box:transport(),
    runtime = runtime, clock = function() return now end }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

local function pass(seconds)
  for _ = 1, seconds do
    now = now + 1
    client:update(1000)
  end
end

before_each(function()
  now = 1e6
  client = new_client "frame"
end)

local params = { model = "videos", duration = 4, prompt = "a kite" }

describe("an operation of a client in a loop", function()
  it("shows how far a wait has come, and what it came to", function()
    local handle = client:async(function()
      local task = assert(client:create(params))
      return client:wait(task)
    end)
    assert.equal("queued", handle.progress.task.status)
    assert.equal(0, handle.progress.polls)
    pass(45)
    assert.equal("processing", handle.progress.task.status)
    assert.is_near(45, handle.progress.elapsed, 1)
    assert.is_near(1755, handle.progress.remaining, 1)
    pass(100)
    assert.is_true(handle.done)
    assert.equal("completed", handle.result.status)
    assert.is_nil(handle.err)
  end)

  it("shows a task with a status though nothing was read of it yet, and why",
    function()
      client = new_client("frame", { transport = function()
        return nil, { reason = "resolve", sent = false, message = "x" }
      end })
      local handle = client:async(client.wait, client, "video_1",
        { first_poll = 1 })
      assert.equal("unknown", handle.progress.task.status)
      assert.is_nil(handle.progress.error)
      pass(1)
      assert.equal("unknown", handle.progress.task.status)
      assert.equal("network", handle.progress.error.kind)
    end)

  it("shows how many of many have ended", function()
    local handle = client:async(function()
      local ids = {}
      for index = 1, 3 do
        ids[index] = assert(client:create(params)).id
      end
      return client:wait_all(ids)
    end)
    assert.same({ ended = 0, count = 3 }, handle.progress)
    pass(150)
    assert.equal("completed", handle.result[3].task.status)
    assert.same({ ended = 3, count = 3 }, handle.progress)
  end)

  it("hands over the task where a wait is cancelled", function()
    local handle = client:async(function()
      return client:wait(assert(client:create(params)))
    end)
    pass(40)
    handle:cancel()
    client:update()
    assert.equal("cancelled", handle.err.kind)
    assert.truthy(handle.err.task.id)
  end)

  it("has its error as a table with a sentence", function()
    local handle = client:async(function()
      return client:create { model = "videos", prompt = " " }
    end)
    assert.equal("validation", handle.err.kind)
    assert.truthy(tostring(handle.err):find "prompt")
  end)

  it("is told apart from a call that would block", function()
    for _, call in ipairs { "create", "query", "wait", "wait_all", "download",
      "generate", "resume", "adopt" } do
      local ok, message = pcall(client[call], client, params, {})
      assert.is_false(ok)
      assert.truthy(message:find(call .. " would block the loop", 1, true),
        message)
    end
  end)

  it("shows no key in a dump of its handle", function()
    local handle = client:async(function()
      return client:wait(assert(client:create(params)))
    end)
    local seen, text = {}, {}
    local function dump(value)
      text[#text + 1] = tostring(value)
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        for key, item in pairs(value) do
          dump(key)
          dump(item)
        end
      end
    end
    dump(handle)
    assert.is_nil(table.concat(text, "\n"):find("Bearer", 1, true))
  end)
end)

-- Begun by itself a wait has no coroutine while it sleeps; nobody can tell.
local begins = {
  ["by itself"] = function(id, options)
    return client:async(client.wait, client, id, options)
  end,
  ["in a function"] = function(id, options)
    return client:async(function()
      return client:wait(id, options)
    end)
  end,
}

for how, begin in pairs(begins) do
  describe("a wait begun " .. how, function()
    local driver, restore
    before_each(function()
      local made
      made, restore = drivers.install()
      client = assert(starvideos.new { api_key = "sk-secret", runtime = "frame",
        clock = function() return now end })
      driver = made[1]
    end)
    after_each(function() restore() end)

    local function answer(number, status)
      driver.finish(driver.tickets[number], { status = 200, headers = {},
        body = ('{"id":"a","status":"%s","video_url":"https://m.test/1"}')
          :format(status) })
      client:update(1000)
    end

    it("polls at its pace until its task ends", function()
      local seen, told = {}, 0
      local handle = begin("a", { first_poll = 5, interval = 10,
        on_progress = function(task) seen[#seen + 1] = task.status end })
      handle:on_done(function() told = told + 1 end)
      pass(4)
      assert.equal(0, driver.count)
      pass(1)
      answer(1, "processing")
      assert.equal("processing", handle.progress.task.status)
      assert.equal(1, handle.progress.polls)
      pass(15) -- 12.5 s, and a fifth
      answer(2, "completed")
      assert.is_true(handle.done)
      assert.equal("https://m.test/1", handle.result.video_url)
      assert.same({ "processing", "completed" }, seen)
      assert.equal(1, told)
      assert.is_false(client:busy())
    end)

    it("ends with the task's error, without the key", function()
      local handle = begin("a", { first_poll = 1 })
      pass(1)
      driver.finish(driver.tickets[1], { status = 200, headers = {}, body =
        '{"id":"a","status":"failed","error":"sk-secret is not enough"}' })
      client:update(1000)
      assert.equal("task_failed", handle.err.kind)
      assert.equal("[key] is not enough", handle.err.message)
    end)

    it("ends at its deadline", function()
      local handle = begin("a", { first_poll = 50, timeout = 20 })
      pass(18)
      answer(1, "processing")
      pass(2)
      assert.equal("timeout", handle.err.kind)
      assert.equal("processing", handle.err.task.status)
    end)

    it("is cancelled while it sleeps, and while it polls", function()
      local sleeping = begin("a", { first_poll = 5 })
      local polling = begin("b", { first_poll = 1 })
      pass(1)
      sleeping:cancel()
      polling:cancel()
      client:update(1000)
      assert.equal("cancelled", sleeping.err.kind)
      assert.equal("cancelled", polling.err.kind)
      assert.is_true(driver.tickets[1].cancelled)
      assert.is_false(client:busy())
    end)

    it("may make calls in its listener that wait", function()
      if not schedulers.is_certain then
        return pending "Lua 5.1 lets no listener wait"
      end
      local found
      local handle = begin("a", { first_poll = 1, on_progress = function()
        found = found or assert(client:query "b")
      end })
      pass(1)
      answer(1, "processing")
      answer(2, "queued")
      assert.equal("b", found and found.id)
      assert.is_false(handle.done)
    end)

    it("has its error at once where it cannot begin", function()
      assert.equal("validation", begin(" ").err.kind)
      assert.truthy(begin(7).err:find("takes a task or its id", 1, true))
      assert.truthy(begin("a", { pace = 1 }).err:find('no option "pace"', 1,
        true))
    end)
  end)
end

describe("a wait begun by itself", function()
  it("takes little memory while it sleeps, also when it has polled", function()
    local body = '{"id":"a","status":"processing"}'
    client = assert(starvideos.new { api_key = "sk-secret", runtime = "frame",
      clock = function() return now end, poll_rate = 1e6,
      transport = function()
        return { status = 200, headers = {}, body = body }
      end })
    local options = { first_poll = 0, interval = 45, timeout = 3600 }
    local function begin(count)
      local last
      for index = 1, count do
        last = client:async(client.wait, client, "video_" .. index, options)
      end
      pass(60)
      collectgarbage()
      collectgarbage()
      return last, collectgarbage "count" * 1024
    end
    local count = 1000
    local _, before = begin(100)
    local last, bytes = begin(count)
    assert.is_true(last.progress.polls > 0)
    assert.is_true((bytes - before) / count <= 6144, (bytes - before) / count)
  end)
end)

describe("a client that is to leave its loop", function()
  -- An order is on the wire until the spec answers it.
  local driver, restore
  before_each(function()
    local made
    made, restore = drivers.install()
    client = assert(starvideos.new { api_key = "key", runtime = "frame",
      clock = function() return now end })
    driver = made[1]
  end)
  after_each(function() restore() end)

  it("gets the answer to its order from updates, and then closes at once",
    function()
      local order = client:async(client.create, client, params)
      local wait = client:async(client.wait, client, "video_1")
      client:cancel()
      client:update(1000)
      assert.equal("cancelled", wait.err.kind)
      assert.is_true(client:busy())
      driver.finish(driver.tickets[1], { status = 200, headers = {},
        body = '{"id":"video_2","status":"queued"}' })
      client:update(1000)
      assert.is_false(client:busy())
      assert.equal("video_2", order.err.task.id)
      client:close()
      assert.is_true(driver.closed)
    end)

  it("is not busy before its first operation and after its last", function()
    assert.is_false(client:busy())
    client:async(function() end)
    assert.is_false(client:busy())
  end)
end)

describe("a client", function()
  it("without a loop has neither async nor update", function()
    client = new_client "block"
    assert.error_matches(function() client:async(print) end,
      "async is for the runtime frame or poll")
    for _, call in ipairs { "update", "cancel", "busy" } do
      assert.error_matches(function() client[call](client) end,
        call .. " is for the runtime frame or poll")
    end
  end)

  it("of frames cannot be polled", function()
    for _, call in ipairs { "pollfd", "events", "timeout" } do
      assert.error_matches(function() client[call](client) end,
        call .. " is for the runtime poll")
    end
  end)

  it("of a loop tells when it is due", function()
    client = new_client "poll"
    assert.equal("r", client:events())
    assert.is_nil(client:timeout())
    client:async(function() client:wait("video_1", { first_poll = 7 }) end)
    assert.is_near(7, client:timeout(), 0.01)
  end)

  it("is told from its class, as are its handles", function()
    assert.error_matches(function() client.close() end,
      "close: call it with a colon")
    local handle = client:async(function() end)
    for _, method in ipairs { "cancel", "on_done" } do
      assert.error_matches(function() handle[method]() end,
        method .. ": call it with a colon on a handle")
    end
    assert.error_matches(function() starvideos:new {} end,
      "call starvideos.new with a dot")
  end)

  it("for nginx is not made elsewhere", function()
    assert.error_matches(function() starvideos.new { runtime = "ngx" } end,
      "the runtime ngx is for nginx")
  end)

  it("takes nothing but a number as its budget", function()
    assert.error_matches(function() client:update "x" end,
      "update takes a number of milliseconds, not a string")
  end)

  it("takes nothing but a function to start", function()
    assert.error_matches(function() client:async {} end,
      "async takes a function, not a table")
  end)

  it("sends over resty_http only in nginx", function()
    assert.error_matches(function()
      starvideos.new { runtime = "frame", transport = "resty_http" }
    end, "resty_http needs the runtime ngx")
  end)
end)
