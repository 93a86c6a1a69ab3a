-- What can go wrong between this library and the provider when a gateway stands
-- between them: nothing is bought twice, and nobody is told what is not so.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local starvideos = require "starvideos"
local transfers = require "spec.fixtures.transfer"
local tunnels = require "spec.fixtures.tunnel"

local KEY, TOKEN = "key-of-the-provider", "token-of-ann"

local CALLERS = { callers = {
  { name = "ann", token_sha256 = curl.sha256(TOKEN) } } }

local ENDED = { completed = true, failed = true }

local provider, gateway, engine

local function start(more)
  local options = { base_url = provider.base_url, api_key = KEY,
    callers = CALLERS }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return gateways.start(options)
end

setup(function()
  engine = curl.network { inline = true }
  provider = assert(sandbox.start { key = KEY, seconds = 0.4,
    queued_seconds = 0.1, drawn = false })
end)

teardown(function()
  provider:stop()
  engine:close()
end)

local function new(options)
  local given = { base_url = gateway.url, api_key = TOKEN }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  return assert(starvideos.new(given))
end

local function params(prompt)
  return { model = "videos", prompt = prompt, duration = 4 }
end

local function ask(path)
  local response = assert(transfers.finish(assert(engine:submit {
    url = gateway.url .. path, timeout = 10,
    headers = { Authorization = "Bearer " .. TOKEN } }), engine))
  return json.decode(response.body), response.status
end

-- All orders that the gateway has, by their prompts, once they have ended.
local function ended_orders()
  local give_up = core.now() + 60
  while true do
    local found, running, after = {}, 0, ""
    repeat
      local page = ask("/v1/videos?limit=100" .. after)
      for _, video in ipairs(page.data) do
        found[video.prompt] = found[video.prompt] or {}
        table.insert(found[video.prompt], video)
        running = running + (ENDED[video.status] and 0 or 1)
      end
      after = page.has_more and "&after=" .. page.last_id
    until not after
    if running == 0 then
      return found
    end
    assert(core.now() < give_up, running .. " orders have not ended")
    engine:step(0.1)
  end
end

-- What the provider made, and what was posted to it, by prompt.
local function bought()
  local tasks = {}
  for _, task in ipairs(books.of(provider).tasks) do
    tasks[task.prompt] = (tasks[task.prompt] or 0) + 1
  end
  return tasks
end

describe("a connection to a gateway that is cut", function()
  local tunnel, before

  setup(function()
    gateway = start { addresses = { "127.0.0.2" } }
    local own = "127.0.0.2:" .. gateway.port
    tunnel = tunnels.start(gateway.port, 1, own)
    before = "http://" .. own
  end)

  teardown(function()
    tunnel.stop()
    gateway:stop()
  end)

  after_each(function()
    tunnel.cut()
  end)

  -- Orders over connections that are cut, each at another place.
  local function order_all(client, side, how, places)
    local list = {}
    for _, bytes in ipairs(places) do
      local prompt = ("cut %s %d by %s"):format(side, bytes, how)
      tunnel.cut(side, bytes, how)
      local task, err = client:create(params(prompt))
      list[#list + 1] = { prompt = prompt, task = task, err = err }
    end
    tunnel.cut()
    return list
  end

  -- How many of the orders of each outcome the gateway has.
  local function check(list)
    local orders, tasks, counts = ended_orders(), bought(), {}
    for _, one in ipairs(list) do
      local count = #(orders[one.prompt] or {})
      assert.is_true(count <= 1, one.prompt)
      assert.equal(count, tasks[one.prompt] or 0, one.prompt)
      if one.task then
        assert.equal(one.task.id, orders[one.prompt][1].id)
      else
        assert.equal(one.err.sent and "outcome_unknown" or "network",
          one.err.kind)
        assert.equal(0, one.err.sent and 0 or count, one.prompt)
      end
      local name = (one.task and "task " or one.err.kind .. " ") .. count
      counts[name] = (counts[name] or 0) + 1
    end
    return counts
  end

  local function every(step, last)
    local places = {}
    for bytes = 0, last, step do
      places[#places + 1] = bytes
    end
    return places
  end

  for _, how in ipairs { "close", "reset" } do
    it("buys once at most, wherever in the order: " .. how, function()
      local counts = check(order_all(new { base_url = before }, "up", how, every(7, 600)))
      assert.is_true(counts["outcome_unknown 0"] > 5)
      assert.is_true(counts["task 1"] > 3)
    end)

    it("buys once at most, wherever in the answer: " .. how, function()
      local counts = check(order_all(new { base_url = before }, "down", how, every(11, 1200)))
      assert.is_true(counts["outcome_unknown 1"] > 5)
      assert.is_true(counts["task 1"] > 3)
    end)
  end

  it("buys once at most where it only falls silent", function()
    local client = new { base_url = before, timeout = 1 }
    local counts = check(order_all(client, "up", "lose", { 0, 100, 200 }))
    assert.equal(3, counts["outcome_unknown 0"])
    counts = check(order_all(client, "down", "lose", { 0, 200, 330 }))
    assert.equal(3, counts["outcome_unknown 1"])
  end)

  it("costs a wait and a download nothing", function()
    local client = new { base_url = before }
    local task = assert(client:create(params "cut later"))
    tunnel.cut("down", 100, "reset")
    local polls = 0
    local video = assert(client:wait(task, { interval = 0.1, first_poll = 0,
      timeout = 30, on_progress = function()
        polls = polls + 1
        if polls > 2 then
          tunnel.cut()
        end
      end }))
    assert.is_true(polls > 2)
    local path = os.tmpname()
    tunnel.cut("down", 9000, "reset")
    local file = assert(client:download(video, path, { overwrite = true,
      on_progress = function() tunnel.cut() end }))
    assert.is_true(file.bytes > 9000)
    os.remove(path)
    assert.same({ ["cut later"] = 1 },
      { ["cut later"] = bought()["cut later"] })
  end)
end)

describe("a gateway that is reloaded again and again", function()
  setup(function()
    gateway = start()
  end)

  teardown(function()
    gateway:stop()
  end)

  -- Orders over as many connections until a time: the answers by prompt.
  local function order_until(give_up, on_turn)
    local flying, answers, count = {}, {}, 0
    local headers = { Authorization = "Bearer " .. TOKEN,
      ["Content-Type"] = "application/json" }
    repeat
      while #flying < 16 and core.now() < give_up do
        count = count + 1
        local prompt = "reloaded " .. count
        flying[#flying + 1] = { prompt = prompt, transfer = assert(engine:submit {
          method = "POST", url = gateway.url .. "/v1/videos/videos",
          headers = headers, body = json.encode(params(prompt)), timeout = 20,
          fresh = true }) }
      end
      engine:step(0.01)
      on_turn()
      for index = #flying, 1, -1 do
        if flying[index].transfer:done() then
          local one = table.remove(flying, index)
          answers[one.prompt] = assert(one.transfer:result())
        end
      end
    until not flying[1]
    return answers
  end

  it("takes every order, once", function()
    local next_reload = core.now()
    local answers = order_until(core.now() + 3, function()
      if core.now() >= next_reload then
        gateway:signal "HUP"
        next_reload = core.now() + 0.3
      end
    end)
    local orders = ended_orders()
    for prompt, answer in pairs(answers) do
      assert.equal(200, answer.status, answer.body)
      assert.equal(1, #orders[prompt])
    end
  end)
end)

-- What the provider does, and what becomes of the order. The gateway's queue stops
-- for what is nobody's order's fault; see below.
local OUTCOMES = {
  completed = { "create_202", "create_coded", "create_data",
    "create_project_id", "create_slow=1", "create_429=1", "query_500=2",
    "query_reset=2", "query_html=1", "result_upper", "media_reset=1" },
  task_failed = { "create_400", "create_missing", "create_refused",
    "create_refused_id", "create_policy_chinese", "failed", "failed_policy",
    "cancelled" },
  outcome_unknown = { "create_500", "create_502", "create_503", "create_504",
    "create_html", "create_not_json", "create_empty", "create_reset",
    "create_truncated", "create_huge", "create_nested", "create_no_id" },
}

describe("a provider that fails behind a gateway", function()
  setup(function()
    gateway = start { workers = 1 }
  end)

  teardown(function()
    gateway:stop()
  end)

  local function outcome_of(one)
    local message = one.err and one.err.message or ""
    return one.task and one.task.status
      or message:find "may have been paid" and "outcome_unknown"
      or one.err.kind
  end

  local function order_all(client, names)
    local list = {}
    for index, name in ipairs(names) do
      list[index] = assert(client:create(params(("[scenario:%s]"):format(name))))
    end
    return client:wait_all(list, { interval = 0.2, first_poll = 0.2,
      timeout = 60 })
  end

  for outcome, names in pairs(OUTCOMES) do
    it("is told of as it is: " .. outcome, function()
      local client = new()
      for from = 1, #names, 4 do -- five unknown ones in a row stop the queue
        local some = { (table.unpack or unpack)(names, from, from + 3) }
        for index, one in ipairs(order_all(client, some)) do
          assert.equal(outcome, outcome_of(one), some[index])
        end
        assert.equal("completed", order_all(client, { "takes=0.2" })[1].task.status)
      end
      local tasks = bought()
      for _, name in ipairs(names) do
        assert.is_true((tasks[("[scenario:%s]"):format(name)] or 0) <= 1, name)
      end
    end)
  end
end)

describe("an account that cannot order", function()
  local refusal = { auth = "create_auth", config = "create_no_handler",
    money = "create_402" }

  after_each(function()
    gateway:stop()
  end)

  for why, scenario in pairs(refusal) do
    it("takes no further orders, until it is started again: " .. why, function()
      gateway = start()
      local client = new { sleep = function() return nil, "stopped" end }
      local prompt = ("[scenario:%s]"):format(scenario)
      local task = assert(client:create(params(prompt)))
      assert(client:create(params(prompt .. " another"))) -- one may be to blame itself
      local give_up = core.now() + 20
      repeat
        engine:step(0.1)
        local _, health = ask "/healthz"
        assert(core.now() < give_up)
      until health == 503
      local before = books.of(provider).posts
      local _, err = client:create(params "while it is halted")
      assert.equal("cancelled", err.kind)
      assert.truthy(err.message:find("nothing was bought", 1, true))
      assert.equal("queued", assert(client:query(task)).status)
      assert.equal(before, books.of(provider).posts)
      assert.is_nil(err.message:find(KEY, 1, true))
    end)
  end
end)
