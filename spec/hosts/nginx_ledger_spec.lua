-- A ledger in nginx, on a PostgreSQL server that is stopped: the worker serves
-- others meanwhile, and ends when it is told to.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local host = require "spec.fixtures.nginx_host"
local json = require "starvideos.base.json"
local postgres = require "spec.fixtures.postgres"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local SERVER = [[
    location = /ping { return 200 "pong"; }
    location /content/ { content_by_lua_block { require("app").answer() } }
]]

describe("a ledger in nginx", function()
  local provider, database, server

  setup(function()
    provider = assert(sandbox.start { tls = true, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
    database = postgres.start()
    server = host.start { app = "spec/hosts/nginx/app.lua", server = SERVER,
      http = "lua_shared_dict results 1m;", settings = { key = provider.key,
        base_url = provider.base_url, ca_file = provider.prefix
        .. "/tls/ca.pem", ledger = database.url,
        policy = { patience = 1, short = 0.3 } } }
  end)
  teardown(function()
    server:stop()
    database:stop()
    provider:stop()
  end)

  local function order(key, more)
    local text = server:get("/content/keyed?key=" .. key .. (more or ""))
    return json.decode(text)
  end

  local function row(key)
    local connection = databases.new(database.url)
    local rows = assert(connection:rows("SELECT state, owner, task_id"
      .. " FROM starvideos_orders WHERE order_key = ?", key))
    connection:close()
    return rows[1]
  end

  local function frozen(body)
    database:freeze()
    local ok, raised = pcall(body)
    database:thaw()
    assert(ok, raised)
  end

  it("has an order on record, under its key", function()
    local task = order "first"
    assert.is_string(task.id)
    assert.equal(task.id, order "first".id)
    assert.equal(task.id, row "first".task_id)
  end)

  it("works a queue off", function()
    local result = json.decode((server:get(
      "/content/work?orders=3&name=whole")))
    assert.same({ done = 3, failed = 0, unknown = 0, left = 0 }, result)
    assert.equal("downloaded", row "whole/2.mp4".state)
  end)

  it("works on where the light thread of another worker was killed", function()
    local killed = json.decode((server:get(
      "/content/work?orders=2&name=killed&kill=0.4")))
    assert.is_truthy(killed.killed)
    local connection = databases.new(database.url)
    assert(connection:run "UPDATE starvideos_workers SET lease_began = 0")
    connection:close()
    local result = json.decode((server:get "/content/work?name=killed"))
    assert.equal(0, result.left, json.encode(result))
    assert.equal("downloaded", row "killed/1.mp4".state)
    assert.equal("downloaded", row "killed/2.mp4".state)
  end)

  it("blocks no other request where its server is stopped, and sends nothing",
    function()
      order "first"
      frozen(function()
        shell.run(("curl -s -m 20 '%s/content/keyed?key=late' >%s/late &")
          :format(server.url, server.prefix))
        core.sleep(0.2)
        for _ = 1, 5 do
          local body, _, took = server:get "/ping"
          assert.equal("pong", body)
          assert.is_true(took < 0.5, took)
        end
        local refused = order "other"
        assert.equal("ledger", refused.kind)
        assert.matches("has not answered for %d+ s; nothing was ordered",
          refused.failed)
      end)
      assert.is_string(order "late".id)
      assert.equal("accepted", row "late".state)
    end)

  it("undoes what a killed light thread began", function()
    order "first"
    frozen(function()
      assert.is_truthy(order("killed", "&kill=0.2").killed)
      core.sleep(1.2) -- so long until that is seen
    end)
    local give_up = core.now() + 10
    local is_free
    repeat
      local found = row "killed"
      is_free = not found or found.state == "prepared" and not found.owner
    until is_free or core.now() > give_up
    assert.is_true(is_free)
    assert.is_string(order "killed".id)
  end)

  it("does not keep a worker from ending", function()
    order "first"
    local before = server:workers()[1]
    frozen(function()
      shell.run(("curl -s -m 20 '%s/content/keyed?key=end' >/dev/null &")
        :format(server.url))
      core.sleep(0.2)
      server:signal "HUP"
      local give_up = core.now() + 8
      while shell.run("kill -0 " .. before .. " 2>/dev/null") do
        assert(core.now() < give_up, "it is still there")
        core.sleep(0.1)
      end
    end)
    assert.is_string(order "end".id)
    assert.equal("", server:complaints())
  end)
end)
