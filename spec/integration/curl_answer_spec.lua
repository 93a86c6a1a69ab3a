-- What the engine makes of answers, whole and broken, and of redirects.

local core = require "starvideos.core"
local engines = require "spec.fixtures.engine"
local libcurl = require "spec.fixtures.libcurl"
local transfers = require "spec.fixtures.transfer"

local get, order, raw = engines.get, engines.order, engines.raw
local is_lost, timed = transfers.is_lost, transfers.timed

describe("the engine", function()
  local server, engine

  setup(function()
    server = engines.start()
  end)
  teardown(engines.stop)
  before_each(function()
    engine = engines.open()
  end)
  after_each(engines.close)

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
        local best, values = math.huge, {}
        for index = 1, lines do values[index] = tostring(index) end
        while not transfer:done() do
          engine:step(1)
        end
        local _, headers = transfer:answer()
        assert.equal(table.concat(values, ", "), headers["x-line"])
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
      { "an endless header line", "too_large", "answer",
        "HTTP/1.1 200 OK\r\nA: " .. ("x"):rep(400000) },
      -- Older ones take it for a header.
      libcurl.since(83) and { "a line without a colon", "protocol", "answer",
        "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n" } or nil,
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

    it("hands over what came of its body, and no more than max_body", function()
      local head = "HTTP/1.1 200 OK\r\n"
      for _, case in ipairs {
        { "Content-Length: 9\r\n\r\nabc\0\255", "abc\0\255" },
        { "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "abc" },
        { "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", "abc" },
        { "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y", "abc" },
        { "Content-Length: 9\r\n\r\n", "" },
      } do
        for _, fields in ipairs { {}, { fresh = true } } do
          local _, failure = raw(head .. case[1], fields)
          assert.equal("body", failure.phase)
          assert.equal(case[2], failure.body)
        end
      end
      local failure = is_lost("too_large",
        get(server.url .. "/zeros", { max_body = 100000 }))
      assert.equal(100000, #failure.body)
      assert.is_string(failure.headers["content-type"])
      assert.equal("hello", is_lost("too_large",
        get(server.url .. "/hello", { max_body = 5 })).body)
      assert.is_nil(is_lost("reset", raw "HTTP/1.1 200 O").body)
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

    it("that announces more than max_body is not waited for beyond it", function()
      assert.is_true(timed(function()
        is_lost("too_large", get(server.url .. "/big", { timeout = 10,
          max_body = 1 }))
      end) < 5)
    end)

    it("of exactly max_body is taken", function()
      assert(get(server.url .. "/hello", { max_body = 6 }))
      is_lost("too_large", get(server.url .. "/hello", { max_body = 5 }))
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
end)
