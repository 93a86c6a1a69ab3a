-- The parts of the transport resty_http that need no nginx; the rest is in
-- hosts/resty_http_spec.lua.

local answers = require "starvideos.transport.resty_http.answer"
local files = require "spec.fixtures.files"
local message = require "starvideos.transport.resty_http.message"
local shell = require "starvideos.sandbox.nginx.shell"
local sinks = require "starvideos.transport.resty_http.sink"
local targets = require "starvideos.transport.resty_http.target"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("the target of a request", function()
  it("is read from a URL", function()
    local target = targets.read "HTTPS://Media.example:8443/a/b.mp4?x=1#end"
    assert.equal("https", target.scheme)
    assert.equal("Media.example", target.host)
    assert.equal(8443, target.port)
    assert.equal("/a/b.mp4?x=1", target.path)
    assert.is_true(target.secure)
    assert.equal(443, targets.read "https://h".port)
    assert.equal("/", targets.read "https://h".path)
    assert.equal("/?a", targets.read "https://h?a".path)
    assert.equal("::1", targets.read "http://[::1]:80/".name)
  end)

  it("is this machine alone without TLS, unless more is allowed", function()
    for _, host in ipairs { "localhost", "127.0.0.1:80", "127.9.9.9",
      "[::1]:8080" } do
      assert.truthy(targets.read("http://" .. host .. "/"))
    end
    for _, host in ipairs { "127.0.0.1.example", "example.com", "10.0.0.1",
      "[::2]", "localhost.example" } do
      local _, failure = targets.read("http://" .. host .. "/?secret")
      assert.equal("insecure", failure.reason)
      assert.is_nil(failure.message:find("secret", 1, true))
      assert.truthy(targets.read("http://" .. host .. "/", true))
    end
  end)

  it("is none where the URL cannot be read", function()
    for _, url in ipairs { "", "x", "/a", "https:", "https://", "https:///a",
      "https://h:0/", "https://h:65536/", "https://h:1x/", "https://u@h/",
      "https://a:b@h/", "https://[::1/", "ftp://h/", "https://h/a b",
      "https://h/\r\nX: y", "https://h/\0" } do
      local target, failure = targets.read(url)
      assert.is_nil(target, url)
      assert.equal("invalid", failure.reason)
    end
  end)

  it("follows a redirect", function()
    local from = targets.read "https://h:8443/a/b?c=1"
    for location, to in pairs {
      ["https://other/x"] = "other 443 /x", ["//other/x"] = "other 443 /x",
      ["/x?y"] = "h 8443 /x?y", ["x"] = "h 8443 /a/x",
      ["?d=2"] = "h 8443 /a/b?d=2", ["#end"] = "h 8443 /a/b?c=1",
    } do
      local target = targets.follow(from, location)
      assert.equal(to, ("%s %d %s"):format(target.host, target.port,
        target.path))
      assert.equal("https", target.scheme)
    end
  end)

  it("stays encrypted", function()
    local open = "http://127.0.0.1/a"
    for _, case in ipairs { { "https://h/", false }, { "https://h/", true },
      { "http://127.0.0.1/", false } } do
      local target, failure = targets.follow(targets.read(case[1]), open,
        case[2])
      assert.is_nil(target)
      assert.equal("insecure", failure.reason)
    end
    assert.truthy(targets.follow(targets.read "http://127.0.0.1/", open, true))
    local _, failure = targets.follow(targets.read "https://h/", "ftp://h/")
    assert.equal("protocol", failure.reason)
  end)
end)

describe("the file of a download", function()
  local path, now, claims

  before_each(function()
    path, now = os.tmpname(), 100
    claims = { clock = function() return now end, seconds = 10 }
  end)

  after_each(function()
    os.remove(path)
  end)

  local function open(wanted)
    wanted = wanted or {}
    wanted.path = path
    return sinks.open(wanted, claims)
  end

  it("keeps what it holds until a whole body begins", function()
    files.write(path, "old")
    local sink = open()
    assert.equal("old", files.read(path))
    assert(sink:begin(200, {}))
    assert(sink:write "ne")
    assert(sink:write "w")
    assert(sink:close())
    assert.equal("new", files.read(path))
    assert.equal(0, sink.offset)
    assert.equal(3, sink.written)
  end)

  it("goes on with the rest", function()
    files.write(path, "abc")
    local sink = open { offset = 3, etag = '"1"', total = 5 }
    assert(sink:begin(206, { ["content-range"] = "bytes 3-4/5",
      etag = '"1"' }))
    assert(sink:write "de")
    assert(sink:close())
    assert.equal("abcde", files.read(path))
    assert.equal(3, sink.offset)
    assert.equal(2, sink.written)
  end)

  local wrong = {
    { "protocol", {} },
    { "protocol", { ["content-range"] = "bytes 2-4/5" } },
    { "protocol", { ["content-range"] = "lines 3-4/5" } },
    { "changed", { ["content-range"] = "bytes 3-4/6" } },
    { "changed", { ["content-range"] = "bytes 3-4/5", etag = '"2"' } },
    { "changed", { ["content-range"] = "bytes 3-4/5",
      ["last-modified"] = "later" } },
  }

  it("takes no other part, and none of another version", function()
    files.write(path, "abc")
    for _, case in ipairs(wrong) do
      local sink = open { offset = 3, etag = '"1"', modified = "then",
        total = 5 }
      local ok, failure = sink:begin(206, case[2])
      assert.is_nil(ok)
      assert.equal(case[1], failure.reason)
      sink:close()
      assert.equal("abc", files.read(path))
    end
  end)

  it("takes no rest behind what is shorter or longer by now", function()
    for _, text in ipairs { "ab", "abcd" } do
      files.write(path, text)
      local sink = open { offset = 3 }
      local _, failure = sink:begin(206,
        { ["content-range"] = "bytes 3-4/5" })
      assert.equal("changed", failure.reason)
      sink:close()
    end
  end)

  it("has one writer, until it lets go or is gone", function()
    local first = open()
    local second, failure = open()
    assert.is_nil(second)
    assert.equal("busy", failure.reason)
    first:close()
    first:close()
    second = open()
    now = now + 9
    second:hold()
    now = now + 9
    assert.is_nil((open()))
    now = now + 2
    local third = open()
    assert.truthy(third)
    third:close()
    second:close()
  end)

  it("is no pipe, whose other end nobody waits for", function()
    os.remove(path)
    shell.run("mkfifo " .. path)
    for _ = 1, 2 do
      local sink, failure = open()
      assert.is_nil(sink)
      assert.equal("io", failure.reason)
      assert.truthy(failure.message:find("is a pipe", 1, true))
    end
  end)

  it("tells of a folder that is not there", function()
    path = path .. "/no/such"
    for _ = 1, 2 do
      local sink, failure = open()
      assert.is_nil(sink)
      assert.truthy(failure.message:find("^cannot write .+: %a"))
      assert.equal("io", failure.reason)
    end
  end)
end)

describe("a request that is to be sent", function()
  it("is handed over piece by piece", function()
    local told = {}
    local parameters = message.parameters({ method = "POST",
      body = ("x"):rep(100000) }, "/a?b", function(bytes, whole)
      told[#told + 1] = ("%d %s"):format(bytes, tostring(whole))
    end)
    local sizes = {}
    for piece in parameters.body do
      sizes[#sizes + 1] = #piece
    end
    assert.same({ 65536, 34464 }, sizes)
    assert.same({ "0 false", "65536 false", "100000 true" }, told)
    assert.equal("100000", parameters.headers["Content-Length"])
    assert.equal("/a?b", parameters.path)
  end)

  it("leaves the caller's headers alone", function()
    local headers = {}
    message.parameters({ method = "POST", headers = headers }, "/",
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
    local ok, failure = answers.read(answer, function(piece)
      pieces[#pieces + 1] = piece
      return true
    end)
    return ok and table.concat(pieces) or nil, failure
  end

  it("has headers of one form", function()
    local answer = assert(answers.head(res(200, { ["Content-Length"] = "3",
      Via = { "a", "b" } }, { "abc" })))
    assert.same({ ["content-length"] = "3", via = "a, b" }, answer.headers)
    assert.equal(3, answer.length)
    assert.is_false(answer.open_end)
    assert.equal("abc", read(answer))
  end)

  it("has no length where it comes in chunks, and none to come without a body",
    function()
      local answer = answers.head(res(200, { ["Transfer-Encoding"] = "Chunked",
        ["Content-Length"] = "7" }, { "a" }))
      assert.is_nil(answer.length)
      assert.is_false(answer.open_end)
      answer = answers.head(res(204, {}))
      assert.equal(0, answer.length)
      assert.equal("", read(answer))
    end)

  it("is refused where its head cannot be believed", function()
    for status, headers in pairs { [100] = {}, [1000] = {},
      [200] = { ["Content-Length"] = "-7" },
      [201] = { ["Content-Length"] = { "5", "5" } },
      [202] = { ["Transfer-Encoding"] = "gzip" } } do
      local answer, failure = answers.head(res(status, headers, { "a" }))
      assert.is_nil(answer)
      assert.equal("protocol", failure.reason)
      assert.equal(status > 100 and status or nil, failure.status)
    end
  end)

  it("ends with its connection where no length is told", function()
    local answer = answers.head(res(200, {}, { "ab" }, { "c", "closed" }))
    assert.equal("abc", read(answer))
  end)

  local cut = {
    reset = { { "ab" }, { nil, "closed" } },
    timeout = { { "ab" }, { nil, "timeout" } },
  }
  for reason, pieces in pairs(cut) do
    it("that is cut is none: " .. reason, function()
      local answer = answers.head(res(200, { ["Content-Length"] = "9" },
        unpack(pieces)))
      local body, failure = read(answer)
      assert.is_nil(body)
      assert.equal(reason, failure.reason)
    end)
  end

  it("that only goes silent is none, though no length is told", function()
    local body, failure = read(answers.head(res(200, {}, { "ab" }, {})))
    assert.is_nil(body)
    assert.equal("reset", failure.reason)
  end)

  it("is not quoted in a message", function()
    local failure = answers.failure("head",
      "couldn't parse HTTP version from response status line: secret")
    assert.equal("protocol", failure.reason)
    assert.is_nil(failure.message:find("secret", 1, true))
  end)

  it("that could not be asked for has a reason", function()
    for err, reason in pairs {
      ["nowhere.invalid could not be resolved (3: Host not found)"] = "resolve",
      ["no resolver defined to resolve \"h\""] = "resolve",
      ["timeout"] = "timeout", ["connection refused"] = "connect",
      ["handshake failed"] = "tls", ["certificate host mismatch"] = "tls",
      ["20: unable to get local issuer"] = "tls",
    } do
      local failure = answers.failure("connect", err)
      assert.equal(reason, failure.reason)
    end
  end)
end)
