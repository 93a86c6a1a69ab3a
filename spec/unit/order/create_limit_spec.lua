-- Orders that wait for a slot: in a loop whose engine and clock the spec
-- drives.

local core = require "starvideos.core"
local drivers = require "spec.fixtures.driver"
local frame = require("starvideos.host.loop").frame
local handles = require "starvideos.host.handle"
local send = require "starvideos.order.send"
local slots = require "starvideos.order.create_limit"
local starvideos = require "starvideos"

local QUEUED = { status = 200, headers = {},
  body = '{"id":"video_1","object":"video","status":"queued"}' }

local now, made, restore

before_each(function()
  now = 1e6
  made, restore = drivers.install()
end)
after_each(function() restore() end)

local function clock() return now end

describe("an order of a client", function()
  local client

  before_each(function()
    client = assert(starvideos.new { api_key = "sk-1", runtime = "frame",
      clock = clock, random = function() return 0.5 end, max_creates = 2 })
  end)

  local function order(prompt)
    return client:async(client.create, client, { model = "videos",
      duration = 4, prompt = prompt })
  end

  local function sent()
    local prompts = {}
    for index, ticket in ipairs(made[1].tickets) do
      prompts[index] = ticket.what.body:match '"prompt":"(%w+)"'
    end
    return table.concat(prompts, " ")
  end

  local function answer(number, ...)
    made[1].finish(made[1].tickets[number], ...)
    client:update(1000)
  end

  it("is sent by the parent of a fork, not by the child", function()
    local process = require "spec.fixtures.process"
    order "a"
    order "b"
    local third = order "c"
    local child = process.fork()
    answer(1, QUEUED)
    if child == 0 then
      local is_right = sent() == "a b" and third.err.kind == "cancelled"
        and third.err.sent == false
      process.leave(is_right)
    end
    assert.is_true(process.await(child))
    assert.equal("a b c", sent())
  end)

  it("waits for its turn, first come first served",
    function()
      for prompt in ("a b c d e"):gmatch "%a" do
        order(prompt)
      end
      assert.equal("a b", sent())
      answer(2, QUEUED)
      assert.equal("a b c", sent())
      answer(3, QUEUED)
      answer(1, QUEUED)
      assert.equal("a b c d e", sent())
    end)

  it("is not sent once it is cancelled, and delays no other",
    function()
      order "a"
      order "b"
      local third, fourth = order "c", order "d"
      third:cancel()
      client:update(1000)
      assert.is_true(third.done)
      assert.equal("cancelled", third.err.kind)
      assert.is_false(third.err.sent)
      assert.truthy(tostring(third.err):find("nothing was bought", 1, true))
      answer(1, QUEUED)
      assert.equal("a b d", sent())
      answer(3, QUEUED)
      assert.equal("video_1", fourth.result.id)
    end)

  it("is not sent once the client is closed", function()
    local first, second, third = order "a", order "b", order "c"
    made[1].finish(made[1].tickets[1], QUEUED)
    made[1].finish(made[1].tickets[2], QUEUED)
    client:close()
    assert.equal("a b", sent())
    assert.equal("video_1", first.err.task_id)
    assert.equal("video_1", second.err.task_id)
    assert.equal("cancelled", third.err.kind)
    assert.is_false(third.err.sent)
  end)

  it("takes no slot while it waits to be sent again", function()
    order "a"
    order "b"
    order "c"
    answer(1, { status = 429, headers = { ["retry-after"] = "7" }, body = "" })
    assert.equal("a b c", sent())
    answer(2, QUEUED)
    now = now + 10
    client:update(1000)
    assert.equal("a b c a", sent())
  end)
end)

describe("a slot", function()
  local runtime, queue

  before_each(function()
    runtime = frame { clock = clock }
    queue = slots.new(1)
  end)

  local function start(body)
    return handles.start(runtime, body)
  end

  local function pass(seconds)
    now = now + (seconds or 0)
    runtime:update(1000)
  end

  local function never() error("renewed", 0) end

  local function take(renew)
    return queue:take(runtime, renew or never)
  end

  local function hold()
    take()
    runtime:sleep(1000)
  end

  local function fail() error("mine", 0) end

  it("is free again when an error ended its holder", function()
    start(function()
      take()
      fail()
    end)
    local second = start(take)
    assert.is_true(second.done)
    assert.is_table(second.result)
  end)

  it("is free again when an error ended a shielded order", function()
    local function succeed() return true end
    local shielding = setmetatable({ request = fail, shield = function(_, body, _, one)
      body(one)
    end }, { __index = runtime })
    local ended = start(function()
      return send({ base_url = "", api_key = "", headers = {}, timeout = 1,
        slots = queue, runtime = shielding, process_id = core.process_id,
        boottime = core.boottime }, { submitting = succeed },
        { endpoint = "", process = core.process_id() })
    end)
    assert.equal("mine", ended.err)
    assert.is_table(start(take).result)
  end)

  it("is taken once by a coroutine that lost it to an error and continues", function()
    local first = start(function()
      take()
      queue:release(runtime, take())
      return take()
    end)
    assert.is_table(first.result)
  end)

  it("is free again when its holder was abandoned by a gather", function()
    local first = start(function()
      runtime:gather { hold, fail }
    end)
    assert.equal("mine", first.err)
    assert.is_table(start(take).result)
  end)

  it("is not blocked by a waiter that was abandoned",
    function()
      local slot
      start(function()
        slot = take()
        runtime:sleep(1000)
      end)
      start(function()
        runtime:gather { take, function()
          runtime:sleep(5)
          fail()
        end }
      end)
      local third = start(take)
      pass(6)
      assert.is_false(third.done)
      queue:release(runtime, slot)
      pass()
      assert.is_table(third.result)
    end)

  it("goes to the next at once, though a thousand wait", function()
    local slot
    start(function()
      slot = take()
      runtime:sleep(1000)
    end)
    local waiting = {}
    for index = 1, 1000 do
      waiting[index] = start(function()
        local mine = take()
        queue:release(runtime, mine)
        return index
      end)
    end
    queue:release(runtime, slot)
    pass()
    for index = 1, 1000 do
      assert.equal(index, waiting[index].result)
    end
  end)

  it("is waited for while the lease is renewed, and no longer",
    function()
      local renewals = 0
      start(hold)
      local second = start(function()
        local slot, err = take(function()
          renewals = renewals + 1
          if renewals == 3 then
            return nil, "taken"
          end
          return true
        end)
        return slot or err
      end)
      for _ = 1, 59 do
        pass(1)
      end
      assert.equal(2, renewals)
      pass(1)
      assert.equal("taken", second.result)
    end)
end)
