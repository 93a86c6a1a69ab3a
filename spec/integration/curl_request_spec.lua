-- What may be asked of the engine, and what it says of an order: whether it
-- was sent.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local engines = require "spec.fixtures.engine"
local libcurl = require "spec.fixtures.libcurl"
local process = require "spec.fixtures.process"
local transfers = require "spec.fixtures.transfer"

local get, order, send, posts =
  engines.get, engines.order, engines.send, engines.posts
local is_lost, timed, under_way =
  transfers.is_lost, transfers.timed, transfers.under_way

describe("the engine", function()
  local server, engine, silent, silent_fd

  setup(function()
    server = engines.start()
    silent, silent_fd = process.listen()
  end)
  teardown(function()
    process.close(silent_fd)
    engines.stop()
  end)
  before_each(function()
    engine = engines.open()
  end)
  after_each(engines.close)

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

    it("is judged by itself, though the one before went to such a place",
      function()
        local place = "http://127.0.0.1:" .. server.port
        for _, case in ipairs {
          { "invalid", place .. "@example.invalid/" },
          { "insecure", "http:/example.invalid/hello" },
          { "insecure", "http:///example.invalid/hello" },
          { "insecure", "http://127.0.0.1.example.invalid/hello" },
          { "invalid", place .. "/a b" },
          { "invalid", place .. "/\r\nX: y" },
        } do
          assert.equal(200, assert(get(place .. "/hello")).status)
          refuses(case[1], { url = case[2] })
        end
      end)

    it("goes where its own path leads", function()
      for _ = 1, 2 do
        for path, body in pairs { ["/hello"] = "hello\n",
          ["/%68ello"] = "hello\n", ["/hello?x=%2F"] = "hello\n",
          ["/none/../hello"] = "hello\n" } do
          assert.equal(body, assert(get(server.url .. path)).body, path)
        end
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
      assert.has_error(function() curl.network { inline = true, max_in_flight = 0 } end)
      assert.has_error(function() curl.network(5) end)
    end)

    it("bears numbers beyond all reason", function()
      assert(get(server.url .. "/hello", { timeout = 1e14, redirects = 1e14,
        connect_timeout = 1e14, stall_seconds = 1e9, max_body = 1e14 }))
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
      local other = curl.network { inline = true }
      local failure = is_lost("tls", send({ method = "POST", body = "x",
        url = server.tls_url .. "/echo", fresh = true }, other))
      other:close()
      assert.is_false(failure.sent)
    end)

    it("says not sent when the CA file is missing", function()
      local other = curl.network { inline = true, ca_file = "/nonexistent" }
      local failure = is_lost("tls", send({ url = server.tls_url .. "/echo" },
        other))
      other:close()
      assert.is_false(failure.sent)
      assert.truthy(failure.message:find("/nonexistent", 1, true))
    end)

    -- Names below localhost need no look-up from 7.85 on.
    local resolved = libcurl.since(85) and it or pending
    resolved("says not sent when the certificate is another host's", function()
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
      local small = curl.network { inline = true, max_in_flight = 1 }
      local first = assert(small:submit { url = server.url .. "/hang" })
      local second = assert(small:submit { url = server.url .. "/hello" })
      small:step(0.05)
      assert.equal(2, under_way(small))
      second:cancel()
      local failure = is_lost("cancelled", second:result())
      assert.is_false(failure.sent)
      assert.equal("queue", failure.phase)
      assert.equal(1, under_way(small))
      small:close()
      assert.is_true(is_lost("cancelled", first:result()).sent)
    end)

    it("says not sent when there was no time at all", function()
      local failure = is_lost("timeout",
        order("https://127.0.0.1:" .. silent .. "/", { timeout = 0 }))
      assert.is_false(failure.sent)
    end)
  end)
end)
