-- OpenAI's client, which repeats a create twice by itself, before a gateway whose
-- provider has a fault, while its own connections are cut at every phase of its
-- request. By the sandbox's record no order was sent where it may have been accepted
-- before.

local assert = require "luassert"
local books = require "spec.fixtures.books"
local busted = require "busted"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local openai_client = require "spec.fixtures.openai_client"
local sandbox = require "starvideos.sandbox.nginx"
local scenarios = require "starvideos.sandbox.scenario"
local transfers = require "spec.fixtures.transfer"

local _M = {}

local KEY = "key-of-the-gateway"
local TOKEN = "token-of-ada"

-- Seconds that a client has for each scenario, and then the queue. A gateway whose queue
-- has stopped tells clients to wait longer.
local CLIENT_PATIENCE = 12
local PATIENCE = 6

-- Where a client's connection is cut. Client 6 and 7 do not repeat what broke off in
-- the body of its answer: `told`.
local phases = {
  { name = "connecting", side = "up", from = "start", bytes = 0, how = "reset" },
  { name = "in the first line", side = "up", from = "start", bytes = 9 },
  { name = "in the headers", side = "up", from = "start", bytes = 120 },
  { name = "before the body", side = "up", from = "head", bytes = 0 },
  { name = "in the body", side = "up", from = "head", bytes = 40 },
  { name = "before the last byte", side = "up", from = "end", bytes = -1 },
  { name = "behind the last byte", side = "up", from = "end", bytes = 0 },
  { name = "before the answer", side = "down", from = "start", bytes = 0 },
  { name = "in the status", side = "down", from = "start", bytes = 9 },
  { name = "in the answer's headers", side = "down", from = "start", bytes = 60 },
  { name = "before the answer's body", side = "down", from = "head", bytes = 0,
    told = true },
  { name = "in the answer's body", side = "down", from = "head", bytes = 30,
    told = true },
  { name = "before its last byte", side = "down", from = "end", bytes = -1,
    told = true },
  { name = "behind the answer", side = "down", from = "end", bytes = 0 },
  { name = "never", times = 0 },
}

-- How each version's connections end.
local ways = { ["6"] = "end", ["7"] = "reset" }

-- After which an order may be sent again, for it certainly was refused.
local refused = { create_429 = true, create_429_date = true,
  create_429_long = true, create_429_bare = true }

-- Whose answers stop the queue.
local stopping = { query_auth = true, query_auth_number = true, query_401 = true,
  query_402 = true, query_403 = true }

-- Each order has a proxy of its own, at the gateway's port of another address.
local function address_of(version, index)
  return ("127.0.%s.%d"):format(version, index)
end

local function addresses_of(group)
  local addresses = {}
  for _, version in ipairs(openai_client.versions) do
    for index = 1, #group * #phases do
      addresses[#addresses + 1] = address_of(version, index)
    end
  end
  return addresses
end

-- An order of a scenario for each phase. Each second one loses its second connection as
-- well.
local function input_of(group, version, gateway)
  local steps = {}
  for _, scenario in ipairs(group) do
    for index, phase in ipairs(phases) do
      local cut = { address = address_of(version, #steps + 1), how = ways[version],
        times = 1 + index % 2 }
      for name, value in pairs(phase) do
        cut[name] = value
      end
      steps[#steps + 1] = { call = "videos.create", cut = cut,
        seconds = CLIENT_PATIENCE * #group,
        args = { { model = "videos", seconds = "4", prompt = ("[scenario:%s]"
          .. " client %s, cut %s"):format(scenario, version, phase.name) } } }
    end
  end
  return { token = TOKEN, base_url = gateway.url .. "/v1", steps = steps }
end

local function ask(gateway, engine, path)
  local transfer = assert(engine:submit { method = "GET", timeout = 10,
    url = gateway.url .. path,
    headers = { Authorization = "Bearer " .. TOKEN } })
  local response = assert(transfers.finish(transfer, engine))
  return json.decode(response.body)
end

-- Whether the queue is known to have stopped: no further order is taken.
local function is_halted(gateway, engine)
  local health = ask(gateway, engine, "/healthz")
  for _, reason in ipairs(health.reasons or {}) do
    if reason.code == "halted" then
      return true
    end
  end
  return false
end

-- The gateway looks every five seconds.
local function comes_to_halt(gateway, engine)
  local give_up = core.now() + 2 * PATIENCE
  while not is_halted(gateway, engine) and core.now() < give_up do
    engine:step(0.2)
  end
  return is_halted(gateway, engine)
end

-- Until no order waits in the queue, or the queue has had its time.
local function until_sent(gateway, engine)
  local give_up, waits = core.now() + PATIENCE, true
  while waits and core.now() < give_up and not is_halted(gateway, engine) do
    waits = false
    for _, video in ipairs(ask(gateway, engine, "/v1/videos?limit=100").data) do
      waits = waits or video.status == "queued"
    end
    engine:step(0.1)
  end
end

-- Each order has a body of its own, which was sent once, but for what certainly was
-- refused.
local function judge_record(record)
  local posts, made = {}, {}
  for _, create in ipairs(record.creates) do
    if not refused[create.scenario] then
      assert.is_nil(posts[create.digest], create.scenario)
      posts[create.digest] = true
    end
  end
  for _, task in ipairs(record.tasks) do
    assert.is_nil(made[task.prompt], task.prompt)
    made[task.prompt] = true
  end
  assert.is_true(record.posts > 0)
end

-- The phases after which a client neither has its video nor knows why.
local function missing_of(results)
  local missing = {}
  for index, result in ipairs(results) do
    local phase = phases[(index - 1) % #phases + 1]
    local class = result.error and result.error.class
    if not result.value and not (phase.told and class == "TypeError") then
      missing[#missing + 1] = phase.name .. ": " .. (class or "no answer")
    end
  end
  return missing
end

local function order(group, gateway)
  local runs = {}
  for index, version in ipairs(openai_client.versions) do
    runs[index] = { version = version, input = input_of(group, version, gateway) }
  end
  return openai_client.run_all(runs)
end

local function try(group, provider, engine)
  books.reset(provider)
  local gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
    addresses = addresses_of(group), callers = { callers = { { name = "ada",
      token_sha256 = curl.sha256(TOKEN) } } } }
  local ok, raised = pcall(function()
    local all = order(group, gateway)
    until_sent(gateway, engine)
    judge_record(books.of(provider))
    for _, results in ipairs(all) do
      local missing = missing_of(results)
      assert.is_true(#missing == 0 or comes_to_halt(gateway, engine),
        table.concat(missing, ", ") .. "\n" .. gateway:logs())
    end
  end)
  gateway:stop()
  assert(ok, raised)
end

-- The scenarios of some places, so many in each group; one that stops the queue is alone.
local function groups_of(places, together)
  local groups, last = {}, {}
  for _, scenario in ipairs(scenarios.list()) do
    if places[scenario.place] and stopping[scenario.name] then
      table.insert(groups, 1, { scenario.name })
    elseif places[scenario.place] then
      if #last % together == 0 then
        last = {}
        groups[#groups + 1] = last
      end
      last[#last + 1] = scenario.name
    end
  end
  return groups
end

--- Try scenarios of some places of the sandbox: one group in so many, for each waits for
-- seconds, and files of specs run side by side.
-- @tparam table places a set: `life`, `create`, `query`
-- @tparam number part which of them
-- @tparam number parts how many there are
-- @tparam number together how many scenarios share a gateway
function _M.describe(places, part, parts, together)
  busted.describe("OpenAI's client, cut off at every phase, buys once", function()
    local provider, engine

    busted.setup(function()
      provider = assert(sandbox.start { key = KEY, seconds = 0.2,
        queued_seconds = 0.1, drawn = false })
      engine = curl.network { inline = true }
    end)

    busted.teardown(function()
      engine:close()
      provider:stop()
    end)

    for index, group in ipairs(groups_of(places, together)) do
      if index % parts == part - 1 then
        busted.it("under " .. table.concat(group, ", "), function()
          try(group, provider, engine)
        end)
      end
    end
  end)
end

return _M
