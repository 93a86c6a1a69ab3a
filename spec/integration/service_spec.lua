-- Every operation against the provider's stand-in on real sockets, over plain
-- HTTP and as the provider speaks: TLS, with HTTP/2 offered.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local record = books.of

local function params(prompt, more)
  local order = { model = "videos", duration = 4, prompt = prompt }
  for name, value in pairs(more or {}) do
    order[name] = value
  end
  return order
end

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close() ~= nil
end

-- The real time, in which pauses are over at once.
local skipping = { skipped = 0 }

function skipping.clock()
  return core.now() + skipping.skipped
end

function skipping.sleep(seconds)
  skipping.skipped = skipping.skipped + seconds
  return true
end

for _, tls in ipairs { false, true } do
  local scheme = tls and "TLS" or "plain HTTP"

  describe("over " .. scheme, function()
    local server, client, hurried, folder

    local function new_client(more)
      local options = { api_key = server.key, base_url = server.base_url,
        ca_file = server.ca_file }
      for name, value in pairs(more or {}) do
        options[name] = value
      end
      return assert(starvideos.new(options))
    end

    setup(function()
      server = assert(nginx.start { tls = tls, seconds = 0.6,
        queued_seconds = 0.2, drawn = false })
      folder = files.folder()
    end)

    teardown(function()
      server:stop()
      shell.run("rm -rf " .. shell.quote(folder))
    end)

    before_each(function()
      books.reset(server)
      client = new_client()
      hurried = new_client { timeout = 1, clock = skipping.clock,
        sleep = skipping.sleep }
    end)

    after_each(function()
      client:close()
      hurried:close()
    end)

    it("orders, waits and saves a whole video", function()
      local path = folder .. "/whole.mp4"
      local seen = {}
      local task, file = client:generate(params "a kite", { path = path,
        interval = 0.2, on_progress = function(now)
          seen[#seen + 1] = now.status
        end })
      assert(task, file)
      assert.equal("completed", task.status)
      assert.equal("completed", seen[#seen])
      assert.is_true(file.bytes > 1000)
      assert.is_false(exists(path .. ".part"))
      assert.is_false(exists(path .. ".part.json"))
      local seen_there = record(server)
      assert.equal(1, seen_there.posts)
      assert.equal(0, seen_there.media.with_authorization)
    end)

    it("gives each order a connection of its own", function()
      for index = 1, 3 do
        assert(client:query((assert(client:create(params("n" .. index)))).id))
      end
      for _, post in ipairs(record(server).creates) do
        assert.equal(1, post.connection.requests)
        assert.equal("HTTP/1.1", post.protocol)
      end
    end)

    it("waits for many at the same time", function()
      local ids = {}
      for index = 1, 8 do
        ids[index] = assert(client:create(params("many " .. index))).id
      end
      ids[9] = assert(client:create(params "[scenario:failed]")).id
      local began = core.now()
      local results = client:wait_all(ids, { interval = 0.3, timeout = 20 })
      assert.is_true(core.now() - began < 5)
      for index = 1, 8 do
        assert.equal("completed", results[index].task.status)
      end
      assert.equal("task_failed", results[9].err.kind)
    end)

    local orders = {
      { "create_missing", "invalid_request" },
      { "create_refused", "invalid_request" },
      { "create_refused_id", "invalid_request" },
      { "create_policy_chinese", "invalid_request" },
      { "create_quota", "invalid_request" },
      { "create_402", "invalid_request" },
      { "create_no_handler", "config" },
      { "create_404", "config" },
      { "create_redirect", "config" },
      { "create_auth", "auth" },
      { "create_401", "auth" },
      { "create_429", "rate_limited", 3 },
      { "create_500", "outcome_unknown" },
      { "create_502", "outcome_unknown" },
      { "create_504", "outcome_unknown" },
      { "create_html", "outcome_unknown" },
      { "create_empty", "outcome_unknown" },
      { "create_reset", "outcome_unknown" },
      { "create_truncated", "outcome_unknown" },
      { "create_hang", "outcome_unknown" },
      { "create_huge", "outcome_unknown" },
      { "create_nested", "outcome_unknown" },
    }
    for _, row in ipairs(orders) do
      local times = row[3] or 1
      it(("sends an order %d times and calls it %s at %s"):format(times,
        row[2], row[1]),
        function()
          assert(hurried:query((assert(hurried:create(params "warm"))).id))
          local task, err = hurried:create(params(
            "[scenario:" .. row[1] .. "]"))
          assert.is_nil(task)
          assert.equal(row[2], err.kind, tostring(err))
          assert.equal(1 + times, record(server).posts)
        end)
    end

    local answered = { "create_project_id", "create_data", "create_coded",
      "create_202", "result_data", "result_result", "result_error_empty",
      "result_upper", "result_succeeded", "result_done", "result_url",
      "result_strings", "result_extras", "result_progress", "result_model",
      "query_429=1", "query_500=2", "query_502=1", "query_html=2",
      "query_reset=1", "query_truncated=1", "query_401=3", "query_404=2",
      "query_nested=1", "query_huge=1" }
    for _, scenario in ipairs(answered) do
      it("waits a task through " .. scenario, function()
        local task = assert(client:create(params(
          "[scenario:" .. scenario .. "]")))
        local done = assert(client:wait(task, { interval = 0.2,
          max_interval = 0.2, timeout = 20 }))
        assert.equal("completed", done.status)
        assert.truthy(done.video_url)
      end)
    end

    it("polls an unknown status on to the deadline, and no longer", function()
      local task = assert(client:create(params "[scenario:result_unknown]"))
      local began = core.now()
      local _, err = client:wait(task, { interval = 0.2, timeout = 1 })
      assert.equal("timeout", err.kind)
      assert.is_near(1, core.now() - began, 0.3)
      assert.equal(task.id, err.task.id)
    end)

    it("ends a poll that hangs at the deadline", function()
      local task = assert(client:create(params "[scenario:query_hang]"))
      local began = core.now()
      local _, err = client:wait(task, { interval = 0.1, timeout = 0.8 })
      assert.equal("timeout", err.kind)
      assert.is_near(0.8, core.now() - began, 0.3)
    end)

    it("keeps to Retry-After where it lies past the end of the wait",
      function()
        local task = assert(client:create(params "[scenario:query_429_long]"))
        local _, err = client:wait(task, { interval = 0.1, timeout = 5 })
        assert.equal("rate_limited", err.kind)
        assert.equal(3600, err.retry_after)
      end)

    local function completed(scenario)
      local task = assert(client:create(params(
        "[scenario:" .. scenario .. "]")))
      return assert(client:wait(task, { interval = 0.2 }))
    end

    it("goes on with a download that broke off", function()
      local path = folder .. "/resumed.mp4"
      local file = assert(hurried:download(completed "media_truncated", path))
      assert.is_true(file.resumed_from > 0)
      assert.is_false(exists(path .. ".part"))
    end)

    it("begins a download again that broke off before its first byte",
      function()
        local path = folder .. "/again.mp4"
        local file = assert(hurried:download(completed "media_reset", path))
        assert.is_true(file.bytes > 1000)
      end)

    it("restarts a file that has changed meanwhile", function()
      local path = folder .. "/changed.mp4"
      local file = assert(hurried:download(completed "media_changed", path))
      assert.is_nil(file.resumed_from)
    end)

    local broken = { { "media_403", "expired" }, { "media_410", "expired" },
      { "media_500", "server" }, { "media_html", "protocol" },
      { "media_json", "protocol" }, { "media_empty", "network" } }
    for _, row in ipairs(broken) do
      it(("saves nothing and says %s at %s"):format(row[2], row[1]),
        function()
          local path = folder .. "/" .. row[1]
          local _, err = hurried:download(completed(row[1]), path)
          assert.equal(row[2], err.kind, tostring(err))
          assert.is_false(exists(path))
          assert.is_false(exists(path .. ".part"))
        end)
    end

    it("ends a download that stalls, and keeps what came", function()
      local path = folder .. "/stalled.mp4"
      local _, err = client:download(completed "media_stall", path,
        { stall_timeout = 1, timeout = 3 })
      assert.equal("timeout", err.kind)
      assert.is_true(exists(path .. ".part"))
    end)

    it("refuses a request of 10 MB as the provider does", function()
      local _, err = client:create(params(("x"):rep(10 * 1024 * 1024)))
      assert.equal("invalid_request", err.kind, tostring(err))
    end)

    it("says not_found for an id that climbs", function()
      for _, id in ipairs { "/../x", "..", "a b", "%2e%2e", "生" } do
        local _, err = client:query(id)
        assert.equal("not_found", err.kind, id .. ": " .. tostring(err))
      end
    end)

    it("calls a refused connection network, with nothing sent", function()
      local nobody = new_client { base_url = "http://127.0.0.1:1",
        clock = skipping.clock, sleep = skipping.sleep }
      local _, err = nobody:create(params "a")
      assert.equal("network", err.kind)
      assert.is_false(err.sent)
    end)

    if tls then
      it("sends nothing to a server it does not trust", function()
        local stranger = new_client {
          ca_file = "/etc/ssl/certs/ca-certificates.crt" }
        local _, err = stranger:create(params "a")
        assert.equal("network", err.kind)
        assert.is_false(err.sent)
        assert.equal(0, record(server).posts)
      end)
    end
  end)
end
