-- What hostile callers send to a gateway, in a real nginx: each gets a clear
-- refusal in JSON, others go on being served, and the memory stays flat.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local raw_http = require "spec.fixtures.raw_http"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"
local transfers = require "spec.fixtures.transfer"

local MB = 1048576

describe("hostile callers of a gateway", function()
  local provider, gateway, engine, ann, bob

  local function head(method, path, headers)
    local all = { Host = "127.0.0.1:" .. gateway.port,
      ["Content-Type"] = "application/json" }
    for name, value in pairs(headers or {}) do
      all[name] = value or nil
    end
    return raw_http.head(method, path, all)
  end

  -- Every answer is JSON, of either dialect, and tells nothing of the gateway.
  local function checked(status, headers, body)
    assert.is_number(status, headers)
    assert.equal("application/json", headers["content-type"], body)
    for _, secret in ipairs { gateway.prefix, provider.base_url, "key-of-the" } do
      assert.is_nil(body:find(secret, 1, true), body)
    end
    return status, assert(json.decode(body)), headers
  end

  local function ask(...)
    return checked(raw_http.ask(gateway.port, ...))
  end

  local function post(fields, headers)
    local body = type(fields) == "string" and fields or json.encode(fields)
    headers.Authorization = headers.Authorization or ann
    headers["Content-Length"] = #body
    return ask(head("POST", "/v1/videos", headers) .. body)
  end

  local function assert_serves()
    local begun = core.now()
    assert.equal(200, (ask(head("GET", "/v1/videos", { Authorization = bob }))))
    assert.is_true(core.now() - begun < 3)
  end

  -- Bytes that the workers of nginx hold.
  local function memory()
    local sum = 0
    for pid in shell.read("pgrep -P " .. gateway.pid):gmatch "%d+" do
      sum = sum + tonumber(file.read("/proc/" .. pid .. "/status")
        :match "VmRSS:%s+(%d+)") * 1024
    end
    return sum
  end

  local function assert_flat(before, attack)
    local grown = (memory() - before) / MB
    assert.is_true(grown < 8, ("%s: %.1f MB more"):format(attack, grown))
    assert.equal("", shell.read("find " .. gateway.prefix
      .. "/tmp -type f -size +64k"))
  end

  local function settle()
    for _ = 1, 300 do
      ask(head("GET", "/v1/videos/video_" .. ("0"):rep(32),
        { Authorization = ann }))
    end
  end

  -- Slow requests have three seconds, not ten.
  local function hurry()
    local path = gateway.prefix .. "/gateway.conf"
    local text, count = file.read(path):gsub("(client_%l+_timeout) 10s",
      "%1 3s")
    assert.equal(2, count)
    files.write(path, text)
    gateway:signal "HUP"
    local old = shell.read("pgrep -P " .. gateway.pid)
    local give_up = core.now() + 20
    repeat
      socket.sleep(0.05)
      local now = shell.read("pgrep -P " .. gateway.pid)
    until core.now() > give_up or #now == #old and now ~= old
  end

  setup(function()
    engine = curl.network { inline = true }
    provider = assert(sandbox.start { key = "key-of-the-gateway", seconds = 1,
      queued_seconds = 0.2, drawn = false })
    gateway = gateways.start { base_url = provider.base_url,
      api_key = "key-of-the-gateway", callers = { callers = {
        { name = "ann", token_sha256 = curl.sha256 "token-of-ann" },
        { name = "bob", token_sha256 = curl.sha256 "token-of-bob" },
      } } }
    ann, bob = "Bearer token-of-ann", "Bearer token-of-bob"
    settle()
    hurry()
    settle()
  end)

  -- Nothing raised, and no log has a token, a prompt or an address.
  teardown(function()
    local logs = gateway:logs()
    engine:close()
    gateway:stop()
    provider:stop()
    for _, text in ipairs { "token-of-", "key-of-the", "a kite", "aborted",
      "/lua/starvideos/", "etc/passwd" } do
      assert.is_nil(logs:find(text, 1, true), text)
    end
  end)

  local CHUNK = ("10000\r\n%s\r\n"):format(("x"):rep(65536))

  -- Sends 100 MB, or as much as the server takes.
  local function flood(headers)
    headers["Transfer-Encoding"] = "chunked"
    local peer = raw_http.connect(gateway.port)
    peer:send(head("POST", "/v1/videos", headers))
    for _ = 1, 1600 do
      if not peer:send(CHUNK) then
        break
      end
    end
    local status, fields, body = peer:answer()
    peer:close()
    return checked(status, fields, body)
  end

  it("send bodies of 100 MB", function()
    local before = memory()
    for _ = 1, 20 do
      assert.equal(413, (ask(head("POST", "/v1/videos", { Authorization = ann,
        ["Content-Length"] = 100 * MB }))))
    end
    for _ = 1, 5 do
      local status = flood { Authorization = ann }
      assert.equal(413, status)
      assert.equal(401, (flood {}))
      assert.equal(403, (flood { Authorization = ann, Host = "evil.example" }))
    end
    assert_serves()
    assert_flat(before, "bodies")
  end)

  it("send 10,000 ids that they made up", function()
    local before, left, answers = memory(), 10000, 0
    local under_way = {}
    while left > 0 or under_way[1] do
      while left > 0 and #under_way < 32 do
        left = left - 1
        under_way[#under_way + 1] = assert(engine:submit { method = "GET",
          url = ("%s/v1/videos/video_%032x"):format(gateway.url, left * 7919),
          headers = { Authorization = ann }, timeout = 30 })
      end
      local response = assert(transfers.finish(table.remove(under_way, 1),
        engine))
      assert.equal(404, response.status)
      answers = answers + 1
    end
    assert.equal(10000, answers)
    assert_serves()
    assert_flat(before, "ids")
  end)

  it("send floods of headers", function()
    local before = memory()
    local many = {}
    for index = 1, 10000 do
      many["X-" .. index] = "a"
    end
    for count = 1, 20 do
      assert.equal(431, (ask(head("GET", "/v1/videos", many))))
      assert.equal(431, (ask(head("GET", "/v1/videos",
        { Authorization = "Bearer " .. ("a"):rep(100000) }))))
      assert.equal(414, (ask(head("GET", "/" .. ("a"):rep(100000)))))
      local status = ask(head("GET", "/v1/videos",
        { Authorization = "Bearer " .. ("a"):rep(8000) }))
      assert.is_true(status == 429 or count <= 10 and status == 401, status)
    end
    assert_serves()
    assert_flat(before, "headers")
  end)

  -- Sends the rest of a request a byte at a time, on many connections; returns
  -- how many of them the server has ended after so many seconds.
  local function drip(count, beginning, byte, seconds)
    local peers, ended = {}, 0
    for index = 1, count do
      peers[index] = raw_http.connect(gateway.port)
      peers[index]:send(beginning)
    end
    local give_up = core.now() + seconds
    repeat
      assert_serves()
      for _, peer in ipairs(peers) do
        peer:send(byte)
      end
      socket.sleep(0.2)
    until core.now() > give_up
    for _, peer in ipairs(peers) do
      local status, why = peer:answer(0)
      ended = ended + ((status or why ~= "timeout") and 1 or 0)
      peer:close()
    end
    return ended
  end

  it("send headers slowly", function()
    local before = memory()
    assert.equal(300, drip(300, "GET / HTTP/1.1\r\nX-Slow: ", "a", 4))
    assert_serves()
    assert_flat(before, "slow headers")
  end)

  it("send bodies slowly", function()
    local before = memory()
    local slow = head("POST", "/v1/videos", { Authorization = ann,
      ["Content-Length"] = 60000 }) .. "{"
    -- Who drips is not stopped, but has 64 requests under way in each of two
    -- workers at most.
    assert.is_true(drip(300, slow, "a", 1) >= 300 - 2 * 64)
    local nobody = slow:gsub("Authorization[^\n]*\n", "")
    assert.equal(100, drip(100, nobody, "a", 0))
    -- Who stops is cut off; nginx gives no answer to that.
    assert.is_nil((raw_http.ask(gateway.port, slow)))
    assert_serves()
    assert_flat(before, "slow bodies")
  end)

  local function order(headers)
    local status, video = post({ model = "videos", prompt = "a kite",
      seconds = "4" }, headers or {})
    assert.equal(200, status, video.error and video.error.message)
    return video
  end

  local function count_of(caller)
    local status, list = ask(head("GET", "/v1/videos?limit=100",
      { Authorization = caller }))
    assert.equal(200, status)
    return #list.data
  end

  it("name paths in every field", function()
    local path = "../../../../etc/passwd"
    local before = shell.read("find " .. gateway.prefix .. " | grep -v /tmp/")
    for _, field in ipairs { "model", "seconds", "size", "input_reference",
      path } do
      local wanted = { model = "videos", prompt = "a kite", seconds = "4" }
      wanted[field] = path
      assert.equal(400, (post(wanted, {})), field)
    end
    local form = '--b\r\nContent-Disposition: form-data; name="' .. path
      .. '"; filename="' .. path .. '"\r\n\r\nroot\r\n--b--\r\n'
    assert.equal(400, (post(form,
      { ["Content-Type"] = "multipart/form-data; boundary=b" })))
    for _, address in ipairs { "/v1/videos/" .. path, "/v1/videos/video_" .. path,
      "/v1/videos/..%2f..%2fsecret", "/v1/videos/%2e%2e/secret",
      "/v1/videos/video_..%2f..%2fsecret/content", "/v1/result/..%2fsecret",
      "/v1/files/..%2fsecret.mp4", "/_files/aa/../../secret", "/..%2fsecret",
      "/_files/aa/a.mp4", "/secret", "/_refused", "/v1/videos/video_a%00b" } do
      local status = ask(head("GET", address, { Authorization = ann }))
      assert.is_true(status == 400 or status == 404, address .. ": " .. status)
    end
    assert.equal(404, (ask(head("GET", "/v1/videos?after=" .. path,
      { Authorization = ann }))))
    assert.equal(before, shell.read("find " .. gateway.prefix
      .. " | grep -v /tmp/"))
    -- A key and a prompt are texts: they name nothing.
    local status, video = post({ model = "videos", prompt = path,
      seconds = "4" }, { ["Idempotency-Key"] = path })
    assert.equal(200, status)
    assert.equal(path, video.prompt)
    assert_serves()
  end)

  it("ask for what is another's", function()
    local id = order().id
    local made_up = "video_" .. ("0"):rep(32)
    for _, case in ipairs { { "GET", "" }, { "DELETE", "" },
      { "GET", "/content" }, { "GET", "/events" } } do
      local answers = {}
      for index, name in ipairs { id, made_up } do
        local status, answer = ask(head(case[1], "/v1/videos/" .. name .. case[2],
          { Authorization = bob }))
        assert.equal(404, status)
        answers[index] = answer
      end
      assert.same(answers[1], answers[2])
    end
    local status, answer = ask(head("GET", "/v1/result/" .. id,
      { Authorization = bob }))
    assert.equal(404, status)
    assert.is_nil(json.encode(answer):find "kite")
    status, answer = ask(head("GET", "/v1/videos?after=" .. id,
      { Authorization = bob }))
    assert.is_true(status == 404 or #answer.data == 0)
    assert.equal(200, (ask(head("GET", "/v1/videos/" .. id,
      { Authorization = ann }))))
  end)

  it("use another's key, and order for themselves", function()
    local key = { ["Idempotency-Key"] = "basket-1" }
    local hers = order(key)
    key.Authorization = bob
    assert.are_not.equal(hers.id, order(key).id)
  end)

  it("send orders as what needs no leave of a browser", function()
    local before = count_of(ann)
    for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded",
      "text/plain; application/json", "application/jsonp", "" } do
      assert.equal(415, (post({ model = "videos", prompt = "a kite" },
        { ["Content-Type"] = kind })), kind)
    end
    assert.equal(415, (post({ model = "videos", prompt = "a kite" },
      { ["Content-Type"] = false })))
    assert.equal(before, count_of(ann))
  end)

  it("hide one request in another", function()
    local hidden = head("DELETE", "/v1/videos", { Authorization = bob })
    for _, lines in ipairs {
      { ["Content-Length"] = "5\r\nContent-Length: 6" },
      { ["Content-Length"] = "5", ["Transfer-Encoding"] = "chunked" },
      { ["Transfer-Encoding"] = "chunked\r\nTransfer-Encoding: chunked" },
      { ["Content-Length"] = "+5" }, { ["Content-Length"] = "-1" },
      { ["Content-Length"] = "5, 5" }, { ["Content-Length"] = "0x5" },
      { Host = "a\r\nHost: b" },
    } do
      lines.Authorization = ann
      local status = ask(head("POST", "/v1/videos", lines) .. "0\r\n\r\n"
        .. hidden)
      assert.equal(400, status)
    end
    assert.equal(501, (ask(head("POST", "/v1/videos", { Authorization = ann,
      ["Transfer-Encoding"] = "gzip, chunked" }))))
    assert.equal(400, (ask(head("POST", "/v1/videos", { Authorization = ann,
      ["Transfer-Encoding"] = "chunked" }) .. "zz\r\n")))
  end)

  it("send what is no HTTP", function()
    for text, status in pairs { ["\0\1\2\r\n\r\n"] = 400, ["GET\r\n\r\n"] = 400,
      ["GET / HTTP/1.1\r\n\r\n"] = 400, ["GET / HTTP/9.9\r\n\r\n"] = 505,
      ["CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"] = 400,
      ["GET / HTTP/1.0\r\n\r\n"] = 403 } do
      assert.equal(status, (ask(text)), text)
    end
    assert.equal(405, (ask(head("TRACE", "/v1/videos"))))
    assert.equal(405, (ask(head("BREW", "/v1/videos", { Authorization = ann }))))
  end)

  it("send a body in chunks, which is allowed", function()
    local body = json.encode { model = "videos", prompt = "a kite",
      seconds = "4" }
    assert.equal(200, (ask(head("POST", "/v1/videos", { Authorization = ann,
      ["Transfer-Encoding"] = "chunked" })
      .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body))))
  end)
end)
