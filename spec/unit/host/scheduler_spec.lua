-- Orders placed where Lua lets no coroutine wait: in a function written in C,
-- or in a listener of Lua 5.1.

local announced = require "spec.fixtures.announced"
local core = require "starvideos.core"
local drivers = require "spec.fixtures.driver"
local starvideos = require "starvideos"

local PARAMS = { model = "videos", prompt = "a cat", duration = 5 }

-- Functions in C that call back, and in which none can wait.
local inside = {
  ["string.gsub"] = function(body) string.gsub("x", "x", body) end,
  ["table.sort"] = function(body)
    table.sort({ 2, 1 }, function(first, second)
      body()
      return first < second
    end)
  end,
}

describe("an order of a game", function()
  local client, driver, restore

  before_each(function()
    local made
    made, restore = drivers.install()
    client = assert(starvideos.new { api_key = "key", runtime = "frame",
      ledger = ":memory:", clock = function() return 0 end })
    driver = made[1]
  end)
  after_each(function() restore() end)

  -- Until it has ended, or something is sent; the ledger is asked meanwhile.
  local function let_go_on(order)
    local give_up = core.now() + 10
    while not order.done and not driver.tickets[1] do
      assert(core.now() < give_up, "nothing happens")
      client:update()
    end
    return order
  end

  local function pending()
    driver.tickets = {}
    return let_go_on(client:async(client.pending, client)).result
  end

  for name, call in pairs(inside) do
    it("is refused before it is written down in " .. name, function()
      local ok, message
      client:async(function()
        call(function()
          ok, message = pcall(client.create, client, PARAMS)
        end)
      end)
      assert.is_false(ok)
      assert.matches("create cannot wait here, and nothing was sent: ", message)
      assert.same({}, driver.tickets)
      assert.same({}, pending())
    end)
  end

  it("is refused where the program wrote it", function()
    local message
    client:async(function()
      string.gsub("x", "x", function()
        message = select(2, pcall(function() client:create(PARAMS) end))
      end)
    end)
    assert.matches("^spec/unit/host/scheduler_spec.lua:%d+: create cannot", message)
  end)

  it("is refused in a metamethod at the latest by Lua", function()
    local order = client:async(function()
      local _ = setmetatable({}, { __index = function()
        return client:create(PARAMS)
      end }).x
    end)
    let_go_on(order)
    assert.equal(driver.tickets[1] == nil, order.done)
    assert.equal(order.done and 0 or 1, #pending())
  end)

  if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
    it("is placed inside pcall", function()
      let_go_on(client:async(function()
        pcall(client.create, client, PARAMS)
      end))
      assert.truthy(driver.tickets[1])
    end)
  end
end)

describe("an order of a script, in a listener of wait_all", function()
  local loaded, posts, client

  -- An engine whose every step brings an answer.
  local function engine()
    local waiting = {}
    return announced.add {
      submit = function(_, req)
        local it = { req = req }
        function it.done() return it.ended end
        function it.cancel() it.ended = true end
        function it.result()
          posts = posts + (req.method == "POST" and 1 or 0)
          return { status = 200, headers = {}, body = req.method == "POST"
            and ('{"id":"new_%d","status":"queued"}'):format(posts)
            or '{"id":"a","status":"completed","video_url":"https://m.test/1"}' }
        end
        waiting[#waiting + 1] = it
        return it
      end,
      step = function()
        for _, it in ipairs(waiting) do
          it.ended = true
        end
        waiting = {}
      end,
      close = function() end,
    }
  end

  before_each(function()
    local now, made = 0, nil
    posts, loaded = 0, package.loaded["starvideos.curl"]
    package.loaded["starvideos.curl"] = { network = function()
      made = made or engine()
      return made
    end }
    client = assert(starvideos.new { api_key = "key",
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds end })
  end)
  after_each(function()
    package.loaded["starvideos.curl"] = loaded
  end)

  local function in_listener(body)
    local results = client:wait_all({ "a", "b" }, { on_progress = body })
    assert.equal("completed", results[1].task.status)
    assert.equal("completed", results[2].task.status)
  end

  inside["the listener itself"] = function(body) body() end
  inside["pcall"] = pcall
  for name, call in pairs(inside) do
    it("returns its task from " .. name, function()
      local ids = {}
      in_listener(function()
        call(function()
          local task = assert(client:create(PARAMS))
          assert(client:wait(task))
          ids[#ids + 1] = task.id
        end)
      end)
      table.sort(ids)
      assert.same({ "new_1", "new_2" }, ids)
    end)
  end

  it("may wait for many others", function()
    local ended = 0
    in_listener(function()
      string.gsub("x", "x", function()
        for _, result in ipairs(client:wait_all { "c", "d", "e" }) do
          ended = ended + (result.task and 1 or 0)
        end
      end)
    end)
    assert.equal(6, ended)
  end)
end)
