local crews = require "spec.fixtures.crew"
local enqueue = require "starvideos.fleet.enqueue"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local saving = require "starvideos.fleet.saving"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local unpack = table.unpack or unpack

describe("work", function()
  local world, crew

  before_each(function()
    world = worlds.new()
    crew = crews.new(world)
  end)

  after_each(function()
    crew.close()
    world:close()
  end)

  -- Every request fails, and nothing of it has left.
  local function cut_network()
    local transport = world.transport
    function world.transport()
      return nil, { reason = "connect", sent = false, message = "refused" }
    end
    return function()
      world.transport = transport
    end
  end

  -- The database cannot be asked. Returns what ends that.
  local function cut_ledger(context)
    local ledger = context.ledger
    local call = ledger.call
    function ledger.call()
      return nil, { kind = "ledger", message = "no connection to the server" }
    end
    return function()
      ledger.call = call
    end
  end

  it("sends an order later where the network was away", function()
    crew:enqueue(20)
    local restore = cut_network()
    local a = crew:start()
    crew:go(600, a)
    assert.equal(20, crew:in_state "queued")
    local tries = world:sent "POST"
    assert.is_true(tries > 5 and tries < 40, tries)
    restore()
    crew:go(1200, a)
    assert.equal(20, crews.result_of(a).done)
    assert.equal(20, world:billed())
  end)

  -- As callers of a gateway place them, without a key.
  local function admit(count)
    local planner = select(2, crew:client())
    for index = 1, count do
      assert(enqueue.admit(planner, world.params(nil, { prompt = "p" .. index }),
        {}))
    end
  end

  it("sends orders without a key later, too", function()
    admit(5)
    local restore = cut_network()
    local a = crew:start()
    crew:go(60, a)
    assert.equal(5, crew:in_state "queued")
    restore()
    crew:go(1200, a)
    assert.equal(5, crews.result_of(a).done)
    assert.equal(5, world:billed())
  end)

  it("goes on polling while the database is away for a moment", function()
    crew:enqueue(3)
    local a = crew:start()
    crew:go(20, a)
    local restore, polls = cut_ledger(a.context), world:sent "GET"
    crew:go(35, a)
    assert.is_true(world:sent "GET" > polls)
    restore()
    crew:go(300, a)
    assert.equal(3, crews.result_of(a).done)
    assert.equal(0, #crew:heard("worker", "fenced"))
  end)

  it("saves a video that the database was away for", function()
    crew:enqueue(2)
    local a = crew:start({}, function(context)
      local ledger = context.ledger
      function ledger.placing()
        ledger.placing = nil
        return nil, errors.new { kind = "ledger", message = "no connection" }
      end
    end)
    crew:go(400, a)
    local result = crews.result_of(a)
    assert.same({ 2, 0 }, { result.done, result.left })
    assert.equal(2, #a.done)
  end)

  it("does nothing while the database is away for long, and loses nothing",
    function()
      crew:enqueue(8)
      local a = crew:start { claims = 4 }
      crew:go(20, a)
      local restore = cut_ledger(a.context)
      crew:go(60, a)
      local sent = world:sent()
      crew:go(600, a)
      assert.equal(sent, world:sent())
      restore()
      crew:go(600, a)
      assert.equal(8, crews.result_of(a).done)
      assert.equal(8, world:billed())
    end)

  it("finds itself buried when the database is back", function()
    crew:enqueue(2)
    local a = crew:start()
    crew:go(20, a)
    local restore = cut_ledger(a.context)
    crew:go(100, a)
    local b = crew:start()
    crew:go(300, a, b)
    restore()
    crew:go(60, a, b)
    assert.equal(0, crews.result_of(a).done)
    assert.equal(2, crews.result_of(b).done)
    assert.equal(1, #crew:heard("worker", "fenced"))
  end)

  it("keeps a task whose record the database did not take", function()
    crew:enqueue(1)
    local restore
    function world.before_request(req)
      if req.method == "POST" then
        world.before_request = nil
        restore = cut_ledger(crew.of)
      end
    end
    local a = crew:start({}, function(context)
      crew.of = context
    end)
    crew:go(20, a)
    assert.same({ "submitting" }, world:states())
    restore()
    crew:go(300, a)
    assert.same({ "downloaded" }, world:states())
    assert.same({ 1, 1 }, { world:billed(), crews.result_of(a).done })
  end)

  it("sends no more while what it has bought cannot be recorded", function()
    crew:enqueue(20)
    local is_full = true
    local a = crew:start({}, function(context)
      local call = context.ledger.call
      function context.ledger.call(method, ...)
        if is_full and method == "resolve" then
          return nil, { kind = "ledger", message = "the disk is full" }
        end
        return call(method, ...)
      end
    end)
    crew:go(60, a)
    assert.equal(1, world:sent "POST")
    is_full = false
    crew:go(600, a)
    assert.equal(20, crews.result_of(a).done)
    assert.equal(20, world:billed())
  end)

  it("tells of a task that it could not record before it ends", function()
    crew:enqueue(2)
    local of, restore
    function world.before_request(req)
      if req.method == "POST" and world:sent "POST" == 2 then
        restore = cut_ledger(of)
      end
    end
    local a = crew:start({}, function(context)
      of = context
    end)
    crew:go(20, a)
    a.handle:cancel()
    crew:go(1, a)
    local err = crews.err_of(a)
    assert.equal(1, err.result.unknown)
    assert.equal(1, #a.done)
    assert.truthy(a.done[1].err.task_id)
    assert.truthy(a.done[1].err.message:find("adopt the task", 1, true))
    restore()
  end)

  it("finds what it has claimed though the answer was lost", function()
    crew:enqueue(2)
    local a = crew:start({}, function(context)
      local ledger = context.ledger
      local claim = ledger.claim
      function ledger.claim(self, want)
        local rows, err = claim(self, want)
        if rows and rows[1] and want.what == "queued" then
          ledger.claim = nil
          return nil, { kind = "ledger", message = "the connection was lost" }
        end
        return rows, err
      end
    end)
    crew:go(400, a)
    assert.equal(2, crews.result_of(a).done)
  end)

  it("buys nothing that it could not save", function()
    crew:enqueue(3)
    files.write(world.folder .. "/videos", "in the way")
    local a = crew:start()
    crew:go(400, a)
    assert.equal(3, crews.result_of(a).left)
    assert.equal("io", a.done[1].err.kind)
    assert.same({ 0, 3 }, { world:sent(), crew:in_state "queued" })
  end)

  it("leaves an order alone whose file is another's", function()
    crew:enqueue(2)
    assert(world.folder)
    shell.run("mkdir -p " .. world.folder .. "/videos/sub")
    files.write(world.folder .. "/videos/sub/k1.mp4", "another's")
    local a = crew:start()
    crew:go(400, a)
    local result = crews.result_of(a)
    assert.same({ 1, 1 }, { result.done, result.left })
    assert.equal(1, world:billed())
    assert.equal("another's", files.read(world.folder .. "/videos/sub/k1.mp4"))
  end)

  it("ends where the disk is full, and keeps what was bought", function()
    crew:enqueue(8)
    local is_full = true
    local function fill(context)
      local disk = context.runtime.disk
      function context.runtime.disk(self, name, ...)
        if is_full and name == "commit" then
          return nil, { reason = "io", message = "no space left", errno = 28 }
        end
        return disk(self, name, ...)
      end
    end
    local a = crew:start({}, fill)
    crew:go(3000, a)
    assert.equal("io", crews.err_of(a).kind)
    assert.is_true(crew:in_state "completed" >= 5)
    assert.is_true(world:sent() < 8 * 8, world:sent())
    is_full = false
    world.now = world.now + 3600
    local b = crew:start()
    crew:go(300, b)
    assert.equal(8, crews.result_of(b).done)
    assert.equal(8, world:billed())
  end)

  it("ends where a limit of the spend does not lift", function()
    crew:enqueue(5, nil, { cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 3, per = "total", currency = "USD" })
    local a = crew:start()
    crew:go(2000, a)
    local err = crews.err_of(a)
    assert.equal("limited", err.kind)
    assert.same({ 3, 2 }, { err.result.done, err.result.left })
    assert.equal(3, world:billed())
  end)

  it("goes on the next day where a day's spend is used up", function()
    world.now = world.now + 86400 - (1e9 + world.now) % 86400 - 3600 -- an hour of today
    crew:enqueue(5, nil, { cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 3, per = "day", currency = "USD" })
    local a = crew:start()
    crew:go(86400, a)
    assert.equal(5, crews.result_of(a).done)
    assert.is_true(world:sent() < 100, world:sent())
  end)

  it("sends nothing without a price where there is a limit of spend", function()
    crew:enqueue(2)
    assert(crew:client():limits { spend = 3, per = "total", currency = "USD" })
    local a = crew:start()
    crew:go(2000, a)
    assert.equal(0, world:sent())
    local err = crews.err_of(a)
    assert.equal("limited", err.kind)
    assert.equal(2, err.result.left)
  end)

  describe("where the clock was set back a day", function()
    local function go_back(context)
      context.ledger.clock = function()
        return 1e9 + world.now - 86400
      end
    end

    it("claims what was to be left alone for a minute", function()
      crew:enqueue(1)
      world:run("UPDATE starvideos_orders SET not_before = ?",
        1e9 + world.now + 60)
      local a = crew:start({}, go_back)
      crew:go(400, a)
      assert.equal(1, crews.result_of(a).done)
    end)

    it("waits for no hold of the day after", function()
      crew:enqueue(1)
      assert(select(2, crew:client()).ledger:hold(30))
      local a = crew:start({}, go_back)
      crew:go(400, a)
      assert.equal(1, crews.result_of(a).done)
    end)

    it("is still halted", function()
      crew:enqueue(1)
      assert(select(2, crew:client()).ledger:halt("no money", "config"))
      local a = crew:start({}, go_back)
      crew:go(400, a)
      assert.equal("config", crews.err_of(a).kind)
    end)
  end)

  it("goes on with other labels where one is at its limit", function()
    crew:enqueue(4, nil, { label = "red" })
    crew:enqueue(4, nil, { label = "blue" })
    assert(crew:client():limits { open = 1, label = "red" })
    local a = crew:start()
    crew:go(60, a)
    assert.equal(4, crew:count "label = 'blue' AND state = 'accepted'")
    assert.equal(1, crew:count "label = 'red' AND state = 'accepted'")
    crew:go(2000, a)
    assert.equal(8, crews.result_of(a).done)
  end)

  it("goes on with other labels where one has spent its day", function()
    crew:enqueue(4, nil, { label = "red", cost = 1e6, currency = "USD" })
    crew:enqueue(4, nil, { label = "blue", cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 1, per = "day", currency = "USD",
      label = "red" })
    local a = crew:start()
    crew:go(300, a)
    assert.equal(4, crew:count "label = 'blue' AND state <> 'queued'")
    assert.equal(1, crew:count "label = 'red' AND state <> 'queued'")
  end)

  it("goes on with what costs less where an order is too dear", function()
    crew:enqueue(1, nil, { cost = 2e6, currency = "USD" })
    crew:enqueue(1, nil, { cost = 3e6, currency = "USD" })
    crew:enqueue(4, nil, { cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 4, per = "day", currency = "USD" })
    local a = crew:start()
    crew:go(300, a)
    assert.equal(2, crew:count "cost = 1000000 AND state <> 'queued'")
    assert.equal(1, crew:count "cost = 2000000 AND state <> 'queued'")
  end)

  it("goes on soon where a limit is raised", function()
    crew:enqueue(5, nil, { cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 3, per = "day", currency = "USD" })
    local a = crew:start()
    crew:go(300, a)
    assert.equal(3, crew:count "state <> 'queued'")
    assert(crew:client():limits { spend = 4, per = "day" })
    crew:go(60, a)
    assert.equal(4, crew:count "state <> 'queued'")
  end)

  it("sends no more creates a minute than are allowed, and not much fewer",
    function()
      crew:enqueue(20)
      assert(crew:client():limits { creates_per_minute = 6 })
      local times = {}
      function world.before_request(req)
        times[#times + 1] = req.method == "POST" and world.now or nil
      end
      local a, b = crew:start(), crew:start()
      crew:go(2000, a, b)
      assert.equal(20, #times)
      for index = 7, #times do
        assert.is_true(times[index] - times[index - 6] > 60)
      end
      assert.is_true(times[20] - times[1] < 1.1 * 19 * 61 / 6,
        times[20] - times[1])
    end)

  it("shares the polls of a limit", function()
    crew:enqueue(60)
    assert(crew:client():limits { polls_per_second = 0.5 })
    local times = {}
    function world.before_request(req)
      times[#times + 1] = req.url:find "/result/" and world.now or nil
    end
    local a, b = crew:start { claims = 30 }, crew:start { claims = 30 }
    crew:go(600, a, b)
    local seconds = times[#times] - times[1]
    assert.is_true(#times <= 0.5 * seconds * 1.01 + 4, #times / seconds)
    assert.is_true(#times >= 0.5 * seconds * 0.8, #times / seconds)
    crew:go(2000, a, b)
    assert.equal(60, crews.result_of(a).done + crews.result_of(b).done)
  end)

  describe("where the provider answers 429", function()
    local LIMITED = { status = 429, headers = { ["retry-after"] = "600" }, body = "" }
    local polls, longest

    -- Two workers with three tasks under way; then all such requests are answered 429.
    local function go_on(method, before, seconds)
      crew:enqueue(3, "never")
      local pace = { interval = 2, max_interval = 2 }
      local a, b = crew:start(pace), crew:start(pace)
      crew:go(30, a, b)
      assert.equal(3, crew:in_state "accepted")
      local transport, last = world.transport, {}
      polls, longest = 0, 0
      function world.transport(req)
        local now = world.now
        if req.method == method then
          return LIMITED
        elseif req.method == "GET" then
          polls, longest = polls + 1, math.max(longest, now - (last[req.url] or now))
          last[req.url] = now
        end
        return transport(req)
      end
      crew:go(before, a, b)
      crew:enqueue(3)
      crew:go(seconds, a, b)
      for _, at in pairs(last) do
        longest = math.max(longest, world.now - at)
      end
      world.transport = transport
      crew:go(60, a, b)
    end

    it("to orders, polls the open tasks of all workers as before", function()
      go_on("POST", 0, 300)
      assert.is_true(polls > 3 * 300 / 2.2, polls)
      assert.is_true(longest < 3, longest)
      assert.equal(3, crew:in_state "queued")
      for _, event in ipairs(crew.events) do
        assert.is_false(event.name == "rate" and event.what == "polls")
      end
    end)

    it("to polls, holds polls and orders of all workers", function()
      go_on("GET", 10, 60)
      assert.equal(3, world:sent "POST")
      assert.equal(3, crew:in_state "queued")
    end)
  end)

  it("gives up an order that takes too long, and hands it back", function()
    crew:enqueue(1, "never")
    crew:enqueue(1)
    local a = crew:start { timeout = 300 }
    crew:go(1000, a)
    local result = crews.result_of(a)
    assert.same({ 1, 1 }, { result.done, result.left })
    assert.equal(1, crew:count "state = 'accepted' AND claim IS NULL")
  end)

  it("takes hundreds over, and gives none a coroutine to wait in", function()
    crew:enqueue(300)
    local a = crew:start { claims = 300 }
    crew:go(5, a)
    assert.equal(300, crew:in_state "accepted")
    crew:age()
    local most = 0
    local b = crew:start({}, function(context)
      local gather = context.runtime.gather
      function context.runtime.gather(self, functions)
        most = math.max(most, #functions)
        return gather(self, functions)
      end
    end)
    local fibers = 0
    for _ in pairs(b.context.runtime.scheduler.fibers) do
      fibers = fibers + 1
    end
    assert.is_true(fibers < 100 and most < 100, fibers)
    crew:go(400, b)
    assert.equal(300, crews.result_of(b).done)
    assert.equal(300, world:billed())
  end)

  -- The seconds after the last save at which each worker ended.
  local function ends_of(list)
    local saved, ended, count = nil, {}, 0
    repeat
      crew:go(0.1, unpack(list))
      saved = saved or crew:in_state "downloaded" == crew.enqueued and world.now
      for index, one in ipairs(list) do
        if one.handle.done and not ended[index] then
          ended[index], count = world.now - (saved or math.huge), count + 1
        end
      end
    until count == #list
    return ended
  end

  it("ends within a second of the last save, whoever saved it", function()
    crew:enqueue(9)
    local list = {}
    for index = 1, 4 do
      list[index] = crew:start { claims = 3 } -- the fourth finds nothing
    end
    for index, seconds in ipairs(ends_of(list)) do
      assert.is_true(seconds >= 0 and seconds <= 1, ("worker %d: %.1f s")
        :format(index, seconds))
    end
  end)

  it("asks no more than counts of what is left where others have it", function()
    crew:enqueue(2)
    local a = crew:start()
    crew:go(1, a)
    local b = crew:start()
    local asked, call = {}, b.context.ledger.call
    function b.context.ledger.call(name, ...)
      asked[name] = (asked[name] or 0) + 1
      return call(name, ...)
    end
    crew:go(60, a, b)
    assert.is_nil(a.handle.done or b.handle.done or nil)
    assert.is_true(asked.left >= 50 and asked.left <= 100, asked.left)
    assert.is_true(asked.claim <= 2 * 60 / 2.5, asked.claim)
  end)

  it("counts what is left no more often than it looks where nobody has that", function()
    crew:enqueue(2, nil, { cost = 1e6, currency = "USD" })
    assert(crew:client():limits { spend = 1, per = "day", currency = "USD" })
    local counts = {}
    local a = crew:start({}, function(context)
      local call = context.ledger.call
      function context.ledger.call(name, ...)
        counts[name] = (counts[name] or 0) + 1
        return call(name, ...)
      end
    end)
    crew:go(600, a)
    assert.is_true(counts.left > 0 and counts.left <= counts.claim, counts.left)
  end)

  it("keeps the folder of a file that another machine began to save", function()
    local context = select(2, crew:client())
    local order = { key = "scenes/1.mp4", path = "/far/videos/scenes/1.mp4",
      machine = "far", queued_at = 1 }
    assert.equal("here/scenes/1.mp4",
      saving.path_of(context, order, { directory = "here" }))
    order.key = "one"
    assert.equal("here/1.mp4",
      saving.path_of(context, order, { directory = "here" }))
    order.path = "scenes/1.mp4"
    assert.equal("here/scenes/1.mp4",
      saving.path_of(context, order, { directory = "here" }))
    assert.equal("./scenes/1.mp4", saving.path_of(context, order, {}))
  end)
end)
