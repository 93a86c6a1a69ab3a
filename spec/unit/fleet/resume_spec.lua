local block = require "starvideos.host.block"
local clip = require "spec.fixtures.clip"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local rate_limiter = require "starvideos.wait.rate_limit"
local resume = require "starvideos.fleet.resume"

local FILM = clip.mp4()
local BASE = "https://api.example"

describe("resume", function()
  local folder, now, orders, saved, missing, polls, status, runtime, context
  local claimed

  -- A ledger in memory; `orders` are its rows, and what their readers get.
  local ledger = {}

  function ledger.order_of(row)
    return row
  end

  function ledger.path_of(path)
    return path
  end

  function ledger.of_task() end

  function ledger.lost() end

  function ledger.seen()
    return true
  end

  function ledger.placing()
    return true
  end

  function ledger.machine()
    return "here"
  end

  function ledger.missing(_, id)
    missing[#missing + 1] = id
    return true
  end

  function ledger.downloaded(_, id)
    saved[#saved + 1] = id
    return true
  end

  function ledger:register()
    return setmetatable({ worker = "w" }, { __index = self })
  end

  function ledger.heartbeat()
    return { factor = 1, workers = 1, claims = 0 }
  end

  function ledger.retire()
    claimed = {}
    return true
  end

  function ledger.claim(_, want)
    local rows = {}
    for _, one in ipairs(orders) do
      if #rows < want.count and not claimed[one.id] and one.task_id then
        one.order_id, claimed[one.id] = one.id, true
        rows[#rows + 1] = one
      end
    end
    return rows
  end

  function ledger.pending(_, limit, after)
    local page, first = {}, tonumber(after) or 0
    for index = first + 1, math.min(first + limit, #orders) do
      page[#page + 1] = orders[index]
    end
    return page, #page == limit and tostring(first + limit) or nil
  end

  local function order(number, fields)
    local made = { id = ("%032d"):format(number), key = "k" .. number,
      state = "accepted", task_id = "video_" .. number, base_url = BASE,
      created_at = os.time(), updated_at = os.time() }
    for name, value in pairs(fields or {}) do
      made[name] = value
    end
    return made
  end

  local function transport(req)
    local id = req.url:match "/v1/result/(.+)$"
    if not id then
      runtime:sleep(1) -- the others go on meanwhile
      return { status = 200, headers = {}, body = FILM }
    end
    polls = polls + 1
    return { status = 200, headers = {}, body = json.encode { id = id,
      status = status, video_url = "https://media.example/" .. id } }
  end

  local function all(options)
    options = options or {}
    options.directory = folder
    return resume.all(context, options)
  end

  before_each(function()
    folder = files.folder()
    now, orders, saved, missing, polls, status = 0, {}, {}, {}, 0, "completed"
    claimed = {}
    runtime = block.new { transport = transport,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds end }
    context = { runtime = runtime, ledger = ledger, base_url = BASE,
      api_key = "test-key", timeout = 60, max_video = 2 ^ 32, wall_clock = os.time,
      boottime = function() return now end,
      process_id = function() return 1 end,
      random = function() return 0.5 end }
    context.rate_limiter = rate_limiter.new(context.random)
  end)
  after_each(function()
    files.remove(folder)
  end)

  -- The most of the functions given to `gather` that were under way at once.
  local function most_side_by_side()
    local seen = { most = 0, now = 0 }
    local function counted(body, wrap_also)
      return function(also)
        seen.now = seen.now + 1
        seen.most = math.max(seen.most, seen.now)
        body(wrap_also(also))
        seen.now = seen.now - 1
      end
    end
    local function wrap_also(also)
      return function(body)
        also(counted(body, wrap_also))
      end
    end
    function runtime.gather(self, functions)
      local list = {}
      for index, body in ipairs(functions) do
        list[index] = counted(body, wrap_also)
      end
      return block.new({}).gather(self, list)
    end
    return seen
  end

  it("gives no order a coroutine to wait in", function()
    for number = 1, 2500 do
      orders[number] = order(number)
    end
    status = "processing"
    local seen, inline = most_side_by_side(), runtime.disk
    function runtime.disk(self, ...)
      self:sleep(0.001)
      return inline(self, ...)
    end
    local result = assert(all { timeout = 1000, interval = 900 })
    assert.same({ 0, 0, 2500 }, { result.done, result.failed, result.left })
    assert.equal("timeout", result.orders[1].err.kind)
    assert.is_true(polls >= 2500)
    assert.is_true(seen.most <= 100, seen.most)
  end)

  it("fetches a few videos side by side, and all of them", function()
    for number = 1, 60 do
      orders[number] = order(number)
    end
    local most, under_way = 0, 0
    local send = runtime.transport
    function runtime.transport(req)
      local weight = req.url:find("/v1/result/", 1, true) and 0 or 1
      under_way = under_way + weight
      most = math.max(most, under_way)
      local response = send(req)
      under_way = under_way - weight
      return response
    end
    context.rate_limiter = rate_limiter.new(context.random, 1000)
    local result = assert(all())
    assert.equal(60, result.done)
    assert.equal(60, #saved)
    assert.is_true(most > 8 and most <= 16, most)
    assert.equal(FILM, files.read(folder .. "/k60.mp4"))
  end)

  it("finds names for long keys, and for keys of the same letters", function()
    for number, key in ipairs { ("k"):rep(300), ("k"):rep(299) .. "j", "a/b",
      "a:b", ("镜"):rep(100) } do
      orders[number] = order(number, { key = key })
    end
    orders[6] = order(6, { key = "scene" })
    orders[7] = order(7, { key = "scene", take = 2 })
    local result = assert(all())
    assert.equal(7, result.done)
    local seen = {}
    for _, one in ipairs(result.orders) do
      local name = one.file.path:match "[^/]*$"
      assert.is_nil(seen[name])
      seen[name] = true
      assert.is_true(#(name .. ".part.json") <= 255, name)
    end
  end)

  it("saves what another machine ordered where it is told to", function()
    orders = { order(1, { path = "/home/a/far.mp4", machine = "there" }),
      order(2, { path = folder .. "/near.mp4", machine = "here" }),
      order(3, { path = folder .. "/old.mp4" }) }
    assert.equal(3, assert(all()).done)
    for _, name in ipairs { "far", "near", "old" } do
      assert.equal(FILM, files.read(folder .. "/" .. name .. ".mp4"))
    end
  end)

  it("names the machine whose path cannot be written here", function()
    orders = { order(1, { path = "/nowhere/far.mp4", machine = "there" }) }
    local result = assert(resume.all(context, {}))
    assert.truthy(result.orders[1].err.message:find("machine there: pass a"
      .. " folder", 1, true))
  end)

  -- It was polled by every resume, for ever.
  it("asks for a task that was unknown for a day only when told to", function()
    local day = 24 * 3600
    orders = { order(1, { missing_since = os.time() - day - 60 }),
      order(2, { missing_since = os.time() - day + 60 }) }
    local result = assert(all())
    assert.same({ 1, 0, 1 }, { result.done, result.failed, result.left })
    assert.equal("video_2", saved[1])
    local err = result.orders[1].err
    assert.equal("not_found", err.kind)
    assert.truthy(err.message:find("for 24 h", 1, true), err.message)
    assert.equal(2, assert(all { missing = true, overwrite = true }).done)
  end)

  it("writes down which tasks the provider does not know", function()
    orders = { order(1, { updated_at = 0, created_at = 0 }), order(2) }
    local send = runtime.transport
    function runtime.transport(req)
      if req.url:find("video_1", 1, true) then
        return { status = 404, headers = {}, body = "" }
      end
      return send(req)
    end
    local result = assert(all())
    assert.same({ 1, 1 }, { result.done, result.left })
    assert.same({ "video_1" }, missing)
  end)

  it("fetches what is completed long after the first", function()
    for number = 1, 40 do
      orders[number] = order(number)
    end
    context.rate_limiter = rate_limiter.new(context.random, 1)
    assert.equal(40, assert(all()).done)
  end)

  it("tells each poll with its order", function()
    orders = { order(1), order(2) }
    local seen = {}
    assert(all { on_progress = function(of, task)
      seen[of.key] = task.status
    end })
    assert.same({ k1 = "completed", k2 = "completed" }, seen)
  end)

  it("asks for nothing that is there, or has no place", function()
    local path = folder .. "/there.mp4"
    files.write(path, FILM)
    files.write(folder .. "/k2.mp4", "another's")
    orders = { order(1, { path = path, bytes = #FILM, state = "downloaded" }),
      order(2) }
    local result = assert(all())
    assert.same({ 1, 1, 0 }, { result.done, result.left, polls })
    assert.equal("io", result.orders[2].err.kind)
  end)

  describe("while another process saves the video", function()
    local part, lock

    -- Holds the part as a second process would, until a moment.
    local function hold(until_then, ending)
      local curl = require "starvideos.curl"
      part = folder .. "/k1.mp4.part"
      lock = assert(curl.disk("lock", part))
      local pause = runtime.pause
      function runtime.pause(seconds)
        if now >= until_then and lock then
          curl.disk("unlock", lock)
          lock = ending()
        end
        return pause(seconds)
      end
    end

    before_each(function()
      orders = { order(1) }
      local send = runtime.transport
      function runtime.transport(req)
        if lock and not req.url:find("/v1/result/", 1, true) then
          return nil, { reason = "busy", message = "another download is"
            .. " writing " .. part }
        end
        return send(req)
      end
    end)

    it("is done when that one is", function()
      hold(20, function()
        files.write(folder .. "/k1.mp4", FILM)
        function ledger.of_task()
          return order(1, { path = folder .. "/k1.mp4", bytes = #FILM,
            state = "downloaded" })
        end
      end)
      local result = assert(all())
      ledger.of_task = function() end
      assert.same({ 1, 0, 0 }, { result.done, result.failed, result.left })
      assert.same({}, saved)
      assert.is_true(now >= 20 and now < 40, now)
    end)

    it("saves what that one left when it ended", function()
      hold(20, function() end)
      local result = assert(all())
      assert.same({ 1, 1 }, { result.done, #saved })
    end)

    it("calls it not saved yet where time runs out, and no fault of the disk",
      function()
        hold(1e9, function() end)
        local result = assert(all { timeout = 100 })
        assert.same({ 0, 0, 1 }, { result.done, result.failed, result.left })
        local err = result.orders[1].err
        assert.equal("timeout", err.kind)
        assert.equal("video_1", err.task.id)
        assert.truthy(err.message:find("another process", 1, true))
        assert.is_true(now < 120, now)
      end)
  end)

  it("ends with what it has where it is cancelled", function()
    orders = { order(1), order(2) }
    status = "processing"
    function runtime.pause(seconds)
      now = now + seconds
      if now > 100 then
        return nil, "cancelled"
      end
    end
    local result, err = all()
    assert.is_nil(result)
    assert.same({ "cancelled", 2 }, { err.kind, err.result.left })
    assert.is_nil(err.interrupted)
    assert.equal("cancelled", err.result.orders[1].err.kind)
  end)

  it("sends nothing where the ledger cannot be read to its end", function()
    for number = 1, 1000 do
      orders[number] = order(number)
    end
    local of_ledger = setmetatable({ pending = function(self, limit, after)
      if after then
        return nil, errors.new { kind = "ledger", message = "disk full" }
      end
      return ledger.pending(self, limit)
    end }, { __index = ledger })
    context.ledger = of_ledger
    local result, err = all()
    assert.is_nil(result)
    assert.same({ "ledger", 0 }, { err.kind, polls })
  end)
end)
