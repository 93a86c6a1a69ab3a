-- An engine that is driven by a thread of its own: what a program that must
-- never wait gets to see of it.

local collector = require "spec.fixtures.collector"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local lookup = require "spec.fixtures.lookup"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local tickets = require "spec.fixtures.tickets"

local finish, take = tickets.finish, tickets.take

local WAYS = [[
location = /hello { content_by_lua_block {
  ngx.header["X-Twice"] = { "a", "b" }
  ngx.print("hello")
} }
location = /order { content_by_lua_block {
  ngx.req.read_body()
  ngx.sleep(0.2)
  ngx.print(ngx.shared.seen:incr(ngx.var.arg_as, 1, 0))
} }
location = /count { content_by_lua_block {
  ngx.print(ngx.shared.seen:get(ngx.var.arg_of) or 0)
} }
location = /hang { content_by_lua_block { ngx.sleep(30) } }
location = /slow { content_by_lua_block { ngx.sleep(0.3) ngx.print("slow") } }
location = /drip { content_by_lua_block {
  ngx.header.content_type = "video/mp4"
  ngx.header.content_length = 8
  ngx.print("abcd") ngx.flush(true) ngx.sleep(30)
} }
location = /trailer { content_by_lua_block {
  local socket = ngx.req.socket(true)
  socket:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    .. "X-Head: mine\r\n\r\n2\r\nok\r\n0\r\nHTTP/1.1: x\r\nX-Late: y\r\n\r\n")
} }
]]

-- Far above what anything here takes that does not wait, and far below what
-- it would wait for.
local AT_ONCE = 2

local function threads()
  return tonumber(shell.read(("ls /proc/%d/task | wc -l"):format(
    core.process_id())))
end

-- A whole cycle in one step; of this Lua 5.4 keeps 1020, the most it can.
local WHOLE_CYCLE = 4 * (256 * 1000 + 255)

--- pcall(f, ...), at whose first allocation the collector runs a finalizer.
local function call_with_finalizer(finalizer, f, ...)
  local newproxy = rawget(_G, "newproxy")
  local pause = collector.tune("pause", 1)
  local step = collector.tune("stepmul", WHOLE_CYCLE)
  collectgarbage "stop"
  if newproxy then
    getmetatable(newproxy(true)).__gc = finalizer
  else
    setmetatable({}, { __gc = finalizer })
  end
  collectgarbage "restart"
  local ok, result = pcall(f, ...)
  collector.tune("pause", pause)
  collector.tune("stepmul", step)
  return ok, result
end

describe("a network", function()
  local server, driver, folder

  setup(function()
    server = nginx.start { tls = true, body = WAYS }
    server:serve("clip.mp4", ("0123456789"):rep(100000))
    folder = files.folder()
  end)
  teardown(function()
    files.remove(folder)
    server:stop()
  end)
  before_each(function()
    driver = curl.network { ca_file = server.ca_file }
  end)
  after_each(function()
    driver:close()
  end)

  local function submit(path, fields)
    local req = fields or {}
    req.url = server.url .. path
    req.timeout = req.timeout or 20
    return driver:submit(req)
  end

  local function at_once(what, ...)
    local start = core.now()
    what(...)
    assert.is_true(core.now() - start < AT_ONCE)
  end

  local function is_cancelled(ticket)
    local response, failure = ticket:result()
    assert.is_nil(response)
    assert.equal("cancelled", failure.reason)
    return failure
  end

  it("starts its thread with the first ticket, and ends it when closed",
    function()
      local before = threads()
      driver:pollfd()
      assert.equal(before, threads())
      finish(driver, submit "/hello")
      assert.equal(before + 1, threads())
      driver:close()
      assert.equal(before, threads())
    end)

  -- As a finalizer may do, which runs whenever memory is taken.
  it("or an engine that is closed while a request is read takes none",
    function()
      for _, one in ipairs { driver, curl.network { inline = true } } do
        local request = setmetatable({ url = server.url .. "/hello" }, {
          __index = function() one:close() end })
        assert.has_error(function() one:submit(request) end,
          "attempt to use a closed network")
      end
    end)

  it("gives out neither notifier nor path once a finalizer has closed it",
    function()
      for _, method in ipairs { "notifier", "listen" } do
        local one = curl.network()
        local ok, message = call_with_finalizer(function() one:close() end,
          one[method], one)
        assert.is_false(ok)
        assert.equal("attempt to use a closed network", message)
      end
    end)

  it("answers as an engine does", function()
    local ticket, number = submit("/hello", { headers = { Accept = "*/*" } })
    assert.equal(1, number)
    assert.equal(number, take(driver))
    local status, headers = ticket:answer()
    local received, total, sent = ticket:progress()
    local response = assert(ticket:result())
    assert.equal(200, response.status)
    assert.equal("hello", response.body)
    assert.equal("a, b", response.headers["x-twice"])
    assert.equal(200, status)
    assert.same(response.headers, headers)
    assert.same({ 5, 5, response.bytes_sent }, { received, total, sent })
  end)

  it("hands its result over once, or keeps it where it is told to", function()
    local ticket, number = submit("/hello")
    assert.equal(number, take(driver))
    assert.equal("hello", ticket:result(true).body)
    assert.equal("hello", ticket:result().body)
    assert.has_error(function() ticket:result() end)
    ticket:cancel()
    assert.is_true(ticket:done())
    assert.is_nil(ticket:answer())
    assert.is_nil(ticket:progress())
  end)

  it("sends over TLS, and again over the same connection", function()
    for turn = 1, 2 do
      local response = assert(finish(driver, driver:submit {
        url = server.tls_url .. "/hello", timeout = 20 }))
      assert.equal("2", response.http_version)
      assert.equal(turn == 2, response.reused)
    end
  end)

  it("answers many, each number once, with its own answer", function()
    driver:close()
    driver = curl.network { max_in_flight = 8 }
    local expected, count = {}, 200
    for index = 1, count do
      local ticket, number = submit(index % 2 == 0 and "/hello" or "/count?of=x")
      expected[number] = { ticket, index % 2 == 0 and "hello" or "0" }
    end
    assert.equal(count, driver:in_flight())
    for _ = 1, count do
      local number = take(driver)
      local ticket, body = expected[number][1], expected[number][2]
      assert.equal(body, assert(ticket:result()).body)
      expected[number] = nil
    end
    assert.is_nil(next(expected))
    assert.is_nil(driver:take())
    assert.is_false(driver:ready())
    assert.equal(0, driver:in_flight())
  end)

  it("hands them out in the order in which they ended", function()
    -- None waits for another's answer, over plain http either.
    local _, slow = submit "/slow"
    local _, fast = submit "/hello"
    assert.same({ fast, slow }, { take(driver), take(driver) })
  end)

  it("refuses what may not be sent", function()
    local refused = {
      { "insecure", { url = "http://example.com/" } },
      { "invalid", { url = "no url" } },
      { "invalid", { url = server.url, method = "PUT" } },
      { "invalid", { url = server.url, headers = { ["a b"] = "x" } } },
      { "invalid", { url = server.url, headers = { a = "x\ny" } } },
      { "invalid", { url = server.url, headers = { Authorization = "key" },
        redirects = 1 } },
    }
    for _, case in ipairs(refused) do
      local response, failure = finish(driver, driver:submit(case[2]))
      assert.is_nil(response)
      assert.equal(case[1], failure.reason)
      assert.equal("queue", failure.phase)
      assert.is_false(failure.sent)
    end
    assert.has_error(function() driver:submit { url = 7 } end)
    assert.has_error(function() driver:submit {} end)
    assert.is_nil(driver:take())
  end)

  it("tells of what failed as an engine does", function()
    local response, failure = finish(driver, driver:submit {
      url = "http://127.0.0.1:1/", timeout = 20 })
    assert.is_nil(response)
    assert.equal("connect", failure.reason)
    assert.is_false(failure.sent)
    response, failure = finish(driver, submit("/hello",
      { sink = { path = "/no/where" } }))
    assert.is_nil(response)
    assert.equal("io", failure.reason)
  end)

  it("holds to the time of what waits for its turn", function()
    driver:close()
    driver = curl.network { max_in_flight = 1 }
    local first = submit "/hang"
    local second, number = submit("/hello", { timeout = 0.2 })
    assert.equal(number, take(driver))
    local _, failure = second:result()
    assert.equal("timeout", failure.reason)
    assert.equal("queue", failure.phase)
    assert.is_false(first:done())
  end)

  describe("'s descriptor", function()
    it("is readable until cleared, however many have ended", function()
      local fd = driver:pollfd()
      assert.is_false(process.readable(fd))
      local first, second = submit "/hello", submit "/hello"
      while not (first:done() and second:done()) do
        process.readable(fd, 1)
      end
      -- Told a moment after they are done.
      repeat
        assert.is_true(process.readable(fd, AT_ONCE))
        driver:clear()
      until not process.readable(fd, 0.1)
      assert.is_true(driver:ready())
      assert.truthy(driver:take() and driver:take())
    end)

    it("is readable again for what ends after it was cleared", function()
      local fd = driver:pollfd()
      submit "/hello"
      assert.is_true(process.readable(fd, 20))
      driver:clear()
      submit "/hello"
      assert.is_true(process.readable(fd, 20))
    end)

    it("misses none of thousands, idle before or waiting for others", function()
      for _ = 1, 2 do
        local open, begun = 0, 0
        while begun < 2000 or open > 0 do
          while open < 3 and begun < 2000 do
            driver:disk("size", folder)
            open, begun = open + 1, begun + 1
          end
          take(driver)
          open = open - 1
        end
        submit "/hang"
      end
    end)

    it("is readable when woken, without a thread", function()
      driver:wake()
      driver:wake()
      assert.is_true(process.readable(driver:pollfd()))
      driver:clear()
      assert.is_false(process.readable(driver:pollfd()))
    end)
  end)

  describe("'s ticket", function()
    it("tells of the answer and of progress before the body's end", function()
      local ticket, number = submit "/drip"
      assert.is_nil(ticket:answer())
      local give_up = core.now() + 20
      while not ticket:answer() or ticket:progress() == 0 do
        assert(core.now() < give_up, "nothing is told")
        process.readable(driver:pollfd(), 0.01)
      end
      local status, headers = ticket:answer()
      assert.equal(200, status)
      assert.equal("8", headers["content-length"])
      assert.same({ 4, 8, 0 }, { ticket:progress() })
      assert.is_false(ticket:done())
      assert.has_error(function() ticket:result() end)
      ticket:cancel()
      assert.equal(number, take(driver))
      assert.equal(200, is_cancelled(ticket).status)
    end)

    it("keeps the head that it told of", function()
      local ticket, number = submit "/trailer"
      local response = assert(finish(driver, ticket, number))
      assert.equal("ok", response.body)
      assert.equal("mine", response.headers["x-head"])
      assert.is_nil(response.headers["x-late"])
    end)

    it("can be cancelled while it runs, and then is taken out", function()
      local ticket, number = submit "/hang"
      process.readable(driver:pollfd(), 0.1)
      ticket:cancel()
      ticket:cancel()
      at_once(function() assert.equal(number, take(driver)) end)
      assert.is_true(is_cancelled(ticket).sent)
      ticket:cancel()
      assert.is_nil(driver:take())
    end)

    it("can be cancelled before it was begun", function()
      driver:close()
      driver = curl.network { max_in_flight = 1 }
      submit "/hang"
      local ticket, number = submit "/hello"
      ticket:cancel()
      at_once(function() assert.equal(number, take(driver)) end)
      assert.is_false(is_cancelled(ticket).sent)
    end)

    it("may be dropped, and its request is sent all the same", function()
      local _, number = submit("/order?as=dropped", { method = "POST",
        body = "{}", fresh = true })
      collectgarbage()
      collectgarbage()
      assert.equal(number, take(driver))
      assert.equal("1",
        finish(driver, submit "/count?of=dropped").body)
    end)

    it("outlives its driver", function()
      local ticket = submit "/hang"
      driver:close()
      assert.is_true(ticket:done())
      is_cancelled(ticket)
      ticket:cancel()
      assert.is_nil(ticket:answer())
    end)
  end)

  it("is indifferent to the collector at any point", function()
    -- All but the server's address is garbage where it can be.
    local function live(turn)
      local held = { driver = curl.network() }
      local steps = {
        function()
          held.ticket = held.driver:submit { url = server.url .. "/hello",
            headers = { ["X-Turn"] = tostring(turn) }, timeout = 20 }
        end,
        function() held.job = held.driver:disk("size", folder) end,
        function() if turn % 3 == 0 then held.ticket:cancel() end end,
        function() if turn % 2 == 0 then held.ticket = nil end end,
        function() held.job = nil end,
        function() if turn % 5 ~= 0 then take(held.driver) end end,
        function() if turn % 4 == 0 then held.driver:close() end end,
        function() held.driver = nil end,
        function() assert(not held.ticket or held.ticket:done()) end,
      }
      for _, step in ipairs(steps) do
        step()
        collectgarbage()
        collectgarbage()
      end
    end
    for turn = 1, 30 do
      live(turn)
    end
  end)

  it("is closed at once with anything under way", function()
    local held = {}
    for index, path in ipairs { "/hang", "/drip", "/hang", "/zeros" } do
      held[index] = submit(path)
    end
    held[5] = submit("/drip", { sink = { path = folder .. "/dropped" } })
    process.readable(driver:pollfd(), 0.1)
    at_once(driver.close, driver)
    for _, ticket in ipairs(held) do
      assert.is_true(ticket:done())
    end
    assert.has_error(function() driver:submit { url = server.url } end)
    assert.has_error(function() driver:take() end)
    assert.has_error(function() driver:pollfd() end)
    driver:close()
  end)

  it("leaves no file of what was never begun", function()
    driver:close()
    driver = curl.network { max_in_flight = 1 }
    submit "/hang"
    submit("/clip.mp4", { sink = { path = folder .. "/unborn" } })
    driver:close()
    assert.is_nil((curl.disk("size", folder .. "/unborn")))
  end)

  it("is closed at once with a name look-up under way", function()
    local output = lookup.run(folder, [[
      local core = require("starvideos.core")
      local curl = require("starvideos.curl")
      local driver = curl.network()
      driver:submit { url = "https://one.invalid/" }
      curl.network { inline = true }:step(0.1)
      local start = core.now()
      driver:close()
      io.write(tostring(core.now() - start < 0.3))
      curl.network { inline = true }:step(0.7)]])
    assert.equal("true", output)
  end)

  it("ends with the Lua state, whatever is under way", function()
    local output = shell.read(interpreter .. [[ - ]] .. server.url .. [[ <<'END'
      local curl = require "starvideos.curl"
      kept = {}
      for _ = 1, 2 do
        local driver = curl.network()
        kept[#kept + 1] = driver
        kept[#kept + 1] = driver:submit { url = arg[1] .. "/hang" }
        kept[#kept + 1] = driver:submit { url = arg[1] .. "/hello" }
        driver:disk("size", "/")
      end
      curl.network { inline = true }:step(0.05)
      print "ended"
END]])
    assert.equal("ended", output)
  end)

  it("leaves others alone", function()
    local others = {}
    for index = 1, 4 do
      others[index] = curl.network()
      others[index]:submit { url = server.url .. "/hang" }
    end
    local mine, number = submit "/slow"
    for _, other in ipairs(others) do
      other:close()
    end
    assert.equal("slow", finish(driver, mine, number).body)
  end)
end)
