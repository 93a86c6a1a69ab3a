local exchange = require "starvideos.host.resty_http.exchange"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("the target of a request", function()
  it("is read from a URL", function()
    local target = exchange.target "HTTPS://Media.example:8443/a/b.mp4?x=1#end"
    assert.equal("https", target.scheme)
    assert.equal("Media.example", target.host)
    assert.equal(8443, target.port)
    assert.equal("/a/b.mp4?x=1", target.path)
    assert.is_true(target.secure)
    assert.equal(443, exchange.target "https://h".port)
    assert.equal("/", exchange.target "https://h".path)
    assert.equal("/?a", exchange.target "https://h?a".path)
    assert.equal("::1", exchange.target "http://[::1]:80/".name)
  end)

  it("is this machine alone without TLS, unless more is allowed", function()
    for _, host in ipairs { "localhost", "127.0.0.1:80", "127.9.9.9",
      "[::1]:8080" } do
      assert.truthy(exchange.target("http://" .. host .. "/"))
    end
    for _, host in ipairs { "127.0.0.1.example", "example.com", "10.0.0.1",
      "[::2]", "localhost.example" } do
      local _, failure = exchange.target("http://" .. host .. "/?secret")
      assert.equal("insecure", failure.reason)
      assert.is_nil(failure.message:find("secret", 1, true))
      assert.truthy(exchange.target("http://" .. host .. "/", true))
    end
  end)

  it("is a public address where only that is allowed", function()
    local public = exchange.target("https://video.example/", false, true)
    for _, host in ipairs { "127.0.0.1", "localhost", "[::1]", "10.0.0.1:8080",
      "[::ffff:169.254.169.254]", "[64:ff9b::a00:1]" } do
      local _, failure = exchange.target("https://" .. host .. "/?secret", true, true)
      assert.equal("private", failure.reason, host)
      assert.is_nil(failure.message:find("secret", 1, true))
      _, failure = exchange.follow(public, "//" .. host .. "/", true, true)
      assert.equal("private", failure.reason, host)
      assert.truthy(exchange.target("https://" .. host .. "/", true))
    end
    assert.truthy(exchange.follow(public, "https://198.18.0.1/", false, true))
  end)

  it("is none where the URL cannot be read", function()
    for _, url in ipairs { "", "x", "/a", "https:", "https://", "https:///a",
      "https://h:0/", "https://h:65536/", "https://h:1x/", "https://u@h/",
      "https://a:b@h/", "https://[::1/", "ftp://h/", "https://h/a b",
      "https://h/\r\nX: y", "https://h/\0" } do
      local target, failure = exchange.target(url)
      assert.is_nil(target, url)
      assert.equal("invalid", failure.reason)
    end
  end)

  it("follows a redirect", function()
    local from = exchange.target "https://h:8443/a/b?c=1"
    for location, to in pairs {
      ["https://other/x"] = "other 443 /x", ["//other/x"] = "other 443 /x",
      ["/x?y"] = "h 8443 /x?y", ["x"] = "h 8443 /a/x",
      ["?d=2"] = "h 8443 /a/b?d=2", ["#end"] = "h 8443 /a/b?c=1",
    } do
      local target = exchange.follow(from, location)
      assert.equal(to, ("%s %d %s"):format(target.host, target.port,
        target.path))
      assert.equal("https", target.scheme)
    end
  end)

  it("stays encrypted", function()
    local open = "http://127.0.0.1/a"
    for _, case in ipairs { { "https://h/", false }, { "https://h/", true },
      { "http://127.0.0.1/", false } } do
      local target, failure = exchange.follow(exchange.target(case[1]), open,
        case[2])
      assert.is_nil(target)
      assert.equal("insecure", failure.reason)
    end
    assert.truthy(exchange.follow(exchange.target "http://127.0.0.1/", open, true))
    local _, failure = exchange.follow(exchange.target "https://h/", "ftp://h/")
    assert.equal("protocol", failure.reason)
  end)
end)

describe("a request that is to be sent", function()
  it("is handed over piece by piece", function()
    local told = {}
    local parameters = exchange.parameters({ method = "POST",
      body = ("x"):rep(100000) }, "/a?b", function(bytes, whole)
      told[#told + 1] = ("%d %s"):format(bytes, tostring(whole))
    end)
    local sizes = {}
    for piece in parameters.body do
      sizes[#sizes + 1] = #piece
    end
    assert.same({ 65536, 34464 }, sizes)
    local head = #"POST" + #"/a?b"
    assert.same({ head .. " false", head .. " false", head + 65536 .. " false",
      head + 100000 .. " true" }, told)
    assert.equal("100000", parameters.headers["Content-Length"])
    assert.equal("/a?b", parameters.path)
  end)

  it("is handed over at once where it has no body", function()
    local told = {}
    local parameters = exchange.parameters({ headers = { A = "bc" } }, "/",
      function(...) told[#told + 1] = { ... } end)
    assert.equal("GET", parameters.method)
    assert.is_nil(parameters.body)
    assert.same({ { #"GET" + #"/" + #"A: bc\r\n", true } }, told)
  end)

  it("leaves the caller's headers alone", function()
    local headers = {}
    exchange.parameters({ method = "POST", headers = headers }, "/",
      function() end)
    assert.same({}, headers)
  end)
end)

describe("an answer of lua-resty-http", function()
  local function res(status, headers, ...)
    local results, next_one = { ... }, 0
    return { status = status, headers = headers, has_body = #results > 0,
      body_reader = function()
        next_one = next_one + 1
        return unpack(results[next_one] or {}, 1, 2)
      end }
  end

  local function read(answer)
    local pieces = {}
    local ok, failure = exchange.read(answer, function(piece)
      pieces[#pieces + 1] = piece
      return true
    end)
    return ok and table.concat(pieces) or nil, failure
  end

  it("has headers of one form", function()
    local answer = assert(exchange.head(res(200, { ["Content-Length"] = "3",
      Via = { "a", "b" } }, { "abc" })))
    assert.same({ ["content-length"] = "3", via = "a, b" }, answer.headers)
    assert.equal(3, answer.length)
    assert.is_false(answer.open_end)
    assert.equal("abc", read(answer))
  end)

  it("has no length where it comes in chunks, and none to come without a body",
    function()
      local answer = exchange.head(res(200, { ["Transfer-Encoding"] = "Chunked",
        ["Content-Length"] = "7" }, { "a" }))
      assert.is_nil(answer.length)
      assert.is_false(answer.open_end)
      answer = exchange.head(res(204, {}))
      assert.equal(0, answer.length)
      assert.equal("", read(answer))
    end)

  it("is refused where its head cannot be believed", function()
    for status, headers in pairs { [100] = {}, [1000] = {},
      [200] = { ["Content-Length"] = "-7" },
      [201] = { ["Content-Length"] = { "5", "5" } },
      [202] = { ["Transfer-Encoding"] = "gzip" } } do
      local answer, failure = exchange.head(res(status, headers, { "a" }))
      assert.is_nil(answer)
      assert.equal("protocol", failure.reason)
      assert.equal(status > 100 and status or nil, failure.status)
    end
  end)

  it("ends with its connection where no length is told", function()
    local answer = exchange.head(res(200, {}, { "ab" }, { "c", "closed" }))
    assert.equal("abc", read(answer))
  end)

  local cut = {
    reset = { { "ab" }, { nil, "closed" } },
    timeout = { { "ab" }, { nil, "timeout" } },
  }
  for reason, pieces in pairs(cut) do
    it("fails where it is cut: " .. reason, function()
      local answer = exchange.head(res(200, { ["Content-Length"] = "9" },
        unpack(pieces)))
      local body, failure = read(answer)
      assert.is_nil(body)
      assert.equal(reason, failure.reason)
    end)
  end

  it("fails where it only goes silent, though no length is told", function()
    local body, failure = read(exchange.head(res(200, {}, { "ab" }, {})))
    assert.is_nil(body)
    assert.equal("reset", failure.reason)
  end)

  it("is not quoted in a message", function()
    local failure = exchange.failure("head",
      "couldn't parse HTTP version from response status line: secret")
    assert.equal("protocol", failure.reason)
    assert.is_nil(failure.message:find("secret", 1, true))
  end)

  it("has a reason where no connection was made", function()
    for err, reason in pairs {
      ["nowhere.invalid could not be resolved (3: Host not found)"] = "resolve",
      ["no resolver defined to resolve \"h\""] = "resolve",
      ["timeout"] = "timeout", ["connection refused"] = "connect",
      ["handshake failed"] = "tls", ["certificate host mismatch"] = "tls",
      ["20: unable to get local issuer"] = "tls",
    } do
      local failure = exchange.failure("connect", err)
      assert.equal(reason, failure.reason)
    end
  end)
end)
