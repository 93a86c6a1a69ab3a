-- The runtime `ngx` in the real nginx, against the sandbox over TLS.

local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local host = require "spec.fixtures.nginx_host"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local HTTP = [[
  lua_shared_dict results 1m;
  lua_shared_dict videos 1m;
  init_by_lua_block { require("app").refused() }
  init_worker_by_lua_block { require("app").refused() }
]]

local SERVER = [[
    server_rewrite_by_lua_block {
      if ngx.var.uri:find "^/server_rewrite/" then
        require("app").answer()
        ngx.exit(200)
      end
    }
    location = /ping { return 200 "pong"; }
    location /content/ { content_by_lua_block { require("app").answer() } }
    location /access/ {
      access_by_lua_block { require("app").answer() ngx.exit(200) }
    }
    location /rewrite/ {
      rewrite_by_lua_block { require("app").answer() ngx.exit(200) }
    }
    location /timer/ { content_by_lua_block { require("app").later() } }
    location = /result { content_by_lua_block { require("app").result() } }
    location = /refused {
      set_by_lua_block $nothing { require("app").refused() return "" }
      content_by_lua_block { ngx.say("x") }
      header_filter_by_lua_block { require("app").refused() }
      body_filter_by_lua_block { require("app").refused() }
      log_by_lua_block { require("app").refused() }
    }
    location /aborted/ {
      lua_check_client_abort on;
      content_by_lua_block { require("app").answer() }
    }
]]

local provider

local function start(more)
  local options = { app = "spec/hosts/nginx/app.lua", http = HTTP,
    server = SERVER }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  options.settings = { key = provider.key, base_url = provider.base_url,
    ca_file = provider.prefix .. "/tls/ca.pem" }
  for name, value in pairs(more and more.settings or {}) do
    options.settings[name] = value
  end
  return host.start(options)
end

local function ask(server, path, more)
  local text, status = server:get(path, more)
  assert.equal("200", status, text)
  return (json.decode(text))
end

local function until_true(seconds, condition)
  local deadline = core.now() + seconds
  local value = condition()
  while not value and core.now() < deadline do
    core.sleep(0.05)
    value = condition()
  end
  return value
end

local function provider_tasks()
  return json.decode((shell.read(("curl -s --cacert %s %s/__sandbox/tasks")
    :format(provider.ca_file,
      (provider.base_url:gsub("/kyyReactApiServer$", "")))))).tasks
end

local asked = 0

-- A request whose answer is asked for later, by what this returns: nil until
-- curl has written all of it, whether or not the worker has ended.
local function background(server, path)
  asked = asked + 1
  local out = ("%s/files/answer%d"):format(server.prefix, asked)
  os.execute(shell.fill("curl -s -m 60 -o @out@ @url@ 2>/dev/null &",
    { url = server.url .. path, out = out }))
  return function()
    return (json.decode(file.read(out)))
  end
end

local function is_still(server)
  local held = ask(server, "/content/held")
  return held.waiting == 0 and held.in_flight == 0 and held
end

local function with_prompt(path, prompt)
  return path .. "?prompt=" .. prompt:gsub("[^%w]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
end

local function ordered(server, prompt)
  return assert(ask(server, with_prompt("/content/create", prompt)).id)
end

-- What a process has used: seconds of CPU, and how often it went to sleep.
local function used(pid)
  local stat = file.read(("/proc/%d/stat"):format(pid)):match "%) (.*)"
  local fields = {}
  for field in stat:gmatch "%S+" do
    fields[#fields + 1] = field
  end
  local status = file.read(("/proc/%d/status"):format(pid))
  return (fields[12] + fields[13]) / 100,
    tonumber(status:match "\nvoluntary_ctxt_switches:%s*(%d+)")
end

local function is_gone(pids)
  return until_true(3, function()
    for _, pid in ipairs(pids) do
      if file.exists(("/proc/%d/stat"):format(pid)) then
        return false
      end
    end
    return true
  end)
end

setup(function()
  provider = assert(sandbox.start { tls = true, seconds = 0.3,
    queued_seconds = 0.1, drawn = false })
end)

teardown(function()
  provider:stop()
end)

local server

-- The specs of a `describe` ask one nginx, which must not complain of anything.
local function runs_nginx(options)
  setup(function()
    server = start(options)
  end)
  teardown(function()
    local complaints = server:complaints()
    server:stop()
    assert.equal("", complaints)
  end)
end

describe("the runtime of nginx", function()
  runs_nginx()

  for _, phase in ipairs { "content", "access", "rewrite",
    "server_rewrite" } do
    it("orders, waits and saves in the phase " .. phase, function()
      local result = ask(server, ("/%s/all"):format(phase))
      assert.is_nil(result.raised)
      assert.equal("completed", result.status)
      assert.equal("completed", result.second)
      assert.equal(result.bytes, result.received)
      assert.equal("completed", result.third)
    end)
  end

  it("orders, waits and saves in a timer", function()
    server:get "/timer/all"
    local result = until_true(20, function()
      local text = server:get "/result?of=all"
      return text:find "{" and json.decode(text)
    end)
    assert.is_nil(result.raised)
    assert.equal("completed", result.status)
    assert.equal("completed", result.second)
  end)

  for phase, advice in pairs { init = 'runtime = "block"',
    init_worker = "ngx.timer.at", set = "ngx.timer.at",
    header_filter = "ngx.timer.at", body_filter = "ngx.timer.at",
    log = "ngx.timer.at" } do
    it("says where to call instead of the phase " .. phase, function()
      server:get "/refused"
      local text = server:get("/result?of=" .. phase)
      assert.truthy(text:find(("create cannot wait in nginx's phase %s: ")
        :format(phase), 1, true), text)
      assert.truthy(text:find(advice, 1, true), text)
    end)
  end

  it("refuses an order in a function in which Lua cannot wait", function()
    local result = ask(server, "/content/astray")
    assert.matches("create cannot wait here, and nothing was sent",
      result.refused)
    assert.is_nil(result.sent)
    assert.is_string(result.id)
  end)

  it("answers others while a hundred waits are on, and does not look",
    function()
      background(server, "/content/sleepers?count=100")
      core.sleep(0.5)
      local pid = server:workers()[1]
      local seconds, sleeps = used(pid)
      core.sleep(2)
      local seconds_after, sleeps_after = used(pid)
      assert.is_near(0, seconds_after - seconds, 0.05)
      assert.is_near(0, sleeps_after - sleeps, 20)
      local body, _, took = server:get "/ping"
      assert.equal("pong", body)
      assert.is_near(0, took, 0.5)
    end)

  it("ends a hundred waits when their time is up", function()
    local began = core.now()
    assert.same({ timeout = 100 },
      ask(server, "/content/sleepers?count=100&timeout=1"))
    local took = core.now() - began
    assert.is_true(took >= 1 and took < 10, took)
  end)

  it("answers others while an answer is slow", function()
    local answer = background(server, with_prompt("/content/create",
      "a slow one [scenario:create_slow=2]"))
    core.sleep(0.3)
    local body, _, took = server:get "/ping"
    assert.equal("pong", body)
    assert.is_near(0, took, 0.5)
    assert.is_string(until_true(10, answer).id)
  end)

  it("frees what a thousand killed waits held", function()
    ask(server, "/content/killed?count=1000")
    local before = ask(server, "/content/held").kilobytes
    for _ = 1, 3 do
      ask(server, "/content/killed?count=1000")
    end
    local held = assert(until_true(5, function() return is_still(server) end))
    assert.is_true(held.kilobytes < before + 500)
  end)

  it("frees what a gather held", function()
    assert.equal(1000, ask(server, "/content/gathered").ended)
    local before = ask(server, "/content/held").kilobytes
    for _ = 1, 3 do
      ask(server, "/content/gathered")
    end
    assert.is_true(ask(server, "/content/held").kilobytes < before + 500)
  end)

  it("ends the waits of a closed client, and no other's", function()
    assert.same({ "cancelled", "timeout" }, ask(server, "/content/closed"))
  end)

  it("writes down an order whose client was closed meanwhile", function()
    local result = ask(server, "/content/closed_early")
    assert.matches("^video_", result.id)
    assert.equal(result.id, result.on_record)
  end)

  it("ends the waits of a client that a listener closes", function()
    assert.same({ "cancelled", "cancelled" },
      ask(server, "/content/closed_within"))
  end)

  it("cancels what was under way for killed waits", function()
    ask(server, "/content/killed?count=100&first=0&after=0.05")
    assert.is_table(until_true(5, function() return is_still(server) end))
  end)

  it("ends a download whose light thread was killed", function()
    local id = ordered(server, "a film [scenario:media_stall=100]")
    assert.equal("completed", ask(server, "/content/wait?id=" .. id).status)
    assert.same({ killed = 1, in_flight = 1 }, ask(server,
      "/content/killed_call?call=download&name=slow&id=" .. id))
    assert.is_table(until_true(5, function() return is_still(server) end))
  end)

  it("ends a download whose HTTP client has hung up", function()
    local id = ordered(server, "a film [scenario:media_stall=100]")
    assert.equal("completed", ask(server, "/content/wait?id=" .. id).status)
    server:get("/aborted/download?name=gone&id=" .. id, "-m 0.5")
    assert.is_table(until_true(5, function() return is_still(server) end))
  end)

  for how, path in pairs {
    ["was killed"] = "/content/killed_call?call=create&prompt=",
    ["lost its client"] = "/aborted/create?prompt=" } do
    it("takes an order to its end whose light thread " .. how, function()
      local name = "an orphan that " .. how
      server:get(path .. name:gsub(" ", "%%20")
        .. "%5Bscenario:create_slow=1%5D", "-m 0.4")
      local event = until_true(5, function()
        local last = ask(server, "/content/last_event")
        return last.method == "POST" and last.url:find "videos" and last
      end)
      assert.equal(200, event.status)
      local log = file.read(server.prefix .. "/logs/error.log")
      assert.truthy(log:find "task %S+ was created, but its caller has ended")
    end)
  end

  it("sends orders in turn, and none whose light thread was killed before",
    function()
      local began = core.now()
      local result = ask(server, with_prompt("/content/orders",
        "a queue [scenario:create_slow=0.4]"))
      assert.equal(4, #result.ids)
      assert.is_true(core.now() - began >= 1.2)
      local ordered_by_them = 0
      for _, task in ipairs(provider_tasks()) do
        ordered_by_them = ordered_by_them
          + (task.prompt:find("^a queue") and 1 or 0)
      end
      assert.equal(5, ordered_by_them)
    end)

  it("ends the waits of a gather whose parent was killed", function()
    ask(server, "/content/killed_call?call=sleepers_all&count=50")
    assert.is_true(until_true(6, function()
      return not ask(server, "/content/held").running
    end))
  end)
end)

describe("two workers", function()
  runs_nginx { workers = 2, settings = { shared = true } }

  local function polls_of(id)
    for _, task in ipairs(provider_tasks()) do
      if task.id == id then
        return task.queries
      end
    end
  end

  it("ask as often as one would, where they share a dictionary", function()
    local id = ordered(server, "a long film [scenario:takes=3]")
    local path = "/content/wait?interval=1&first=1&timeout=20&id=" .. id
    local answers, pids = {}, {}
    for index = 1, 10 do
      answers[index] = background(server, path)
    end
    for index = 1, 10 do
      local task = until_true(20, answers[index])
      assert.equal("completed", task.status)
      pids[task.pid] = true
    end
    assert.is_true(polls_of(id) <= 6)
    local first = next(pids)
    assert.is_truthy(next(pids, first), "one worker took all requests")
  end)
end)

describe("the pump of a worker", function()
  runs_nginx { settings = { limits = { threads = 5 } } }

  it("is followed by the next one, and nothing is lost", function()
    local id = ordered(server, "a long film [scenario:takes=3]")
    local waiting = background(server, "/content/wait?id=" .. id)
    local slow = background(server, with_prompt("/content/create",
      "a slow one [scenario:create_slow=2]"))
    for index = 1, 20 do
      assert.is_string(ordered(server, "film " .. index))
    end
    assert.is_true(ask(server, "/content/held").pumps > 3)
    assert.is_string(until_true(10, slow).id)
    assert.equal("completed", until_true(10, waiting).status)
    assert.is_table(until_true(5, function() return is_still(server) end))
  end)
end)

describe("a transport of the host's", function()
  runs_nginx { settings = { transport = "asleep" } }

  it("is not waited for when the worker ends", function()
    local answer = background(server, "/content/query?id=video_1")
    core.sleep(0.5)
    local before = server:workers()
    server:signal "HUP"
    assert.is_true(is_gone(before))
    assert.equal("cancelled", until_true(5, answer).kind)
  end)
end)

describe("the end of a worker", function()
  before_each(function()
    server = start { workers = 2 }
  end)

  after_each(function()
    local complaints = server:complaints()
    local left = shell.read(shell.fill(
      "ls -d @prefix@/files/starvideos-* 2>/dev/null", server))
    server:stop()
    assert.equal("", complaints)
    assert.equal("", left)
  end)

  -- Waits and downloads that would go on for long.
  local function burden()
    local id = ordered(server, "a long film [scenario:media_stall=100]")
    assert.equal("completed", ask(server, "/content/wait?id=" .. id).status)
    local answers = { background(server, "/content/sleepers?count=1000") }
    for index = 1, 4 do
      answers[index + 1] = background(server,
        ("/content/download?id=%s&name=long%d"):format(id, index))
    end
    core.sleep(0.7)
    return answers
  end

  it("by a reload ends waits and downloads at once, and says so", function()
    local answers = burden()
    local before = server:workers()
    server:signal "HUP"
    assert.is_true(is_gone(before))
    assert.same({ cancelled = 1000 }, until_true(5, answers[1]))
    for index = 2, 5 do
      assert.equal("cancelled", until_true(5, answers[index]).kind)
    end
    assert.equal("completed", ask(server, "/content/all").status)
  end)

  it("waits for the answer to an order, and no longer", function()
    local answer = background(server, with_prompt("/content/create",
      "in the last minute [scenario:create_slow=1]"))
    core.sleep(0.4)
    local before = server:workers()
    server:signal "HUP"
    assert.is_true(is_gone(before))
    assert.is_string(until_true(5, answer).id)
  end)

  it("lets an order through that begins then, and nothing else", function()
    local answer = background(server, "/content/late")
    core.sleep(0.4)
    local before = server:workers()
    server:signal "HUP"
    assert.is_true(is_gone(before))
    assert.equal("cancelled", until_true(5, answer).query)
    assert.is_string(answer().order)
  end)

  -- Only then do the ones before learn that they are to end.
  local function has_new(before)
    local known = {}
    for _, pid in ipairs(before) do
      known[pid] = true
    end
    for _, pid in ipairs(server:workers()) do
      if not known[pid] then
        return true
      end
    end
    return false
  end

  it("by ten reloads in a row leaves ten new workers' work undone by none",
    function()
      for _ = 1, 10 do
        background(server, "/content/sleepers?count=50")
        ask(server, "/content/query?id=video_1")
        local before = server:workers()
        server:signal "HUP"
        assert.is_true(until_true(10, function() return has_new(before) end))
      end
      assert.is_true(until_true(10, function()
        return #server:workers() == 2
      end))
      assert.equal("completed", ask(server, "/content/all").status)
    end)

  for signal, how in pairs { QUIT = "in good order", TERM = "at once" } do
    it("comes " .. how .. " with waits and downloads under way", function()
      burden()
      local before = server:workers()
      server:signal(signal)
      assert.is_true(is_gone(before))
      assert.is_true(is_gone { server.pid })
    end)
  end
end)

describe("without the code cache", function()
  setup(function()
    server = start { http = HTTP:gsub("  init_[^\n]*\n", "")
      .. "lua_code_cache off;" }
  end)

  teardown(function()
    server:stop()
  end)

  it("orders, waits and saves", function()
    assert.equal("completed", ask(server, "/content/all").status)
  end)

  it("ends what a request's own Lua state held", function()
    for _ = 1, 3 do
      ask(server, "/content/query?id=video_1")
    end
    local threads = ("/proc/%d/task"):format(server:workers()[1])
    assert.is_true(until_true(15, function()
      return shell.read("ls " .. threads) :find "\n" == nil
    end))
  end)
end)
