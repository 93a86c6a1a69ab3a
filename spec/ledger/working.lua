-- Workers on one queue, whatever database it lies in: specs to be run over each.

local assert = require "luassert"
local busted = require "busted"
local crews = require "spec.fixtures.crew"
local json = require "starvideos.base.json"
local worlds = require "spec.ledger.world"

local describe, it = busted.describe, busted.it

return worlds.behaviour("workers", function(each)
  local world, crew

  each(function(new_world)
    world, crew = new_world, crews.new(new_world)
  end)

  busted.after_each(function()
    crew.close()
  end)

  -- A server's clock is not that of the spec.
  local function let_all_be_due()
    world:run "UPDATE starvideos_orders SET not_before = NULL"
  end

  it("send, wait for and save all that is queued", function()
    crew:enqueue(5)
    local client, saved = crew:client(), {}
    local result = assert(client:work { directory = world.folder .. "/videos",
      on_done = function(order, file) saved[order.key] = file.path end })
    assert.same({ done = 5, failed = 0, unknown = 0, left = 0 }, result)
    assert.equal(5, world:billed())
    assert.truthy(world:read "videos/sub/k3.mp4")
    assert.truthy(saved.k3:find("videos/sub/k3.mp4", 1, true))
    assert.same({}, world:rows "SELECT * FROM starvideos_workers")
  end)

  it("end at once where nothing is queued", function()
    local client = crew:client()
    assert.equal(0, assert(client:work()).done)
    assert.equal(0, world:sent())
  end)

  it("share a queue, and buy and save each order once", function()
    crew:enqueue(40)
    local a, b = crew:start { claims = 8 }, crew:start { claims = 8 }
    crew:go(3000, a, b)
    local one, other = crews.result_of(a), crews.result_of(b)
    assert.equal(40, one.done + other.done)
    assert.is_true(one.done > 5 and other.done > 5)
    assert.same({ 40, 40 }, { world:billed(), world:sent "POST" })
    assert.equal(40, crew:in_state "downloaded")
  end)

  it("have no more orders at a time than they may claim", function()
    crew:enqueue(20)
    local a, most = crew:start { claims = 3 }, 0
    repeat
      crew:go(5, a)
      most = math.max(most, crew:count "claim IS NOT NULL")
    until a.handle.done
    assert.equal(3, most)
    assert.equal(20, crews.result_of(a).done)
  end)

  it("take over what a stopped one has, which changes nothing when it wakes",
    function()
      crew:enqueue(3)
      local a = crew:start()
      crew:go(20, a)
      assert.equal(3, crew:in_state "accepted")
      crew:age()
      local b = crew:start()
      crew:go(200, b)
      assert.equal(3, crews.result_of(b).done)
      local polls = world:sent "GET"
      crew:go(30, a)
      assert.equal(polls, world:sent "GET") -- it looked at none of them
      assert.equal(1, #crew:heard("worker", "fenced"))
      assert.equal(0, crews.result_of(a).done)
      assert.same({ 3, 3 }, { world:billed(), crew:in_state "downloaded" })
    end)

  -- Each order is given the first one's task.
  local function give_one_task()
    local transport, first = world.transport, nil
    function world.transport(req)
      local response, failure = transport(req)
      local id = req.method == "POST" and json.decode(response.body).id
      first = first or id
      if id then
        response.body = response.body:gsub(id, first)
      end
      return response, failure
    end
  end

  it("end though the provider gives one task to two orders", function()
    crew:enqueue(2)
    give_one_task()
    local a = crew:start()
    crew:go(400, a)
    local result = crews.result_of(a)
    assert.same({ 1, 1 }, { result.done, result.left })
    let_all_be_due()
    local b = crew:start()
    crew:go(400, b)
    assert.equal(1, crews.result_of(b).done)
  end)

  it("save a video whose task has another id in the answer to a poll", function()
    crew:enqueue(1)
    local transport = world.transport
    function world.transport(req)
      local response, failure = transport(req)
      if response and req.url:find "/result/" then
        response.body = response.body:gsub('"id":"', '"id":"internal_')
      end
      return response, failure
    end
    local a = crew:start()
    crew:go(400, a)
    assert.equal(1, crews.result_of(a).done)
    assert.equal(1, crew:in_state "downloaded")
  end)

  it("save each its own where the provider gives one task to both", function()
    crew:enqueue(2)
    give_one_task()
    local a, b = crew:start { claims = 1 }, crew:start { claims = 1 }
    crew:go(400, a, b)
    assert.same({ 1, 1 }, { crews.result_of(a).done, crews.result_of(b).done })
    assert.equal(2, crew:in_state "downloaded")
  end)

  it("find an order that a claim gave them without their knowing", function()
    crew:enqueue(2)
    local a = crew:start({}, function(context)
      local ledger = context.ledger
      local claim = ledger.claim
      function ledger.claim(self, want)
        local rows, err = claim(self, want)
        if rows and rows[1] then
          ledger.claim = nil
          return {} -- as of a claim that was made twice
        end
        return rows, err
      end
    end)
    crew:go(400, a)
    assert.equal(2, crews.result_of(a).done)
  end)

  it("keep an order that they have claimed again since it could not be handed back",
    function()
      crew:enqueue(1)
      world:fail_once()
      local unclaims = 0
      local a = crew:start({}, function(context)
        local ledger = context.ledger
        if crew.is_server then -- whose clock is another
          ledger.clock = function() return 0 end
        end
        local unclaim = ledger.unclaim
        function ledger.unclaim(self, ...)
          local result, err = unclaim(self, ...)
          unclaims = unclaims + 1
          if unclaims == 1 then -- its answer is lost
            return nil, { kind = "ledger", message = "no answer" }
          end
          return result, err
        end
      end)
      crew:go(12, a)
      assert.equal(1, crew:count "state = 'accepted' AND claim IS NOT NULL")
      crew:go(25, a)
      assert.equal(1, unclaims)
      crew:go(400, a)
      assert.equal(1, crews.result_of(a).done)
    end)

  it("leave to the parent what it has, after a fork", function()
    crew:enqueue(2)
    local a = crew:start()
    crew:go(20, a)
    local before = world:rows "SELECT worker_id FROM starvideos_workers"
    local polls = world:sent "GET"
    function a.context.process_id() return -1 end -- this is the child now
    crew:go(40, a)
    assert.equal(polls, world:sent "GET")
    a.handle:cancel()
    crew:go(1, a)
    assert.same(before, world:rows "SELECT worker_id FROM starvideos_workers")
    assert.equal(2, crew:count("claim = ?", before[1].worker_id))
  end)

  it("wait for what another has, until that is done", function()
    crew:enqueue(2)
    local a = crew:start()
    crew:go(20, a)
    local b = crew:start()
    crew:go(40, b)
    assert.is_false(b.handle.done)
    crew:go(300, a, b)
    assert.equal(2, crews.result_of(a).done)
    assert.equal(0, crews.result_of(b).done)
  end)

  -- Once it has claimed an order, a worker is stopped for so long.
  local function stopped_after_claim(seconds)
    return function(context, skew)
      local ledger = context.ledger
      local claim = ledger.claim
      function ledger.claim(self, want)
        local rows, err = claim(self, want)
        if rows and rows[1] then
          skew.seconds, ledger.claim = seconds, nil
        end
        return rows, err
      end
    end
  end

  it("send nothing that may be another's by then", function()
    crew:enqueue(1)
    local a = crew:start({}, stopped_after_claim(100))
    assert.equal(0, world:sent "POST")
    crew:age()
    local b = crew:start()
    crew:go(5, b)
    assert.equal(1, world:sent "POST")
    crew:go(300, a, b)
    assert.equal(1, world:billed())
    assert.equal(1, crews.result_of(a).done + crews.result_of(b).done)
  end)

  it("record the task of an order that was on the wire when they were taken for"
    .. " dead", function()
    crew:enqueue(1)
    local b
    function world.before_request(req)
      if req.method == "POST" then
        world.before_request = nil
        crew:age()
        b = crew:start()
      end
    end
    local a = crew:start()
    assert.same({ "accepted" }, world:states())
    crew:go(300, a, b)
    assert.equal(1, crews.result_of(a).done + crews.result_of(b).done)
    assert.same({ 1, 1 }, { world:billed(), crew:in_state "downloaded" })
  end)

  it("hand back what they have when they are cancelled", function()
    crew:enqueue(4)
    local a = crew:start { claims = 2 }
    crew:go(20, a)
    a.handle:cancel()
    crew:go(1, a)
    local err = crews.err_of(a)
    assert.equal("cancelled", err.kind)
    assert.equal(4, err.result.left)
    assert.equal(0, crew:count "claim IS NOT NULL")
    assert.same({ 2, 2 }, { crew:in_state "accepted", crew:in_state "queued" })
    assert.same({}, world:rows "SELECT * FROM starvideos_workers")
    assert.equal(1, #crew:heard("worker", "draining"))
    local b = crew:start()
    crew:go(300, b)
    assert.equal(4, crews.result_of(b).done)
    assert.equal(4, world:billed())
  end)

  it("follow a queue until they are cancelled", function()
    crew:enqueue(1)
    local a = crew:start { follow = true }
    crew:go(300, a)
    assert.equal(1, #a.done)
    crew:enqueue(1)
    crew:go(300, a)
    assert.equal(2, #a.done)
    assert.is_false(a.handle.done)
    a.handle:cancel()
    crew:go(1, a)
    assert.equal("cancelled", crews.err_of(a).kind)
  end)

  it("keep within a limit of open tasks, and use all of it", function()
    crew:enqueue(12)
    assert(crew:client():limits { open = 3 })
    local a, b, most = crew:start(), crew:start(), 0
    local began = world.now
    repeat
      crew:go(5, a, b)
      most = math.max(most, crew:in_state "accepted")
    until a.handle.done and b.handle.done
    assert.equal(3, most)
    assert.equal(12, crews.result_of(a).done + crews.result_of(b).done)
    assert.is_true(world.now - began < 4 * 190, world.now - began)
  end)

  it("go on with the rest where an order is refused, or fails", function()
    crew:enqueue(1, "create_refused")
    crew:enqueue(1, "failed")
    crew:enqueue(2)
    local a = crew:start()
    crew:go(600, a)
    assert.same({ done = 2, failed = 2, unknown = 0, left = 0 },
      crews.result_of(a))
    assert.same({ "refused", "failed", "downloaded", "downloaded" },
      world:states())
  end)

  it("never send again what may have been bought", function()
    crew:enqueue(1, "create_reset")
    crew:enqueue(1)
    local a = crew:start()
    crew:go(600, a)
    assert.same({ done = 1, failed = 0, unknown = 1, left = 0 },
      crews.result_of(a))
    assert.same({ "unknown", "downloaded" }, world:states())
    assert.equal("outcome_unknown", a.done[1].err.kind)
    assert.equal(2, world:sent "POST")
  end)

  it("stop the queue where the key is refused, until it is told to continue",
    function()
      crew:enqueue(3)
      local transport = world.transport
      function world.transport()
        return { status = 401, headers = {}, body = "{}" }
      end
      local a = crew:start()
      crew:go(60, a)
      local err = crews.err_of(a)
      assert.equal("auth", err.kind)
      assert.equal(3, err.result.left)
      assert.equal(2, world:sent "POST") -- one alone could be to blame itself
      assert.equal(3, crew:in_state "queued")
      assert.equal(1, #crew:heard("queue", "halted"))
      world.transport = transport
      local b = crew:start()
      crew:go(60, b)
      assert.equal("auth", crews.err_of(b).kind)
      assert.equal(2, world:sent "POST")
      local c = crew:start { resume = true }
      crew:go(20, c)
      let_all_be_due()
      crew:go(300, c)
      assert.equal(3, crews.result_of(c).done)
    end)

  it("stop the queue where no money is left", function()
    crew:enqueue(2, "create_quota")
    crew:enqueue(1)
    local a = crew:start { claims = 1 }
    crew:go(60, a)
    assert.equal("invalid_request", crews.err_of(a).kind)
    assert.same({ "queued", "queued", "queued" }, world:states())
  end)

  describe("with an order that alone is refused as all would be", function()
    for _, scenario in ipairs { "create_auth", "create_no_handler",
      "create_402", "create_quota" } do
      it("send the others, and give that one up: " .. scenario, function()
        crew:enqueue(1, scenario)
        crew:enqueue(3)
        if crew.is_server then -- whose clock is another: it is not due again
          return
        end
        local a = crew:start()
        crew:go(600, a)
        local result = crews.result_of(a)
        assert.same({ 3, 1, 0 }, { result.done, result.failed, result.left })
        assert.same({}, crew:heard("queue", "halted"))
        assert.same({ "refused", "downloaded", "downloaded", "downloaded" },
          world:states())
      end)
    end

    it("keep it where it is the only one, and say why it is not sent", function()
      crew:enqueue(1, "create_402")
      local a = crew:start()
      crew:go(60, a)
      local err = crews.err_of(a)
      assert.same({ "invalid_request", true, 1 },
        { err.kind, err.unpaid, err.result.left })
      assert.same({ 1, { "queued" } }, { world:sent "POST", world:states() })
    end)

    it("stop the queue where two workers meet one each", function()
      crew:enqueue(2, "create_auth")
      crew:enqueue(2)
      local a, b = crew:start { claims = 1 }, crew:start { claims = 1 }
      crew:go(30, a, b)
      assert.equal("auth", crews.err_of(a).kind)
      assert.equal("auth", crews.err_of(b).kind)
      assert.equal(2, world:sent "POST")
    end)

    it("do not begin with what has stopped the queue when they go on", function()
      crew:enqueue(2, "create_auth")
      crew:go(60, crew:start { claims = 1 })
      crew:enqueue(2)
      local sent = world:sent "POST"
      crew:go(3600, crew:start())
      assert.equal(sent, world:sent "POST")
      local b = crew:start { resume = true }
      crew:go(20, b)
      let_all_be_due()
      crew:go(900, b)
      local result = crews.result_of(b)
      assert.same({ 2, 2 }, { result.done, result.failed })
      assert.equal(1, #crew:heard("queue", "halted"))
    end)
  end)

  it("stop the queue after five failed tasks in a row", function()
    crew:enqueue(30, "failed")
    local a = crew:start { claims = 5 }
    crew:go(2000, a)
    assert.equal("task_failed", crews.err_of(a).kind)
    local failed = crew:in_state "failed" -- others were sent when the first failed
    assert.is_true(failed >= 5 and failed < 10, failed)
    assert.equal(30 - failed, crew:in_state "queued")
  end)

  it("stop the queue after five orders in a row of unknown outcome", function()
    crew:enqueue(30, "create_500")
    local a = crew:start { claims = 1 }
    crew:go(2000, a)
    assert.equal("outcome_unknown", crews.err_of(a).kind)
    assert.same({ 5, 25 }, { crew:in_state "unknown", crew:in_state "queued" })
  end)

  -- Of a provider that takes a second for each answer and gives them all the same.
  local function start_slow(answer, options)
    return crew:start(options, function(context)
      local request = context.runtime.request
      function context.runtime:request(req)
        self:sleep(1)
        return answer(req, request, self)
      end
    end)
  end

  -- Each gets so many orders to lose: five for each worker that are on their way when the
  -- fifth in a row ends, and those that are sent until then.
  for name, answer in pairs {
    ["502"] = { status = 502, headers = {}, body = "<html>Bad Gateway</html>" },
    garbage = { status = 200, headers = {}, body = "\0\1{" },
    ["no id"] = { status = 200, headers = {}, body = "{}" },
    ["401"] = { status = 401, headers = {}, body = "{}" },
    ["402"] = { status = 402, headers = {}, body = "{}" },
    ["failed at once"] = { status = 200, headers = {},
      body = '{"id":"task-@","object":"video","status":"failed","error":"no"}' } } do
    local sent

    -- What `start_slow` takes.
    local function give(req)
      sent = sent + (req.method == "POST" and 1 or 0)
      return { status = answer.status, headers = {}, body = answer.body:gsub("@", sent) }
    end

    it("stop in time where every order ends with: " .. name, function()
      crew:enqueue(60)
      sent = 0
      local a = start_slow(give)
      crew:go(4000, a)
      assert.is_true(sent > 1 and sent <= 10, sent)
      assert.truthy(crews.err_of(a).kind)
      crew:go(100, crew:start())
      assert.is_true(sent <= 10, sent)
    end)

    it("stop in time, all of them, where every order ends with: " .. name, function()
      crew:enqueue(60)
      sent = 0
      crew:go(4000, start_slow(give), start_slow(give), start_slow(give))
      assert.is_true(sent > 1 and sent <= 20, sent)
    end)
  end

  it("save what they took again while their first save of it was ending", function()
    crew:enqueue(1)
    local polls, saves = 0, 0
    local a = start_slow(function(req, request, runtime)
      if req.url:find "/result/" then
        polls = polls + 1
        runtime:sleep(polls > 1 and 30 or 0)
      elseif req.method == "GET" then
        saves = saves + 1
        runtime:sleep(saves == 1 and 20 or 0)
      end
      return request(runtime, req)
    end)
    repeat
      crew:go(1, a)
    until saves == 1
    world:run "DELETE FROM starvideos_workers"
    world:run "UPDATE starvideos_orders SET claim = NULL"
    crew:go(900, a)
    assert.equal(1, #crew:heard("worker", "fenced"))
    assert.equal(1, crews.result_of(a).done)
    assert.equal(1, crew:in_state "downloaded")
  end)

  it("send side by side what the provider accepts", function()
    crew:enqueue(60)
    local now, most = 0, 0
    local a = start_slow(function(req, request, runtime)
      now = now + (req.method == "POST" and 1 or 0)
      most = math.max(most, now)
      runtime:sleep(1)
      now = now - (req.method == "POST" and 1 or 0)
      return request(runtime, req)
    end)
    crew:go(3, a)
    assert.equal(5, most)
    crew:go(5, a)
    assert.is_true(most > 15, most)
    crew:go(2000, a)
    assert.equal(60, crews.result_of(a).done)
  end)

  describe("for any account", function()
    local any = { accounts = "any", claims = 2 }

    -- Orders of two accounts; the crew's own client has none.
    local function enqueue(scenario)
      crew:enqueue(2, scenario)
      crew.planner = select(2, crew:client { account = "blue" })
      crew:enqueue(2, scenario)
    end

    it("send and save the orders of all", function()
      enqueue()
      local a = crew:start(any)
      crew:go(600, a)
      assert.equal(4, crews.result_of(a).done)
      assert.equal(4, world:billed())
    end)

    it("send the one order of another before the backlog of one", function()
      crew:enqueue(40)
      crew.planner = select(2, crew:client { account = "blue" })
      crew:enqueue(1)
      crew.planner = select(2, crew:client { account = "red" })
      crew:enqueue(1)
      local a = start_slow(function(req, request, runtime)
        return request(runtime, req)
      end, { accounts = "any" })
      crew:go(2, a)
      assert.equal(5, crew:in_state "accepted")
      assert.equal(2, crew:count "state = 'accepted' AND account <> ''")
    end)

    it("take turns though each has a backlog", function()
      for _, account in ipairs { "a", "b", "c" } do
        crew.planner = select(2, crew:client { account = account })
        crew:enqueue(10)
      end
      local a = crew:start { accounts = "any", claims = 6 }
      crew:go(5, a)
      local rows = world:rows([[SELECT account FROM starvideos_orders
        WHERE state = 'accepted' GROUP BY account]])
      assert.same({ 6, 3 }, { crew:in_state "accepted", #rows })
    end)

    it("leave those of others alone unless they are told to", function()
      enqueue()
      local a = crew:start()
      crew:go(600, a)
      assert.equal(2, crews.result_of(a).done)
      assert.equal(2, crew:in_state "queued")
    end)

    it("halt the queue of all, until they are told to continue", function()
      enqueue()
      local transport = world.transport
      function world.transport()
        return { status = 401, headers = {}, body = "{}" }
      end
      local a = crew:start { accounts = "any", claims = 1 }
      crew:go(60, a)
      assert.equal("auth", crews.err_of(a).kind)
      assert.equal(2, world:sent "POST")
      world.transport = transport
      local client = crew:client { account = "blue" }
      assert.equal("auth", select(2, client:work()).kind)
      assert.equal(2, world:sent "POST")
      local b = crew:start { accounts = "any", resume = true }
      crew:go(20, b)
      let_all_be_due()
      crew:go(600, b)
      assert.equal(4, crews.result_of(b).done)
    end)

    it("hold all where the provider says too many requests", function()
      enqueue()
      local transport = world.transport
      function world.transport()
        return { status = 429, headers = { ["retry-after"] = "900" }, body = "" }
      end
      local a = crew:start(any)
      crew:go(5, a)
      world.transport = transport
      local sent = world:sent()
      local b = crew:start(any)
      local c = crew:start() -- of the crew's own account
      crew:go(600, a, b, c)
      assert.equal(sent, world:sent())
    end)

    it("send on after failed tasks where those are their callers' business",
      function()
        enqueue "failed"
        enqueue "failed"
        local a = crew:start { accounts = "any", failures = false, claims = 1 }
        crew:go(2500, a)
        assert.same({ 8, 0 }, { crews.result_of(a).failed,
          crews.result_of(a).left })
        assert.same({}, world:rows "SELECT * FROM starvideos_limits")
      end)

    it("slow down after unknown outcomes where they do not halt", function()
      crew:enqueue(8, "create_500")
      local a = crew:start { failures = false, claims = 1 }
      crew:go(40, a)
      assert.same({ 6, 2 }, { crew:in_state "unknown", crew:in_state "queued" })
      crew:go(100, a)
      assert.equal(8, crews.result_of(a).unknown)
    end)
  end)

  it("leave to each other what a resume waits for, and it to them", function()
    crew:enqueue(4)
    local a = crew:start { claims = 2 }
    crew:go(20, a)
    local b = crew:start({}, nil, "resume")
    crew:go(400, a, b)
    assert.equal(4, crews.result_of(a).done)
    local result = crews.result_of(b)
    assert.same({ 2, 2 }, { result.done, result.left }) -- and two queued
    assert.truthy(result.orders[3].file.path:find("videos/sub/k", 1, true))
    assert.same({ 4, 4 }, { world:billed(), crew:in_state "downloaded" })
  end)

  it("leave each order to one of several resumes", function()
    local client = crew:client()
    for number = 1, 6 do
      assert(client:create(world.params(), { key = "k" .. number }))
    end
    local a, b = crew:start({}, nil, "resume"), crew:start({}, nil, "resume")
    crew:go(300, a, b)
    assert.same({ 6, 6 }, { crews.result_of(a).done, crews.result_of(b).done })
    assert.equal(6, crew:in_state "downloaded")
    local polls = world:sent "GET" - 6
    assert.is_true(polls <= 6 * 4, polls)
  end)

  it("take over from a resume that was stopped", function()
    assert(crew:client():create(world.params(), { key = "k1" }))
    local a = crew:start({}, nil, "resume")
    crew:go(20, a)
    crew:age()
    local b = crew:start({}, nil, "resume")
    crew:go(300, b)
    assert.equal(1, crews.result_of(b).done)
    crew:go(60, a)
    assert.equal(1, crews.result_of(a).done)
    assert.equal(1, #crew:heard("worker", "fenced"))
  end)

  it("all hold back where one was told too many requests", function()
    crew:enqueue(6)
    local a, b = crew:start { claims = 1 }, crew:start { claims = 1 }
    local transport = world.transport
    function world.transport()
      world.transport = transport
      return { status = 429, headers = { ["retry-after"] = "3000" }, body = "" }
    end
    crew:go(50, a, b) -- one of the first polls
    local sent = world:sent()
    crew:go(500, a, b)
    assert.is_true(world:sent() <= sent + 1, world:sent())
    assert.is_true(#crew:heard("rate", "lowered") >= 1)
  end)
end)
