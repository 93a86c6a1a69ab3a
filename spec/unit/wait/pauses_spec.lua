-- The provider asks for 30 to 60 s between two polls of a task: over many waits, by
-- whatever call, and whatever the polls are answered with.

local random = require("starvideos.base.fingerprint").random
local starvideos = require "starvideos"
local timeline = require "spec.fixtures.timeline"
local wait = require "starvideos.wait"
local watch = require "starvideos.wait.watch"

local START, SEEDS = timeline.START, { 1, 4711 }

-- Long enough for the longest pauses, and for every fault that ends a wait.
local SECONDS = 500

local function http(status, body, headers)
  return { status = status, headers = headers or {}, body = body or "" }
end

local QUEUED = http(200, '{"id":"video_1","status":"queued"}')

-- What is answered over and over; `ends`: whether the wait gives up before its deadline;
-- `slows`: whether polls of other tasks are held back, too.
local answers = {
  { "queued", QUEUED },
  { "a word nobody knows", http(200, '{"id":"video_1","status":"dreaming"}') },
  { "500", http(500) }, { "502 with a page", http(502, "<html>Bad Gateway</html>") },
  { "503", http(503) }, { "408", http(408) }, { "425", http(425) },
  { "429", http(429), slows = true }, { "429 with a short Retry-After",
    http(429, "", { ["retry-after"] = "1" }), slows = true },
  { "503 with a short Retry-After", http(503, "", { ["retry-after"] = "3" }) },
  { "code 500 at HTTP 200", http(200, '{"code":500,"msg":"it broke"}') },
  { "garbage", http(200, "\255\254{{"), ends = true },
  { "half an answer", http(200, '{"id":"vid'), ends = true },
  { "401", http(401), ends = true }, { "404", http(404), ends = true },
  { "400", http(400), ends = true }, { "a redirect", http(302), ends = true },
  { "a reset", { reason = "reset", sent = true, message = "x" } },
  { "no word on whether it was sent", { reason = "reset", message = "x" } },
}

local function world_of(seed, answer)
  local world, at = timeline.new(), {}
  world.runtime.request = function(_, req)
    local id = req.url:match "[^/]+$"
    at[id] = at[id] or {}
    table.insert(at[id], world.now - START)
    local found = answer(#at[id])
    if found.reason then
      return nil, found
    end
    return found
  end
  world.context = timeline.context(world, { random = random(seed) })
  return world, at
end

local function ids(count)
  local list = {}
  for index = 1, count do
    list[index] = "video_" .. index
  end
  return list
end

-- By which calls one waits. Each returns whether its first polls come at once.
local ways = {
  ["wait"] = function(world)
    world.runtime:gather { function()
      wait.one(world.context, "video_1", { timeout = SECONDS })
    end }
  end,
  ["a wait for many"] = function(world)
    wait.all(world.context, ids(30), { timeout = SECONDS }, {})
  end,
  ["a wait for so many that they are due together"] = function(world)
    wait.all(world.context, ids(110), { timeout = SECONDS }, {})
  end,
  ["a worker's waits"] = function(world)
    world.runtime:gather { function(also)
      local pool = wait.pool(world.context, { timeout = SECONDS }, also, function() end)
      for _, id in ipairs(ids(110)) do
        pool:add(id)
        world.runtime:sleep(0.03)
      end
    end }
    return false
  end,
  ["resumed waits"] = function(world)
    world.runtime:gather { function(also)
      local pool = wait.pool(world.context, { timeout = SECONDS }, also, function() end)
      for _, id in ipairs(ids(20)) do
        pool:add(id, 0)
      end
    end }
    return true
  end,
}

-- The last poll before the deadline comes sooner.
local function check(at, is_resumed, what, slows)
  local shortest, longest = math.huge, 0
  for id, list in pairs(at) do
    local began = is_resumed and list[1] or 0
    assert.is_true(not is_resumed or slows or list[1] < 1, what)
    for index = is_resumed and 2 or 1, list[#list] > SECONDS - 10 and #list - 1 or #list do
      local pause = list[index] - (list[index - 1] or began)
      shortest, longest = math.min(shortest, pause), math.max(longest, pause)
      if index > 1 or not id:find "%d%d" then -- those of a pool join one after another
        assert.is_true(pause >= 30 and (pause <= 60 or slows and at.video_2 ~= nil),
          ("%s: %s polled %.3f s after the poll before"):format(what, id, pause))
      end
    end
  end
  return shortest, longest
end

describe("the pauses of", function()
  for way, run in pairs(ways) do
    for _, case in ipairs(answers) do
      it(("%s are 30 to 60 s where the answer is %s"):format(way, case[1]), function()
        for _, seed in ipairs(SEEDS) do
          local world, at = world_of(seed, function() return case[2] end)
          check(at, run(world), "seed " .. seed, case.slows)
          assert.is_true(#at.video_1 >= (case.ends and 4 or case.slows and 2 or 8))
        end
      end)
    end

    it(way .. " use most of that time, so that they spread", function()
      local world, at = world_of(3, function() return QUEUED end)
      local shortest, longest = check(at, run(world), way)
      assert.is_true(shortest < 40 and longest > 55)
    end)

    it(way .. " are shorter after what was certainly not sent", function()
      local world, at = world_of(5, function(n)
        return n == 2 and { reason = "connect", sent = false, message = "x" } or QUEUED
      end)
      run(world)
      local list = at.video_1
      assert.is_true(list[3] - list[2] >= 1 and list[3] - list[2] <= 2)
      assert.is_true(list[4] - list[3] >= 30)
    end)
  end
end)

describe("a pause that the caller sets", function()
  for _, case in ipairs {
    { { interval = 5, max_interval = 5 }, 5, 5 },
    { { interval = 2, max_interval = 9 }, 2, 9 },
    { { interval = 45 }, 45, 60 },
    { { interval = 300 }, 300, 300 },
    { { max_interval = 10 }, 10, 10 },
    { { interval = 90, max_interval = 40 }, 40, 40 },
  } do
    it(("is %g to %g s"):format(case[2], case[3]), function()
      for _, seed in ipairs(SEEDS) do
        local world, at = world_of(seed, function(n)
          return n % 4 == 0 and http(500) or n % 7 == 0 and http(429) or QUEUED
        end)
        world.runtime:gather { function()
          wait.one(world.context, "video_1", case[1])
        end }
        local list = at.video_1
        for index = 1, #list - 1 do
          local pause = list[index] - (list[index - 1] or 0)
          assert.is_true(pause > case[2] - 1e-6 and pause < case[3] + 1e-6)
        end
      end
    end)
  end
end)

describe("the first poll of a task that this process has ordered", function()
  for _, skew in ipairs { -3600, -20, -0.9, 0, 20 } do
    it(("comes after 30 s though the provider's clock is %g s off"):format(skew), function()
      for _, seed in ipairs(SEEDS) do
        local now, at = 1000.9, nil
        local client = assert(starvideos.new {
          api_key = "test-key", random = random(seed),
          clock = function() return now end,
          sleep = function(seconds) now = now + seconds return true end,
          transport = function(req)
            if req.method == "POST" then
              return http(200, ('{"id":"video_1","status":"queued","created":%d}')
                :format(math.floor(os.time() + skew)))
            end
            at = at or now
            return http(200, '{"id":"video_1","status":"completed","video_url":"https://m.test/1"}')
          end,
        })
        local task = assert(client:create { model = "videos", prompt = "x", duration = 5 })
        assert(client:wait(task))
        assert.is_true(at - 1000.9 >= 30 and at - 1000.9 <= 60)
      end
    end)
  end

  it("counts from the order, by the clock of the client that waits", function()
    local world, at = world_of(1, function() return QUEUED end)
    local task = { id = "video_1", status = "queued" }
    watch.ordered(world.context, task)
    world.now = world.now + 10
    world.runtime:gather { function()
      wait.one(world.context, task, { interval = 30, max_interval = 30 })
    end }
    assert.equal(30, at.video_1[1])
  end)
end)
