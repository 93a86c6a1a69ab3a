-- Where a link may lead, over real sockets: names and addresses as an attacker
-- would write them, and a proxy whose own address says nothing.

local http1 = require "spec.faults.http1"
local lookups = require "spec.fixtures.lookup"
local servers = require "spec.faults.server"

-- Prints what becomes of each request: its body, or why there is none.
local PROGRAM = [[
local engine = require("starvideos.curl").network { inline = true }
for line in ("%s"):gmatch "[^|]+" do
  local flag, url = line:match "^(%%a+) (.*)$"
  local transfer, failure = engine:submit { url = url, timeout = 2, redirects = 3,
    insecure_http = true, public_only = flag == "public" }
  while transfer and not transfer:done() do engine:step(1) end
  local response
  if transfer then response, failure = transfer:result() end
  print(response and response.body or failure.reason, url,
    response and "" or tostring(failure.sent))
end
]]

describe("a request to public addresses alone", function()
  local http = http1.new()
  local server, port

  setup(function()
    server = servers.start()
    port = server.url:match ":(%d+)$"
  end)
  teardown(function()
    server:stop()
  end)

  local function connection(answer)
    return { http:request(), http:answer(answer), { "fin" } }
  end

  local OK = connection { status = 200, body = "answered" }

  local function redirect(to)
    return connection { status = 302, body = "", headers = {
      { "Location", to } } }
  end

  -- The outcomes of requests, in a list.
  local function ask(requests, plan, environment)
    server:plan(plan or {})
    local program = PROGRAM:format((table.concat(requests, "|")
      :gsub("@port@", port)))
    local output = lookups.run(server.folder, program, "spec/fixtures/network.c",
      environment)
    output = output .. "\n"
    local list = {}
    for outcome in output:gmatch "(%S+)\t[^\n]*\n" do
      list[#list + 1] = outcome
    end
    assert.equal(#requests, #list, output)
    return list, output
  end

  it("reaches what has one, by whatever name", function()
    local list = ask({ "public http://198.18.0.1:@port@/",
      "public http://public.test:@port@/", "public http://both.test:@port@/" },
      { OK, OK, OK })
    assert.same({ "answered", "answered", "answered" }, list)
  end)

  it("opens no connection to another, however it is written", function()
    local hosts = { "127.0.0.1", "127.1", "2130706433", "0x7f000001",
      "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
      "localhost", "LOCALHOST", "inside.test", "mapped.test",
      "nat64.test", "10.0.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]",
      "100.64.0.1", "192.168.0.1", "172.16.0.1", "224.0.0.1" }
    local requests = { "public https://127.0.0.1:@port@/" }
    for index, host in ipairs(hosts) do
      requests[index + 1] = ("public http://%s:@port@/"):format(host)
    end
    local list, output = ask(requests)
    for _, outcome in ipairs(list) do
      assert.equal("private", outcome, output)
    end
    assert.is_nil(output:find "true\n")
    assert.equal(0, server:record().connections)
  end)

  it("follows no redirect there", function()
    for _, to in ipairs { "http://127.0.0.1:%s/", "http://inside.test:%s/",
      "//127.1:%s/", "https://127.0.0.1:%s/" } do
      local list = ask({ "public http://public.test:@port@/" },
        { redirect(to:format(port)) })
      assert.same({ "private" }, list)
      assert.equal(1, #server:record())
    end
  end)

  it("uses no connection that another request has opened there", function()
    local keep = { http:request(), http:answer { status = 200, body = "first" } }
    local list = ask({ "any http://inside.test:@port@/",
      "public http://inside.test:@port@/" }, { keep })
    assert.same({ "first", "private" }, list)
  end)

  describe("through a proxy", function()
    local function proxied(url, plan)
      local list = ask({ "public " .. url }, plan, ("env -u no_proxy -u NO_PROXY"
        .. " http_proxy=http://127.0.0.1:%s"):format(port))
      return list[1]
    end

    it("is not judged by the proxy's address", function()
      assert.equal("answered", proxied("http://video.test/", { OK }))
      assert.equal("answered", proxied("http://8.8.8.8/", { OK }))
    end)

    it("is by what its URL says", function()
      for _, host in ipairs { "10.0.0.1", "169.254.169.254", "[::1]", "127.1",
        "a.localhost" } do
        assert.equal("private", proxied(("http://%s/"):format(host), {}), host)
      end
      assert.equal(0, server:record().connections)
    end)

    it("nor is a redirect", function()
      assert.equal("private", proxied("http://video.test/",
        { redirect "http://10.0.0.1/" }))
    end)
  end)

  it("is one of a link alone", function()
    local list = ask({ "any http://127.0.0.1:@port@/" }, { OK })
    assert.same({ "answered" }, list)
  end)
end)
