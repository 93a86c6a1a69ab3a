-- The provider's stand-in, in process. Its limits and the catalog's were
-- written apart from the same documents: what one refuses the other must too.

local random = require("starvideos.base.fingerprint").random
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local MODELS = { "starvideos_o3", "videos", "videos_fast", "videos_stable",
  "videos_stable_fast", "no_such_model" }

local function start(options)
  local now = 1760000000
  options = options or {}
  options.clock = function() return now end
  local provider = sandbox.new(options)
  local client = assert(starvideos.new {
    api_key = options.client_key or provider.key, transport = provider:transport(),
    validation = "off", edition = options.edition,
    random = function() return 0.5 end,
    clock = function() return now end,
    sleep = function(seconds) now = now + seconds return true end,
  })
  return client, provider, function(seconds) now = now + seconds end
end

local function order(more)
  local params = { model = "videos", prompt = "a kite", duration = 5 }
  for name, value in pairs(more or {}) do
    params[name] = value
  end
  return params
end

local function chooser(seed)
  local draw = random(seed)
  local function one(list)
    return list[1 + math.floor(draw() * #list)]
  end
  local function urls(most)
    local list = {}
    for index = 1, math.floor(draw() * (most + 1)) do
      list[index] = "https://media.example/" .. index
    end
    return #list > 0 and list or nil
  end
  return one, urls, draw
end

-- An order near the limits, from either side of them.
local function random_order(one, urls, draw)
  local frame = "https://media.example/frame"
  local characters = one { 1, 1, 1, 1, 1500, 1501, 5000, 5001 }
  local some = draw() < 0.3
  local params = {
    model = one(MODELS),
    prompt = draw() < 0.95 and one { "x", "生" }:rep(characters) or nil,
    duration = one { 2, 3, 4, 5, 10, 15, 15, 16, 8.5 },
    ratio = one { "16:9", "9:16", "1:1", "16:9", "1:1", "4:3", "21:9", "3:4",
      "2:1" },
    resolution = draw() < 0.3 and one { "720p", "1080p" } or nil,
    referenceImages = some and urls(10) or nil,
    referenceVideos = draw() < 0.15 and urls(4) or nil,
    referenceAudios = draw() < 0.1 and urls(4) or nil,
    first_image = draw() < 0.15 and frame or nil,
    last_image = draw() < 0.15 and frame or nil,
    image = draw() < 0.05 and frame or nil,
  }
  if draw() < 0.1 then
    params.duration = nil
  end
  if draw() < 0.4 then
    params.ratio = nil
  end
  return params
end

local function described(params)
  local words = {}
  for name, value in pairs(params) do
    if type(value) == "table" then
      value = #value .. " of them"
    elseif name == "prompt" then
      value = #value .. " bytes"
    end
    words[#words + 1] = name .. "=" .. tostring(value)
  end
  table.sort(words)
  return table.concat(words, " ")
end

describe("the sandbox and the catalog", function()
  for seed, edition in ipairs { "any", "xingchao", "mingyan" } do
    it("refuse and take the same orders, edition " .. edition, function()
      local client = start { edition = edition ~= "any" and edition or nil }
      local one, urls, draw = chooser(20261121 + seed)
      local taken = 0
      for _ = 1, 600 do
        local params = random_order(one, urls, draw)
        local allowed, why = client:validate(params)
        local task, err = client:create(params)
        taken = taken + (task and 1 or 0)
        assert.equal(allowed == true, task ~= nil, described(params)
          .. "\n" .. tostring(allowed and err or why))
      end
      assert.is_true(taken > 20)
    end)
  end
end)

describe("the sandbox", function()
  it("takes a task from queued to completed in its time", function()
    local client, _, pass = start { seconds = 10, queued_seconds = 3 }
    local task = assert(client:create(order()))
    assert.equal("queued", assert(client:query(task)).status)
    pass(4)
    assert.equal("processing", assert(client:query(task)).status)
    pass(7)
    local done = assert(client:query(task))
    assert.equal("completed", done.status)
    assert.truthy(done.video_url:find("signature=", 1, true))
    assert.is_number(done.actualDuration)
  end)

  it("accepts only its own key", function()
    local client = start { client_key = "another-key" }
    local _, err = client:create(order())
    assert.equal("auth", err.kind)
    assert.equal("204", err.code)
  end)

  it("counts what was created and billed", function()
    local client, provider = start()
    assert(client:create(order { prompt = "one" }))
    client:create(order { prompt = "[scenario:create_reset]" })
    client:create(order { prompt = "[scenario:create_refused]" })
    local books = provider:tasks()
    assert.equal(3, books.posts)
    assert.equal("one", books.tasks[1].prompt)
    assert.equal(1, books.tasks[1].billed)
  end)

  it("serves a file that plays, by a link that expires", function()
    local client, provider, pass = start { link_seconds = 60 }
    local path = os.tmpname()
    local task = assert(client:wait((assert(client:create(order())))))
    local file = assert(client:download(task, path, { overwrite = true }))
    local stream = assert(io.open(path, "rb"))
    assert.equal("ftyp", stream:read(8):sub(5))
    stream:close()
    assert.is_true(file.bytes > 1000)
    pass(61)
    local expired = provider:transport() { method = "GET", url = task.video_url,
      headers = {} }
    assert.equal(403, expired.status)
    assert(client:download(task, path, { overwrite = true }))
    os.remove(path)
  end)

  it("refuses a scenario that it does not know", function()
    local scenarios = require "starvideos.sandbox.scenario"
    assert.is_nil((scenarios.parse "unheard_of"))
    assert.is_true(#scenarios.list() > 80)
  end)
end)
