-- The workers of a gateway in a real nginx, before the provider's stand-in: what
-- halts them and what does not, what they leave on disk and in the log, and who
-- goes on where one of them ends.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local gateways = require "spec.fixtures.gateway"
local http = require "socket.http"
local interpreter = require "spec.fixtures.interpreter"
local json = require "starvideos.base.json"
local ltn12 = require "ltn12"
local postgres = require "spec.fixtures.postgres"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"

local KEY = "key-of-the-gateway"

-- Seconds for what takes a few tenths of one on an idle machine.
local PATIENCE = 60 -- a worker sends nothing for 30 s after unknown outcomes in a row

describe("the workers of a gateway", function()
  local provider, gateway

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
  end)

  teardown(function()
    provider:stop()
  end)

  before_each(function()
    books.reset(provider)
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY }
  end)

  after_each(function()
    local logs = gateway:logs()
    gateway:stop()
    assert.is_nil(logs:find(KEY, 1, true))
    assert.is_nil(logs:find("a street", 1, true))
    assert.is_nil(logs:find("lua entry thread aborted", 1, true), logs)
  end)

  local function ask(method, path, fields)
    local body, parts = fields and json.encode(fields), {}
    local _, status, headers = assert(http.request { method = method,
      url = gateway.url .. path, sink = ltn12.sink.table(parts),
      headers = { ["Content-Type"] = "application/json",
        ["Content-Length"] = body and #body },
      source = body and ltn12.source.string(body) })
    return status, json.decode(table.concat(parts)), headers
  end

  local function place(scenario, prompt)
    local status, video = ask("POST", "/v1/videos", { model = "videos",
      duration = 4, prompt = (prompt or "a street")
        .. (scenario and (" [scenario:%s]"):format(scenario) or "") })
    assert.equal(200, status, json.encode(video))
    return video.id
  end

  -- Asks until that is so.
  local function await(what, holds)
    local until_then = core.now() + PATIENCE
    local found, last
    repeat
      found, last = holds()
      if found then
        return last
      end
      socket.sleep(0.05)
    until core.now() > until_then
    error(what .. ": " .. tostring(last and json.encode(last)) .. "\n"
      .. gateway:logs())
  end

  local function await_end(id)
    return await("no end", function()
      local _, video = ask("GET", "/v1/videos/" .. id)
      return video.status == "completed" or video.status == "failed", video
    end)
  end

  local function await_health(expected)
    return await("never " .. expected, function()
      local status, value = ask("GET", "/healthz")
      return status == expected, value
    end)
  end

  it("save files that nobody but the group of nginx reads", function()
    await_end(place())
    local found = shell.read(shell.fill("cd @prefix@/files && find . -mindepth 1"
      .. " -printf '%y %m\\n' | sort", gateway))
    assert.equal("d 750\nf 640", found)
  end)

  it("order at once, and tell how far an order is", function()
    local began = core.now()
    local id = place()
    local seen = {}
    await("no end", function()
      local _, video = ask("GET", "/v1/videos/" .. id)
      seen[video.status] = true
      return video.status == "completed"
    end)
    assert.is_true(core.now() - began < 5) -- they look every five seconds
    assert.is_true(seen.in_progress)
  end)

  it("go on after many failed tasks and unknown outcomes of callers", function()
    for _ = 1, 6 do
      assert.equal("task_failed", await_end(place "failed").error.code)
    end
    for _ = 1, 6 do
      place "create_500"
    end
    assert.equal("completed", await_end(place()).status)
    assert.equal(200, (ask("GET", "/healthz")))
  end)

  it("go on after a refusal that quotes a prompt about a balance", function()
    for _ = 1, 3 do
      local video = await_end(place("create_quoted", "a yoga teacher in perfect balance"))
      assert.equal("failed", video.status)
    end
    assert.equal("completed", await_end(place()).status)
    assert.equal(200, (ask("GET", "/healthz")))
  end)

  it("stop where there is no money, and go on after HUP, not after a crash",
    function()
      await_health(200)
      local id = place "create_quota"
      place "create_quota"
      local value = await_health(503)
      assert.equal("halted", value.reasons[1].code)
      local status, refused, headers = ask("POST", "/v1/videos",
        { model = "videos", duration = 4, prompt = "a street" })
      assert.equal(503, status)
      assert.equal("upstream_unavailable", refused.error.code)
      assert.equal("60", headers["retry-after"])
      assert.truthy(gateway:logs():find("the queue has stopped", 1, true))
      shell.run("pkill -9 -P " .. gateway.pid)
      socket.sleep(7) -- two looks at the ledger
      assert.equal(503, (ask("GET", "/healthz")))
      local posts = #books.of(provider).tasks
      assert.equal(0, posts)
      assert.equal("queued", select(2, ask("GET", "/v1/videos/" .. id)).status)
      gateway:signal "HUP"
      await("not continued", function()
        return gateway:logs():find("the queue continues", 1, true)
      end)
    end)

  it("say that the ledger does not answer, and go on when it does", function()
    await_health(200)
    -- Who opens it in between makes a file there.
    shell.run(shell.fill("mv @prefix@/ledger.db @prefix@/elsewhere; until mkdir"
      .. " @prefix@/ledger.db; do rm -f @prefix@/ledger.db; done 2>&-", gateway))
    gateway:signal "HUP" -- what is open stays readable
    local value = await("still healthy", function()
      local status, value = ask("GET", "/healthz")
      return status == 503, value
    end)
    assert.equal("ledger", value.reasons[1].code)
    assert.truthy(gateway:logs():find("no orders are sent or saved here", 1, true))
    shell.run(shell.fill("rmdir @prefix@/ledger.db && mv @prefix@/elsewhere"
      .. " @prefix@/ledger.db", gateway))
    await_health(200)
    assert.equal("completed", await_end(place()).status)
  end)

  it("say within five seconds that another process has locked the ledger",
    function()
      await_health(200)
      local database = assert(require("DBI").Connect("SQLite3",
        gateway.prefix .. "/ledger.db"))
      local function run(sql)
        local statement = assert(database:prepare(sql))
        assert(statement:execute())
        statement:close()
      end
      database:autocommit(true)
      run "PRAGMA busy_timeout = 5000"
      run "BEGIN EXCLUSIVE"
      local began = core.now()
      assert.equal("ledger", await_health(503).reasons[1].code)
      assert.is_true(core.now() - began < 6)
      run "ROLLBACK"
      database:close()
      await_health(200)
      assert.equal("completed", await_end(place()).status)
    end)

  it("hand on at a reload what they have: nothing is bought twice", function()
    local ids = {}
    for index = 1, 8 do
      ids[index] = place()
    end
    gateway:signal "HUP"
    for _, id in ipairs(ids) do
      assert.equal("completed", await_end(id).status)
    end
    assert.equal(8, #books.of(provider).tasks)
  end)

  it("share a ledger on a server, and take over what a killed one had", function()
    local server = postgres.start()
    gateway:stop()
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      ledger = server.url }
    local ok, raised = pcall(function()
      await_health(200)
      local ids = {}
      for index = 1, 6 do
        ids[index] = place()
      end
      await("nothing is accepted", function()
        local _, video = ask("GET", "/v1/videos/" .. ids[6])
        return video.status ~= "queued"
      end)
      shell.run("pkill -9 -P " .. gateway.pid)
      for _, id in ipairs(ids) do
        assert.equal("completed", await_end(id).status)
      end
      assert.equal(6, #books.of(provider).tasks)
      await_health(200)
      server:freeze()
      local began = core.now()
      assert.equal("ledger", await_health(503).reasons[1].code)
      assert.is_true(core.now() - began < 6)
      server:thaw()
      await_health(200)
      server:halt()
      assert.equal("ledger", await_health(503).reasons[1].code)
    end)
    server:stop()
    assert.is_true(ok, tostring(raised))
  end)

  it("lose no order and buy none twice where they are killed", function()
    local process = assert(io.popen(
      interpreter .. " spec/torture/gateway.lua 12 2>&1; echo $?"))
    local output = process:read "*a"
    process:close()
    assert.equal("0", output:match "(%d+)\n$", output)
    assert.truthy(output:find('"torture_gateway_kills","value":12', 1, true))
  end)
end)
