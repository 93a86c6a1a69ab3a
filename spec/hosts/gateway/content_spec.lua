-- The videos of the gateway in a real nginx, before the provider's stand-in.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local transfers = require "spec.fixtures.transfer"

local KEY = "key-of-the-gateway"
local CLIP = file.read "lua/starvideos/sandbox/clip.mp4"

describe("the video of an order", function()
  local provider, gateway, engine, id
  local expected = "no complaint"

  local function ask(method, path, headers, body)
    local response = assert(transfers.finish(assert(engine:submit {
      method = method, url = gateway.url .. path, headers = headers,
      body = body, timeout = 30 }), engine))
    local kind = response.headers["content-type"] or ""
    assert.is_nil(response.body:find(gateway.prefix, 1, true))
    return response.status, kind:find "json" and json.decode(response.body)
      or response.body, response.headers
  end

  local function order(scenario)
    local _, video = ask("POST", "/v1/videos",
      { ["Content-Type"] = "application/json" }, json.encode {
        model = "videos", duration = 4, prompt = "a kite"
          .. (scenario and " [scenario:" .. scenario .. "]" or "") })
    return assert(video.id)
  end

  local function status_of(video_id)
    return select(2, ask("GET", "/v1/videos/" .. video_id)).status
  end

  local function ended(scenario)
    local video_id, give_up = order(scenario), core.now() + 15
    while not ({ completed = 1, failed = 1 })[status_of(video_id)] do
      assert(core.now() < give_up, "the order never ends")
      core.sleep(0.1)
    end
    return video_id
  end

  setup(function()
    engine = curl.network { inline = true }
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY }
    id = ended()
  end)

  teardown(function()
    local logs = gateway:logs():gsub("[^\n]*" .. expected .. "[^\n]*", "")
    engine:close()
    gateway:stop()
    provider:stop()
    assert.is_nil(logs:find("[error]", 1, true), logs)
    assert.is_nil(logs:find("[alert]", 1, true), logs)
  end)

  local function get(headers, of)
    return ask("GET", "/v1/videos/" .. (of or id) .. "/content", headers)
  end

  local function is_refused(code, status, refusal, headers)
    assert.equal("application/json", headers["content-type"])
    assert.equal(code, refusal.error.code)
    assert.is_truthy(refusal.error.message)
    return status, headers
  end

  it("is sent whole, with a harmless name", function()
    local status, body, headers = get()
    assert.equal(200, status)
    assert.equal(CLIP, body)
    assert.equal("video/mp4", headers["content-type"])
    assert.equal(('inline; filename="%s.mp4"'):format(id),
      headers["content-disposition"])
    assert.equal("nosniff", headers["x-content-type-options"])
    assert.equal("bytes", headers["accept-ranges"])
  end)

  it("is sent in part, and in several", function()
    local status, part, headers = get { Range = "bytes=4-7" }
    assert.equal(206, status)
    assert.equal("ftyp", part)
    assert.equal("bytes 4-7/" .. #CLIP, headers["content-range"])
    status, part, headers = get { Range = "bytes=4-7,-2" }
    assert.equal(206, status)
    assert.is_truthy(headers["content-type"]:find "^multipart/byteranges")
    assert.is_truthy(part:find("bytes 4-7/" .. #CLIP, 1, true))
    assert.is_truthy(part:find(CLIP:sub(-2), 1, true))
  end)

  it("is sent in part while it is the same, and not again", function()
    local etag = select(3, get()).etag
    assert.equal(206, (get { Range = "bytes=0-3", ["If-Range"] = etag }))
    assert.equal(200, (get { Range = "bytes=0-3", ["If-Range"] = '"other"' }))
    assert.equal(304, (get { ["If-None-Match"] = etag }))
  end)

  it("is asked for by HEAD, too", function()
    local text = shell.read(("curl -sI %s/v1/videos/%s/content"):format(
      gateway.url, id))
    assert.is_truthy(text:find "^HTTP/1.1 200", text)
    assert.is_truthy(text:lower():find("content-length: " .. #CLIP, 1, true))
  end)

  it("has no range behind its end", function()
    local status, headers = is_refused(nil, get { Range = "bytes=99999999-" })
    assert.equal(416, status)
    assert.equal("bytes */" .. #CLIP, headers["content-range"])
  end)

  it("is all there is of an order", function()
    local status, refusal = ask("GET", "/v1/videos/" .. id
      .. "/content?variant=spritesheet")
    assert.equal(400, status)
    assert.equal("variant", refusal.error.param)
    assert.equal(200, (ask("GET", "/v1/videos/" .. id
      .. "/content?variant=video")))
  end)

  it("is not ready while the order runs: ask again later", function()
    local status, headers = is_refused("video_not_ready",
      get(nil, order "never"))
    assert.equal(409, status)
    assert.equal("true", headers["x-should-retry"])
    assert.is_truthy(tonumber(headers["retry-after"]))
  end)

  it("will not come where the order failed", function()
    local status, headers = is_refused("video_failed",
      get(nil, ended "failed"))
    assert.equal(409, status)
    assert.equal("false", headers["x-should-retry"])
  end)

  it("is not of an order that there is not", function()
    assert.equal(404, (is_refused("not_found",
      get(nil, "video_" .. ("0"):rep(32)))))
  end)

  it("has expired once the gateway removed it", function()
    local old = ended()
    gateway:change([[UPDATE starvideos_orders SET removed_at = 5
      WHERE order_id = ?]], old:sub(7))
    local status, headers = is_refused("expired", get(nil, old))
    assert.equal(410, status)
    assert.equal("false", headers["x-should-retry"])
  end)

  it("is answered in JSON where nginx may not read it, or it is gone", function()
    local other = ended()
    local path = ("%s/files/%s/%s.mp4"):format(gateway.prefix,
      other:sub(13, 14), other:sub(7))
    assert(shell.run(shell.fill("chmod 000 @path@", { path = path })))
    local status, refusal = get(nil, other)
    assert.equal(500, status)
    assert.equal("server_error", refusal.error.type)
    assert(os.remove(path))
    assert.equal(404, (is_refused("file_missing", get(nil, other))))
    assert.is_truthy(gateway:logs():find("is not where the gateway saved it", 1,
      true))
    expected = "is not where the gateway saved it"
  end)

  it("is nowhere else on the server", function()
    for _, path in ipairs { "/_files/", "/_files/" .. id:sub(13, 14) .. "/"
      .. id:sub(7) .. ".mp4", "/v1/videos/" .. id .. "/content/",
      "/v1/videos/..%2f..%2fsecret/content" } do
      local status, refusal = ask("GET", path)
      assert.equal(404, status, path)
      assert.is_table(refusal, path)
    end
  end)
end)
