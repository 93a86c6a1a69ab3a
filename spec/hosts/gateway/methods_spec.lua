-- Which methods each address of a gateway takes, in a real nginx.

local books = require "spec.fixtures.books"
local curl = require "starvideos.curl"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local raw_http = require "spec.fixtures.raw_http"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"

local ALLOWED = {
  ["/"] = "GET, HEAD", ["/page/page.js"] = "GET, HEAD", ["/healthz"] = "GET, HEAD",
  ["/metrics"] = "GET, HEAD", ["/v1/account"] = "GET, HEAD", ["/v1/price"] = "POST",
  ["/v1/models"] = "GET, HEAD", ["/v1/models/videos"] = "GET, HEAD",
  ["/v1/session"] = "POST, DELETE", ["/v1/starvideos/videos"] = "POST",
  ["/v1/videos/videos"] = "POST", ["/kyyReactApiServer/v1/videos/videos"] = "POST",
  ["/v1/result/ID"] = "GET, HEAD", ["/v1/files/ID.mp4"] = "GET, HEAD",
  ["/v1/videos"] = "POST, GET, HEAD", ["/v1/videos/ID"] = "GET, HEAD, DELETE",
  ["/v1/videos/ID/content"] = "GET, HEAD", ["/v1/videos/ID/events"] = "GET, HEAD",
}

local METHODS = { "GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE",
  "CONNECT", "PROPFIND", "BREW" }

describe("the methods of a gateway", function()
  local provider, gateway, id, running

  local function ask(method, path, with_token, body)
    return raw_http.ask(gateway.port, raw_http.head(method, path, {
      Host = "127.0.0.1:" .. gateway.port, ["Content-Length"] = body and #body,
      ["Content-Type"] = body and "application/json",
      Authorization = with_token and "Bearer token-of-ann" or nil }) .. (body or ""))
  end

  local function placed(prompt)
    local _, _, text = ask("POST", "/v1/videos", true, json.encode {
      model = "videos", seconds = "4", prompt = prompt })
    return json.decode(text).id
  end

  setup(function()
    provider = assert(sandbox.start { key = "key", seconds = 0.2,
      queued_seconds = 0.1, drawn = false })
    gateway = gateways.start { base_url = provider.base_url, api_key = "key",
      callers = { callers = { { name = "ann",
        token_sha256 = curl.sha256 "token-of-ann" } } } }
    id, running = placed "a street", placed "[scenario:takes=60] a street"
    for _ = 1, 200 do
      local _, _, text = ask("GET", "/v1/videos/" .. id, true)
      if json.decode(text).status == "completed" then
        return
      end
      socket.sleep(0.05)
    end
    error(gateway:logs())
  end)

  teardown(function()
    gateway:stop()
    provider:stop()
  end)

  local function each_path(test)
    for path, allowed in pairs(ALLOWED) do
      for _, with_token in ipairs { false, true } do
        test(path:gsub("ID", id), (", %s,"):format(allowed), with_token)
      end
    end
  end

  local function takes(allowed, method)
    return allowed:find((", %s,"):format(method), 1, true) ~= nil
  end

  it("are those of the header Allow, and others are answered before a body comes",
    function()
      each_path(function(path, allowed, with_token)
        for _, method in ipairs(METHODS) do
          if not takes(allowed, method) then
            local status, headers, text = ask(method, path, with_token)
            local where = method .. " " .. path
            assert.same({ 405, allowed:sub(3, -2), "application/json" },
              { status, headers.allow, headers["content-type"] }, where)
            assert.equal(method == "HEAD" and "" or headers["content-length"],
              method == "HEAD" and text or tostring(#text), where)
          end
        end
        local peer = raw_http.connect(gateway.port)
        peer:send(raw_http.head("PUT", path, { ["Content-Length"] = 1000,
          Host = "127.0.0.1:" .. gateway.port }))
        assert.equal(405, (peer:answer(5)))
        peer:close()
      end)
      for _, method in ipairs(METHODS) do
        assert.equal(404, (ask(method, "/v1/none", true)))
      end
    end)

  it("have HEAD answered as GET, without a body", function()
    each_path(function(path, allowed, with_token)
      if takes(allowed, "HEAD") and path ~= "/metrics" then
        local status, headers = ask("GET", path, with_token)
        local found, head, text = ask("HEAD", path, with_token)
        assert.same({ status, headers["content-type"], headers["content-length"],
          headers.etag, "" }, { found, head["content-type"],
          head["content-length"], head.etag, text }, path)
      end
    end)
    assert.equal(200, (ask("HEAD", "/metrics")))
    assert.equal(200, (ask("HEAD", "/v1/videos/" .. running .. "/events", true)))
    assert.equal(409, (ask("HEAD", "/v1/videos/" .. running .. "/content", true)))
  end)

  it("order nothing and leave no file open beside POST", function()
    each_path(function(path, _, with_token)
      for _, method in ipairs { "HEAD", "OPTIONS", "PUT", "TRACE" } do
        ask(method, path, with_token, json.encode { model = "videos",
          prompt = "a street", seconds = "4", duration = 4 })
      end
    end)
    local _, _, text = ask("GET", "/v1/videos", true)
    assert.equal(2, #json.decode(text).data)
    assert.equal(2, #books.of(provider).tasks)
    assert.equal("0", (shell.read("for p in $(pgrep -P " .. gateway.pid
      .. "); do find /proc/$p/fd -lname '*.mp4'; done | wc -l"):gsub("%s", "")))
  end)
end)
