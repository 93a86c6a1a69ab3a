-- The files of a gateway in a real nginx with two workers, as time goes by.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local KEY = "key-of-the-gateway"
local CLIP_BYTES = #file.read "lua/starvideos/sandbox/clip.mp4"

-- A sweep follows the other at once. When nginx starts, a worker that was killed
-- seems to be sweeping.
local BEFORE = [[
  local policy = require("starvideos.gateway.janitor").policy
  policy.look, policy.rest, policy.lease, policy.spared = 0.2, 0.1, 1, 1
  ngx.shared.starvideos_gateway:add("janitor", "a killed worker", 1)]]

-- A ledger that is slow to learn what was removed.
local SLOW_MARK = [[
  local methods = require "starvideos.ledger.methods"
  function methods.removed.with(_, ...)
    ngx.sleep(1)
    return ...
  end]]

describe("the janitor of a gateway", function()
  local provider, gateway, engine

  setup(function()
    engine = curl.network { inline = true }
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
  end)

  teardown(function()
    engine:close()
    provider:stop()
  end)

  local function start(settings, more)
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      settings = settings, before = BEFORE .. (more or "") }
  end

  after_each(function()
    local logs = gateway:logs()
    gateway:stop()
    assert.is_nil(logs:find("[error]", 1, true), logs)
    assert.is_nil(logs:gsub("[^\n]*exited on signal 9", "")
      :find("[alert]", 1, true), logs)
  end)

  local function ask(method, path, body)
    local response = assert(transfers.finish(assert(engine:submit {
      method = method, url = gateway.url .. path, timeout = 30, body = body,
      headers = { ["Content-Type"] = "application/json" } }), engine))
    local kind = response.headers["content-type"] or ""
    return response.status, kind:find "json" and json.decode(response.body)
  end

  local function await(holds)
    local give_up = core.now() + 15
    while not holds() and core.now() < give_up do
      core.sleep(0.05)
    end
    return holds()
  end

  local function saved()
    local _, video = ask("POST", "/v1/videos", json.encode {
      model = "videos", duration = 4, prompt = "a kite" })
    assert.is_true(await(function()
      return select(2, ask("GET", "/v1/videos/" .. video.id)).status
        == "completed"
    end))
    return video.id
  end

  local function path_of(id)
    return ("%s/files/%s/%s.mp4"):format(gateway.prefix, id:sub(13, 14),
      id:sub(7))
  end

  local function grow_old(id, days)
    gateway:change([[UPDATE starvideos_orders SET closed_at = closed_at - ?,
      updated_at = updated_at - ? WHERE order_id = ?]], 86400 * days,
      86400 * days, id:sub(7))
  end

  local function is_there(id)
    return core.kind(path_of(id)) == "file"
  end

  local function expires(id)
    return await(function()
      local status, refusal = ask("GET", "/v1/videos/" .. id .. "/content")
      return status == 410 and refusal.error.code == "expired"
    end) and not is_there(id)
  end

  it("removes a video that is too old, and its order stays", function()
    start { keep_days = 7 }
    local old, young = saved(), saved()
    grow_old(old, 8)
    grow_old(young, 6)
    assert.is_true(expires(old))
    assert.is_true(is_there(young))
    assert.equal(200, (ask("GET", "/v1/videos/" .. old)))
    assert.equal(200, (ask("GET", "/v1/videos/" .. young .. "/content")))
  end)

  it("says so of a video before the ledger knows", function()
    start({ keep_days = 7 }, SLOW_MARK)
    local id = saved()
    grow_old(id, 8)
    assert.is_true(await(function() return not is_there(id) end))
    local status, refusal = ask("GET", "/v1/videos/" .. id .. "/content")
    assert.equal(410, status)
    assert.equal("expired", refusal.error.code)
    assert.is_true(expires(id))
  end)

  it("removes the oldest where there is no room for all", function()
    start { keep_bytes = 1.5 * CLIP_BYTES }
    local first = saved()
    local second = saved()
    assert.is_true(expires(first))
    assert.is_true(is_there(second))
  end)

  it("goes on after a reload, and where a worker is killed", function()
    start { keep_days = 7 }
    gateway:signal "HUP"
    local first, second = saved(), saved()
    grow_old(first, 8)
    assert.is_true(expires(first))
    assert(shell.run(("kill -KILL $(ps -o pid= --ppid %d)"):format(
      gateway.pid)))
    grow_old(second, 8)
    assert.is_true(await(function()
      return not is_there(second)
    end))
  end)

  it("removes what a deleted order has left", function()
    start {}
    local id = saved()
    local trash = path_of(id) .. ".part"
    assert(file.write(trash, "half of it"))
    assert(shell.run(shell.fill("curl -sf -X DELETE @url@ >/dev/null",
      { url = gateway.url .. "/v1/videos/" .. id })))
    assert.is_false(is_there(id))
    assert.is_true(await(function()
      return not core.kind(trash)
    end))
  end)
end)
