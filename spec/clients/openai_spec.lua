-- What programs do with OpenAI's client, version 6 and 7, and a gateway: nothing in
-- either knows of the other. The provider is the sandbox.

local books = require "spec.fixtures.books"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local gateways = require "spec.fixtures.gateway"
local openai_client = require "spec.fixtures.openai_client"
local sandbox = require "starvideos.sandbox.nginx"

local KEY = "key-of-the-gateway"
local TOKEN = "token-of-ada"
local CLIP = file.read "lua/starvideos/sandbox/clip.mp4"
local unpack = table.unpack or unpack
local PROXY = "127.0.1.1"
local REFERENCE = "https://a.example/b.png"

for _, version in ipairs(openai_client.versions) do
  describe("OpenAI's client " .. version, function()
    local provider, gateway

    setup(function()
      provider = assert(sandbox.start { key = KEY, seconds = 0.3,
        queued_seconds = 0.1, drawn = false })
      gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
        addresses = { PROXY },
        callers = { callers = {
          { name = "ada", token_sha256 = curl.sha256(TOKEN) },
          { name = "bo", token_sha256 = curl.sha256 "token-of-bo",
            limits = { orders_per_minute = 1 } } } } }
    end)

    teardown(function()
      gateway:stop()
      provider:stop()
    end)

    local function run(steps, token)
      return openai_client.run(version, { base_url = gateway.url .. "/v1",
        token = token or TOKEN, steps = steps })
    end

    -- What a call returns; further arguments are its own.
    local function call(name, ...)
      local result = run({ { call = name, args = { ... } } })[1]
      assert.is_nil(result.error, result.error and result.error.message)
      return result.value
    end

    -- The error of a call, without and with repeated attempts.
    local function refused(step, token)
      return assert(run({ step }, token)[1].error)
    end

    local function until_ended(id)
      local result = run({ { call = "videos.retrieve", args = { id },
        statuses = { "completed", "failed" }, seconds = 30 } })[1]
      return assert(result.value, "the video never ends")
    end

    -- The parameters of the one task that the provider made of a prompt.
    local function made_of(prompt)
      local made = {}
      for _, task in ipairs(books.of(provider).tasks) do
        if task.prompt == prompt then
          made[#made + 1] = task.params
        end
      end
      assert.equal(1, #made)
      return made[1]
    end

    local function fields(prompt, more)
      local all = { model = "videos", prompt = prompt, seconds = "4",
        size = "1280x720" }
      for name, value in pairs(more or {}) do
        all[name] = value
      end
      return all
    end

    local ordered = { model = "videos", duration = 4, resolution = "720p",
      ratio = "16:9" }

    local function params(prompt, more)
      local all = { prompt = prompt }
      for name, value in pairs(ordered) do
        all[name] = value
      end
      all.referenceImages = more
      return all
    end

    it("creates with a form, retrieves and sees the video completed", function()
      local video = call("videos.create", fields "a form")
      assert.same({ "video", "videos", "a form", "4", "1280x720" }, {
        video.object, video.model, video.prompt, video.seconds, video.size })
      local ended = until_ended(video.id)
      assert.same({ "completed", 100, video.created_at }, { ended.status,
        ended.progress, ended.created_at })
      assert.is_true(ended.expires_at == nil
        or ended.expires_at > ended.completed_at)
      assert.same(params "a form", made_of "a form")
    end)

    it("creates with JSON", function()
      local video = call("post", "/videos", { body = fields "some JSON" })
      assert.equal("completed", until_ended(video.id).status)
      assert.same(params "some JSON", made_of "some JSON")
    end)

    it("creates from references by URL, and with the provider's own fields", function()
      local video = call("videos.create", fields("a reference", {
        input_reference = { image_url = REFERENCE } }))
      until_ended(video.id)
      assert.same(params("a reference", { REFERENCE }), made_of "a reference")
      video = call("videos.create", fields("references", {
        referenceImages = { REFERENCE, REFERENCE .. "?2" } }))
      until_ended(video.id)
      assert.same(params("references", { REFERENCE, REFERENCE .. "?2" }),
        made_of "references")
    end)

    it("fetches the video, and a part of it", function()
      local id = call("videos.create", fields "content").id
      until_ended(id)
      local whole, part = unpack(run {
        { call = "videos.downloadContent", args = { id }, collect = "bytes" },
        { call = "videos.downloadContent", collect = "bytes", args = { id, {},
          { headers = { Range = "bytes=10-29" } } } } })
      assert.same({ 200, #CLIP, curl.sha256(CLIP), "video/mp4" }, {
        whole.value.status, whole.value.bytes, whole.value.sha256,
        whole.value.headers["content-type"] })
      assert.same({ 206, 20, curl.sha256(CLIP:sub(11, 30)) }, {
        part.value.status, part.value.bytes, part.value.sha256 })
      assert.equal(("bytes 10-29/%d"):format(#CLIP),
        part.value.headers["content-range"])
    end)

    it("lists across pages, in both directions", function()
      local ids = {}
      for index = 1, 5 do
        ids[index] = call("videos.create", fields("list " .. index)).id
      end
      local newest, oldest = unpack(run {
        { call = "videos.list", args = { { limit = 2 } }, collect = "all" },
        { call = "videos.list", args = { { limit = 3, order = "asc" } },
          collect = "all" } })
      for index = 1, 5 do
        assert.equal(ids[6 - index], newest.value[index].id)
        assert.equal(ids[index],
          oldest.value[#oldest.value - 5 + index].id)
      end
      assert.equal(#newest.value, #oldest.value)
    end)

    it("deletes", function()
      local id = call("videos.create", fields "to be deleted").id
      until_ended(id)
      assert.same({ id = id, object = "video.deleted", deleted = true },
        call("videos.delete", id))
      assert.equal("NotFoundError", refused { call = "videos.retrieve",
        args = { id } }.class)
    end)

    it("tells refusals apart by its own classes, and repeats none", function()
      local running = call("videos.create",
        fields "[scenario:never] running").id
      for _, case in ipairs {
        { "BadRequestError", "videos.create", fields("x", { size = "1792x1024" }) },
        { "BadRequestError", "videos.downloadContent", running,
          { variant = "spritesheet" } },
        { "NotFoundError", "videos.retrieve", "video_" .. ("0"):rep(32) },
        { "ConflictError", "videos.delete", running },
      } do
        -- Through a proxy that counts connections.
        local result = run({ { call = case[2], args = { case[3], case[4] },
          cut = { address = PROXY, times = 0 } } })[1]
        assert.equal(case[1], result.error.class)
        assert.equal(1, result.connections)
        assert.equal("invalid_request_error", result.error.type)
      end
      local of_size = refused { call = "videos.create", args = {
        fields("x", { size = "1792x1024" }) } }
      assert.same({ "size", "unsupported_value" }, { of_size.param,
        of_size.code })
      assert.truthy(of_size.message:find("1280x720", 1, true))
      assert.equal("AuthenticationError", refused({ call = "videos.list" },
        "nobody's").class)
    end)

    it("is told that files cannot be uploaded", function()
      local function uploaded(bytes)
        return refused { call = "videos.create", args = { fields "a file" },
          upload = bytes, cut = { address = PROXY, times = 0 } }
      end
      local small, large = uploaded "a picture", uploaded(("x"):rep(3e6))
      assert.same({ "BadRequestError", "input_reference" }, { small.class,
        small.param })
      assert.equal(413, large.status)
      assert.truthy(small.message:find("URL", 1, true))
      assert.truthy(large.message:find("URL", 1, true))
    end)

    it("is told when it may order again", function()
      local step = { call = "videos.create", args = { fields "one too many" },
        options = { maxRetries = 0 } }
      assert.is_nil(run({ step }, "token-of-bo")[1].error)
      local error = refused(step, "token-of-bo")
      assert.same({ "RateLimitError", "rate_limit_exceeded" }, { error.class,
        error.code })
    end)
  end)
end
