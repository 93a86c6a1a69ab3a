-- OpenAI's `/v1/videos` over plain HTTP: the gateway in a real nginx with two
-- workers, before the provider's stand-in. `make test-clients` does the same with
-- OpenAI's own client.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local gateways = require "spec.fixtures.gateway"
local http = require "socket.http"
local json = require "starvideos.base.json"
local ltn12 = require "ltn12"
local sandbox = require "starvideos.sandbox.nginx"
local socket = require "socket"
local starvideos = require "starvideos"

local KEY = "key-of-the-gateway"
local TOKENS = { ada = "token-of-ada", ben = "token-of-ben" }

describe("OpenAI's API of a gateway", function()
  local provider, gateway

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 0.3,
      queued_seconds = 0.1, drawn = false })
    local callers = {}
    for name, token in pairs(TOKENS) do
      callers[#callers + 1] = { name = name, token_sha256 = curl.sha256(token) }
    end
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      callers = { callers = callers } }
  end)

  teardown(function()
    local logs = gateway:logs()
    gateway:stop()
    provider:stop()
    assert.is_nil(logs:find(KEY, 1, true))
    assert.is_nil(logs:find("Rain over", 1, true))
    assert.is_nil(logs:find("lua entry thread aborted", 1, true), logs)
  end)

  -- The status of the answer, what its JSON says, and its headers.
  local function ask(method, path, more)
    more = more or {}
    local headers = more.headers or {}
    headers.Authorization = "Bearer " .. TOKENS[more.caller or "ada"]
    headers["Content-Length"] = more.body and #more.body
    local parts = {}
    local _, status, answered = assert(http.request { method = method,
      url = gateway.url .. path, headers = headers, sink = ltn12.sink.table(parts),
      source = more.body and ltn12.source.string(more.body) })
    assert.equal("application/json", answered["content-type"])
    assert.equal("no-store", answered["cache-control"])
    return status, json.decode(table.concat(parts)), answered
  end

  local function create(fields, headers)
    headers = headers or {}
    headers["Content-Type"] = "application/json"
    return ask("POST", "/v1/videos", { headers = headers,
      body = json.encode(fields) })
  end

  local function form(...)
    local parts, given = {}, { ... }
    for index = 1, #given, 2 do
      parts[#parts + 1] = ('--b\r\nContent-Disposition: form-data; name="%s"'
        .. "\r\n\r\n%s\r\n"):format(given[index], given[index + 1])
    end
    return ask("POST", "/v1/videos", { body = table.concat(parts) .. "--b--\r\n",
      headers = { ["Content-Type"] = "multipart/form-data; boundary=b" } })
  end

  -- An order whose prompt tells it from all others.
  local count = 0
  local function order(more)
    count = count + 1
    local fields = { model = "videos", prompt = "Rain over " .. count,
      seconds = "4" }
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    return fields
  end

  local function created(fields, headers)
    local status, video = create(fields or order(), headers)
    assert.equal(200, status, video.error and video.error.message)
    return video
  end

  -- The video when it is as wanted.
  local function until_is(status, id)
    local give_up = core.now() + 20
    repeat
      local _, video = ask("GET", "/v1/videos/" .. id)
      if video.status == status then
        return video
      end
      socket.sleep(0.05)
    until core.now() > give_up
    error("the video never is " .. status)
  end

  -- Tasks that the provider has made of a prompt.
  local function made_of(prompt)
    local made = {}
    for _, task in ipairs(books.of(provider).tasks) do
      if task.prompt == prompt then
        made[#made + 1] = task
      end
    end
    return made
  end

  it("orders what a form says", function()
    local status, video = form("prompt", "Rain over the form", "model", "videos",
      "seconds", "5", "size", "720x1280", "input_reference[image_url]",
      "https://a.example/b.png")
    assert.same({ 200, "video", "videos", "Rain over the form", "5", "720x1280",
      0 }, { status, video.object, video.model, video.prompt, video.seconds,
      video.size, video.progress })
    video = until_is("completed", video.id)
    assert.equal(100, video.progress)
    assert.is_true(video.completed_at >= video.created_at)
    local tasks = made_of "Rain over the form"
    assert.equal(1, #tasks)
    assert.same({ model = "videos", prompt = "Rain over the form", duration = 5,
      resolution = "720p", ratio = "9:16",
      referenceImages = { "https://a.example/b.png" } }, tasks[1].params)
  end)

  it("orders what JSON says, with the provider's own fields", function()
    local video = created(order { seconds = 5, ratio = "21:9",
      input_reference = "https://a.example/b.png" })
    until_is("completed", video.id)
    local params = made_of(video.prompt)[1].params
    assert.same({ 5, "21:9", { "https://a.example/b.png" } }, { params.duration,
      params.ratio, params.referenceImages })
    assert.is_nil(params.seconds)
  end)

  it("answers the same time of creation each time", function()
    local video = created()
    local ended = until_is("completed", video.id)
    assert.equal(video.created_at, ended.created_at)
    local _, again = ask("GET", "/v1/videos/" .. video.id)
    assert.same(ended, again)
  end)

  it("shows that a task failed, and not in the provider's words", function()
    local video = created(order { prompt = "[scenario:failed]" })
    local err = until_is("failed", video.id).error
    assert.equal("task_failed", err.code)
    assert.truthy(err.message:find("whoever runs the gateway", 1, true))
    assert.is_nil(err.message:find("could not be read", 1, true))
  end)

  it("refuses what it cannot map, and orders nothing", function()
    local before = books.of(provider).posts
    for name, wrong in pairs { size = "1792x1024", seconds = "8s",
      input_reference = { file_id = "file-1" }, prompt = "", model = "sora-2",
      colour = "red" } do
      local status, value, headers = create(order { [name] = wrong })
      assert.equal(400, status)
      assert.same({ name, "invalid_request_error" }, { value.error.param,
        value.error.type })
      assert.truthy(value.error.message:find("nothing was ordered", 1, true))
      assert.is_nil(headers["x-should-retry"])
    end
    assert.equal(before, books.of(provider).posts)
  end)

  it("refuses other types, broken bodies and bodies that are too large", function()
    local function sent(kind, body)
      local status, value = ask("POST", "/v1/videos", { body = body,
        headers = { ["Content-Type"] = kind } })
      assert.equal("invalid_request_error", value.error.type)
      return status
    end
    assert.equal(415, sent("text/plain", "{}"))
    assert.equal(415, sent("application/x-www-form-urlencoded", "prompt=x"))
    assert.equal(400, sent("application/json", "{"))
    assert.equal(400, sent("multipart/form-data; boundary=b", "--b\r\n"))
    assert.equal(400, sent("multipart/form-data; boundary=b", "--b\r\n"
      .. 'Content-Disposition: form-data; name="input_reference"; '
      .. 'filename="a.png"\r\nContent-Type: image/png\r\n\r\n\137PNG\r\n--b--'))
    assert.equal(413, sent("application/json", (" "):rep(200000)))
  end)

  it("lists a caller's orders, page by page", function()
    local ids = {}
    for index = 1, 5 do
      ids[index] = created().id
    end
    local _, page = ask("GET", "/v1/videos?limit=2")
    assert.same({ "list", true, ids[5], ids[4], ids[5], ids[4] }, { page.object,
      page.has_more, page.data[1].id, page.data[2].id, page.first_id,
      page.last_id })
    _, page = ask("GET", "/v1/videos?limit=2&after=" .. page.last_id)
    assert.same({ ids[3], ids[2] }, { page.data[1].id, page.data[2].id })
    _, page = ask("GET", "/v1/videos?limit=100&order=asc&after=" .. ids[4])
    assert.same({ ids[5], false, 1 }, { page.data[1].id, page.has_more,
      #page.data })
    local status, value = ask("GET", "/v1/videos?limit=0")
    assert.same({ 400, "limit" }, { status, value.error.param })
  end)

  it("keeps a caller's orders from all others", function()
    local id = created().id
    until_is("completed", id)
    for _, method in ipairs { "GET", "DELETE" } do
      local status, value = ask(method, "/v1/videos/" .. id, { caller = "ben" })
      assert.same({ 404, "not_found" }, { status, value.error.code })
    end
    local _, page = ask("GET", "/v1/videos", { caller = "ben" })
    assert.same({}, page.data)
    assert.equal(200, (ask("GET", "/v1/videos/" .. id)))
  end)

  it("lists the models, and takes a slash at the end of an address", function()
    for _, path in ipairs { "/v1/models", "/v1/models/" } do
      local status, value = ask("GET", path)
      assert.same({ 200, "list", "model" },
        { status, value.object, value.data[1].object })
      assert.equal(value.data[1].id,
        select(2, ask("GET", "/v1/models/" .. value.data[1].id .. "/")).id)
    end
    assert.equal(404, (ask("GET", "/v1/models/other")))
    assert.equal(200, (ask("GET", "/v1/videos/")))
    assert.equal(404, (ask("GET", "/v1/videos/video_" .. ("0"):rep(32) .. "/")))
  end)

  it("deletes what has ended, and nothing that is being made", function()
    local video = created(order { prompt = "[scenario:takes=4] Rain over it" })
    until_is("in_progress", video.id)
    local status, value, headers = ask("DELETE", "/v1/videos/" .. video.id)
    assert.same({ 409, "false" }, { status, headers["x-should-retry"] })
    assert.truthy(value.error.message)
    until_is("completed", video.id)
    status, value = ask("DELETE", "/v1/videos/" .. video.id)
    assert.same({ 200, { id = video.id, object = "video.deleted",
      deleted = true } }, { status, value })
    assert.equal(404, (ask("GET", "/v1/videos/" .. video.id)))
    assert.equal(404, (ask("DELETE", "/v1/videos/" .. video.id)))
    local _, page = ask("GET", "/v1/videos?limit=100")
    for _, listed in ipairs(page.data) do
      assert.are_not.equal(video.id, listed.id)
    end
  end)

  it("deletes what waits in the queue, and nothing of it was sent", function()
    local client = assert(starvideos.new { api_key = KEY,
      base_url = provider.base_url, ledger = gateway.prefix .. "/ledger.db" })
    assert(client:limits { open = 1 })
    local first = created(order { prompt = "[scenario:takes=2] Rain over it" })
    until_is("in_progress", first.id)
    local video, key = order(), { ["Idempotency-Key"] = "deleted" }
    local id = created(video, key).id
    assert.equal("queued", until_is("queued", id).status)
    local status, value = ask("DELETE", "/v1/videos/" .. id)
    assert.same({ 200, { id = id, object = "video.deleted", deleted = true } },
      { status, value })
    assert.equal(404, (ask("GET", "/v1/videos/" .. id)))
    assert.equal(id, created(video, key).id)
    until_is("completed", first.id)
    until_is("completed", created().id) -- the queue goes on
    assert.same({}, made_of(video.prompt))
    assert(client:limits { open = false })
    client:close()
  end)

  it("orders once what a client repeats, and twice what it orders twice", function()
    local fields = order()
    local first = created(fields, { ["X-Stainless-Retry-Count"] = "0" })
    assert.equal(first.id, created(fields, {
      ["X-Stainless-Retry-Count"] = "1" }).id)
    assert.equal(first.id, created(fields, {
      ["X-Stainless-Retry-Count"] = "2" }).id)
    local second = created(fields, { ["X-Stainless-Retry-Count"] = "0" })
    assert.are_not.equal(first.id, second.id)
    assert.equal(second.id, created(fields, {
      ["X-Stainless-Retry-Count"] = "1" }).id)
    until_is("completed", first.id)
    until_is("completed", second.id)
    assert.equal(2, #made_of(first.prompt))
  end)

  it("orders once of a key, and refuses the key for another order", function()
    local fields, key = order(), { ["Idempotency-Key"] = "one" }
    local video = created(fields, key)
    assert.equal(video.id, created(fields, key).id)
    local status, value, headers = create(order(), key)
    assert.same({ 409, "idempotency_conflict", "false" }, { status,
      value.error.code, headers["x-should-retry"] })
    until_is("completed", video.id)
    assert.equal(1, #made_of(video.prompt))
    local _, of_ben = ask("POST", "/v1/videos", { caller = "ben",
      body = json.encode(fields), headers = { ["Idempotency-Key"] = "one",
        ["Content-Type"] = "application/json" } })
    assert.are_not.equal(video.id, of_ben.id)
  end)
end)
