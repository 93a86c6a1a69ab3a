-- A handle of libcurl's that is used again: what each request asks for holds
-- for it alone, whatever the one before it on the same handle asked for.

local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local http1 = require "spec.faults.http1"
local interpreter = require "spec.fixtures.interpreter"
local process = require "spec.fixtures.process"
local servers = require "spec.faults.server"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local finish, is_lost = transfers.finish, transfers.is_lost

local ANSWER = { status = 200, body = "{}" }
local CLIP = { status = 200, type = "video/mp4", body = "abcdefgh" }
local KNOWN = { "tls", 0, "known/server" }
local STRANGER = { "tls", 0, "stranger/server" }

-- A proxy that does not answer: whoever asks it is not on this machine.
local PROXIED = [[
env -u no_proxy -u NO_PROXY http_proxy=@proxy@ @lua@ - @url@ <<'END'
local engine = require("starvideos.curl").network { inline = true }
for _, url in ipairs { arg[1], "http://video.example/", arg[1] } do
  local transfer = assert(engine:submit { url = url, timeout = 0.3,
    insecure_http = true })
  while not transfer:done() do engine:step(1) end
  local response, failure = transfer:result()
  print(response and response.body or failure.reason)
end
END]]

describe("a handle that sent a poll", function()
  local server, engine, path

  setup(function()
    server = servers.start()
    path = server.folder .. "/clip"
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    engine = curl.network { inline = true, ca_file = server.ca_file }
    os.remove(path)
  end)
  after_each(function()
    engine:close()
  end)

  local http = http1.new()
  local moved = { status = 302, body = "", headers = {
    { "Location", "/there" } } }

  -- One connection that gives these answers, and then the end of `script`.
  local function connection(answers, ...)
    local script = {}
    for index, answer in ipairs(answers) do
      script[index] = { http:request(), http:answer(answer) }
    end
    script[#script + 1] = { ... }
    return script
  end

  local function send(url, fields)
    local req = fields or {}
    req.url, req.timeout = url, req.timeout or 10
    return finish(assert(engine:submit(req)), engine)
  end

  local function lines_of(record)
    local lines = {}
    for index, request in ipairs(record) do
      lines[index] = request.line:match "^(%a+ %S+)"
    end
    return lines
  end

  for _, scheme in ipairs { "url", "tls_url" } do
    local tls = scheme == "tls_url" and KNOWN or {}

    it("asks again for its own address where a connection breaks, over "
      .. scheme, function()
      server:plan {
        { tls, connection({ ANSWER }, http:request(), { "fin" }) },
        { tls, connection({ ANSWER }, { "fin" }) },
      }
      assert(send(server[scheme] .. "/first?a"))
      assert(send(server[scheme] .. "/second?b"))
      engine:close()
      assert.same({ "GET /first?a", "GET /second?b", "GET /second?b" },
        lines_of(server:record()))
    end)
  end

  it("is good for any number of connections that break", function()
    local connections = {}
    for index = 1, 12 do
      connections[index] = connection({ ANSWER }, http:request(), { "fin" })
    end
    server:plan(connections)
    for _ = 1, #connections do
      assert(send(server.url))
    end
  end)

  it("sends the headers of each request, and no others", function()
    server:plan { connection({ ANSWER, ANSWER, ANSWER }, { "fin" }) }
    local key = { Authorization = "Bearer sk-1" }
    assert(send(server.url .. "/1", { headers = key }))
    assert(send(server.url .. "/2"))
    assert(send(server.url .. "/3", { headers = key }))
    engine:close()
    local record = server:record()
    assert.equal(1, record.connections)
    assert.same({ true, false, true },
      { record[1].has_key, record[2].has_key, record[3].has_key })
  end)

  it("takes the key to no other origin", function()
    server:plan { connection({ ANSWER }, { "fin" }) }
    local other = servers.start()
    other:plan { { KNOWN, connection({ ANSWER }, { "fin" }) } }
    assert(send(server.url, { headers = { Authorization = "Bearer sk-1" } }))
    is_lost("tls", send(other.tls_url)) -- its authority is another's
    engine:close()
    engine = curl.network { inline = true, ca_file = other.ca_file }
    assert(send(other.tls_url))
    engine:close()
    local record = other:record()
    other:stop()
    assert.equal(1, #record)
    assert.is_false(record[1].has_key)
  end)

  it("trusts no stranger after a server that it knows", function()
    server:plan { { KNOWN, connection({ ANSWER }, { "fin" }) },
      { STRANGER, connection({ ANSWER }, { "fin" }) } }
    assert(send(server.tls_url))
    is_lost("tls", send(server.tls_url))
    engine:close()
    assert.equal(1, #server:record())
  end)

  it("looks at certificates after a poll that needed none", function()
    server:plan { connection({ ANSWER }, { "fin" }),
      { STRANGER, connection({ ANSWER }, { "fin" }) } }
    assert(send(server.url))
    is_lost("tls", send(server.tls_url))
  end)

  it("sends an order on a connection of its own, once", function()
    server:plan { connection({ ANSWER, ANSWER }, { "fin" }),
      { http:request(), { "fin" } }, connection({ ANSWER }, { "fin" }) }
    assert(send(server.url .. "/poll"))
    local failure = is_lost("reset", send(server.url .. "/order",
      { method = "POST", fresh = true, body = "{}" }))
    assert.is_true(failure.sent)
    assert.is_true(assert(send(server.url .. "/poll")).reused)
    engine:close()
    assert.same({ "GET /poll", "POST /order", "GET /poll" },
      lines_of(server:record()))
  end)

  it("leaves no connection where none is to be left", function()
    server:plan { connection({ ANSWER }, { "fin" }),
      connection({ ANSWER, ANSWER }, { "fin" }) }
    assert(send(server.url .. "/1"))
    assert(send(server.url .. "/2", { fresh = true }))
    assert(send(server.url .. "/3"))
    engine:close()
    local record = server:record()
    assert.same({ 1, 2, 3 }, { record[1].connection, record[2].connection,
      record[3].connection })
  end)

  it("sends the body of a request that has one", function()
    server:plan { connection({ ANSWER, ANSWER }, { "fin" }) }
    assert(send(server.url))
    assert(send(server.url, { method = "POST", body = "{}" }))
    engine:close()
    local record = server:record()
    assert.equal("POST", record[2].method)
    assert.equal(2, record[2].body)
  end)

  it("sends no body after an order", function()
    server:plan { connection({ ANSWER }, { "fin" }),
      connection({ ANSWER }, { "fin" }) }
    assert(send(server.url, { method = "POST", fresh = true, body = "{}" }))
    assert(send(server.url))
    engine:close()
    local record = server:record()
    assert.equal("GET", record[2].method)
    assert.equal(0, record[2].body)
  end)

  it("follows redirects where asked to, and nowhere else", function()
    server:plan { connection({ moved, moved, ANSWER, moved }, { "fin" }) }
    assert.equal(302, assert(send(server.url .. "/1")).status)
    assert.equal(200, assert(send(server.url .. "/2",
      { redirects = 1, insecure_http = true })).status)
    assert.equal(302, assert(send(server.url .. "/3")).status)
    engine:close()
    assert.same({ "GET /1", "GET /2", "GET /there", "GET /3" },
      lines_of(server:record()))
  end)

  it("follows a redirect from http to https", function()
    local there = { status = 302, body = "", headers = {
      { "Location", server.tls_url .. "/there" } } }
    for _, insecure in ipairs { false, true } do
      server:plan { connection({ there }, { "fin" }),
        { KNOWN, { http:request(), http:answer(ANSWER) }, { "fin" } } }
      assert.equal(200, assert(send(server.url .. "/1",
        { redirects = 1, insecure_http = insecure })).status)
      assert.same({ "GET /1", "GET /there" }, lines_of(server:record()))
    end
  end)

  it("writes to the file of a download alone", function()
    server:plan { connection({ CLIP, CLIP, CLIP }, { "fin" }) }
    assert.equal("abcdefgh", assert(send(server.url)).body)
    local saved = assert(send(server.url, { sink = { path = path } }))
    assert.equal(8, saved.file_bytes)
    os.remove(path)
    assert.equal("abcdefgh", assert(send(server.url)).body)
    assert.is_nil(files.read(path))
  end)

  it("forgets the time that the one before was allowed", function()
    server:plan { connection({ ANSWER }, http:request(), { "pause", 300 },
      http:answer(ANSWER), http:request(), { "hang" }) }
    assert(send(server.url, { timeout = 0.2 }))
    assert(send(server.url))
    is_lost("timeout", send(server.url, { timeout = 0.2 }))
  end)

  it("takes the limit of speed for one request", function()
    server:plan { connection({ ANSWER }, http:request(), { "hang" }),
      connection({}, http:request(), { "pause", 1500 }, http:answer(ANSWER),
        { "fin" }) }
    assert(send(server.url))
    is_lost("stalled", send(server.url, { stall_seconds = 1 }))
    assert(send(server.url))
  end)

  it("says not sent of a request that never left", function()
    local port, fd = process.listen()
    process.close(fd)
    server:plan { connection({ ANSWER }, { "fin" }) }
    assert(send(server.url))
    local failure = is_lost("connect", send("http://127.0.0.1:" .. port))
    assert.is_false(failure.sent)
    assert.equal("connect", failure.phase)
    assert.equal(0, failure.bytes_sent)
    assert.equal(0, failure.received)
    assert.is_nil(failure.status)
    assert.truthy(failure.message:find("refused", 1, true))
  end)

  it("shows a proxy what is for elsewhere, and that alone", function()
    local silent, fd = process.listen()
    server:plan { connection({ ANSWER, ANSWER }, { "fin" }) }
    local output = shell.read(shell.fill(PROXIED, { url = server.url,
      lua = interpreter, proxy = "http://127.0.0.1:" .. silent }))
    process.close(fd)
    assert.equal("{}\ntimeout\n{}", output)
  end)
end)
