-- The parts of the transport resty_http that need no nginx; the rest is in
-- hosts/resty_http_spec.lua.

local answers = require "starvideos.transport.resty_http.answer"
local files = require "spec.fixtures.files"
local lines = require "starvideos.transport.resty_http.line"
local message = require "starvideos.transport.resty_http.message"
local shell = require "starvideos.sandbox.nginx.shell"
local sinks = require "starvideos.transport.resty_http.sink"
local targets = require "starvideos.transport.resty_http.target"

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

describe("the lines of an answer", function()
  -- A cosocket that has got so many bytes.
  local function socket(text)
    local sock = {}
    function sock.receive(_, size)
      local piece = text:sub(1, size)
      text = text:sub(size + 1)
      return piece
    end
    function sock.receiveuntil()
      return function(most)
        local line = text:sub(1, most):match "^(.-)\n"
        local taken = line or text:sub(1, most)
        text = text:sub(#taken + (line and 2 or 1))
        if line or #taken == most then
          return taken
        end
        return nil, "closed", taken
      end
    end
    return sock
  end

  it("are read as they are", function()
    local sock = socket "HTTP/1.1 206 Partial\r\nA: b\r\n\r\nbody"
    local seen = lines.bound(sock)
    assert.equal("HTTP/1.1 206 Partial", sock:receive "*l")
    assert.equal(206, seen.status)
    assert.equal("A: b", sock:receive "*l")
    assert.equal("", sock:receive "*l")
    assert.equal("body", sock:receive(4))
    assert.same({ nil, "closed", "" }, { sock:receive "*l" })
  end)

  it("leave interim answers out", function()
    local sock = socket("HTTP/1.1 100 Continue\r\n\r\n"
      .. "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n")
    local seen = lines.bound(sock)
    assert.equal("HTTP/1.1 200 OK", sock:receive "*l")
    assert.equal(200, seen.status)
  end)

  it("have a bound, each and all together", function()
    local sock = socket(("a"):rep(70000) .. "\n")
    lines.bound(sock)
    assert.same({ nil, lines.too_long }, { sock:receive "*l" })
    sock = socket(("a: b\n"):rep(20000))
    lines.bound(sock)
    local count, line, err = 0, sock:receive "*l"
    while line do
      count = count + 1
      line, err = sock:receive "*l"
    end
    assert.equal(lines.too_long, err)
    assert.is_true(count <= 65536 / 5)
    local _, failure = answers.no_head(err)
    assert.equal("too_large", failure.reason)
  end)

  it("leave alone what is no socket", function()
    assert.same({}, lines.bound(nil))
    assert.same({}, lines.bound {})
  end)
end)
