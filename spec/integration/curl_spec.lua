local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.sandbox.nginx.shell"

local finish = require("spec.fixtures.transfer").finish

local WAYS = [[
location = /hello {
  content_by_lua_block {
    ngx.header["X-Twice"] = { "a", "b" }
    ngx.say("hello")
  }
}
location = /echo {
  content_by_lua_block {
    ngx.req.read_body()
    ngx.print(ngx.req.raw_header(), ngx.req.get_body_data() or "")
  }
}
location = /count {
  content_by_lua_block {
    ngx.print(ngx.shared.seen:get(ngx.var.arg_of) or 0)
  }
}
location = /drop {
  content_by_lua_block {
    ngx.req.read_body()
    ngx.shared.seen:incr(ngx.var.arg_as, 1, 0)
    ngx.exit(444)
  }
}
location = /hang {
  content_by_lua_block { ngx.req.read_body() ngx.sleep(30) }
}
location = /drip {
  content_by_lua_block {
    ngx.print("x") ngx.flush(true) ngx.sleep(30)
  }
}
location = /later {
  content_by_lua_block { ngx.sleep(0.2) ngx.print("later") }
}
location = /raw {
  content_by_lua_block {
    ngx.req.read_body()
    local socket = ngx.req.socket(true)
    socket:send(ngx.decode_base64(ngx.req.get_body_data()))
  }
}
location = /many {
  content_by_lua_block {
    local socket = ngx.req.socket(true)
    socket:send("HTTP/1.1 200 OK\r\n")
    repeat until not socket:send("A: " .. ("x"):rep(1000) .. "\r\n")
  }
}
location = /lines {
  content_by_lua_block {
    local socket = ngx.req.socket(true)
    local lines = {}
    for index = 1, tonumber(ngx.var.arg_count) do
      lines[index] = ("X-Line: %d\r\n"):format(index)
    end
    socket:send("HTTP/1.1 200 OK\r\n" .. table.concat(lines)
      .. "Content-Length: 0\r\nConnection: close\r\n\r\n")
  }
}
location = /interim {
  content_by_lua_block {
    local socket = ngx.req.socket(true)
    repeat until not socket:send(("HTTP/1.1 100 Continue\r\n\r\n"):rep(100))
  }
}
location = /zeros {
  content_by_lua_block {
    local block = ("0"):rep(65536)
    repeat ngx.print(block) until not ngx.flush(true)
  }
}
location = /big { content_by_lua_block {
  ngx.header.content_length = 100000000
  ngx.print("0") ngx.flush(true) ngx.sleep(30)
} }
location = /moved { return 302 /hello; }
location = /circle { return 302 /circle; }
location = /away { return 302 http://127.0.0.1:@port@/hello; }
location = /page { default_type text/html; return 200 "<p>sorry"; }
location = /oops { return 500 "oops"; }
location = /empty { default_type video/mp4; content_by_lua_block {
  ngx.header.content_length = 0
} }
location = /other { content_by_lua_block {
  ngx.status = 206
  ngx.header.content_type = "video/mp4"
  ngx.header.content_range = "bytes 7-9/10"
  ngx.print("abc")
} }
]]

-- As sha256sum prints them.
local CLIP_SHA256 =
  "ec21d64624228af3ecd4bdaa8239e32ed943b01e26934cd5610fddb361426dc6"
local EMPTY_SHA256 =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

local LUA = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- What a raw answer is sent to the server as.
local function base64(text)
  local digits = text:gsub("..?.?", function(three)
    local a, b, c = three:byte(1, 3)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    local four = {}
    for place = 4, 1, -1 do
      local digit = bits % 64
      four[place] = place <= #three + 1
        and BASE64:sub(digit + 1, digit + 1) or "="
      bits = (bits - digit) / 64
    end
    return table.concat(four)
  end)
  return digits
end

local read, write = files.read, files.write

describe("the engine", function()
  local server, engine, silent, silent_fd, folder

  setup(function()
    server = nginx.start { tls = true, body = WAYS }
    server:serve("clip.mp4", ("0123456789"):rep(100000))
    silent, silent_fd = process.listen()
    folder = shell.read 'mktemp -d "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX"'
  end)
  teardown(function()
    process.close(silent_fd)
    shell.run("rm -rf -- " .. folder)
    server:stop()
  end)
  before_each(function()
    engine = curl.engine { ca_file = server.ca_file }
  end)
  after_each(function()
    engine:close()
  end)

  local function send(req, driver)
    driver = driver or engine
    local transfer, failure = driver:submit(req)
    if not transfer then
      return nil, failure
    end
    return finish(transfer, driver)
  end

  local function get(url, fields)
    local req = fields or {}
    req.method, req.url = "GET", url
    return send(req)
  end

  local function order(url, fields)
    local req = fields or {}
    req.method, req.url, req.fresh = "POST", url, true
    req.body = req.body or '{"prompt":"a"}'
    req.headers = { ["Content-Type"] = "application/json" }
    return send(req)
  end

  local function raw(answer, fields)
    local req = fields or {}
    req.method, req.url = "POST", server.url .. "/raw"
    req.body = base64(answer)
    return send(req)
  end

  local function posts(of)
    return tonumber((get(server.url .. "/count?of=" .. of)).body)
  end

  -- Seconds that a function took.
  local function timed(what, ...)
    local start = core.now()
    what(...)
    return core.now() - start
  end

  local function is_lost(reason, response, failure)
    assert.is_nil(response)
    assert.equal(reason, failure.reason)
    assert.is_true(#failure.message > 0)
    return failure
  end

  describe("answers", function()
    it("gives status, headers and body", function()
      local response = assert(get(server.url .. "/hello"))
      assert.equal(200, response.status)
      assert.equal("hello\n", response.body)
      assert.equal("a, b", response.headers["x-twice"])
      assert.equal("1.1", response.http_version)
      assert.is_true(response.elapsed > 0 and response.elapsed < 5)
      assert.is_true(response.bytes_sent > 0)
    end)

    it("joins thousands of values in no more time each than a few", function()
      -- Seconds of CPU for the answer's head, at best.
      local function price(lines)
        local transfer = assert(engine:submit { url = server.url
          .. "/lines?count=" .. lines })
        local response, best = finish(transfer, engine), math.huge
        local values = {}
        for index = 1, lines do values[index] = tostring(index) end
        assert.equal(table.concat(values, ", "), response.headers["x-line"])
        for _ = 1, 10 do
          local from = os.clock()
          transfer:answer()
          best = math.min(best, os.clock() - from)
        end
        return best
      end
      local few, many = price(400), price(4000)
      assert.is_true(many < 20 * few, ("%.0f times the price")
        :format(many / few))
    end)

    it("speaks HTTP/2 over TLS and keeps the connection", function()
      local first = assert(get(server.tls_url .. "/hello"))
      local second = assert(get(server.tls_url .. "/hello"))
      assert.equal("2", first.http_version)
      assert.is_false(first.reused)
      assert.is_true(second.reused)
    end)

    it("hands over an error of the server as an answer", function()
      assert.equal(500, assert(get(server.url .. "/oops")).status)
    end)

    it("sends the body whole, zeros and all", function()
      for _, size in ipairs { 0, 5, 65535, 65536, 1000000 } do
        local body = ("\0a\255"):rep(size):sub(1, size)
        local response = assert(order(server.url .. "/echo", { body = body }))
        assert.equal(body, response.body:sub(#response.body - size + 1))
      end
    end)

    it("adds neither Expect nor Accept-Encoding to a large order", function()
      local response = assert(order(server.url .. "/echo",
        { body = ("x"):rep(2000000) }))
      local head = response.body:sub(1, 400)
      assert.is_nil(head:find("Expect", 1, true))
      assert.is_nil(head:find("Accept-Encoding", 1, true))
      assert.truthy(head:find("Content-Type: application/json", 1, true))
    end)

    it("sends a header without a value", function()
      local response = assert(get(server.url .. "/echo",
        { headers = { ["X-Empty"] = "" } }))
      assert.truthy(response.body:find("X-Empty:", 1, true))
    end)

    it("keeps dots in the path as they are", function()
      local response = assert(get(server.url .. "/a/../echo"))
      assert.truthy(response.body:find("GET /a/../echo ", 1, true))
    end)

    it("tells status and headers before the body is whole", function()
      local transfer = assert(engine:submit { url = server.url .. "/drip" })
      assert.is_nil((transfer:answer()))
      local give_up = core.now() + 5
      while not transfer:answer() and core.now() < give_up do
        engine:step(0.1)
      end
      local status, headers = transfer:answer()
      assert.equal(200, status)
      assert.truthy(headers["content-type"])
      assert.is_false(transfer:done())
      assert.equal(1, (transfer:progress()))
    end)

    it("passes interim answers over", function()
      local response = assert(raw("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        .. "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
      assert.equal(200, response.status)
      assert.equal("ok", response.body)
      assert.is_nil(response.headers.link)
    end)

    it("lets no trailer speak of the body that came before", function()
      local response = assert(raw("HTTP/1.1 200 OK\r\nETag: one\r\n"
        .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nETag: two\r\n\r\n"))
      assert.equal("one", response.headers.etag)
    end)
  end)

  describe("an order", function()
    local before

    before_each(function()
      before = ("%.0f"):format(core.now() * 1e6)
    end)

    for _, scheme in ipairs { "url", "tls_url" } do
      it("arrives once when the server drops it, over " .. scheme, function()
        assert(get(server[scheme] .. "/hello"))
        assert(get(server[scheme] .. "/hello"))
        local failure = is_lost("reset",
          order(server[scheme] .. "/drop?as=" .. before))
        assert.is_true(failure.sent)
        assert.equal("answer", failure.phase)
        assert.equal(1, posts(before))
      end)
    end

    it("never uses a connection that was open, nor leaves one", function()
      assert(get(server.tls_url .. "/hello"))
      for _ = 1, 2 do
        local response = assert(order(server.tls_url .. "/echo"))
        assert.is_false(response.reused)
        assert.equal("1.1", response.http_version)
      end
      assert.is_true(assert(get(server.tls_url .. "/hello")).reused)
    end)

    it("follows no redirect", function()
      assert.equal(302, assert(order(server.url .. "/moved")).status)
    end)

    it("arrives once more where a reused connection is allowed", function()
      -- Why `fresh` is there: libcurl repeats this one unasked.
      local req = { method = "POST", url = server.url .. "/drop?as=" .. before,
        body = "x" }
      assert(get(server.url .. "/hello"))
      is_lost("reset", send(req))
      assert.equal(2, posts(before))
    end)
  end)

  describe("evidence", function()
    it("says not sent when nobody listens", function()
      local port, fd = process.listen()
      process.close(fd)
      local failure = is_lost("connect",
        order("http://127.0.0.1:" .. port .. "/"))
      assert.is_false(failure.sent)
      assert.equal("connect", failure.phase)
      assert.equal(0, failure.bytes_sent)
      assert.truthy(failure.message:find("refused", 1, true))
      assert.is_number(failure.errno)
    end)

    it("says not sent when the name has no address", function()
      local failure = is_lost("resolve",
        order("https://" .. ("x"):rep(64) .. ".invalid/?secret"))
      assert.is_false(failure.sent)
      assert.equal("connect", failure.phase)
      assert.is_nil(failure.message:find("secret", 1, true))
    end)

    it("says not sent when the certificate is not trusted", function()
      local other = curl.engine()
      local failure = is_lost("tls", send({ method = "POST", body = "x",
        url = server.tls_url .. "/echo", fresh = true }, other))
      other:close()
      assert.is_false(failure.sent)
    end)

    it("says not sent when the CA file is missing", function()
      local other = curl.engine { ca_file = "/nonexistent" }
      local failure = is_lost("tls", send({ url = server.tls_url .. "/echo" },
        other))
      other:close()
      assert.is_false(failure.sent)
      assert.truthy(failure.message:find("/nonexistent", 1, true))
    end)

    it("says not sent when the certificate is another host's", function()
      local failure = is_lost("tls",
        order("https://other.localhost:" .. server.tls_port .. "/echo"))
      assert.is_false(failure.sent)
      assert.truthy(failure.message:find("other.localhost", 1, true))
    end)

    it("says not sent when time runs out in the TLS handshake", function()
      local url = "https://127.0.0.1:" .. silent .. "/"
      for _, limit in ipairs { "timeout", "connect_timeout" } do
        local failure = is_lost("timeout", order(url, { [limit] = 0.1 }))
        assert.is_false(failure.sent)
        assert.equal("connect", failure.phase)
      end
    end)

    it("says sent when time runs out after the request", function()
      local failure = is_lost("timeout",
        order(server.tls_url .. "/hang", { timeout = 0.3 }))
      assert.is_true(failure.sent)
      assert.equal("answer", failure.phase)
      assert.is_true(failure.bytes_sent > 0)
    end)

    it("says sent when only a part of the request went out", function()
      local failure = is_lost("timeout", order("http://127.0.0.1:" .. silent,
        { timeout = 0.2, body = ("x"):rep(20000000) }))
      assert.is_true(failure.sent)
      assert.equal("request", failure.phase)
      assert.is_true(failure.bytes_sent < 20000000)
    end)

    it("tells a cancel before the request from one after it", function()
      local urls = { [false] = "https://127.0.0.1:" .. silent .. "/",
        [true] = server.url .. "/hang" }
      for sent, url in pairs(urls) do
        local transfer = assert(engine:submit { method = "POST", body = "x",
          url = url, fresh = true })
        local give_up = core.now() + 0.2
        while core.now() < give_up do
          engine:step(0.05)
        end
        assert.is_true(timed(transfer.cancel, transfer) < 0.05)
        local failure = is_lost("cancelled", transfer:result())
        assert.equal(sent, failure.sent)
        assert.equal(sent and "answer" or "connect", failure.phase)
      end
    end)

    it("says not sent when cancelled in the queue", function()
      local small = curl.engine { max_in_flight = 1 }
      local first = assert(small:submit { url = server.url .. "/hang" })
      local second = assert(small:submit { url = server.url .. "/hello" })
      small:step(0.05)
      assert.equal(2, small:in_flight())
      second:cancel()
      local failure = is_lost("cancelled", second:result())
      assert.is_false(failure.sent)
      assert.equal("queue", failure.phase)
      assert.equal(1, small:in_flight())
      small:close()
      assert.is_true(is_lost("cancelled", first:result()).sent)
    end)

    it("says not sent when there was no time at all", function()
      local failure = is_lost("timeout",
        order("https://127.0.0.1:" .. silent .. "/", { timeout = 0 }))
      assert.is_false(failure.sent)
    end)
  end)

  describe("a broken answer", function()
    -- What it is called, the reason, the phase that was reached, the answer.
    local broken = {
      { "an empty one", "reset", "answer", "" },
      { "half a status line", "reset", "answer", "HTT" },
      { "half a header", "reset", "answer", "HTTP/1.1 200 OK\r\nContent-Le" },
      { "an interim one alone", "reset", "answer",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" },
      { "a head alone", "reset", "body",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" },
      { "a body cut short", "reset", "body",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc" },
      { "chunks cut short", "reset", "body",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc" },
      { "no HTTP", "protocol", "answer", "220 smtp.example ready\r\n" },
      { "a line without a colon", "protocol", "answer",
        "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" },
      { "an endless header line", "too_large", "answer",
        "HTTP/1.1 200 OK\r\nA: " .. ("x"):rep(400000) },
    }
    for _, case in ipairs(broken) do
      local name, reason, phase, answer = case[1], case[2], case[3], case[4]
      it("of " .. name .. " is " .. reason, function()
        local failure = is_lost(reason, raw(answer, { fresh = true }))
        assert.is_true(failure.sent)
        assert.equal(phase, failure.phase)
      end)
    end

    it("keeps status and bytes received in the failure", function()
      local failure = is_lost("reset",
        raw "HTTP/1.1 202 Fine\r\nContent-Length: 9\r\n\r\nabc")
      assert.equal(202, failure.status)
      assert.equal(3, failure.received)
    end)

    it("of endless headers ends at 64 KiB", function()
      is_lost("too_large", get(server.url .. "/many"))
    end)

    it("of endless interim answers ends at 64 KiB", function()
      is_lost("too_large", get(server.url .. "/interim"))
    end)

    it("longer than max_body ends there", function()
      local failure = is_lost("too_large",
        get(server.url .. "/zeros", { max_body = 100000 }))
      assert.is_true(failure.received <= 400000)
      is_lost("too_large", get(server.url .. "/zeros"))
    end)

    it("that announces more than max_body is not waited for", function()
      assert.is_true(timed(function()
        is_lost("too_large", get(server.url .. "/big", { timeout = 10 }))
      end) < 5)
    end)

    it("of exactly max_body is taken", function()
      assert(get(server.url .. "/hello", { max_body = 6 }))
      is_lost("too_large", get(server.url .. "/hello", { max_body = 5 }))
    end)
  end)

  describe("what may be asked", function()
    local function refuses(reason, req)
      req.method = req.method or "GET"
      local failure = is_lost(reason, engine:submit(req))
      assert.is_false(failure.sent)
      assert.is_nil(failure.message:find("secret", 1, true))
    end

    it("is https, or http to loopback", function()
      for _, url in ipairs { "http://example.invalid/?secret",
        "http://127.0.0.1.example.invalid/", "http://10.0.0.1/",
        "http://127.example/", "http://localhost.example.invalid/" } do
        refuses("insecure", { url = url })
      end
    end)

    it("takes every spelling of loopback for loopback", function()
      for _, host in ipairs { "127.0.0.1", "127.1", "localhost", "LOCALHOST",
        "2130706433" } do
        assert.equal(200, assert(get("http://" .. host .. ":" .. server.port
          .. "/hello")).status)
      end
    end)

    it("is nothing but a web address without a user name", function()
      for _, url in ipairs { "", "/v1", "file:///etc/passwd", "ftp://127.0.0.1/",
        "https://", "https://secret:x@127.0.0.1/", "http://127.0.0.1/a b",
        "https://127.0.0.1/\0", "https://127.0.0.1/\r\nX: y" } do
        refuses("invalid", { url = url })
      end
    end)

    it("has no control character in a header", function()
      for _, value in ipairs { "a\nb", "a\r\nX: y", "\0", "\127" } do
        refuses("invalid", { url = server.url, headers = { X = value } })
      end
      for _, name in ipairs { "", "a b", "a:b", "a\nb" } do
        refuses("invalid", { url = server.url, headers = { [name] = "v" } })
      end
    end)

    it("is a GET or a POST", function()
      refuses("invalid", { url = server.url, method = "DELETE" })
    end)

    it("never sends a key, nor an order, along a redirect", function()
      refuses("invalid", { url = server.url, redirects = 1,
        headers = { authorization = "Bearer secret" } })
      refuses("invalid", { url = server.url, redirects = 1, method = "POST" })
    end)

    it("raises at wrong types", function()
      for _, req in ipairs { { url = 5 }, {}, { url = "x", timeout = "5" },
        { url = "x", timeout = 0 / 0 }, { url = "x", headers = 5 },
        { url = "x", headers = { "a" } }, { url = "x", sink = {} },
        { url = "x", redirects = -1 }, { url = "x", body = {} } } do
        assert.has_error(function() engine:submit(req) end)
      end
      assert.has_error(function() engine:submit() end)
      assert.has_error(function() engine:step() end)
      assert.has_error(function() engine:step(0 / 0) end)
      assert.has_error(function() curl.engine { max_in_flight = 0 } end)
      assert.has_error(function() curl.engine(5) end)
    end)

    it("bears numbers beyond all reason", function()
      assert(get(server.url .. "/hello", { timeout = 1e14, redirects = 1e14,
        connect_timeout = 1e14, stall_seconds = 1e9, max_body = 1e14 }))
    end)
  end)

  describe("redirects", function()
    it("are handed over unless asked for", function()
      local response = assert(get(server.url .. "/moved"))
      assert.equal(302, response.status)
      assert.truthy(response.headers.location)
    end)

    it("are followed as often as allowed", function()
      assert.equal(200, assert(get(server.tls_url .. "/moved",
        { redirects = 1 })).status)
      is_lost("protocol", get(server.tls_url .. "/circle", { redirects = 3 }))
    end)

    it("never lead from https to http", function()
      for _, insecure in ipairs { false, true } do
        is_lost("insecure", get(server.tls_url .. "/away", { redirects = 3,
          insecure_http = insecure }))
      end
    end)
  end)

  describe("time", function()
    it("is up for a transfer that waits for another's connection", function()
      local url = "https://127.0.0.1:" .. silent .. "/"
      assert(engine:submit { url = url, timeout = 5 })
      local second = assert(engine:submit { url = url, timeout = 0.2 })
      local seconds = timed(function()
        is_lost("timeout", finish(second, engine))
      end)
      assert.is_true(seconds > 0.15 and seconds < 0.3)
    end)

    it("is up 50 ms after the limit at the latest", function()
      local seconds = timed(function()
        is_lost("timeout", get(server.url .. "/hang", { timeout = 0.2 }))
      end)
      assert.is_true(seconds >= 0.19 and seconds < 0.25)
    end)

    it("tells a stall from a time-out", function()
      local failure = is_lost("stalled", get(server.url .. "/drip",
        { stall_seconds = 1, stall_bytes = 1, timeout = 10 }))
      assert.equal(1, failure.received)
      assert.equal(200, failure.status)
    end)

    it("passes in step when nothing is in flight", function()
      for _, seconds in ipairs { 0, 0.0004, 0.02 } do
        local slept = timed(engine.step, engine, seconds)
        assert.is_true(slept >= seconds and slept < seconds + 0.015)
      end
    end)

    it("is cut short by a signal, in flight or not", function()
      process.alarm(0.05)
      assert.is_true(timed(engine.step, engine, 5) < 1)
      assert(engine:submit { url = server.url .. "/hang" })
      local sent = core.now() + 0.1
      while core.now() < sent do
        engine:step(sent - core.now())
      end
      process.alarm(0.05)
      assert.is_true(timed(engine.step, engine, 5) < 1)
    end)

    it("is not waited out when a transfer ends", function()
      assert(engine:submit { url = server.url .. "/later" })
      local ended
      local seconds = timed(function()
        repeat
          ended = engine:step(5)
        until ended
      end)
      assert.is_true(seconds < 2)
    end)
  end)

  describe("many at once", function()
    it("run side by side, no more than allowed", function()
      local small = curl.engine { max_in_flight = 4 }
      local tickets = {}
      for i = 1, 12 do
        tickets[i] = assert(small:submit { url = server.url .. "/later" })
      end
      assert.equal(12, small:in_flight())
      local seconds = timed(function()
        for i = 1, 12 do
          assert.equal("later", assert(finish(tickets[i], small)).body)
        end
      end)
      assert.equal(0, small:in_flight())
      assert.is_true(seconds > 0.55 and seconds < 2)
      small:close()
    end)

    it("are sent though their tickets were thrown away", function()
      local mark = ("lost%.0f"):format(core.now() * 1e6)
      assert(engine:submit { method = "POST", body = "x", fresh = true,
        url = server.url .. "/drop?as=" .. mark })
      collectgarbage()
      collectgarbage()
      while engine:in_flight() > 0 do
        engine:step(1)
      end
      assert.equal(1, posts(mark))
    end)

    it("share one reading of the CA file", function()
      local bundle = curl.engine {
        ca_file = "/etc/ssl/certs/ca-certificates.crt" }
      local function connect(driver)
        local start = os.clock()
        for _ = 1, 20 do
          send({ method = "POST", body = "x", fresh = true,
            url = server.tls_url .. "/echo" }, driver)
        end
        return (os.clock() - start) / 20
      end
      connect(bundle)
      local large = connect(bundle)
      bundle:close()
      connect(engine)
      assert.is_true(large < 4 * connect(engine))
    end)
  end)

  describe("a file", function()
    local path

    before_each(function()
      path = folder .. "/clip.part"
      os.remove(path)
    end)

    local function download(where, sink, fields)
      local req = fields or {}
      req.sink = sink or { path = path, sync = true }
      return get(server.tls_url .. where, req)
    end

    it("takes the body as it comes", function()
      local response = assert(download "/clip.mp4")
      assert.equal(1000000, response.file_bytes)
      assert.equal(0, response.file_offset)
      assert.is_nil(response.body)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("is continued where it ends", function()
      write(path, "01234")
      local response = assert(download("/clip.mp4", { path = path, offset = 5 },
        { headers = { Range = "bytes=5-" } }))
      assert.equal(206, response.status)
      assert.equal(999995, response.file_bytes)
      assert.equal(5, response.file_offset)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("is restarted when the server sends the whole", function()
      write(path, ("old"):rep(1000000))
      local response = assert(download("/clip.mp4", { path = path, offset = 7 }))
      assert.equal(0, response.file_offset)
      assert.equal(CLIP_SHA256, response.sha256)
      assert.equal(("0123456789"):rep(100000), read(path))
    end)

    it("is emptied by an empty video", function()
      write(path, "old")
      local response = assert(download "/empty")
      assert.equal(0, response.file_bytes)
      assert.equal(EMPTY_SHA256, response.sha256)
      assert.equal("", read(path))
    end)

    for _, where in ipairs { "/page", "/oops", "/missing" } do
      it("is left alone by " .. where, function()
        write(path, "old")
        local response = assert(download(where))
        assert.is_nil(response.file_bytes)
        assert.is_true(#response.body > 0)
        assert.equal("old", read(path))
      end)
    end

    it("is left alone by another range than asked for", function()
      write(path, "old")
      is_lost("protocol", download("/other", { path = path, offset = 3 }))
      assert.equal("old", read(path))
    end)

    it("is not lengthened where less of it is left than was said", function()
      write(path, "01")
      local failure = is_lost("io", download("/clip.mp4",
        { path = path, offset = 5 }, { headers = { Range = "bytes=5-" } }))
      assert.equal("body", failure.phase)
      assert.equal("01", read(path))
    end)

    describe("whose version is known", function()
      local kept, headers = ("0123456789"):rep(3), { Range = "bytes=30-" }
      local known

      before_each(function()
        local now = assert(download "/clip.mp4").headers
        known = { path = path, offset = 30, etag = now.etag,
          modified = now["last-modified"], total = 1000000 }
        assert.is_string(known.etag)
        assert.is_string(known.modified)
        write(path, kept)
      end)

      it("is continued where it is still that one", function()
        local response = assert(download("/clip.mp4", known,
          { headers = headers }))
        assert.equal(30, response.file_offset)
        assert.equal(CLIP_SHA256, response.sha256)
      end)

      local others = { etag = '"other"', total = 999999,
        modified = "Tue, 03 Jun 2008 11:05:30 GMT" }
      for field, value in pairs(others) do
        it("is left alone where " .. field .. " is another now", function()
          known[field] = value
          local failure = is_lost("changed", download("/clip.mp4", known,
            { headers = headers }))
          assert.equal(206, failure.status)
          assert.equal("body", failure.phase)
          assert.equal(kept, read(path))
        end)
      end

      it("is restarted where the whole comes, of whatever version", function()
        known.etag = '"other"'
        assert.equal(0, assert(download("/clip.mp4", known)).file_offset)
        assert.equal(("0123456789"):rep(100000), read(path))
      end)
    end)

    it("is opened only when its turn comes", function()
      local small = curl.engine { max_in_flight = 1,
        ca_file = server.ca_file }
      local first = assert(small:submit { url = server.url .. "/later" })
      local second = assert(small:submit { url = server.url .. "/clip.mp4",
        sink = { path = path } })
      local third = assert(small:submit { url = server.url .. "/clip.mp4",
        sink = { path = folder .. "/none/clip" } })
      assert.is_nil(read(path))
      assert(finish(first, small))
      assert.equal(CLIP_SHA256, assert(finish(second, small)).sha256)
      local failure = is_lost("io", finish(third, small))
      assert.equal("queue", failure.phase)
      assert.is_false(failure.sent)
      small:close()
    end)

    it("keeps what came before the connection broke", function()
      local failure = is_lost("reset", raw("HTTP/1.1 200 OK\r\n"
        .. "Content-Type: video/mp4\r\nContent-Length: 9\r\n\r\nabc",
        { sink = { path = path } }))
      assert.equal(3, failure.received)
      assert.equal("abc", read(path))
    end)

    it("in no directory is a failure before anything is sent", function()
      local failure = is_lost("io", engine:submit { url = server.url,
        sink = { path = folder .. "/none/clip" } })
      assert.is_false(failure.sent)
      assert.equal("queue", failure.phase)
      assert.is_number(failure.errno)
    end)

    it("that another transfer writes is refused", function()
      local first = assert(engine:submit { url = server.url .. "/drip",
        sink = { path = path } })
      local failure = is_lost("busy", engine:submit {
        url = server.url .. "/clip.mp4", sink = { path = path } })
      assert.truthy(failure.message:find("clip.part", 1, true))
      first:cancel()
      assert(download "/clip.mp4")
    end)

    it("that is a pipe nobody reads is an error, not a wait", function()
      shell.run("mkfifo " .. path)
      is_lost("io", engine:submit { url = server.url .. "/clip.mp4",
        sink = { path = path } })
    end)

    it("beyond the limit on file sizes fails, and the process lives", function()
      local child = process.fork()
      if child == 0 then
        process.limit_files(300000)
        local _, failure = download "/clip.mp4"
        local fine = failure and failure.reason == "io"
          and failure.message:find("File too large", 1, true)
          and #read(path) == 300000
        process.leave(fine)
      end
      assert.is_true(process.await(child))
    end)

    it("keeps its bytes when the head of an answer is cut short", function()
      write(path, "old")
      is_lost("reset", raw("HTTP/1.1 200 OK\r\nContent-Type: video/mp4",
        { sink = { path = path } }))
      assert.equal("old", read(path))
    end)
  end)

  describe("a finished part", function()
    local part, path

    before_each(function()
      part, path = folder .. "/new.part", folder .. "/new"
      os.remove(path)
      write(part, "whole")
    end)

    local function is_refused(reason, ...)
      local ok, failure = curl.disk("commit", ...)
      assert.is_nil(ok)
      assert.equal(reason, failure.reason)
      assert.is_true(#failure.message > 0)
      assert.is_number(failure.errno)
    end

    it("gets its name", function()
      assert.is_true(curl.disk("commit", part, path, 5))
      assert.equal("whole", read(path))
      assert.is_nil(read(part))
    end)

    it("takes no name that is taken, but where it may", function()
      write(path, "mine")
      is_refused("exists", part, path, 5)
      assert.equal("mine", read(path))
      assert.equal("whole", read(part))
      assert.is_true(curl.disk("commit", part, path, 5, true))
      assert.equal("whole", read(path))
    end)

    it("is left alone where it has another size by now", function()
      is_refused("changed", part, path, 4)
      assert.is_nil(read(path))
    end)

    it("is left alone while somebody writes it", function()
      local transfer = assert(engine:submit { url = server.url .. "/drip",
        sink = { path = part } })
      is_refused("busy", part, path, 5)
      local ok, failure = curl.disk("discard", part)
      assert.is_nil(ok)
      assert.equal("busy", failure.reason)
      transfer:cancel()
      assert.is_true(curl.disk("commit", part, path, 5))
    end)

    it("that is not there is an error, and so is a folder", function()
      is_refused("io", folder .. "/none", path, 5)
      is_refused("io", part, folder .. "/none/clip", 5)
      assert.equal("whole", read(part))
    end)

    it("may be thrown away, or only if it is empty", function()
      assert.is_true(curl.disk("discard", part, true))
      assert.equal("whole", read(part))
      assert.is_true(curl.disk("discard", part))
      assert.is_nil(read(part))
      assert.is_true(curl.disk("discard", part))
      write(part, "")
      assert.is_true(curl.disk("discard", part, true))
      assert.is_nil(read(part))
    end)

    it("has a digest", function()
      write(part, ("0123456789"):rep(100000))
      assert.equal(CLIP_SHA256, curl.disk("sha256", part))
      write(part, "")
      assert.equal(EMPTY_SHA256, curl.disk("sha256", part))
      local hex, failure = curl.disk("sha256", folder .. "/none")
      assert.is_nil(hex)
      assert.equal("io", failure.reason)
    end)

    it("is the subject of an error where an argument is wrong", function()
      for _, arguments in ipairs { {}, { part }, { part, path },
        { part, path, -1 }, { part, path, 0 / 0 } } do
        assert.has_error(function()
          curl.disk("commit", (table.unpack or unpack)(arguments))
        end)
      end
      assert.has_error(function() curl.disk("discard") end)
      assert.has_error(function() curl.disk("sha256") end)
    end)
  end)

  describe("fork", function()
    it("gives the child an engine of its own", function()
      assert(get(server.tls_url .. "/hello"))
      assert.is_true(process.in_child(function()
        local response = get(server.tls_url .. "/hello")
        return response and not response.reused
      end))
      assert.is_true(assert(get(server.tls_url .. "/hello")).reused)
    end)

    it("leaves what is in flight to the parent", function()
      local transfer = assert(engine:submit { url = server.tls_url .. "/later" })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        local done = transfer:done()
        local _, failure = transfer:result()
        engine:close()
        return done and failure.reason == "cancelled" and failure.sent
      end))
      assert.equal("later", assert(finish(transfer, engine)).body)
      assert.is_true(assert(get(server.tls_url .. "/hello")).reused)
    end)

    it("leaves alone what the child has put in the place of a file", function()
      local path, log, last = folder .. "/clip.part", folder .. "/log", 63
      assert(engine:submit { url = server.url .. "/drip",
        sink = { path = path } })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        process.take_places(log, 3, last)
        engine:close()
        local kept = shell.read "readlink /proc/$PPID/fd/* | grep -c '/log$'"
        return tonumber(kept) == last - 2
      end))
    end)

    it("ends a child's wait for the parent's transfer at once", function()
      local transfer = assert(engine:submit { url = server.url .. "/later" })
      engine:step(0.05)
      assert.is_true(process.in_child(function()
        return timed(engine.step, engine, 5) < 1 and transfer:done()
      end))
    end)
  end)

  describe("the end", function()
    it("aborts what is in flight", function()
      local transfer = assert(engine:submit { url = server.url .. "/hang" })
      engine:step(0.05)
      engine:close()
      engine:close()
      is_lost("cancelled", transfer:result())
      transfer:cancel()
    end)

    it("makes misuse an error that says so", function()
      engine:close()
      for _, call in ipairs { "submit", "step", "in_flight" } do
        assert.error_matches(function()
          engine[call](engine, { url = server.url })
        end, "closed")
      end
    end)

    it("comes with the garbage collection when nobody refers to the engine", function()
      local other = curl.engine()
      local transfer = assert(other:submit { url = server.url .. "/hang" })
      other:step(0.05)
      other = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert.is_true(transfer:done())
      is_lost("cancelled", transfer:result())
    end)

    it("may be asked for only when there is one", function()
      local transfer = assert(engine:submit { url = server.url .. "/hang" })
      assert.has_error(function() transfer:result() end)
      assert.has_error(function() engine.step(transfer, 1) end)
    end)
  end)

  it("waits for no name look-up that was given up", function()
    local shim = folder .. "/lookup.so"
    assert(shell.run("cc -shared -fPIC -o " .. shim
      .. " spec/fixtures/lookup.c"))
    local output = shell.read("ASAN_OPTIONS=$ASAN_OPTIONS:"
      .. "verify_asan_link_order=0 LD_PRELOAD=" .. shim .. " " .. LUA .. [[ -e '
      local core = require("starvideos.core")
      local curl = require("starvideos.curl")
      local engine = curl.engine()
      local function since(start) return core.now() - start < 0.4 end
      local one = engine:submit { url = "https://one.invalid/" }
      engine:step(0.02)
      local start = core.now()
      one:cancel()
      io.write(tostring(since(start)), " ")
      local two = engine:submit { url = "https://two.invalid/", timeout = 0.1 }
      while not two:done() do engine:step(1) end
      local _, failure = two:result()
      io.write(tostring(since(start)), " ", failure.reason, " ")
      engine:submit { url = "https://three.invalid/" }
      engine:step(0.02)
      engine:close()
      io.write(tostring(since(start)))
      curl.engine():step(0.7)']])
    assert.equal("true true timeout true", output)
  end)

  it("shows no proxy what goes to this machine", function()
    local output = shell.read(("http_proxy=http://127.0.0.1:%d %s -e '%s'")
      :format(silent, LUA, ([[
      local engine = require("starvideos.curl").engine()
      local transfer = engine:submit { url = "%s/hello", timeout = 2 }
      while not transfer:done() do engine:step(1) end
      io.write((transfer:result() or {}).body or "nothing")]]):format(
        server.url)))
    assert.equal("hello", output)
  end)

  it("starts nothing when the module is loaded", function()
    local count = shell.read(LUA .. [[ -e '
      local before = io.popen("ls /proc/$PPID/task | wc -l"):read("*n")
      require("starvideos.curl")
      local after = io.popen("ls /proc/$PPID/task | wc -l"):read("*n")
      io.write(before, " ", after)']])
    assert.equal("1 1", count)
  end)
end)
