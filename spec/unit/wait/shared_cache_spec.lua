-- Processes that wait for the same task and share a dictionary.

local errors = require "starvideos.errors"
local random = require("starvideos.base.fingerprint").random
local fetch_task = require "starvideos.wait.fetch_task"
local starvideos = require "starvideos"
local timeline = require "spec.fixtures.timeline"
local wait = require "starvideos.wait"

local START, body = timeline.START, timeline.body

--- A dictionary as nginx has them, in a world's time.
local function dictionary_of(world)
  local entries = {}
  local dictionary = { entries = entries }
  local function live(key)
    local entry = entries[key]
    return entry and entry.ends > world.now and entry or nil
  end
  function dictionary.get(_, key)
    local entry = live(key)
    return entry and entry.value
  end
  function dictionary.set(_, key, value, seconds)
    if dictionary.full then
      return nil, "no memory"
    end
    entries[key] = { value = value, ends = world.now + seconds }
    return true
  end
  function dictionary.add(_, key, value, seconds)
    if live(key) then
      return nil, "exists"
    end
    return dictionary:set(key, value, seconds)
  end
  function dictionary.delete(_, key)
    entries[key] = nil
  end
  return dictionary
end

--- A world, and processes in it that share a dictionary.
local function stage(answer)
  local world = timeline.new(answer)
  local shared = dictionary_of(world)
  local seed = 1
  local function process(more)
    seed = seed + 1
    local fields = { shared = shared, random = random(seed * 1000) }
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    return timeline.context(world, fields)
  end
  return world, process, shared
end

-- Waits side by side; results in the order of the contexts.
local function together(world, contexts, options)
  local results, functions = {}, {}
  for index, context in ipairs(contexts) do
    functions[index] = function()
      local given = type(options) == "function" and options(index) or options
      local task, err = wait.one(context, "video_1", given or {})
      results[index] = { task = task, err = err, at = world.now - START }
    end
  end
  world.runtime:gather(functions)
  return results
end

local function completed_after(seconds)
  return function(id, time)
    return body(id, time < seconds and "processing" or "completed")
  end
end

describe("waits of one task in several processes", function()
  it("poll like one, and all learn of the end within seconds", function()
    local alone = timeline.new(completed_after(500))
    together(alone, { timeline.context(alone) })
    local world, process = stage(completed_after(500))
    local results = together(world, { process(), process(), process(),
      process() })
    assert.is_true(#world.at <= #alone.at + 2)
    local first = math.huge
    for _, result in ipairs(results) do
      assert.equal("completed", result.task.status)
      assert.equal("https://m.test/video_1", result.task.video_url)
      first = math.min(first, result.at)
    end
    for _, result in ipairs(results) do
      assert.is_true(result.at < first + 3)
    end
  end)

  it("tell their callers of what another has seen", function()
    local world, process = stage(completed_after(100))
    local told = { {}, {} }
    together(world, { process(), process() }, function(index)
      return { on_progress = function(task, info)
        table.insert(told[index], { task.status, info.polls })
      end }
    end)
    local polls = 0
    for _, progress in ipairs(told) do
      assert.equal("processing", progress[1][1])
      assert.equal("completed", progress[#progress][1])
      polls = polls + progress[#progress][2]
    end
    assert.equal(#world.at, polls)
  end)

  it("share a task that failed", function()
    local world, process = stage(function(id)
      return body(id, "failed")
    end)
    local results = together(world, { process(), process() })
    assert.equal(1, #world.at)
    assert.equal("task_failed", results[1].err.kind)
    assert.equal("task_failed", results[2].err.kind)
  end)

  it("do so within one process too, in one call for many", function()
    local world, process = stage(completed_after(60))
    local context = process()
    local results
    world.runtime:gather { function()
      results = together(world, { context, context, context })
    end }
    assert.equal(3, #results)
    assert.is_true(#world.at <= 3)
  end)

  it("take a cached answer when they begin", function()
    local world, process = stage(completed_after(0))
    together(world, { process() }, { first_poll = 0 })
    local results = together(world, { process() })
    assert.equal("completed", results[1].task.status)
    assert.equal(0, results[1].at)
    assert.equal(1, #world.at)
  end)

  it("take over where the one that polled has ended", function()
    local world, process = stage(completed_after(300))
    local results = together(world, { process(), process() },
      function(index)
        return { first_poll = index, timeout = index == 1 and 100 or nil }
      end)
    assert.equal("timeout", results[1].err.kind)
    assert.equal("processing", results[1].err.task.status)
    assert.equal("completed", results[2].task.status)
    assert.is_true(results[2].at < 380)
  end)

  it("take over where it was killed in the middle of a poll", function()
    local world, process = stage(completed_after(1))
    assert(process().shared_cache:claim("video_1", nil, 50))
    local results = together(world, { process() }, { first_poll = 2 })
    assert.equal("completed", results[1].task.status)
    assert.is_true(results[1].at >= 50 and results[1].at < 52)
    assert.equal(1, #world.at)
  end)

  it("poll at the pace of the shortest interval", function()
    local world, process = stage(completed_after(95))
    local results = together(world, { process(), process() },
      function(index)
        local interval = index == 1 and 300 or 10
        return { interval = interval, max_interval = interval,
          first_poll = index == 1 and 0 or nil }
      end)
    assert.is_true(results[2].at < 110)
    assert.is_true(#world.at > 7)
  end)

  it("hold back together after a fault that only one has met", function()
    local world, process = stage(function(id, time)
      return time < 25 and { status = 503, body = "", headers = {
        ["retry-after"] = "25" } } or body(id, "completed")
    end)
    local results = together(world, { process(), process(), process() },
      { first_poll = 0 })
    assert.equal(2, #world.at)
    for _, result in ipairs(results) do
      assert.equal("completed", result.task.status)
    end
  end)

  it("poll a last time before their deadline, though their claim holds others back",
    function()
      local world, process = stage(function()
        return { status = 401, headers = {}, body = "" }
      end)
      together(world, { process() }, { first_poll = 0, timeout = 20 })
      assert.same({ 0, 18 }, world.at)
    end)

  it("leave the queue where another has polled meanwhile", function()
    local world, process = stage(completed_after(10))
    local slow, released = process(), {}
    slow.rate_limiter = {
      reserve = function() return 5, 7 end,
      check = function() return 5, 7 end,
      release = function(_, permit) released[#released + 1] = permit end,
    }
    local results = together(world, { slow, process() }, { first_poll = 12 })
    assert.equal("completed", results[1].task.status)
    assert.same({ 7 }, released)
    assert.equal(1, #world.at)
  end)

  it("keep their errors to themselves", function()
    local world, process = stage(function(id, time)
      return time < 3 and { status = 400, headers = {}, body = '{"msg":"x"}' }
        or body(id, "completed")
    end)
    local results = together(world, { process(), process() },
      function(index)
        return { first_poll = index * 4 - 4, interval = 0.4,
          max_interval = 0.4 }
      end)
    assert.equal("invalid_request", results[1].err.kind)
    assert.equal("completed", results[2].task.status)
  end)

  it("poll each on its own where the dictionary is full", function()
    local world, process, shared = stage(completed_after(100))
    shared.full = true
    local results = together(world, { process(), process() })
    assert.equal("completed", results[1].task.status)
    assert.equal("completed", results[2].task.status)
    assert.is_true(#world.at >= 4)
  end)

  it("ignore a cached text that is no answer", function()
    local world, process, shared = stage(completed_after(0))
    local context = process()
    together(world, { context }, { first_poll = 0 })
    for key in pairs(shared.entries) do
      shared:set(key, START .. ".000 <html>", 1000)
    end
    assert.equal("completed", together(world, { process() })[1].task.status)
    assert.equal(2, #world.at)
  end)

  it("tell the ledger of each process of the end", function()
    local world, process = stage(completed_after(0))
    local seen = { {}, {} }
    local function ledger(list)
      return { of_task = function() end, seen = function(_, task)
        list[#list + 1] = task.status
        return nil, errors.new { kind = "ledger", message = "full" }
      end }
    end
    together(world, { process { ledger = ledger(seen[1]) },
      process { ledger = ledger(seen[2]) } })
    assert.same({ { "completed" }, { "completed" } }, seen)
  end)
end)

describe("a wait that ends", function()
  local function claims(shared, world)
    local count = 0
    for key, entry in pairs(shared.entries) do
      if key:find("claim", 1, true) and entry.ends > world.now + 0.01 then
        count = count + 1
      end
    end
    return count
  end

  for _, deletes in ipairs { true, false } do
    it("releases its claim, even cancelled in the middle of a poll"
      .. (deletes and "" or ", where nothing can be deleted"), function()
        local world, process, shared = stage(function(id)
          return body(id, "processing"), 20
        end)
        shared.delete = deletes and shared.delete or nil
        world.stop_at, world.why = START + 10, "cancelled"
        local results = together(world, { process() }, { first_poll = 0 })
        assert.equal("cancelled", results[1].err.kind)
        assert.equal(0, claims(shared, world))
      end)
  end

  it("releases the claim that held others back after a fault", function()
    local world, process, shared = stage(function()
      return { status = 503, body = "", headers = { ["retry-after"] = "50" } }
    end)
    world.stop_at, world.why = START + 10, "interrupted"
    together(world, { process() }, { first_poll = 0 })
    assert.equal(1, #world.at)
    assert.equal(0, claims(shared, world))
  end)

  it("does not release a claim that another has made meanwhile", function()
    local world, process, shared = stage(function(id)
      return body(id, "completed"), 20
    end)
    local request = world.runtime.request
    world.runtime.request = function(...)
      for key in pairs(shared.entries) do
        shared:set(key, "somebody else's", 100)
      end
      return request(...)
    end
    together(world, { process() }, { first_poll = 0 })
    assert.equal(1, claims(shared, world))
  end)
end)

describe("a cached answer", function()
  it("keeps providers and accounts apart", function()
    local world, process = stage(completed_after(0))
    together(world, { process(), process { base_url = "https://b.test" },
      process { api_key = "another" } }, { first_poll = 0 })
    assert.equal(3, #world.at)
  end)

  it("has no key and no link in its names", function()
    local world, process, shared = stage(completed_after(0))
    together(world, { process() }, { first_poll = 0 })
    assert.truthy(next(shared.entries))
    for key, entry in pairs(shared.entries) do
      assert.truthy(key:find("^starvideos "))
      assert.is_nil(key:find("test-key", 1, true))
      assert.is_nil(key:find("m.test", 1, true))
      assert.is_nil(entry.value:find("test-key", 1, true))
    end
  end)
end)

describe("a query", function()
  local function ask(context, max_age)
    local task, err
    context.runtime:gather { function()
      task, err = fetch_task.query(context, "video_1", nil, max_age)
    end }
    return task, err
  end

  it("is answered without a request where the cached answer is not older", function()
    local world, process = stage(completed_after(1e6))
    ask(process())
    world.now = START + 5
    local task = assert(ask(process(), 5))
    assert.equal("processing", task.status)
    assert.equal("processing", task.raw.status)
    assert.equal(1, #world.at)
    ask(process(), 4.9)
    assert.equal(2, #world.at)
  end)

  it("asks the provider where no age is named, and caches the answer", function()
    local world, process = stage(completed_after(3))
    ask(process())
    world.now = START + 4
    ask(process())
    assert.equal(2, #world.at)
    assert.equal("completed", ask(process(), 0).status)
    assert.equal(2, #world.at)
  end)

  it("does not cache an error", function()
    local world, process = stage(function()
      return { status = 404, headers = {}, body = "" }
    end)
    assert.equal("not_found", select(2, ask(process())).kind)
    assert.equal("not_found", select(2, ask(process(), 100)).kind)
    assert.equal(2, #world.at)
  end)

  it("takes the dictionary and the age from the options of a client",
    function()
      local world = { now = START }
      local shared, sent = dictionary_of(world), 0
      local function client()
        return assert(starvideos.new { api_key = "test-key", shared = shared,
          transport = function()
            sent = sent + 1
            return body("video_1", "processing")
          end })
      end
      assert(client():query "video_1")
      assert(client():query("video_1", { max_age = 60 }))
      assert.equal(1, sent)
    end)
end)
