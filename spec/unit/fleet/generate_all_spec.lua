local files = require "spec.fixtures.files"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

describe("a list of videos", function()
  local box, folder, now, clients, requests, before_request

  before_each(function()
    folder, now, clients, requests, before_request = files.folder(), 0, {}, {},
      nil
    box = sandbox.new { clock = function() return now end, seconds = 100,
      queued_seconds = 10 }
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    files.remove(folder)
  end)

  local function client_with(changes)
    local transport = box:transport()
    local options = {
      api_key = box.key,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds return true end,
      transport = function(req)
        requests[#requests + 1] = req.method
        if before_request then
          before_request(req)
        end
        return transport(req)
      end,
    }
    for name, value in pairs(changes or {}) do
      options[name] = value
    end
    clients[#clients + 1] = assert(starvideos.new(options))
    return clients[#clients]
  end

  local function with_ledger()
    return client_with { ledger = folder .. "/ledger.db" }
  end

  local function order(path, scenario)
    return { model = "videos", duration = 5, path = path, prompt = scenario
      and ("[scenario:%s] a kite"):format(scenario) or "a kite" }
  end

  local function orders(count)
    local list = {}
    for index = 1, count do
      list[index] = order(index .. ".mp4")
    end
    return list
  end

  local function is_there(path)
    local text = files.read(folder .. "/" .. path)
    return text ~= nil and #text > 1000
  end

  -- What became of each, in the order of the list.
  local function words_of(results)
    local words = {}
    for index, result in ipairs(results) do
      words[index] = result.file and "saved" or result.err.kind
      assert.equal(result.file ~= nil, result.task ~= nil)
    end
    return words
  end

  it("is ordered, waited for and saved, in folders that are made", function()
    local results = assert(client_with():generate_all({ order "a/b/1.mp4",
      order "./a//2.mp4", order "3.mp4" }, { directory = folder .. "/new" }))
    assert.same({ "saved", "saved", "saved" }, words_of(results))
    assert.equal(folder .. "/new/a/b/1.mp4", results[1].file.path)
    for _, path in ipairs { "new/a/b/1.mp4", "new/a/2.mp4", "new/3.mp4" } do
      assert.is_true(is_there(path), path)
    end
  end)

  it("has its files in the current folder unless another is named", function()
    local path = folder .. "/1.mp4"
    assert(client_with():generate_all { order(path) }) -- an absolute path
    assert.is_true(is_there "1.mp4")
    local list = orders(1)
    list[1].path = "spec-nowhere/../1.mp4"
    assert.is_nil((client_with():generate_all(list)))
  end)

  it("has five under way at a time, or as many as the caller says", function()
    for _, case in ipairs { { nil, 5 }, { 1, 1 }, { 3, 3 }, { 100, 8 } } do
      local open, most, begun = 0, 0, {}
      local results = assert(client_with():generate_all(orders(8), {
        directory = folder, overwrite = true, at_most = case[1],
        on_task = function(one)
          open, begun[#begun + 1] = open + 1, one.path
          most = math.max(most, open)
        end,
        on_done = function() open = open - 1 end,
      }))
      assert.equal(8, #results)
      assert.equal(case[2], most)
      assert.same({ "1.mp4", "2.mp4" }, { begun[1], begun[2] })
    end
  end)

  it("has each result in its place, whichever comes first", function()
    local results = assert(client_with():generate_all({ order "1.mp4",
      order("2.mp4", "failed"), order("3.mp4", "create_refused"),
      order("4.mp4", "create_reset"), order "5.mp4" },
      { directory = folder, at_most = 2 }))
    assert.same({ "saved", "task_failed", "invalid_request",
      "outcome_unknown", "saved" }, words_of(results))
  end)

  it("tells its listeners of which order", function()
    local list = { order "1.mp4", order("2.mp4", "failed") }
    local done, progress, tasks = {}, {}, {}
    local results = assert(client_with():generate_all(list, {
      directory = folder,
      on_done = function(one, file, err) done[one] = file or err end,
      on_progress = function(one, task, info)
        progress[one] = { task.id, info.polls }
      end,
      on_task = function(one, task) tasks[one] = task.id end,
    }))
    assert.equal(results[1].file, done[list[1]])
    assert.equal(results[2].err, done[list[2]])
    assert.equal(results[1].task.id, tasks[list[1]])
    assert.equal(results[2].err.task_id, tasks[list[2]])
    assert.equal(results[1].task.id, progress[list[1]][1])
  end)

  it("goes on though its listeners raise", function()
    local results = assert(client_with { on_event = function() end }
      :generate_all(orders(2), { directory = folder,
        on_done = function() error "a fault" end,
        on_task = function() error "a fault" end }))
    assert.same({ "saved", "saved" }, words_of(results))
  end)

  it("names every fault before the first is ordered", function()
    local results, err = client_with():generate_all({ order "1.mp4",
      order "../2.mp4", { path = "3.mp4" } }, { directory = folder })
    assert.is_nil(results)
    assert.equal("validation", err.kind)
    assert.equal(2, err.violations[1].index)
    assert.same({}, requests)
    assert.is_false(is_there "1.mp4")
  end)

  it("orders nothing where a folder cannot be made", function()
    files.write(folder .. "/taken", "")
    local results, err = client_with():generate_all({ order "1.mp4",
      order "taken/2.mp4" }, { directory = folder })
    assert.is_nil(results)
    assert.equal("io", err.kind)
    assert.truthy(err.message:find(folder .. "/taken: Not a directory; nothing"
      .. " was ordered", 1, true), err.message)
    assert.same({}, requests)
  end)

  it("may be empty", function()
    assert.same({}, assert(client_with():generate_all {}))
  end)

  it("saves what has a key alone under a name that follows from it", function()
    local list = { order(nil), order(nil) }
    list[1].key, list[2].key = "kite", "a/../b"
    local results = assert(client_with():generate_all(list,
      { directory = folder }))
    assert.equal(folder .. "/kite.mp4", results[1].file.path)
    assert.truthy(results[2].file.path:find("^" .. folder:gsub("%p", "%%%0")
      .. "/a_%.%._b%-%x+%.mp4$"), results[2].file.path)
  end)

  it("begins no more after a refused key", function()
    local client = client_with { api_key = "another" }
    local results = assert(client:generate_all(orders(4),
      { directory = folder, at_most = 1 }))
    assert.same({ "auth", "auth", "auth", "auth" }, words_of(results))
    assert.equal(2, #requests) -- one alone could be to blame itself
    assert.truthy(results[3].err.message:find("not begun", 1, true))
    assert.are_not.equal(results[3].err, results[4].err)
  end)

  it("begins no more after an empty balance", function()
    local list = orders(3)
    list[1], list[2] = order("1.mp4", "create_402"), order("2.mp4", "create_402")
    local results = assert(client_with():generate_all(list,
      { directory = folder, at_most = 1 }))
    assert.equal(402, results[3].err.status)
    assert.equal(2, #requests)
  end)

  it("goes on after an order that is refused for what it is", function()
    local list = orders(3)
    list[1] = order("1.mp4", "create_400")
    local results = assert(client_with():generate_all(list,
      { directory = folder, at_most = 1 }))
    assert.same({ "invalid_request", "saved", "saved" }, words_of(results))
  end)

  it("goes on after one order that is refused as all would be", function()
    local list = orders(4)
    list[1], list[3] = order("1.mp4", "create_auth"), order("3.mp4", "create_402")
    local results = assert(client_with():generate_all(list,
      { directory = folder, at_most = 1 }))
    assert.same({ "auth", "saved", "invalid_request", "saved" }, words_of(results))
  end)

  describe("with a ledger", function()
    it("is the same orders when it comes again", function()
      local list = { order "1.mp4", order("2.mp4", "failed") }
      local client = with_ledger()
      local first = assert(client:generate_all(list, { directory = folder }))
      local posts = box:tasks().billed
      local second = assert(client:generate_all(list, { directory = folder }))
      assert.same({ "saved", "task_failed" }, words_of(first))
      assert.same({ "saved", "task_failed" }, words_of(second))
      assert.equal(first[1].file.sha256, second[1].file.sha256)
      assert.equal(posts, box:tasks().billed)
    end)

    it("has the keys of a list that is enqueued", function()
      local client = with_ledger()
      assert(client:enqueue { order "a/1.mp4" })
      assert(client:generate_all({ order "./a/1.mp4" },
        { directory = folder, label = "film" }))
      local found = assert(client:order "a/1.mp4")
      assert.same({ "downloaded", "film" }, { found.state, found.label })
      assert.equal(1, #assert(client:pending { all = true }))
    end)

    it("waits for what a limit lets through", function()
      local client, open, most = with_ledger(), 0, 0
      assert(client:limits { open = 1 })
      local results = assert(client:generate_all(orders(4), {
        directory = folder, at_most = 3,
        on_task = function()
          open = open + 1
          most = math.max(most, open)
        end,
        on_done = function() open = open - 1 end,
      }))
      assert.same({ "saved", "saved", "saved", "saved" }, words_of(results))
      assert.equal(1, most)
    end)

    it("has no order that a spent limit keeps back", function()
      local client = client_with { ledger = folder .. "/ledger.db",
        prices = { currency = "USD", models = { videos = { per_video = 1 } } } }
      assert(client:limits { spend = 2, per = "total" })
      local results = assert(client:generate_all(orders(4), {
        directory = folder, at_most = 3 }))
      local words = words_of(results)
      table.sort(words)
      assert.same({ "limited", "limited", "saved", "saved" }, words)
      assert.equal(2, box:tasks().billed)
    end)

    it("continues what one that was interrupted has left", function()
      local raised
      local client = client_with { ledger = folder .. "/ledger.db",
        sleep = function(seconds)
          now = now + seconds
          if now > 50 and not raised then
            raised = true
            error("x.lua:1: interrupted!", 0)
          end
          return true
        end, interrupts = "return" }
      local results, err = client:generate_all(orders(3),
        { directory = folder, at_most = 2 })
      assert.is_nil(results)
      assert.equal("cancelled", err.kind)
      assert.is_true(err.interrupted)
      assert.truthy(err.message:find("0 of 3 videos saved", 1, true))
      assert.same({ "cancelled", "cancelled", "cancelled" },
        words_of(err.result))
      assert.truthy(err.result[1].err.task_id)
      assert.is_nil(err.result[3].err.task_id)
      assert.equal(2, box:tasks().billed)
      results = assert(client:generate_all(orders(3), { directory = folder }))
      assert.same({ "saved", "saved", "saved" }, words_of(results))
      assert.equal(3, box:tasks().billed)
    end)
  end)

  it("raises after Ctrl-C, as every call does", function()
    local client = client_with { sleep = function()
      error("x.lua:1: interrupted!", 0)
    end }
    local ok, raised = pcall(client.generate_all, client, orders(2),
      { directory = folder })
    assert.is_false(ok)
    assert.truthy(tostring(raised):find("0 of 2 videos saved", 1, true))
  end)

  it("ends where a listener closes its client", function()
    local client
    client = client_with()
    local _, err = client:generate_all(orders(3), { directory = folder,
      at_most = 1, on_progress = function() client:close() end })
    assert.equal("cancelled", err.kind)
    assert.equal(1, box:tasks().billed)
  end)

  describe("in a game", function()
    it("is made side by side, and its handle shows how far it is", function()
      local client = client_with { runtime = "frame" }
      local handle = client:async(client.generate_all, client, orders(6),
        { directory = folder, at_most = 2 })
      local seen, most = 0, 0
      while not handle.done do
        now = now + 1
        client:update(1000)
        local progress = handle.progress
        if progress then
          assert.equal(6, progress.count)
          seen, most = seen + 1, math.max(most, progress.ended)
        end
      end
      assert.same({ "saved", "saved", "saved", "saved", "saved", "saved" },
        words_of(assert(handle.result, handle.err)))
      assert.is_true(seen > 10)
      assert.is_true(most >= 4)
    end)

    it("is checked a part at a time", function()
      local client = client_with { runtime = "frame" }
      local list = orders(1000)
      list[1000].duration = 77
      local handle = client:async(client.generate_all, client, list,
        { directory = folder })
      local frames = 0
      while not handle.done do
        client:update(0)
        frames = frames + 1
      end
      assert.equal("validation", handle.err.kind)
      assert.is_true(frames > 50)
    end)

    it("ends where its handle is cancelled", function()
      local client = client_with { runtime = "frame" }
      local handle = client:async(client.generate_all, client, orders(4),
        { directory = folder, at_most = 2 })
      while box:tasks().billed < 2 do
        client:update(1000)
      end
      handle:cancel()
      while not handle.done do
        now = now + 1
        client:update(1000)
      end
      assert.equal("cancelled", handle.err.kind)
      assert.equal(2, box:tasks().billed)
      assert.equal(4, #handle.err.result)
    end)
  end)
end)
