-- A host that closes descriptors which it has not opened, as a daemon does with
-- all from 3 on, and opens something of its own, which then has their numbers.
-- Each case runs in a child; afterwards nothing of the host's may have been read,
-- written or closed, and nothing of ours may wait for ever.

local actors = require "spec.fixtures.actors"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local starvideos = require "starvideos"
local transfers = require "spec.fixtures.transfer"

local WAYS = [[
location = /hello { return 200 hello; }
location = /seen { content_by_lua_block {
  ngx.print(ngx.shared.seen:get(ngx.var.arg_name) or 0)
} }
location ~ ^/never/(.*?)/ { content_by_lua_block {
  ngx.req.read_body()
  ngx.shared.seen:incr(ngx.var[1], 1, 0)
  ngx.sleep(60)
} }
location = /hang { content_by_lua_block { ngx.req.read_body() ngx.sleep(60) } }
location = /drip { content_by_lua_block {
  ngx.header.content_type = "video/mp4"
  ngx.header.content_length = 8
  ngx.print("abcd") ngx.flush(true) ngx.sleep(60)
} }
]]

-- Far above a second, after which a lost wake-up is noticed, and far below the
-- time limits of what is under way.
local SOON = 10

-- What stands at the numbers afterwards.
local KINDS = { "socket", "file", "none" }

local ORDER = { model = "videos", prompt = "a kite", duration = 5 }

local function check(body)
  return process.in_child(function()
    local begun = core.now()
    body()
    assert.is_true(core.now() - begun < SOON, "it took too long")
    assert.is_nil(process.harm())
    return true
  end)
end

-- A case for each kind.
local function each(name, body)
  for _, kind in ipairs(KINDS) do
    it(("%s (%s)"):format(name, kind), function()
      assert.is_true(check(function()
        body(function(first, last)
          assert.is_true(process.seize(kind, first or 3, last) > 0)
        end)
      end))
    end)
  end
end

-- Until a condition holds.
local function await(condition, step)
  local give_up = core.now() + SOON
  while not condition() do
    assert(core.now() < give_up, "never")
    if step then
      step()
    else
      process.readable(-1, 0.005)
    end
  end
end

describe("a host that closes our descriptors", function()
  local server

  setup(function()
    server = nginx.start { tls = true, body = WAYS }
  end)
  teardown(function()
    server:stop()
  end)

  local function driver_of()
    return curl.network { ca_file = server.ca_file }
  end

  local function post(url, fresh)
    return { method = "POST", url = url .. "/hang", body = "{}", fresh = fresh,
      timeout = 60 }
  end

  local function on_the_wire(driver, request)
    local ticket = assert(driver:submit(request))
    await(function()
      return select(3, ticket:progress()) > 0
    end)
    return ticket
  end

  local function ends_as(ticket, reason, sent)
    await(function() return ticket:done() end)
    local response, failure = ticket:result()
    assert.is_nil(response)
    assert.equal(reason, failure.reason, failure.message)
    assert.equal(sent, failure.sent)
  end

  each("ends what is on the wire, as sent", function(seize)
    local driver = driver_of()
    local order = on_the_wire(driver, post(server.url, true))
    local other = on_the_wire(driver, post(server.url))
    seize()
    ends_as(order, "reset", true)
    ends_as(other, "reset", true)
    driver:close()
  end)

  each("ends what is on the wire over TLS, and says good-bye to nobody",
    function(seize)
      local driver = driver_of()
      local order = on_the_wire(driver, post(server.tls_url, true))
      seize()
      ends_as(order, "reset", true)
      driver:close()
    end)

  each("holds up no close", function(seize)
    local driver = driver_of()
    on_the_wire(driver, post(server.url, true))
    seize()
    driver:close()
  end)

  each("holds up no close of a driver that has nothing to do", function(seize)
    local driver = driver_of()
    local ticket = driver:submit { url = server.tls_url .. "/hello" }
    await(function() return ticket:done() end)
    assert.equal(200, ticket:result().status)
    seize()
    driver:close()
  end)

  each("keeps nobody from sending more, over connections of its own",
    function(seize)
      local driver = driver_of()
      local function hello()
        local ticket = assert(driver:submit { url = server.tls_url .. "/hello",
          timeout = SOON })
        await(function() return ticket:done() end)
        local response, failure = ticket:result()
        assert.is_not_nil(response, failure and failure.message)
        return response
      end
      assert.equal(200, hello().status)
      assert.is_true(hello().reused)
      seize()
      assert.is_false(hello().reused)
      assert.is_true(hello().reused)
      driver:close()
    end)

  each("ends what was cancelled", function(seize)
    local driver = driver_of()
    local ticket = on_the_wire(driver, post(server.tls_url, true))
    seize()
    ticket:cancel()
    await(function() return ticket:done() end)
    driver:close()
  end)

  each("ends a step of the engine", function(seize)
    local engine = curl.network { inline = true, ca_file = server.ca_file }
    local transfer = assert(engine:submit(post(server.tls_url, true)))
    await(function()
      engine:step(0.01)
      return select(3, transfer:progress()) > 0
    end, function() end)
    seize()
    transfers.is_lost("reset", transfers.finish(transfer, engine))
    local again = assert(engine:submit { url = server.tls_url .. "/hello" })
    assert.equal(200, transfers.finish(again, engine).status)
    seize()
    engine:close()
  end)

  each("gets nothing of a download", function(seize)
    local folder = files.folder()
    local driver = driver_of()
    local ticket = assert(driver:submit { url = server.url .. "/drip",
      timeout = 60, sink = { path = folder .. "/a.part", sync = true } })
    await(function() return ticket:progress() > 0 end)
    seize()
    ends_as(ticket, "reset", true)
    assert.equal("abcd", files.read(folder .. "/a.part"))
    driver:close()
    files.remove(folder)
  end)

  each("keeps its lock of a file to be saved, if others took it", function(seize)
    local folder = files.folder()
    local path = folder .. "/a.lock"
    local lock = assert(curl.disk("lock", path))
    seize()
    curl.disk("unlock", lock)
    assert.is_not_nil(files.read(path))
    files.remove(folder)
  end)

  each("is told all the same what an actor answers", function(seize)
    local folder = files.folder()
    local pipe = actors.pipe(folder)
    local actor = actors.new()
    local message = actor:post(false, "stick", pipe, "word")
    actors.await_busy(actor)
    seize(3, 255)
    actors.release(pipe)
    await(function() return message:done() end, function()
      actor:wait(60)
      while actor:take() do
      end
    end)
    assert.equal("word", select(2, message:result()))
    actor:close()
    files.remove(folder)
  end)

  describe("with a client", function()
    -- How many requests have come whole.
    local function seen(name)
      local engine = curl.network { inline = true }
      local transfer = assert(engine:submit { url = server.url
        .. "/seen?name=" .. name })
      local response = assert(transfers.finish(transfer, engine))
      engine:close()
      return tonumber(response.body)
    end

    -- With requests that have come to a server which never answers.
    local function client_of(runtime, requests)
      local name = core.random_bytes(8):gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
      end)
      local client = assert(starvideos.new { api_key = "key", timeout = 60,
        base_url = server.url .. "/never/" .. name, runtime = runtime })
      local handles = {}
      for index, request in ipairs(requests) do
        handles[index] = client:async(client[request[1]], client, request[2])
      end
      await(function() return seen(name) == #requests end, function()
        client:run(0.01)
      end)
      return client, handles
    end

    for _, runtime in ipairs { "frame", "poll" } do
      each(("of %s ends its orders and queries"):format(runtime), function(seize)
        local client, handles = client_of(runtime, { { "create", ORDER },
          { "query", "video_1" } })
        seize()
        assert.is_true(client:run(SOON))
        assert.equal("outcome_unknown", handles[1].err.kind)
        assert.equal("network", handles[2].err.kind)
        client:close()
      end)

      each(("of %s holds up no close"):format(runtime), function(seize)
        local client, handles = client_of(runtime, { { "create", ORDER } })
        seize()
        client:close()
        assert.equal("outcome_unknown", handles[1].err.kind)
      end)
    end
  end)
end)
