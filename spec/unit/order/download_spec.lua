local block = require "starvideos.host.block"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local media = require "spec.fixtures.media"
local shell = require "starvideos.nginx.shell"

local FILM, FILM_SHA256, LINK = media.FILM, media.FILM_SHA256, media.LINK
local write = files.write

describe("download", function()
  local world

  before_each(function()
    world = media.new()
  end)
  after_each(function()
    world:close()
  end)

  it("saves the whole file and leaves nothing beside it", function()
    local file = assert(world:save())
    assert.same({ path = world.path, bytes = #FILM, sha256 = FILM_SHA256,
      container = "mp4" }, file)
    assert.equal(FILM, world:read())
    assert.is_nil(world:read ".part")
    assert.is_nil(world:read ".part.json")
    assert.is_nil(world:read ".part.test")
  end)

  it("takes the digest that the transport has made", function()
    function world.answer()
      local response = media.whole()
      response.sha256 = ("ab"):rep(32)
      return response
    end
    assert.equal(("ab"):rep(32), world:save().sha256)
  end)

  it("sends no key to the media host", function()
    assert(world:save())
    assert.equal(1, #world.requests)
    for name, value in pairs(world.requests[1].headers) do
      assert.is_nil((name .. value):lower():find("authorization", 1, true))
      assert.is_nil(value:find("test-key", 1, true))
    end
  end)

  it("asks for the download URL where only the id is known", function()
    assert(world.client:download("video_1", world.path))
    assert.equal(1, world.queries)
    assert.equal(LINK, world.requests[1].url)
  end)

  it("counts a connection without a byte for 30 seconds as stalled", function()
    assert(world:save())
    assert.equal(30, world.requests[1].stall_seconds)
    os.remove(world.path)
    assert(world:save { stall_timeout = 5 })
    assert.equal(5, world.requests[2].stall_seconds)
    assert.equal(1, world.requests[2].stall_bytes)
  end)

  describe("the target", function()
    it("is refused where it exists, and left as it is", function()
      write(world.path, "mine")
      local _, err = world:save()
      assert.equal("io", err.kind)
      assert.equal(0, #world.requests)
      assert.equal("mine", world:read())
    end)

    it("is overwritten when told so", function()
      write(world.path, "mine")
      assert(world:save { overwrite = true })
      assert.equal(FILM, world:read())
    end)

    it("is kept when the new file does not arrive", function()
      write(world.path, "mine")
      world.answer = media.lost
      world:fails("network", "reset", { overwrite = true })
      assert.equal("mine", world:read())
    end)

    it("is never overwritten when it appears during the download", function()
      function world.answer()
        write(world.path, "theirs")
        return media.whole()
      end
      local err = world:fails("io", "appeared during the download")
      assert.equal("theirs", world:read())
      assert.equal(world.path .. ".part", err.part)
      assert.equal(#FILM, err.bytes)
      assert.equal(FILM, world:read ".part")
    end)

    it("takes what is whole already without a request", function()
      function world.answer()
        write(world.path, "theirs")
        return media.whole()
      end
      world:fails("io", "appeared during the download")
      local file = assert(world:save { overwrite = true })
      assert.equal(1, #world.requests)
      assert.equal(FILM, world:read())
      assert.equal(FILM_SHA256, file.sha256)
      assert.equal(#FILM, file.resumed_from)
    end)

    it("may be no pipe, nor have one beside it, and nobody waits for one",
      function()
        for ending, words in pairs { [""] = "is a pipe",
          [".part"] = ".part is not a regular file",
          [".part.test"] = "is a pipe",
          [".part.json"] = ".part.json is not a regular file" } do
          shell.run("mkfifo " .. world.path .. ending)
          local err = world:fails("io", words, { overwrite = true })
          assert.truthy(err.message:find(world.path, 1, true))
          os.remove(world.path .. ending)
        end
        assert.equal(0, #world.requests)
      end)

    it("may be no directory, nor lie in one that is not there", function()
      local _, err = world.client:download(world.task, "/tmp",
        { overwrite = true })
      assert.equal("io", err.kind)
      _, err = world.client:download(world.task, "/nowhere/at/all.mp4")
      assert.equal("io", err.kind)
      assert.equal(0, #world.requests)
    end)
  end)

  it("tells how far the whole file has come", function()
    local seen = {}
    world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
    function world.answer(req)
      req.on_answer(206, media.rest(1000).headers)
      req.on_progress(500, 4012)
      return media.rest(1000)
    end
    assert(world:save({ on_progress = function(...)
      seen = { ... }
    end }))
    assert.same({ 1500, 5012 }, seen)
    world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
    function world.answer(req)
      req.on_answer(200, media.whole().headers)
      req.on_progress(500, 5012)
      return media.whole()
    end
    assert(world:save({ overwrite = true,
      on_progress = function(...) seen = { ... } end }))
    assert.same({ 500, 5012 }, seen)
  end)

  describe("what is no video", function()
    it("is not saved, and its first words are told", function()
      for _, kind in ipairs { "text/html; charset=utf-8",
        "application/json" } do
        function world.answer()
          return { status = 200, body = "<h1>Sign in</h1>\n", headers = {
            ["content-type"] = kind } }
        end
        local err = world:fails("protocol", "<h1>Sign in</h1>")
        assert.truthy(err.message:find(kind, 1, true))
        assert.is_nil(world:read())
        assert.is_nil(world:read ".part")
        assert.is_nil(world:read ".part.json")
      end
      assert.equal(2, #world.requests)
    end)

    it("is not saved though it is called a video", function()
      function world.answer()
        local response = media.whole()
        response.body = '{"code":"AccessDenied"}'
        response.headers["content-length"] = tostring(#response.body)
        return response
      end
      world:fails("protocol", '{"code":"AccessDenied"}')
      assert.is_nil(world:read())
      assert.is_nil(world:read ".part")
      assert.is_nil(world:read ".part.json")
    end)

    it("leaves what came of the video before", function()
      world.answer = media.in_turn(media.cut, function()
        return { status = 200, body = "<html>", headers = {
          ["content-type"] = "text/html" } }
      end)
      world:fails("protocol", "<html>")
      assert.equal(FILM:sub(1, 1000), world:read ".part")
    end)

    it("is told in a few words, in which no signature stands", function()
      function world.answer()
        return { status = 200, headers = { ["content-type"] = "text/html" },
          body = "secret%2Fsign and secret/sign and t=17 " .. ("a"):rep(5000) }
      end
      local err = world:fails("protocol", "[redacted] and [redacted] and t=17")
      assert.is_true(#err.message < 400)
    end)
  end)

  it("does not show half a key where a page repeats it", function()
    for _, kind in ipairs { "text/html", "video/mp4" } do
      function world.answer()
        return { status = 200, headers = { ["content-type"] = kind },
          body = ("a"):rep(155) .. "test-key" }
      end
      local err = world:fails("protocol", "aaa")
      assert.is_nil(err.message:find("test", 1, true))
    end
  end)

  it("says that an empty video is incomplete", function()
    function world.answer()
      return media.whole ""
    end
    world:fails("network", "incomplete: 0 of 0 bytes")
    assert.is_nil(world:read ".part")
  end)

  it("never shows the signature of the link", function()
    function world.answer()
      return nil, { reason = "reset", message = "lost " .. LINK, sent = true }
    end
    local err = world:fails("network", "lost")
    for _, value in pairs(err) do
      assert.is_nil(tostring(value):find("secret", 1, true))
    end
  end)

  it("says that a task is not ready", function()
    function world.link()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"processing"}' }
    end
    local _, err = world.client:download("video_1", world.path)
    assert.equal("timeout", err.kind)
    assert.equal("video_1", err.task_id)
    assert.equal("processing", err.task.status)
    assert.equal(1, world.queries)
  end)

  it("says that a task has failed", function()
    function world.link()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"failed","error":"too dark"}' }
    end
    local _, err = world.client:download("video_1", world.path)
    assert.equal("task_failed", err.kind)
    assert.equal("too dark", err.message)
  end)

  it("raises where the path is no text", function()
    assert.has_error(function() world.client:download(world.task) end)
    assert.has_error(function() world.client:download(world.task, "") end)
  end)

  describe("with a ledger", function()
    local download = require "starvideos.order.download"
    local told

    local function save(ledger)
      function ledger.of_task() end
      function ledger.placing() return true end
      return download.save({
        runtime = block.new { transport = function(req)
          return world:exchange(req)
        end },
        ledger = ledger, max_video = 2 ^ 32,
      }, world.task, world.path, {})
    end

    before_each(function()
      told = nil
    end)

    it("notes what was saved", function()
      local file = assert(save { downloaded = function(_, id, given)
        told = { id, given }
        return true
      end })
      assert.equal("video_1", told[1])
      assert.equal(file, told[2])
      assert.equal(FILM_SHA256, told[2].sha256)
      assert.is_nil(file.ledger_error)
    end)

    it("keeps the file where the ledger fails", function()
      local why = errors.new { kind = "ledger", message = "disk full" }
      local file = assert(save { downloaded = function()
        return nil, why
      end })
      assert.equal(why, file.ledger_error)
      assert.equal(FILM, world:read())
    end)

    it("notes nothing that was not saved", function()
      world.answer = media.refusal(400)
      assert.is_nil((save { downloaded = function() told = true end }))
      assert.is_nil(told)
    end)
  end)

  describe("without libcurl", function()
    local loaded = package.loaded["starvideos.curl"]

    before_each(function()
      package.loaded["starvideos.curl"] = nil
      package.preload["starvideos.curl"] = function() error("no libcurl") end
    end)
    after_each(function()
      package.preload["starvideos.curl"] = nil
      package.loaded["starvideos.curl"] = loaded
    end)

    it("saves what the host's own transport brings", function()
      assert.same({ path = world.path, bytes = #FILM, container = "mp4" },
        world:save())
      assert.equal(FILM, world:read())
      assert.is_nil(world:read ".part.json")
    end)

    it("overwrites nothing that it was not told to", function()
      function world.answer()
        write(world.path, "theirs")
        return media.whole()
      end
      world:fails("io", "appeared during the download")
      assert.equal("theirs", world:read())
      assert(world:save { overwrite = true })
      assert.equal(FILM, world:read())
    end)

    it("leaves nothing that is of no use", function()
      world.answer = media.lost
      write(world.path .. ".part", "")
      world:fails("network", "reset")
      assert.is_nil(world:read ".part")
    end)
  end)
end)
