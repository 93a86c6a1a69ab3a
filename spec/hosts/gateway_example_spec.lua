-- The gateway of examples/nginx in a real nginx with two workers, against the
-- provider's stand-in over TLS.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local gateways = require "spec.fixtures.gateway_example"
local json = require "starvideos.json"
local sandbox = require "starvideos.sandbox.nginx"
local transfers = require "spec.fixtures.transfer"

local KEY = "key-of-the-gateway"
local CLIP_BYTES = #file.read "lua/starvideos/sandbox/media/clip.mp4"

for _, transport in ipairs { "libcurl", "resty_http" } do
  describe("the gateway over " .. transport, function()
    local provider, gateway, engine, answers

    setup(function()
      engine = curl.engine()
      provider = assert(sandbox.start { tls = true, key = KEY, seconds = 1,
        queued_seconds = 0.2, drawn = false })
    end)

    teardown(function()
      engine:close()
      provider:stop()
    end)

    local function start(more)
      local environment = { STARVIDEOS_API_KEY = KEY, POLL_SECONDS = "0.3",
        STARVIDEOS_BASE_URL = provider.base_url }
      if transport == "resty_http" then
        environment.STARVIDEOS_TRANSPORT = transport
      end
      for name, value in pairs(more or {}) do
        environment[name] = value
      end
      gateway = gateways.start { environment = environment,
        ca_file = provider.ca_file,
        without_curl = transport == "resty_http" }
    end

    before_each(function()
      answers = {}
      start()
    end)

    -- No answer and no log shows the key, and no error went unnoticed.
    after_each(function()
      local logs = gateway:logs()
      gateway:stop()
      for _, text in ipairs(answers) do
        assert.is_nil(text:find(KEY, 1, true))
        assert.is_nil(text:find("signature=", 1, true))
      end
      assert.is_nil(logs:find(KEY, 1, true))
      assert.is_nil(logs:find("lua entry thread aborted", 1, true), logs)
    end)

    local function submit(method, path, more)
      local req = { method = method, url = gateway.url .. path, timeout = 30 }
      for name, value in pairs(more or {}) do
        req[name] = value
      end
      return assert(engine:submit(req))
    end

    local function finish(transfer)
      local response = assert(transfers.finish(transfer, engine))
      answers[#answers + 1] = response.body
      local kind = response.headers["content-type"] or ""
      return response.status, kind:find "json" and json.decode(response.body)
        or response.body, response.headers
    end

    local function ask(...)
      return finish(submit(...))
    end

    local function post(body, headers)
      headers = headers or {}
      headers["Content-Type"] = headers["Content-Type"] or "application/json"
      return ask("POST", "/videos", { headers = headers, body = body })
    end

    local function order(prompt, headers)
      return post(json.encode { model = "videos", prompt = prompt or "a kite",
        duration = 4 }, headers)
    end

    local function book_of(id)
      for _, task in ipairs(books.of(provider).tasks) do
        if task.id == id then
          return task
        end
      end
    end

    local function ordered(prompt)
      local status, task = order(prompt)
      assert.equal(202, status, task)
      return task.id
    end

    local function pause(seconds)
      local give_up = core.now() + seconds
      while core.now() < give_up do
        engine:step(math.max(0, give_up - core.now()))
      end
    end

    local function completed()
      local id = ordered()
      assert.equal(200, (ask("GET", "/videos/" .. id .. "/events")))
      return id
    end

    it("orders, and returns the address of the task", function()
      local status, task, headers = order()
      assert.equal(202, status)
      assert.equal("/videos/" .. task.id, headers.location)
      local seen
      status, seen = ask("GET", headers.location)
      assert.equal(200, status)
      assert.equal(task.id, seen.id)
      assert.truthy(seen.status)
      assert.is_nil(seen.video_url)
    end)

    it("lists what is wrong with an order, and sends nothing", function()
      local before = books.of(provider).posts
      local status, refusal = post(json.encode { model = "videos",
        prompt = "", duration = 99 })
      assert.equal(422, status)
      assert.equal("validation", refusal.error.kind)
      local fields = {}
      for _, violation in ipairs(refusal.error.violations) do
        fields[violation.field] = violation.code
      end
      assert.same({ prompt = "required", duration = "out_of_range" }, fields)
      assert.equal(before, books.of(provider).posts)
    end)

    it("refuses bodies that are not JSON objects, and other addresses", function()
      for _, body in ipairs { "", "{", "[1", "1", '"text"', "null" } do
        local status, refusal = post(body)
        assert.equal(400, status, body)
        assert.equal("bad_request", refusal.error.kind)
      end
      for _, path in ipairs { "/", "/saved/x.mp4", "/videos/a.b", "/videos/",
        "/videos/a%2Fb", "/videos/x/other" } do
        local status, refusal = ask("GET", path)
        assert.equal(404, status, path)
        assert.equal("refused", refusal.error.kind)
      end
    end)

    it("orders nothing for a page of another origin", function()
      local before = books.of(provider).posts
      for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded",
        "text/plain; application/json", "application/jsonp", "" } do
        assert.equal(415, (order("a kite", { ["Content-Type"] = kind })), kind)
      end
      local status, _, headers = ask("GET", "/videos")
      assert.equal(405, status)
      assert.is_nil(headers["access-control-allow-origin"])
      assert.equal(before, books.of(provider).posts)
      assert.equal(202, (order("a kite",
        { ["Content-Type"] = "Application/JSON ; charset=utf-8" })))
    end)

    it("says which methods an address is for", function()
      for _, case in ipairs { { "GET", "/videos", "POST" },
        { "POST", "/videos/x", "GET, HEAD" },
        { "POST", "/videos/x/file", "GET, HEAD" },
        { "POST", "/videos/x/events", "GET" } } do
        local status, _, headers = ask(case[1], case[2])
        assert.equal(405, status, case[2])
        assert.equal(case[3], headers.allow)
      end
    end)

    it("answers 404 to an id that the provider does not know", function()
      local status, refusal = ask("GET", "/videos/video_0")
      assert.equal(404, status)
      assert.equal("not_found", refusal.error.kind)
    end)

    it("refuses a body that is too large", function()
      local before = books.of(provider).posts
      local status, refusal = post(("x"):rep(70000))
      assert.equal(413, status)
      assert.equal("refused", refusal.error.kind)
      assert.equal(before, books.of(provider).posts)
    end)

    it("refuses too many orders at a time", function()
      local counts = {}
      for _ = 1, 14 do
        local status = post "{"
        counts[status] = (counts[status] or 0) + 1
      end
      assert.is_true(counts[429] >= 2)
      assert.is_true(counts[400] >= 10)
    end)

    it("queries the provider once for many callers in both workers", function()
      local id = ordered()
      for _ = 1, 10 do
        local transfers_under_way = {}
        for index = 1, 3 do
          transfers_under_way[index] = submit("GET", "/videos/" .. id,
            { fresh = true })
        end
        for _, transfer in ipairs(transfers_under_way) do
          assert.equal(200, (finish(transfer)))
        end
      end
      assert.is_true(book_of(id).queries <= 3)
    end)

    it("streams the progress of a task until it ends", function()
      local id = ordered()
      local status, text, headers = ask("GET", "/videos/" .. id .. "/events")
      assert.equal(200, status)
      assert.equal("text/event-stream", headers["content-type"])
      local names = {}
      for name, data in text:gmatch "event: (%a+)\ndata: ([^\n]*)\n\n" do
        names[#names + 1] = name
        assert.equal(id, json.decode(data).id)
      end
      assert.equal("done", names[#names])
      assert.is_true(#names >= 3)
      for index = 1, #names - 1 do
        assert.equal("progress", names[index])
      end
      assert.truthy(text:find('"file":"/videos/' .. id .. '/file"', 1, true))
    end)

    it("streams that a task has failed", function()
      local id = ordered "[scenario:failed]"
      local _, text = ask("GET", "/videos/" .. id .. "/events")
      assert.truthy(text:find "event: failed\ndata: {.*\"task_failed\"")
      local status, task = ask("GET", "/videos/" .. id)
      assert.equal(200, status)
      assert.equal("failed", task.status)
    end)

    it("limits the number of streams", function()
      local id = ordered "[scenario:never]"
      local streams = {}
      for index = 1, 12 do
        streams[index] = submit("GET", "/videos/" .. id .. "/events")
      end
      pause(0.5)
      local refused = 0
      for _, stream in ipairs(streams) do
        refused = refused + (stream:done() and 1 or 0)
      end
      assert.equal(2, refused)
    end)

    it("stops waiting when the caller disconnects", function()
      local id = ordered "[scenario:never]"
      local stream = submit("GET", "/videos/" .. id .. "/events")
      pause(1)
      assert.is_false(stream:done())
      stream:cancel()
      pause(0.5)
      local asked = book_of(id).queries
      assert.is_true(asked >= 2)
      pause(1)
      assert.equal(asked, book_of(id).queries)
    end)

    it("downloads a video once for all callers, and sends ranges of it", function()
      local id = completed()
      local saving = {}
      for index = 1, 5 do
        saving[index] = submit("GET", "/videos/" .. id .. "/file",
          { fresh = true })
      end
      for _, transfer in ipairs(saving) do
        local status, text, headers = finish(transfer)
        assert.equal(200, status)
        assert.equal(CLIP_BYTES, #text)
        assert.equal("video/mp4", headers["content-type"])
      end
      local status, part, headers = ask("GET", "/videos/" .. id .. "/file",
        { headers = { Range = "bytes=4-7" } })
      assert.equal(206, status)
      assert.equal("ftyp", part)
      assert.equal("bytes 4-7/" .. CLIP_BYTES, headers["content-range"])
      assert.equal(1, book_of(id).media_requests)
      assert.equal(0, books.of(provider).media.with_authorization)
    end)

    it("says that a video is not ready yet", function()
      local id = ordered "[scenario:never]"
      local status, refusal = ask("GET", "/videos/" .. id .. "/file")
      assert.equal(409, status)
      assert.equal("not_ready", refusal.error.kind)
    end)

    it("goes on downloading when the first caller disconnects", function()
      local id = ordered "[scenario:media_slow=1]"
      ask("GET", "/videos/" .. id .. "/events")
      local first = submit("GET", "/videos/" .. id .. "/file")
      pause(0.3)
      first:cancel()
      local status, text = ask("GET", "/videos/" .. id .. "/file")
      assert.equal(200, status)
      assert.equal(CLIP_BYTES, #text)
      assert.equal(1, book_of(id).media_requests)
    end)

    it("tells a caller nothing of a key that the provider refuses", function()
      gateway:stop()
      start { STARVIDEOS_API_KEY = KEY .. "-old" }
      local status, refusal = order()
      assert.equal(502, status)
      assert.equal("auth", refusal.error.kind)
    end)

    it("answers 424 to an order that may have been bought", function()
      local before = books.of(provider).posts
      local status, refusal, headers = order "[scenario:create_reset]"
      assert.equal(424, status) -- not retried, as curl retries 5xx
      assert.equal("false", headers["x-should-retry"])
      assert.equal("outcome_unknown", refusal.error.kind)
      assert.equal(before + 1, books.of(provider).posts)
    end)

    it("passes Retry-After on", function()
      local status, refusal, headers = order "[scenario:create_429_long]"
      assert.equal(503, status)
      assert.equal("rate_limited", refusal.error.kind)
      assert.equal("3600", headers["retry-after"])
    end)

    it("orders once under an Idempotency-Key, if it has a ledger", function()
      local headers = { ["Idempotency-Key"] = "basket-1" }
      assert.equal(400, (order("a kite", headers)))
      gateway:stop()
      start { STARVIDEOS_LEDGER = "@prefix@/ledger.db" }
      local before = books.of(provider).posts
      local _, first = order("a kite", headers)
      local status, second = order("a kite", headers)
      assert.equal(202, status)
      assert.equal(first.id, second.id)
      assert.equal(before + 1, books.of(provider).posts)
      assert.equal(422, (order("another kite", headers)))
      assert.equal(400, (order("a kite", { ["Idempotency-Key"] = "a b" })))
    end)
  end)
end
