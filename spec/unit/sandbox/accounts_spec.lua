-- Limits, prices and the record of who broke which.

local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local BASE = "/kyyReactApiServer"

describe("an account of the sandbox", function()
  local provider, now

  local function request(method, path, body, key, client)
    local response = provider:handle { method = method, path = path,
      body = body, client = client,
      headers = { authorization = "Bearer " .. (key or provider.key) } }
    return json.decode(response.body), response
  end

  local function create(key, prompt)
    return request("POST", BASE .. "/v1/videos/videos", json.encode {
      model = "videos", duration = 5, prompt = prompt or "a kite" }, key)
  end

  local function poll(id, client, key)
    return request("GET", BASE .. "/v1/result/" .. id, nil, key, client)
  end

  local function start(options)
    now = 1760000000
    options.clock = function() return now end
    provider = sandbox.new(options)
  end

  local function record(index)
    return provider:record().accounts[index or 1]
  end

  it("has so many open tasks and no more", function()
    start { seconds = 10, open = 2 }
    assert.is_string(create().id)
    now = now + 4
    assert.is_string(create().id)
    local body, response = create()
    assert.equal(429, response.status)
    assert.equal("6", response.headers["retry-after"])
    assert.equal("TooManyRequests", body.error.code)
    now = now + 6
    assert.is_string(create().id)
    local books = record()
    assert.equal(2, books.most_open)
    assert.equal(2, books.open)
    assert.equal(4, books.creates)
    assert.equal(3, books.billed)
    assert.same({ open = 1, creates = 0, polls = 0, balance = 0 },
      books.broken)
    assert.equal("limited", provider:tasks().creates[3].outcome)
  end)

  it("counts tasks as open by their own time", function()
    start { seconds = 10 }
    create(nil, "[scenario:takes=3]")
    create(nil, "[scenario:never]")
    create()
    create(nil, "[scenario:takes=30]")
    create(nil, "[scenario:create_refused]")
    local open = { [0] = 4, [3] = 3, [9] = 3, [10] = 2, [30] = 1, [1e6] = 1 }
    for _, seconds in ipairs { 0, 3, 9, 10, 30, 1e6 } do
      now = 1760000000 + seconds
      assert.equal(open[seconds], record().open)
    end
    assert.equal(4, record().most_open)
  end)

  it("keeps its open tasks in the order of their ends", function()
    start {}
    local most = 200
    for index = 1, most do
      create(nil, ("[scenario:takes=%d]"):format(index * 37 % 211 + 1))
    end
    for seconds = 1, 211 do
      now = 1760000000 + seconds
      local count = 0
      for index = 1, most do
        count = count + (index * 37 % 211 + 1 > seconds and 1 or 0)
      end
      assert.equal(count, record().open)
    end
  end)

  it("may create so often within any 60 s", function()
    start { creates_per_minute = 3 }
    for _ = 1, 3 do
      assert.is_string(create().id)
      now = now + 10
    end
    local _, response = create()
    assert.equal(429, response.status)
    assert.equal("30", response.headers["retry-after"])
    now = now + 30
    assert.is_string(create().id)
    assert.equal(429, select(2, create()).status)
    local books = record()
    assert.equal(3, books.most_creates)
    assert.equal(6, books.creates)
    assert.equal(2, books.broken.creates)
    assert.equal(4, provider:tasks().billed)
  end)

  it("may poll so often within any second", function()
    start { polls_per_second = 2 }
    local id = create().id
    for _ = 1, 2 do
      assert.equal(id, poll(id).id)
    end
    now = now + 0.9
    local _, response = poll(id)
    assert.equal(429, response.status)
    assert.equal("1", response.headers["retry-after"])
    now = now + 0.1
    assert.equal(id, poll(id).id)
    local books = record()
    assert.equal(2, books.most_polls)
    assert.equal(4, books.polls)
    assert.equal(1, books.broken.polls)
  end)

  it("without limits shows how far its clients went", function()
    start {}
    for index = 1, 5 do
      local id = create().id
      for _ = 1, index do
        poll(id)
      end
      now = now + 59
    end
    local books = record()
    assert.equal(2, books.most_creates)
    assert.equal(5, books.most_polls)
    assert.equal(15, books.polls)
    assert.same({ open = 0, creates = 0, polls = 0, balance = 0 },
      books.broken)
  end)

  it("counts polls of a task by two clients as duplicates", function()
    start { poll_interval = 10 }
    local id, other = create().id, create().id
    poll(id, "a")
    poll(other, "b")
    now = now + 4.9
    poll(id, "a")
    assert.equal(0, record().duplicate_polls)
    poll(id, "b")
    assert.equal(1, record().duplicate_polls)
    now = now + 5
    poll(id, "a")
    poll(other, "a")
    assert.equal(1, record().duplicate_polls)
  end)

  it("pays a price until its balance is used up", function()
    start { price = 0.1, balance = 0.3 }
    for _ = 1, 3 do
      assert.is_string(create().id)
    end
    local body, response = create()
    assert.equal(402, response.status)
    assert.equal("InsufficientBalance", body.error.code)
    assert.equal(0.3, record().spent)
    assert.equal(1, record().broken.balance)
  end)

  it("pays for no order that was refused", function()
    start { price = 1, open = 1 }
    create(nil, "[scenario:create_policy]")
    create(nil, "[scenario:create_500]")
    request("POST", BASE .. "/v1/videos/videos", '{"model":"videos"}')
    assert.equal(0, record().spent)
    assert.equal(0, record().open)
    assert.equal(3, record().creates)
  end)

  it("stands beside others with keys of their own", function()
    start { open = 1, accounts = { second = { key = "key2", open = 2,
      price = 3 } } }
    local id = create().id
    assert.equal(429, select(2, create()).status)
    create "key2"
    create "key2"
    assert.equal(429, select(2, create "key2").status)
    assert.equal("204", create("key3").code)
    assert.equal(404, select(2, poll(id, "a", "key2")).status)
    local names = {}
    for index, books in ipairs(provider:record().accounts) do
      names[index] = books.account
    end
    assert.same({ "main", "second" }, names)
    assert.equal(6, record(2).spent)
    assert.equal(1, record(1).most_open)
    assert.equal(2, record(2).most_open)
  end)

  it("is limited, and added, while the sandbox runs", function()
    start { open = 5 }
    local function limit(fields)
      return request("POST", "/__sandbox/limits", json.encode(fields))
    end
    limit { open = 1, price = 2 }
    create()
    assert.equal(429, select(2, create()).status)
    limit { open = false }
    assert.is_string(create().id)
    limit { account = "new", key = "key9", creates_per_minute = 0 }
    assert.equal(429, select(2, create "key9").status)
    local books = request("GET", "/__sandbox/accounts").accounts
    assert.equal(4, books[1].spent)
    assert.equal("new", books[2].account)
    assert.equal(1, books[2].broken.creates)
    assert.is_nil(json.encode(books):find("key9", 1, true))
    for _, wrong in ipairs { { open = -1 }, { price = "2" }, { account = 3 },
      { account = "new", key = 7 } } do
      assert.equal(400, select(2, limit(wrong)).status)
    end
    assert.has_error(function() provider:limit { open = {} } end)
  end)

  it("has its first limits again after a reset", function()
    start { open = 1 }
    create()
    provider:limit { open = false, price = 1 }
    provider:limit { account = "new", key = "key9" }
    create()
    provider:reset()
    assert.equal(1, #provider:record().accounts)
    assert.same({ open = 1 }, record().limits)
    assert.equal(0, record().spent)
    assert.equal("204", create("key9").code)
    assert.is_string(create().id)
    assert.equal(429, select(2, create()).status)
  end)

  it("tells a client in process when to come again", function()
    start { seconds = 10, open = 1 }
    local client = assert(starvideos.new { api_key = provider.key,
      transport = provider:transport(), random = function() return 0.5 end,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds return true end })
    assert(client:create { model = "videos", prompt = "a kite", duration = 5 })
    local began = now
    assert(client:create { model = "videos", prompt = "a kite",
      duration = 5 })
    assert.is_near(began + 10, now, 3)
    assert.equal(1, record().broken.open)
  end)

  it("takes each transport in process for a client", function()
    start { poll_interval = 30 }
    local task
    for _ = 1, 2 do
      local client = assert(starvideos.new { api_key = provider.key,
        transport = provider:transport(),
        clock = function() return now end })
      task = task or assert(client:create { model = "videos",
        prompt = "a kite", duration = 5 })
      assert(client:query(task.id))
      assert(client:query(task.id))
    end
    assert.equal(1, record().duplicate_polls)
  end)
end)
