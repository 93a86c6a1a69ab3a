-- This library with a gateway for its provider: a caller's token for a key, and
-- nothing else to change.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local contents = require "starvideos.gateway.content"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local transfers = require "spec.fixtures.transfer"

local KEY, TOKEN, OTHER = "key-of-the-provider", "token-of-ann", "token-of-bob"
local CLIP_BYTES = #files.read "lua/starvideos/sandbox/clip.mp4"
local O3 = "starvideos_o3"

local function callers(limits)
  return { callers = {
    { name = "ann", token_sha256 = curl.sha256(TOKEN) },
    { name = "bob", token_sha256 = curl.sha256(OTHER), limits = limits },
  } }
end

describe("this library before a gateway", function()
  local provider, gateway, folder, clients, shown

  local function start(limits, more)
    local options = { base_url = provider.base_url, api_key = KEY,
      callers = callers(limits) }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return gateways.start(options)
  end

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 0.6,
      queued_seconds = 0.2, drawn = false })
    gateway = start()
    folder = files.folder()
  end)

  teardown(function()
    gateway:stop()
    provider:stop()
    files.remove(folder)
  end)

  before_each(function()
    clients, shown = {}, {}
  end)

  -- Nothing that a caller is told names the gateway's key, folder or provider.
  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
    for _, text in ipairs(shown) do
      for _, secret in ipairs { KEY, provider.media_url, provider.base_url,
        gateway.prefix } do
        assert.is_nil(text:find(secret, 1, true), text)
      end
    end
  end)

  local function show(value)
    shown[#shown + 1] = type(value) == "string" and value or json.encode(value)
    return value
  end

  local function new(options)
    local given = { base_url = gateway.url, api_key = TOKEN }
    for name, value in pairs(options or {}) do
      given[name] = value
    end
    local client = assert(starvideos.new(given))
    clients[#clients + 1] = client
    return client
  end

  local function params(prompt, more)
    local list = { model = "videos", prompt = prompt or "a kite", duration = 4 }
    for name, value in pairs(more or {}) do
      list[name] = value
    end
    return list
  end

  local function refused(kind, result, err)
    assert.is_nil(result)
    assert.equal(kind, err.kind, err.message)
    show(tostring(err))
    return err
  end

  local WAIT = { interval = 0.2, first_poll = 0.2, timeout = 30 }

  local function arrived(text)
    local tasks = {}
    for _, task in ipairs(books.of(provider).tasks) do
      if task.prompt:find(text, 1, true) then
        tasks[#tasks + 1] = task
      end
    end
    return tasks
  end

  local function path(name)
    return ("%s/%s.mp4"):format(folder, name)
  end

  local function is_clip(name)
    return #(files.read(path(name)) or "") == CLIP_BYTES
  end

  it("orders, looks, waits and downloads", function()
    local client = new()
    local task = assert(client:create(params "steps"))
    assert.truthy(task.id:find "^video_%x+$")
    assert.equal("queued", task.status)
    assert.equal("videos", task.model)
    show(task.raw)
    local seen = {}
    local video = assert(client:wait(task, { interval = 0.1, first_poll = 0,
      timeout = 30, on_progress = function(now)
        seen[now.status] = true
        show(now.raw)
      end }))
    assert.is_true(seen.processing)
    assert.equal(task.id, video.id)
    assert.equal(gateway.url .. "/v1/files/" .. task.id .. ".mp4",
      video.video_url:match "^[^?]*")
    local file = assert(client:download(video, path "steps"))
    assert.equal(CLIP_BYTES, file.bytes)
    assert.is_true(is_clip "steps")
    assert.equal("completed", assert(client:query(task.id)).status)
    assert.equal(1, #arrived "steps")
    assert.equal(0, books.of(provider).media.with_authorization)
  end)

  it("orders every model of the catalog", function()
    local client, list = new(), {}
    for _, row in ipairs(client:models()) do
      local id = assert(client:create(params(row.name .. " it is",
        { model = row.name }))).id
      list[#list + 1] = id
    end
    for _, one in ipairs(client:wait_all(list, WAIT)) do
      assert.is_nil(one.err)
    end
    for _, row in ipairs(client:models()) do
      local prompt = row.name .. " it is"
      assert.same(params(prompt, { model = row.name }),
        arrived(prompt)[1].params)
    end
  end)

  it("finds it behind the provider's prefix, and at no other path", function()
    local client = new { base_url = gateway.url .. "/kyyReactApiServer" }
    assert(client:wait(assert(client:create(params "prefixed")), WAIT))
    local lost = new { base_url = gateway.url .. "/elsewhere" }
    refused("config", lost:create(params "prefixed lost"))
    assert.equal(1, #arrived "prefixed")
  end)

  it("makes videos in one call, and many at once", function()
    local client = new()
    local file = { path = path "one", interval = 0.2 }
    local task, saved = client:generate(params "one", file)
    assert.equal("completed", task and task.status, saved)
    assert.is_true(is_clip "one")
    local list = {}
    for index = 1, 5 do
      list[index] = assert(client:create(params("many " .. index)))
    end
    for index, one in ipairs(client:wait_all(list, WAIT)) do
      assert.equal(list[index].id, one.id)
      assert.equal("completed", one.task and one.task.status, one.err)
    end
    assert.equal(5, #arrived "many ")
  end)

  it("does the same in frames", function()
    local client = new { runtime = "frame" }
    local handle = client:async(function()
      return client:generate(params "frames", { path = path "frames",
        interval = 0.2 })
    end)
    local engine = curl.network { inline = true }
    while not handle.done do
      client:update()
      engine:step(0.005)
    end
    engine:close()
    assert.is_nil(handle.err)
    assert.is_true(is_clip "frames")
  end)

  it("does the same from the command line", function()
    local code = shell.read(shell.fill([[
      cd @folder@; export STARVIDEOS_API_KEY=@token@ STARVIDEOS_BASE_URL=@url@
      starvideos generate --model videos --duration 4 --prompt command \
        --interval 0.2 -o command.mp4 >out 2>err </dev/null; echo $?]], {
      folder = folder, token = TOKEN, url = gateway.url }))
    assert.equal(0, tonumber(code), show(files.read(folder .. "/err")))
    show(files.read(folder .. "/out"))
    assert.is_true(is_clip "command")
    assert.equal(1, #arrived "command")
  end)

  it("is told what is wrong with an order that it did not check", function()
    local client = new { validation = "off" }
    local err = refused("invalid_request", client:create(params("",
      { duration = 99, colour = "red" })))
    for _, field in ipairs { "prompt", "duration", "colour" } do
      assert.truthy(err.message:find(field, 1, true), err.message)
    end
    assert.truthy(err.message:find("nothing was bought", 1, true))
    refused("invalid_request", client:create(params("wrong endpoint",
      { model = O3 }), { endpoint = "/v1/videos/videos" }))
    assert.equal(0, #arrived "wrong endpoint")
  end)

  it("reads a refusal of the provider as a failed task", function()
    local client = new()
    local task = assert(client:create(params "no [scenario:create_policy]"))
    local err = refused("task_failed", client:wait(task, WAIT))
    assert.truthy(err.message:find("nothing was bought", 1, true), err.message)
    assert.is_nil(err.message:find("content policy", 1, true))
    task = assert(client:create(params "no [scenario:failed]"))
    err = refused("task_failed", client:wait(task, WAIT))
    assert.truthy(err.message:find("made no video", 1, true), err.message)
  end)

  it("is refused without a token that is somebody's", function()
    local stranger = new { api_key = "token-of-nobody" }
    refused("auth", stranger:create(params "stranger"))
    refused("auth", stranger:query("video_" .. ("0"):rep(32)))
    assert.equal(0, #arrived "stranger")
  end)

  it("finds no other caller's orders, and none that is not there", function()
    local task = assert(new():create(params "mine"))
    local bob = new { api_key = OTHER }
    local err = refused("not_found", bob:query(task.id))
    assert.equal(err.message:gsub("video_%x+", ""),
      refused("not_found", bob:query("video_" .. ("0"):rep(32))).message
        :gsub("video_%x+", ""))
    for _, id in ipairs { "1", "../../secret", "video_", "a/b", "%2e%2e" } do
      refused("not_found", bob:query(id))
    end
  end)

  describe("with limits", function()
    local limited

    after_each(function()
      limited:stop()
    end)

    it("comes back when a rate allows it", function()
      limited = start { orders_per_minute = 1 }
      local pauses, slept = {}, 0
      local client = new { base_url = limited.url, api_key = OTHER,
        clock = function() return core.now() + slept end,
        sleep = function(seconds)
          pauses[#pauses + 1], slept = seconds, slept + seconds
          return true
        end }
      assert(client:create(params "first"))
      local err = refused("rate_limited", client:create(params "second"))
      assert.is_true(err.retry_after >= 1 and err.retry_after <= 60)
      assert.truthy(err.message:find("nothing was bought", 1, true))
      assert.equal(2, #pauses)
      assert.is_true(pauses[1] >= err.retry_after)
    end)

    it("does not try again when its money is spent", function()
      limited = start({ spend = 1, per = "day" },
        { prices = { currency = "EUR", models = { videos = { per_video = 0.8 } } } })
      local client = new { base_url = limited.url, api_key = OTHER,
        sleep = function() error "it tried again" end }
      assert(client:create(params "affordable"))
      local err = refused("invalid_request", client:create(params "too dear"))
      assert.is_true(err.unpaid)
      assert.truthy(err.message:find("nothing was ordered", 1, true))
    end)
  end)

  describe("with a link", function()
    local engine, video

    setup(function()
      engine = curl.network { inline = true }
      local client = assert(starvideos.new { base_url = gateway.url,
        api_key = TOKEN })
      video = assert(client:wait(assert(client:create(params "linked")), WAIT))
      client:close()
    end)

    teardown(function()
      engine:close()
    end)

    local function ask(url, headers, method)
      return assert(transfers.finish(assert(engine:submit {
        method = method or "GET", url = url, headers = headers, timeout = 10 }),
        engine))
    end

    it("fetches the video, or a part of it, without a token", function()
      local whole = ask(video.video_url)
      assert.equal(200, whole.status)
      assert.equal("video/mp4", whole.headers["content-type"])
      assert.equal(CLIP_BYTES, #whole.body)
      local part = ask(video.video_url, { Range = "bytes=4-7" })
      assert.equal(206, part.status)
      assert.equal("ftyp", part.body)
      assert.equal("bytes 4-7/" .. CLIP_BYTES, part.headers["content-range"])
      assert.equal(200, ask(video.video_url, { Range = "bytes=4-7",
        ["If-Range"] = '"another"' }).status)
      assert.equal(206, ask(video.video_url, { Range = "bytes=4-7",
        ["If-Range"] = whole.headers.etag }).status)
      assert.equal(416, ask(video.video_url,
        { Range = "bytes=99999999-" }).status)
    end)

    it("fetches nothing by a link that was changed", function()
      local other = new { api_key = OTHER }
      local task = assert(other:create(params "of bob"))
      for _, url in ipairs {
        (video.video_url:gsub("signature=%x", "signature=x", 1)),
        (video.video_url:gsub("expires=%d", "expires=9", 1)),
        (video.video_url:gsub(video.id, task.id)),
        (video.video_url:gsub("%?.*", "")),
      } do
        local response = ask(url)
        assert.equal(403, response.status, url)
        assert.equal("application/json", response.headers["content-type"])
        show(response.body)
      end
    end)

    it("asks for another one when it has expired", function()
      local expired = gateway.url .. contents.signed_path({ secret = ("5e"):rep(32) },
        video, os.time() - 7200)
      assert.equal(410, ask(expired).status)
      assert(new():download({ id = video.id, status = "completed",
        video_url = expired }, path "renewed"))
      assert.is_true(is_clip "renewed")
    end)

    it("says that a video that was removed has expired", function()
      local client = new()
      local gone = assert(client:wait(assert(client:create(params "removed")),
        WAIT))
      local order_id = gone.id:match "%x+$"
      assert(os.remove(("%s/files/%s/%s.mp4"):format(gateway.prefix,
        order_id:sub(7, 8), order_id)))
      refused("expired", client:download(gone, path "gone"))
    end)
  end)

  it("writes no key, no link and no prompt to its logs", function()
    local logs = gateway:logs()
    for _, secret in ipairs { KEY, TOKEN, "signature=", "a kite", "linked" } do
      assert.is_nil(logs:find(secret, 1, true), secret)
    end
    assert.is_nil(logs:find("[error]", 1, true), logs)
  end)
end)
